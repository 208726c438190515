package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/pipeline"
)

// checkFlags are those of coterie check.
type checkFlags struct {
	data    dataFlags
	threads int64
	model   string
	gates   []string
	json    bool
}

// newCheckCommand is coterie check.
func newCheckCommand(app *App) *cobra.Command {
	f := &checkFlags{}
	var gates strings.Builder
	for _, g := range pipeline.CheckGates {
		fmt.Fprintf(&gates, "  %-9s %s\n", g.Name, g.Means)
	}
	cmd := &cobra.Command{
		Use:   "check DATA…",
		Short: "Look at the data before it is clustered, and say which flag mends what",
		Long: "Check describes every column and looks for what stops or spoils a clustering: missing values, constants, skew,\n" +
			"outliers, columns that say the same, ids among the features, rare levels, and, against a model, drift. It ends\n" +
			"with the fit that mends it, and writes nothing.\n\n" +
			"With --gate NAME=BOUND the exit code is 4 where the data is beyond the bound:\n" + gates.String(),
		Example: "  coterie check customers.parquet\n" +
			"  coterie check customers.parquet --model last.json --gate missing=5%,drift=0.25,rows=1000000",
		Args: someArgs("DATA"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), app, args) },
	}
	cmd.Flags().StringVar(&f.model, "model", "", "look for drift since this model was fitted: `FILE`.json")
	cmd.Flags().Var(newCheckGates(&f.gates), "gate", "bounds that the data must keep, else the exit code is 4; see above")
	f.data.bind(cmd)
	bindThreads(cmd, &f.threads)
	addJSON(cmd, &f.json)
	return cmd
}

// checkGates is a flag for the gates of check.
type checkGates struct{ *names }

func newCheckGates(to *[]string) checkGates {
	return checkGates{&names{to: to, check: func(text string) error {
		if _, err := pipeline.ParseCheckGate(text); err != nil {
			return refuse("%v", err)
		}
		return nil
	}}}
}

// Type is what the help shows behind the flag.
func (checkGates) Type() string { return "NAME=BOUND" }

func (f *checkFlags) run(ctx context.Context, app *App, args []string) error {
	if err := f.data.check(); err != nil {
		return err
	}
	r := &pipeline.CheckRequest{Data: f.data.request(args), Model: f.model}
	for _, text := range f.gates {
		gate, err := pipeline.ParseCheckGate(text)
		if err != nil {
			return err // the flag has refused it already
		}
		r.Gates = append(r.Gates, gate)
	}
	reporter := app.reporter()
	engine := engineFlags{threads: f.threads}
	r.Engine = engine.request(app, reporter)
	outcome, err := pipeline.Check(ctx, r)
	reporter.Close()
	if outcome == nil || err != nil && f.json { // a document is printed where the command ends well
		return err
	}
	if told := app.answer(f.json, outcome, func(w io.Writer) { writeCheck(w, outcome, args, app.width()) }); told != nil {
		return told
	}
	return err
}

// writeCheck says in words what was found, the worst first, and in the end what to do.
func writeCheck(w io.Writer, o *pipeline.CheckOutcome, files []string, width int) {
	fmt.Fprintf(w, "%s\n", counted(o.Rows, "row", "rows"))
	writeColumns(w, o.Columns, width)
	fmt.Fprintln(w)
	if len(o.Findings) == 0 {
		fmt.Fprintln(w, "nothing to mend")
	} else {
		writeFindings(w, o.Findings, width)
	}
	fmt.Fprintln(w)
	if o.Suggested == nil {
		fmt.Fprintln(w, "next  no column is left to cluster on: name others with --features or --categorical")
		return
	}
	words := []string{"coterie fit"}
	for _, file := range files {
		words = append(words, quoted(file))
	}
	words = append(words, "-k 5")
	for _, arg := range o.Suggested {
		words = append(words, quoted(arg))
	}
	fmt.Fprintf(w, "next  %s -o model.json\n", strings.Join(words, " "))
}

// writeFindings writes a line for each finding, or two where the terminal is too narrow for one.
func writeFindings(w io.Writer, findings []pipeline.Finding, width int) {
	wide, narrow := newGrid(2, "a fit", "column", "finding", "what to do"), newGrid(1, "a fit", "column", "what to do")
	for _, x := range findings {
		says := map[pipeline.Severity]string{"stops": "stops", "spoils": "suffers", "hint": "may gain"}[x.Severity]
		column := cmp.Or(x.Column, "(rows)")
		wide.add(says, column, x.Detail, x.Remedy)
		narrow.add(says, column, x.Remedy)
		narrow.note("        " + x.Detail)
	}
	if width > 0 && wide.width() > width {
		narrow.write(w, width)
		return
	}
	wide.write(w, width)
}

// writeColumns writes a line for each column. Figures that no column has take no room, and in a narrow terminal the findings
// have to do for some.
func writeColumns(w io.Writer, columns []pipeline.CheckColumn, width int) {
	head := []string{"column", "kind", "feature", ">missing", ">min", ">mean", ">max", ">std", ">skew", ">outliers", ">levels", ">drift"}
	var rows [][]string
	used := make([]bool, len(head))
	for _, c := range columns {
		feature, levels, outliers := "", "", ""
		if c.Feature {
			feature = "yes"
		}
		if c.Levels != nil {
			levels = strconv.Itoa(*c.Levels)
		}
		if c.Outliers != nil {
			outliers = grouped(*c.Outliers)
		}
		row := []string{c.Name, c.Kind, feature, grouped(c.Missing), figure(c.Min), figure(c.Mean), figure(c.Max), figure(c.Std), figure(c.Skew),
			outliers, levels, drifted(c.Drift)}
		for i := range row {
			used[i] = used[i] || row[i] != ""
		}
		rows = append(rows, row)
	}
	table := func() *grid {
		kept := func(row []string) (cells []string) {
			for i := range row {
				if used[i] {
					cells = append(cells, row[i])
				}
			}
			return cells
		}
		t := newGrid(0, kept(head)...)
		for _, row := range rows {
			t.add(kept(row)...)
		}
		return t
	}
	t := table()
	for _, spare := range []string{">std", ">outliers", ">skew", ">mean"} {
		if width <= 0 || t.width() <= width {
			break
		}
		used[slices.Index(head, spare)] = false
		t = table()
	}
	t.write(w, width)
}

// figure renders a number in four digits; nothing where there is none.
func figure(x *float64) string {
	if x == nil {
		return ""
	}
	text := strconv.FormatFloat(*x, 'g', 4, 64)
	if magnitude := math.Abs(*x); magnitude < 1e-3 || magnitude >= 1e9 {
		return text
	}
	rounded, _ := strconv.ParseFloat(text, 64) // written by the line above
	return strconv.FormatFloat(rounded, 'f', -1, 64)
}

// drifted renders a drift, of which more than two digits say nothing.
func drifted(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(math.Round(*x*100)/100+0, 'f', 2, 64) // and no −0
}
