package feature

import (
	"encoding/json"
	"errors"
	"math"
	"testing"
)

var nan = math.NaN()

// texts is a TextColumn of strings, in which "∅" is missing.
func texts(values ...string) TextColumn {
	return TextColumn{
		At:      func(i int) []byte { return []byte(values[i]) },
		Missing: func(i int) bool { return values[i] == "∅" },
	}
}

// fitted fits a Transform over batches, with statistics, counts and second pass of each batch gathered apart and merged
// backwards.
func fitted(spec *Spec, batches ...*Batch) (*Transform, error) {
	total := NewStatistics(spec)
	for i := range batches {
		s := NewStatistics(spec)
		if err := s.Add(batches[len(batches)-1-i]); err != nil {
			return nil, err
		}
		total.Merge(s)
	}
	search := NewQuantileSearch(spec, total)
	for search != nil && !search.Done() {
		counts := search.Open()
		for i := range batches {
			c := search.Open()
			if err := c.Add(batches[len(batches)-1-i]); err != nil {
				return nil, err
			}
			counts.Merge(c)
		}
		if err := search.Close(counts); err != nil {
			return nil, err
		}
	}
	t, err := Fit(spec, total, search)
	if err != nil {
		return nil, err
	}
	if t.NeedsSecondPass() {
		all := t.NormalisedStatistics()
		for i := range batches {
			n := t.NormalisedStatistics()
			if err := n.Add(batches[len(batches)-1-i]); err != nil {
				return nil, err
			}
			all.Merge(n)
		}
		if err := t.FinishNormalised(all); err != nil {
			return nil, err
		}
	}
	return t, t.Validate()
}

// mustFit is fitted where nothing can fail.
func mustFit(tb testing.TB, spec *Spec, batches ...*Batch) *Transform {
	tb.Helper()
	t, err := fitted(spec, batches...)
	if err != nil {
		tb.Fatalf("fit: %v", err)
	}
	return t
}

// applied makes Points, as columns.
func applied(tb testing.TB, t *Transform, b *Batch) (points [][]float32, keep []bool, a Applied) {
	tb.Helper()
	points, keep = outColumns(t, b.Rows), make([]bool, b.Rows)
	a, err := t.Apply(b, points, keep)
	if err != nil {
		tb.Fatalf("apply: %v", err)
	}
	return points, keep, a
}

func outColumns(t *Transform, rows int) [][]float32 {
	out := make([][]float32, t.Width())
	for i := range out {
		out[i] = make([]float32, rows)
	}
	return out
}

// row is Point i of column-major points.
func row(points [][]float32, i int) []float32 {
	p := make([]float32, len(points))
	for j := range p {
		p[j] = points[j][i]
	}
	return p
}

func asJSON(tb testing.TB, t *Transform) string {
	tb.Helper()
	data, err := json.Marshal(t)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

// wantValueError holds that err is a *ValueError at that place.
func wantValueError(t *testing.T, err error, row int, column, reason string) {
	t.Helper()
	var got *ValueError
	if !errors.As(err, &got) {
		t.Fatalf("got error %v, want a *ValueError for row %d, column %s: %s", err, row, column, reason)
	}
	if got.Row != row || got.Column != column || got.Reason != reason {
		t.Errorf("got row %d, column %q, reason %q, want row %d, column %q, reason %q",
			got.Row, got.Column, got.Reason, row, column, reason)
	}
	if got.Error() == "" {
		t.Error("got an empty message")
	}
}

// split cuts a Batch in two at row cut.
func split(b *Batch, cut int) []*Batch {
	part := func(lo, hi int) *Batch {
		p := &Batch{Rows: hi - lo}
		for _, x := range b.Numeric {
			if x == nil {
				p.Numeric = append(p.Numeric, nil)
				continue
			}
			p.Numeric = append(p.Numeric, x[lo:hi])
		}
		for _, x := range b.Numeric32 {
			if x == nil {
				p.Numeric32 = append(p.Numeric32, nil)
				continue
			}
			p.Numeric32 = append(p.Numeric32, x[lo:hi])
		}
		for _, c := range b.Text {
			p.Text = append(p.Text, TextColumn{
				At:      func(i int) []byte { return c.At(lo + i) },
				Missing: func(i int) bool { return c.missing(lo + i) },
			})
		}
		if b.Skip != nil {
			p.Skip = b.Skip[lo:hi]
		}
		return p
	}
	return []*Batch{part(0, cut), part(cut, b.Rows)}
}
