package worker

import (
	"context"
	"errors"
	"math"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/wire"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// network is servers by address, in memory.
type network struct {
	listeners map[string]*bufconn.Listener
	servers   []*grpc.Server
	ended     chan struct{}
}

func (n *network) serve(address string, s coteriev1.ExchangeServer) {
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	coteriev1.RegisterExchangeServer(server, s)
	if n.listeners == nil {
		n.listeners, n.ended = make(map[string]*bufconn.Listener), make(chan struct{})
	}
	n.listeners[address] = listener
	n.servers = append(n.servers, server)
	go func() {
		_ = server.Serve(listener)
		n.ended <- struct{}{}
	}()
}

func (n *network) dial(address string) (*grpc.ClientConn, error) {
	listener := n.listeners[address]
	if listener == nil {
		return nil, errors.New("no such address")
	}
	return grpc.NewClient("passthrough:"+address, grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
}

func (n *network) close() {
	for _, s := range n.servers {
		s.Stop()
		<-n.ended
	}
}

// connect has a circle ask over the network; what it gives closes both.
func (c *circle) connect() func() {
	n := &network{}
	for name := range c.engines {
		n.serve(name, &Exchange{Engine: func(job string) *Engine {
			if job != "job" {
				return nil
			}
			return c.engines[name]
		}})
	}
	p := newPeerConns(n.dial)
	c.via = p
	return func() {
		_ = p.Close()
		n.close()
	}
}

func TestWorkersOnANetworkFindWhatOnePlaceWouldFind(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := drawWays(t)
		c := newCircle(t, w.s, w.m, names(3)...)
		defer c.connect()()
		for _, name := range rapid.SliceOf(rapid.SampledFrom(names(3))).Draw(t, "deaf") {
			c.deaf[name] = true
		}
		got := c.exchange(t, context.Background(), peopleInput(w.policy), w.holders, w.settlers, w.readers)
		if diff := cmp.Diff(byOnePlace(w.s, w.m, w.policy), got); diff != "" {
			t.Fatalf("(-one place +workers):\n%s", diff)
		}
		if len(c.lost) > 0 && len(c.deaf) == 0 {
			t.Fatalf("given up without need: %q", c.lost)
		}
	})
}

func TestManyPartsComeOverTheNetworkWhole(t *testing.T) {
	s, m := crowd()
	c := newCircle(t, s, m, names(3)...)
	defer c.connect()()
	got := c.exchange(t, t.Context(), peopleInput(wire.DuplicatesFirst), []string{"w1", "w0", "w2"}, []string{"w0", "w2", "w1"}, names(3))
	if diff := cmp.Diff(byOnePlace(s, m, wire.DuplicatesFirst), got); diff != "" || len(c.lost) > 0 {
		t.Errorf("given up %q; (-one place +workers):\n%.2000s", c.lost, diff)
	}
}

// An id may be as long as the record that it stands in, which readers take up to 16 MiB of.
func TestAnIDOfTheLargestRecordComesOverTheNetwork(t *testing.T) {
	s, m := peopleOf(strings.Repeat("x", 16<<20), "b"), cutAt(1, 1)
	c := newCircle(t, s, m, "w0", "w1")
	defer c.connect()()
	owners := []string{"w0", "w1"}
	got := c.exchange(t, t.Context(), peopleInput(wire.DuplicatesFirst), owners, []string{"w1", "w1"}, owners)
	if got.Count != 0 || len(c.lost) > 0 || !slices.Contains(c.asks, "w0: ids") {
		t.Errorf("got %+v, given up %q, asked %q", got, c.lost, c.asks)
	}
}

func TestWhatAnotherWorkerCannotSayIsAnErrorOfItsKind(t *testing.T) {
	s, m := peopleOf("1", "2"), cutAt(1, 1)
	c := newCircle(t, s, m, "w0")
	closeAll := c.connect()
	peers := c.via
	ids := func(job, owner string, of int) error {
		return peers.IDs(t.Context(), owner, IDsRequest{Job: job, Partitions: []int{0}, Ranges: []int{0}, Of: of}, func(IDPart) error { return nil })
	}
	rows := func(job, owner string) error {
		return peers.Dropped(t.Context(), owner, DroppedRequest{Job: job, Partitions: []int{0}, Ranges: []int{0}}, func([]int64) error { return nil })
	}
	for _, got := range []struct {
		name string
		err  error
		want error
	}{
		{"ids that are not there", ids("job", "w0", 2), ErrNoIDs}, {"ranges that are not settled", rows("job", "w0"), ErrNoIDs},
		{"ids of another job", ids("other", "w0", 2), ErrNoIDs}, {"rows of another job", rows("other", "w0"), ErrNoIDs},
		{"a wrong question", ids("job", "w0", 3), nil}, {"a stranger", ids("job", "w9", 2), nil},
	} {
		if got.err == nil || got.want != nil && !errors.Is(got.err, got.want) {
			t.Errorf("%s: got %v, want %v", got.name, got.err, got.want)
		}
	}
	closeAll()
	if err := ids("job", "w0", 2); !errors.Is(err, ErrClosed) {
		t.Errorf("after Close: got %v, want %v", err, ErrClosed)
	}
}

// liar answers with what it was told.
type liar struct {
	coteriev1.UnimplementedExchangeServer
	ids  []*coteriev1.IDsPart
	rows []*coteriev1.RowsPart
	wait chan struct{} // closed: does not wait before it ends
}

func (l *liar) IDs(_ *coteriev1.IDsRequest, stream grpc.ServerStreamingServer[coteriev1.IDsPart]) error {
	for _, m := range l.ids {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return l.end(stream.Context())
}

func (l *liar) Dropped(_ *coteriev1.DroppedRequest, stream grpc.ServerStreamingServer[coteriev1.RowsPart]) error {
	for _, m := range l.rows {
		if err := stream.Send(m); err != nil {
			return err
		}
	}
	return l.end(stream.Context())
}

func (l *liar) end(ctx context.Context) error {
	if l.wait != nil {
		<-ctx.Done()
	}
	return nil
}

// withLiar is an engine whose only peer is a liar. There are three partitions; number 1 has rows 2 to 5.
func withLiar(t *testing.T, l *liar) (*Engine, func()) {
	t.Helper()
	n := &network{}
	n.serve("liar", l)
	p := newPeerConns(n.dial)
	s, m := peopleOf("1", "2", "3", "4", "5", "6", "8"), cutAt(2, 4, 1)
	e, err := NewEngine(Config{Source: s, Manifest: m, Threads: 1, Self: "me", Peers: p, Job: "job"})
	if err != nil {
		t.Fatal(err)
	}
	return e, func() {
		_ = p.Close()
		n.close()
	}
}

var liarsOwners = []string{"me", "liar", "me"}

// idOf is an integer in range r of three.
func idOf(r int) int64 {
	in, err := newRanges([]int{r}, 3)
	for id := int64(1); err == nil; id++ {
		c := &dataset.IDs{}
		if c.AppendInt(id); in.has(c.Hash(0)) {
			return id
		}
	}
	return 0
}

func TestWrongAnswersAreRefused(t *testing.T) {
	inside, outside := idOf(0), idOf(1)
	ints := func(list ...int64) []byte { return encodeInts(list) }
	ends := []byte{1, 0, 0, 0}
	good := &coteriev1.IDsPart{Partition: 1, Rows: ints(2), Integers: ints(inside)}
	for name, parts := range map[string][]*coteriev1.IDsPart{
		"an empty part":             {{Partition: 1}},
		"rows cut short":            {{Partition: 1, Rows: ints(2)[:7], Integers: ints(inside)}},
		"too few ids":               {{Partition: 1, Rows: ints(2, 3), Integers: ints(inside)}},
		"too many ids":              {{Partition: 1, Rows: ints(2), Integers: ints(inside, inside)}},
		"integers and text":         {{Partition: 1, Rows: ints(2), Integers: ints(inside), Text: []byte("a"), Ends: ends}},
		"neither":                   {{Partition: 1, Rows: ints(2)}},
		"ends beyond the text":      {{Partition: 1, Rows: ints(2), Text: nil, Ends: ends}},
		"ends that descend":         {{Partition: 1, Rows: ints(2, 3), Text: []byte("a"), Ends: []byte{1, 0, 0, 0, 0, 0, 0, 0}}},
		"text that is no id's":      {{Partition: 1, Rows: ints(2), Text: []byte("ab"), Ends: ends}},
		"more than a part holds":    {{Partition: 1, Rows: make([]byte, 8*(partIDs+1)), Integers: make([]byte, 8*(partIDs+1))}},
		"rows that descend":         {{Partition: 1, Rows: ints(3, 2), Integers: ints(inside, inside)}},
		"a row twice":               {{Partition: 1, Rows: ints(2, 2), Integers: ints(inside, inside)}},
		"the same part twice":       {good, good},
		"a negative row":            {{Partition: 1, Rows: ints(-5), Integers: ints(inside)}},
		"a row before":              {{Partition: 1, Rows: ints(1), Integers: ints(inside)}},
		"a row after":               {{Partition: 1, Rows: ints(6), Integers: ints(inside)}},
		"a row far away":            {{Partition: 1, Rows: ints(math.MaxInt64), Integers: ints(inside)}},
		"an unknown partition":      {{Partition: 99, Rows: ints(2), Integers: ints(inside)}},
		"a partition of others":     {{Partition: 0, Rows: ints(0), Integers: ints(inside)}},
		"rows of another partition": {{Partition: 2, Rows: ints(2), Integers: ints(inside)}},
		"an id of another range":    {{Partition: 1, Rows: ints(2), Integers: ints(outside)}},
	} {
		e, closeAll := withLiar(t, &liar{ids: parts})
		_, err := e.Do(t.Context(), &wire.Task{Kind: wire.Duplicates, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{0}, Owners: liarsOwners})
		if !errors.Is(err, ErrBadAnswer) || !strings.Contains(err.Error(), "liar") {
			t.Errorf("%s: got %v, want %v of the liar", name, err, ErrBadAnswer)
		}
		closeAll()
	}
	e, closeAll := withLiar(t, &liar{ids: []*coteriev1.IDsPart{good}})
	defer closeAll()
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Duplicates, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{0}, Owners: liarsOwners}); err != nil {
		t.Errorf("a good answer: got %v", err)
	}
}

func TestWrongRowsAreRefused(t *testing.T) {
	part := func(rows ...int64) *coteriev1.RowsPart { return &coteriev1.RowsPart{Rows: encodeInts(rows)} }
	for name, parts := range map[string][]*coteriev1.RowsPart{
		"an empty part":         {{}},
		"cut short":             {{Rows: []byte{1, 2, 3}}},
		"more than a part":      {{Rows: make([]byte, 8*(partIDs+1))}},
		"descending":            {part(4, 3)},
		"descending over parts": {part(4), part(3)},
		"a row twice":           {part(3, 3)},
		"a row before":          {part(1)},
		"a row after":           {part(6)},
		"a negative row":        {part(-1)},
	} {
		e, closeAll := withLiar(t, &liar{rows: parts})
		_, err := e.Do(t.Context(), &wire.Task{Kind: wire.Statistics, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{1}, Owners: []string{"liar", "liar", "liar"}})
		if !errors.Is(err, ErrBadAnswer) {
			t.Errorf("%s: got %v, want %v", name, err, ErrBadAnswer)
		}
		closeAll()
	}
	e, closeAll := withLiar(t, &liar{rows: []*coteriev1.RowsPart{part(2, 3), part(5)}})
	defer closeAll()
	p, err := e.Do(t.Context(), &wire.Task{Kind: wire.Statistics, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{1}, Owners: []string{"liar", "liar", "liar"}})
	if err != nil || p.Intake.Duplicates != 3 {
		t.Errorf("good rows: got %+v (%v), want 3 left out", p, err)
	}
}

// A worker that is stopped keeps its connections: only its silence tells.
func TestASilentWorkerIsGivenUp(t *testing.T) {
	for name, l := range map[string]*liar{
		"from the beginning": {wait: make(chan struct{})},
		"in its answer":      {wait: make(chan struct{}), rows: []*coteriev1.RowsPart{{Rows: encodeInts([]int64{2})}}},
	} {
		bubble.Test(t, func(t *testing.T) {
			e, closeAll := withLiar(t, l)
			defer closeAll()
			var lost []error
			e.config.Lost = func(_ string, err error) { lost = append(lost, err) }
			began := time.Now() // of the bubble, in which nothing else takes time
			p, err := e.Do(t.Context(), &wire.Task{Kind: wire.Statistics, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{1}, Owners: []string{"liar", "liar", "liar"}})
			if err != nil || p.Intake.Kept != 4 || p.Intake.Duplicates != 0 {
				t.Errorf("%s: got %+v (%v), want the four rows", name, p, err)
			}
			if took := time.Since(began); len(lost) != 1 || !errors.Is(lost[0], errSilent) || took != peerPatience {
				t.Errorf("%s: given up for %v after %v, want %v after %v", name, lost, took, errSilent, peerPatience)
			}
		})
	}
}

func TestAskingEndsWithTheContext(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e, closeAll := withLiar(t, &liar{wait: make(chan struct{})})
		defer closeAll()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := e.Do(ctx, &wire.Task{Kind: wire.Duplicates, Input: peopleInput(wire.DuplicatesFirst), Partitions: []int{0, 1}, Owners: []string{"liar", "liar", "liar"}})
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	})
}

func TestPartsSurviveTheWire(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := IDPart{Partition: rapid.IntRange(0, 1<<20).Draw(t, "partition"), IDs: new(dataset.IDs)}
		for _, id := range rapid.SliceOfN(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"7", "07", ""})), 1, 20).Draw(t, "ids") {
			want.IDs.AppendText([]byte(id))
			want.Rows = append(want.Rows, rapid.Int64().Draw(t, "row"))
		}
		data, err := proto.Marshal(encodeIDs(want))
		if err != nil {
			t.Fatal(err)
		}
		m := new(coteriev1.IDsPart)
		if err := proto.Unmarshal(data, m); err != nil {
			t.Fatal(err)
		}
		got, err := decodeIDs(m)
		if err != nil || got.Partition != want.Partition || !slices.Equal(got.Rows, want.Rows) || got.IDs.Len() != want.IDs.Len() {
			t.Fatalf("got %+v (%v), want %+v", got, err, want)
		}
		for i := range want.Rows {
			if g, w := string(got.IDs.AppendTo(nil, i)), string(want.IDs.AppendTo(nil, i)); g != w {
				t.Fatalf("id %d: got %q, want %q", i, g, w)
			}
		}
	})
}

func FuzzIDsPart(f *testing.F) {
	for _, p := range []*coteriev1.IDsPart{
		{Partition: 1, Rows: encodeInts([]int64{2}), Integers: encodeInts([]int64{3})},
		{Partition: 1, Rows: encodeInts([]int64{2, 5}), Text: []byte("ab7"), Ends: []byte{2, 0, 0, 0, 3, 0, 0, 0}},
		{Partition: 1 << 31, Rows: encodeInts([]int64{-2}), Text: []byte("ab"), Ends: []byte{255, 255, 255, 255}},
		{Rows: []byte{1}},
	} {
		data, err := proto.Marshal(p)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	in, err := newRanges([]int{0, 1, 2}, 3)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(coteriev1.IDsPart)
		if proto.Unmarshal(data, m) != nil {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		p, err := decodeIDs(m)
		runtime.ReadMemStats(&after)
		// Integers that turn to text take up to 20 bytes for one, and slices twice what they hold.
		if spent, ceiling := after.TotalAlloc-before.TotalAlloc, uint64(64*len(data)+4<<20); spent > ceiling {
			t.Errorf("%d bytes of a part took %d bytes of memory, more than %d", len(data), spent, ceiling)
		}
		if err != nil {
			if !errors.Is(err, ErrBadAnswer) {
				t.Errorf("got %v, which is no %v", err, ErrBadAnswer)
			}
			return
		}
		if len(p.Rows) == 0 || p.IDs.Len() != len(p.Rows) || len(p.Rows) > partIDs {
			t.Errorf("%d rows with %d ids", len(p.Rows), p.IDs.Len())
		}
		check := answer{manifest: cutAt(2, 4, 1), partitions: []int{1}, last: -1}
		if check.part(&p, in) == nil && (p.Partition != 1 || p.Rows[0] < 2 || p.Rows[len(p.Rows)-1] > 5) {
			t.Errorf("partition %d, rows %v: taken for an answer about partition 1, rows 2 to 5", p.Partition, p.Rows)
		}
	})
}

func TestTheLineToAWorkerThatIsGoneIsTakenDown(t *testing.T) {
	dialled := 0
	peers := newPeerConns(func(address string) (*grpc.ClientConn, error) {
		dialled++
		return grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	})
	defer peers.Close()
	for range 2 {
		err := peers.IDs(t.Context(), "127.0.0.1:1", IDsRequest{}, func(IDPart) error { return nil })
		if status.Code(err) != codes.Unavailable || len(peers.lines) != 0 {
			t.Errorf("got %v and %d lines, want Unavailable and none", err, len(peers.lines))
		}
	}
	if dialled != 2 {
		t.Errorf("dialled %d times, want each time anew", dialled)
	}
}
