package feature

import (
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
)

// Applied counts what Apply met on its way.
type Applied struct {
	Unseen  []int64 // for each categorical column: texts that were no level at the fit, all zeros now; nil: none
	Imputed int64   // missing values for which something else stands
	Dropped int64   // rows left out because a value is missing
}

// Add takes in the counts of other rows.
func (a *Applied) Add(o Applied) {
	for c, n := range o.Unseen {
		a.unseen(c, len(o.Unseen), n)
	}
	a.Imputed += o.Imputed
	a.Dropped += o.Dropped
}

func (a *Applied) unseen(c, of int, n int64) {
	if a.Unseen == nil {
		a.Unseen = make([]int64, of)
	}
	a.Unseen[c] += n
}

// applyRows is how many rows are walked at a time without normalisation, and applyValues how many values with it:
// what is between two steps stays in the caches.
const (
	applyRows   = 512
	applyValues = 1 << 14
)

// pass is one walk of a Transform over the rows of a Batch.
type pass struct {
	t       *Transform
	b       *Batch
	mask    []bool // rows that do not count; nil: all do
	grids   []Grid
	weights []float64
	limit   uint32 // bits of the largest coordinate
	applied Applied
	codes   []int32
	worst   *ValueError // the first coordinate beyond the limit
}

// Apply makes Points of the rows of a Batch. out holds d columns (d is Width), each at least b.Rows long. keep[i] is set
// for each row, and false where it does not count because it was to be skipped or is dropped; there the Point is zero.
// keep may be nil if no row can be dropped. The error is a *ValueError for the first bad value of the Batch; what out
// then holds is of no use. The Transform must not be waiting for its second pass.
func (t *Transform) Apply(b *Batch, out [][]float32, keep []bool) (Applied, error) {
	if t.Pending {
		return Applied{}, &SpecError{Field: "normalize", Value: "cosine", Reason: "the second pass over the rows has not been made",
			Remedy: remedyAllLoaded}
	}
	p := newPass(t, b)
	if len(out) < len(p.grids) {
		panic(fmt.Sprintf("feature: %d output columns, want %d", len(out), len(p.grids)))
	}
	if t.Missing == Drop && keep == nil {
		panic("feature: Apply needs keep where rows can be dropped")
	}
	if keep != nil {
		keep = keep[:b.Rows]
		for i := range keep {
			keep[i] = p.mask == nil || !p.mask[i]
		}
	}
	var err error
	if t.Normalize {
		err = p.walkRows(func(v [][]float64, lo int) {
			for i := range v {
				p.place(out[i], i, v[i], lo)
			}
		})
	} else {
		err = p.walkColumns(out)
	}
	return p.applied, err
}

func newPass(t *Transform, b *Batch) *pass {
	b.match(len(t.Numeric), len(t.Categorical))
	p := &pass{t: t, b: b, grids: t.Grids(), weights: t.Weights()}
	p.limit = math.Float32bits(Limit(len(p.grids)))
	p.mask, p.applied.Dropped = b.rowMask(t.Missing, len(t.Numeric), len(t.Categorical), nil)
	p.codes = make([]int32, applyRows)
	return p
}

// walkColumns makes Points of rows that are not normalised, column by column.
func (p *pass) walkColumns(out [][]float32) error {
	var block [applyRows]float64
	for lo := 0; lo < p.b.Rows; lo += applyRows {
		v := block[:min(applyRows, p.b.Rows-lo)]
		for j := range p.t.Numeric {
			if p.scaled(out[j], j, lo, len(v)) {
				continue
			}
			if !p.numbers(v, j, lo) {
				return p.bad()
			}
			p.place(out[j], j, v, lo)
		}
		err := p.shares(lo, len(v), func(first, levels int, codes []int32) {
			for k := range levels {
				p.fill(out[first+k], first+k, lo, len(codes))
			}
			for i, code := range codes {
				if code >= 0 {
					column := first + int(code)
					g := &p.grids[column]
					out[column][lo+i] = exact.ToGrid(p.weights[column], g.Shift, g.Exponent)
				}
			}
		})
		if err != nil {
			return err
		}
		if p.worst != nil {
			return p.worst
		}
	}
	return nil
}

// scaled makes Points of rows lo … lo+n−1 of a numeric column that is only scaled. It is false for other columns, and where a
// value is missing or too large; out then holds anything.
func (p *pass) scaled(out []float32, j, lo, n int) bool {
	if p.mask != nil || !p.t.Numeric[j].onlyScaled() {
		return false
	}
	s := p.t.Numeric[j].scaling()
	if x := p.b.float32s(j); x != nil {
		return s.Apply(out[lo:lo+n], x[lo:lo+n]) <= p.limit
	}
	x := p.b.Numeric[j][lo : lo+n]
	least, greatest, finite := exact.Extremes(x)
	return finite && -least <= MaxMagnitude && greatest <= MaxMagnitude && s.ApplyWide(out[lo:lo+n], x) <= p.limit
}

// fill sets n rows of a column of shares to 0, and to a Point of zeros where the row does not count.
func (p *pass) fill(out []float32, column, lo, n int) {
	zero := exact.ToGrid(0, p.grids[column].Shift, p.grids[column].Exponent)
	out = out[lo : lo+n]
	for i := range out {
		out[i] = zero
	}
	p.clearMasked(out, lo)
}

func (p *pass) clearMasked(out []float32, lo int) {
	if p.mask == nil {
		return
	}
	for i, skip := range p.mask[lo : lo+len(out)] {
		if skip {
			out[i] = 0
		}
	}
}

// walkRows walks rows that are normalised, some at a time: visit is given the d columns of float64s for rows lo,
// lo+1, ….
func (p *pass) walkRows(visit func(v [][]float64, lo int)) error {
	d := len(p.grids)
	rows := min(max(16, applyValues/d), applyRows)
	store, v := make([]float64, rows*d), make([][]float64, d)
	for lo := 0; lo < p.b.Rows; lo += rows {
		n := min(rows, p.b.Rows-lo)
		for i := range v {
			v[i] = store[i*rows : i*rows+n]
		}
		for j := range p.t.Numeric {
			if !p.numbers(v[j], j, lo) {
				return p.bad()
			}
		}
		err := p.shares(lo, n, func(first, levels int, codes []int32) {
			for k := range levels {
				clear(v[first+k])
			}
			for i, code := range codes {
				if code >= 0 {
					v[first+int(code)][i] = p.weights[first+int(code)]
				}
			}
		})
		if err != nil {
			return err
		}
		if at := normalise(v, maskFrom(p.mask, lo, n)); at >= 0 {
			return &ValueError{Row: lo + at, Value: math.NaN(), Reason: reasonZeroRow, Remedy: remedyZeroRow}
		}
		visit(v, lo)
		if p.worst != nil {
			return p.worst
		}
	}
	return nil
}

// bad is the first bad value of the Batch.
func (p *pass) bad() error { return p.t.columns().diagnose(p.b, p.mask) }

// numbers leads rows lo, lo+1, … of numeric column j through filling in, log1p, scaling and weight. It is false where there is
// a bad value. Rows that do not count hold anything.
func (p *pass) numbers(v []float64, j, lo int) bool {
	c := &p.t.Numeric[j]
	if usable := p.b.load(v, j, lo); !usable || p.mask != nil {
		if !p.repair(v, c, lo) {
			return false
		}
	}
	if c.Log1p {
		for _, x := range v {
			if x <= -1 {
				return false
			}
		}
	}
	c.scale(v)
	return true
}

// repair fills in missing values, and puts 0 where a row does not count. It is false for a value that cannot be used.
func (p *pass) repair(v []float64, c *NumericColumn, lo int) bool {
	for i, x := range v {
		switch {
		case p.mask != nil && p.mask[lo+i]:
			v[i] = 0
		case math.IsNaN(x):
			if c.Fill == nil {
				return false
			}
			v[i] = *c.Fill
			p.applied.Imputed++
		case !usable(x):
			return false
		}
	}
	return true
}

// place rounds the values of an output column to its grid, and looks whether they are within the limit.
func (p *pass) place(out []float32, column int, v []float64, lo int) {
	out = out[lo : lo+len(v)]
	exact.ToGridSlice(out, v, p.grids[column].Shift, p.grids[column].Exponent)
	p.clearMasked(out, lo)
	lack := sign32 - 1 - p.limit
	var top uint32
	for _, x := range out {
		top |= math.Float32bits(x)&^sign32 + lack
	}
	if top&sign32 != 0 {
		p.tooLarge(out, column, lo)
	}
}

// tooLarge notes the first row of an output column beyond the limit.
func (p *pass) tooLarge(out []float32, column, lo int) {
	for i, x := range out {
		if math.Float32bits(x)&^sign32 <= p.limit {
			continue
		}
		if p.worst == nil || lo+i < p.worst.Row {
			p.worst = &ValueError{Row: lo + i, Column: p.t.Outputs()[column], Value: 1, Reason: reasonTooLarge, Remedy: remedyTooLarge}
			if column < len(p.t.Numeric) {
				p.worst.Value = p.b.at(column, lo+i)
			}
		}
		return
	}
}

// shares finds the levels of rows lo … lo+n−1: emit is told for each indicator and each categorical column its first
// output column, the number of its columns, and for each row which of them is 1, or −1 for none.
func (p *pass) shares(lo, n int, emit func(first, levels int, codes []int32)) error {
	first, codes := len(p.t.Numeric), p.codes[:n]
	for j := range p.t.Numeric {
		if p.t.Numeric[j].Indicator == nil {
			continue
		}
		for i := range codes {
			codes[i] = -1
			if x := p.b.at(j, lo+i); x != x && (p.mask == nil || !p.mask[lo+i]) {
				codes[i] = 0
			}
		}
		emit(first, 1, codes)
		first++
	}
	for c := range p.t.Categorical {
		for i := range codes {
			codes[i] = -1
			if p.mask != nil && p.mask[lo+i] {
				continue
			}
			code, ok := p.level(c, lo+i)
			if !ok {
				return p.bad()
			}
			codes[i] = code
		}
		width := p.t.Categorical[c].width()
		emit(first, width, codes)
		first += width
	}
	return nil
}

// level is the position of row i's text among the levels of categorical column c, or −1; ok is false where it is
// missing and must not be.
func (p *pass) level(c, i int) (code int32, ok bool) {
	column, text := &p.t.Categorical[c], &p.b.Text[c]
	if text.missing(i) {
		if p.t.Missing == Fail {
			return 0, false
		}
		p.applied.Imputed++
		switch {
		case column.Missing != nil:
			return int32(len(column.Levels)), true
		case p.t.Missing == Indicator:
			return column.find([]byte(missingLevel)), true
		}
		return -1, true
	}
	code = column.find(text.At(i))
	if code < 0 {
		p.applied.unseen(c, len(p.t.Categorical), 1)
	}
	return code, true
}

// find is the position of a text among the levels, or −1; a text that was folded is found where FoldedLevel is.
func (c *CategoricalColumn) find(text []byte) int32 {
	if at := c.findLevel(text); at >= 0 || len(c.Folded) == 0 {
		return at
	}
	// This one makes a copy, and only of texts that are rare or unknown.
	if _, folded := slices.BinarySearch(c.Folded, string(text)); folded {
		return c.findLevel([]byte(FoldedLevel))
	}
	return -1
}

// Find is the position of a text among the levels, where a text that was folded is found at FoldedLevel; −1: it is unseen.
func (c *CategoricalColumn) Find(text string) int { return int(c.find([]byte(text))) }

// findLevel is the position of a level, or −1. Comparing with string(text) makes no copy.
func (c *CategoricalColumn) findLevel(text []byte) int32 {
	low, high := 0, len(c.Levels)
	for low < high {
		middle := int(uint(low+high) >> 1)
		if c.Levels[middle].Value < string(text) {
			low = middle + 1
		} else {
			high = middle
		}
	}
	if low < len(c.Levels) && c.Levels[low].Value == string(text) {
		return int32(low)
	}
	return -1
}
