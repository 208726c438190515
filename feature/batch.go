package feature

import (
	"fmt"
	"math"
)

// Batch is a run of rows, column-major. It is read, never written, and not kept.
type Batch struct {
	Rows int
	// Numeric and Numeric32 hold the Spec's numeric columns, each Rows long; NaN is a missing value. Column j is
	// in exactly one of them: where Numeric32[j] is nil or Numeric32 is shorter, it is Numeric[j].
	Numeric   [][]float64
	Numeric32 [][]float32
	Text      []TextColumn // the Spec's categorical columns
	Skip      []bool       // Rows long: rows that do not count; nil: all count
}

// TextColumn gives the texts of a categorical column. Two texts are the same level if their bytes are equal.
type TextColumn struct {
	At      func(i int) []byte // the text of row i, valid until the next call; not asked for where it is missing
	Missing func(i int) bool   // nil: nothing is missing
}

// missing tells whether row i has no text.
func (c *TextColumn) missing(i int) bool { return c.Missing != nil && c.Missing(i) }

// float32s is column j where it is held in float32, else nil.
func (b *Batch) float32s(j int) []float32 {
	if j < len(b.Numeric32) {
		return b.Numeric32[j]
	}
	return nil
}

// at is the number in row i of numeric column j.
func (b *Batch) at(j, i int) float64 {
	if x := b.float32s(j); x != nil {
		return float64(x[i])
	}
	return b.Numeric[j][i]
}

// match panics where the shape of the Batch is not that of the columns: a mistake in the program, not in the data.
func (b *Batch) match(numeric, categorical int) {
	for j := range numeric {
		rows := len(b.float32s(j))
		if b.float32s(j) == nil && j < len(b.Numeric) {
			rows = len(b.Numeric[j])
		}
		if rows < b.Rows {
			panic(fmt.Sprintf("feature: numeric column %d has %d rows, want %d", j, rows, b.Rows))
		}
	}
	if len(b.Text) < categorical {
		panic(fmt.Sprintf("feature: %d text columns, want %d", len(b.Text), categorical))
	}
	if b.Skip != nil && len(b.Skip) < b.Rows {
		panic(fmt.Sprintf("feature: Skip has %d rows, want %d", len(b.Skip), b.Rows))
	}
}

const (
	sign64 = 1 << 63
	sign32 = 1 << 31
)

// load widens rows first, first+1, … of numeric column j into dst. It is false if any of them is NaN, infinite or
// of more than MaxMagnitude. Adding what lacks to the sign bit and or-ing the results costs less than a comparison,
// and nothing depends on the value before.
func (b *Batch) load(dst []float64, j, first int) bool {
	if x := b.float32s(j); x != nil {
		const lack = sign32 - 0x7f800000
		x = x[first : first+len(dst)]
		var top uint32
		for i, v := range x {
			dst[i] = float64(v)
			top |= math.Float32bits(v)&^sign32 + lack
		}
		return top&sign32 == 0
	}
	lack := sign64 - math.Float64bits(MaxMagnitude) - 1
	x := b.Numeric[j][first : first+len(dst)]
	var top uint64
	for i, v := range x {
		dst[i] = v
		top |= math.Float64bits(v)&^sign64 + lack
	}
	return top&sign64 == 0
}

// usable tells whether x is a number that the transforms take.
func usable(x float64) bool { return math.Abs(x) <= MaxMagnitude }

// rowMask is the rows that do not count: those that the Batch skips and, where missing is Drop, those with a
// missing value. Nil: all rows count. dropped counts the latter. scratch may be used for the answer.
func (b *Batch) rowMask(missing Missing, numeric, categorical int, scratch []bool) (mask []bool, dropped int64) {
	if missing != Drop {
		return b.Skip, 0
	}
	if cap(scratch) < b.Rows {
		scratch = make([]bool, b.Rows)
	}
	mask = scratch[:b.Rows]
	clear(mask)
	for j := range numeric {
		b.markMissing(mask, j)
	}
	for c := range categorical {
		if text := &b.Text[c]; text.Missing != nil {
			for i := range mask {
				mask[i] = mask[i] || text.Missing(i)
			}
		}
	}
	for i := range mask {
		skip := b.Skip != nil && b.Skip[i]
		if mask[i] && !skip {
			dropped++
		}
		mask[i] = mask[i] || skip
	}
	if dropped == 0 && b.Skip == nil {
		return nil, 0
	}
	return mask, dropped
}

// markMissing sets mask where numeric column j has no value.
func (b *Batch) markMissing(mask []bool, j int) {
	if x := b.float32s(j); x != nil {
		for i, v := range x[:len(mask)] {
			if v != v {
				mask[i] = true
			}
		}
		return
	}
	for i, v := range b.Numeric[j][:len(mask)] {
		if v != v {
			mask[i] = true
		}
	}
}

// columns is what both a Spec and a Transform know of the input, as far as finding a bad value goes.
type columns struct {
	numeric     []string
	categorical []string
	logs        []bool
	missing     Missing
}

// diagnose finds the first bad value of a Batch of which it is known that there is one: the first row, and in it
// the first column. Slow, and only walked on the way to an error.
func (c *columns) diagnose(b *Batch, mask []bool) error {
	for i := range b.Rows {
		if mask != nil && mask[i] {
			continue
		}
		for j, name := range c.numeric {
			if err := c.badNumber(b.at(j, i), c.logs[j]); err != nil {
				err.Row, err.Column = i, name
				return err
			}
		}
		for j, name := range c.categorical {
			if c.missing == Fail && b.Text[j].missing(i) {
				return &ValueError{Row: i, Column: name, Value: math.NaN(), Reason: reasonMissing, Remedy: remedyMissing}
			}
		}
	}
	return nil
}

// badNumber is why x cannot be used, or nil.
func (c *columns) badNumber(x float64, log bool) *ValueError {
	switch {
	case math.IsNaN(x) && c.missing != Fail:
		return nil
	case math.IsNaN(x):
		return &ValueError{Value: x, Reason: reasonMissing, Remedy: remedyMissing}
	case math.IsInf(x, 0):
		return &ValueError{Value: x, Reason: reasonInfinite, Remedy: remedyInfinite}
	case !usable(x):
		return &ValueError{Value: x, Reason: reasonTooLarge, Remedy: remedyTooLarge}
	case log && x <= -1:
		return &ValueError{Value: x, Reason: reasonLog1p, Remedy: remedyLog1p}
	}
	return nil
}
