package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/segment"
)

// profileFlags are those of coterie profile.
type profileFlags struct {
	data    dataFlags
	model   string
	output  string
	value   string
	withIDs bool
	sweep   string
	moves   string
	threads int64
	json    bool
}

// newProfileCommand is coterie profile.
func newProfileCommand(app *App) *cobra.Command {
	f := &profileFlags{}
	cmd := &cobra.Command{
		Use:   "profile --model model.json DATA… [-o report.html]",
		Short: "Say what each segment is like: sizes, values, what sets it apart, a rule, a page to show",
		Long: "Profile reads the customers once, labels them with the model and measures every segment in the units of the input,\n" +
			"against the whole base. Means and shares are exact; quartiles are within a tenth of a per cent.",
		Example: "  coterie profile --model model.json customers.parquet\n" +
			"  coterie profile --model model.json customers.parquet -o report.html",
		Args: someArgs("DATA"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), app, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "", "the model: `FILE`.json")
	flags.StringVarP(&f.output, "output", "o", "", "where the profile goes: `FILE`.html, a page to show, or .json")
	flags.StringVar(&f.value, "value", "", "the column `COL` that says what a customer is worth (default monetary)")
	flags.StringVar(&f.sweep, "sweep", "", "show on the page how k was chosen: the `FILE`.json of sweep -o")
	flags.StringVar(&f.moves, "moves", "", "show on the page where the customers came from: the `FILE`.json that migrate --json printed")
	flags.BoolVar(&f.withIDs, "with-ids", false, "name the customers nearest to each segment's centre")
	f.data.bindRows(cmd)
	bindThreads(cmd, &f.threads)
	addJSON(cmd, &f.json)
	require(cmd, "model")
	return cmd
}

func (f *profileFlags) run(ctx context.Context, app *App, args []string) error {
	if err := f.check(args); err != nil {
		return err
	}
	reporter := app.reporter()
	engine := engineFlags{threads: f.threads}
	r := &pipeline.ProfileRequest{Data: f.data.request(args), Engine: engine.request(app, reporter), Model: f.model, Value: f.value,
		WithIDs: f.withIDs, Sweep: f.sweep, Moves: f.moves, Version: version()}
	if strings.HasSuffix(strings.ToLower(f.output), ".html") {
		r.Page = f.output
	}
	outcome, err := pipeline.Profile(ctx, r)
	reporter.Close()
	if err != nil {
		return err
	}
	app.tellLeftOut(&outcome.Intake)
	doc := profileDocumentOf(outcome.Summary)
	if f.output != "" && r.Page == "" {
		if err := writeJSON(f.output, doc); err != nil {
			return err
		}
	}
	return app.answer(f.json, doc, func(w io.Writer) {
		writeProfile(w, outcome.Summary, app.width())
		switch {
		case f.output == "":
			fmt.Fprintln(w, "\nnext  -o report.html makes a page of it, -o profile.json has every figure and histogram")
		case r.Page != "":
			fmt.Fprintf(w, "\npage  %s\n", f.output)
		default:
			fmt.Fprintf(w, "\nprofile  %s\n", f.output)
		}
	})
}

func (f *profileFlags) check(args []string) error {
	if err := f.data.check(); err != nil {
		return err
	}
	if f.output != "" {
		if err := checkOutput("-o", f.output, ".html", ".json"); err != nil {
			return err
		}
	}
	for _, out := range []struct{ flag, path string }{{"-o", f.output}, {"--bad-rows-out", f.data.badRowsOut}} {
		if err := checkNotInput(out.flag, out.path, append(args, f.model)...); err != nil {
			return err
		}
	}
	for _, part := range []struct{ flag, path string }{{"--sweep", f.sweep}, {"--moves", f.moves}} {
		if part.path != "" && !strings.HasSuffix(strings.ToLower(f.output), ".html") {
			return fault.Usagef("%s: %q is for the page", part.flag, part.path).Do("add -o report.html")
		}
	}
	return checkStdout(f.json, f.output, f.data.badRowsOut)
}

// writeJSON writes a document as a file: whole, or not at all.
func writeJSON(path string, doc any) error {
	return store.WriteFile(path, func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		return encoder.Encode(doc)
	})
}

// profileDocument is what profile --json prints. Figures that are not known are null.
type profileDocument struct {
	Rows     int64             `json:"rows"`
	Value    *string           `json:"value"` // the column that says what a customer is worth
	Segments []profiledSegment `json:"segments"`
}

type profiledSegment struct {
	Segment         int               `json:"segment"`
	ID              string            `json:"id"`
	Name            string            `json:"name"`
	Size            int64             `json:"size"`
	Share           float64           `json:"share"`
	ValueShare      *float64          `json:"value_share"`
	Features        []profiledFeature `json:"features"`
	Rule            *string           `json:"rule"`
	RulePrecision   *float64          `json:"rule_precision,omitempty"`
	RuleRecall      *float64          `json:"rule_recall,omitempty"`
	Nearest         *int              `json:"nearest"`
	NearestDistance *float64          `json:"nearest_distance,omitempty"`
	Examples        []profiledExample `json:"examples,omitempty"`
}

// profiledFeature is a numeric feature, or the share of one level of a categorical one, called column=level.
type profiledFeature struct {
	Feature    string   `json:"feature"`
	Mean       *float64 `json:"mean"`
	Median     *float64 `json:"median"`
	Q1         *float64 `json:"q1"`
	Q3         *float64 `json:"q3"`
	BaseMean   *float64 `json:"base_mean"`
	BaseMedian *float64 `json:"base_median"`
	Effect     *float64 `json:"effect"` // (mean − base mean) / standard deviation of the base
	Lift       *float64 `json:"lift,omitempty"`
	Histogram  *bars    `json:"histogram,omitempty"`
}

type bars struct {
	Edges []float64 `json:"edges"`
	Rows  []int64   `json:"rows"`
	Base  []int64   `json:"base"`
}

type profiledExample struct {
	ID       string  `json:"id"`
	Distance float64 `json:"distance"`
}

// known is a number for JSON; nil where there is none.
func known(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// at is an entry of a list that may be nil.
func at(list []float64, j int) *float64 {
	if j >= len(list) {
		return nil
	}
	return known(list[j])
}

func profileDocumentOf(s *segment.Summary) *profileDocument {
	doc := &profileDocument{Rows: s.Base.Count, Segments: make([]profiledSegment, len(s.Segments))}
	if s.Value >= 0 {
		doc.Value = &s.Columns[s.Value].Name
	}
	for i := range s.Segments {
		g := &s.Segments[i]
		p := profiledSegment{Segment: i, ID: g.ID, Name: g.Name, Size: g.Count, Share: g.Share, ValueShare: known(g.ValueShare), Features: []profiledFeature{}}
		for j, c := range s.Columns {
			f := profiledFeature{Feature: c.Name, Mean: at(g.Mean, j), Median: at(g.Median, j), Q1: at(g.Q1, j), Q3: at(g.Q3, j),
				BaseMean: at(s.Base.Mean, j), BaseMedian: at(s.Base.Median, j), Effect: at(g.Effect, j)}
			if c.Share && s.Base.Mean[j] > 0 {
				f.Lift = known(g.Mean[j] / s.Base.Mean[j])
			}
			if j < len(s.Histograms) && len(s.Histograms[j].Edges) > 0 {
				h := &s.Histograms[j]
				f.Histogram = &bars{h.Edges, h.Segments[i], h.Base}
			}
			p.Features = append(p.Features, f)
		}
		if i < len(s.Rules) && s.Rules[i].Text != "" {
			r := &s.Rules[i]
			p.Rule, p.RulePrecision, p.RuleRecall = &r.Text, &r.Precision, &r.Recall
		}
		if i < len(s.Nearest) && s.Nearest[i].Segment >= 0 {
			p.Nearest, p.NearestDistance = &s.Nearest[i].Segment, &s.Nearest[i].Distance
		}
		if i < len(s.Examples) {
			for _, e := range s.Examples[i] {
				p.Examples = append(p.Examples, profiledExample{e.ID, e.Distance})
			}
		}
		doc.Segments[i] = p
	}
	return doc
}

// profiledInWords is how many segments the text describes one by one; the page and the document have all.
const profiledInWords = 30

// writeProfile says in words what the segments are like, the most valuable first.
func writeProfile(w io.Writer, s *segment.Summary, width int) {
	// A Builder behind it does not fail.
	_ = s.Table(w, width)
	order := s.ByValue()
	for _, i := range order[:min(len(order), profiledInWords)] {
		fmt.Fprintf(w, "\n%s\n", s.Describe(i))
	}
	if len(order) > profiledInWords {
		fmt.Fprintf(w, "\n%d more segments are in -o report.html and --json\n", len(order)-profiledInWords)
	}
}
