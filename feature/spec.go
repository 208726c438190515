package feature

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// Scale is how numeric columns are scaled: (x − centre) / spread. A spread of 0 divides by 1.
type Scale string

// The scalings.
const (
	Standard Scale = "standard" // mean and population standard deviation
	MinMax   Scale = "minmax"   // minimum and range: to 0..1
	Robust   Scale = "robust"   // median and interquartile range, linear interpolation
	None     Scale = "none"     // as they are
)

// Missing is what becomes of missing values.
type Missing string

// The ways with missing values. In a categorical column Mean and Median leave all levels zero.
const (
	Fail      Missing = "fail"      // an error that names the first row and column
	Mean      Missing = "mean"      // the mean of the values that are there
	Median    Missing = "median"    // their median
	Indicator Missing = "indicator" // the mean, and a further column of 0 and 1 that says so
	Drop      Missing = "drop"      // the row does not count
)

// Limits of a Spec and of what is made of it.
const (
	MaxLevels    = 10_000 // different values of a categorical column
	MaxLevelText = 1024   // bytes of one of them
	MaxOutputs   = 1 << 16
	MaxOrder     = 1000 // values of an Order: nobody writes longer ones down
)

// LeastWeight and MostWeight are the bounds of a column's weight. Beyond them either this column or all others would vanish
// in the squared distances, whose float32 has 24 bits; and a level's share stays far within the largest coordinate.
const (
	LeastWeight = 1e-9
	MostWeight  = 1e9
)

// MaxMagnitude is the largest absolute value of an input: its square, summed over 2^63 rows, is a float64.
const MaxMagnitude = 0x1p480

// Spec says what is to be done with the columns, in this order: missing values, log1p, scaling, one-hot
// encoding, weights, and for the cosine metric normalisation of the whole row.
type Spec struct {
	Numeric     []string `json:"numeric,omitempty"`     // names, in order
	Log1p       []string `json:"log1p,omitempty"`       // those of Numeric that become log(1+x)
	Categorical []string `json:"categorical,omitempty"` // encoded one-hot, not scaled
	Scale       Scale    `json:"scale"`
	Missing     Missing  `json:"missing"`
	Normalize   bool     `json:"normalize,omitempty"` // rows of length 1, for the cosine metric
	Weights     []Weight `json:"weights,omitempty"`   // of some of the columns, in their order
	Fold        *Fold    `json:"fold,omitempty"`      // which levels are rare; nil: none are
	Orders      []Order  `json:"orders,omitempty"`    // of those of Numeric that are texts in the data, in their order
}

// Order makes numbers of a column of text: its values from the least to the greatest are 0, 1, 2, …. Whoever reads the data
// puts the numbers into the Batch; here they are numbers as others.
type Order struct {
	Column string   `json:"column"`
	Levels []string `json:"levels"` // at least two and at most MaxOrder, all different
}

// Weight multiplies all output columns that come of an input column, after scaling and encoding.
type Weight struct {
	Column string  `json:"column"`
	Factor float64 `json:"factor"` // LeastWeight to MostWeight, but not 1, which is what columns without one have
}

// Fold says which levels of a categorical column become the one level "other": those that fewer rows have. A level that is
// called so already takes them in. The level of missing values is never folded.
type Fold struct {
	Rows    int64   `json:"rows,omitempty"`    // fewer than so many rows; 0: see Percent
	Percent float64 `json:"percent,omitempty"` // less than so many hundredths of the rows that count; 0: see Rows
}

// Validate is a *SpecError for the first thing that makes no sense, else nil.
func (s *Spec) Validate() error {
	if err := s.Scale.validate(); err != nil {
		return err
	}
	if err := s.Missing.validate(); err != nil {
		return err
	}
	if len(s.Numeric)+len(s.Categorical) == 0 {
		return &SpecError{Field: "features", Reason: "none", Remedy: "name at least one column"}
	}
	if n := len(s.Numeric) + len(s.Categorical); n > MaxOutputs {
		return &SpecError{Field: "features", Value: fmt.Sprint(n), Reason: fmt.Sprintf("more than %d columns", MaxOutputs)}
	}
	if err := uniqueNames("features", s.Numeric, s.Categorical); err != nil {
		return err
	}
	if err := uniqueNames("log1p", s.Log1p); err != nil {
		return err
	}
	numeric := make(map[string]bool, len(s.Numeric))
	for _, name := range s.Numeric {
		numeric[name] = true
	}
	for _, name := range s.Log1p {
		if !numeric[name] {
			return &SpecError{Field: "log1p", Value: name, Reason: "not one of the numeric features",
				Remedy: "choose among " + strings.Join(s.Numeric, ", ")}
		}
	}
	if err := s.validateWeights(); err != nil {
		return err
	}
	if err := s.validateOrders(); err != nil {
		return err
	}
	return s.Fold.validate()
}

// validateOrders holds that orders are of numeric columns, in the order of these.
func (s *Spec) validateOrders() error {
	left := s.Orders
	for _, name := range s.Numeric {
		if len(left) > 0 && left[0].Column == name {
			left = left[1:]
		}
	}
	if len(left) > 0 {
		return &SpecError{Field: "orders", Value: left[0].Column, Reason: "not one of the numeric features, or not in their order",
			Remedy: "the features are " + strings.Join(s.Numeric, ", ")}
	}
	for _, o := range s.Orders {
		if err := validateLevels(o.Column, o.Levels); err != nil {
			return err
		}
	}
	return nil
}

// validateLevels holds that the levels of an order are texts that differ, and of a sensible number.
func validateLevels(column string, levels []string) error {
	wrong := func(value, reason string) error {
		return &SpecError{Field: "order of " + column, Value: value, Reason: reason}
	}
	if n := len(levels); n < 2 || n > MaxOrder {
		return wrong(fmt.Sprint(n), fmt.Sprintf("an order has 2 to %d levels", MaxOrder))
	}
	seen := make(map[string]bool, len(levels))
	for _, level := range levels {
		switch {
		case level == "" || len(level) > MaxLevelText || !utf8.ValidString(level):
			return wrong(level, "not a text that a level can have")
		case seen[level]:
			return wrong(level, "there twice")
		}
		seen[level] = true
	}
	return nil
}

// validateWeights holds that weights are of columns, in the order of these, so that equal Specs have equal bytes.
func (s *Spec) validateWeights() error {
	left := s.Weights
	for _, columns := range [][]string{s.Numeric, s.Categorical} {
		for _, name := range columns {
			if len(left) > 0 && left[0].Column == name {
				left = left[1:]
			}
		}
	}
	if len(left) > 0 {
		return &SpecError{Field: "weights", Value: left[0].Column, Reason: "not one of the features, or not in their order",
			Remedy: "the features are " + strings.Join(slices.Concat(s.Numeric, s.Categorical), ", ")}
	}
	for _, w := range s.Weights {
		if w.Factor == 1 || !isWeight(w.Factor) {
			return badWeight(w.Column, w.Factor)
		}
	}
	return nil
}

// isWeight tells whether a factor is within the bounds.
func isWeight(x float64) bool { return x >= LeastWeight && x <= MostWeight }

func badWeight(column string, factor float64) error {
	return &SpecError{Field: "weights", Value: fmt.Sprintf("%s=%v", column, factor),
		Reason: fmt.Sprintf("a weight is a number from %g to %g, and 1 is none", LeastWeight, MostWeight)}
}

func (f *Fold) validate() error {
	switch {
	case f == nil:
		return nil
	case f.Rows < 0 || !(f.Percent >= 0 && f.Percent <= 100):
		return &SpecError{Field: "fold", Value: fmt.Sprintf("%+v", *f), Reason: "neither a number of rows nor a percentage"}
	case (f.Rows > 0) == (f.Percent > 0):
		return &SpecError{Field: "fold", Value: fmt.Sprintf("%+v", *f), Reason: "either a number of rows or a percentage, and not both"}
	}
	return nil
}

// rare tells whether a level that count of all rows have is folded.
func (f *Fold) rare(count, rows int64) bool {
	switch {
	case f == nil:
		return false
	case f.Rows > 0:
		return count < f.Rows
	}
	// Hundredths as they were given: 7 of 100 rows are not below 7 %, whatever 0.07 is in binary.
	return float64(count)*100 < f.Percent*float64(rows)
}

// factors are the weights by column. Columns without one are not there, and so their factor is the 0 of a Transform.
func (s *Spec) factors() map[string]float64 {
	factors := make(map[string]float64, len(s.Weights))
	for _, w := range s.Weights {
		factors[w.Column] = w.Factor
	}
	return factors
}

func (s Scale) validate() error {
	switch s {
	case Standard, MinMax, Robust, None:
		return nil
	}
	return &SpecError{Field: "scale", Value: string(s), Reason: "unknown", Remedy: "choose standard, minmax, robust or none"}
}

func (m Missing) validate() error {
	switch m {
	case Fail, Mean, Median, Indicator, Drop:
		return nil
	}
	return &SpecError{Field: "missing", Value: string(m), Reason: "unknown",
		Remedy: "choose fail, mean, median, indicator or drop"}
}

// imputes tells whether a missing number is replaced by another.
func (m Missing) imputes() bool { return m == Mean || m == Median || m == Indicator }

// uniqueNames holds that all names are given, are UTF-8 (a model is JSON), and stand there once.
func uniqueNames(field string, lists ...[]string) error {
	seen := make(map[string]bool)
	for _, names := range lists {
		for _, name := range names {
			switch {
			case name == "":
				return &SpecError{Field: field, Value: name, Reason: "a column without a name"}
			case !utf8.ValidString(name):
				return &SpecError{Field: field, Value: name, Reason: reasonNotUTF8, Remedy: remedyNotUTF8}
			case seen[name]:
				return &SpecError{Field: field, Value: name, Reason: "named twice"}
			}
			seen[name] = true
		}
	}
	return nil
}

// logs tells for each numeric column whether it becomes log(1+x).
func (s *Spec) logs() []bool {
	chosen := make(map[string]bool, len(s.Log1p))
	for _, name := range s.Log1p {
		chosen[name] = true
	}
	logs := make([]bool, len(s.Numeric))
	for j, name := range s.Numeric {
		logs[j] = chosen[name]
	}
	return logs
}
