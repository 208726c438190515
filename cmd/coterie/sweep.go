package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/segment"
)

// sweepFlags are those of coterie sweep beside the data's: those of a fit, as far as they say how to fit.
type sweepFlags struct {
	data   dataFlags
	engine engineFlags
	memory memoryFlags
	job    jobFlags
	ks     []int
	method methodFlags
	output string
	json   bool
}

// sweepDocument is what sweep --json prints.
type sweepDocument struct {
	segment.Sweep
	Seconds float64  `json:"seconds"`
	Output  string   `json:"output,omitempty"`
	Left    *leftOut `json:"left_out,omitempty"`
}

// newSweepCommand is coterie sweep.
func newSweepCommand(app *App) *cobra.Command {
	f := &sweepFlags{}
	cmd := &cobra.Command{
		Use:   "sweep DATA… -k 2..15",
		Short: "Compare numbers of segments, and recommend one",
		Long: "Sweep reads the data once and finds the segments for every k, each as fit would find them, bit for bit. For each it\n" +
			"tells the inertia, the silhouette, Calinski-Harabasz, Davies-Bouldin, how alike the segments come out on\n" +
			"resamples, and the size of the smallest. The k with the highest silhouette is recommended, unless its segments\n" +
			"are not stable; where none stands out, it says so.\n\n" +
			fmt.Sprintf("Silhouettes are exact up to %s rows; of more they come from a sample of %s, and the table tells their error.",
				grouped(coordinator.ExactRows), grouped(coordinator.SampleRows)),
		Example: "  coterie sweep customers.parquet -k 2..15 -o sweep.html\n" +
			"  coterie sweep customers.parquet -k 3,5..8 --runs 10 --json",
		Args: someArgs("DATA"),
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, app, args) },
	}
	flags := cmd.Flags()
	flags.VarP(&candidates{to: &f.ks}, "clusters", "k", "the numbers of segments to compare: `2..15`, or a list such as 3,5..8")
	require(cmd, "clusters")
	flags.StringVarP(&f.output, "output", "o", "", "also write a page, a document or a table: `FILE`.html, .json or .csv")
	flags.Var(newChoice(&f.method.init, string(kmeans.InitParallel), string(kmeans.InitParallel), string(kmeans.InitPlusPlus), string(kmeans.InitRandom)),
		"init", "how to start")
	f.method.bind(flags, "`R` starts for each k; the lowest inertia wins")
	f.data.bind(cmd)
	f.engine.bind(cmd)
	f.memory.bind(cmd)
	f.job.bind(cmd)
	addJSON(cmd, &f.json)
	return cmd
}

func (f *sweepFlags) run(cmd *cobra.Command, app *App, args []string) error {
	if err := f.job.checkPlace(app, cmd); err != nil {
		return err
	}
	if err := f.check(args); err != nil {
		return err
	}
	output := f.output
	if output == stdio {
		output = ""
	}
	reporter := app.reporter()
	r := &pipeline.SweepRequest{Data: f.data.request(args), Engine: f.engine.request(app, reporter), Ks: f.ks, Init: f.method.init,
		Runs: int(f.method.runs), MaxIter: int(f.method.maxIter), Tolerance: f.method.tolerance, Seed: uint64(f.method.seed),
		Cosine: f.method.metric == "cosine", Algorithm: f.method.algorithm, Output: output}
	f.memory.apply(&r.Engine)
	if err := f.job.apply(&r.Engine); err != nil {
		reporter.Close()
		return err
	}
	outcome, err := pipeline.Sweep(cmd.Context(), r)
	reporter.Close()
	if err != nil {
		return err
	}
	if f.job.detaches() {
		return app.detached(f.json, outcome.Job, f.job.address, "")
	}
	app.tellLeftOut(&outcome.Intake)
	if f.output == stdio {
		return app.sweepTable(&outcome.Sweep)
	}
	doc := sweepDocument{Sweep: outcome.Sweep, Seconds: outcome.Seconds, Output: f.output, Left: leftOutOf(&outcome.Intake)}
	return app.answer(f.json, doc, func(w io.Writer) {
		fmt.Fprintf(w, "%s rows × %d columns, %s of k, %.2f s\n", grouped(outcome.Rows), outcome.Columns,
			counted(int64(len(outcome.Candidates)), "value", "values"), outcome.Seconds)
		writeSweep(w, &outcome.Sweep, app.width())
		if f.output != "" {
			fmt.Fprintf(w, "output  %s\n", f.output)
		}
		fmt.Fprintf(w, "next    %s\n", fitOf(cmd, args, outcome.Recommended.K))
	})
}

// sweepTable writes a sweep as CSV to standard output.
func (app *App) sweepTable(s *segment.Sweep) error {
	if err := pipeline.WriteSweepTable(app.Stdout, s); err != nil {
		return fault.Failedf(err, "standard output")
	}
	return nil
}

func (f *sweepFlags) check(args []string) error {
	if err := f.data.check(); err != nil {
		return err
	}
	switch {
	case f.output != "" && f.job.detaches():
		return fault.Usagef("--detach: -o %s would be written by this process, which does not stay", quoted(f.output)).
			Do("leave -o out; coterie jobs show JOB --cluster %s -o %s writes it once the job is done", f.job.address, quoted(f.output))
	case f.output != "":
		if err := checkOutput("-o", f.output, pipeline.SweepFormats...); err != nil {
			return err
		}
	}
	for _, out := range []struct{ flag, path string }{{"-o", f.output}, {"--bad-rows-out", f.data.badRowsOut}} {
		if err := checkNotInput(out.flag, out.path, args...); err != nil {
			return err
		}
	}
	return checkStdout(f.json, f.output, f.data.badRowsOut)
}

// writeSweep writes a line for every k, and what is recommended.
func writeSweep(w io.Writer, o *segment.Sweep, width int) {
	sampled := o.Sampled < o.Rows
	head := []string{"", ">k", ">silhouette"}
	if sampled {
		head = append(head, ">± error")
	}
	table := newGrid(0, append(head, ">stability", ">Calinski-H.", ">Davies-B.", ">inertia", ">smallest", ">share")...)
	for _, c := range o.Candidates {
		mark := ""
		if c.K == o.Recommended.K {
			mark = "→"
		}
		row := []string{mark, strconv.Itoa(c.K), score(c.K, c.Silhouette, 'f', 4)}
		if sampled {
			row = append(row, score(c.K, c.SilhouetteError, 'f', 4))
		}
		table.add(append(row, score(c.K, c.Stability, 'f', 2), score(c.K, c.CalinskiHarabasz, 'g', 6), score(c.K, c.DaviesBouldin, 'f', 4),
			strconv.FormatFloat(c.Inertia, 'g', 6, 64), grouped(c.Smallest), share(c.Smallest, o.Rows))...)
	}
	table.write(w, width)
	if sampled {
		fmt.Fprintf(w, "silhouettes are from a sample of %s rows\n", grouped(o.Sampled))
	}
	fmt.Fprintf(w, "%s\n", o.Recommended.Because)
}

// share is a part of all rows in percent, with a digit more where it is small.
func share(part, all int64) string {
	percent := 100 * float64(part) / float64(max(all, 1))
	if percent < 9.95 {
		return strconv.FormatFloat(percent, 'f', 1, 64) + " %"
	}
	return strconv.FormatFloat(percent, 'f', 0, 64) + " %"
}

// score is a figure that says nothing of one segment.
func score(k int, v float64, format byte, digits int) string {
	if k < 2 {
		return "–"
	}
	return strconv.FormatFloat(v, format, digits, 64)
}

// fitOf is the command that fits the recommended k as the sweep has done.
func fitOf(cmd *cobra.Command, files []string, k int) string {
	words := []string{"coterie fit"}
	for _, file := range files {
		words = append(words, quoted(file))
	}
	words = append(words, "-k", strconv.Itoa(k))
	cmd.LocalNonPersistentFlags().VisitAll(func(flag *pflag.Flag) {
		own := slices.Contains([]string{"clusters", "output", "json", "bad-rows-out", "help", "config"}, flag.Name)
		if !flag.Changed || own {
			return
		}
		words = append(words, "--"+flag.Name)
		if flag.Value.Type() != "bool" {
			words = append(words, quoted(flag.Value.String()))
		}
	})
	return strings.Join(append(words, "-o model.json"), " ")
}

// candidates is a flag for numbers of segments: ranges and single ones, A..B and K, with commas between them.
type candidates struct{ to *[]int }

func (c *candidates) String() string {
	var texts []string
	for _, k := range *c.to {
		texts = append(texts, strconv.Itoa(k))
	}
	return strings.Join(texts, ",")
}

// Type is what the help shows behind the flag.
func (c *candidates) Type() string { return "A..B" }

// Set reads a list, in any order.
func (c *candidates) Set(value string) error {
	var ks []int
	for part := range strings.SplitSeq(value, ",") {
		from, to, isRange := strings.Cut(strings.TrimSpace(part), "..")
		if !isRange {
			to = from
		}
		var low, high int64
		for _, end := range []struct {
			text string
			into *int64
		}{{from, &low}, {to, &high}} {
			if err := newWhole(end.into, 0, 1, coordinator.MaxSweepK).Set(end.text); err != nil {
				if _, isNumber := strconv.ParseFloat(end.text, 64); isNumber == nil {
					return refuse("is no list of numbers of segments: %q %v", end.text, err)
				}
				return refuse("is not a range of k such as 2..15, or a list such as 3,5..8")
			}
		}
		switch {
		case low > high:
			return refuse("has a range that begins above its end: %d..%d", low, high)
		case int(high-low)+1+len(ks) > coordinator.MaxSweep:
			return refuse("is more than %d numbers of segments; leave some out, as in 2..20,25,30", coordinator.MaxSweep)
		}
		for k := int(low); k <= int(high); k++ {
			if slices.Contains(ks, k) {
				return refuse("has %d twice", k)
			}
			ks = append(ks, k)
		}
	}
	slices.Sort(ks)
	*c.to = ks
	return nil
}
