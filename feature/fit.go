package feature

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/coterie-project/coterie/internal/exact"
)

// Fit makes a Transform of the Statistics over all rows and of the finished QuantileSearch (nil where none was needed).
// Errors are *ValueError without a row (no rows; a column without values to impute from) and *SpecError (too many
// levels; two output columns of one name; a search that has not ended).
//
// Center and spread are rounded once from exact sums or order statistics, and the shift and grid of an output column
// follow from the least and the greatest value, since every transform keeps the order.
func Fit(spec *Spec, s *Statistics, q *QuantileSearch) (*Transform, error) {
	if err := fitReady(spec, s, q); err != nil {
		return nil, err
	}
	t := &Transform{Scale: spec.Scale, Missing: spec.Missing, Normalize: spec.Normalize, Pending: spec.Normalize}
	extents, weights := make([]extent, len(s.numbers)), spec.factors()
	for j := range s.numbers {
		column, ends, err := fitNumeric(spec, s, j, q, weights[spec.Numeric[j]])
		if err != nil {
			return nil, err
		}
		t.Numeric = append(t.Numeric, *column)
		extents[j] = ends
	}
	for c := range s.texts {
		column, err := fitCategorical(spec, s, c, weights[spec.Categorical[c]])
		if err != nil {
			return nil, err
		}
		t.Categorical = append(t.Categorical, column)
	}
	t.setOrders(spec.Orders)
	if err := t.wideEnough(extents); err != nil {
		return nil, err
	}
	t.placeNumeric(extents)
	if t.Pending {
		t.eachGrid(func(g *Grid) { *g = Grid{} })
	}
	if err := t.fitOutputs(); err != nil {
		return nil, err
	}
	if err := t.Validate(); err != nil { // Statistics from elsewhere may hold sums that no column has
		return nil, err
	}
	return t, nil
}

// setOrders keeps the orders of the Spec, which come in that of the columns.
func (t *Transform) setOrders(orders []Order) {
	for j := range t.Numeric {
		if len(orders) > 0 && orders[0].Column == t.Numeric[j].Name {
			t.Numeric[j].Order = orders[0].Levels
			orders = orders[1:]
		}
	}
}

// fitReady holds that there is enough to fit from.
func fitReady(spec *Spec, s *Statistics, q *QuantileSearch) error {
	if err := spec.Validate(); err != nil {
		return err
	}
	if len(spec.Numeric) != len(s.numbers) || len(spec.Categorical) != len(s.texts) {
		panic("feature: Fit with the Statistics of another Spec")
	}
	for c := range s.texts {
		if err := s.texts[c].validate(s.categorical[c]); err != nil {
			return err
		}
	}
	if s.rows == 0 {
		err := &ValueError{Row: NoRow, Value: math.NaN(), Reason: reasonNoRows}
		if s.dropped > 0 {
			err.Reason = fmt.Sprintf("each of the %d rows lacks a value and was dropped", s.dropped)
			err.Remedy = "leave out the columns that are hardly ever filled in, or fill them in with mean or median"
		}
		return err
	}
	if spec.Scale == Robust || spec.Missing == Median {
		if q == nil || !q.Done() {
			return &SpecError{Field: "scale", Value: string(spec.Scale), Reason: "the search for quantiles has not ended",
				Remedy: remedyAllLoaded}
		}
	}
	return nil
}

// fitOutputs holds that the output columns are not too many and have names of their own.
func (t *Transform) fitOutputs() error {
	d := t.Width()
	if d == 0 {
		return &ValueError{Row: NoRow, Column: t.Categorical[0].Name, Value: math.NaN(), Reason: reasonNoValues, Remedy: remedyNoValues}
	}
	if d > MaxOutputs {
		return &SpecError{Field: "features", Value: fmt.Sprint(d), Reason: fmt.Sprintf("more than %d columns after encoding", MaxOutputs),
			Remedy: "leave out categorical columns of many levels"}
	}
	names := t.Outputs()
	sort.Strings(names)
	for i := 1; i < len(names); i++ {
		if names[i] == names[i-1] {
			return &SpecError{Field: "features", Value: names[i], Reason: "two columns would have this name after encoding",
				Remedy: "rename one of the input columns"}
		}
	}
	return nil
}

// extent is the least, the mean and the greatest value of a column after scaling and weighting.
type extent struct{ least, mean, greatest float64 }

// leastRange is the range that the widest column must have, unless all are constant: below it the squared distances of
// its rows, at the resolution of their Points, would leave the range of float32 and be rounded to 0.
const leastRange = 0x1p-50

// wideEnough refuses rows that differ by too little. Columns of 0 and 1 and normalised rows are wide enough.
func (t *Transform) wideEnough(extents []extent) error {
	widest, at := 0.0, 0
	for j, e := range extents {
		if r := e.greatest - e.least; r > widest {
			widest, at = r, j
		}
	}
	if widest == 0 || widest >= leastRange || t.Normalize || t.Width() > len(t.Numeric) {
		return nil
	}
	return &ValueError{Row: NoRow, Column: t.Numeric[at].Name, Value: math.NaN(), Reason: reasonTooClose, Remedy: remedyTooClose}
}

// placeNumeric sets the grids of the numeric columns. Where a mean lies so far out that values would be beyond the limit,
// it does so because of some of them: with a shift of 0 Apply names these, not their neighbours.
func (t *Transform) placeNumeric(extents []extent) {
	limit := float64(Limit(t.Width()))
	for j, e := range extents {
		g := gridFor(t.Scale, e.least, e.mean, e.greatest)
		if e.greatest-g.Shift > limit || g.Shift-e.least > limit {
			g.Shift = 0
		}
		t.Numeric[j].Grid = g
	}
}

// fitNumeric fits numeric column j, but for its grid.
func fitNumeric(spec *Spec, s *Statistics, j int, q *QuantileSearch, weight float64) (*NumericColumn, extent, error) {
	n := &s.numbers[j]
	c := &NumericColumn{Name: spec.Numeric[j], Log1p: s.logs[j], Spread: 1, Weight: weight}
	var search *columnSearch
	if q != nil {
		search = q.column(j)
	}
	gathered := &n.raw
	if c.Log1p {
		gathered = &n.logged
	}
	if gathered.N == 0 {
		return nil, extent{}, &ValueError{Row: NoRow, Column: c.Name, Value: math.NaN(), Reason: reasonNoValues, Remedy: remedyNoValues}
	}
	moments := gathered
	if spec.Missing.imputes() {
		fill := fillValue(spec, n, q, search)
		c.Fill = &fill
		moments = &exact.Moments{}
		moments.Merge(gathered)
		copies := fill
		if c.Log1p {
			copies = exact.Log1p(fill)
		}
		moments.AddRepeated(copies, n.missing)
	}
	c.fitScale(spec.Scale, moments, q, search)
	if spec.Missing == Indicator && n.missing > 0 {
		g := shareGrid(spec.Scale, n.missing, s.rows, c.Weight)
		c.Indicator = &g
	}
	w := factor(c.Weight)
	return c, extent{
		least:    float64(scaled(moments.Min, c.Center, c.Spread) * w),
		mean:     float64(scaled(moments.Mean(), c.Center, c.Spread) * w),
		greatest: float64(scaled(moments.Max, c.Center, c.Spread) * w),
	}, nil
}

// fillValue is what stands for the missing values of a column.
func fillValue(spec *Spec, n *numberStats, q *QuantileSearch, search *columnSearch) float64 {
	if spec.Missing == Median {
		return plusZero(q.median(search))
	}
	return plusZero(n.raw.Mean())
}

// fitScale sets Center and Spread.
func (c *NumericColumn) fitScale(scale Scale, m *exact.Moments, q *QuantileSearch, search *columnSearch) {
	switch scale {
	case Standard:
		c.Center, c.Spread = m.Mean(), m.StdDev()
	case MinMax:
		c.Center, c.Spread = m.Min, m.Max-m.Min
	case Robust:
		quartiles := q.quartiles(search, c.Log1p)
		c.Center, c.Spread = quartiles[1], quartiles[2]-quartiles[0]
	}
	c.Center = plusZero(c.Center)
	if c.Spread == 0 {
		c.Spread = 1
	}
}

// scaled is (x − center) / spread. Where a tiny spread would blow it up beyond what any limit admits, it stays a number,
// so that grid and shift exist, and Apply can name the row.
func scaled(x, center, spread float64) float64 {
	const most = 0x1p500
	return max(-most, min((x-center)/spread, most))
}

// gridFor is shift and grid of an output column whose values lie in lo..hi with that mean. A robust column is centred
// on its median already: its shift stays 0, and the grid is that of a range which 0 belongs to.
func gridFor(scale Scale, lo, mean, hi float64) Grid {
	if scale == Robust {
		return Grid{Shift: 0, Exponent: exact.GridExponent(min(lo, 0), max(hi, 0))}
	}
	return Grid{Shift: exact.ShiftFor(mean, lo, hi), Exponent: exact.GridExponent(lo, hi)}
}

// shareGrid is shift and grid of a column of 0 and 1, of which count in rows are 1, times a weight where there is one.
func shareGrid(scale Scale, count, rows int64, weight float64) Grid {
	w := factor(weight)
	return gridFor(scale, 0, float64(float64(count)/float64(rows)*w), w)
}

// fitCategorical fits categorical column c. The error is a *SpecError where every level is rare: nothing would tell the
// rows apart.
func fitCategorical(spec *Spec, s *Statistics, c int, weight float64) (CategoricalColumn, error) {
	levels := &s.texts[c]
	column := CategoricalColumn{Name: spec.Categorical[c], Weight: weight}
	counts := make(map[string]int64, len(levels.index))
	for text, at := range levels.index {
		count, isMissing := levels.counts[at], spec.Missing == Indicator && text == missingLevel
		switch {
		case isMissing:
			counts[text] = count + levels.missing
		case text != FoldedLevel && spec.Fold.rare(count, s.rows):
			column.Folded = append(column.Folded, text)
			counts[FoldedLevel] += count
		default:
			counts[text] += count
		}
	}
	if len(column.Folded) > 0 && len(counts) == 1 && levels.missing == 0 {
		return column, &SpecError{Field: "fold", Value: column.Name, Reason: fmt.Sprintf("each of its %d levels is rare", len(levels.index)),
			Remedy: "fold fewer levels, or leave the column out"}
	}
	slices.Sort(column.Folded)
	for text, count := range counts {
		column.Levels = append(column.Levels, Level{Value: text, Grid: shareGrid(spec.Scale, count, s.rows, column.Weight)})
	}
	sort.Slice(column.Levels, func(a, b int) bool { return column.Levels[a].Value < column.Levels[b].Value })
	if _, said := levels.index[missingLevel]; spec.Missing == Indicator && levels.missing > 0 && !said {
		g := shareGrid(spec.Scale, levels.missing, s.rows, column.Weight)
		column.Missing = &g
	}
	return column, nil
}
