package rfm

import "context"

// fifths finds the four values at which a score changes. A score is 1 + ⌊5 × share of customers strictly worse⌋, so it
// exceeds s where at least s/5 of all values lie below, that is where the ⌈s·n/5⌉-th smallest does. They are found 16
// bits at a time: a pass counts the values by their next 16 bits, among those that share the bits found so far. So it
// takes four passes, and no memory for the values.
type fifths struct {
	ranks  [4]int64  // of the value among those that share its prefix, from 0
	prefix [4]uint64 // the bits found so far
	own    [4][]int64
	counts [4][]int64 // the own ones, or those of the score before if the prefix is the same
}

const (
	digitBits = 16
	digits    = 64 / digitBits
)

// newFifths is for n values.
func newFifths(n int64) *fifths {
	f := &fifths{}
	for s := range f.ranks {
		f.ranks[s] = max((int64(s+1)*n+4)/5-1, 0)
	}
	return f
}

// start begins a pass.
func (f *fifths) start() {
	for s := range f.counts {
		if s > 0 && f.prefix[s] == f.prefix[s-1] {
			f.counts[s] = f.counts[s-1]
			continue
		}
		if f.own[s] == nil {
			f.own[s] = make([]int64, 1<<digitBits)
		}
		clear(f.own[s])
		f.counts[s] = f.own[s]
	}
}

// see counts a value; below the pass's digit lie shift bits.
func (f *fifths) see(value uint64, shift int) {
	above := value >> shift >> digitBits
	for s := range f.prefix {
		if f.prefix[s] == above && (s == 0 || f.prefix[s-1] != above) {
			f.counts[s][value>>shift&(1<<digitBits-1)]++
		}
	}
}

// end finds the digit.
func (f *fifths) end() {
	for s, counts := range f.counts {
		digit := 0
		for digit < len(counts)-1 && f.ranks[s] >= counts[digit] {
			f.ranks[s] -= counts[digit]
			digit++
		}
		f.prefix[s] = f.prefix[s]<<digitBits | uint64(digit)
	}
}

// score is the score of a value, after all passes.
func (f *fifths) score(value uint64) int64 {
	score := int64(1)
	for _, threshold := range f.prefix {
		if value > threshold {
			score++
		}
	}
	return score
}

// scales are the fifths of recency, frequency and monetary value.
type scales [3]*fifths

// values are what a row is ranked by: more is better.
func (r *row) values(asOf int64) [3]uint64 {
	return [3]uint64{orderedInt(-floorDiv(asOf-r.last, microsPerDay)), orderedInt(r.frequency), orderedFloat(r.money)}
}

// rank finds the scales of n rows.
func rank(ctx context.Context, r *rows, n, asOf int64) (scales, error) {
	all := scales{newFifths(n), newFifths(n), newFifths(n)}
	for digit := digits - 1; digit >= 0 && n > 0; digit-- {
		for _, f := range all {
			f.start()
		}
		err := r.each(ctx, func(row *row) error {
			for i, v := range row.values(asOf) {
				all[i].see(v, digit*digitBits)
			}
			return nil
		})
		if err != nil {
			return all, err
		}
		for _, f := range all {
			f.end()
		}
	}
	return all, nil
}
