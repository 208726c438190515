package embedded

import (
	"context"
	"errors"
	"io"
	"math"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// evenly cuts rows into partitions of nearly one size.
func evenly(rows, parts int64) *partition.Manifest {
	m := &partition.Manifest{Rows: rows}
	for id := range parts {
		first := id * rows / parts
		m.Partitions = append(m.Partitions, partition.Partition{ID: int(id), First: first, Rows: (id+1)*rows/parts - first})
	}
	return m
}

// run fits and gives what was found.
func run(t *testing.T, s dataset.Source, m *partition.Manifest, workers, threads int, o coordinator.FitOptions) coordinator.FitResult {
	t.Helper()
	job, fit, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: workers, Epoch: 1, Window: Window(workers, threads)}, o)
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := Start(t.Context(), workers, threads, worker.Config{Source: s, Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := coordinator.Run(t.Context(), job, cluster, func(coordinator.Action) {}); err != nil {
		t.Fatal(err)
	}
	return fit.Result
}

func TestTheWeightOfADroppedRowCountsNowhere(t *testing.T) {
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0"}, Scale: "standard", Missing: "drop"}, Weight: "x1", BadRows: wire.BadRowsFail}
	o := coordinator.FitOptions{Input: in, K: 2, Init: kmeans.InitPlusPlus, Runs: 1, MaxIterations: 20}
	whole := &table{columns: [][]float64{{0, 1, 2, 10, 11, 12, 30}, {1, 2, 3, 1, 2, 3, 1}}, block: 3}
	want := run(t, whole, evenly(7, 1), 1, 1, o)
	// The weight of the row without a value would leave one unit to each of the others.
	more := &table{columns: [][]float64{append(slices.Clone(whole.columns[0]), math.NaN()), append(slices.Clone(whole.columns[1]), 1e30)}, block: 3}
	got := run(t, more, evenly(8, 2), 2, 2, o)
	if !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia {
		t.Errorf("got %v with inertia %v, want %v with %v", got.Centroids.Values, got.Inertia, want.Centroids.Values, want.Inertia)
	}
}

// nasty has what trips careless programs: offsets, duplicates, ties, twelve orders of magnitude, missing values, and a
// last column of weights, some of them zero.
func nasty(rows int) *table {
	s := lognormal(rows)
	for i := range rows {
		s.columns[0][i] = 1e9 + float64(i%7)
		s.columns[1][i] = float64(i * i % 11)
		s.columns[2][i] = math.Pow(s.columns[2][i], 4)
		if i%13 == 5 {
			s.columns[2][i] = math.NaN()
		}
		if i%29 == 0 {
			s.columns[3][i] = 0
		}
	}
	return s
}

func TestEveryPolicyGivesTheSameBitsHoweverTheWorkIsDivided(t *testing.T) {
	defer restoreTier(t, kmeans.Tier())
	s := nasty(4000)
	for _, c := range []struct {
		name    string
		scale   feature.Scale
		missing feature.Missing
		cosine  bool
		weight  string
	}{
		{"robust, median", feature.Robust, feature.Median, false, ""},
		{"robust, drop, weights", feature.Robust, feature.Drop, false, "x3"},
		{"minmax, indicator, weights", feature.MinMax, feature.Indicator, false, "x3"},
		{"standard, mean, cosine, weights", feature.Standard, feature.Mean, true, "x3"},
		{"none, drop, cosine", feature.None, feature.Drop, true, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1", "x2"}, Scale: c.scale, Missing: c.missing, Normalize: c.cosine},
				Weight: c.weight, BadRows: wire.BadRowsFail}
			o := coordinator.FitOptions{Input: in, K: 7, Init: kmeans.InitParallel, Runs: 2, MaxIterations: 30, Seed: 8}
			s.block = 500
			want := run(t, s, evenly(s.Rows(), 1), 1, 1, o)
			for i, tier := range tiers() {
				if err := kmeans.UseTier(tier); err != nil {
					t.Fatal(err)
				}
				for workers := 1; workers <= 7; workers += 2 {
					s.block = []int{7, 300, 4096}[i%3]
					got := run(t, s, evenly(s.Rows(), int64(workers+3)), workers, 1+(workers+i)%4, o)
					if !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia || !slices.Equal(got.Counts, want.Counts) {
						t.Errorf("%s, %d workers: inertia %v, counts %v; want %v, %v", tier, workers, got.Inertia, got.Counts, want.Inertia, want.Counts)
					}
				}
			}
		})
	}
}

// A repeated Load, as a coordinator that was started again sends it, brings Points without labels: sums that stem from the
// labels before must not be gone on with.
func TestAPartitionThatIsLoadedAgainIsAssignedAfresh(t *testing.T) {
	s := lognormal(5000)
	m := evenly(5000, 2)
	engine, err := worker.NewEngine(worker.Config{Source: s, Manifest: m, Threads: 2})
	if err != nil {
		t.Fatal(err)
	}
	do := func(task wire.Task) *wire.Partial {
		task.Partitions = []int{0, 1}
		p, err := engine.Do(t.Context(), &task)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1"}, Scale: "standard", Missing: "fail"}, BadRows: wire.BadRowsFail}
	statistics := do(wire.Task{Kind: wire.Statistics, Input: in})
	transform, err := feature.Fit(in.Spec, statistics.Statistics, nil)
	if err != nil {
		t.Fatal(err)
	}
	load := wire.Task{Kind: wire.Load, Input: in, Transform: transform, K: 2}
	iterate := wire.Task{Kind: wire.Iterate, Centroids: &kmeans.Centroids{K: 2, D: 2, Values: []float32{0, 0, 1, 1}}}
	do(load)
	want := do(iterate)
	totals := do(load).Totals
	got := do(iterate)
	if !got.Fresh {
		t.Error("the pass after the second loading is not marked as a first one")
	}
	if err := got.Sums.Conserved(totals); err != nil || !slices.Equal(got.Sums.Counts, want.Sums.Counts) {
		t.Errorf("counts after the second loading: got %v (%v), want %v", got.Sums.Counts, err, want.Sums.Counts)
	}
}

// stuck is a table whose readers wait at a row until the context ends.
type stuck struct {
	*table
	at      int64
	reached chan struct{}
}

func (s *stuck) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	r, err := s.table.Read(ctx, first, rows, fields)
	return &stuckReader{Reader: r, s: s, ctx: ctx}, err
}

type stuckReader struct {
	dataset.Reader
	s   *stuck
	ctx context.Context
}

func (r *stuckReader) Next() (*dataset.Block, error) {
	b, err := r.Reader.Next()
	if err == nil && b.First <= r.s.at && r.s.at < b.First+int64(b.Rows) {
		close(r.s.reached)
		<-r.ctx.Done()
		return nil, r.ctx.Err()
	}
	return b, err
}

// failing is a table whose readers fail at a row.
type failing struct {
	*table
	at int64
}

var errDisk = errors.New("disk gone")

func (s *failing) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	r, err := s.table.Read(ctx, first, rows, fields)
	return &failingReader{r, s.at}, err
}

type failingReader struct {
	dataset.Reader
	at int64
}

func (r *failingReader) Next() (*dataset.Block, error) {
	b, err := r.Reader.Next()
	if err == nil && b.First <= r.at && r.at < b.First+int64(b.Rows) {
		return nil, errDisk
	}
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	return b, err
}

func TestNoGoroutineOutlivesAJobThatFailsOrIsCancelled(t *testing.T) {
	before := runtime.NumGoroutine()
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1"}, Scale: "robust", Missing: "fail"}, BadRows: wire.BadRowsFail}
	o := coordinator.FitOptions{Input: in, K: 3, Init: kmeans.InitParallel, Runs: 1000, MaxIterations: 10}
	m := evenly(9000, 5)
	fit := func(ctx context.Context, s dataset.Source, observe func(coordinator.Action)) error {
		job, _, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: 3, Epoch: 1, Window: 4}, o)
		if err != nil {
			t.Fatal(err)
		}
		cluster, err := Start(ctx, 3, 4, worker.Config{Source: s, Manifest: m})
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		return coordinator.Run(ctx, job, cluster, observe)
	}
	if err := fit(t.Context(), &failing{lognormal(9000), 4321}, func(coordinator.Action) {}); !errors.Is(err, errDisk) {
		t.Errorf("a reader that fails: got %v, want %v", err, errDisk)
	}
	ctx, cancel := context.WithCancel(t.Context())
	waiting := &stuck{lognormal(9000), 8000, make(chan struct{})}
	go func() { <-waiting.reached; cancel() }()
	if err := fit(ctx, waiting, func(coordinator.Action) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled while reading: got %v", err)
	}
	for _, phase := range []coordinator.Phase{coordinator.PhaseRead, coordinator.PhaseSeed, coordinator.PhaseIterate} {
		ctx, cancel := context.WithCancel(t.Context())
		reached := false
		err := fit(ctx, lognormal(9000), func(a coordinator.Action) {
			if begun, ok := a.(coordinator.PhaseBegun); ok && begun.Phase == phase {
				reached = true
				cancel()
			}
		})
		cancel()
		if !errors.Is(err, context.Canceled) || !reached {
			t.Errorf("cancelled in phase %s (reached: %v): got %v", phase, reached, err)
		}
	}
	for range 200 { // the runtime takes a moment to count down
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Errorf("goroutines: got %d, want the %d from before", runtime.NumGoroutine(), before)
}
