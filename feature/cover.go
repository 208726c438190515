package feature

import (
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
)

// Cover is the Transform for other rows than it was fitted on: where they lie farther out, a grid becomes as coarse as
// sums of them need; all else stays. s is gathered under t.Spec(). A grid that is wide enough stays as it is, so that the
// same rows give the same Points; under Normalize grids become wide enough for any row.
func (t *Transform) Cover(s *Statistics) *Transform {
	c := *t
	c.Numeric = slices.Clone(t.Numeric)
	if t.Normalize {
		c.Categorical = slices.Clone(t.Categorical)
		for i := range c.Categorical {
			c.Categorical[i].Levels = slices.Clone(t.Categorical[i].Levels)
			c.Categorical[i].Missing = clonedGrid(t.Categorical[i].Missing)
		}
		for j := range c.Numeric {
			c.Numeric[j].Indicator = clonedGrid(t.Numeric[j].Indicator)
		}
		c.eachGrid(func(g *Grid) { g.cover(-1, 1) }) // rows of length 1 reach no farther
		return &c
	}
	for j := range c.Numeric {
		n, moments := &c.Numeric[j], &s.numbers[j].raw
		if n.Log1p {
			moments = &s.numbers[j].logged
		}
		if moments.N > 0 {
			w := factor(n.Weight)
			n.cover(float64(scaled(moments.Min, n.Center, n.Spread)*w), float64(scaled(moments.Max, n.Center, n.Spread)*w))
		}
	}
	return &c
}

func clonedGrid(g *Grid) *Grid {
	if g == nil {
		return nil
	}
	c := *g
	return &c
}

// cover makes the grid as coarse as values in lo..hi ask for.
func (g *Grid) cover(lo, hi float64) {
	g.Exponent = max(g.Exponent, exact.GridExponent(min(lo, g.Shift), max(hi, g.Shift)))
}

// Equal tells whether two Specs say the same.
func (s *Spec) Equal(o *Spec) bool {
	return s.Scale == o.Scale && s.Missing == o.Missing && s.Normalize == o.Normalize && slices.Equal(s.Numeric, o.Numeric) &&
		sameNames(s.Log1p, o.Log1p) && slices.Equal(s.Categorical, o.Categorical) && slices.Equal(s.Weights, o.Weights) &&
		(s.Fold == nil) == (o.Fold == nil) && (s.Fold == nil || *s.Fold == *o.Fold) &&
		slices.EqualFunc(s.Orders, o.Orders, func(a, b Order) bool { return a.Column == b.Column && slices.Equal(a.Levels, b.Levels) })
}

// sameNames tells whether two lists without repetitions have the same names in any order.
func sameNames(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}
