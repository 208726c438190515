package moves

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// line is a row of a made table.
type line struct {
	id string
	x  float64 // segment or value
}

// made is a table in memory. Its Blocks hold few rows, and reading can start at every second, or at forty places.
type made struct {
	name    string
	lines   []line
	integer bool // the ids' column holds integers
	block   int
	bad     int // row that cannot be read; -1: none
}

func tableOf(name string, lines []line) *made {
	return &made{name: name, lines: lines, block: 3, bad: -1}
}

func (m *made) Schema() *dataset.Schema {
	return &dataset.Schema{Columns: []dataset.Column{{Name: "id", Integer: m.integer}, {Name: "segment"}}}
}
func (m *made) Rows() int64 { return int64(len(m.lines)) }
func (m *made) Cuts() []int64 {
	cuts := []int64{0}
	step := max(2, len(m.lines)/40)
	for at := step; at < len(m.lines); at += step {
		cuts = append(cuts, int64(at))
	}
	return cuts
}
func (m *made) Locate(row int64) fault.Place { return fault.Place{File: m.name, Row: row} }
func (m *made) Bytes() int64                 { return 0 }
func (m *made) Names() []string              { return []string{m.name} }
func (m *made) Close() error                 { return nil }
func (m *made) Read(_ context.Context, first, rows int64, _ []dataset.Field) (dataset.Reader, error) {
	return &madeReader{m, int(first), int(first + rows)}, nil
}

type madeReader struct {
	*made
	at, end int
}

func (r *madeReader) Next() (*dataset.Block, error) {
	if r.at == r.end {
		return nil, io.EOF
	}
	rows := min(r.block, r.end-r.at)
	b := &dataset.Block{First: int64(r.at), Rows: rows, Columns: make([]dataset.Vector, 2)}
	id, x := &b.Columns[0], &b.Columns[1]
	if !r.integer {
		id.Text.Offsets = []int{0}
	}
	for i, l := range r.lines[r.at : r.at+rows] {
		if r.integer {
			v, err := strconv.ParseInt(l.id, 10, 64)
			if err != nil {
				return nil, err
			}
			id.Int64 = append(id.Int64, v)
		} else {
			id.Text.Data = append(id.Text.Data, l.id...)
			id.Text.Offsets = append(id.Text.Offsets, len(id.Text.Data))
		}
		x.Float64 = append(x.Float64, l.x)
		if r.at+i == r.bad {
			b.Bad = append(b.Bad, dataset.BadRow{Index: i, Place: r.Locate(int64(r.bad)), Reason: "too short"})
		}
	}
	r.at += rows
	return b, nil
}

func labels(s dataset.Source) *Labels { return &Labels{Source: s, ID: 0, Segment: 1} }

// drawTable draws rows of different ids, a part of them integers.
func drawTable(t *rapid.T, name string, most int) *made {
	spell := rapid.SampledFrom([]string{"%d", "%d", "%d", "c%d", "0%d"})
	ids := rapid.SliceOfNDistinct(rapid.Custom(func(t *rapid.T) string {
		return fmt.Sprintf(spell.Draw(t, "spelling"), rapid.IntRange(1, 12).Draw(t, "id"))
	}), 1, 30, rapid.ID[string]).Draw(t, name)
	m := tableOf(name, nil)
	m.integer = true
	for _, id := range ids {
		_, plain := dataset.PlainInteger([]byte(id))
		m.integer = m.integer && plain
		m.lines = append(m.lines, line{id, float64(rapid.IntRange(0, most).Draw(t, "x"))})
	}
	m.block = rapid.IntRange(1, 9).Draw(t, "block")
	return m
}

func index(m *made) map[string]float64 {
	byID := make(map[string]float64)
	for _, l := range m.lines {
		byID[l.id] = l.x
	}
	return byID
}

// finish does what Join does. fromTheEnd reads the last piece first, each as another thread would.
func finish(ctx context.Context, j *join, fromTheEnd bool) error {
	if !fromTheEnd {
		if err := j.read(ctx); err != nil {
			return err
		}
	} else {
		list := j.pieces()
		slices.Reverse(list)
		for _, p := range list {
			s := newScatterer(j)
			j.workers = append(j.workers, s)
			if err := j.readPiece(ctx, s, p); err != nil {
				return err
			}
		}
	}
	if err := j.prepare(); err != nil {
		return err
	}
	return j.matchAll(ctx)
}

func TestJoinCountsWhatMapsCount(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to, values := drawTable(t, "old", 4), drawTable(t, "new", 3), drawTable(t, "values", 5)
		if rapid.Bool().Draw(t, "a value is missing") {
			values.lines[0].x = math.NaN()
		}
		old, now, worth := index(from), index(to), index(values)
		threads := rapid.IntRange(1, 4).Draw(t, "threads")
		j := newJoin(labels(from), labels(to), &Values{values, 0, 1}, Options{Threads: threads, Movers: true})
		j.shift, j.buckets, j.piece = 61, 8, 5 // more than so few rows would have
		if err := finish(t.Context(), j, rapid.Bool().Draw(t, "from the end")); err != nil {
			t.Fatal(err)
		}
		want := &Joined{From: j.out.From, To: j.out.To, Matrix: make([]int64, len(j.out.Matrix)), Arrived: make([]int64, j.out.To),
			Left: make([]int64, j.out.From), FromWorth: make([]Worth, j.out.From), ToWorth: make([]Worth, j.out.To)}
		add := func(id string, w *Worth) {
			if v, ok := worth[id]; ok && v == v {
				w.Sum.Add(v)
				w.N++
			}
		}
		moved := map[string][3]float64{}
		for id, a := range old {
			b, stayed := now[id]
			if stayed {
				want.Matrix[int(a)*want.To+int(b)]++
				if a != b {
					v, ok := worth[id]
					if !ok || v != v {
						v = -1
					}
					moved[id] = [3]float64{a, b, v}
				}
			} else {
				want.Left[int(a)]++
			}
			add(id, &want.FromWorth[int(a)])
		}
		for id, b := range now {
			if _, ok := old[id]; !ok {
				want.Arrived[int(b)]++
			}
			add(id, &want.ToWorth[int(b)])
		}
		got := j.out
		if !slices.Equal(got.Matrix, want.Matrix) || !slices.Equal(got.Arrived, want.Arrived) || !slices.Equal(got.Left, want.Left) {
			t.Fatalf("got %v, %v, %v; want %v, %v, %v", got.Matrix, got.Arrived, got.Left, want.Matrix, want.Arrived, want.Left)
		}
		for side, w := range [][2][]Worth{{got.FromWorth, want.FromWorth}, {got.ToWorth, want.ToWorth}} {
			for i := range w[0] {
				a, _ := w[0][i].Mean()
				b, _ := w[1][i].Mean()
				if a != b || w[0][i].N != w[1][i].N {
					t.Fatalf("side %d, segment %d: got %v of %d, want %v of %d", side, i, a, w[0][i].N, b, w[1][i].N)
				}
			}
		}
		checkMovers(t, got, moved, threads)
	})
}

// checkMovers holds the movers against id → from, to, value (−1: none).
func checkMovers(t *rapid.T, j *Joined, want map[string][3]float64, threads int) {
	o := &Order{Group: make([]int32, len(j.Matrix)), Rank: make([]int32, len(j.Matrix))}
	for cell := range o.Group {
		from, to := cell/j.To, cell%j.To
		o.Group[cell], o.Rank[cell] = int32(from%2), int32(to)
		if from == to {
			o.Group[cell] = -1
		}
	}
	m, err := j.Movers(t.Context(), o, threads)
	if err != nil || m.Len() != len(want) {
		t.Fatalf("got %d movers, %v; want %d", m.Len(), err, len(want))
	}
	type key struct {
		group   int32
		unknown int
		value   float64
		rank    int32
		text    int
		number  int64
		id      string
	}
	less := func(a, b key) bool { // by the fields in order, the value descending
		for _, c := range []int{int(a.group - b.group), a.unknown - b.unknown, int(b.value - a.value), int(a.rank - b.rank), a.text - b.text,
			int(a.number - b.number), strings.Compare(a.id, b.id)} {
			if c != 0 {
				return c < 0
			}
		}
		return false
	}
	var last key
	for i := range m.Len() {
		from, to, value := m.At(i)
		id := string(m.AppendID(nil, i))
		now := key{group: int32(from % 2), value: value, rank: int32(to), id: id}
		if value != value {
			now.unknown, now.value, value = 1, 0, -1
		}
		if v, plain := dataset.PlainInteger([]byte(id)); plain {
			now.number, now.id = v, ""
		} else {
			now.text = 1
		}
		if w := want[id]; w != [3]float64{float64(from), float64(to), value} {
			t.Fatalf("mover %s: got %d, %d, %v; want %v", id, from, to, value, w)
		}
		if i > 0 && !less(last, now) {
			t.Fatalf("mover %d: %+v comes after %+v", i, now, last)
		}
		last = now
	}
}

func TestMoversWhoAreEqualInAllElseComeByTheirIDs(t *testing.T) {
	from, to := tableOf("old", nil), tableOf("new", nil)
	var want []string
	for i := range 100 {
		want = append(want, strconv.Itoa(i-50))
	}
	for i := range 100 {
		want = append(want, fmt.Sprintf("c%03d", i))
	}
	for i := range want {
		id := want[i*77%len(want)]
		from.lines, to.lines = append(from.lines, line{id, 0}), append(to.lines, line{id, 1})
	}
	j, err := Join(t.Context(), labels(from), labels(to), nil, Options{Movers: true})
	if err != nil {
		t.Fatal(err)
	}
	m, err := j.Movers(t.Context(), &Order{Group: []int32{-1, 0}, Rank: []int32{0, 0}}, 2)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i := range m.Len() {
		got = append(got, string(m.AppendID(nil, i)))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestJoinSaysWhatIsWrong(t *testing.T) {
	good := []line{{"1", 0}, {"2", 1}, {"x3", 1}, {"4", 0}, {"5", 0}, {"6", 1}}
	with := func(row int, id string, x float64) []line {
		lines := slices.Clone(good)
		lines[row] = line{id, x}
		return lines
	}
	many := []line{{"x", 0}}
	for i := range 19 {
		many = append(many, line{strconv.Itoa(i), 0})
	}
	for _, c := range []struct {
		name         string
		old, now     []line
		bad          int
		segments     int
		want, column string
		row          int64
	}{
		{name: "the same id twice", old: good, now: with(4, "2", 0), want: `the id "2" stands here and in row 1`, column: "id", row: 4},
		{name: "the same text twice", old: with(5, "x3", 0), now: good, want: `the id "x3" stands here and in row 2`, column: "id", row: 5},
		{name: "of two errors, that of the first table", old: with(5, "1", 0), now: with(1, "1", 0), want: `the id "1" stands here and in row 0`, column: "id", row: 5},
		{name: "of three rows with one id, the first two", old: good, now: append(with(5, "2", 0), line{"2", 0}), want: "in row 1", column: "id", row: 5},
		{name: "of many, the first", old: append(slices.Clone(many), many...), now: good, want: `the id "x" stands here and in row 0`, column: "id", row: 20},
		{name: "no id", old: with(3, "", 0), now: good, want: "lacks the customer's id", column: "id", row: 3},
		{name: "no segment", old: good, now: with(3, "7", math.NaN()), want: "lacks a segment", column: "segment", row: 3},
		{name: "half a segment", old: good, now: with(3, "7", 0.5), want: "0.5 is not the number of a segment", column: "segment", row: 3},
		{name: "a negative segment", old: good, now: with(3, "7", -1), want: "-1 is not the number of a segment", column: "segment", row: 3},
		{name: "the first number that is too high", old: good, now: with(3, "7", MaxSegments), want: "is not the number of a segment, 0 to 65535", column: "segment", row: 3},
		{name: "a segment that the model has not", old: good, now: with(2, "7", 2), segments: 2, want: "the segment 2 is not one of the 2 that m.json has", column: "segment", row: 2},
		{name: "a row that cannot be read", old: good, now: good, bad: 4, want: "too short", row: 4},
		{name: "a bad label comes before a bad row", old: good, now: with(3, "7", -1), bad: 4, want: "-1 is not", column: "segment", row: 3},
	} {
		from, to := tableOf("old", c.old), tableOf("new", c.now)
		if c.bad > 0 {
			to.bad = c.bad
		}
		l := labels(to)
		if c.segments > 0 {
			l.Segments, l.Whose = c.segments, "m.json"
		}
		for threads := 1; threads < 4; threads++ {
			j := newJoin(labels(from), l, nil, Options{Threads: threads})
			j.piece, j.shift, j.buckets = 2, 61, 8
			err := finish(t.Context(), j, strings.Contains(c.want, "stands here") && threads == 3)
			var e *fault.Error
			if !errors.As(err, &e) || e.Kind != fault.Input || !strings.Contains(e.Problem, c.want) || e.Place.Column != c.column || e.Place.Row != c.row || e.Remedy == "" {
				t.Errorf("%s: got %v, want row %d, column %s: %s", c.name, err, c.row, c.column, c.want)
			}
		}
	}
}

func TestManyBucketsAndChunksCountAsOne(t *testing.T) {
	const n = 3 * bucketRows
	from, to := tableOf("old", nil), tableOf("new", nil)
	from.integer, from.block, to.block = true, dataset.BlockRows, dataset.BlockRows
	want := make([]int64, 7*5)
	for i := range n {
		from.lines = append(from.lines, line{strconv.Itoa(i), float64(i % 7)})
		id := n/3 + (i*5)%n // a third is new
		spelled := strconv.Itoa(id)
		if id%10 == 0 {
			spelled = "c" + spelled
		} else if id < n {
			want[id%7*5+id%5]++
		}
		to.lines = append(to.lines, line{spelled, float64(id % 5)})
	}
	for threads := 1; threads < 4; threads++ {
		j := newJoin(labels(from), labels(to), nil, Options{Threads: threads})
		if j.buckets < 4 {
			t.Fatalf("%d buckets", j.buckets)
		}
		got, err := Join(t.Context(), labels(from), labels(to), nil, Options{Threads: threads})
		if err != nil || !slices.Equal(got.Matrix, want) || got.IntegerIDs {
			t.Errorf("%d threads: got %v, %v; want %v", threads, got, err, want)
		}
	}
}

func TestARowTakesNoMoreMemoryThanIsSaid(t *testing.T) {
	const n = 12 * bucketRows
	tables := [sides]*made{}
	for side := range tables {
		m := tableOf("table", make([]line, n))
		m.integer, m.block = true, dataset.BlockRows
		for i := range m.lines {
			m.lines[i] = line{strconv.Itoa(i*7 + side), float64(i % 4)}
		}
		tables[side] = m
	}
	held := func() int64 {
		var now runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&now)
		return int64(now.HeapAlloc)
	}
	const workers = maxThreads
	j := newJoin(labels(tables[oldSide]), labels(tables[newSide]), &Values{tables[valueSide], 0, 1}, Options{Threads: workers + 1, Movers: true})
	if j.threads != workers {
		t.Errorf("%d threads, want %d", j.threads, workers)
	}
	j.piece = n / 40
	before := held()
	for range workers { // each reads its part of every table, as threads would at worst
		j.workers = append(j.workers, newScatterer(j))
	}
	for i, p := range j.pieces() {
		if err := j.readPiece(t.Context(), j.workers[i%workers], p); err != nil {
			t.Fatal(err)
		}
	}
	got := held() - before
	want := int64(n * (2*RowBytes + ValueBytes))
	if got > want {
		t.Errorf("the tables take %d bytes, %.1f for three rows, want at most %d", got, float64(got)/n, want)
	}
	if err := errors.Join(j.prepare(), j.matchAll(t.Context())); err != nil {
		t.Fatal(err)
	}
	if got, want := held()-before, int64(n*(MoverBytes+8)+1<<20); got > want {
		t.Errorf("joined they take %d bytes, want at most %d", got, want)
	}
	runtime.KeepAlive(j)
	runtime.KeepAlive(tables)
}

func TestTheMatrixHasABound(t *testing.T) {
	for _, c := range []struct {
		highest float64
		ok      bool
	}{{MaxCells/32 - 1, true}, {MaxCells / 32, false}} {
		from, to := tableOf("old", []line{{"1", 31}}), tableOf("new", []line{{"1", c.highest}})
		j, err := Join(t.Context(), labels(from), labels(to), nil, Options{})
		if (err == nil) != c.ok {
			t.Errorf("32 × %v segments: got %v", c.highest+1, err)
		}
		if err == nil && j.Matrix[len(j.Matrix)-1] != 1 {
			t.Error("the last cell is not counted")
		}
	}
}

// long says that it has more rows than it has; reading it is a failure.
type long struct {
	*made
	rows int64
}

func (l *long) Rows() int64   { return l.rows }
func (l *long) Cuts() []int64 { return []int64{0} }
func (l *long) Read(context.Context, int64, int64, []dataset.Field) (dataset.Reader, error) {
	return nil, errRead
}

var errRead = errors.New("read")

func TestATableHasABound(t *testing.T) {
	for _, c := range []struct {
		rows int64
		ok   bool
	}{{MaxRows, true}, {MaxRows + 1, false}} {
		_, err := Join(t.Context(), labels(&long{tableOf("old", nil), c.rows}), labels(tableOf("new", []line{{"1", 0}})), nil, Options{Threads: 1})
		if errors.Is(err, errRead) != c.ok {
			t.Errorf("%d rows: got %v", c.rows, err)
		}
	}
}

func TestACancelledJoinEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	j := newJoin(labels(tableOf("old", []line{{"1", 0}})), labels(tableOf("new", []line{{"1", 0}})), nil, Options{})
	if err := finish(t.Context(), j, false); err != nil {
		t.Fatal(err)
	}
	if err := j.matchAll(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestRowNumbersSegmentsAndTextShareAWord(t *testing.T) {
	for _, row := range []int64{0, 1, 1<<47 - 1} {
		for _, segment := range []int{0, 1, MaxSegments - 1} {
			for _, text := range []uint64{0, textBit} {
				e := entry{0, uint64(row)<<rowShift | text | uint64(segment)}
				got := fmt.Sprint(e.row(), e.segment(), e.text())
				if want := fmt.Sprint(row, segment, text != 0); cmp.Diff(want, got) != "" {
					t.Errorf("got %s, want %s", got, want)
				}
			}
		}
	}
}

func BenchmarkJoin(b *testing.B) {
	const n = 1 << 19
	from, to := tableOf("old", make([]line, n)), tableOf("new", make([]line, n))
	from.integer, to.integer, from.block, to.block = true, true, dataset.BlockRows, dataset.BlockRows
	for i := range n {
		from.lines[i] = line{strconv.Itoa(i), float64(i % 9)}
		to.lines[i] = line{strconv.Itoa(i*7919%n + n/20), float64(i % 10)}
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Join(b.Context(), labels(from), labels(to), nil, Options{Movers: true}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*n), "ns/row")
}
