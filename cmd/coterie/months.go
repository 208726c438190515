package main

import (
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/kmeans"
)

// monthFlags say which month a fit goes on from, and what it is held to.
type monthFlags struct {
	from   string // the model
	labels string // of its customers
	keep   bool   // its transforms
	gates  []string
}

// monthsLong is what the help of fit says about them.
func monthsLong() string {
	var b strings.Builder
	b.WriteString("\n\nWith --from the fit goes on from an older model: from its centroids, with its features and the same steps on them\n" +
		"unless others are asked for. Segments are matched, and keep their numbers, ids and names; new ones, those that are gone,\n" +
		"splits and merges are told. With more segments than before, further starts are drawn as --init says; with fewer, those\n" +
		"that are most alike are merged to start from.\n\n" +
		"With --gate NAME=BOUND the exit code is 4 where the fit is beyond the bound, and nothing is written:\n")
	for _, g := range pipeline.FitGates {
		fmt.Fprintf(&b, "  %-18s  %s\n", g.Name, g.Means)
	}
	return strings.TrimRight(b.String(), "\n")
}

// bind adds the flags.
func (m *monthFlags) bind(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&m.from, "from", "", "go on from last month's model, and keep its segments: `OLD`.json")
	flags.StringVar(&m.labels, "from-labels", "", "with --from: its labels, a `FILE` or a folder of parts; segments are matched by their customers")
	flags.BoolVar(&m.keep, "keep-transforms", false, "with --from: scale as that model does, instead of anew")
	flags.Var(newFitGates(&m.gates), "gate", "bounds that the fit must keep, else the exit code is 4 and nothing is written; see above")
}

// fitGates is a flag for the gates of fit.
type fitGates struct{ *names }

func newFitGates(to *[]string) fitGates {
	return fitGates{&names{to: to, check: func(text string) error {
		if _, err := pipeline.ParseFitGate(text); err != nil {
			return refuse("%v", err)
		}
		return nil
	}}}
}

// Type is what the help shows behind the flag.
func (fitGates) Type() string { return "NAME=BOUND" }

// check finds what contradicts itself before anything is read.
func (m *monthFlags) check(cmd *cobra.Command, f *fitFlags) error {
	switch {
	case m.from == "" && !cmd.Flags().Changed("clusters"):
		return missingFlag(cmd, "clusters")
	case m.from == "" && m.labels != "":
		return fault.Usagef("--from-labels: %q without --from", m.labels).Do("name the model that they are of with --from")
	case m.from == "" && m.keep:
		return fault.Usagef("--keep-transforms without --from").Do("name the model whose transforms to keep with --from")
	case m.from != "" && !isSeeding(f.method.init):
		return fault.Usagef("--init: %q with --from, which gives the centroids to start from", f.method.init).Do("leave one of them out")
	case m.from != "" && f.job.detaches():
		return fault.Usagef("--detach with --from: segments are matched by this process, once the fit has ended").Do("leave out --detach")
	case len(m.gates) > 0 && f.job.detaches():
		return fault.Usagef("--detach with --gate: this process would not be there to hold the fit to it").Do("leave out --detach")
	}
	return nil
}

// isSeeding says whether --init names a way to seed.
func isSeeding(init string) bool {
	switch kmeans.Init(init) {
	case kmeans.InitParallel, kmeans.InitPlusPlus, kmeans.InitRandom:
		return true
	}
	return false
}

// apply fills in the request. What is not asked for is as in the model.
func (m *monthFlags) apply(cmd *cobra.Command, r *pipeline.FitRequest) error {
	r.From, r.FromLabels, r.KeepTransforms = m.from, m.labels, m.keep
	for _, text := range m.gates {
		gate, err := pipeline.ParseFitGate(text)
		if err != nil {
			return err // the flag has refused it already
		}
		r.Gates = append(r.Gates, gate)
	}
	if m.from == "" {
		return nil
	}
	given := cmd.Flags().Changed
	if !given("scale") {
		r.Data.Scale = ""
	}
	if !given("missing") {
		r.Data.Missing = ""
	}
	r.MetricOfFrom = !given("metric")
	return nil
}

// writeMonths says in words what has become of the segments.
func writeMonths(w io.Writer, o *pipeline.Months, width int) {
	line := func(what, format string, args ...any) {
		fmt.Fprintln(w, shortened(fmt.Sprintf("%-8s", what)+visible(fmt.Sprintf(format, args...)), width))
	}
	line("since", "%s: %s, matched by their %s", filepath.Base(o.File), balance(o), o.MatchedBy)
	for _, s := range o.Split {
		line("split", "%s is now %s", s.From.Name, namesOf(s.Into))
	}
	for _, s := range o.Merged {
		line("merged", "%s are now %s", namesOf(s.From), s.Into.Name)
	}
	for _, s := range o.Born {
		line("new", "%d  %s (%s), %s customers", s.Segment, s.Name, s.ID, grouped(s.Rows))
	}
	for _, s := range o.Died {
		line("gone", "%s (%s), %s customers then", s.Name, s.ID, grouped(s.Rows))
	}
	for i := range o.Matched {
		s := &o.Matched[i]
		switch {
		case s.Renamed != "":
			line("renamed", "%d  %s (%s), which was %s: it has moved %.0f %% of the way to its neighbour", s.Segment, s.Name, s.ID, s.Renamed, 100*s.Way)
		case s.Way > toldWay:
			line("moved", "%d  %s (%s), by %.0f %% of the way to its neighbour", s.Segment, s.Name, s.ID, 100*s.Way)
		}
	}
	for _, d := range o.Drift {
		if d.Told() {
			line("drift", "%s", d.Words())
		}
	}
	if o.Agreement != nil {
		line("stayed", "%s of %s customers in both months", fmt.Sprintf("%.0f %%", 100**o.Agreement), grouped(*o.Shared))
	}
	if o.InertiaGrowth != nil {
		line("inertia", "%s a row, in the old scaled space", growthWords(*o.InertiaGrowth))
	}
}

// toldWay is how far a segment has moved when it is told.
const toldWay = 0.25

// growthWords says how much something has grown. What had nothing before has grown by the largest number.
func growthWords(growth float64) string {
	switch percent := 100 * growth; {
	case growth == math.MaxFloat64:
		return "something, where there was none,"
	case math.Abs(percent) < 0.05:
		return "the same"
	default:
		return fmt.Sprintf("%+.1f %%", percent)
	}
}

// balance counts the segments that go on, are new and are gone.
func balance(o *pipeline.Months) string {
	parts := []string{fmt.Sprintf("%d %s on", len(o.Matched), map[bool]string{true: "segment goes", false: "segments go"}[len(o.Matched) == 1])}
	if n := len(o.Born); n > 0 {
		parts = append(parts, fmt.Sprintf("%d new", n))
	}
	if n := len(o.Died); n > 0 {
		parts = append(parts, fmt.Sprintf("%d gone", n))
	}
	return strings.Join(parts, ", ")
}

func namesOf(list []pipeline.Known) string {
	var all []string
	for _, s := range list {
		all = append(all, s.Name)
	}
	if n := len(all); n > 1 {
		return strings.Join(all[:n-1], ", ") + " and " + all[n-1]
	}
	return strings.Join(all, "")
}
