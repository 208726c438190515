package sim

import (
	"slices"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// spoil gives an answer wrong sums, if it has any and the worker is to answer so next; how draws what is wrong with them.
// What the worker itself knows stays as it was.
func spoil(p *wire.Partial, how int) (*wire.Partial, bool) {
	if len(p.Strands) == 0 {
		sums := wrongSums(p.Sums, how)
		if sums == nil {
			return p, false
		}
		c := *p
		c.Sums = sums
		return &c, true
	}
	for i := range p.Strands {
		at := (i + how) % len(p.Strands)
		if strand, did := spoil(p.Strands[at], how); did {
			c := *p
			c.Strands = slices.Clone(p.Strands)
			c.Strands[at] = strand
			return &c, true
		}
	}
	return p, false
}

// wrongSums are sums in which a row is lost, or one bit is turned: of a weight or of a column that is not the first. nil:
// there are none that could be wrong so.
func wrongSums(s *kmeans.Sums, how int) *kmeans.Sums {
	if s == nil || s.D < 2 {
		return nil
	}
	j := slices.IndexFunc(s.Counts, func(n int64) bool { return n > 0 })
	if j < 0 {
		return nil
	}
	c := s.Clone()
	column := 1 + how%(c.D-1)
	switch {
	case how%4 == 0:
		c.Counts[j]--
	case how%2 == 1 && c.Weights != nil:
		c.Weights[j].Lo ^= 1 << (how % 24)
	default:
		c.Values[j*c.D+column].Lo ^= 1 << (how % 40)
	}
	return c
}
