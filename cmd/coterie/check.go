package main

import (
	"context"
	"fmt"
	"io"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/pipeline"
)

// checkFlags are those of coterie check.
type checkFlags struct {
	data    dataFlags
	threads int64
	model   string
	json    bool
}

// newCheckCommand is coterie check.
func newCheckCommand(app *App) *cobra.Command {
	f := &checkFlags{}
	cmd := &cobra.Command{
		Use:   "check DATA…",
		Short: "Look at the data before it is clustered, and say which flag mends what",
		Long: "Check describes every column and looks for what spoils a clustering: missing values, constants, skew, outliers,\n" +
			"columns that say the same, ids among the features, and, against a model, drift. It writes nothing.",
		Args: someArgs("DATA"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd.Context(), app, args) },
	}
	cmd.Flags().StringVar(&f.model, "model", "", "look for drift since this model was fitted: `FILE`.json")
	f.data.bind(cmd)
	bindThreads(cmd, &f.threads)
	addJSON(cmd, &f.json)
	return cmd
}

func (f *checkFlags) run(ctx context.Context, app *App, args []string) error {
	if err := f.data.check(); err != nil {
		return err
	}
	reporter := app.reporter()
	engine := engineFlags{threads: f.threads}
	outcome, err := pipeline.Check(ctx, &pipeline.CheckRequest{Data: f.data.request(args), Engine: engine.request(app, reporter),
		Model: f.model})
	reporter.Close()
	if err != nil {
		return err
	}
	return app.answer(f.json, outcome, func(w io.Writer) { writeCheck(w, outcome) })
}

func writeCheck(w io.Writer, o *pipeline.CheckOutcome) {
	fmt.Fprintf(w, "%s rows\n", grouped(o.Rows))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "column\tkind\tfeature\tmissing\tmin\tmean\tmax\tstd\tskew\tlevels")
	for _, c := range o.Columns {
		feature, levels := "", ""
		if c.Feature {
			feature = "yes"
		}
		if c.Levels != nil {
			levels = strconv.Itoa(*c.Levels)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\t%s\t%s\t%s\n", c.Name, c.Kind, feature, c.Missing, figure(c.Min), figure(c.Mean),
			figure(c.Max), figure(c.Std), figure(c.Skew), levels)
	}
	t.Flush()
	if len(o.Findings) == 0 {
		fmt.Fprintln(w, "nothing to mend")
	}
	for _, x := range o.Findings {
		name := x.Column
		if name != "" {
			name += ": "
		}
		fmt.Fprintf(w, "%s%s (%s)\n", name, x.Detail, x.Remedy)
	}
}

// figure renders a number in few digits; nothing where there is none.
func figure(x *float64) string {
	if x == nil {
		return ""
	}
	return strconv.FormatFloat(*x, 'g', 5, 64)
}
