package worker

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
)

// measured is a Source of an id and two columns of float32s. It counts the features that it gives.
type measured struct {
	people
	columns [2][]float32
	given   int
}

func measuredOf(rows int, spoil map[int]float32) *measured {
	s := &measured{}
	r := rand.New(rand.NewPCG(1, 7))
	for i := range rows {
		s.ids = append(s.ids, fmt.Sprint(i+1))
		s.columns[0] = append(s.columns[0], float32(1e6+r.NormFloat64()))
		s.columns[1] = append(s.columns[1], float32(r.IntN(5)))
	}
	for row, v := range spoil {
		s.columns[0][row] = v
	}
	return s
}

func (s *measured) Schema() *dataset.Schema {
	return &dataset.Schema{Columns: []dataset.Column{{Name: "id", Kind: dataset.Text}, {Name: "x", Float32: true}, {Name: "y", Float32: true}}}
}
func (s *measured) Locate(r int64) fault.Place { return fault.Place{File: "measured", Row: r} }
func (s *measured) Read(_ context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	return &measuredReader{s, first, first + rows, fields}, nil
}

type measuredReader struct {
	s        *measured
	at, stop int64
	fields   []dataset.Field
}

func (r *measuredReader) Close() error { return nil }
func (r *measuredReader) Next() (*dataset.Block, error) {
	if r.at == r.stop {
		return nil, io.EOF
	}
	n := min(7, r.stop-r.at)
	b := &dataset.Block{First: r.at, Rows: int(n)}
	for _, f := range r.fields {
		if f.Column > 0 {
			r.s.given++
			b.Columns = append(b.Columns, dataset.Vector{Float32: slices.Clone(r.s.columns[f.Column-1][r.at : r.at+n])})
			continue
		}
		text := dataset.Strings{Offsets: []int{0}}
		for _, id := range r.s.ids[r.at : r.at+n] {
			text.Data = append(text.Data, id...)
			text.Offsets = append(text.Offsets, len(text.Data))
		}
		b.Columns = append(b.Columns, dataset.Vector{Text: text})
	}
	r.at += n
	return b, nil
}

// loadedRows is what a fit knows of its rows once they are loaded.
type loadedRows struct {
	Fault   string
	Intake  wire.Intake
	Bad     []wire.BadRow
	Digests map[int]uint64
	IDs     []wire.IDSummary
	Points  [][]float32
	Numbers []int64
	Kept    []string // ids
	given   int
}

// loadWith reads all partitions for statistics, and loads them, with so much room for what waits.
func loadWith(t *testing.T, s *measured, raw int64, in *wire.Input, keepIDs bool) (loadedRows, *Engine) {
	t.Helper()
	m := cutAt(40, 33, 1, 50)
	s.given = 0
	e, err := NewEngine(Config{Source: s, Manifest: m, Threads: 1, Raw: raw})
	if err != nil {
		t.Fatal(err)
	}
	all := []int{0, 1, 2, 3}
	p, err := e.Do(t.Context(), &wire.Task{Epoch: 1, Round: 1, Kind: wire.Statistics, Input: in, Partitions: all})
	if err != nil || p.Fault != nil {
		t.Fatal(err, p.Fault)
	}
	transform, err := feature.Fit(in.Spec, p.Statistics, feature.NewQuantileSearch(in.Spec, p.Statistics))
	if err != nil {
		t.Fatal(err)
	}
	p, err = e.Do(t.Context(), &wire.Task{Epoch: 1, Round: 2, Kind: wire.Load, Input: in, Transform: transform, K: 3, KeepIDs: keepIDs, Partitions: all})
	if err != nil {
		t.Fatal(err)
	}
	got := loadedRows{Intake: p.Intake, Bad: p.Bad, Digests: p.Digests, IDs: p.IDs, given: s.given}
	if p.Fault != nil {
		got.Fault = p.Fault.Err.Error()
		return got, e
	}
	list, err := e.holdings(all)
	if err != nil {
		t.Fatal(err)
	}
	for _, h := range list {
		for i := range h.points.Rows() {
			got.Points = append(got.Points, h.points.At(i, make([]float32, h.points.Columns())))
			got.Numbers = append(got.Numbers, h.points.RowNumber(i))
			if h.ids != nil {
				got.Kept = append(got.Kept, string(h.ids.AppendTo(nil, i)))
			}
		}
	}
	return got, e
}

func TestRowsThatHaveWaitedBecomeWhatReadingThemAgainGives(t *testing.T) {
	nan, inf := float32(math.NaN()), float32(math.Inf(1))
	for name, c := range map[string]struct {
		spoil map[int]float32
		in    wire.Input
		once  bool // no feature is read twice
	}{
		"plain":            {once: true},
		"with ids":         {in: wire.Input{ID: "id"}, once: true},
		"without a shift":  {in: wire.Input{Spec: &feature.Spec{Scale: feature.None}}, once: true},
		"logarithms":       {in: wire.Input{Spec: &feature.Spec{Log1p: []string{"y"}}}, once: true},
		"from 0 to 1":      {in: wire.Input{Spec: &feature.Spec{Scale: feature.MinMax}}, once: true},
		"missing, filled":  {spoil: map[int]float32{3: nan, 80: nan}, in: wire.Input{Spec: &feature.Spec{Missing: feature.Mean}}},
		"missing, told":    {spoil: map[int]float32{3: nan, 80: nan}, in: wire.Input{Spec: &feature.Spec{Missing: feature.Indicator}}},
		"missing, dropped": {spoil: map[int]float32{3: nan, 80: nan}, in: wire.Input{ID: "id", Spec: &feature.Spec{Missing: feature.Drop}}},
		"set aside":        {spoil: map[int]float32{3: inf, 80: inf}, in: wire.Input{ID: "id", BadRows: wire.BadRowsQuarantine}},
		"weighted":         {in: wire.Input{Spec: &feature.Spec{Missing: feature.Drop}, Weight: "y"}},
		"too large":        {spoil: map[int]float32{70: 3e38}, in: wire.Input{Spec: &feature.Spec{Scale: feature.None}}},
		"too large, aside": {spoil: map[int]float32{70: 3e38}, in: wire.Input{Spec: &feature.Spec{Scale: feature.None}, BadRows: wire.BadRowsQuarantine}},
	} {
		in := c.in
		spec := feature.Spec{}
		if in.Spec != nil {
			spec = *in.Spec
		}
		spec.Numeric = []string{"x", "y"}
		if spec.Scale == "" {
			spec.Scale = feature.Standard
		}
		if spec.Missing == "" {
			spec.Missing = feature.Fail
		}
		in.Spec = &spec
		if in.BadRows == "" {
			in.BadRows = wire.BadRowsFail
		}
		in.Duplicates = wire.DuplicatesFail
		s := measuredOf(124, c.spoil)
		want, _ := loadWith(t, s, 0, &in, true)
		for _, room := range []int64{1, 4 * 2 * 41, math.MaxInt64} { // none, one partition, all
			got, e := loadWith(t, s, room, &in, true)
			if diff := cmp.Diff(want, got, cmp.AllowUnexported(wire.Intake{}), cmp.FilterPath(func(p cmp.Path) bool { return p.Last().String() == ".given" }, cmp.Ignore())); diff != "" {
				t.Errorf("%s, room for %d bytes (-read again +waited):\n%s", name, room, diff)
			}
			if c.once && room == math.MaxInt64 && got.given*2 != want.given {
				t.Errorf("%s: %d blocks of features were read, want half of %d", name, got.given, want.given)
			}
			if got.Fault == "" && (len(e.raw.rooms) > 0 || e.raw.bytes != 0) {
				t.Errorf("%s: %d partitions of %d bytes still wait", name, len(e.raw.rooms), e.raw.bytes)
			}
		}
	}
}

func TestWhatWaitsIsBoundedAndForgotten(t *testing.T) {
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x", "y"}, Scale: feature.Standard, Missing: feature.Fail}}
	statistics := &wire.Task{Epoch: 1, Round: 1, Kind: wire.Statistics, Input: in, Partitions: []int{0, 1, 2, 3}}
	const bytes = 4 * 2 // a row
	for _, c := range []struct {
		name string
		raw  int64
		then wire.Task
		wait []int // afterwards
	}{
		{"no room", 0, *statistics, nil},
		{"a byte too little", bytes*40 - 1, *statistics, []int{1, 2}},
		{"just one", bytes * 40, *statistics, []int{0}},
		{"asked for twice", bytes * 124, *statistics, []int{0, 1, 2, 3}},
		{"quantiles come between", math.MaxInt64, wire.Task{Kind: wire.Quantiles}, []int{0, 1, 2, 3}},
		{"others load some", math.MaxInt64, wire.Task{Kind: wire.Load, Partitions: []int{1}}, []int{}},
		{"a round that loads nothing", math.MaxInt64, wire.Task{Kind: wire.Farthest}, nil},
	} {
		e, err := NewEngine(Config{Source: measuredOf(124, nil), Manifest: cutAt(40, 33, 1, 50), Threads: 1, Raw: c.raw})
		if err != nil {
			t.Fatal(err)
		}
		p, err := e.Do(t.Context(), statistics)
		if err != nil {
			t.Fatal(err)
		}
		c.then.Epoch, c.then.Round = 1, 2
		if c.then.Kind == wire.Load {
			c.then.Input, c.then.K = in, 1
			if c.then.Transform, err = feature.Fit(in.Spec, p.Statistics, nil); err != nil {
				t.Fatal(err)
			}
		}
		if c.then.Input == nil {
			e.forgetRaw(&c.then)
		} else if _, err = e.Do(t.Context(), &c.then); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		var wait []int
		rows := int64(0)
		for id, room := range e.raw.rooms {
			wait = append(wait, id)
			rows += int64(room.Rows())
		}
		if slices.Sort(wait); !slices.Equal(wait, c.wait) || e.raw.bytes != rows*bytes || e.raw.bytes > c.raw {
			t.Errorf("%s: partitions %v wait in %d bytes, want %v in %d", c.name, wait, e.raw.bytes, c.wait, rows*bytes)
		}
	}
}
