package main

import (
	"fmt"
	"io"
	"math"

	"github.com/spf13/cobra"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/pipeline"
)

// planFlags are those of coterie plan.
type planFlags struct {
	data    dataFlags
	cluster clusterFlags
	k       int64
	workers int64
	threads int64
	memory  memoryFlags
	labels  bool
	json    bool
}

// newPlanCommand is coterie plan.
func newPlanCommand(app *App) *cobra.Command {
	f := &planFlags{}
	cmd := &cobra.Command{
		Use:   "plan DATA… -k K --workers W",
		Short: "Say what a fit would take: memory, network, time",
		Long: "Plan looks at the data and measures this machine for a moment. It writes nothing. Times are estimates for\n" +
			"workers like this machine. With --cluster it plans for the workers that are there, and shows which of them\n" +
			"would hold which partitions.",
		Example: "  coterie plan customers.parquet -k 5 --workers 8\n  coterie plan /data/customers.parquet -k 5 --cluster 127.0.0.1:7600",
		Args:    someArgs("DATA"),
		RunE:    func(cmd *cobra.Command, args []string) error { return f.run(cmd, app, args) },
	}
	flags := cmd.Flags()
	flags.VarP(newWhole(&f.k, 0, 1, math.MaxInt32), "clusters", "k", "how many segments")
	flags.Var(newWhole(&f.workers, 1, 1, 1<<20), "workers", "`W` workers, each like this machine")
	f.data.bind(cmd)
	bindThreads(cmd, &f.threads)
	f.memory.bind(cmd)
	flags.BoolVar(&f.labels, "labels", false, "for a fit that writes labels, which wait in memory for their turn")
	f.cluster.bind(cmd, "plan for the workers of the cluster of the coordinator at `HOST:PORT`")
	addJSON(cmd, &f.json)
	require(cmd, "clusters")
	return cmd
}

func (f *planFlags) run(cmd *cobra.Command, app *App, args []string) error {
	if err := f.cluster.checkPlace(app, cmd); err != nil {
		return err
	}
	if err := f.data.check(); err != nil {
		return err
	}
	reporter := app.reporter()
	defer reporter.Close()
	engine := engineFlags{threads: f.threads}
	r := &pipeline.PlanRequest{Data: f.data.request(args), Engine: engine.request(app, reporter), K: int(f.k), Workers: int(f.workers), Labels: f.labels}
	f.memory.apply(&r.Engine)
	if f.cluster.address != "" {
		cluster, err := f.cluster.cluster()
		if err != nil {
			return err
		}
		r.Engine.Cluster = cluster
	}
	p, err := pipeline.Plan(cmd.Context(), r)
	if err != nil {
		return err
	}
	reporter.Close()
	if err := app.answer(f.json, p, func(w io.Writer) { writePlan(w, p) }); err != nil {
		return err
	}
	if m := p.Memory; p.TooFew && m != nil {
		e := &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow}, Problem: "the data does not fit the workers"}
		return e.Do("give each at least --memory %s, or start more of them", planLeast(m))
	}
	return nil
}

// planLeast is the least limit that would do, as --memory takes it.
func planLeast(m *pipeline.PlanMemory) string {
	return fmt.Sprintf("%dMiB", (m.Least+1<<20-1)>>20)
}

func writePlan(w io.Writer, p *pipeline.PlanOutcome) {
	fmt.Fprintf(w, "rows                   %s\n", grouped(p.Rows))
	fmt.Fprintf(w, "columns                %d\n", p.Columns)
	if p.Bytes > 0 {
		fmt.Fprintf(w, "data                   %s\n", inBytes(p.Bytes))
	}
	fmt.Fprintf(w, "partitions             %d\n", p.Partitions)
	fmt.Fprintf(w, "workers                %d × %s\n", p.Workers, threadsOf(p))
	fmt.Fprintf(w, "memory per worker      %s\n", inBytes(p.MemoryPerWorker))
	writePlanMemory(w, p.Memory)
	fmt.Fprintf(w, "memory to profile      at most %s\n", inBytes(p.ProfileMemory))
	fmt.Fprintf(w, "memory to migrate      %s, for two such months\n", inBytes(p.MigrateMemory))
	fmt.Fprintf(w, "network per iteration  %s\n", inBytes(p.NetworkPerIteration))
	read := fmt.Sprintf("read %.3g", p.Expected.Read)
	if p.ReadRowsPerSecond == 0 {
		read = "reading not counted, as the data cannot be read here"
	}
	fmt.Fprintf(w, "expected time          %.3g s: %s, seed %.3g, iterate %.3g (%d iterations)\n", p.Expected.Total, read, p.Expected.Seed,
		p.Expected.Iterate, p.AssumedIterations)
	if p.ExceedsMemory && (p.Memory == nil || p.Memory.Mode != pipeline.Spilled) {
		fmt.Fprintln(w, "a worker needs more memory than this machine has: plan for more workers")
	}
	if p.Table != "" {
		fmt.Fprintf(w, "\n%s", p.Table)
	}
}

// writePlanMemory says what stays in a worker's memory, and what goes to the disk.
func writePlanMemory(w io.Writer, m *pipeline.PlanMemory) {
	if m == nil || m.Limit == 0 {
		return
	}
	if m.Mode == pipeline.InMemory {
		fmt.Fprintf(w, "memory limit           %s: all rows stay in memory\n", inBytes(m.Limit))
		return
	}
	fmt.Fprintf(w, "memory limit           %s: %s of rows, %s of labels and bounds, %s for the rest\n", inBytes(m.Limit), inBytes(m.Hot), inBytes(m.State), inBytes(m.Other))
	where := ""
	switch {
	case m.Folder != "" && m.Free >= 0:
		where = fmt.Sprintf(" to %s (%s free)", m.Folder, inBytes(m.Free))
	case m.Folder != "":
		where = " to " + m.Folder
	}
	fmt.Fprintf(w, "spilled                %s%s, taken to be read at %.0f MB/s\n", inBytes(m.Spilled), where, m.Speed/1e6)
	switch {
	case m.Limit < m.Least:
		fmt.Fprintf(w, "the memory limit is too small: at least --memory %s will do\n", planLeast(m))
	case m.Free >= 0 && m.Free < m.Spilled:
		fmt.Fprintf(w, "there is too little room in %s: name a folder on a larger disk with --spill\n", m.Folder)
	case !m.Enough:
		fmt.Fprintf(w, "there is no disk to spill to: name a folder on one with --spill\n")
	}
}

// threadsOf says how many threads workers have.
func threadsOf(p *pipeline.PlanOutcome) string {
	if p.Placement != nil {
		for _, h := range p.Placement.Workers {
			if h.Weight != p.Threads {
				return fmt.Sprintf("up to %d threads", p.Threads)
			}
		}
	}
	return counted(int64(p.Threads), "thread", "threads")
}

// inBytes renders a size in binary units: 812 B, 3.1 MiB, 12.3 GiB.
func inBytes(n int64) string {
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1024 && unit < 4 {
		value /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %ciB", value, "KMGTP"[unit])
}
