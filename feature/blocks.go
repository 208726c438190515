package feature

import (
	"math"

	"github.com/coterie-project/coterie/internal/exact"
)

// blockValues is how many numbers of blocks are walked at a time, column by column: they stay in the first-level cache.
const blockValues = 1 << 13

// InPlace says whether the Points of rows lack nothing but scaling: their columns are the numeric ones, one by one, where no
// value is missing.
func (t *Transform) InPlace() bool {
	return !t.Pending && !t.Normalize && t.Width() == len(t.Numeric)
}

// ApplyBlocks makes Points of rows where they lie: blocks of exact.Lanes rows, each column by column, of the raw values of the
// numeric columns, all of them finite. They become what Apply makes of them. It is false where a value is too large for a Point or
// for its logarithm, without saying which; the blocks are then of no use, and Apply of the same rows names it. InPlace must hold.
func (t *Transform) ApplyBlocks(blocks []float32) bool {
	d := len(t.Numeric)
	if !t.InPlace() || len(blocks)%(d*exact.Lanes) != 0 {
		panic("feature: ApplyBlocks of rows that Apply does not only scale")
	}
	limit := math.Float32bits(Limit(d))
	step := max(1, blockValues/(d*exact.Lanes)) * d * exact.Lanes
	for len(blocks) > 0 {
		some := blocks[:min(step, len(blocks))]
		blocks = blocks[len(some):]
		for j := range t.Numeric {
			c := &t.Numeric[j]
			s := c.scaling()
			if !c.onlyScaled() {
				if !c.wideBlocks(some, j, d, limit) {
					return false
				}
			} else if s.ApplyBlocks(some, j, d) > limit {
				return false
			}
		}
	}
	return true
}

// wideBlocks is ApplyBlocks for a column of logarithms or with a weight, by way of float64s.
func (c *NumericColumn) wideBlocks(blocks []float32, column, columns int, limit uint32) bool {
	var wide [exact.Lanes]float64
	for at := column * exact.Lanes; at < len(blocks); at += columns * exact.Lanes {
		lanes := blocks[at:][:exact.Lanes]
		for i, v := range lanes {
			if wide[i] = float64(v); c.Log1p && !(wide[i] > -1) {
				return false
			}
		}
		c.scale(wide[:])
		exact.ToGridSlice(lanes, wide[:], c.Grid.Shift, c.Grid.Exponent)
		for i, v := range lanes {
			lanes[i] = v + 0
			if math.Float32bits(v)&^sign32 > limit {
				return false
			}
		}
	}
	return true
}
