package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// spillingEngine is a holdingEngine of which so many bytes of Points stay in memory.
func spillingEngine(t *testing.T, threads int, hot int64) (*Engine, *kmeans.Centroids, string) {
	t.Helper()
	e, c := holdingEngine(t, threads)
	folder := t.TempDir()
	e.config.Memory, e.config.Spill = 1<<30, folder
	e.config.Divide = func(_ int64, h capacity.Holding) capacity.Division {
		return capacity.Division{Hot: hot, Spilled: max(0, h.Rows*h.Point-hot), Chunk: 40_000, Buffers: 3, Loads: 1}
	}
	for _, h := range e.held {
		e.memory.hot += h.hotBytes()
	}
	t.Cleanup(func() {
		if err := e.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(folder); err != nil || len(left) > 0 {
			t.Errorf("got %v, %v in the spill folder, want nothing", left, err)
		}
	})
	return e, c, folder
}

func TestRoundsOfRunsOverSpilledRowsAreThoseOverRowsInMemory(t *testing.T) {
	for _, name := range kmeans.Algorithms() {
		algorithm := kmeans.Algorithm(name)
		e, _ := holdingEngine(t, 1)
		want := drive(t, e, algorithm, []int{0, 1, 2, 3}, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
		for _, hot := range []int64{0, 60_000} {
			for _, threads := range []int{1, 2, 3} {
				e, _, _ := spillingEngine(t, threads, hot)
				got := drive(t, e, algorithm, []int{0, 1, 2, 3}, func(s []*wire.Task) []*wire.Partial { return doTogether(t, e, s).Strands })
				for n := range starts() {
					if !slices.Equal(got[n], want[n]) {
						t.Errorf("%s, %d bytes in memory, %d threads, run %d: got %v, want %v", name, hot, threads, n, got[n], want[n])
					}
				}
				if used, read := e.Spilled(); used == 0 || read == 0 {
					t.Errorf("%s: %d bytes were spilled and %d read, want some", name, used, read)
				}
			}
		}
	}
}

func TestRowsWhoseLabelsAreProvedAreNotRead(t *testing.T) {
	e, c, _ := spillingEngine(t, 1, 0)
	task := func(c *kmeans.Centroids, round uint64) {
		t.Helper()
		if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Iterate, Centroids: c, Partitions: []int{0, 1, 2}, Algorithm: kmeans.Hamerly, Round: round, Since: round - 1}); err != nil {
			t.Fatal(err)
		}
	}
	c.Values = []float32{0.123, 0.317, 50.211, 20.773, 100.519, 50.897} // no row is as near to one as to another
	task(c, 1)
	_, before := e.Spilled()
	task(&kmeans.Centroids{K: c.K, D: c.D, Values: slices.Clone(c.Values)}, 2)
	if _, after := e.Spilled(); after != before {
		t.Errorf("%d bytes were read for centroids that stood still, want none", after-before)
	}
}

// tamper changes a byte of each chunk of the engine's spill file, or takes the end of it away.
func tamper(t *testing.T, e *Engine, do func(f *os.File)) {
	t.Helper()
	names, err := filepath.Glob("/proc/self/fd/*")
	if err != nil || len(names) == 0 {
		t.Skip("no open files can be listed here")
	}
	for _, name := range names {
		to, err := os.Readlink(name)
		if err != nil || !strings.HasPrefix(to, e.memory.file.Name()) {
			continue
		}
		file, err := os.OpenFile(name, os.O_RDWR, 0)
		if err != nil {
			t.Skip(err)
		}
		defer file.Close()
		do(file)
		return
	}
	t.Fatalf("%s is not open", e.memory.file.Name())
}

func TestWhatChangesOnTheDiskIsAnErrorAndNoOtherBits(t *testing.T) {
	for name, do := range map[string]func(f *os.File){
		"a flipped byte": func(f *os.File) { f.WriteAt([]byte{0xa5, 0x5a}, 4097) },
		"a file cut off": func(f *os.File) { f.Truncate(4096) },
	} {
		e, c, _ := spillingEngine(t, 2, 0)
		assignTo(t, e, c, 0, 1, 2)
		tamper(t, e, do)
		other := &kmeans.Centroids{K: 3, D: 2, Values: []float32{90, 1, 2, 40, 30, 30}}
		_, err := e.Do(t.Context(), &wire.Task{Kind: wire.Iterate, Centroids: other, Partitions: []int{0, 1, 2}})
		if err == nil || fault.Code(err) != int(fault.Failed) || !strings.Contains(err.Error(), e.memory.file.Name()) {
			t.Errorf("%s: got %v, want an error that names %s", name, err, e.memory.file.Name())
		}
		if name == "a flipped byte" && !errors.Is(err, spill.ErrChanged) {
			t.Errorf("%s: got %v, want %v", name, err, spill.ErrChanged)
		}
		if len(e.cohorts) > 0 {
			t.Errorf("%s: %d cohorts are left of half a pass", name, len(e.cohorts))
		}
	}
}

func TestAPassOverSpilledRowsEndsWithTheContext(t *testing.T) {
	e, c, _ := spillingEngine(t, 3, 30_000)
	want := assignTo(t, e, c, 0, 1, 2)
	before := runtime.NumGoroutine()
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		go cancel() // somewhere in the pass
		other := &kmeans.Centroids{K: 3, D: 2, Values: []float32{90, 1, 2, 40, 30, 30}}
		if _, err := e.Do(ctx, &wire.Task{Kind: wire.Iterate, Centroids: other, Partitions: []int{0, 1, 2}}); err != nil && !errors.Is(err, context.Canceled) {
			t.Fatalf("got %v, want %v or nothing", err, context.Canceled)
		}
		cancel()
	}
	for runtime.NumGoroutine() > before { // those that cancel, which end by themselves
		runtime.Gosched()
	}
	if got := assignTo(t, e, c, 0, 1, 2); !equalSums(got.Sums, want.Sums) {
		t.Errorf("afterwards: got %v, want %v", got.Sums, want.Sums)
	}
}

func TestIDsAreSpilledWithTheirRows(t *testing.T) {
	e, c, _ := spillingEngine(t, 1, 0)
	for id, h := range e.held {
		h.ids = new(dataset.IDs)
		for i := range h.points.Rows() {
			if id == 1 {
				h.ids.AppendText(fmt.Appendf(nil, "customer %d", i))
			} else {
				h.ids.AppendInt(int64(i))
			}
		}
		e.memory.hot += int64(h.ids.Bytes())
	}
	assignTo(t, e, c, 0, 1, 2)
	if e.memory.hot != 0 {
		t.Errorf("%d bytes stayed in memory, want none", e.memory.hot)
	}
	for id, want := range []string{"5999", "customer 5999", "5999"} {
		ids, err := e.idsOf(e.held[id])
		if err != nil {
			t.Fatal(err)
		}
		if got := string(ids.AppendTo(nil, 5999)); ids.Len() != 6000 || got != want {
			t.Errorf("partition %d: got %d ids, the last %q, want 6000 and %q", id, ids.Len(), got, want)
		}
	}
}

func TestRoomForEqualIDsIsLimited(t *testing.T) {
	e, _ := holdingEngine(t, 1)
	if got := e.rangesAtOnce(7); got != 7 {
		t.Errorf("no limit: got %d ranges at once, want all 7", got)
	}
	m := e.config.Manifest
	m.Rows = 1 << 30
	for id := range 1024 {
		m.Partitions = append(m.Partitions, partition.Partition{ID: id, First: int64(id) << 20, Rows: 1 << 20})
	}
	e.config.Memory = 8 << 30 // 2^30 ids of 32 bytes each take four times as much
	if got := e.rangesAtOnce(1024); got < 200 || got > 256 {
		t.Errorf("got %d of 1024 ranges at once, want about a quarter", got)
	}
	e.config.Memory = 1
	if got := e.rangesAtOnce(1024); got != 1 {
		t.Errorf("next to no memory: got %d ranges at once, want 1", got)
	}
	e.config.Memory = math.MaxInt64
	if got := e.rangesAtOnce(1024); got != 1024 {
		t.Errorf("endless memory: got %d ranges at once, want all", got)
	}
}

func TestGarbageIsCollectedWhereKnowledgeOfRowsGivesWay(t *testing.T) {
	e, c, _ := spillingEngine(t, 1, 0)
	forced := func(task *wire.Task) uint32 {
		t.Helper()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		task.Partitions = []int{0, 1, 2}
		if _, err := e.Do(t.Context(), task); err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.NumForcedGC - before.NumForcedGC
	}
	seed := func() *wire.Task {
		return &wire.Task{Kind: wire.Seed, Seed: &kmeans.SeedTask{Candidates: c, Potential: true}}
	}
	for i, step := range []struct {
		task *wire.Task
		want uint32
	}{{seed(), 1}, {seed(), 0}, {&wire.Task{Kind: wire.Iterate, Centroids: c}, 1}, {&wire.Task{Kind: wire.Iterate, Centroids: c}, 0},
		{&wire.Task{Kind: wire.Iterate, Centroids: c, Run: 1}, 1}} {
		if got := forced(step.task); got != step.want {
			t.Errorf("step %d, %s: got %d collections, want %d", i, step.task.Kind, got, step.want)
		}
	}
	for id, h := range e.held {
		if len(h.seeds) > 0 {
			t.Errorf("partition %d still knows distances of a seeding that is over", id)
		}
	}
}
