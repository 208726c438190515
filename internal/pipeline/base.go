package pipeline

import (
	"math"
	"slices"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/model"
)

// baseParts is into how many parts of equal size a sample is cut.
const baseParts = 10

// valuesOf leads the sample of numeric column j back to the units of the input; ascending.
func valuesOf(t *feature.Transform, j int, sample []float32) []float64 {
	c, weight := &t.Numeric[j], t.Weights()[j]
	values := make([]float64, len(sample))
	for i, v := range sample {
		x := float64((float64(v)+c.Shift)/weight*c.Spread) + c.Center
		if c.Log1p {
			x = exact.Expm1(x)
		}
		values[i] = x
	}
	return values
}

// baseOf is how the rows of a fit are spread; nil without a sample, and where rows were brought to length 1, which leaves
// nothing of their values.
func baseOf(t *feature.Transform, sample [][]float32) []model.Spread {
	if len(sample) == 0 || t.Normalize {
		return nil
	}
	base := make([]model.Spread, len(sample))
	for j := range sample {
		values := valuesOf(t, j, sample[j])
		s := &base[j]
		*s = model.Spread{Feature: t.Numeric[j].Name, Edges: edgesOf(values)}
		s.Shares = make([]float64, len(s.Edges)+1)
		for b, n := range countsIn(s, values) {
			s.Shares[b] = n / float64(len(values))
		}
	}
	return base
}

// edgesOf cuts ascending values into parts of about equal size. An edge lies midway between two values, so that rounding moves
// none over it, and a value that many have gets a part of its own.
func edgesOf(values []float64) []float64 {
	edges := []float64{}
	between := func(i int) { // the values before i, and from i on
		if i <= 0 || i >= len(values) {
			return
		}
		e := values[i-1]/2 + values[i]/2
		if values[i-1] < e && e < values[i] && !math.IsInf(e, 0) && (len(edges) == 0 || e > edges[len(edges)-1]) {
			edges = append(edges, e)
		}
	}
	for part := 1; part < baseParts && len(values) > 0; part++ {
		at := len(values) * part / baseParts
		first, _ := slices.BinarySearch(values, values[at])
		end, _ := slices.BinarySearch(values, math.Nextafter(values[at], math.Inf(1)))
		between(first)
		if end-first > len(values)/(2*baseParts) {
			between(end)
		}
	}
	return edges
}

// countsIn counts values by bin.
func countsIn(s *model.Spread, values []float64) []float64 {
	counts := make([]float64, len(s.Edges)+1)
	for _, x := range values {
		counts[s.Bin(x)]++
	}
	return counts
}

// baseDrift is the population stability index of numeric feature j since the old model; nil where either month's rows are not
// known.
func baseDrift(old, now *model.Model, j int, sample [][]float32) *float64 {
	if old.Base == nil || len(sample) != len(old.Base) || now.Transform.Normalize {
		return nil
	}
	return stabilityOf(old.Base[j].Shares, countsIn(&old.Base[j], valuesOf(now.Transform, j, sample[j])))
}
