package pipeline

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
)

// CheckRequest asks what is to be known of data before it is clustered.
type CheckRequest struct {
	Data   Data
	Engine Engine
	Model  string // look for drift against it; empty: none
}

// CheckOutcome is what was found.
type CheckOutcome struct {
	Rows     int64         `json:"rows"`
	Columns  []CheckColumn `json:"columns"`
	Findings []Finding     `json:"findings"`
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
	Drift    *float64 `json:"drift,omitempty"` // shift of the mean since the model, in the model's spreads
}

// Finding is something to look at, with the flag that mends it.
type Finding struct {
	Column  string `json:"column"`
	Problem string `json:"problem"` // bad_rows, missing, constant, skew, outliers, near_duplicate, looks_like_id, levels, drift
	Detail  string `json:"detail"`
	Remedy  string `json:"remedy"`
}

// What counts as worth a look.
const (
	outlierSigmas   = 8
	skewLimit       = 2
	duplicateLimit  = 0.999
	driftLimit      = 0.25
	levelsLimit     = 50
	sampleRows      = 50000
	fewestRowsForID = 50
)

// Check reads the data twice and describes it. It writes nothing.
func Check(ctx context.Context, r *CheckRequest) (*CheckOutcome, error) {
	var m *model.Model
	if r.Model != "" {
		var err error
		if m, err = model.ReadFile(r.Model); err != nil {
			return nil, err
		}
	}
	source, err := openData(ctx, &r.Data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	outcome, err := check(ctx, r, m, source)
	return outcome, explain(err, source)
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
	out := s.outcome()
	if m != nil {
		s.drift(out, m)
	}
	return out, nil
}

func (o *CheckOutcome) find(column, problem, remedy, format string, args ...any) {
	o.Findings = append(o.Findings, Finding{Column: column, Problem: problem, Detail: fmt.Sprintf(format, args...), Remedy: remedy})
}

func (s *survey) outcome() *CheckOutcome {
	out := &CheckOutcome{Rows: s.source.Rows(), Findings: []Finding{}}
	if s.whole.bad > 0 {
		out.find("", "bad_rows", "correct them, or set them aside with --bad-rows quarantine", "%d rows cannot be read; the first is at %s: %s",
			s.whole.bad, s.whole.firstBad.Place, s.whole.firstBad.Reason)
	}
	for i, c := range s.source.Schema().Columns {
		if c.Unusable != "" {
			out.find(c.Name, "unusable", "leave it out, or flatten it", "%s", c.Unusable)
			continue
		}
		column := CheckColumn{Name: c.Name, Kind: []string{"number", "text", "bool", "time"}[c.Kind], Feature: s.isFeature(c.Name),
			Missing: s.whole.columns[i].missing}
		s.describe(out, &column, i)
		out.Columns = append(out.Columns, column)
	}
	s.nearDuplicates(out)
	return out
}

// describe fills in the figures of one column and says what is worth a look, if the column is to be clustered on.
func (s *survey) describe(out *CheckOutcome, c *CheckColumn, i int) {
	stats := &s.whole.columns[i]
	look := func(problem, remedy, format string, args ...any) {
		if c.Feature {
			out.find(c.Name, problem, remedy, format, args...)
		}
	}
	if stats.missing > 0 {
		look("missing", "choose --missing mean, median, indicator or drop", "%d of %d values are missing", stats.missing, out.Rows)
	}
	if c.Kind != "number" {
		levels := len(stats.levels)
		c.Levels = &levels
		if levels > levelsLimit {
			look("levels", "leave it out of --categorical, or fold its levels", "%d%s levels", levels, strings.Repeat("+", btoi(levels >= mostLevels)))
		}
		return
	}
	if stats.moments.N == 0 {
		return
	}
	mean, std := stats.moments.Mean(), stats.moments.StdDev()
	c.Min, c.Max, c.Mean, c.Std = &stats.moments.Min, &stats.moments.Max, &mean, &std
	if std == 0 {
		look("constant", "leave it out of --features", "every value is %g", mean)
		return
	}
	skew := stats.cubes.Float64() / float64(stats.moments.N)
	c.Skew, c.Outliers = &skew, &stats.outliers
	if skew > skewLimit && stats.moments.Min > -1 && !s.hasLog(c.Name) {
		look("skew", "--log1p "+c.Name, "skewness %.1f: a few large values rule the scale", skew)
	} else if math.Abs(skew) > skewLimit && !s.hasLog(c.Name) {
		look("skew", "--scale robust", "skewness %.1f", skew)
	}
	if stats.outliers > 0 && !s.hasLog(c.Name) {
		look("outliers", "look at them, or use --scale robust or --log1p "+c.Name, "%d values lie more than %d standard deviations from the mean",
			stats.outliers, outlierSigmas)
	}
	if s.looksLikeID(i) {
		look("looks_like_id", "--id "+c.Name+", or leave it out of --features", "every value is a different whole number")
	}
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

// nearDuplicates compares the sampled features in pairs.
func (s *survey) nearDuplicates(out *CheckOutcome) {
	for a := range s.sample {
		for b := range a {
			if r := correlation(s.sample[b], s.sample[a]); math.Abs(r) > duplicateLimit {
				out.find(s.input.Spec.Numeric[a], "near_duplicate", "leave one of the two out of --features",
					"moves with %s (correlation %.4f): what both say counts twice", s.input.Spec.Numeric[b], r)
			}
		}
	}
}

// correlation is Pearson's over the rows where both are known; 0 where one is constant.
func correlation(x, y []float64) float64 {
	var n, mx, my float64
	for i := range x {
		if x[i] == x[i] && y[i] == y[i] {
			n++
			mx += x[i]
			my += y[i]
		}
	}
	mx, my = mx/n, my/n
	var xx, yy, xy float64
	for i := range x {
		if x[i] == x[i] && y[i] == y[i] {
			dx, dy := x[i]-mx, y[i]-my
			xx += float64(dx * dx)
			yy += float64(dy * dy)
			xy += float64(dx * dy)
		}
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx) / math.Sqrt(yy)
}

// drift compares the mean of each numeric feature with that of the rows that the model was fitted on, which its
// centroids and counts keep: their weighted mean, in the model's own scaled space.
func (s *survey) drift(out *CheckOutcome, m *model.Model) {
	for j, c := range m.Transform.Numeric {
		fitted := 0.0
		for i, n := range m.Counts {
			fitted += float64(float64(m.Centroid(i)[j])+c.Shift) * float64(n) / float64(m.Rows)
		}
		stats := &s.whole.columns[s.source.Schema().Index(c.Name)]
		if stats.scaled.N == 0 {
			continue
		}
		shift := (stats.scaled.Mean()-c.Center)/c.Spread - fitted
		for i := range out.Columns {
			if out.Columns[i].Name == c.Name {
				out.Columns[i].Drift = &shift
			}
		}
		if math.Abs(shift) > driftLimit {
			out.find(c.Name, "drift", "fit again", "the mean has moved by %+.2f of the model's %s spread", shift, m.Transform.Scale)
		}
	}
}
