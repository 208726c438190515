package pipeline

import (
	"fmt"
	"maps"
	"math"
	"reflect"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/model"
)

// Drift is how the rows have changed in one feature since the model that a fit goes on from.
type Drift struct {
	Feature string `json:"feature"`
	// PSI is the population stability index, Σ (now − then) · ln(now / then) over the shares of the rows: of a categorical
	// column's levels, or of the bins that a model keeps of a numeric one. Below 0.1 little has changed, from 0.25 on much.
	// null where a model does not tell.
	PSI *float64 `json:"psi"`
	// Shift is how far the mean of a numeric feature has moved, in its spread then (after log1p, where there is one); null for
	// categorical ones and under cosine.
	Shift *float64 `json:"shift"`
}

// toldIndex is the population stability index from which on a change is told.
const toldIndex = 0.1

// Told says whether the change is worth telling.
func (d *Drift) Told() bool {
	return d.PSI != nil && *d.PSI >= toldIndex || d.Shift != nil && math.Abs(*d.Shift) > driftLimit
}

// Words says how the feature has changed.
func (d *Drift) Words() string {
	var parts []string
	if d.PSI != nil {
		parts = append(parts, fmt.Sprintf("its values are spread differently (population stability index %.2f)", *d.PSI))
	}
	if d.Shift != nil {
		parts = append(parts, fmt.Sprintf("its mean has moved by %+.2f of its spread", *d.Shift))
	}
	return d.Feature + ": " + strings.Join(parts, ", ")
}

// driftBetween compares the rows of two fits by what their models keep: centroids and counts give the means, and the shares of
// levels; a sample of the new rows is held against the old base.
func driftBetween(old, now *model.Model, sample [][]float32) []Drift {
	list := []Drift{}
	before, after := meanPoint(old, old), meanPoint(old, now)
	weights := old.Transform.Weights()
	for j := range old.Transform.Numeric {
		d := Drift{Feature: old.Transform.Numeric[j].Name, PSI: baseDrift(old, now, j, sample)}
		if shift := (after[j] - before[j]) / weights[j]; old.Metric == model.Euclidean && !math.IsNaN(shift) {
			d.Shift = &shift
		}
		list = append(list, d)
	}
	was, is := levelShares(old), levelShares(now)
	for i := range old.Transform.Categorical {
		name := old.Transform.Categorical[i].Name
		d := Drift{Feature: name}
		if old.Metric == model.Euclidean && now.Metric == model.Euclidean {
			d.PSI = stability(was[name], is[name])
		}
		list = append(list, d)
	}
	return list
}

// meanPoint is the mean of the rows of m in the scaled space of old; NaN where it has no place there.
func meanPoint(old, m *model.Model) []float64 {
	mean := make([]float64, old.Width())
	place, same := m.Into(old.Transform), reflect.DeepEqual(m.Transform, old.Transform)
	for j, n := range m.Counts {
		p, err := m.Centroid(j), error(nil)
		if !same {
			p, err = place(j)
		}
		for t := range mean {
			if err != nil {
				mean[t] = math.NaN()
			} else {
				mean[t] += float64(float64(p[t]) * (float64(n) / float64(max(m.Rows, 1))))
			}
		}
	}
	return mean
}

// levelShares is by categorical column and level the share of the rows of a model, missing values included.
func levelShares(m *model.Model) map[string]map[string]float64 {
	shares := make(map[string]map[string]float64)
	mean := make([]float64, m.Width())
	for j, n := range m.Counts {
		for t, v := range m.CentroidInput(j) {
			mean[t] += float64(v * (float64(n) / float64(max(m.Rows, 1))))
		}
	}
	at := len(m.Transform.Numeric)
	for j := range m.Transform.Numeric {
		if m.Transform.Numeric[j].Indicator != nil {
			at++
		}
	}
	for i := range m.Transform.Categorical {
		c := &m.Transform.Categorical[i]
		levels := make(map[string]float64)
		for l := range c.Levels {
			levels[c.Levels[l].Value] = mean[at]
			at++
		}
		if c.Missing != nil {
			levels["missing"] = mean[at]
			at++
		}
		shares[c.Name] = levels
	}
	return shares
}

// stability is the population stability index of two distributions; nil where either is empty.
func stability(then, now map[string]float64) *float64 {
	all := make(map[string]bool)
	for level := range then {
		all[level] = true
	}
	for level := range now {
		all[level] = true
	}
	var a, b []float64
	for _, level := range slices.Sorted(maps.Keys(all)) {
		a, b = append(a, then[level]), append(b, now[level])
	}
	return stabilityOf(a, b)
}

// stabilityOf is the population stability index of shares, or counts, of the same bins; nil where either has none.
func stabilityOf(then, now []float64) *float64 {
	sum := func(list []float64) (s float64) {
		for _, v := range list {
			s += max(v, 0)
		}
		return s
	}
	all, other := sum(then), sum(now)
	if !(all > 0 && other > 0) {
		return nil
	}
	psi := 0.0
	for i := range then {
		was, is := max(then[i]/all, leastShare), max(now[i]/other, leastShare)
		psi += float64((is - was) * math.Log(is/was))
	}
	return &psi
}
