package pipeline

import (
	"math"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/model"
)

// driftLimit is from where on a feature has drifted: by a quarter of a spread, or a population stability index that is
// called a major shift.
const driftLimit = 0.25

// leastShare stands for the share of a level that nobody has, whose logarithm a population stability index needs.
const leastShare = 1e-4

// drift compares the features with the rows that the model was fitted on, which its centroids and counts keep: the
// weighted mean of the centroids is the mean of those rows, in the model's own scaled space, and the share of each level.
// Rows of length 1, of a cosine model, do not keep them.
func (c *checker) drift(m *model.Model) {
	if m.Metric == model.Cosine || m.Rows == 0 {
		return
	}
	base, grids, weights := make([]float64, m.Width()), m.Transform.Grids(), m.Transform.Weights()
	for i, n := range m.Counts {
		for t, x := range m.Centroid(i) {
			base[t] += float64((float64(x) + grids[t].Shift) / weights[t] * (float64(n) / float64(m.Rows)))
		}
	}
	next := len(m.Transform.Numeric)
	for j := range m.Transform.Numeric {
		c.numberDrift(&m.Transform.Numeric[j], base[j], m.Transform.Scale)
		if m.Transform.Numeric[j].Indicator != nil {
			next++
		}
	}
	for i := range m.Transform.Categorical {
		column := &m.Transform.Categorical[i]
		c.levelDrift(column, base[next:next+len(column.Levels)])
		next += len(column.Levels)
		if column.Missing != nil {
			next++
		}
	}
}

// numberDrift is the shift of a mean.
func (c *checker) numberDrift(column *feature.NumericColumn, fitted float64, scale feature.Scale) {
	stats := &c.whole.columns[c.source.Schema().Index(column.Name)]
	if stats.scaled.N == 0 {
		return
	}
	shift := (stats.scaled.Mean()-column.Center)/column.Spread - fitted
	c.drifted(column.Name, shift)
	if math.Abs(shift) > driftLimit {
		c.find(spoils, column.Name, "drift", "fit again", "since the model its mean has moved by %+.2f of the %s spread", shift, scale)
	}
}

// levelDrift is the population stability index of a column's levels: Σ (now − then) · ln(now / then) over their shares.
// Missing values count on neither side, and levels that the model does not know are told beside it.
func (c *checker) levelDrift(column *feature.CategoricalColumn, then []float64) {
	stats := &c.whole.columns[c.source.Schema().Index(column.Name)]
	counts := stats.counts()
	all := 0.0
	for _, share := range then {
		all += share
	}
	if counts == nil || all == 0 {
		return
	}
	now, rows, unseen, example := make([]float64, len(column.Levels)), int64(0), int64(0), ""
	for text, n := range counts {
		if at := column.Find(text); at >= 0 {
			now[at] += float64(n)
		} else if unseen += n; example == "" || text < example {
			example = text
		}
		rows += n
	}
	psi := 0.0
	for k := range now {
		a, b := max(now[k]/float64(max(rows, 1)), leastShare), max(then[k]/all, leastShare)
		psi += float64((a - b) * math.Log(a/b))
	}
	c.drifted(column.Name, psi)
	if psi > driftLimit {
		c.find(spoils, column.Name, "drift", "fit again", "since the model its levels have shifted (population stability index %.2f)", psi)
	}
	c.out.unseen = max(c.out.unseen, unseen)
	if unseen > 0 {
		c.find(hint, column.Name, "unseen_levels", "fit again if they stay", "%s a value that the model does not know, such as %q (%s)",
			counted(unseen, "row has", "rows have"), clipped(example), percent(float64(unseen)/float64(c.out.Rows)))
	}
}

func (c *checker) drifted(column string, by float64) {
	for i := range c.out.Columns {
		if c.out.Columns[i].Name == column {
			c.out.Columns[i].Drift = &by
		}
	}
}
