package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/internal/scoring"
)

// exportFlags are those of coterie export.
type exportFlags struct {
	list                  pipeline.ExportRequest
	as                    string // empty: a list
	dialect, table, id    string
	model, output         string
	fromLabels, fromModel string
	json                  bool
}

// defaultTable and defaultID are where a query finds the customers, unless it is told.
const (
	defaultTable = "customers"
	defaultID    = "customer_id"
)

// newExportCommand is coterie export.
func newExportCommand(app *App) *cobra.Command {
	f := &exportFlags{}
	cmd := &cobra.Command{
		Use:   "export --model model.json {--labels FILE … | --as sql|pmml|json} -o FILE",
		Short: "Write lists of customers for campaigns, and the model for other systems",
		Long: "With --labels, export writes a list: the customers of the segments that --segment names, who came from another segment\n" +
			"(--from-labels, --from-segment), and who meet a rule (--where). The list has id, segment, name and distance, with\n" +
			"--from-labels the segment before, and the columns of --data that --columns names.\n\n" +
			"A rule compares the columns of --data, and segment, distance and from_segment, with numbers and 'texts':\n" +
			"  = != < <= > >=   in ('a', 'b')   between 1 and 5   is missing   and   or   not   ( )\n" +
			"A missing value meets no comparison, also with not before it. Put a column in double quotes if its name is no plain word.\n\n" +
			"With --as, export writes the model: as a query that labels a table, as PMML 4.4, or as a JSON document that says in simple\n" +
			"words how to score.",
		Example: "  coterie export --model model.json --labels labels.parquet --segment Champions --data customers.parquet \\\n" +
			"    --where 'monetary > 500 and recency_days <= 30' -o champions.csv\n" +
			"  coterie export --model oct.json --labels oct.parquet --from-labels sep.parquet --from-model sep.json \\\n" +
			"    --from-segment Champions --where 'segment != 2' -o leaving.csv\n" +
			"  coterie export --model model.json --as sql --dialect duckdb --table customers -o segments.sql",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "", "the model: `FILE`.json")
	flags.StringVar(&f.list.Labels, "labels", "", "the labels, as assign or fit wrote them with this model: a `FILE` or a folder of parts")
	flags.Var(newNames(&f.list.Segments), "segment", "the segments to list, by number, id or name (default all)")
	flags.StringVar(&f.list.Where, "where", "", "list only who meets this `RULE`, such as 'monetary > 500'")
	flags.Var(newNames(&f.list.Data), "data", "the customers' table, for --where and --columns: files or folders of parts")
	flags.StringVar(&f.id, "id", "", "the column `COL` with the customer's id, of --data or --table (default customer_id, customerid or id; in SQL customer_id)")
	flags.Var(newNames(&f.list.Columns), "columns", "the columns of --data to add to the list (default the model's features)")
	flags.StringVar(&f.fromLabels, "from-labels", "", "earlier labels: list only who was in another segment then: a `FILE` or a folder of parts")
	flags.StringVar(&f.fromModel, "from-model", "", "the model of the earlier labels, for its names and ids: `FILE`.json")
	flags.Var(newNames(&f.list.FromSegments), "from-segment", "list who was in these segments in --from-labels, also who still is")
	flags.Var(newChoice(&f.as, "", pipeline.AsSQL, pipeline.AsPMML, pipeline.AsJSON), "as", "write the model instead, in this form")
	flags.Var(newChoice(&f.dialect, string(scoring.ANSI), scoring.Dialects...), "dialect", "whose SQL to write")
	flags.StringVar(&f.table, "table", defaultTable, "the table `NAME` in SQL, such as customers or shop.customers")
	flags.Var(newChoice(&f.list.Formulas, pipeline.KeepFormulas, pipeline.QuoteFormulas), "formulas", "texts in a CSV list that a spreadsheet would take for formulas: keep them, or put ' before them")
	flags.StringVarP(&f.output, "output", "o", "", "the list: `FILE`.csv, .csv.gz, .csv.zst or .parquet, or the model: .sql, .pmml, .xml or .json; or - for standard output")
	addJSON(cmd, &f.json)
	require(cmd, "model", "output")
	return cmd
}

// extensions of a model, by its form.
var modelExtensions = map[string][]string{pipeline.AsSQL: {".sql"}, pipeline.AsPMML: {".pmml", ".xml"}, pipeline.AsJSON: {".json"}}

func (f *exportFlags) run(ctx context.Context, app *App) error {
	if err := checkStdout(f.json, f.output); err != nil {
		return err
	}
	inputs := append([]string{f.model, f.list.Labels, f.fromLabels, f.fromModel}, f.list.Data...)
	if err := checkNotInput("-o", f.output, inputs...); err != nil {
		return err
	}
	if f.as != "" {
		return f.writeModel(app)
	}
	return f.writeList(ctx, app)
}

// alone refuses flags that say nothing here. One that is set for all commands of a file or an environment does no harm.
func (f *exportFlags) alone(app *App, why string, flags ...string) error {
	for _, name := range flags {
		if app.origins[name] == byLine {
			return fault.Usagef("--%s: %s", name, why).Do("leave it out")
		}
	}
	return nil
}

// writeModel is export --as.
func (f *exportFlags) writeModel(app *App) error {
	if err := f.alone(app, "a model has no customers to list (--as "+f.as+")", "labels", "segment", "where", "data", "columns", "from-labels", "from-model", "from-segment", "formulas"); err != nil {
		return err
	}
	if f.as != pipeline.AsSQL {
		if err := f.alone(app, "is for --as sql", "dialect", "table", "id"); err != nil {
			return err
		}
	}
	if f.output != stdio {
		if err := checkOutput("-o", f.output, modelExtensions[f.as]...); err != nil {
			return err
		}
	}
	id := f.id
	if id == "" {
		id = defaultID
	}
	outcome, err := pipeline.ExportModel(&pipeline.ExportModelRequest{Model: f.model, As: f.as, Output: f.output, Stdout: app.Stdout,
		SQL: scoring.SQLOptions{Dialect: scoring.Dialect(f.dialect), Table: f.table, ID: id}})
	if err != nil || f.output == stdio {
		return err
	}
	return app.answer(f.json, outcome, func(w io.Writer) {
		switch f.as {
		case pipeline.AsSQL:
			fmt.Fprintf(w, "a query for %s that gives id, segment and distance of every row of %s\n", f.dialect, f.table)
			fmt.Fprintf(w, "reads   %s\n", strings.Join(append([]string{id}, outcome.Features...), ", "))
		case pipeline.AsPMML:
			fmt.Fprintf(w, "the model as PMML 4.4, with the outputs segment and distance\n")
			fmt.Fprintf(w, "reads   %s\n", strings.Join(outcome.Features, ", "))
		default:
			fmt.Fprintf(w, "the model as a scoring document: features, coordinates, centroids\n")
			fmt.Fprintf(w, "reads   %s\n", strings.Join(outcome.Features, ", "))
		}
		fmt.Fprintf(w, "%-7s %s\n", f.as, f.output)
	})
}

// checkList finds what contradicts itself before anything is read.
func (f *exportFlags) checkList(app *App) error {
	if f.list.Labels == "" {
		return fault.Usagef("export: neither --labels nor --as").Do("name the labels to list customers of, or the form to write the model in")
	}
	if err := f.alone(app, "is for --as sql", "dialect", "table"); err != nil {
		return err
	}
	if len(f.list.Data) == 0 {
		if err := f.alone(app, "there is no --data", "columns", "id"); err != nil {
			return err
		}
	}
	if f.fromLabels == "" {
		if err := f.alone(app, "there is no --from-labels", "from-model", "from-segment"); err != nil {
			return err
		}
		f.fromModel, f.list.FromSegments = "", nil
	}
	standard := 0
	for _, path := range append([]string{f.list.Labels, f.fromLabels}, f.list.Data...) {
		if path == stdio {
			standard++
		}
	}
	if standard > 1 {
		return fault.Usagef("standard input (%s) is named twice", stdio).Do("name files")
	}
	if toParquet(f.output) {
		if err := f.alone(app, "is for CSV: nobody takes a text in Parquet for a formula", "formulas"); err != nil {
			return err
		}
		f.list.Formulas = pipeline.KeepFormulas
	}
	return checkOutput("-o", f.output, ".csv", ".csv.gz", ".csv.zst", ".parquet")
}

// writeList is export --labels.
func (f *exportFlags) writeList(ctx context.Context, app *App) error {
	if err := f.checkList(app); err != nil {
		return err
	}
	reporter := app.reporter()
	engine := engineFlags{}
	r := f.list
	r.Model, r.Output, r.ID, r.FromLabels, r.FromModel = f.model, f.output, f.id, f.fromLabels, f.fromModel
	r.Engine = engine.request(app, reporter)
	outcome, err := pipeline.Export(ctx, &r)
	reporter.Close()
	if err != nil {
		return err
	}
	if j := outcome.Joined; j != nil && !app.quiet && j.WithoutRow+j.Unlabelled > 0 {
		app.warn("customers left out: %s only in the labels, %s only in the data",
			grouped(j.WithoutRow), grouped(j.Unlabelled))
	}
	if outcome.Formulas > 0 && r.Formulas != pipeline.QuoteFormulas && !toParquet(f.output) && !app.quiet {
		app.warn("cells with texts that a spreadsheet takes for formulas, since they begin with =, +, - or @: %s (--formulas quote puts ' before them)", grouped(outcome.Formulas))
	}
	if f.output == stdio {
		return nil // the list is there
	}
	return app.answer(f.json, outcome, func(w io.Writer) { f.write(w, outcome) })
}

func toParquet(path string) bool { return strings.HasSuffix(strings.ToLower(path), ".parquet") }

// write says who is in the list.
func (f *exportFlags) write(w io.Writer, o *pipeline.ExportOutcome) {
	fmt.Fprintf(w, "%s customers\n", grouped(o.Rows))
	rows := slices.DeleteFunc(slices.Clone(o.Segments), func(s pipeline.ListedSegment) bool { return s.Rows == 0 })
	slices.SortStableFunc(rows, func(a, b pipeline.ListedSegment) int { return int(b.Rows - a.Rows) })
	for _, s := range rows {
		fmt.Fprintf(w, "%9s  of %s in segment %d, %s\n", grouped(s.Rows), grouped(s.Of), s.Segment, s.Name)
	}
	fmt.Fprintf(w, "columns %s\n", strings.Join(o.Columns, ", "))
	fmt.Fprintf(w, "list    %s\n", f.output)
}
