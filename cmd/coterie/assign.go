package main

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/pipeline"
)

// assignFlags are those of coterie assign.
type assignFlags struct {
	data   dataFlags
	engine engineFlags
	memory memoryFlags
	job    jobFlags
	model  string
	output string
	detail bool
	json   bool
}

// assignDocument is what assign --json prints.
type assignDocument struct {
	Rows    int64    `json:"rows"`
	Counts  []int64  `json:"counts"`
	Inertia float64  `json:"inertia"`
	Left    *leftOut `json:"left_out,omitempty"`
}

// newAssignCommand is coterie assign.
func newAssignCommand(app *App) *cobra.Command {
	f := &assignFlags{}
	cmd := &cobra.Command{
		Use:   "assign DATA… --model model.json -o labels.parquet",
		Short: "Label every row with its segment",
		Long: "Assign writes for each row, in the order of the input, its id, its segment and the distance to the segment's\n" +
			"centroid. Features and transforms are the model's.",
		Example: "  coterie assign customers.parquet --model model.json -o labels.parquet",
		Args:    someArgs("DATA"),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, app, args) },
	}
	flags := cmd.Flags()
	flags.StringVar(&f.model, "model", "", "the model: `FILE`.json")
	flags.StringVarP(&f.output, "output", "o", "", "where the labels go: `FILE`.csv, .csv.gz, .csv.zst, .parquet or .npy, or -")
	flags.BoolVar(&f.detail, "detail", false, "add the second nearest segment and its distance")
	flags.StringVar(&f.data.weight, "weight", "", "the column `COL` with a weight per row, for the inertia")
	f.data.bindRows(cmd)
	f.engine.bind(cmd)
	f.memory.bind(cmd)
	f.job.bind(cmd)
	addJSON(cmd, &f.json)
	require(cmd, "model", "output")
	return cmd
}

func (f *assignFlags) run(cmd *cobra.Command, app *App, args []string) error {
	ctx := cmd.Context()
	if err := f.job.checkPlace(app, cmd); err != nil {
		return err
	}
	if err := f.data.check(); err != nil {
		return err
	}
	if !f.job.parts(f.output) {
		if err := checkOutput("-o", f.output, tables...); err != nil {
			return err
		}
	}
	for _, out := range []struct{ flag, path string }{{"-o", f.output}, {"--bad-rows-out", f.data.badRowsOut}} {
		if err := checkNotInput(out.flag, out.path, append(args, f.model)...); err != nil {
			return err
		}
	}
	if err := checkStdout(f.json, f.output, f.data.badRowsOut); err != nil {
		return err
	}
	reporter := app.reporter()
	r := &pipeline.AssignRequest{Data: f.data.request(args), Engine: f.engine.request(app, reporter), Model: f.model, Output: f.output,
		Detail: f.detail}
	f.memory.apply(&r.Engine)
	if err := f.job.apply(&r.Engine); err != nil {
		reporter.Close()
		return err
	}
	outcome, err := pipeline.Assign(ctx, r)
	reporter.Close()
	if err != nil {
		return err
	}
	if f.job.detaches() {
		return app.detached(f.json, outcome.Job, f.job.address, "")
	}
	app.tellLeftOut(&outcome.Intake)
	if f.output == stdio {
		return nil // the labels are there
	}
	doc := assignDocument{Rows: outcome.Rows, Counts: outcome.Counts, Inertia: outcome.Inertia, Left: leftOutOf(&outcome.Intake)}
	return app.answer(f.json, doc, func(w io.Writer) {
		fmt.Fprintf(w, "%s rows labelled, inertia %.6g\n", grouped(outcome.Rows), outcome.Inertia)
		for i, n := range outcome.Counts {
			fmt.Fprintf(w, "segment %-5d %s rows\n", i, grouped(n))
		}
		fmt.Fprintf(w, "labels  %s\n", f.output)
	})
}
