package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
)

// CheckRequest asks what is to be known of data before it is clustered.
type CheckRequest struct {
	Data   Data
	Engine Engine
	Model  string      // look for drift against it; empty: none
	Gates  []CheckGate // bounds that the outcome is held to
}

// CheckOutcome is what was found.
type CheckOutcome struct {
	Rows     int64         `json:"rows"`
	BadRows  int64         `json:"bad_rows"`
	Columns  []CheckColumn `json:"columns"`
	Findings []Finding     `json:"findings"` // the worst first
	// Suggested are the arguments of a fit, but for its data, k and output, under which what stops or spoils it is mended; nil
	// where no feature would be left.
	Suggested []string `json:"suggested"`
	unseen    int64    // rows with a level that the model does not know, of the column with the most
}

// CheckColumn describes one column. Figures that a kind does not have are nil.
type CheckColumn struct {
	Name     string   `json:"name"`
	Kind     string   `json:"kind"` // number, text, bool or time
	Feature  bool     `json:"feature"`
	Missing  int64    `json:"missing"`
	Min      *float64 `json:"min,omitempty"`
	Max      *float64 `json:"max,omitempty"`
	Mean     *float64 `json:"mean,omitempty"`
	Std      *float64 `json:"std,omitempty"`
	Skew     *float64 `json:"skew,omitempty"`
	Outliers *int64   `json:"outliers,omitempty"` // values beyond outlierSigmas standard deviations
	Levels   *int     `json:"levels,omitempty"`
	// Drift since the model: of a number the shift of its mean, in the model's spreads; of a categorical feature the population
	// stability index of its levels.
	Drift *float64 `json:"drift,omitempty"`
}

// Severity says what becomes of a fit if nothing is done.
type Severity string

// The severities, the worst first.
const (
	stops  Severity = "stops"  // it refuses the data
	spoils Severity = "spoils" // it ends, and says little
	hint   Severity = "hint"   // it may be better otherwise
)

// Finding is something to look at, with the flag that mends it.
type Finding struct {
	Severity Severity `json:"severity"`
	Column   string   `json:"column"`
	Problem  string   `json:"problem"` // one of problems
	Detail   string   `json:"detail"`
	Remedy   string   `json:"remedy"`
}

// leftOutFor are the problems that nothing mends but leaving the column out.
var leftOutFor = []string{"looks_like_id", "constant", "near_duplicate"}

// problems are those that there are; of one severity the first come first.
var problems = []string{"bad_rows", "looks_like_id", "constant", "near_duplicate", "missing", "levels", "skew", "outliers", "drift",
	"unseen_levels", "rare_levels", "ordered", "text_numbers", "few_values", "unused", "unusable"}

// Check reads the data twice and describes it. It writes nothing. Where a gate fails the error is of kind Gate, and the
// outcome is there as well.
func Check(ctx context.Context, r *CheckRequest) (*CheckOutcome, error) {
	if err := r.checkGates(); err != nil {
		return nil, err
	}
	var m *model.Model
	if r.Model != "" {
		var err error
		if m, err = model.ReadFile(r.Model); err != nil {
			return nil, err
		}
	}
	data := r.Data
	if m != nil {
		if err := agrees(&data, m.Transform.Spec(), r.Model); err != nil {
			return nil, err
		}
		data = data.forModel(m)
	}
	source, err := openData(ctx, &data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	outcome, err := check(ctx, r, m, source)
	if err != nil {
		return nil, explain(err, source)
	}
	return outcome, outcome.hold(r.Gates, firstName(source))
}

// agrees refuses columns and transforms that are given beside a model which has others: those of the model would be taken.
func agrees(given *Data, spec *feature.Spec, file string) error {
	only := func(s feature.Spec) *feature.Spec { return &s }
	for _, c := range []struct {
		flag   string
		differ bool
	}{
		{"--features", given.Features != nil && !slices.Equal(given.Features, spec.Numeric)},
		{"--categorical", given.Categorical != nil && !slices.Equal(given.Categorical, spec.Categorical)},
		{"--log1p", given.Log1p != nil && !only(feature.Spec{Log1p: given.Log1p}).Equal(only(feature.Spec{Log1p: spec.Log1p}))},
		{"--feature-weight", given.Weights != nil && !sameWeights(given.Weights, spec.Weights)},
		{"--fold-levels", given.Fold != nil},
	} {
		if c.differ {
			return fault.Usagef("%s: is other than in %s, whose features and transforms count", c.flag, file).Do("leave out %s, or --model", c.flag)
		}
	}
	return nil
}

// sameWeights compares weights in any order.
func sameWeights(a, b []feature.Weight) bool {
	byColumn := func(x, y feature.Weight) int { return strings.Compare(x.Column, y.Column) }
	return slices.Equal(slices.SortedFunc(slices.Values(a), byColumn), slices.SortedFunc(slices.Values(b), byColumn))
}

func check(ctx context.Context, r *CheckRequest, m *model.Model, source dataset.Source) (*CheckOutcome, error) {
	var in *wire.Input
	var err error
	if m != nil {
		in, err = modelInput(&r.Data, m, source.Schema(), firstName(source), r.Model)
	} else {
		in, err = r.Data.input(source.Schema(), firstName(source))
	}
	if err != nil {
		return nil, err
	}
	s := newSurvey(source, in)
	if err := s.read(ctx, &r.Engine); err != nil {
		return nil, err
	}
	c := &checker{survey: s, out: &CheckOutcome{Rows: source.Rows(), BadRows: s.whole.bad, Columns: []CheckColumn{}, Findings: []Finding{}},
		advice: newAdvice()}
	c.columns()
	c.nearDuplicates()
	if m != nil {
		c.drift(m)
	}
	c.forgive()
	slices.SortStableFunc(c.out.Findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Severity.rank(), b.Severity.rank()), cmp.Compare(slices.Index(problems, a.Problem), slices.Index(problems, b.Problem)))
	})
	c.out.Suggested = c.advice.flags(&r.Data, in, m != nil)
	return c.out, nil
}

// forgive takes back what spoils or might help a column that is to be left out anyway.
func (c *checker) forgive() {
	out := make(map[string]bool)
	for _, f := range c.out.Findings {
		out[f.Column] = out[f.Column] || slices.Contains(leftOutFor, f.Problem)
	}
	c.out.Findings = slices.DeleteFunc(c.out.Findings, func(f Finding) bool {
		return f.Severity != stops && out[f.Column] && !slices.Contains(leftOutFor, f.Problem)
	})
}

func (s Severity) rank() int { return slices.Index([]Severity{stops, spoils, hint}, s) }

// checker makes findings of a survey.
type checker struct {
	*survey
	out    *CheckOutcome
	advice *advice
}

func (c *checker) find(s Severity, column, problem, remedy, format string, args ...any) {
	c.out.Findings = append(c.out.Findings, Finding{Severity: s, Column: column, Problem: problem, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

// columns describes each column and says what is worth a look.
func (c *checker) columns() {
	if c.whole.bad > 0 {
		severity := stops
		if c.input.BadRows == wire.BadRowsQuarantine {
			severity = hint
		}
		c.advice.quarantine = true
		c.find(severity, "", "bad_rows", "correct them, or --bad-rows quarantine sets them aside", "%s cannot be read; the first is at %s: %s",
			counted(c.whole.bad, "row", "rows"), c.whole.firstBad.Place, c.whole.firstBad.Reason)
	}
	for i, column := range c.source.Schema().Columns {
		if column.Unusable != "" {
			c.find(hint, column.Name, "unusable", "leave it out, or flatten it", "%s", column.Unusable)
			continue
		}
		one := CheckColumn{Name: column.Name, Kind: []string{"number", "text", "bool", "time"}[column.Kind], Feature: c.isFeature(column.Name),
			Missing: c.whole.columns[i].missing}
		if one.Kind == "number" {
			c.number(&one, &c.whole.columns[i])
		} else {
			c.text(&one, &c.whole.columns[i])
		}
		c.out.Columns = append(c.out.Columns, one)
	}
}
