package embedded

import (
	"fmt"
	"math"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// hotPart divides memory so that the given part of the Points stays in it, in chunks of a few hundred rows.
func hotPart(part float64) func(int64, capacity.Holding) capacity.Division {
	return func(limit int64, h capacity.Holding) capacity.Division {
		all := h.Rows * h.Point
		hot := int64(float64(all) * part)
		return capacity.Division{Hot: hot, Spilled: all - hot, Chunk: int(600 * h.Point), Buffers: 4, Loads: 2}
	}
}

// shapes are the kinds of inputs whose Points lie differently on the disk.
func shapes() map[string]*wire.Input {
	plain := func() *wire.Input {
		return &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1", "x2"}, Scale: "standard", Missing: "fail"},
			BadRows: wire.BadRowsFail, Duplicates: wire.DuplicatesFail}
	}
	weighted, dropping, cosine := plain(), plain(), plain()
	weighted.Weight = "x3"
	dropping.Spec.Missing = "drop"
	cosine.Spec.Normalize = true
	return map[string]*wire.Input{"plain": plain(), "weights": weighted, "rows left out": dropping, "cosine": cosine}
}

// fitIn fits a table; what the engines are to know beyond their data stands in c.
func fitIn(t *testing.T, s *table, in *wire.Input, workers, threads int, o coordinator.FitOptions, c worker.Config) (fitted, int64) {
	t.Helper()
	m := &partition.Manifest{Rows: s.Rows()}
	const parts = 5
	for id := range int64(parts) {
		first := id * s.Rows() / parts
		m.Partitions = append(m.Partitions, partition.Partition{ID: int(id), First: first, Rows: (id+1)*s.Rows()/parts - first})
	}
	o.Input, o.MaxIterations, o.Labels = in, 12, true
	job, fit, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: workers, Epoch: 1, Window: Window(workers, threads)}, o)
	if err != nil {
		t.Fatal(err)
	}
	sink := &collected{segments: make(map[int64]int32)}
	c.Source, c.Manifest, c.Labels, c.Raw = s, m, sink, math.MaxInt64
	cluster, err := Start(t.Context(), workers, threads, c)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	if err := coordinator.Run(t.Context(), job, cluster, func(coordinator.Action) {}); err != nil {
		t.Fatal(err)
	}
	r := fit.Result
	got := fitted{centroids: r.Centroids.Values, inertia: math.Float64bits(r.Inertia), iterations: r.Iterations}
	for row := range s.Rows() {
		segment, known := sink.segments[row]
		if !known {
			segment = -1 // left out
		}
		got.segments = append(got.segments, segment)
	}
	used, read := cluster.Spilled()
	if c.Memory > 0 && used == 0 {
		t.Error("nothing was spilled")
	}
	return got, read
}

func empty(t *testing.T, folder string) {
	t.Helper()
	if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
		t.Errorf("got %v, %v in the spill folder, want nothing", left, err)
	}
}

func TestSpilledRowsGiveTheBitsOfRowsInMemory(t *testing.T) {
	s := lognormal(3000)
	for i := 0; i < len(s.columns[0]); i += 37 {
		s.columns[1][i] = math.NaN() // left out, where that is asked for
	}
	whole := lognormal(3000)
	for name, in := range shapes() {
		data := whole
		if in.Spec.Missing == "drop" {
			data = s
		}
		for _, algorithm := range kmeans.Algorithms() {
			if name != "plain" && algorithm != string(kmeans.Auto) {
				continue // the others are about rows that the shape does not touch
			}
			o := coordinator.FitOptions{K: 7, Init: kmeans.InitParallel, Runs: 2, Seed: 5, Algorithm: kmeans.Algorithm(algorithm)}
			want, _ := fitIn(t, data, in, 1, 1, o, worker.Config{})
			for i, part := range []float64{0, 0.5} {
				for _, workers := range []int{1, 3} {
					folder := t.TempDir()
					threads := 1 + (i+workers)%3
					got, read := fitIn(t, data, in, workers, threads, o, worker.Config{Memory: 1 << 30, Spill: folder, Divide: hotPart(part)})
					if !same(got, want) || read == 0 {
						t.Errorf("%s, %s, %g hot, %d workers, %d threads: got inertia %x after %d iterations (%d bytes read), want %x after %d", name, algorithm,
							part, workers, threads, got.inertia, got.iterations, read, want.inertia, want.iterations)
					}
					empty(t, folder)
				}
			}
		}
	}
}

func TestWhoTakesSpilledPartitionsOverGivesTheSameBits(t *testing.T) {
	s := lognormal(9000)
	options := coordinator.FitOptions{K: 5, Init: kmeans.InitParallel, Runs: 2, Seed: 3}
	want, _ := fitLosing(t, s, "none", 0, options, worker.Config{})
	for _, at := range []struct {
		kind  wire.Kind
		after int
	}{{wire.Load, 0}, {wire.Seed, 1}, {wire.Iterate, 2}, {wire.Score, 0}, {wire.Label, 0}} {
		folder := t.TempDir()
		got, lost := fitLosing(t, s, at.kind, at.after, options, worker.Config{Memory: 1 << 30, Spill: folder, Divide: hotPart(0.4)})
		if !lost || !same(got, want) {
			t.Errorf("%s, %d (lost: %v): got inertia %x after %d, want %x after %d", at.kind, at.after, lost, got.inertia, got.iterations, want.inertia, want.iterations)
		}
		empty(t, folder)
	}
}

func TestSeedingOfAnyKindGivesTheSameBitsFromTheDisk(t *testing.T) {
	s, in := lognormal(2500), shapes()["plain"]
	for _, init := range []kmeans.Init{kmeans.InitPlusPlus, kmeans.InitRandom, kmeans.InitParallel} {
		for _, k := range []int{3, 40} { // few candidates are taken afresh, of many the distances are kept
			o := coordinator.FitOptions{K: k, Init: init, Runs: 3, Seed: 9, Abreast: 2}
			want, _ := fitIn(t, s, in, 1, 1, o, worker.Config{})
			got, _ := fitIn(t, s, in, 1, 3, o, worker.Config{Memory: 1 << 30, Spill: t.TempDir(), Divide: hotPart(0.3)})
			if !same(got, want) {
				t.Errorf("%s, k = %d: got inertia %x, want %x", init, k, got.inertia, want.inertia)
			}
		}
	}
}

func TestALimitThatIsTooSmallSaysWhichWouldDo(t *testing.T) {
	s, in := lognormal(2000), shapes()["plain"]
	m := &partition.Manifest{Rows: 2000, Partitions: []partition.Partition{{Rows: 2000}}}
	fit := func(workers int, memory int64) error {
		job, _, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: workers, Epoch: 1, Window: 2},
			coordinator.FitOptions{Input: in, K: 2, Init: kmeans.InitRandom, Runs: 2, MaxIterations: 1})
		if err != nil {
			t.Fatal(err)
		}
		cluster, err := Start(t.Context(), workers, workers, worker.Config{Source: s, Manifest: m, Memory: memory, Spill: t.TempDir()})
		if err != nil {
			t.Fatal(err)
		}
		defer cluster.Close()
		return coordinator.Run(t.Context(), job, cluster, func(coordinator.Action) {})
	}
	for workers := 1; workers <= 2; workers++ {
		err := fit(workers, 1<<20)
		said := regexp.MustCompile(`--memory (\d+)MiB will do`).FindStringSubmatch(fmt.Sprint(err))
		if said == nil || !containsAll(err.Error(), "1 MiB of memory are not enough") {
			t.Fatalf("%d workers: got %v, want that 1 MiB is too little, and what would do", workers, err)
		}
		enough, err := strconv.ParseInt(said[1], 10, 64)
		if err == nil {
			err = fit(workers, enough<<20)
		}
		if err != nil {
			t.Errorf("%d workers with the %s MiB that were said to do: %v", workers, said[1], err)
		}
	}
}

func TestASpillFolderThatIsGoneIsAnErrorThatNamesIt(t *testing.T) {
	s, in := lognormal(2000), shapes()["plain"]
	m := &partition.Manifest{Rows: 2000, Partitions: []partition.Partition{{Rows: 2000}}}
	folder := t.TempDir() + "/gone"
	job, _, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: 1, Epoch: 1, Window: 2},
		coordinator.FitOptions{Input: in, K: 2, Init: kmeans.InitRandom, Runs: 1, MaxIterations: 1})
	if err != nil {
		t.Fatal(err)
	}
	cluster, err := Start(t.Context(), 1, 1, worker.Config{Source: s, Manifest: m, Memory: 1 << 30, Spill: folder, Divide: hotPart(0)})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	err = coordinator.Run(t.Context(), job, cluster, func(coordinator.Action) {})
	if err == nil || !containsAll(err.Error(), folder, "does not exist") {
		t.Errorf("got %v, want an error that names %s", err, folder)
	}
}

func containsAll(s string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(s, part) {
			return false
		}
	}
	return true
}
