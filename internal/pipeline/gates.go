package pipeline

import (
	"context"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
)

// FitGate is a bound that a fit is held to before anything is written.
type FitGate struct {
	Name  string  // one of FitGates
	Bound float64 // a share: 0.05 is 5 %
	Text  string  // as it was given
}

// The gates of a fit.
const (
	gateMinSize   = "min-size"
	gateGrowth    = "max-inertia-growth"
	gateAgreement = "min-agreement"
)

// FitGates are the names of the gates, with what each is a bound of.
var FitGates = []struct{ Name, Means string }{
	{gateMinSize, "at least that share of the rows in the smallest segment"},
	{gateGrowth, "at most so much more inertia a row than --from has, both in its scaled space"},
	{gateAgreement, "at least that share of the customers of --from-labels in the segment that goes on from theirs"},
}

// ParseFitGate reads NAME=BOUND. Bounds are given as 5% or 0.05. The error says what is wrong with the text, worded to follow
// it.
func ParseFitGate(text string) (FitGate, error) {
	var known []string
	for _, gate := range FitGates {
		known = append(known, gate.Name)
	}
	b, err := parseGate(text, known)
	g := FitGate{Name: b.name, Text: text, Bound: b.x}
	switch {
	case err != nil:
		return g, err
	case !b.number:
		return g, fmt.Errorf("needs a share as a bound, such as %s=10%%", g.Name)
	case g.Name != gateGrowth && b.x > 1:
		return g, fmt.Errorf("needs a share of at most 100%%, such as %s=1%%", g.Name)
	}
	return g, nil
}

// checkGates refuses a gate that there is nothing to hold against.
func (r *FitRequest) checkGates() error {
	for _, g := range r.Gates {
		switch {
		case g.Name == gateGrowth && r.From == "":
			return fault.Usagef("--gate: %q without --from", g.Text).Do("name the model that the fit goes on from with --from")
		case g.Name == gateAgreement && r.FromLabels == "":
			return fault.Usagef("--gate: %q without --from-labels", g.Text).Do("name last month's labels with --from-labels")
		}
	}
	return nil
}

// hold is an error of kind Gate that names every gate that fails; nil if none does.
func (f *fit) hold(ctx context.Context, m *model.Model) error {
	var failed, remedies []string
	for _, g := range f.request.Gates {
		why, remedy, err := f.breach(ctx, m, g)
		if err != nil {
			return err
		}
		if why != "" {
			failed, remedies = append(failed, "gate "+g.Text+": "+why), append(remedies, remedy)
		}
	}
	if len(failed) == 0 {
		return nil
	}
	return &fault.Error{Kind: fault.Gate, Place: fault.Place{Row: fault.NoRow}, Problem: strings.Join(failed, "; ") + "; nothing was written",
		Remedy: strings.Join(slices.Compact(remedies), "; ") + "; or loosen --gate"}
}

// breach says how far the fit is from what a gate asks for, and what to do; empty: it passes.
func (f *fit) breach(ctx context.Context, m *model.Model, g FitGate) (why, remedy string, err error) {
	switch g.Name {
	case gateMinSize:
		at := 0
		for i, n := range m.Counts {
			if n < m.Counts[at] {
				at = i
			}
		}
		if n := m.Counts[at]; float64(n) < g.Bound*float64(m.Rows) {
			return fmt.Sprintf("segment %d has %s of %s (%s)", at, counted(n, "row", "rows"), progress.Count(m.Rows), beyond(float64(n)/float64(m.Rows), g.Bound)),
				"fit with a smaller -k, or look for outliers with coterie check", nil
		}
	case gateGrowth:
		if err := f.measureGrowth(ctx, m); err != nil {
			return "", "", err
		}
		if x := *f.last.growth; x > g.Bound {
			more := beyond(x, g.Bound) + " more than"
			if x == math.MaxFloat64 {
				more = "above 0, as it was"
			}
			return fmt.Sprintf("a row's inertia is %s in %s", more, f.last.file),
				"look at what has changed with coterie check --model " + f.last.file + ", or choose k anew with coterie sweep", nil
		}
	case gateAgreement:
		if n, share, ok := f.last.agreement(); !ok || share < g.Bound {
			return fmt.Sprintf("of %s customers in both months %s are in the segment that goes on from theirs", progress.Count(n), beyond(share, g.Bound)),
				"look at what has changed with coterie check --model " + f.last.file + ", or try another --seed, or --keep-transforms", nil
		}
	}
	return "", "", nil
}

// beyond is a share in percent, with as many digits as it takes to tell it from the bound that it is beyond, and from nothing.
func beyond(share, bound float64) string {
	const most = 6 // digits; what they do not tell apart is a matter of rounding
	if share >= 1e6 {
		return strconv.FormatFloat(100*share, 'g', most, 64) + " %"
	}
	for digits := 1; ; digits++ {
		written := func(x float64) string { return strconv.FormatFloat(100*x, 'f', digits, 64) }
		if s := written(share); digits == most || s != written(bound) && (share == 0 || s != written(0)) {
			return s + " %"
		}
	}
}

// measureGrowth compares the inertia of a row with that of the old model, in the scaled space of that one. Unless the
// transforms are the same, the centroids are led there by way of the units of the input, and the rows are read once more.
func (f *fit) measureGrowth(ctx context.Context, m *model.Model) error {
	l := f.last
	if l.growth != nil {
		return nil
	}
	inertia, rows := m.Inertia, m.Rows
	if !reflect.DeepEqual(m.Transform, l.Transform) {
		c := &kmeans.Centroids{K: m.K, D: l.Width()}
		place := m.Into(l.Transform)
		for j := range m.K {
			p, err := place(j)
			if err != nil {
				return fault.Inputf(fault.In(l.file), "the new segment %d has no place among its transforms: %v", j, err).
					Do("leave out --gate %s, or fit with --keep-transforms", gateGrowth)
			}
			c.Values = append(c.Values, p...)
		}
		in := *f.input
		if in.Spec = l.Transform.Spec(); !sameOrders(in.Spec.Orders, f.input.Spec.Orders) {
			return fault.Usagef("--ordinal: the order is another than in %s, so that the inertia cannot be compared", l.file).
				Do("leave out --gate %s, or --ordinal", gateGrowth)
		}
		result, err := f.labelJob(ctx, "inertia", &in, l.Transform, c, "", noLabels{})
		if err != nil {
			return err
		}
		inertia, rows = result.Inertia, 0
		for _, n := range result.Counts {
			rows += n
		}
	}
	growth := 0.0
	now, then := inertia/float64(max(rows, 1)), l.Inertia/float64(max(l.Rows, 1))
	switch {
	case then > 0:
		growth = now/then - 1
	case now > 0:
		growth = math.MaxFloat64 // from nothing: beyond any bound
	}
	l.growth = &growth
	return nil
}

func sameOrders(a, b []feature.Order) bool {
	return slices.EqualFunc(a, b, func(x, y feature.Order) bool { return x.Column == y.Column && slices.Equal(x.Levels, y.Levels) })
}
