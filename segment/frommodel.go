package segment

import (
	"math"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/model"
)

// FromModel is what a model alone knows of its segments: centroids led back to the units of the input, and counts. The
// base's mean is that of the centroids weighted by their counts, in the scaled space, led back in the same way: of a
// column without log1p it is the mean, and with log1p the geometric mean of 1 + x less 1, as that is what the centroids
// of such a column are too; the column is marked Typical, so that nobody takes it for an average. An effect is measured in standard deviations of the
// base where the model knows them: of standardised columns, in the scaled space, and of shares. Elsewhere it is measured
// in the spread between the segments, since a model does not keep the spread within them. With log1p a centroid lies
// near the geometric mean, so that no value share can be told from it.
func FromModel(m *model.Model) *Summary {
	s := newSummary(m.Counts, m.Segments)
	s.Columns = modelColumns(m)
	centroids := make([][]float64, m.K)
	for i := range centroids {
		centroids[i] = m.CentroidInput(i)
	}
	middle := m.Transform.Inverse(meanPoint(m))
	for j := range s.Columns {
		var base exact.Moments
		for i := range centroids {
			base.AddRepeated(centroids[i][j], m.Counts[i])
		}
		mean, spread := momentsOf(&base)
		if s.Columns[j].Typical {
			mean = middle[j]
		}
		s.Base.append(mean, math.NaN(), 0)
		scaled := standardised(m, j)
		for i := range centroids {
			e := effect(centroids[i][j], mean, spread)
			switch {
			case scaled != nil:
				e = scaled[i]
			case s.Columns[j].Share:
				e = effect(centroids[i][j], mean, math.Sqrt(max(mean*(1-mean), 0)))
			}
			s.Segments[i].append(centroids[i][j], math.NaN(), e)
		}
	}
	total, worth := 0.0, make([]float64, m.K)
	if at := s.withRole(roleMonetary); at >= 0 && !m.Transform.Numeric[at].Log1p && m.Metric == model.Euclidean {
		s.Value = at
		for i, c := range centroids {
			worth[i] = c[at] * float64(m.Counts[i])
			total += worth[i]
		}
	}
	s.setValueShares(total, worth)
	return s
}

// meanPoint is the mean of the centroids weighted by their counts, length d, in the space of the Points.
func meanPoint(m *model.Model) []float32 {
	d := m.Width()
	point := make([]float32, d)
	for j := range point {
		var all exact.Moments
		for i := range m.K {
			all.AddRepeated(float64(m.Centroids[i*d+j]), m.Counts[i])
		}
		if all.N > 0 {
			point[j] = float32(all.Mean())
		}
	}
	return point
}

// standardised is how far each centroid lies from the base's mean in the scaled space of numeric column j, where the
// base's standard deviation is 1; nil if the column is not standardised.
func standardised(m *model.Model, j int) []float64 {
	if m.Transform.Scale != feature.Standard || m.Metric != model.Euclidean || j >= len(m.Transform.Numeric) || m.Rows == 0 {
		return nil
	}
	effects, mean, d := make([]float64, m.K), 0.0, m.Width()
	for i := range effects {
		effects[i] = float64(m.Centroids[i*d+j])
		mean += float64(effects[i]*float64(m.Counts[i])) / float64(m.Rows)
	}
	weight := m.Transform.Weights()[j]
	for i := range effects {
		effects[i] = (effects[i] - mean) / weight
	}
	return effects
}

// modelColumns describes the output columns of the model's transform, in their order.
func modelColumns(m *model.Model) []Column {
	t := m.Transform
	var columns []Column
	share := func(input, level string) {
		columns = append(columns, Column{Name: input + "=" + level, Input: input, Level: level, Share: true})
	}
	for j := range t.Numeric {
		columns = append(columns, Column{Name: t.Numeric[j].Name, Input: t.Numeric[j].Name, Typical: t.Numeric[j].Log1p})
	}
	for j := range t.Numeric {
		if t.Numeric[j].Indicator != nil {
			share(t.Numeric[j].Name, missingLevel)
		}
	}
	for i := range t.Categorical {
		c := &t.Categorical[i]
		for l := range c.Levels {
			share(c.Name, c.Levels[l].Value)
		}
		if c.Missing != nil {
			share(c.Name, missingLevel)
		}
	}
	return columns
}

// missingLevel is how package feature calls the level of missing values.
const missingLevel = "missing"
