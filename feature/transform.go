package feature

import (
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
)

// Transform makes Points of rows. It is plain data, with JSON tags that lose no bit: what was fitted, saved and read
// again makes the same Points. One that was decoded is to be Validated before it is used. It may be used by any number
// of goroutines at once.
type Transform struct {
	Scale       Scale               `json:"scale"`
	Missing     Missing             `json:"missing"`
	Normalize   bool                `json:"normalize,omitempty"` // rows are brought to length 1
	Pending     bool                `json:"pending,omitempty"`   // shifts and grids wait for FinishNormalised
	Numeric     []NumericColumn     `json:"numeric,omitempty"`
	Categorical []CategoricalColumn `json:"categorical,omitempty"`
}

// Grid is where an output column's Points lie: on the multiples of 2^Exponent around Shift. A coordinate of a Point is
// the value less Shift, rounded once to float32 and to that grid; in the rows of the fit its absolute value is at
// most 2^(Exponent+39).
type Grid struct {
	Shift    float64 `json:"shift"`
	Exponent int     `json:"grid"`
}

// NumericColumn is the way of a number: fill in, log1p, (x − Center) / Spread, Weight, Grid.
type NumericColumn struct {
	Name   string   `json:"name"`
	Order  []string `json:"order,omitempty"` // in the data it is text: the number is its position here, from 0
	Log1p  bool     `json:"log1p,omitempty"`
	Fill   *float64 `json:"fill,omitempty"` // stands for a missing value, in the units of the input; nil: none does
	Center float64  `json:"center"`
	Spread float64  `json:"spread"`           // above 0
	Weight float64  `json:"weight,omitempty"` // multiplies what is scaled, and the indicator; 0: nothing does
	Grid
	Indicator *Grid `json:"indicator,omitempty"` // of the further column NAME=missing, where there is one
}

// CategoricalColumn is a column of text that becomes a column of 0 and 1, or of 0 and Weight, for each of its levels.
type CategoricalColumn struct {
	Name    string   `json:"name"`
	Weight  float64  `json:"weight,omitempty"`  // stands for 1 in all its columns; 0: 1 does
	Levels  []Level  `json:"levels,omitempty"`  // sorted bytewise
	Folded  []string `json:"folded,omitempty"`  // sorted bytewise: rare texts, which count as the level FoldedLevel
	Missing *Grid    `json:"missing,omitempty"` // of the last column, NAME=missing, where there is one
}

// Level is one value of a categorical column.
type Level struct {
	Value string `json:"value"`
	Grid
}

// missingLevel is the name of the level of missing values, and of indicator columns. Where a text says just that, it
// is the same level.
const missingLevel = "missing"

// FoldedLevel is the level that rare ones become.
const FoldedLevel = "other"

// Columns are the input columns that a Batch has to hold, in order.
func (t *Transform) Columns() (numeric, categorical []string) {
	for j := range t.Numeric {
		numeric = append(numeric, t.Numeric[j].Name)
	}
	for c := range t.Categorical {
		categorical = append(categorical, t.Categorical[c].Name)
	}
	return numeric, categorical
}

// columns is what diagnose needs.
func (t *Transform) columns() *columns {
	c := &columns{missing: t.Missing, logs: make([]bool, len(t.Numeric))}
	c.numeric, c.categorical = t.Columns()
	for j := range t.Numeric {
		c.logs[j] = t.Numeric[j].Log1p
	}
	return c
}

// Spec is the Spec that the Transform was fitted under, but for Fold, of which the columns keep what came of it.
func (t *Transform) Spec() *Spec {
	s := &Spec{Scale: t.Scale, Missing: t.Missing, Normalize: t.Normalize}
	s.Numeric, s.Categorical = t.Columns()
	for j := range t.Numeric {
		if t.Numeric[j].Log1p {
			s.Log1p = append(s.Log1p, t.Numeric[j].Name)
		}
	}
	s.Weights, s.Orders = t.weighted(), t.Orders()
	return s
}

// weighted are the columns with a weight, in order.
func (t *Transform) weighted() []Weight {
	var weights []Weight
	for j := range t.Numeric {
		if c := &t.Numeric[j]; c.Weight != 0 {
			weights = append(weights, Weight{c.Name, c.Weight})
		}
	}
	for i := range t.Categorical {
		if c := &t.Categorical[i]; c.Weight != 0 {
			weights = append(weights, Weight{c.Name, c.Weight})
		}
	}
	return weights
}

// Orders are those of the columns that are texts in the data.
func (t *Transform) Orders() []Order {
	var orders []Order
	for j := range t.Numeric {
		if c := &t.Numeric[j]; len(c.Order) > 0 {
			orders = append(orders, Order{c.Name, c.Order})
		}
	}
	return orders
}

// Plain tells whether no column has a weight, folded levels or an order.
func (t *Transform) Plain() bool {
	folded := func(c CategoricalColumn) bool { return len(c.Folded) > 0 }
	return len(t.weighted())+len(t.Orders()) == 0 && !slices.ContainsFunc(t.Categorical, folded)
}

// factor is what a weight multiplies by.
func factor(weight float64) float64 {
	if weight == 0 {
		return 1
	}
	return weight
}

// Weights are the factors of the d output columns; 1 where a column has no weight.
func (t *Transform) Weights() []float64 {
	weights := make([]float64, 0, t.Width())
	for j := range t.Numeric {
		weights = append(weights, factor(t.Numeric[j].Weight))
	}
	for j := range t.Numeric {
		if t.Numeric[j].Indicator != nil {
			weights = append(weights, factor(t.Numeric[j].Weight))
		}
	}
	for i := range t.Categorical {
		for range t.Categorical[i].width() {
			weights = append(weights, factor(t.Categorical[i].Weight))
		}
	}
	return weights
}

// Width is the number of output columns, d.
func (t *Transform) Width() int {
	d := len(t.Numeric)
	for j := range t.Numeric {
		if t.Numeric[j].Indicator != nil {
			d++
		}
	}
	for c := range t.Categorical {
		d += t.Categorical[c].width()
	}
	return d
}

func (c *CategoricalColumn) width() int {
	if c.Missing != nil {
		return len(c.Levels) + 1
	}
	return len(c.Levels)
}

// Outputs are the names of the d output columns: the numeric ones, the indicators "A=missing", the levels "col=level".
func (t *Transform) Outputs() []string {
	names := make([]string, 0, t.Width())
	for j := range t.Numeric {
		names = append(names, t.Numeric[j].Name)
	}
	for j := range t.Numeric {
		if t.Numeric[j].Indicator != nil {
			names = append(names, t.Numeric[j].Name+"="+missingLevel)
		}
	}
	for i := range t.Categorical {
		c := &t.Categorical[i]
		for k := range c.Levels {
			names = append(names, c.Name+"="+c.Levels[k].Value)
		}
		if c.Missing != nil {
			names = append(names, c.Name+"="+missingLevel)
		}
	}
	return names
}

// Grids are shift and grid of the d output columns.
func (t *Transform) Grids() []Grid {
	grids := make([]Grid, 0, t.Width())
	t.eachGrid(func(g *Grid) { grids = append(grids, *g) })
	return grids
}

// eachGrid walks the grids in the order of the outputs.
func (t *Transform) eachGrid(visit func(*Grid)) {
	for j := range t.Numeric {
		visit(&t.Numeric[j].Grid)
	}
	for j := range t.Numeric {
		if g := t.Numeric[j].Indicator; g != nil {
			visit(g)
		}
	}
	for i := range t.Categorical {
		c := &t.Categorical[i]
		for k := range c.Levels {
			visit(&c.Levels[k].Grid)
		}
		if c.Missing != nil {
			visit(c.Missing)
		}
	}
}

// NeedsSecondPass tells whether the rows have to be walked once more before Apply: for the cosine metric, where shift
// and grid depend on the normalised rows. See NormalisedStatistics.
func (t *Transform) NeedsSecondPass() bool { return t.Pending }

// Limit is the largest absolute value of a coordinate in d dimensions: half of what would let a squared distance
// overflow float32, rounded down.
func Limit(d int) float32 {
	exactly := math.Sqrt(math.MaxFloat32/float64(max(d, 1))) / 2
	limit := float32(exactly)
	if float64(limit) > exactly {
		limit = math.Nextafter32(limit, 0)
	}
	return limit
}

// Inverse leads a Point or centroid (length d) back to the units of the input. Entry i belongs to Outputs()[i]: a number
// in the units of its column, then shares of missing values and of levels, from 0 to 1. A normalised row's length is
// lost: its direction is led back as if it had been the row.
func (t *Transform) Inverse(p []float32) []float64 {
	grids, weights := t.Grids(), t.Weights()
	values := make([]float64, len(grids))
	for i := range values {
		values[i] = (float64(p[i]) + grids[i].Shift) / weights[i]
	}
	for j := range t.Numeric {
		c := &t.Numeric[j]
		v := float64(values[j]*c.Spread) + c.Center
		if c.Log1p {
			v = exact.Expm1(v)
		}
		values[j] = v
	}
	return values
}

// Forward is the way back from Inverse: values, of length d and in the units of the input, become a Point. Unlike
// Apply it takes shares between 0 and 1 for levels, so that it places centroids of another model. The Row of a
// *ValueError is NoRow.
func (t *Transform) Forward(values []float64) ([]float32, error) {
	names, grids := t.Outputs(), t.Grids()
	v := append([]float64(nil), values[:len(grids)]...)
	check := columns{missing: Fail}
	for i := range v {
		log := i < len(t.Numeric) && t.Numeric[i].Log1p
		if err := check.badNumber(v[i], log); err != nil {
			err.Row, err.Column = NoRow, names[i]
			return nil, err
		}
	}
	for j := range t.Numeric {
		t.Numeric[j].scale(v[j : j+1])
	}
	for i, w := range t.Weights()[len(t.Numeric):] {
		v[len(t.Numeric)+i] *= w
	}
	if t.Normalize && !normaliseRow(v) {
		return nil, &ValueError{Row: NoRow, Reason: reasonZeroRow, Remedy: remedyZeroRow}
	}
	point, limit := make([]float32, len(v)), Limit(len(v))
	for i := range v {
		point[i] = exact.ToGrid(v[i], grids[i].Shift, grids[i].Exponent)
		if !(point[i] <= limit && point[i] >= -limit) {
			return nil, &ValueError{Row: NoRow, Column: names[i], Value: values[i], Reason: reasonTooLarge, Remedy: remedyTooLarge}
		}
	}
	return point, nil
}

// onlyScaled tells whether scaling is all that becomes of a value that is there: no logarithm, no weight.
func (c *NumericColumn) onlyScaled() bool { return !c.Log1p && c.Weight == 0 }

// scaling is what becomes of a value that is there, but for log1p and weight.
func (c *NumericColumn) scaling() exact.Scaling {
	return exact.Scaling{Center: c.Center, Spread: c.Spread, Shift: c.Grid.Shift, Exponent: c.Grid.Exponent}
}

// scale leads raw numbers through log1p, scaling and weight, in place. They are above −1 where there is a logarithm.
func (c *NumericColumn) scale(x []float64) {
	if c.Log1p {
		for i, v := range x {
			x[i] = exact.Log1p(v)
		}
	}
	center, spread := c.Center, c.Spread
	for i, v := range x {
		x[i] = (v - center) / spread
	}
	if w := c.Weight; w != 0 {
		for i, v := range x {
			x[i] = float64(v * w)
		}
	}
}
