package remote

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// wall is a table of numbers and texts whose readings a test holds in its hand.
type wall struct {
	rows   int64
	next   func(ctx context.Context, row int64) (*dataset.Block, error) // nil: one row at a time
	opened chan struct{}                                                // told of each reading, if not nil
	closed chan struct{}
}

func (w *wall) Schema() *dataset.Schema {
	return &dataset.Schema{Columns: []dataset.Column{{Name: "number"}, {Name: "text", Kind: dataset.Text}}}
}
func (w *wall) Rows() int64     { return w.rows }
func (w *wall) Cuts() []int64   { return []int64{0} }
func (w *wall) Bytes() int64    { return 0 }
func (w *wall) Names() []string { return []string{"wall"} }
func (w *wall) Close() error    { return nil }
func (w *wall) Locate(row int64) fault.Place {
	return fault.Place{File: "wall", Line: row + 2, Row: row}
}

func (w *wall) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if w.opened != nil {
		w.opened <- struct{}{}
	}
	return &wallReader{w: w, ctx: ctx, row: first, end: first + rows, fields: fields}, nil
}

type wallReader struct {
	w        *wall
	ctx      context.Context
	row, end int64
	fields   []dataset.Field
}

func (r *wallReader) Next() (*dataset.Block, error) {
	if r.row == r.end {
		return nil, io.EOF
	}
	row := r.row
	r.row++
	if r.w.next != nil {
		return r.w.next(r.ctx, row)
	}
	return numbers(row, 1), nil
}

func (r *wallReader) Close() error {
	if r.w.closed != nil {
		r.w.closed <- struct{}{}
	}
	return nil
}

func numbers(first int64, rows int) *dataset.Block {
	return &dataset.Block{First: first, Rows: rows, Columns: []dataset.Vector{{Float64: make([]float64, rows)}}}
}

var number, words = []dataset.Field{{Column: 0}}, []dataset.Field{{Column: 1, As: dataset.AsText}}

func TestARequestWithAnotherTokenIsRefused(t *testing.T) {
	for own, given := range map[string][]string{"token": {"", "toke", "tokens", "TOKEN"}, "": {"", "x"}} {
		conn, _ := connect(t, Serve(&wall{rows: 3}, own))
		client := pb.NewSubmitterClient(conn)
		for _, token := range given {
			stream, err := client.Read(t.Context(), &pb.ReadRequest{Job: token, Rows: 1, Fields: fieldMessages(number)})
			if err == nil {
				_, err = stream.Recv()
			}
			_, errLocate := client.Locate(t.Context(), &pb.LocateRequest{Job: token})
			if status.Code(err) != codes.PermissionDenied || status.Code(errLocate) != codes.PermissionDenied || strings.Contains(err.Error(), "token") {
				t.Errorf("token %q for %q: got %v and %v, want PermissionDenied", token, own, err, errLocate)
			}
		}
	}
	conn, _ := connect(t, Serve(&wall{rows: 3}, "token"))
	s, err := Dial(conn, "another", Describe(&wall{rows: 3}, nil))
	if err != nil {
		t.Fatal(err)
	}
	if got := read(s, 0, 1, number); !strings.Contains(got.Err, "refused what this worker asked for: the job is unknown here") {
		t.Errorf("got %q", got.Err)
	}
}

func TestARequestForWhatIsNotThereIsRefused(t *testing.T) {
	conn, _ := connect(t, Serve(&wall{rows: 3}, "token"))
	client := pb.NewSubmitterClient(conn)
	many := make([]*pb.Field, maxFields+1)
	for i := range many {
		many[i] = &pb.Field{}
	}
	for name, r := range map[string]*pb.ReadRequest{
		"a row too many":      {First: 1, Rows: 3},
		"a start behind":      {First: 4, Rows: 0},
		"a negative start":    {First: -1, Rows: 1},
		"negative rows":       {First: 1, Rows: -1},
		"rows that overflow":  {First: 3, Rows: 1<<63 - 1},
		"no such column":      {Rows: 1, Fields: []*pb.Field{{Column: 2}}},
		"a huge column":       {Rows: 1, Fields: []*pb.Field{{Column: 1<<32 - 1}}},
		"no such form":        {Rows: 1, Fields: []*pb.Field{{As: 4}}},
		"a column too many":   {Rows: 1, Fields: many},
		"the last row is one": {First: 2, Rows: 1, Fields: many[:maxFields]},
	} {
		r.Job = "token"
		stream, err := client.Read(t.Context(), r)
		if err == nil {
			_, err = stream.Recv()
		}
		want := codes.InvalidArgument
		if name == "the last row is one" {
			want = codes.OK
			err = nil // the wall answers with one column, whatever is asked; what counts is that it answers
		}
		if status.Code(err) != want {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
	for _, row := range []int64{-1, 3} {
		if _, err := client.Locate(t.Context(), &pb.LocateRequest{Job: "token", Row: row}); status.Code(err) != codes.InvalidArgument {
			t.Errorf("row %d: got %v", row, err)
		}
	}
	s, err := Dial(conn, "token", Describe(&wall{rows: 3}, nil))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		first, rows int64
		field       dataset.Field
	}{{first: 1, rows: 3}, {first: -1, rows: 1}, {rows: 1, field: dataset.Field{Column: 2}}, {rows: 1, field: dataset.Field{Column: -1}}, {rows: 1, field: dataset.Field{As: -1}}} {
		if _, err := s.Read(t.Context(), c.first, c.rows, []dataset.Field{c.field}); fault.Code(err) != int(fault.Failed) {
			t.Errorf("%+v: got %v", c, err)
		}
	}
}

func TestABrokenConnectionNamesTheSubmitterAndSaysWhatToDo(t *testing.T) {
	w := &wall{rows: 1 << 40}
	conn, server := connect(t, Serve(w, "token"))
	s, err := Dial(conn, "token", Describe(w, nil))
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), 0, w.rows, number)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	server.Stop()
	for err == nil {
		_, err = r.Next()
	}
	later := read(s, 0, 1, number)
	for _, got := range []string{err.Error(), later.Err} {
		for _, want := range []string{"the process that submitted the job has gone or cannot be reached from this worker", "submitter:7001", "submit the job again"} {
			if !strings.Contains(got, want) || fault.Code(err) != int(fault.Failed) {
				t.Errorf("got %q, want %q", got, want)
			}
		}
	}
	if got := s.Locate(7); got != (fault.Place{Row: 7}) {
		t.Errorf("row 7 is at %+v, want its number alone", got)
	}
}

func TestAReadingEndsWithItsContextAndClosesTheOtherSide(t *testing.T) {
	hang := func(ctx context.Context, _ int64) (*dataset.Block, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for name, end := range map[string]func(cancel context.CancelFunc, r dataset.Reader) error{
		"cancelled": func(cancel context.CancelFunc, r dataset.Reader) error { cancel(); _, err := r.Next(); return err },
		"closed":    func(_ context.CancelFunc, r dataset.Reader) error { r.Close(); return context.Canceled },
	} {
		w := &wall{rows: 9, next: hang, opened: make(chan struct{}, 1), closed: make(chan struct{})}
		s := overNetwork(t, w)
		ctx, cancel := context.WithCancel(t.Context())
		r, err := s.Read(ctx, 0, 9, number)
		if err != nil {
			t.Fatal(err)
		}
		<-w.opened
		if err := end(cancel, r); !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got %v", name, err)
		}
		<-w.closed
		r.Close()
		if _, err := r.Next(); err == nil {
			t.Errorf("%s: a closed reader goes on", name)
		}
		cancel()
	}
}

func TestMoreReadingsThanTurnsWaitForOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		w := &wall{rows: 1, opened: make(chan struct{}, 2*readsAtOnce), next: func(ctx context.Context, row int64) (*dataset.Block, error) {
			<-release
			return numbers(row, 1), nil
		}}
		server := Serve(w, "token")
		errs := make(chan error, readsAtOnce+1)
		for range readsAtOnce + 1 {
			go func() {
				errs <- server.Read(&pb.ReadRequest{Job: "token", Rows: 1, Fields: fieldMessages(number)}, &sink{ctx: t.Context()})
			}()
		}
		synctest.Wait()
		if len(w.opened) != readsAtOnce {
			t.Errorf("%d readings are open, want %d", len(w.opened), readsAtOnce)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if err := server.Read(&pb.ReadRequest{Job: "token", Rows: 1}, &sink{ctx: gone}); status.Code(err) != codes.Canceled {
			t.Errorf("who has gone while waiting: got %v", err)
		}
		close(release)
		for range readsAtOnce + 1 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
}

// sink is the server's end of a stream without a network.
type sink struct {
	grpc.ServerStream
	ctx  context.Context
	sent []*pb.Block
}

func (s *sink) Context() context.Context { return s.ctx }
func (s *sink) Send(b *pb.Block) error   { s.sent = append(s.sent, b); return nil }

// deaf is a submitter that never answers.
type deaf struct {
	pb.UnimplementedSubmitterServer
}

func (deaf) Locate(ctx context.Context, _ *pb.LocateRequest) (*pb.Place, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAMessageDoesNotWaitLongForTheNameOfAPlace(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		conn, server := connect(t, deaf{})
		s, err := Dial(conn, "token", Describe(&wall{rows: 9}, nil))
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		if got := s.Locate(7); got != (fault.Place{Row: 7}) {
			t.Errorf("got %+v", got)
		}
		if waited := time.Since(begin); waited != locateWait {
			t.Errorf("waited %v, want %v", waited, locateWait)
		}
		conn.Close()
		server.Stop()
	})
}

func TestWhatTheSourceSaysArrivesAsItIs(t *testing.T) {
	changed := fault.Inputf(fault.Place{File: "a.csv", Line: 3, Row: 1, Column: "age"}, "changed while it was read").Do("leave it alone")
	caused := *changed
	caused.Err = io.ErrUnexpectedEOF
	for want, err := range map[string]error{
		"a.csv: line 3, column age: changed while it was read (leave it alone)":                 changed,
		"a.csv: line 3, column age: changed while it was read: unexpected EOF (leave it alone)": &caused,
	} {
		s := overNetwork(t, &wall{rows: 9, next: func(_ context.Context, row int64) (*dataset.Block, error) {
			if row == 3 {
				return nil, err
			}
			return numbers(row, 1), nil
		}})
		r, errRead := s.Read(t.Context(), 0, 9, number)
		if errRead != nil {
			t.Fatal(errRead)
		}
		defer r.Close()
		for range 3 {
			if _, err := r.Next(); err != nil {
				t.Fatal(err)
			}
		}
		if _, err := r.Next(); err == nil || err.Error() != want || fault.Code(err) != int(fault.Input) {
			t.Errorf("got %v of code %d, want %s", err, fault.Code(err), want)
		}
	}
}

func TestErrorsKeepTheirKindOnTheWay(t *testing.T) {
	for kind, want := range map[fault.Kind]fault.Kind{fault.Failed: fault.Failed, fault.Usage: fault.Usage, fault.Input: fault.Input, fault.Gate: fault.Gate,
		fault.Unavailable: fault.Unavailable, fault.Interrupted: fault.Failed, 0: fault.Failed, 77: fault.Failed, -1: fault.Failed} {
		err := Fault(t.Context(), Status(&fault.Error{Kind: kind, Problem: "is \xff wrong " + strings.Repeat("x", 2*maxText)}), "")
		var e *fault.Error
		if !errors.As(err, &e) || e.Kind != want || !strings.HasPrefix(e.Problem, "is ") || !strings.Contains(e.Problem, " wrong x") || len(e.Problem) > 1<<16 {
			t.Errorf("kind %d: got %v", kind, err)
		}
	}
	if Status(nil) != nil || Fault(t.Context(), nil, "") != nil {
		t.Error("no error became one")
	}
	for err, want := range map[error]codes.Code{context.Canceled: codes.Canceled, context.DeadlineExceeded: codes.DeadlineExceeded, io.EOF: codes.FailedPrecondition,
		status.Error(codes.NotFound, "x"): codes.NotFound} {
		if got := status.Code(Status(err)); got != want {
			t.Errorf("%v: got %v, want %v", err, got, want)
		}
	}
}

// textBlock is one row of a text, perhaps bad.
func textBlock(row int64, text string, bad ...dataset.BadRow) *dataset.Block {
	v := dataset.Vector{Text: dataset.Strings{Data: []byte(text), Offsets: []int{0, len(text)}}}
	return &dataset.Block{First: row, Rows: 1, Columns: []dataset.Vector{v}, Bad: bad}
}

func TestARowThatFitsNoMessageIsRefusedWithItsPlace(t *testing.T) {
	empty := proto.Size(message(textBlock(0, strings.Repeat("x", MaxMessage)), 0, 1, nil)) - MaxMessage
	for length, refused := range map[int]bool{MaxMessage - empty: false, MaxMessage - empty + 1: true} {
		s := overNetwork(t, &wall{rows: 1, next: func(_ context.Context, row int64) (*dataset.Block, error) {
			return textBlock(row, strings.Repeat("x", length)), nil
		}})
		got := read(s, 0, 1, words)
		if want := "row 0: the row is too large to be sent to a worker: 4194305 bytes"; refused != strings.Contains(got.Err, want) || !refused && got.Rows != 1 {
			t.Errorf("%d bytes: got %d rows, %q", length, got.Rows, got.Err)
		}
	}
	bad := dataset.BadRow{Place: fault.Place{File: "a.csv", Line: 2}, Reason: "too few", Raw: "\xff" + strings.Repeat("r", 16<<20)}
	s := overNetwork(t, &wall{rows: 1, next: func(_ context.Context, row int64) (*dataset.Block, error) { return textBlock(row, "", bad), nil }})
	got := read(s, 0, 1, words)
	bad.Raw = bad.Raw[:maxRaw]
	if diff := cmp.Diff([]dataset.BadRow{bad}, got.Bad); diff != "" || got.Err != "" {
		t.Errorf("a long record: %s (-want +got):\n%s", got.Err, diff)
	}
}

func TestBlocksAreCutIntoMessagesOfModerateSize(t *testing.T) {
	const rows, width = dataset.BlockRows, 300
	b := &dataset.Block{First: 5, Rows: rows, Columns: make([]dataset.Vector, 2)}
	b.Columns[0].Float64 = make([]float64, rows)
	text := &b.Columns[1].Text
	text.Offsets = []int{0}
	for i := range rows {
		text.Data = append(text.Data, strings.Repeat("x", i%(2*width))...)
		text.Offsets = append(text.Offsets, len(text.Data))
		if i%3 == 0 {
			b.Bad = append(b.Bad, dataset.BadRow{Index: i, Reason: "bad", Raw: strings.Repeat("r", i%100)})
		}
	}
	seen, bad, messages := 0, 0, 0
	fields := []dataset.Field{{Column: 0}, {Column: 4, As: dataset.AsText}}
	d := newDecoder(5, rows, fields, schemaOfAll)
	err := eachMessage(b, func(m *pb.Block) error {
		got, err := d.decode(m)
		if err != nil {
			return err
		}
		for i := range got.Rows {
			if want, have := cell(&b.Columns[1], seen+i), cell(&got.Columns[1], i); want != have {
				t.Fatalf("row %d: got %s, want %s", seen+i, have, want)
			}
		}
		for i, have := range got.Bad {
			if want := b.Bad[bad+i]; have.Index+seen != want.Index || have.Raw != want.Raw {
				t.Fatalf("bad row %d: got %+v, want %+v", bad+i, have, want)
			}
		}
		if size := proto.Size(m); size > messageBytes+columnBytes*2 || int(m.First) != 5+seen {
			t.Errorf("a message of %d bytes from row %d on", size, m.First)
		}
		seen, bad, messages = seen+int(m.Rows), bad+len(m.Bad), messages+1
		return nil
	})
	if err != nil || seen != rows || bad != len(b.Bad) || messages < 3 || messages > 6 {
		t.Errorf("%d rows, %d bad, in %d messages, %v; want %d and %d in a few", seen, bad, messages, err, rows, len(b.Bad))
	}
}

// ends are those of texts.
func ends(list ...uint32) (data []byte) {
	for _, e := range list {
		data = binary.LittleEndian.AppendUint32(data, e)
	}
	return data
}

// schemaOfAll has one column of each way to come.
var schemaOfAll = &dataset.Schema{Columns: []dataset.Column{{Name: "d"}, {Name: "f", Float32: true}, {Name: "i", Integer: true}, {Name: "t", Kind: dataset.Time}, {Name: "s", Kind: dataset.Text}}}

var fieldsOfAll = []dataset.Field{{Column: 0}, {Column: 1}, {Column: 2, As: dataset.AsID}, {Column: 3, As: dataset.AsTime}, {Column: 4, As: dataset.AsText}}

// whole is a right answer of two rows from row 10 on.
func whole() *pb.Block {
	return &pb.Block{First: 10, Rows: 2, Columns: []*pb.Vector{
		{Kind: float64s, Float64S: make([]byte, 16)}, {Kind: float32s, Float32S: make([]byte, 8)}, {Kind: int64s, Int64S: make([]byte, 16), Missing: []byte{2}},
		{Kind: micros, Micros: make([]byte, 16)}, {Kind: texts, Text: []byte("abc"), Ends: ends(1, 3), Missing: []byte{0}},
	}, Bad: []*pb.BadCell{{Index: 0, Reason: "x"}, {Index: 1}}}
}

func TestAnAnswerThatDoesNotFitIsRefused(t *testing.T) {
	if _, err := newDecoder(10, 2, fieldsOfAll, schemaOfAll).decode(whole()); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(b *pb.Block){
		"another row":             func(b *pb.Block) { b.First = 11 },
		"an earlier row":          func(b *pb.Block) { b.First = 9 },
		"no rows":                 func(b *pb.Block) { b.Rows = 0 },
		"a row too many":          func(b *pb.Block) { b.Rows = 3 },
		"huge rows":               func(b *pb.Block) { b.Rows = 1<<32 - 1 },
		"a column less":           func(b *pb.Block) { b.Columns = b.Columns[:4] },
		"a column more":           func(b *pb.Block) { b.Columns = append(b.Columns, b.Columns[0]) },
		"another kind":            func(b *pb.Block) { b.Columns[0], b.Columns[1] = b.Columns[1], b.Columns[0] },
		"no kind":                 func(b *pb.Block) { b.Columns[0].Kind = 0 },
		"a kind too many":         func(b *pb.Block) { b.Columns[0].Kind = 6 },
		"two kinds":               func(b *pb.Block) { b.Columns[0].Int64S = make([]byte, 16) },
		"a short number":          func(b *pb.Block) { b.Columns[0].Float64S = make([]byte, 15) },
		"a number more":           func(b *pb.Block) { b.Columns[1].Float32S = make([]byte, 12) },
		"an id less":              func(b *pb.Block) { b.Columns[2].Int64S = make([]byte, 8) },
		"text beside numbers":     func(b *pb.Block) { b.Columns[0].Text = []byte("x") },
		"ends beside numbers":     func(b *pb.Block) { b.Columns[0].Ends = ends(0) },
		"missing beside numbers":  func(b *pb.Block) { b.Columns[0].Missing = []byte{1} },
		"an end less":             func(b *pb.Block) { b.Columns[4].Ends = ends(3) },
		"an end behind the text":  func(b *pb.Block) { b.Columns[4].Ends = ends(1, 4) },
		"a huge end":              func(b *pb.Block) { b.Columns[4].Ends = ends(1<<32-1, 3) },
		"ends that descend":       func(b *pb.Block) { b.Columns[4].Ends = ends(3, 1) },
		"text that is nobody's":   func(b *pb.Block) { b.Columns[4].Ends = ends(1, 2) },
		"missing bits too many":   func(b *pb.Block) { b.Columns[2].Missing = []byte{0, 0} },
		"a missing row too many":  func(b *pb.Block) { b.Columns[2].Missing = []byte{4} },
		"a bad row that is not":   func(b *pb.Block) { b.Bad[1].Index = 2 },
		"a huge bad row":          func(b *pb.Block) { b.Bad[1].Index = 1<<32 - 1 },
		"a bad row twice":         func(b *pb.Block) { b.Bad[1].Index = 0 },
		"more bad rows than rows": func(b *pb.Block) { b.Bad = append(b.Bad, &pb.BadCell{Index: 2}) },
	} {
		b := whole()
		spoil(b)
		if got, err := newDecoder(10, 2, fieldsOfAll, schemaOfAll).decode(b); err == nil {
			t.Errorf("%s: accepted as %+v", name, got)
		}
	}
	three := &pb.Vector{Kind: texts, Text: []byte("abc"), Ends: ends(3, 1, 3)}
	if err := (&column{kind: texts}).decode(three, 3); err == nil {
		t.Error("ends that descend and rise again were accepted")
	}
	b := whole()
	b.Rows = dataset.BlockRows + 1
	b.Columns, b.Bad = nil, nil
	if _, err := newDecoder(10, 1<<20, nil, schemaOfAll).decode(b); err == nil {
		t.Error("a block of too many rows was accepted")
	}
	b.Rows--
	if _, err := newDecoder(10, 1<<20, nil, schemaOfAll).decode(b); err != nil {
		t.Error(err)
	}
}

// liar sends what it is told to.
type liar struct {
	pb.UnimplementedSubmitterServer
	blocks []*pb.Block
}

func (l liar) Read(_ *pb.ReadRequest, stream pb.Submitter_ReadServer) error {
	for _, b := range l.blocks {
		if err := stream.Send(b); err != nil {
			return err
		}
	}
	return nil
}

func TestAnAnswerOfOtherRowsThanAskedForIsRefused(t *testing.T) {
	one := func(first int64) *pb.Block { return message(numbers(first, 1), 0, 1, nil) }
	for name, blocks := range map[string][]*pb.Block{
		"nothing": {}, "a row less": {one(0)}, "a row twice": {one(0), one(0)}, "a gap": {one(0), one(2)}, "a row more": {one(0), one(1), one(2)},
	} {
		conn, _ := connect(t, liar{blocks: blocks})
		s, err := Dial(conn, "token", Describe(&wall{rows: 9}, nil))
		if err != nil {
			t.Fatal(err)
		}
		if got := read(s, 0, 2, number); !strings.Contains(got.Err, "sent rows that do not fit what was asked for") {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestADescriptionOfNoTableIsRefused(t *testing.T) {
	right := func() *pb.Description {
		return &pb.Description{Columns: []*pb.ColumnInfo{{Name: "a", Float32: true}, {Name: "b", Kind: 1}}, Rows: 9, Cuts: []int64{0, 4}}
	}
	if _, err := Schema(right()); err != nil {
		t.Fatal(err)
	}
	wide := &pb.Description{Names: []string{"w.npy"}}
	for i := range maxColumns {
		wide.Columns = append(wide.Columns, &pb.ColumnInfo{Name: string(rune(0x10000 + i))})
	}
	if _, err := Schema(wide); err != nil {
		t.Error(err)
	}
	wide.Columns = append(wide.Columns, &pb.ColumnInfo{Name: "one more"})
	if _, err := Schema(wide); fault.Code(err) != int(fault.Input) || !strings.Contains(err.Error(), "w.npy: has 65537 columns") {
		t.Errorf("a table that is too wide: got %v", err)
	}
	for name, spoil := range map[string]func(d *pb.Description){
		"a name twice":    func(d *pb.Description) { d.Columns[1].Name = "a" },
		"a kind too many": func(d *pb.Description) { d.Columns[1].Kind = 4 },
		"a huge kind":     func(d *pb.Description) { d.Columns[1].Kind = 1<<32 - 1 },
		"float32 text":    func(d *pb.Description) { d.Columns[1].Float32 = true },
		"integer floats":  func(d *pb.Description) { d.Columns[0].Integer = true },
		"no columns":      func(d *pb.Description) { d.Columns = nil },
		"negative rows":   func(d *pb.Description) { d.Rows, d.Cuts = -1, nil },
		"negative bytes":  func(d *pb.Description) { d.Bytes = -1 },
		"no first cut":    func(d *pb.Description) { d.Cuts[0] = 1 },
		"a cut twice":     func(d *pb.Description) { d.Cuts[1] = 0 },
		"a cut behind":    func(d *pb.Description) { d.Cuts[1] = 9 },
		"nothing at all":  func(d *pb.Description) { proto.Reset(d) },
	} {
		d := right()
		spoil(d)
		if _, err := Schema(d); fault.Code(err) != int(fault.Failed) {
			t.Errorf("%s: got %v", name, err)
		}
		if _, err := Dial(nil, "token", d); err == nil {
			t.Errorf("%s: dialled", name)
		}
	}
}

func FuzzAnswersAreRightOrRefused(f *testing.F) {
	data, err := proto.Marshal(whole())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Add([]byte{})
	f.Add([]byte("\x08\x0a\x10\x02"))
	f.Fuzz(func(t *testing.T, data []byte) {
		m := new(pb.Block)
		if proto.Unmarshal(data, m) != nil {
			return
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d := newDecoder(10, 100, fieldsOfAll, schemaOfAll)
		b, err := d.decode(m)
		runtime.ReadMemStats(&after)
		if got, most := after.TotalAlloc-before.TotalAlloc, uint64(16*len(data)+64<<10); got > most {
			t.Fatalf("%d bytes made %d, more than %d", len(data), got, most)
		}
		if err != nil {
			return
		}
		again := message(b, 0, b.Rows, b.Bad)
		b, err = newDecoder(10, 100, fieldsOfAll, schemaOfAll).decode(again)
		if err != nil {
			t.Fatalf("what was accepted is refused when it is sent on: %v", err)
		}
		if !proto.Equal(message(b, 0, b.Rows, b.Bad), again) {
			t.Fatal("what was accepted is another when it is sent on")
		}
	})
}

func FuzzDescriptionsAreRightOrRefused(f *testing.F) {
	data, err := proto.Marshal(Describe(&wall{rows: 9}, []*pb.Pin{{Path: "/x"}}))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 1<<20, 256, func() {
			d := new(pb.Description)
			if proto.Unmarshal(data, d) != nil {
				return
			}
			s, err := Dial(nil, "token", d)
			if err != nil {
				return
			}
			cuts := s.Cuts()
			for i, c := range s.Schema().Columns {
				if s.Schema().Index(c.Name) != i {
					t.Fatalf("column %d of %v is not the one of its name", i, s.Schema())
				}
			}
			if s.Rows() < 0 || len(cuts) == 0 || cuts[0] != 0 || len(PinsOf(d.Pins)) != len(d.Pins) {
				t.Fatalf("%d rows, cuts %v", s.Rows(), cuts)
			}
		})
	})
}
