package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/remote"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// receiving is a submitter that gives what it receives to put.
type receiving struct {
	pb.UnimplementedSubmitterServer
	put func(ctx context.Context, l *Labels) error
}

func (r *receiving) PutLabels(stream pb.Submitter_PutLabelsServer) error {
	l, err := ReceiveLabels(stream, "token")
	if err != nil {
		return err
	}
	if err := r.put(stream.Context(), l); err != nil {
		return remote.Status(err)
	}
	return stream.SendAndClose(&pb.PutLabelsReply{})
}

// labelClient serves s in memory.
func labelClient(t testing.TB, s pb.SubmitterServer) (pb.SubmitterClient, *grpc.Server) {
	t.Helper()
	listener := bufconn.Listen(1 << 20)
	server := grpc.NewServer()
	pb.RegisterSubmitterServer(server, s)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///submitter", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		<-served
	})
	return pb.NewSubmitterClient(conn), server
}

// labelsOf makes labels of a partition: the id of a row is id(row), or nil for row numbers.
func labelsOf(partition, rows int, integers, detail bool, id func(i int) string) *Labels {
	l := &Labels{Partition: partition, Rows: rows, Segment: make([]int32, rows), Distance: make([]float32, rows)}
	for i := range rows {
		l.Segment[i], l.Distance[i] = int32(i%7), float32(i)/3
	}
	if detail {
		l.Second, l.SecondDistance = make([]int32, rows), make([]float32, rows)
		for i := range rows {
			l.Second[i], l.SecondDistance[i] = int32(i%5)-1, float32(i)/2
		}
	}
	if id == nil {
		l.RowNumbers = make([]int64, rows)
		for i := range rows {
			l.RowNumbers[i] = int64(1000*partition + 2*i)
		}
		return l
	}
	l.Integers, l.IDs = integers, new(dataset.IDs)
	for i := range rows {
		l.IDs.AppendText([]byte(id(i)))
	}
	return l
}

// listed is labels as texts, one a row.
func listed(l *Labels) (rows []string) {
	integers := false
	if l.IDs != nil {
		_, integers = l.IDs.Integers()
	}
	rows = append(rows, fmt.Sprint("partition ", l.Partition, " of ", l.Rows, ", ids ", l.IDs != nil, l.Integers, integers, ", detail ", l.Second != nil))
	for i := range l.Rows {
		text := ""
		switch {
		case l.IDs != nil:
			text = string(l.IDs.AppendTo(nil, i))
		default:
			text = fmt.Sprint("row ", l.RowNumbers[i])
		}
		text += fmt.Sprintf(" %d %08x", l.Segment[i], math.Float32bits(l.Distance[i]))
		if l.Second != nil {
			text += fmt.Sprintf(" %d %08x", l.Second[i], math.Float32bits(l.SecondDistance[i]))
		}
		rows = append(rows, text)
	}
	return rows
}

func TestLabelsThatTravelArriveAsTheyAre(t *testing.T) {
	var got *Labels
	client, _ := labelClient(t, &receiving{put: func(_ context.Context, l *Labels) error { got = l; return nil }})
	sink := NewSubmitterSink(client, "token")
	number := func(i int) string { return fmt.Sprint(i*i - 3) }
	word := func(i int) string { return fmt.Sprintf("%03d ä\xff", i) }
	both := func(i int) string { return []string{"7", "007", "", "x"}[i%4] }
	rapid.Check(t, func(r *rapid.T) {
		rows := rapid.SampledFrom([]int{1, 2, 100, 5000, 70_000}).Draw(r, "rows")
		ids := rapid.SampledFrom([]func(i int) string{nil, number, word, both}).Draw(r, "ids")
		integers := ids != nil && ids(1) == number(1) && rapid.Bool().Draw(r, "integers")
		want := labelsOf(rapid.IntRange(0, 1<<20).Draw(r, "partition"), rows, integers, rapid.Bool().Draw(r, "detail"), ids)
		if err := sink.Put(t.Context(), want); err != nil {
			r.Fatal(err)
		}
		if diff := cmp.Diff(listed(want), listed(got)); diff != "" {
			r.Fatalf("(-sent +received):\n%s", diff)
		}
	})
	for _, ids := range []func(int) string{nil, number} {
		if err := sink.Put(t.Context(), labelsOf(3, 0, ids != nil, true, ids)); err != nil {
			t.Fatal(err)
		}
		if got.Rows != 0 || got.IDs == nil || got.RowNumbers == nil || got.Second == nil || got.Integers != (ids != nil) {
			t.Errorf("of no rows came %+v", got)
		}
	}
}

func TestLabelsTravelInMessagesOfAMebibyte(t *testing.T) {
	long := func(i int) string { return strings.Repeat("x", i%3000) }
	for name, l := range map[string]*Labels{
		"row numbers": labelsOf(0, 300_000, false, true, nil), "integers": labelsOf(0, 300_000, true, false, func(i int) string { return fmt.Sprint(i) }),
		"texts": labelsOf(0, 3000, false, true, long), "a long one": labelsOf(0, 3, false, true, func(i int) string { return strings.Repeat("x", maxLabelID*(i%2)) }),
	} {
		messages, rows := 0, 0
		err := eachLabelsPart("token", l, func(m *pb.LabelsPart) error {
			rows += int(m.GetRows().GetRows())
			limit := labelBytes + 100
			if name == "a long one" {
				limit = labelBytes + maxLabelID
			}
			if size := proto.Size(m); size > limit {
				t.Errorf("%s: a message of %d bytes", name, size)
			}
			messages++
			return nil
		})
		if err != nil || rows != l.Rows || messages > 10 {
			t.Errorf("%s: %d rows in %d messages, %v", name, rows, messages, err)
		}
	}
	err := eachLabelsPart("token", labelsOf(0, 1, false, false, func(int) string { return strings.Repeat("x", maxLabelID+1) }), func(*pb.LabelsPart) error { return nil })
	if fault.Code(err) != int(fault.Input) || !strings.Contains(err.Error(), "1048577 bytes long") {
		t.Errorf("an id that is too long: got %v", err)
	}
	err = eachLabelsPart("token", labelsOf(0, 1, true, false, func(int) string { return "x" }), func(*pb.LabelsPart) error { return nil })
	if !errors.Is(err, errNotIntegers) {
		t.Errorf("a text among integers: got %v", err)
	}
}

func TestWhatTheSubmitterSaysOfLabelsComesBack(t *testing.T) {
	full := fault.Failedf(syscall.ENOSPC, "cannot be written").Do("free some space")
	full.Place.File = "labels.csv"
	client, server := labelClient(t, &receiving{put: func(context.Context, *Labels) error { return full }})
	sink := NewSubmitterSink(client, "token")
	if err := sink.Put(t.Context(), labelsOf(0, 9, false, false, nil)); err == nil || err.Error() != full.Error() {
		t.Errorf("got %v, want %v", err, full)
	}
	if err := NewSubmitterSink(client, "another").Put(t.Context(), labelsOf(0, 300_000, false, false, nil)); err == nil || !strings.Contains(err.Error(), "the job is unknown here") {
		t.Errorf("another token: got %v", err)
	}
	tooLong := labelsOf(0, 1, false, false, func(int) string { return strings.Repeat("x", maxLabelID+1) })
	if err := sink.Put(t.Context(), tooLong); fault.Code(err) != int(fault.Input) || strings.Contains(err.Error(), "submitted") {
		t.Errorf("an id that is too long: got %v", err)
	}
	server.Stop()
	sink.Address = "host:1234"
	err := sink.Put(t.Context(), labelsOf(0, 9, false, false, nil))
	for _, want := range []string{"the process that submitted the job has gone or cannot be reached from this worker: host:1234", "submit the job again"} {
		if err == nil || fault.Code(err) != int(fault.Failed) || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}

func TestPuttingLabelsEndsWithItsContext(t *testing.T) {
	begun := make(chan struct{})
	client, _ := labelClient(t, &receiving{put: func(ctx context.Context, _ *Labels) error {
		close(begun)
		<-ctx.Done()
		return ctx.Err()
	}})
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-begun
		cancel()
	}()
	if err := NewSubmitterSink(client, "token").Put(ctx, labelsOf(0, 9, false, false, nil)); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// scripted is a stream of given messages.
type scripted struct {
	grpc.ServerStream
	parts []*pb.LabelsPart
}

func (s *scripted) Context() context.Context              { return context.Background() }
func (s *scripted) SendAndClose(*pb.PutLabelsReply) error { return nil }
func (s *scripted) Recv() (*pb.LabelsPart, error) {
	if len(s.parts) == 0 {
		return nil, io.EOF
	}
	p := s.parts[0]
	s.parts = s.parts[1:]
	return p, nil
}

func head(h *pb.LabelsHead) *pb.LabelsPart {
	h.Job = "token"
	return &pb.LabelsPart{Part: &pb.LabelsPart_Head{Head: h}}
}

func rowsPart(spoil func(m *pb.LabelsRows)) *pb.LabelsPart {
	m := &pb.LabelsRows{Rows: 2, Integers: encodeInts([]int64{3, 5}), Segment: make([]byte, 8), Distance: make([]byte, 8)}
	if spoil != nil {
		spoil(m)
	}
	return &pb.LabelsPart{Part: &pb.LabelsPart_Rows{Rows: m}}
}

func asTexts(m *pb.LabelsRows) {
	m.Integers, m.Text, m.Ends = nil, []byte("abc"), []byte{1, 0, 0, 0, 3, 0, 0, 0}
}

func TestLabelsThatDoNotFitAreRefused(t *testing.T) {
	two := func() *pb.LabelsHead { return &pb.LabelsHead{Rows: 2} }
	detail := func(m *pb.LabelsRows) { m.Second, m.SecondDistance = make([]byte, 8), make([]byte, 8) }
	for name, parts := range map[string][]*pb.LabelsPart{
		"row numbers": {head(two()), rowsPart(nil)}, "texts": {head(two()), rowsPart(asTexts)}, "integers": {head(&pb.LabelsHead{Rows: 2, Integers: true}), rowsPart(nil)},
		"detail": {head(&pb.LabelsHead{Rows: 2, Detail: true}), rowsPart(detail)}, "two messages": {head(&pb.LabelsHead{Rows: 4}), rowsPart(asTexts), rowsPart(asTexts)},
		"no rows": {head(&pb.LabelsHead{})}, "the largest partition": {head(&pb.LabelsHead{Partition: math.MaxInt32})},
	} {
		if _, err := ReceiveLabels(&scripted{parts: parts}, "token"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	rows := func(spoil func(m *pb.LabelsRows)) []*pb.LabelsPart {
		return []*pb.LabelsPart{head(two()), rowsPart(spoil)}
	}
	texts := func(spoil func(m *pb.LabelsRows)) []*pb.LabelsPart {
		return rows(func(m *pb.LabelsRows) { asTexts(m); spoil(m) })
	}
	for name, parts := range map[string][]*pb.LabelsPart{
		"rows first":              {rowsPart(nil)},
		"a second head":           {head(two()), head(two())},
		"an empty part":           {head(two()), {}},
		"negative rows":           {head(&pb.LabelsHead{Rows: -1})},
		"a row over the most":     {head(&pb.LabelsHead{Rows: kmeans.MaxPoints + 1})},
		"a huge partition":        {head(&pb.LabelsHead{Partition: 1<<32 - 1, Rows: 2}), rowsPart(nil)},
		"too few":                 {head(&pb.LabelsHead{Rows: 3}), rowsPart(nil)},
		"too many":                {head(&pb.LabelsHead{Rows: 1}), rowsPart(nil)},
		"rows behind the last":    {head(two()), rowsPart(nil), rowsPart(nil)},
		"a message of none":       rows(func(m *pb.LabelsRows) { m.Rows = 0 }),
		"huge rows":               rows(func(m *pb.LabelsRows) { m.Rows = 1<<32 - 1 }),
		"a segment less":          rows(func(m *pb.LabelsRows) { m.Segment = m.Segment[:4] }),
		"a distance more":         rows(func(m *pb.LabelsRows) { m.Distance = append(m.Distance, 0, 0, 0, 0) }),
		"a negative segment":      rows(func(m *pb.LabelsRows) { copy(m.Segment[4:], "\xff\xff\xff\xff") }),
		"detail not announced":    rows(detail),
		"detail announced":        {head(&pb.LabelsHead{Rows: 2, Detail: true}), rowsPart(nil)},
		"a second below none":     {head(&pb.LabelsHead{Rows: 2, Detail: true}), rowsPart(func(m *pb.LabelsRows) { detail(m); m.Second = []byte{254, 255, 255, 255, 0, 0, 0, 0} })},
		"an id less":              rows(func(m *pb.LabelsRows) { m.Integers = m.Integers[:8] }),
		"half an id":              rows(func(m *pb.LabelsRows) { m.Integers = m.Integers[:12] }),
		"ids of two kinds":        rows(func(m *pb.LabelsRows) { m.Text = []byte("x") }),
		"no ids":                  rows(func(m *pb.LabelsRows) { m.Integers = nil }),
		"row numbers that repeat": rows(func(m *pb.LabelsRows) { m.Integers = encodeInts([]int64{3, 3}) }),
		"a negative row number":   rows(func(m *pb.LabelsRows) { m.Integers = encodeInts([]int64{-1, 3}) }),
		"texts for integers":      {head(&pb.LabelsHead{Rows: 2, Integers: true}), rowsPart(asTexts)},
		"texts, then numbers":     {head(&pb.LabelsHead{Rows: 4}), rowsPart(asTexts), rowsPart(nil)},
		"numbers, then texts":     {head(&pb.LabelsHead{Rows: 4}), rowsPart(nil), rowsPart(asTexts)},
		"an end less":             texts(func(m *pb.LabelsRows) { m.Ends = m.Ends[:4] }),
		"an end behind":           texts(func(m *pb.LabelsRows) { m.Ends[4] = 4 }),
		"ends that descend":       texts(func(m *pb.LabelsRows) { m.Ends[0] = 4 }),
		"text of nobody":          texts(func(m *pb.LabelsRows) { m.Ends[4] = 2 }),
	} {
		want := codes.InvalidArgument
		if name == "rows first" {
			want = codes.PermissionDenied
		}
		if l, err := ReceiveLabels(&scripted{parts: parts}, "token"); status.Code(err) != want {
			t.Errorf("%s: got %+v, %v, want %v", name, l, err, want)
		}
	}
	if _, err := ReceiveLabels(&scripted{}, "token"); err == nil {
		t.Error("nothing at all was accepted")
	}
	if _, err := ReceiveLabels(&scripted{parts: []*pb.LabelsPart{head(two()), rowsPart(nil)}}, "another"); status.Code(err) != codes.PermissionDenied {
		t.Errorf("another token: got %v", err)
	}
}

func FuzzLabelsAreRightOrRefused(f *testing.F) {
	add := func(h *pb.LabelsHead, part *pb.LabelsPart) {
		first, err1 := proto.Marshal(h)
		second, err2 := proto.Marshal(part.GetRows())
		if err := errors.Join(err1, err2); err != nil {
			f.Fatal(err)
		}
		f.Add(first, second)
	}
	add(&pb.LabelsHead{Rows: 2}, rowsPart(nil))
	add(&pb.LabelsHead{Rows: 2, Integers: true}, rowsPart(nil))
	add(&pb.LabelsHead{Rows: 4, Detail: true}, rowsPart(asTexts))
	add(&pb.LabelsHead{Rows: kmeans.MaxPoints}, rowsPart(asTexts))
	f.Fuzz(func(t *testing.T, first, second []byte) {
		h, m := new(pb.LabelsHead), new(pb.LabelsRows)
		if proto.Unmarshal(first, h) != nil || proto.Unmarshal(second, m) != nil {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := newLabelReceiver(h)
		for err == nil && r.labels.Rows < r.want {
			if err = r.add(m); r.labels.Rows > 100_000 {
				break
			}
		}
		runtime.ReadMemStats(&after)
		came := 1
		if r != nil {
			came += r.labels.Rows
		}
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(256*came+16*(len(first)+len(second))+16*r.bytes()+64<<10); got > most {
			t.Fatalf("%d rows made %d bytes, more than %d", came, got, most)
		}
		if err != nil || r.labels.Rows < r.want {
			return
		}
		l, err := r.done()
		if err != nil || l.Rows != len(l.Segment) || l.Rows != len(l.Distance) || l.IDs != nil && l.IDs.Len() != l.Rows || l.IDs == nil && len(l.RowNumbers) != l.Rows {
			t.Fatalf("accepted: %+v, %v", l, err)
		}
		if _, err := (LabelTable{RowNumbers: l.IDs == nil, Detail: h.Detail}).Batch(l); err != nil {
			t.Fatalf("accepted, but cannot be written: %v", err)
		}
	})
}

// bytes is the text that has come.
func (r *labelReceiver) bytes() int {
	if r == nil {
		return 0
	}
	return r.text
}
