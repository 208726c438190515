package main

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/segment"
)

// migrateFlags are those of coterie migrate.
type migrateFlags struct {
	from, to           string
	fromModel, toModel string
	data, id, value    string
	output             string
	threads            int64
	json               bool
}

// migrateDocument is what migrate --json prints.
type migrateDocument struct {
	*pipeline.MigrateOutcome
	Output string `json:"output,omitempty"`
}

// newMigrateCommand is coterie migrate.
func newMigrateCommand(app *App) *cobra.Command {
	f := &migrateFlags{}
	cmd := &cobra.Command{
		Use:   "migrate --from OLD_LABELS --to NEW_LABELS [-o page.html|movers.csv]",
		Short: "Say how many customers have moved from which segment to which, and who",
		Long: "Migrate joins two months' labels by the customers' ids. It shows a matrix of who was where and is where, who has left\n" +
			"and who has come; -o page.html draws it, and -o movers.csv lists the customers who moved, the most valuable downgrades\n" +
			"first.\n\n" +
			"With both models, segments belong together by their ids, if one model was fitted from the other; else so that most\n" +
			"customers stay. A move goes down if the new segment's customers are worth less on average: by the values in --data, or\n" +
			"by the models' centroids, where monetary is a feature.",
		Example: "  coterie migrate --from 2026-09/labels.parquet --to 2026-10/labels.parquet \\\n" +
			"    --from-model 2026-09/model.json --to-model 2026-10/model.json -o moves.html\n" +
			"  coterie migrate --from sep.csv --to oct.csv --data customers.parquet -o movers.csv",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd.Context(), app) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "the old labels, as assign or fit wrote them: a `FILE` or a folder of parts")
	flags.StringVar(&f.to, "to", "", "the new labels: a `FILE` or a folder of parts")
	flags.StringVar(&f.fromModel, "from-model", "", "the model of the old labels, for its names: `FILE`.json")
	flags.StringVar(&f.toModel, "to-model", "", "the model of the new labels, for its names: `FILE`.json")
	flags.StringVar(&f.data, "data", "", "a table of the customers with what they are worth: a `FILE` or a folder of parts")
	flags.StringVar(&f.id, "id", "", "the column `COL` of --data with the customer's id (default customer_id, customerid or id)")
	flags.StringVar(&f.value, "value", "", "the column `COL` of --data with what a customer is worth (default monetary)")
	flags.StringVarP(&f.output, "output", "o", "", "a page, `FILE`.html; or the movers, .csv, .csv.gz, .csv.zst or .parquet, or - for CSV on standard output")
	bindThreads(cmd, &f.threads)
	addJSON(cmd, &f.json)
	require(cmd, "from", "to")
	return cmd
}

// page says whether the output is a page.
func (f *migrateFlags) page() bool { return strings.HasSuffix(strings.ToLower(f.output), ".html") }

// check is what can be said before anything is read. An --id that is set for all commands of a file or an environment does no
// harm where there is no --data.
func (f *migrateFlags) check(id origin) error {
	if f.id != "" && f.data == "" && id == byLine {
		return fault.Usagef("--id: %q without --data", f.id).Do("labels have their ids in the column id; name the table of the customers with --data")
	}
	if f.value != "" && f.data == "" {
		return fault.Usagef("--value: %q without --data", f.value).Do("name the table of the customers with --data")
	}
	if (f.from == stdio && f.to == stdio) || f.data == stdio && (f.from == stdio || f.to == stdio) {
		return fault.Usagef("standard input (%s) is named twice", stdio).Do("name files for --from, --to and --data")
	}
	if f.output == "" {
		return nil
	}
	if err := checkOutput("-o", f.output, ".html", ".csv", ".csv.gz", ".csv.zst", ".parquet"); err != nil {
		return err
	}
	if err := checkNotInput("-o", f.output, f.from, f.to, f.fromModel, f.toModel, f.data); err != nil {
		return err
	}
	return checkStdout(f.json, f.output)
}

func (f *migrateFlags) run(ctx context.Context, app *App) error {
	if err := f.check(app.origins["id"]); err != nil {
		return err
	}
	reporter := app.reporter()
	engine := engineFlags{threads: f.threads}
	r := &pipeline.MigrateRequest{From: f.from, To: f.to, FromModel: f.fromModel, ToModel: f.toModel, Data: f.data, ID: f.id, Value: f.value,
		Engine: engine.request(app, reporter)}
	if f.output != "" && !f.page() {
		r.Movers = f.output
	}
	outcome, err := pipeline.Migrate(ctx, r)
	reporter.Close()
	if err != nil {
		return err
	}
	if f.page() {
		page := &segment.FlowsPage{Title: "Who moved", Sub: filepath.Base(f.from) + " → " + filepath.Base(f.to), Migration: outcome.Migration}
		if err := store.WriteFile(f.output, page.Render); err != nil {
			return err
		}
	}
	if outcome.Unvalued > 0 && !app.quiet {
		app.warn("%s of the customers have no %s in %s", grouped(outcome.Unvalued), outcome.Value, f.data)
	}
	if f.output == stdio {
		return nil // the movers are there
	}
	return app.answer(f.json, migrateDocument{outcome, f.output}, func(w io.Writer) { f.write(w, app.width(), outcome) })
}

// write says in words and as a table who has moved.
func (f *migrateFlags) write(w io.Writer, width int, o *pipeline.MigrateOutcome) {
	fmt.Fprintln(w, o.Lead())
	if text := o.Balance(); text != "" {
		fmt.Fprintln(w, text)
	}
	// A string builder stands behind w: it does not fail.
	_ = o.Table(w, width)
	if len(o.Flows) > 0 {
		fmt.Fprintln(w, "the largest moves")
	}
	for i := range o.Flows {
		fmt.Fprintf(w, "%s\n", shortened(fmt.Sprintf("%9s  %s", grouped(o.Flows[i].Rows), o.FlowWords(&o.Flows[i])), width))
	}
	if f.fromModel == "" && f.toModel == "" {
		fmt.Fprintln(w, "names   come with --from-model and --to-model")
	}
	switch {
	case f.page():
		fmt.Fprintf(w, "page    %s\n", f.output)
	case f.output != "":
		fmt.Fprintf(w, "movers  %s\n", f.output)
	default:
		fmt.Fprintln(w, "next    -o moves.html draws it, -o movers.csv lists the customers who moved")
	}
}
