package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/kmeans"
)

// fitFlags are those of coterie fit beside the data's.
type fitFlags struct {
	data   dataFlags
	engine engineFlags
	memory memoryFlags
	job    jobFlags
	k      int64
	method methodFlags
	labels string
	report string
	output string
	json   bool
	months monthFlags

	checkpoint string
	resume     bool
}

// fitDocument is what fit --json prints.
type fitDocument struct {
	Rows       int64            `json:"rows"`
	Columns    int              `json:"columns"`
	K          int              `json:"k"`
	Iterations int              `json:"iterations"`
	Converged  bool             `json:"converged"`
	Inertia    float64          `json:"inertia"`
	Counts     []int64          `json:"counts"`
	Seconds    pipeline.Seconds `json:"seconds"`
	Model      string           `json:"model"`
	Digest     string           `json:"digest"`
	Report     string           `json:"report,omitempty"`
	Left       *leftOut         `json:"left_out,omitempty"`
	*pipeline.Months
}

// newFitCommand is coterie fit.
func newFitCommand(app *App) *cobra.Command {
	f := &fitFlags{}
	cmd := &cobra.Command{
		Use:   "fit DATA… -k K -o model.json",
		Short: "Find k segments and write them as a model",
		Long: "Fit divides the rows into k segments by k-means and writes a model: the transforms, the centroids and the\n" +
			"segments' names. DATA is one or more .csv, .csv.gz, .csv.zst, .parquet or .npy files, folders, globs,\n" +
			"synth://KIND?rows=… or - for standard input." + monthsLong() + "\n\n" +
			"With --checkpoint a fit that is interrupted can go on: give the same command with --resume.",
		Example: "  coterie fit customers.parquet -k 5 -o model.json --labels labels.parquet\n" +
			"  coterie fit 2026-10/customers.parquet --from 2026-09/model.json --from-labels 2026-09/labels.parquet \\\n" +
			"    -o 2026-10/model.json --labels 2026-10/labels.parquet --gate min-size=1%,min-agreement=0.7",
		Args: someArgs("DATA"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, app, args) },
	}
	flags := cmd.Flags()
	flags.VarP(newWhole(&f.k, 0, 1, math.MaxInt32), "clusters", "k", "how many segments to find (with --from as many as that model has)")
	flags.StringVarP(&f.output, "output", "o", "", "where the model goes: `FILE`.json")
	flags.StringVar(&f.method.init, "init", string(kmeans.InitParallel),
		"how to start: k-means-parallel, k-means++, random, or a `FILE` with k rows of centroids in the units of the input")
	f.method.bind(flags, "`R` starts; the lowest inertia wins")
	flags.StringVar(&f.labels, "labels", "", "also write each row's segment: `FILE`.csv, .csv.gz, .csv.zst, .parquet or .npy")
	flags.StringVar(&f.report, "report", "", "also write a page about the segments, to show: `FILE`.html; not with --cluster")
	flags.StringVar(&f.checkpoint, "checkpoint", "", "keep where the fit has come to, every ten seconds, in the folder `DIR` or at s3://BUCKET/PREFIX; not with --cluster, where the coordinator does")
	flags.BoolVar(&f.resume, "resume", false, "go on from what --checkpoint keeps of the same fit; from the beginning where it keeps nothing")
	f.months.bind(cmd)
	f.data.bind(cmd)
	f.engine.bind(cmd)
	f.memory.bind(cmd)
	f.job.bind(cmd)
	addJSON(cmd, &f.json)
	return cmd
}

func (f *fitFlags) run(cmd *cobra.Command, app *App, args []string) error {
	ctx := cmd.Context()
	if err := f.job.checkPlace(app, cmd); err != nil {
		return err
	}
	if err := f.check(cmd); err != nil {
		return err
	}
	for _, out := range []struct{ flag, path string }{{"-o", f.output}, {"--labels", f.labels}, {"--report", f.report}, {"--bad-rows-out", f.data.badRowsOut}} {
		if err := checkNotInput(out.flag, out.path, append(args, f.method.init, f.months.from, f.months.labels)...); err != nil {
			return err
		}
	}
	reporter := app.reporter()
	r := &pipeline.FitRequest{Data: f.data.request(args), Engine: f.engine.request(app, reporter), K: int(f.k), Init: f.method.init,
		Runs: int(f.method.runs), MaxIter: int(f.method.maxIter), Tolerance: f.method.tolerance, Seed: uint64(f.method.seed),
		Cosine: f.method.metric == "cosine", Algorithm: f.method.algorithm, Model: f.output, Labels: f.labels,
		Report: f.report, Version: version(), Checkpoint: f.checkpoint, Resume: f.resume}
	f.memory.apply(&r.Engine)
	if err := errors.Join(f.months.apply(cmd, r), f.job.apply(&r.Engine)); err != nil {
		reporter.Close()
		return err
	}
	outcome, err := pipeline.Fit(ctx, r)
	reporter.Close()
	if err != nil {
		return err
	}
	if f.job.detaches() {
		return app.detached(f.json, outcome.Job, f.job.address, " -o "+quoted(cmp.Or(f.output, "model.json")))
	}
	m := outcome.Model
	app.tellLeftOut(&outcome.Intake)
	doc := fitDocument{Rows: m.Rows, Columns: outcome.Columns, K: m.K, Iterations: m.Iterations, Converged: m.Converged,
		Inertia: m.Inertia, Counts: m.Counts, Seconds: outcome.Seconds, Model: f.output, Digest: outcome.Digest,
		Report: f.report, Left: leftOutOf(&outcome.Intake), Months: outcome.Months}
	if f.labels == stdio {
		return nil // the labels are there
	}
	return app.answer(f.json, doc, func(w io.Writer) { writeFit(w, f, outcome, app.width()) })
}

func (f *fitFlags) check(cmd *cobra.Command) error {
	if err := f.data.check(); err != nil {
		return err
	}
	if err := f.months.check(cmd, f); err != nil {
		return err
	}
	switch given := cmd.Flags().Changed("output"); {
	case !given && !f.job.detaches(): // a detached job's model is fetched later
		return missingFlag(cmd, "output")
	case given:
		if err := checkOutput("-o", f.output, ".json"); err != nil {
			return err
		}
	}
	if f.labels != "" && !f.job.parts(f.labels) {
		if err := checkOutput("--labels", f.labels, tables...); err != nil {
			return err
		}
	}
	if err := errors.Join(f.checkReport(), f.checkCheckpoint(cmd.Flags().Args())); err != nil {
		return err
	}
	if err := checkStdout(f.json, f.output, f.labels, f.report, f.data.badRowsOut); err != nil {
		return err
	}
	switch kmeans.Init(f.method.init) {
	case kmeans.InitParallel, kmeans.InitPlusPlus, kmeans.InitRandom:
		return nil
	}
	if object.Is(f.method.init) {
		return nil // whether it is there shows when it is read
	}
	_, err := os.Stat(f.method.init)
	switch {
	case errors.Is(err, fs.ErrNotExist) && filepath.Ext(f.method.init) != "":
		return fault.Inputf(fault.In(f.method.init), "does not exist").Do("check the path of --init")
	case err != nil:
		return fault.Usagef("--init: %q is neither k-means-parallel, k-means++ or random, nor a file", f.method.init)
	}
	return nil
}

// checkReport refuses a report that cannot be made: its figures are measured where the command runs, which then reads the
// data once more.
func (f *fitFlags) checkReport() error {
	if f.report == "" {
		return nil
	}
	if f.job.address != "" {
		return fault.Usagef("--report: %q is made where the data is read, and with --cluster that is elsewhere", f.report).
			Do("leave it out, and then run coterie profile --model %s DATA… -o %s where the data is", quoted(cmp.Or(f.output, "model.json")), quoted(f.report))
	}
	return checkOutput("--report", f.report, ".html")
}

// checkCheckpoint refuses checkpoints of who keeps none.
func (f *fitFlags) checkCheckpoint(args []string) error {
	switch {
	case f.resume && f.checkpoint == "" && f.job.address != "":
		return fault.Usagef("--resume: on a cluster the coordinator keeps the checkpoints").Do("use coterie jobs resume ID --cluster %s", f.job.address)
	case f.resume && f.checkpoint == "":
		return fault.Usagef("--resume: there is no --checkpoint to go on from").Do("give the folder of the fit that was interrupted")
	case f.checkpoint != "" && f.job.address != "":
		return fault.Usagef("--checkpoint: %q, and on a cluster the coordinator keeps the checkpoints, in its --state", f.checkpoint).Do("leave it out")
	case f.checkpoint != "" && slices.Contains(args, stdio):
		return fault.Usagef("--checkpoint: standard input cannot be read once more when the fit goes on").Do("give a file instead of -")
	}
	return nil
}

// writeFit says in words what was found.
func writeFit(w io.Writer, f *fitFlags, o *pipeline.FitOutcome, width int) {
	m := o.Model
	end := fmt.Sprintf("converged after %d iterations", m.Iterations)
	if !m.Converged {
		end = fmt.Sprintf("stopped at %d iterations, not converged", m.Iterations)
	}
	fmt.Fprintf(w, "%s rows × %d columns, k = %d: %s, inertia %.6g, %.2f s\n", grouped(m.Rows), o.Columns, m.K, end,
		m.Inertia, o.Seconds.Total)
	fmt.Fprint(w, pipeline.ModelTable(m, width))
	if o.Months != nil {
		writeMonths(w, o.Months, width)
	}
	fmt.Fprintf(w, "model   %s\n", f.output)
	if f.labels != "" {
		fmt.Fprintf(w, "labels  %s\n", f.labels)
	}
	if f.report != "" {
		fmt.Fprintf(w, "report  %s\n", f.report)
	}
	fmt.Fprintf(w, "digest  %s\n", o.Digest)
}
