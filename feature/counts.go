package feature

import (
	"math/bits"

	"github.com/coterie-project/coterie/internal/exact"
)

// Limits of one pass of a QuantileSearch.
const (
	maxBinBits  = 16
	maxCounters = 4 << 20 // three for each bin
)

// Counts counts values in one pass of a QuantileSearch. It is mergeable in any order, and for one goroutine at a
// time. It says itself what is to be counted.
type Counts struct {
	columns
	intervals []interval // by column, then ascending; those of a column are disjoint
	block     []float64
	bits      []uint64
	mask      []bool
}

// interval is a range of ordered bits, low..low+width, cut into bins of 2^shift.
type interval struct {
	column int
	low    uint64
	width  uint64
	shift  uint
	bins   []bin
}

// bin counts the values of a bin and knows its extremes as offsets from the interval's low end. The least one is
// kept inverted, so that a bin of zeros is an empty one.
type bin struct {
	n     int64
	most  uint64
	least uint64 // inverted
}

func (b *bin) add(offset uint64, n int64) {
	b.n += n
	b.most = max(b.most, offset)
	b.least = max(b.least, ^offset)
}

// allocate makes the bins, as many as the limits allow: finer bins mean fewer passes.
func (c *Counts) allocate() {
	c.bits = make([]uint64, blockRows)
	if len(c.intervals) == 0 {
		return
	}
	binBits := min(maxBinBits, max(1, bits.Len(uint(maxCounters/3/len(c.intervals)))-1))
	for i := range c.intervals {
		in := &c.intervals[i]
		in.shift = uint(max(0, bits.Len64(in.width)-binBits))
		in.bins = make([]bin, in.width>>in.shift+1)
	}
}

// interval is the one of the column that begins at low, or nil.
func (c *Counts) interval(column int, low uint64) *interval {
	for i := range c.intervals {
		if in := &c.intervals[i]; in.column == column && in.low == low {
			return in
		}
	}
	return nil
}

// Add counts the rows of a Batch. The error is a *ValueError for the first bad value of the Batch.
func (c *Counts) Add(b *Batch) error {
	b.match(len(c.numeric), len(c.categorical))
	mask, _ := b.rowMask(c.missing, len(c.numeric), len(c.categorical), c.mask)
	if c.missing == Drop && mask != nil {
		c.mask = mask
	}
	for i := 0; i < len(c.intervals); {
		same := i + 1
		for same < len(c.intervals) && c.intervals[same].column == c.intervals[i].column {
			same++
		}
		if !c.addColumn(b, c.intervals[i:same], mask) {
			return c.diagnose(b, mask)
		}
		i = same
	}
	return nil
}

// addColumn counts a column into its intervals; it is false where there is a bad value.
func (c *Counts) addColumn(b *Batch, intervals []interval, mask []bool) bool {
	j := intervals[0].column
	for lo := 0; lo < b.Rows; lo += blockRows {
		x := c.block[:min(blockRows, b.Rows-lo)]
		if usable := b.load(x, j, lo); !usable || mask != nil {
			var missing int
			x, missing, usable = compact(x, maskFrom(mask, lo, len(x)))
			if !usable || missing > 0 && c.missing == Fail {
				return false
			}
		}
		ordered := c.bits[:len(x)]
		for i, v := range x {
			ordered[i] = exact.OrderedBits(plusZero(v))
		}
		for k := range intervals {
			intervals[k].add(ordered)
		}
	}
	return true
}

// add counts those of the values that lie in the interval.
func (in *interval) add(ordered []uint64) {
	low, width, shift, bins := in.low, in.width, in.shift&63, in.bins
	for _, u := range ordered {
		if offset := u - low; offset <= width {
			bins[offset>>shift].add(offset, 1)
		}
	}
}

// Merge takes in the counts of other rows in the same pass; o is not changed.
func (c *Counts) Merge(o *Counts) {
	if len(c.intervals) != len(o.intervals) {
		panic("feature: merging Counts of different passes")
	}
	for i := range c.intervals {
		a, b := &c.intervals[i], &o.intervals[i]
		if a.column != b.column || a.low != b.low || a.width != b.width || len(a.bins) != len(b.bins) {
			panic("feature: merging Counts of different passes")
		}
		for k := range a.bins {
			x, y := &a.bins[k], &b.bins[k]
			x.n += y.n
			x.most = max(x.most, y.most)
			x.least = max(x.least, y.least)
		}
	}
}
