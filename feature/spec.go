package feature

import (
	"fmt"
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
)

// MaxMagnitude is the largest absolute value of an input: its square, summed over 2^63 rows, is a float64.
const MaxMagnitude = 0x1p480

// Spec says what is to be done with the columns, in this order: missing values, log1p, scaling, one-hot
// encoding, and for the cosine metric normalisation of the whole row.
type Spec struct {
	Numeric     []string `json:"numeric,omitempty"`     // names, in order
	Log1p       []string `json:"log1p,omitempty"`       // those of Numeric that become log(1+x)
	Categorical []string `json:"categorical,omitempty"` // encoded one-hot, not scaled
	Scale       Scale    `json:"scale"`
	Missing     Missing  `json:"missing"`
	Normalize   bool     `json:"normalize,omitempty"` // rows of length 1, for the cosine metric
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
	return nil
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
