package secure

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/fault"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestLimitsAreHeldAtTheirEdges(t *testing.T) {
	cases := []struct {
		name string
		l    Limits
		want bool
	}{
		{"none", Limits{}, true},
		{"Message", Limits{Message: leastMessage}, true}, {"Message", Limits{Message: leastMessage - 1}, false}, {"Message", Limits{Message: -1}, false},
		{"Message", Limits{Message: mostMessage}, true}, {"Message", Limits{Message: mostMessage + 1}, false},
		{"Header", Limits{Header: leastHeader}, true}, {"Header", Limits{Header: leastHeader - 1}, false},
		{"Header", Limits{Header: mostHeader}, true}, {"Header", Limits{Header: mostHeader + 1}, false},
		{"Streams", Limits{Streams: 1}, true}, {"Streams", Limits{Streams: mostStreams}, true}, {"Streams", Limits{Streams: mostStreams + 1}, false},
		{"Connect", Limits{Connect: leastWait}, true}, {"Connect", Limits{Connect: leastWait - 1}, false}, {"Connect", Limits{Connect: mostWait + 1}, false},
		{"Reconnect", Limits{Reconnect: mostWait}, true}, {"Reconnect", Limits{Reconnect: mostWait + 1}, false}, {"Reconnect", Limits{Reconnect: leastWait - 1}, false},
		{"Quiet", Limits{Quiet: leastQuiet - 1}, false}, {"Quiet", Limits{Quiet: mostQuiet}, true}, {"Quiet", Limits{Quiet: mostQuiet + 1}, false},
		{"Answer", Limits{Answer: leastWait}, true}, {"Answer", Limits{Answer: leastWait - 1}, false}, {"Answer", Limits{Answer: mostWait + 1}, false},
		{"Idle", Limits{Idle: leastIdle}, true}, {"Idle", Limits{Idle: leastIdle - 1}, false}, {"Idle", Limits{Idle: mostIdle}, true}, {"Idle", Limits{Idle: mostIdle + 1}, false},
		{"Ping", Limits{Ping: leastQuiet}, true}, {"Ping", Limits{Ping: leastQuiet + 1}, false}, {"Ping", Limits{Ping: -1}, false},
		{"Window", Limits{Window: leastWindow}, true}, {"Window", Limits{Window: leastWindow - 1}, false},
		{"Window", Limits{Window: mostWindow}, true}, {"Window", Limits{Window: mostWindow + 1}, false},
		{"ConnWindow", Limits{ConnWindow: 1 << 20}, true}, {"ConnWindow", Limits{ConnWindow: 1<<20 - 1}, false}, {"ConnWindow", Limits{ConnWindow: mostWindow + 1}, false},
		{"Rate", Limits{Rate: 1e-9}, true}, {"Rate", Limits{Rate: -1}, false}, {"Rate", Limits{Rate: math.Inf(1)}, false}, {"Rate", Limits{Rate: math.NaN()}, false},
		{"Burst", Limits{Burst: 1}, true}, {"Burst", Limits{Burst: 0.9}, false}, {"Burst", Limits{Burst: math.NaN()}, false}, {"Burst", Limits{Burst: math.Inf(1)}, false},
		{"Peers", Limits{Peers: 1}, true}, {"Peers", Limits{Peers: -1}, false}, {"Peers", Limits{Peers: mostPeers}, true}, {"Peers", Limits{Peers: mostPeers + 1}, false},
	}
	for _, c := range cases {
		err := c.l.Validate()
		if (err == nil) != c.want {
			t.Errorf("%+v: got %v, want valid = %v", c.l, err, c.want)
		}
		if err != nil && (fault.Code(err) != int(fault.Usage) || !strings.HasPrefix(err.Error(), "limits: "+c.name+" of ")) {
			t.Errorf("%+v: got %q, want a usage fault that names %s", c.l, err, c.name)
		}
	}
}

// clerk is a server whose handlers do what a test wants.
type clerk struct {
	coteriev1.UnimplementedJobsServer
	show   func(*coteriev1.ShowRequest) *coteriev1.ShowReply
	follow func(grpc.ServerStreamingServer[coteriev1.JobEvent])
}

func (c *clerk) Cancel(context.Context, *coteriev1.CancelRequest) (*coteriev1.CancelReply, error) {
	return &coteriev1.CancelReply{}, nil
}

func (c *clerk) Show(_ context.Context, request *coteriev1.ShowRequest) (*coteriev1.ShowReply, error) {
	return c.show(request), nil
}

func (c *clerk) Follow(_ *coteriev1.FollowRequest, stream grpc.ServerStreamingServer[coteriev1.JobEvent]) error {
	c.follow(stream)
	return nil
}

// hire serves c without TLS and gives a client.
func hire(t testing.TB, c *clerk, l Limits) (coteriev1.JobsClient, *grpc.ClientConn) {
	t.Helper()
	server := grpc.NewServer(ServerOptions(nil, l)...)
	coteriev1.RegisterJobsServer(server, c)
	conn := dial(t, serve(t, server), DialOptions(nil, Coordinator, l)...)
	return coteriev1.NewJobsClient(conn), conn
}

// sized is as many bytes as make a message of n bytes with the field set.
func sized(t *testing.T, n int, message func([]byte) proto.Message) proto.Message {
	t.Helper()
	for head := range 16 {
		if m := message(make([]byte, n-head)); proto.Size(m) == n {
			return m
		}
	}
	t.Fatalf("no message has %d bytes", n)
	return nil
}

func TestAMessageOfTheLimitPassesAndOneMoreDoesNot(t *testing.T) {
	request := func(b []byte) proto.Message { return &coteriev1.CancelRequest{Job: string(b)} }
	reply := func(b []byte) proto.Message { return &coteriev1.ShowReply{Info: &coteriev1.JobInfo{Reason: string(b)}} }
	for _, l := range []Limits{{}, {Message: leastMessage}, {Message: 100_000}} {
		limit := l.filled().Message
		c := &clerk{}
		jobs, _ := hire(t, c, l)
		for n, want := range map[int]codes.Code{limit - 1: codes.OK, limit: codes.OK, limit + 1: codes.ResourceExhausted} {
			if _, err := jobs.Cancel(brief(t), sized(t, n, request).(*coteriev1.CancelRequest)); status.Code(err) != want {
				t.Errorf("limit %d, a request of %d bytes: got %v, want %v", limit, n, err, want)
			}
			answer := sized(t, n, reply).(*coteriev1.ShowReply)
			c.show = func(*coteriev1.ShowRequest) *coteriev1.ShowReply { return answer }
			if _, err := jobs.Show(brief(t), &coteriev1.ShowRequest{}); status.Code(err) != want {
				t.Errorf("limit %d, a reply of %d bytes: got %v, want %v", limit, n, err, want)
			}
		}
	}
}

func TestALargeHeaderFailsItsCall(t *testing.T) {
	c := &clerk{}
	jobs, _ := hire(t, c, Limits{Header: leastHeader})
	for n, want := range map[int]bool{leastHeader / 2: true, leastHeader: false} {
		ctx := metadata.AppendToOutgoingContext(brief(t), "note", strings.Repeat("a", n))
		if _, err := jobs.Cancel(ctx, &coteriev1.CancelRequest{}); (err == nil) != want {
			t.Errorf("a header of %d bytes: got %v, want it to pass = %v", n, err, want)
		}
	}
}

func TestMoreStreamsThanTheLimitWait(t *testing.T) {
	const limit, calls = 3, 12
	var mu sync.Mutex
	running, most := 0, 0
	entered, leave := make(chan struct{}, calls), make(chan struct{})
	c := &clerk{follow: func(grpc.ServerStreamingServer[coteriev1.JobEvent]) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		entered <- struct{}{}
		<-leave
		mu.Lock()
		running--
		mu.Unlock()
	}}
	jobs, _ := hire(t, c, Limits{Streams: limit})
	// The server's word on the limit has arrived with the first answer.
	if _, err := jobs.Cancel(brief(t), &coteriev1.CancelRequest{}); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	for range calls {
		ctx := brief(t)
		go func() {
			stream, err := jobs.Follow(ctx, &coteriev1.FollowRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			ended <- err
		}()
	}
	for range limit {
		<-entered
	}
	for range calls {
		leave <- struct{}{}
		<-ended
	}
	if most != limit {
		t.Errorf("%d streams at once, want %d", most, limit)
	}
}

func TestCallsBeyondTheRateAreRefusedPerPeer(t *testing.T) {
	clock := newClock()
	b := newBuckets(2, 3, 2, clock.now)
	takes := func(peer string, n int) string {
		got := ""
		for range n {
			got += map[bool]string{true: "+", false: "-"}[b.take(peer)]
		}
		return got
	}
	steps := []struct {
		after time.Duration
		peer  string
		want  string
	}{
		{0, "a", "+++--"},                   // the burst
		{0, "b", "+++-"},                    // is each peer's own
		{499 * time.Millisecond, "a", "-"},  // not yet
		{time.Millisecond, "a", "+-"},       // one token
		{time.Second, "a", "++-"},           // two more
		{time.Hour, "a", "+++-"},            // never more than the burst
		{-time.Hour, "a", "-"},              // a clock that goes back gives nothing
		{500 * time.Millisecond, "a", "+-"}, // and takes nothing
		{0, "c", "+++-"}, {0, "a", "-"},     // of two peers, b was quiet longest
		{0, "b", "+++-"}, {0, "c", "+++-"}, // b is forgotten, and then takes the place of c
		{0, "c", "-"}, {0, "b", "-"}, {0, "", "+++-"}, // a peer without an address is one like others
	}
	for i, s := range steps {
		clock.advance(s.after)
		if got := takes(s.peer, len(s.want)); got != s.want {
			t.Errorf("step %d, %q: got %s, want %s", i, s.peer, got, s.want)
		}
		if len(b.byPeer) > 2 || len(b.byPeer) != b.recent.Len() {
			t.Fatalf("step %d: %d peers and %d in order, want at most 2 of both", i, len(b.byPeer), b.recent.Len())
		}
	}
}

func TestAServerRefusesAPeerThatLoops(t *testing.T) {
	c := &clerk{follow: func(grpc.ServerStreamingServer[coteriev1.JobEvent]) {}}
	l := Limits{Rate: 1e-9, Burst: 3}
	server := grpc.NewServer(ServerOptions(nil, l)...)
	coteriev1.RegisterJobsServer(server, c)
	address := serve(t, server)
	for i := range 5 { // another connection is not another peer
		jobs := coteriev1.NewJobsClient(dial(t, address, DialOptions(nil, Coordinator, l)...))
		_, err := jobs.Cancel(brief(t), &coteriev1.CancelRequest{})
		if want := map[bool]codes.Code{true: codes.OK, false: codes.ResourceExhausted}[i < 3]; status.Code(err) != want {
			t.Errorf("call %d: got %v, want %v", i, err, want)
		}
		stream, err := jobs.Follow(brief(t), &coteriev1.FollowRequest{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := stream.Recv(); status.Code(err) == codes.ResourceExhausted {
			t.Errorf("stream %d: got %v, want streams to be free", i, err)
		}
	}
}

func TestWhoMayNotCallUsesUpNothing(t *testing.T) {
	ca := newForge(t)
	d := open(t, ca.identity(t, Coordinator), Limits{Rate: 1e-9, Burst: 1})
	stranger, client := dial(t, d.address, raw(ca.pool(), ca.leaf(t, []Role{Worker}))), dial(t, d.address, raw(ca.pool(), ca.leaf(t, []Role{Client})))
	for range 5 {
		if err := listJobs(t, stranger); status.Code(err) != codes.PermissionDenied {
			t.Errorf("a worker: got %v, want PermissionDenied", err)
		}
	}
	if err := listJobs(t, client); status.Code(err) != codes.Unimplemented {
		t.Errorf("a client behind the same address: got %v, want to reach the handler", err)
	}
}

func TestAPanicEndsItsCallAndNoOther(t *testing.T) {
	var log bytes.Buffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	c := &clerk{
		show: func(*coteriev1.ShowRequest) *coteriev1.ShowReply {
			var nothing []int
			return &coteriev1.ShowReply{Info: &coteriev1.JobInfo{Reason: string(make([]byte, nothing[4]))}}
		},
		follow: func(stream grpc.ServerStreamingServer[coteriev1.JobEvent]) {
			stream.Send(&coteriev1.JobEvent{})
			panic("customer 17's secret")
		},
	}
	jobs, _ := hire(t, c, Limits{})
	_, err := jobs.Show(brief(t), &coteriev1.ShowRequest{})
	wantBug(t, err, "/coterie.v1.Jobs/Show")
	stream, err := jobs.Follow(brief(t), &coteriev1.FollowRequest{})
	if err == nil {
		_, err = stream.Recv()
	}
	if err != nil {
		t.Fatalf("got %v, want the event before the panic", err)
	}
	_, err = stream.Recv()
	wantBug(t, err, "/coterie.v1.Jobs/Follow")
	if _, err := jobs.Cancel(brief(t), &coteriev1.CancelRequest{}); err != nil {
		t.Errorf("the next call: got %v, want it served", err)
	}
	for _, want := range []string{"customer 17", "index out of range", "limits_test.go", "/coterie.v1.Jobs/Show", "peer=127.0.0.1:"} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log.String())
		}
	}
	if got := strings.Count(log.String(), "level=ERROR"); got != 2 {
		t.Errorf("%d lines in the log, want 2", got)
	}
}

func wantBug(t *testing.T, err error, method string) {
	t.Helper()
	if status.Code(err) != codes.Internal || !strings.Contains(err.Error(), method) || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "index") {
		t.Errorf("got %v, want Internal with the method and without what the panic said", err)
	}
}

func TestInvalidLimitsAreABug(t *testing.T) {
	for name, make := range map[string]func(){
		"server": func() { ServerOptions(nil, Limits{Message: -1}) },
		"dial":   func() { DialOptions(nil, Worker, Limits{Message: -1}) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: got options, want a panic", name)
				}
			}()
			make()
		}()
	}
}

// BenchmarkChunks streams chunks of 512 KiB over loopback for several windows. The windows of 0 are the library's, which
// grow by themselves.
func BenchmarkChunks(b *testing.B) {
	ca := newForge(b)
	identities := map[string]*Identity{"plain": nil, "tls": ca.identity(b, Coordinator, Client)}
	for _, kind := range []string{"plain", "tls"} {
		for _, window := range []int32{0, 256, 512, 1024, 2048, 4096, 16384} {
			b.Run(fmt.Sprintf("%s/window=%dKiB", kind, window), func(b *testing.B) {
				l := Limits{Window: max(window, 64) << 10, ConnWindow: max(window, 64) << 11}
				server, client := ServerOptions(identities[kind], l), DialOptions(identities[kind], Coordinator, l)
				if window == 0 {
					server, client = []grpc.ServerOption{grpc.Creds(identities[kind].Server())}, client[:1]
				}
				streamChunks(b, server, client)
			})
		}
	}
}

func streamChunks(b *testing.B, server []grpc.ServerOption, client []grpc.DialOption) {
	chunk := &coteriev1.Chunk{Data: make([]byte, 512<<10)}
	s := grpc.NewServer(server...)
	b.SetBytes(int64(len(chunk.Data)))
	coteriev1.RegisterJobsServer(s, &clerk{follow: func(stream grpc.ServerStreamingServer[coteriev1.JobEvent]) {
		for range b.N {
			if stream.SendMsg(chunk) != nil {
				return
			}
		}
	}})
	stream, err := coteriev1.NewJobsClient(dial(b, serve(b, s), client...)).Follow(b.Context(), &coteriev1.FollowRequest{})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	var got coteriev1.Chunk
	for i := range b.N {
		if err := stream.RecvMsg(&got); err != nil || len(got.Data) != len(chunk.Data) {
			b.Fatalf("chunk %d: %v, %d bytes", i, err, len(got.Data))
		}
	}
	runtime.KeepAlive(&got)
}
