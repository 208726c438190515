package feature

import (
	"errors"
	"math/bits"
	"slices"
	"sort"

	"github.com/coterie-project/coterie/internal/exact"
)

// QuantileSearch finds exact order statistics (medians to fill in, quartiles to scale by) in a few passes over the
// rows, in memory that does not depend on their number. Each pass counts the values in bins over the ordered bits of
// the numbers, and keeps for the next one only the bins in which the wanted ranks lie.
//
// Two things spare passes. Logarithms keep the order, so the search is among the values as they come. And what is
// imputed is known beforehand: a mean is put among the bins as often as values are missing; copies of a median lie
// in the middle of the values, so the ranks in the filled-in column are known ranks among the values that are there.
type QuantileSearch struct {
	columns columns
	search  []columnSearch // of the columns that need one
}

// columnSearch is the search in one numeric column.
type columnSearch struct {
	column int
	values int64 // that are searched: those that are there and, with an imputed mean, those that are not
	copies int64 // imputed, among the values searched
	fill   uint64
	middle int64 // with an imputed median: it lies from this rank to the next
	filled int64 // with an imputed median: its copies, which are not among the values searched
	ranks  []rank
}

// rank is a wanted order statistic: it lies in low..high (ordered bits), and below values are less than low.
type rank struct {
	rank      int64 // from 0
	below     int64
	low, high uint64
}

// errIncomplete is given where counts do not belong to the rows of the Statistics.
var errIncomplete = errors.New("the quantile counts do not cover the same rows as the statistics: did the data change between two passes?")

// NewQuantileSearch is the search that Fit needs, or nil if it needs none. s are the Statistics over all rows.
func NewQuantileSearch(spec *Spec, s *Statistics) *QuantileSearch {
	if spec.Scale != Robust && spec.Missing != Median {
		return nil
	}
	q := &QuantileSearch{columns: s.columns}
	for j := range s.numbers {
		if n := &s.numbers[j]; n.raw.N > 0 {
			c := newColumnSearch(spec, j, n.raw.N, n.missing, exact.OrderedBits(plusZero(n.raw.Mean())))
			low, high := exact.OrderedBits(plusZero(n.raw.Min)), exact.OrderedBits(plusZero(n.raw.Max))
			for k := range c.ranks {
				c.ranks[k].low, c.ranks[k].high = low, high
			}
			q.search = append(q.search, c)
		}
	}
	return q
}

// newColumnSearch is the search in numeric column j, of which there values are there, at least one, and missing ones
// are not; mean is that of the values. Where its ranks lie is not known yet.
func newColumnSearch(spec *Spec, j int, there, missing int64, mean uint64) columnSearch {
	c := columnSearch{column: j, values: there}
	var wanted []int64
	switch spec.Missing {
	case Mean, Indicator:
		c.copies = missing
		c.values += missing
		c.fill = mean
	case Median:
		c.middle = (there - 1) / 2
		c.filled = missing
		wanted = append(wanted, c.middle, min(c.middle+1, there-1))
	}
	if spec.Scale == Robust {
		for quarter := int64(1); quarter <= 3; quarter++ {
			at, _ := quartile(c.values+c.filled, quarter)
			for _, r := range []int64{at, min(at+1, c.values+c.filled-1)} {
				if present, fill := c.present(r); !fill {
					wanted = append(wanted, present)
				}
			}
		}
	}
	slices.Sort(wanted)
	for _, r := range slices.Compact(wanted) {
		c.ranks = append(c.ranks, rank{rank: r})
	}
	return c
}

// quartile is where a quartile of n values lies: rank at, and the share of the way to the next rank.
func quartile(n, quarter int64) (at int64, share float64) {
	high, low := bits.Mul64(uint64(n-1), uint64(quarter))
	at64, rest := bits.Div64(high, low, 4)
	return int64(at64), float64(rest) / 4
}

// present leads a rank in the filled-in column to a rank among the values searched; fill means that an imputed
// median stands there.
func (c *columnSearch) present(r int64) (at int64, fill bool) {
	switch {
	case c.filled == 0 || r <= c.middle:
		return r, false
	case r <= c.middle+c.filled:
		return 0, true
	}
	return r - c.filled, false
}

// plusZero turns −0 into 0, which are one value in the order of numbers and two in that of bits.
func plusZero(x float64) float64 { return x + 0 }

// Done tells whether every order statistic is known.
func (q *QuantileSearch) Done() bool {
	for i := range q.search {
		for _, r := range q.search[i].ranks {
			if r.low < r.high {
				return false
			}
		}
	}
	return true
}

// Open is an empty counter for this pass. It may be called for each thread; the counters are merged.
func (q *QuantileSearch) Open() *Counts {
	c := q.opened()
	c.allocate()
	return c
}

// opened is what this pass counts, without the room for it.
func (q *QuantileSearch) opened() *Counts {
	c := &Counts{columns: q.columns, block: make([]float64, blockRows)}
	for i := range q.search {
		s := &q.search[i]
		for _, r := range s.ranks {
			last := len(c.intervals) - 1
			again := last >= 0 && c.intervals[last].column == s.column && c.intervals[last].low == r.low
			if r.low < r.high && !again {
				c.intervals = append(c.intervals, interval{column: s.column, low: r.low, width: r.high - r.low})
			}
		}
	}
	return c
}

// Close takes in the merged counts of all rows and narrows the search. The error says that the counts are not of
// the rows that the Statistics were gathered from.
func (q *QuantileSearch) Close(c *Counts) error {
	for i := range q.search {
		s := &q.search[i]
		for k := range s.ranks {
			r := &s.ranks[k]
			if r.low == r.high {
				continue
			}
			in := c.interval(s.column, r.low)
			if in == nil || !s.narrow(r, in) {
				return errIncomplete
			}
		}
	}
	return nil
}

// narrow leads a rank to its bin; it is false if there are too few values.
func (s *columnSearch) narrow(r *rank, in *interval) bool {
	at := -1 // the bin of the imputed mean
	if offset := s.fill - in.low; s.copies > 0 && s.fill >= in.low && offset <= in.width {
		at = int(offset >> in.shift)
	}
	for k := range in.bins {
		b := in.bins[k]
		if k == at {
			b.add(s.fill-in.low, s.copies)
		}
		if r.rank < r.below+b.n {
			r.low, r.high = in.low+^b.least, in.low+b.most
			return r.low <= r.high
		}
		r.below += b.n
	}
	return false
}

// order is the value of rank r in the filled-in column, as it comes (before log1p).
func (q *QuantileSearch) order(c *columnSearch, r int64) float64 {
	present, fill := c.present(r)
	if fill {
		return q.median(c)
	}
	k := sort.Search(len(c.ranks), func(k int) bool { return c.ranks[k].rank >= present })
	return exact.FromOrderedBits(c.ranks[k].low)
}

// median is the median of the values that are there in a column whose missing ones become it.
func (q *QuantileSearch) median(c *columnSearch) float64 {
	at, share := quartile(c.values, 2)
	low := sort.Search(len(c.ranks), func(k int) bool { return c.ranks[k].rank >= at })
	a := exact.FromOrderedBits(c.ranks[low].low)
	if share == 0 {
		return a
	}
	return between(a, exact.FromOrderedBits(c.ranks[low+1].low), share)
}

// quartiles are the three quartiles of the filled-in column, after log1p where log says so.
func (q *QuantileSearch) quartiles(c *columnSearch, log bool) (values [3]float64) {
	for k := range values {
		at, share := quartile(c.values+c.filled, int64(k+1))
		a := q.order(c, at)
		b := a
		if share > 0 {
			b = q.order(c, at+1)
		}
		if log {
			a, b = exact.Log1p(a), exact.Log1p(b)
		}
		values[k] = between(a, b, share)
	}
	return values
}

// between is linear interpolation, rounded as NumPy's percentile does: from the nearer end, so that it never
// leaves a..b.
func between(a, b, share float64) float64 {
	step := b - a
	if share >= 0.5 {
		return b - float64(step*(1-share))
	}
	return a + float64(step*share)
}

// column is the search in numeric column j, or nil.
func (q *QuantileSearch) column(j int) *columnSearch {
	for i := range q.search {
		if q.search[i].column == j {
			return &q.search[i]
		}
	}
	return nil
}
