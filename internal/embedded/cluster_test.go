package embedded

import (
	"context"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// table is a Source in memory whose Blocks have as many rows as the test says.
type table struct {
	columns [][]float64
	block   int
}

func (s *table) Schema() *dataset.Schema {
	schema := &dataset.Schema{}
	for i := range s.columns {
		schema.Columns = append(schema.Columns, dataset.Column{Name: fmt.Sprintf("x%d", i)})
	}
	return schema
}
func (s *table) Rows() int64                { return int64(len(s.columns[0])) }
func (s *table) Cuts() []int64              { return []int64{0} }
func (s *table) Locate(r int64) fault.Place { return fault.Place{File: "table", Row: r} }
func (s *table) Bytes() int64               { return 0 }
func (s *table) Names() []string            { return []string{"table"} }
func (s *table) Close() error               { return nil }
func (s *table) Read(_ context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	return &tableReader{s, first, first + rows, fields}, nil
}

type tableReader struct {
	s        *table
	at, stop int64
	fields   []dataset.Field
}

func (r *tableReader) Close() error { return nil }
func (r *tableReader) Next() (*dataset.Block, error) {
	if r.at == r.stop {
		return nil, io.EOF
	}
	n := min(int64(r.s.block), r.stop-r.at)
	b := &dataset.Block{First: r.at, Rows: int(n)}
	for _, f := range r.fields {
		b.Columns = append(b.Columns, dataset.Vector{Float64: r.s.columns[f.Column][r.at : r.at+n]})
	}
	r.at += n
	return b, nil
}

// lognormal is data over many orders of magnitude, on which sums in any other way would depend on the grouping.
func lognormal(rows int) *table {
	r := rand.New(rand.NewPCG(11, 4))
	s := &table{columns: make([][]float64, 4), block: 1000}
	for range rows {
		for t := range s.columns {
			s.columns[t] = append(s.columns[t], math.Exp(2.5*r.NormFloat64()))
		}
	}
	return s
}

// collected keeps labels by row.
type collected struct {
	mu       sync.Mutex
	segments map[int64]int32
}

func (c *collected) Put(_ context.Context, l *worker.Labels) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i, row := range l.RowNumbers {
		c.segments[row] = l.Segment[i]
	}
	return nil
}

// fitted is everything that must not depend on how the work was divided.
type fitted struct {
	centroids  []float32
	inertia    uint64
	iterations int
	segments   []int32
}

func fitTable(t *testing.T, s *table, parts int64, workers, threads int, options coordinator.FitOptions) fitted {
	t.Helper()
	m := &partition.Manifest{Rows: s.Rows()}
	for id := range parts {
		first := id * s.Rows() / parts
		m.Partitions = append(m.Partitions, partition.Partition{ID: int(id), First: first, Rows: (id+1)*s.Rows()/parts - first})
	}
	options.Input = &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1", "x2", "x3"}, Scale: "standard", Missing: "fail"},
		BadRows: wire.BadRowsFail, Duplicates: wire.DuplicatesFail}
	options.MaxIterations, options.Labels = 25, true
	job, fit, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: workers, Epoch: 1, Window: Window(workers, threads)}, options)
	if err != nil {
		t.Fatal(err)
	}
	sink := &collected{segments: make(map[int64]int32)}
	cluster, err := Start(t.Context(), workers, threads, worker.Config{Source: s, Manifest: m, Labels: sink})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := coordinator.Run(t.Context(), job, cluster, func(coordinator.Action) {}); err != nil {
		t.Fatal(err)
	}
	return fittedOf(t, s, fit, sink)
}

// fittedOf collects what a fit gave.
func fittedOf(t *testing.T, s *table, fit *coordinator.Fit, sink *collected) fitted {
	t.Helper()
	r := fit.Result
	got := fitted{centroids: r.Centroids.Values, inertia: math.Float64bits(r.Inertia), iterations: r.Iterations}
	for row := range s.Rows() {
		segment, ok := sink.segments[row]
		if !ok {
			t.Fatalf("row %d has no label", row)
		}
		got.segments = append(got.segments, segment)
	}
	return got
}

func same(a, b fitted) bool {
	return a.inertia == b.inertia && a.iterations == b.iterations && slices.Equal(a.centroids, b.centroids) && slices.Equal(a.segments, b.segments)
}

func TestFitIsIndependentOfHowTheWorkIsDivided(t *testing.T) {
	rows := 15000
	if testing.Short() {
		rows = 6000
	}
	s := lognormal(rows)
	defer restoreTier(t, kmeans.Tier())
	for _, init := range []kmeans.Init{kmeans.InitParallel, kmeans.InitPlusPlus, kmeans.InitRandom} {
		options := coordinator.FitOptions{K: 6, Init: init, Runs: 2, Seed: 4}
		want := fitTable(t, s, 1, 1, 1, options)
		for _, tier := range tiers() {
			if err := kmeans.UseTier(tier); err != nil {
				t.Fatal(err)
			}
			for i, workers := range []int{1, 2, 3, 7} {
				for _, threads := range []int{1, 2} {
					s.block = []int{1, 999, 8192, 64}[i]
					parts := int64(1 + 5*i)
					if got := fitTable(t, s, parts, workers, threads, options); !same(got, want) {
						t.Errorf("%s, %s, %d workers, %d threads, %d partitions: inertia %x after %d iterations, want %x after %d", init, tier,
							workers, threads, parts, got.inertia, got.iterations, want.inertia, want.iterations)
					}
				}
			}
		}
	}
}

// tiers are those of this machine; in short tests, such as under the race detector, the best alone.
func tiers() []string {
	all := kmeans.Tiers()
	if testing.Short() {
		return all[:1]
	}
	return all
}

func restoreTier(t *testing.T, name string) {
	if err := kmeans.UseTier(name); err != nil {
		t.Error(err)
	}
}

func TestNaiveFloatSumsDependOnTheDivision(t *testing.T) {
	column := lognormal(30000).columns[0]
	sum := func(parts int) float64 {
		total := 0.0
		for p := range parts {
			part := 0.0
			for _, x := range column[p*len(column)/parts : (p+1)*len(column)/parts] {
				part += x
			}
			total += part
		}
		return total
	}
	if sum(1) == sum(7) {
		t.Error("a float64 sum of this data is the same in 1 and in 7 parts: the test of independence would not tell")
	}
}

func TestRunEndsWithTheContext(t *testing.T) {
	s := lognormal(20000)
	ctx, cancel := context.WithCancel(t.Context())
	m := &partition.Manifest{Rows: 20000, Partitions: []partition.Partition{{ID: 0, First: 0, Rows: 20000}}}
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0"}, Scale: "none", Missing: "fail"}, BadRows: wire.BadRowsFail}
	job, _, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: 1, Epoch: 1, Window: 2},
		coordinator.FitOptions{Input: in, K: 4, Init: kmeans.InitRandom, Runs: 1 << 20, MaxIterations: 5})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := Start(ctx, 1, 2, worker.Config{Source: s, Manifest: m})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	iterations := 0
	err = coordinator.Run(ctx, job, cluster, func(a coordinator.Action) {
		if _, ok := a.(*coordinator.Iterated); ok {
			if iterations++; iterations == 20 {
				cancel()
			}
		}
	})
	if fault.Code(err) != int(fault.Interrupted) {
		t.Errorf("got %v, want an interruption", err)
	}
}
