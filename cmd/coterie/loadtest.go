package main

import (
	"io"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/loopback"
	"github.com/coterie-project/coterie/internal/pipeline"
)

// Bounds of a load test. Rows, columns and k are also bounded by what made rows and fits are.
const (
	loadColumns    = 32
	loadClusters   = 50
	loadIterations = 10
	// mostDuration is longer than anybody looks at one test.
	mostDuration = 30 * 24 * time.Hour
	chaosWorkers = 3
	chaosFaults  = 3
)

// loadtestFlags are those of coterie loadtest.
type loadtestFlags struct {
	engine     engineFlags
	memory     memoryFlags
	cluster    clusterFlags
	rows       int64
	d, k       int64
	iterations int64
	seed       int64
	duration   time.Duration
	chaos      bool
	faults     int64
	whatIf     *pipeline.WhatIf
	json       bool
}

// newLoadtestCommand is coterie loadtest.
func newLoadtestCommand(app *App) *cobra.Command {
	f := &loadtestFlags{}
	cmd := &cobra.Command{
		Use:   "loadtest --rows ROWS",
		Short: "Measure a cluster with made rows, also while its workers are killed, and predict larger ones",
		Long: "Loadtest fits rows that the workers make themselves (synth://load), so that no disk takes part, and measures:\n" +
			"rows and distances a second, efficiency, network, memory, the slowest worker. Every iteration computes all\n" +
			"distances, which is the most that an iteration of a fit costs. Without --cluster it runs in this process.\n\n" +
			"With --chaos it starts a coordinator and workers of its own on this machine, fits once undisturbed, and again\n" +
			"while it kills, stops and ends workers; it tells how long the job took to get over each, and fails unless\n" +
			"both fits have the same digest. It never touches a process that it has not started.\n\n" +
			"--what-if puts the measured rates into a model of a larger cluster: workers=W, and as far as it differs from\n" +
			"the test network=25Gb (of the coordinator), cores=C (of all workers together), rows=N, d=D, k=K, iterations=I.",
		Example: "  coterie loadtest --rows 20M --what-if workers=400,network=25Gb,rows=10e9\n" +
			"  coterie loadtest --rows 1e9 -d 32 -k 50 --cluster 127.0.0.1:7600 --duration 1h --json\n" +
			"  coterie loadtest --rows 2M --chaos --faults 5",
		Args: exactArgs(),
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd, app) },
	}
	flags := cmd.Flags()
	flags.Var(newTally(&f.rows, 1, 1<<50), "rows", "how many `ROWS` to make, such as 1e9 or 200M")
	flags.VarP(newWhole(&f.d, loadColumns, 1, 10_000), "d", "d", "`D` columns")
	flags.VarP(newWhole(&f.k, loadClusters, 1, math.MaxInt32), "clusters", "k", "how many segments to find")
	flags.Var(newWhole(&f.iterations, loadIterations, 1, 1_000_000), "max-iter", "`N` iterations of each fit")
	flags.Var(newSpan(&f.duration, 0), "duration", "repeat fits for so `LONG`, such as 10m (with --chaos the disturbed ones); 0s: one fit")
	flags.Var(newWhole(&f.seed, 0, 0, math.MaxInt64), "seed", "other `SEED`s make other rows, and other moments for faults")
	flags.BoolVar(&f.chaos, "chaos", false, "start a cluster on this machine, and let its workers fall (--workers: 3 if not given, 2 to 16)")
	flags.Var(newWhole(&f.faults, chaosFaults, 1, pipeline.MaxFaults), "faults", "with --chaos: `N` times a worker falls")
	flags.Var(&hypothesis{to: &f.whatIf}, "what-if", "predict a larger cluster: `KEY=VALUE,…` such as workers=400,network=25Gb; also cores, rows, d, k, iterations")
	f.engine.bind(cmd)
	f.memory.bind(cmd)
	f.cluster.bind(cmd, "measure the cluster of the coordinator at `HOST:PORT` instead of this process")
	addJSON(cmd, &f.json)
	require(cmd, "rows")
	return cmd
}

// check finds what is wrong with the flags together, and fills in what chaos takes.
func (f *loadtestFlags) check(app *App, cmd *cobra.Command) error {
	if err := f.cluster.checkPlace(app, cmd); err != nil {
		return err
	}
	switch {
	case f.rows < f.k:
		return fault.Usagef("--rows: %d is below -k %d", f.rows, f.k).Do("there must be a row for each segment")
	case f.duration > mostDuration:
		return fault.Usagef("--duration: %q must be at most %v", f.duration, mostDuration)
	case !f.chaos && cmd.Flags().Changed("faults") && app.origins["faults"] != byEnvironment:
		return fault.Usagef("--faults without --chaos").Do("add --chaos, or leave it out")
	case !f.chaos:
		return nil
	case f.cluster.address != "":
		return fault.Usagef("--chaos kills only what it has started, and --cluster names a cluster of others: %s", f.cluster.address).
			Do("leave one of them out")
	case app.origins["workers"] == byDefault:
		f.engine.workers = chaosWorkers
	case f.engine.workers < pipeline.LeastChaos || f.engine.workers > loopback.MaxWorkers:
		return fault.Usagef("--workers: %d must lie between %d and %d with --chaos", f.engine.workers, pipeline.LeastChaos, loopback.MaxWorkers).
			Do("they are processes of this machine, and somebody must take over")
	}
	return nil
}

func (f *loadtestFlags) run(cmd *cobra.Command, app *App) error {
	if err := f.check(app, cmd); err != nil {
		return err
	}
	reporter := app.reporter()
	defer reporter.Close()
	r := &pipeline.LoadRequest{Rows: f.rows, D: int(f.d), K: int(f.k), Iterations: int(f.iterations), Seed: uint64(f.seed), Duration: f.duration,
		Engine: f.engine.request(app, reporter), WhatIf: f.whatIf, Version: version()}
	f.memory.apply(&r.Engine)
	if f.chaos {
		program, err := os.Executable()
		if err != nil {
			return fault.Failedf(err, "--chaos: this program cannot be found again")
		}
		r.Chaos = &pipeline.Chaos{Binary: program, Faults: int(f.faults)}
	}
	if f.cluster.address != "" {
		cluster, err := f.cluster.cluster()
		if err != nil {
			return err
		}
		r.Engine.Cluster = cluster
	}
	outcome, err := pipeline.LoadTest(cmd.Context(), r)
	reporter.Close()
	if outcome != nil { // also what was measured before it went wrong
		if told := app.answer(f.json, outcome, func(w io.Writer) { writeLoad(w, outcome, app.width()) }); err == nil {
			err = told
		}
	}
	return err
}

// tally is a flag for a large number of things: 1000000, 1e9, 200M, 1.5G.
type tally struct {
	to       *int64
	min, max int64
}

// newTally is a flag that sets *to, at first 0.
func newTally(to *int64, min, max int64) *tally { return &tally{to: to, min: min, max: max} }

func (t *tally) String() string {
	if *t.to == 0 {
		return ""
	}
	return grouped(*t.to)
}

// Type implements pflag.Value.
func (t *tally) Type() string { return "ROWS" }

// Set takes a whole number, also with an exponent or one of k, M, G, T.
func (t *tally) Set(value string) error {
	n, err := readTally(value, t.min, t.max)
	if err == nil {
		*t.to = n
	}
	return err
}

func readTally(value string, least, most int64) (int64, error) {
	number, factor := value, 1.0
	for suffix, by := range map[string]float64{"k": 1e3, "K": 1e3, "M": 1e6, "G": 1e9, "T": 1e12} {
		if rest, ok := strings.CutSuffix(value, suffix); ok {
			number, factor = rest, by
		}
	}
	x := real{to: new(float64), min: math.Inf(-1)}
	if err := x.Set(number); err != nil || strings.ContainsAny(number, "xX_pP") || *x.to*factor != math.Trunc(*x.to*factor) {
		return 0, refuse("is not a whole number such as 200000, 1e9 or 200M")
	}
	if v := *x.to * factor; v < float64(least) || v > float64(most) {
		return 0, refuse("must lie between %s and %s", grouped(least), grouped(most))
	}
	return int64(*x.to * factor), nil
}
