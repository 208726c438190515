package pipeline

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/roofline"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// LoadSpeed is the speed of the median pass. A multiply-add is two operations, and there are k·d of them for a row.
type LoadSpeed struct {
	Rows      float64       `json:"rows_per_second"`
	Distances float64       `json:"distances_per_second"`
	GFLOPS    float64       `json:"gflops"`
	Made      float64       `json:"rows_made_per_second"` // rows made, read and held; 0: not known
	Roofline  *LoadRoofline `json:"roofline"`             // null: the workers are elsewhere, there are few rows, or it could not be measured
}

// LoadRoofline is what the machine can do on as many threads, measured after the passes, and how much of it they reach.
type LoadRoofline struct {
	GFLOPS   float64 `json:"gflops"`
	GBytes   float64 `json:"gbytes_per_second"`
	Fraction float64 `json:"fraction"`
	BoundBy  string  `json:"bound_by"`
}

// LoadScaling is how well the workers together do against one.
type LoadScaling struct {
	// Efficiency is the speed of all against that of one worker alone on its part of the rows, for as many as there are cores
	// for.
	Efficiency float64 `json:"efficiency"`
	From       string  `json:"from"`
	OneRows    int64   `json:"one_worker_rows"` // of the slice; 0: there was none
	OneThreads int     `json:"one_worker_threads"`
	OnePass    float64 `json:"one_worker_pass_seconds"`
}

// FromSlice is what LoadScaling.Efficiency is from.
const FromSlice = "slice"

// LoadNetwork is what a pass brings to the coordinator's network, in bytes: measured, and at most by the formula.
type LoadNetwork struct {
	Crossed         bool  `json:"crossed"` // false: the workers are in this process, and the messages were only encoded
	Sent            int64 `json:"sent_bytes_per_pass"`
	Received        int64 `json:"received_bytes_per_pass"`
	FormulaSent     int64 `json:"formula_sent_bytes_per_pass"`
	FormulaReceived int64 `json:"formula_received_bytes_per_pass"`
}

// LoadMemory is the memory of workers, in bytes.
type LoadMemory struct {
	Partitions int64 `json:"largest_worker_partition_bytes"` // as workers of a cluster report it; 0: not known
	Process    int64 `json:"process_peak_bytes"`             // of this process, where the workers are in it; 0: not known
	Formula    int64 `json:"formula_worker_bytes"`           // of a worker, all in all
}

// LoadWorker is what a worker did in a pass, on average.
type LoadWorker struct {
	Name    string  `json:"name"`
	Rows    int64   `json:"rows_per_pass"`
	Seconds float64 `json:"seconds_per_pass"`
	Ratio   float64 `json:"ratio_to_median"`
	Memory  int64   `json:"partition_bytes"` // 0: not known
}

// byWorker makes the figures of each worker, of the network and of memory.
func (t *loadTest) byWorker() {
	o, r := t.out, t.request
	t.crew.mu.Lock()
	defer t.crew.mu.Unlock()
	work := slices.SortedFunc(maps.Values(t.crew.work), func(a, b *pb.WorkerWork) int { return strings.Compare(a.Worker, b.Worker) })
	if t.meter != nil {
		work = t.meter.list()
	}
	o.Network.Crossed = t.meter == nil
	o.Network.FormulaReceived, o.Network.FormulaSent = capacity.PassBytes(o.WorkerCount, r.K, r.D)
	rows, sent, received := uint64(0), uint64(0), uint64(0)
	for _, w := range work {
		rows, sent, received = rows+w.Rows, sent+w.SentBytes, received+w.ReceivedBytes
	}
	if passes := float64(rows) / float64(r.Rows); passes > 0 {
		o.Network.Sent, o.Network.Received = int64(float64(sent)/passes), int64(float64(received)/passes)
		for _, w := range work {
			o.Workers = append(o.Workers, LoadWorker{Name: w.Worker, Rows: int64(math.Round(float64(w.Rows) / passes)),
				Seconds: float64(w.Micros) * 1e-6 / passes, Memory: t.crew.memory[w.Worker]})
		}
	}
	o.rankWorkers()
	for _, bytes := range t.crew.memory {
		o.Memory.Partitions = max(o.Memory.Partitions, bytes)
	}
	if t.meter != nil {
		o.Memory.Process = spill.SizeIn("/proc/self/status", "VmHWM:") // at most so far
	}
	o.Memory.Formula = workerBytes(r.Rows, o.WorkerCount, max(o.Threads/o.WorkerCount, 1), r.K, r.D)
}

// workerBytes is what a worker of so many needs for its share of the rows.
func workerBytes(rows int64, workers, threads, k, d int) int64 {
	share := (rows + int64(workers) - 1) / int64(workers)
	return capacity.WorkerBytes(share, int64(4*d+kmeans.FullPasses.TrackBytes(k, d)), threads, k, d)
}

// rankWorkers compares the workers' times with the middle one.
func (o *LoadOutcome) rankWorkers() {
	var times []float64
	for _, w := range o.Workers {
		times = append(times, w.Seconds)
	}
	slices.Sort(times)
	middle := median(times)
	if middle <= 0 {
		return
	}
	for i := range o.Workers {
		o.Workers[i].Ratio = o.Workers[i].Seconds / middle
	}
	slowest := slices.MaxFunc(o.Workers, func(a, b LoadWorker) int { return cmp.Compare(a.Seconds, b.Seconds) })
	o.Slowest = &slowest
}

const (
	// sliceRows bounds what one worker alone is measured on: enough that rows come from memory, and some seconds at most.
	sliceRows = 2 << 20
	// slicePasses are the iterations of that fit.
	slicePasses = 4
)

// slice measures one worker alone, with its share of the threads and of the rows, as the others do not exist.
func (t *loadTest) slice(ctx context.Context) error {
	workers, threads := t.engine.Workers, t.engine.Threads
	if workers == 1 {
		return nil
	}
	one := max(threads/workers, 1)
	defer t.engine.threads() // as they were
	return t.against(ctx, Engine{Workers: 1, Threads: one, Memory: t.engine.Memory, Spill: t.engine.Spill}, workers, one)
}

// against holds the passes of so many workers against those of one of as many threads, which the engine has for itself.
func (t *loadTest) against(ctx context.Context, engine Engine, workers, one int) error {
	rows := max(min(t.request.Rows/int64(workers), sliceRows), int64(t.request.K))
	alone := *t
	request := *t.request
	request.Rows, request.Iterations = rows, slicePasses
	g := newGauge(progress.New(progress.None, nil))
	engine.Reporter = g
	alone.request, alone.gauge, alone.engine = &request, g, engine
	t.gauge.Note("measuring one worker alone, to compare with")
	if _, err := Fit(ctx, alone.fitRequest()); err != nil {
		return err
	}
	pass := g.pass()
	together := min(float64(workers), float64(t.out.Cores)/float64(one)) // more than there are cores for are not faster
	speed := float64(t.request.Rows) / t.out.Pass.Median
	t.out.Scaling = &LoadScaling{Efficiency: speed / (together * float64(rows) / pass.Median), From: FromSlice,
		OneRows: rows, OneThreads: one, OnePass: pass.Median}
	return nil
}

// speed makes the figures of the median pass.
func (t *loadTest) speed(ctx context.Context) {
	o, r := t.out, t.request
	o.Speed.Rows = float64(r.Rows) / o.Pass.Median
	o.Speed.Distances = o.Speed.Rows * float64(r.K)
	o.Speed.GFLOPS = o.Speed.Distances * float64(r.D) * 2 / 1e9
	if read := t.gauge.mean("read"); read > 0 {
		o.Speed.Made = float64(r.Rows) / read
	}
	if t.meter == nil && len(o.Workers) > 0 {
		busy := 0.0
		for _, w := range o.Workers {
			busy += w.Seconds
		}
		// Threads that share cores take turns: a worker is busy while it waits for its own.
		o.Busy = min(busy/float64(o.WorkerCount)/o.Pass.Mean, 1)
	}
	if t.meter != nil && ctx.Err() == nil && r.Rows*int64(r.D)*4 >= roofLeast {
		o.Speed.Roofline = measureRoofline(ctx, o.Cores, r, o.Pass.Median)
	}
}

// The roofline of a load test is measured in a fraction of a second, after the passes.
const (
	roofBytes       = 64 << 20 // of each thread
	roofRepetitions = 8
	// roofLeast is how many bytes of rows there must be: fewer lie in the caches, and are no faster or slower than memory
	// for a reason that the roofline knows.
	roofLeast = 64 << 20
)

// measureRoofline is nil where it cannot be measured, or where the passes seem to beat it: then something else was in the
// way of the measurement.
func measureRoofline(ctx context.Context, threads int, r *LoadRequest, pass float64) *LoadRoofline {
	report, err := roofline.Measure(ctx, &roofline.Config{Threads: []int{threads}, Bytes: roofBytes, Window: 2 * roofline.MinWindow, Repetitions: roofRepetitions})
	if err != nil {
		return nil
	}
	row := report.Rows[0]
	bound, by := roofline.Bound(int(min(r.Rows, math.MaxInt32)), r.D, r.K, row.GFLOPS, row.GBytes)
	fraction, err := roofline.Fraction(pass/float64(r.Rows)*1e9, bound)
	if err != nil {
		return nil
	}
	return &LoadRoofline{row.GFLOPS, row.GBytes, fraction, by}
}
