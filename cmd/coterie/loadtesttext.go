package main

import (
	"cmp"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/pipeline"
)

// shownLoadWorkers bounds the lines of a table for people: of more workers the slowest are shown.
const shownLoadWorkers = 16

// meaningful is how many seconds an iteration should take for its speed to say something of larger ones: in less there is
// much that does not grow with the rows.
const meaningful = 10e-3

// writeLoad says in words what a load test measured.
func writeLoad(w io.Writer, o *pipeline.LoadOutcome, width int) {
	place := map[string]string{pipeline.WhereEmbedded: "in this process", pipeline.WhereCluster: "on the cluster", pipeline.WhereChaos: "on a cluster of processes here"}
	fmt.Fprintf(w, "%s rows × %d columns, k = %d, %s: %s, %s on %s, kernel %s\n", grouped(o.Rows), o.Columns, o.K, place[o.Where],
		counted(int64(o.WorkerCount), "worker", "workers"), counted(int64(o.Threads), "thread", "threads"), counted(int64(o.Cores), "core", "cores"), visible(o.Kernel))
	end := ""
	if o.Interrupted {
		end = "; interrupted"
	}
	fmt.Fprintf(w, "%s of %s, %s in all%s\n", counted(int64(o.Fits), "fit", "fits"), counted(int64(o.Iterations), "iteration", "iterations"),
		counted(o.Pass.Count, "iteration", "iterations"), end)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	s := o.Seconds
	line("time", "%s: read %s, seed %s, iterate %s, write %s", span3(s.Total), span3(s.Read), span3(s.Seed), span3(s.Iterate), span3(s.Write))
	if o.Pass.Count == 0 {
		return
	}
	line("iteration", "%s, from %s to %s", span3(o.Pass.Median), span3(o.Pass.Fastest), span3(o.Pass.Slowest))
	writeLoadSpeed(line, o)
	writeLoadNetwork(line, o)
	writeLoadMemory(line, o)
	if o.Slowest != nil && len(o.Workers) > 1 {
		line("slowest", "%s, %.2f × the median of the workers", visible(o.Slowest.Name), o.Slowest.Ratio)
	}
	if m := o.CheckedBy; m != nil {
		line("model", "%s an iteration from one worker's speed, %s measured: %+.0f %%", span3(m.Predicted), span3(m.Measured), 100*m.Off)
	}
	if o.Digest != "" {
		line("digest", "%s", o.Digest)
	}
	writeLoadWorkers(w, o, width)
	if o.Chaos != nil {
		writeChaos(w, o.Chaos, width)
	}
	if o.WhatIf != nil {
		writeWhatIf(w, o.WhatIf)
		if o.Pass.Median < meaningful {
			fmt.Fprintf(w, "an iteration of the test took %s: predict from longer ones, with more --rows\n", span3(o.Pass.Median))
		}
	}
}

func writeLoadSpeed(line func(string, string, ...any), o *pipeline.LoadOutcome) {
	s := &o.Speed
	line("speed", "%s rows/s, %s distances/s, %.4g GFLOP/s", inShort(s.Rows), inShort(s.Distances), s.GFLOPS)
	if r := s.Roofline; r != nil {
		line("roofline", "%.0f %% of what this machine can do here, which is bound by %s (%.4g GFLOP/s, %.3g GB/s)", 100*r.Fraction, r.BoundBy, r.GFLOPS, r.GBytes)
	}
	if s.Made > 0 {
		line("making", "%s rows/s, made, measured and held", inShort(s.Made))
	}
	if c := o.Scaling; c != nil {
		line("efficiency", "%.0f %% of one worker of %s on its part of the rows (%s), as often as there are cores for", 100*c.Efficiency,
			counted(int64(c.OneThreads), "thread", "threads"), grouped(c.OneRows))
	}
	if o.Busy > 0 {
		line("busy share", "%.0f %%: so much of the iterations the workers computed, or waited for a core", 100*o.Busy)
	}
}

func writeLoadNetwork(line func(string, string, ...any), o *pipeline.LoadOutcome) {
	n := &o.Network
	if n.Received == 0 {
		line("network", "%s in and %s out an iteration by the formula", inBytes(n.FormulaReceived), inBytes(n.FormulaSent))
		return
	}
	crossed := "through the coordinator"
	if !n.Crossed {
		crossed = "would pass a coordinator"
	}
	line("network", "%s in and %s out %s an iteration; %s and %s by the formula", inBytes(n.Received), inBytes(n.Sent), crossed,
		inBytes(n.FormulaReceived), inBytes(n.FormulaSent))
}

func writeLoadMemory(line func(string, string, ...any), o *pipeline.LoadOutcome) {
	m := &o.Memory
	text := fmt.Sprintf("%s a worker by the formula", inBytes(m.Formula))
	if m.Partitions > 0 {
		text += fmt.Sprintf("; the largest reports %s of partitions", inBytes(m.Partitions))
	}
	if m.Process > 0 {
		text += fmt.Sprintf("; this process had %s at most, with %s", inBytes(m.Process), counted(int64(o.WorkerCount), "worker", "workers"))
	}
	line("memory", "%s", text)
}

// writeLoadWorkers shows each worker where there are several.
func writeLoadWorkers(w io.Writer, o *pipeline.LoadOutcome, width int) {
	if len(o.Workers) < 2 {
		return
	}
	fmt.Fprintln(w)
	g := newGrid(0, "worker", ">rows", ">an iteration", ">× the median", ">partitions")
	shown := slowestFirst(o.Workers)
	for _, l := range shown[:min(len(shown), shownLoadWorkers)] {
		memory := "–"
		if l.Memory > 0 {
			memory = inBytes(l.Memory)
		}
		g.add(l.Name, grouped(l.Rows), span3(l.Seconds), fmt.Sprintf("%.2f", l.Ratio), memory)
	}
	g.write(w, width)
	if more := len(shown) - shownLoadWorkers; more > 0 {
		fmt.Fprintf(w, "and %s that are faster\n", counted(int64(more), "worker", "workers"))
	}
}

func writeChaos(w io.Writer, c *pipeline.ChaosOutcome, width int) {
	fmt.Fprintf(w, "\n%s while workers fell, %.3g s\n", counted(int64(c.Fits), "fit", "fits"), c.Seconds)
	g := newGrid(0, "fault", "worker", ">in iteration", ">partitions", ">given to others after", ">recovered after")
	for _, f := range c.Faults {
		g.add(f.Fault, f.Worker, grouped(f.Pass), grouped(int64(f.Partitions)), orNever(f.Noticed, "–"), orNever(f.Recovered, unrecovered(f.Partitions)))
	}
	g.write(w, width)
	if c.Missed > 0 {
		fmt.Fprintf(w, "%s did not come to pass: the fits were over first\n", counted(int64(c.Missed), "fault", "faults"))
	}
	if c.Same {
		fmt.Fprintf(w, "digest      %s, as undisturbed\n", c.Disturbed)
	}
}

func orNever(seconds float64, never string) string {
	if seconds == 0 {
		return never
	}
	return span3(seconds)
}

func writeWhatIf(w io.Writer, a *pipeline.WhatIfAnswer) {
	network := "the network not counted"
	if a.Network > 0 {
		network = "coordinator at " + capacity.FormatNetwork(a.Network)
	}
	fmt.Fprintf(w, "\nwhat if: %s, %s cores, %s; %s rows × %d, k = %d\n", counted(int64(a.Workers), "worker", "workers"), inShort(a.Cores), network, grouped(a.Rows),
		a.Columns, a.K)
	line := func(name, format string, args ...any) {
		fmt.Fprintf(w, "%-11s %s\n", name, fmt.Sprintf(format, args...))
	}
	line("iteration", "%s: computing %s, network %s, merging %s (the larger of the two counts)", span3(a.Pass), span3(a.Compute), span3(a.Prediction.Network), span3(a.Coordinator))
	line("fit", "%s: read %s, seed %s, iterate %s (%s)", span3(a.Fit), span3(a.Read), span3(a.Seed), span3(a.Iterate), counted(int64(a.Iterations), "iteration", "iterations"))
	line("efficiency", "%.0f %%", 100*a.Efficiency)
	line("bottleneck", "%s", a.Bottleneck)
	if a.Crossover > 0 {
		binds := "the network"
		if a.Binds == capacity.Coordinator {
			binds = "merging"
		}
		line("crossover", "%s workers: there %s takes as long as the computing; up to %s it takes a tenth of the time", inShort(math.Floor(a.Crossover)), binds,
			inShort(math.Floor(a.Crossover/3)))
	}
	line("memory", "%s a worker", inBytes(a.Memory))
	if a.Partitions < a.Workers {
		line("partitions", "%s: %s have nothing to do", grouped(int64(a.Partitions)), counted(int64(a.Workers-a.Partitions), "worker", "workers"))
	}
}

// span3 renders seconds in three digits: 12.3 ms, 4.56 s, 1h2m3s.
func span3(seconds float64) string {
	switch {
	case seconds == 0:
		return "0 s"
	case seconds < 1e-3:
		return three(seconds*1e6) + " µs"
	case seconds < 1:
		return three(seconds*1e3) + " ms"
	case seconds < 100:
		return three(seconds) + " s"
	}
	return time.Duration(min(seconds, 1e9) * float64(time.Second)).Round(time.Second).String()
}

// three renders a number with three digits, without an exponent where it has no more before the point.
func three(x float64) string {
	switch {
	case x >= 99.95:
		return fmt.Sprintf("%.0f", x)
	case x >= 9.995:
		return fmt.Sprintf("%.1f", x)
	}
	return fmt.Sprintf("%.2f", x)
}

// inShort renders a number in three digits: 12.3M.
func inShort(x float64) string {
	switch {
	case x >= 1e12:
		return three(x/1e12) + "T"
	case x >= 1e9:
		return three(x/1e9) + "G"
	case x >= 1e6:
		return three(x/1e6) + "M"
	case x >= 1e4:
		return three(x/1e3) + "k"
	}
	return fmt.Sprintf("%.4g", x)
}

// slowestFirst are the workers, those that took longest first.
func slowestFirst(workers []pipeline.LoadWorker) []pipeline.LoadWorker {
	return slices.SortedStableFunc(slices.Values(workers), func(a, b pipeline.LoadWorker) int { return cmp.Compare(b.Seconds, a.Seconds) })
}

// unrecovered says why there is no time in which a job got over a fault.
func unrecovered(partitions int) string {
	if partitions == 0 {
		return "nothing to get over"
	}
	return "the fit was over"
}
