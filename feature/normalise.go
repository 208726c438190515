package feature

import (
	"math"

	"github.com/coterie-project/coterie/internal/exact"
)

// NormalisedStatistics are the exact means and extremes of the output columns after rows were brought to length 1. They
// can be merged in any order. One is for one goroutine at a time.
type NormalisedStatistics struct {
	t       *Transform
	rows    int64
	columns []exact.Moments // of the d outputs
}

// NormalisedStatistics are empty statistics for the second pass.
func (t *Transform) NormalisedStatistics() *NormalisedStatistics {
	return &NormalisedStatistics{t: t, columns: make([]exact.Moments, t.Width())}
}

// Add takes the rows of a Batch in. The error is a *ValueError for the first bad value or row of zeros.
func (n *NormalisedStatistics) Add(b *Batch) error {
	p := newPass(n.t, b)
	return p.walkRows(func(v [][]float64, lo int) {
		mask := maskFrom(p.mask, lo, len(v[0]))
		for i, x := range v {
			if mask != nil {
				x, _, _ = compact(x, mask)
			}
			n.columns[i].AddSlice(x)
		}
	})
}

// Merge takes in the statistics of other rows; o is not changed.
func (n *NormalisedStatistics) Merge(o *NormalisedStatistics) {
	if len(n.columns) != len(o.columns) {
		panic("feature: merging NormalisedStatistics of different Transforms")
	}
	for i := range n.columns {
		n.columns[i].Merge(&o.columns[i])
	}
}

// FinishNormalised sets shifts and grids from the statistics of the normalised rows. The error is a *ValueError where
// there were no rows.
func (t *Transform) FinishNormalised(n *NormalisedStatistics) error {
	if len(n.columns) != t.Width() {
		panic("feature: NormalisedStatistics of another Transform")
	}
	if len(n.columns) == 0 || n.columns[0].N == 0 {
		return &ValueError{Row: NoRow, Value: math.NaN(), Reason: reasonNoRows}
	}
	i := 0
	t.eachGrid(func(g *Grid) {
		m := &n.columns[i]
		*g = gridFor(t.Scale, m.Min, m.Mean(), m.Max)
		i++
	})
	t.Pending = false
	return nil
}

// normalise brings rows to length 1; v are the columns. It is the first row of zeros, or −1. Rows that do not count are
// left as they come.
func normalise(v [][]float64, mask []bool) int {
	squares := make([]float64, len(v[0]))
	for _, x := range v {
		for i, a := range x {
			squares[i] += float64(a * a)
		}
	}
	for i, s := range squares {
		skip := mask != nil && mask[i]
		if !skip && !ordinary(s) {
			row := make([]float64, len(v))
			for j := range v {
				row[j] = v[j][i]
			}
			if !normaliseRow(row) {
				return i
			}
			for j := range v {
				v[j][i] = row[j]
			}
			s = 1 // nothing is left to be done
		}
		squares[i] = math.Sqrt(s)
	}
	for _, x := range v {
		for i, length := range squares {
			x[i] /= length
		}
	}
	return -1
}

// ordinary tells whether a sum of squares has neither overflowed nor lost bits to underflow.
func ordinary(s float64) bool { return s > 0x1p-900 && s < 0x1p1000 }

// normaliseRow brings one row to length 1. Where squares would leave the range of float64 the row is first multiplied by
// a power of two, which changes no bit of a direction. It is false for a row of zeros.
func normaliseRow(row []float64) bool {
	length := func() (s float64) {
		for _, a := range row {
			s += float64(a * a)
		}
		return s
	}
	s := length()
	if !ordinary(s) {
		var most float64
		for _, a := range row {
			most = max(most, math.Abs(a))
		}
		if most == 0 {
			return false
		}
		_, e := math.Frexp(most)
		for i, a := range row {
			row[i] = math.Ldexp(a, -e)
		}
		s = length()
	}
	s = math.Sqrt(s)
	for i := range row {
		row[i] /= s
	}
	return true
}
