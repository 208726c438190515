package pipeline

import (
	"context"
	"errors"
	"io"
	"runtime"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// PlanRequest asks what a fit would take.
type PlanRequest struct {
	Data    Data
	Engine  Engine
	K       int
	Workers int  // of the cluster that is planned for; each with as many threads as this process
	Labels  bool // the fit writes labels too
}

// PlanOutcome is what a fit would take. Times are estimates from a short measurement on this machine.
type PlanOutcome struct {
	Rows                    int64       `json:"rows"`
	Columns                 int         `json:"columns"`
	Bytes                   int64       `json:"bytes"` // of the data as it is read; 0 if not known
	K                       int         `json:"k"`
	Workers                 int         `json:"workers"`
	Threads                 int         `json:"threads_per_worker"`
	Partitions              int         `json:"partitions"`
	MemoryPerWorker         int64       `json:"memory_per_worker"`           // bytes
	NetworkPerIteration     int64       `json:"network_per_iteration"`       // bytes through the coordinator on a cluster
	ProfileMemory           int64       `json:"profile_memory"`              // bytes that profile takes at most, on as many threads
	MigrateMemory           int64       `json:"migrate_memory"`              // bytes that migrate takes for two months of such data, ids being integers
	ResidentPointsPerWorker int64       `json:"points_per_worker"`           // bytes of the float32 matrix
	Expected                PlanSeconds `json:"expected_seconds"`            // of the whole fit
	AssumedIterations       int         `json:"assumed_iterations"`          // Lloyd passes in the estimate
	PassNanosecondsPerPoint float64     `json:"pass_nanoseconds_per_point"`  // measured here, on one thread
	ReadRowsPerSecond       float64     `json:"read_rows_per_second"`        // measured here, on one thread; 0: the data cannot be read here
	ExceedsMemory           bool        `json:"exceeds_memory_of_this_host"` // of one worker, against this machine

	Memory *PlanMemory `json:"memory"` // of a worker; on a cluster, of the one that spills the most

	// Of a cluster that is there: which worker would hold what. Workers, Threads and MemoryPerWorker are then those of
	// its workers, the largest of each.
	Placement *partition.Summary `json:"placement,omitempty"`
	// TooFew says that the workers have too little memory for all rows, those on their disks apart.
	TooFew bool   `json:"too_few_workers,omitempty"`
	Table  string `json:"-"` // the placement for people
}

// PlanSeconds are the expected parts of a fit.
type PlanSeconds struct {
	Read    float64 `json:"read"`
	Seed    float64 `json:"seed"`
	Iterate float64 `json:"iterate"`
	Total   float64 `json:"total"`
}

// assumedIterations is how many passes customer data commonly takes to the default tolerance.
const assumedIterations = 30

// seedPasses is what k-means|| costs in passes: a few rounds over some 2.5k candidates, the draws, and bringing them down to k.
const seedPasses = 5

// Plan looks at the data and measures this machine for a moment. It writes nothing. With Engine.Cluster it plans for the
// workers that are there.
func Plan(ctx context.Context, r *PlanRequest) (*PlanOutcome, error) {
	if r.Engine.Cluster != nil {
		return planOnCluster(ctx, r)
	}
	source, err := openData(ctx, &r.Data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	outcome, err := plan(ctx, r, source)
	return outcome, explain(err, source)
}

func plan(ctx context.Context, r *PlanRequest, source dataset.Source) (*PlanOutcome, error) {
	in, err := r.Data.input(source.Schema(), firstName(source))
	if err != nil {
		return nil, err
	}
	manifest, err := cut(source, in)
	if err != nil {
		return nil, err
	}
	if err := checkClusters(r.K, source); err != nil {
		return nil, err
	}
	reading, width, err := measureReading(ctx, source, in, manifest.Partitions[0].Rows)
	if err != nil {
		return nil, err
	}
	p := &PlanOutcome{Rows: source.Rows(), Columns: width, Bytes: source.Bytes(), K: r.K, Workers: r.Workers,
		Threads: r.Engine.threads(), Partitions: len(manifest.Partitions), AssumedIterations: assumedIterations,
		ReadRowsPerSecond: reading, PassNanosecondsPerPoint: measurePass(width, r.K), MigrateMemory: monthsBytes(source.Rows()),
		ProfileMemory: profileBytes(source.Rows(), r.K, in, r.Engine.threads())}
	share := (p.Rows + int64(r.Workers) - 1) / int64(r.Workers)
	share = max(share, manifest.Partitions[0].Rows) // a partition is not divided
	share = min(share, p.Rows)
	p.ResidentPointsPerWorker = share * int64(width) * 4
	row := int64(width)*4 + int64(kmeans.Auto.TrackBytes(r.K, width)) // of one run: with several it is as many as fit beside the Points
	p.MemoryPerWorker = capacity.WorkerBytes(share, row, p.Threads, r.K, width)
	if in.ID != "" {
		p.MemoryPerWorker += share * 16
	}
	p.NetworkPerIteration = networkPerIteration(r.Workers, r.K, width)
	p.ExceedsMemory = exceedsMemory(p.MemoryPerWorker)
	p.expect(float64(min(p.Workers*p.Threads, max(len(manifest.Partitions), p.Threads))))
	return p, p.divide(r, manifest, share, in)
}

// networkPerIteration is what passes the coordinator: each worker gets the centroids and gives exact sums and counts.
func networkPerIteration(workers, k, width int) int64 {
	in, out := capacity.PassBytes(workers, k, width)
	return in + out
}

// expect estimates the times on so many threads in all.
func (p *PlanOutcome) expect(threads float64) {
	shape := capacity.Shape{Rows: p.Rows, D: p.Columns, K: p.K}
	rates := capacity.Rates{At: shape, Pass: p.PassNanosecondsPerPoint, Seeding: seedPasses}
	if p.ReadRowsPerSecond > 0 {
		rates.Read = 2 * 1e9 / p.ReadRowsPerSecond // once for the statistics, once for the Points
	}
	// The last of these passes is the one that gives the inertia.
	on := capacity.Cluster{Workers: p.Workers, Cores: threads}
	if p.Workers > 1 {
		on.Round = capacity.RoundSeconds
	}
	fit := capacity.Predict(shape, on, &rates, assumedIterations-1)
	p.Expected = PlanSeconds{Read: fit.Read, Seed: fit.Seed, Iterate: fit.Iterate, Total: fit.Fit}
}

// measureReading reads the beginning of the data on one thread; it gives rows per second and the width after encoding.
func measureReading(ctx context.Context, s dataset.Source, in *wire.Input, most int64) (float64, int, error) {
	var fields []dataset.Field
	for _, name := range in.Spec.Numeric {
		fields = append(fields, dataset.Field{Column: s.Schema().Index(name), As: dataset.AsNumber})
	}
	for _, name := range in.Spec.Categorical {
		fields = append(fields, dataset.Field{Column: s.Schema().Index(name), As: dataset.AsText})
	}
	levels := make([]map[string]bool, len(in.Spec.Categorical))
	for i := range levels {
		levels[i] = make(map[string]bool)
	}
	begun := time.Now()
	rows, err := s.Read(ctx, 0, most, fields)
	if err != nil {
		return 0, 0, err
	}
	defer rows.Close()
	count := 0
	for {
		b, err := rows.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return 0, 0, err
		}
		count += b.Rows
		for c := range levels {
			v := &b.Columns[len(in.Spec.Numeric)+c]
			for i := range b.Rows {
				if len(levels[c]) < 10000 {
					levels[c][string(v.Text.At(i))] = true
				}
			}
		}
	}
	width := len(in.Spec.Numeric)
	for _, l := range levels {
		width += len(l)
	}
	return float64(count) / max(time.Since(begun).Seconds(), 1e-9), width, nil
}

// measurePass times assignment passes over made points on one thread, in nanoseconds a point.
func measurePass(d, k int) float64 {
	n := min(max(1<<22/(d*k), kmeans.SpanRows), 1<<16) / kmeans.SpanRows * kmeans.SpanRows
	values := make([]float32, n*d)
	state := uint32(1)
	for i := range values {
		state = state*1664525 + 1013904223
		values[i] = float32(state>>8) / (1 << 24)
	}
	points, err := kmeans.PointsFromRows(values, n, d, nil)
	if err != nil {
		return 0
	}
	c := kmeans.NewCentroids(k, d)
	for i := range c.Values {
		c.Values[i] = values[(i*7919)%len(values)]
	}
	a := kmeans.NewAssigner(c)
	var s kmeans.Scratch
	passes := 0
	begun := time.Now()
	for passes == 0 || time.Since(begun) < 30*time.Millisecond {
		for lo := 0; lo < n; lo += kmeans.SpanRows {
			a.Nearest(points, lo, lo+kmeans.SpanRows, &s)
		}
		passes++
	}
	return float64(time.Since(begun).Nanoseconds()) / float64(n*passes)
}

// exceedsMemory says whether a worker of that size would not fit this machine; false where that is not known.
func exceedsMemory(bytes int64) bool {
	total := spill.Whole()
	return runtime.GOOS == "linux" && total > 0 && bytes > total
}
