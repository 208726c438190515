package partition

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// manifestOf is partitions of the given sizes.
func manifestOf(sizes ...int64) *Manifest {
	m := &Manifest{}
	for id, rows := range sizes {
		m.Partitions = append(m.Partitions, Partition{ID: id, First: m.Rows, Rows: rows})
		m.Rows += rows
	}
	return m
}

// alike is n partitions of so many rows.
func alike(n int, rows int64) *Manifest {
	sizes := make([]int64, n)
	for i := range sizes {
		sizes[i] = rows
	}
	return manifestOf(sizes...)
}

// crew is n workers without limits, all of weight 1 or of the weights given in turn.
func crew(n int, weights ...int) []Worker {
	workers := make([]Worker, n)
	for i := range workers {
		workers[i] = Worker{Name: fmt.Sprintf("w%d", i), Weight: 1}
		if len(weights) > 0 {
			workers[i].Weight = weights[i%len(weights)]
		}
	}
	return workers
}

func drawManifest(t *rapid.T) *Manifest {
	least := rapid.Int64Range(1, 1000).Draw(t, "least")
	most := rapid.SampledFrom([]int64{1, 2, 8}).Draw(t, "spread") * least
	return manifestOf(rapid.SliceOfN(rapid.Int64Range(least, most), 0, 120).Draw(t, "sizes")...)
}

func drawWorkers(t *rapid.T, label string, memory func() int64) []Worker {
	names := rapid.SliceOfNDistinct(rapid.IntRange(0, 99), 1, 12, rapid.ID).Draw(t, label)
	workers := make([]Worker, len(names))
	for i, n := range names {
		weight := rapid.OneOf(rapid.IntRange(-1, 4), rapid.IntRange(1, 100)).Draw(t, "weight")
		workers[i] = Worker{Name: fmt.Sprintf("w%d", n), Weight: weight, Memory: memory()}
	}
	return workers
}

func noLimit() int64 { return 0 }

// rowsOf are the rows of each owner.
func rowsOf(m *Manifest, p *Plan) map[string]int64 {
	rows := make(map[string]int64)
	for id, owner := range p.Owners {
		rows[owner] += m.Partitions[id].Rows
	}
	return rows
}

func largestOf(m *Manifest) int64 {
	most := int64(0)
	for _, p := range m.Partitions {
		most = max(most, p.Rows)
	}
	return most
}

// shares are the workers' exact quotas where memory does not count, computed the plain way.
func shares(m *Manifest, workers []Worker) map[string]float64 {
	total := 0.0
	for _, w := range workers {
		total += float64(max(w.Weight, 1))
	}
	result := make(map[string]float64)
	for _, w := range workers {
		result[w.Name] = float64(m.Rows) * float64(max(w.Weight, 1)) / total
	}
	return result
}

// check fails unless every partition has one of the workers as owner and no memory is exceeded.
func check(t interface {
	Helper()
	Fatalf(string, ...any)
}, m *Manifest, p *Plan, workers []Worker, rowBytes int64) {
	t.Helper()
	for id, owner := range p.Owners {
		if !slices.ContainsFunc(workers, func(w Worker) bool { return w.Name == owner }) {
			t.Fatalf("partition %d is with %q, which is not there", id, owner)
		}
	}
	rows := rowsOf(m, p)
	for _, w := range workers {
		if w.Memory > 0 && rows[w.Name]*rowBytes > w.Memory {
			t.Fatalf("%s holds %d bytes, its memory is %d", w.Name, rows[w.Name]*rowBytes, w.Memory)
		}
	}
}

// balanced fails unless every worker is within so many rows of its share, and one more for rounding.
func balanced(t *rapid.T, m *Manifest, p *Plan, workers []Worker, rows int64) {
	t.Helper()
	held := rowsOf(m, p)
	for name, share := range shares(m, workers) {
		if off := math.Abs(float64(held[name]) - share); off > float64(rows+1) {
			t.Fatalf("%s has %d rows of a share of %.1f: off by more than %d", name, held[name], share, rows)
		}
	}
}

func mustPlace(t interface {
	Helper()
	Fatalf(string, ...any)
}, m *Manifest, workers []Worker, rowBytes int64) *Plan {
	t.Helper()
	p, err := Place(m, workers, rowBytes)
	if err != nil {
		t.Fatalf("Place: %v", err)
	}
	check(t, m, p, workers, rowBytes)
	return p
}

func mustRebalance(t interface {
	Helper()
	Fatalf(string, ...any)
}, p *Plan, m *Manifest, workers []Worker, rowBytes int64) []int {
	t.Helper()
	before := slices.Clone(p.Owners)
	moved, err := p.Rebalance(m, workers, rowBytes)
	if err != nil {
		t.Fatalf("Rebalance: %v", err)
	}
	check(t, m, p, workers, rowBytes)
	for id := range before {
		if changed := before[id] != p.Owners[id]; changed != slices.Contains(moved, id) {
			t.Fatalf("partition %d went from %q to %q; listed as moved: %v", id, before[id], p.Owners[id], !changed)
		}
	}
	if !slices.IsSorted(moved) {
		t.Fatalf("moved partitions out of order: %v", moved)
	}
	return moved
}

func TestTheFirstPlanIsWithinOnePartitionOfEveryShare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, workers := drawManifest(t), drawWorkers(t, "workers", noLimit)
		balanced(t, m, mustPlace(t, m, workers, 8), workers, largestOf(m))
	})
}

func TestTheFirstPlanIsContiguousRunsInOrderOfNames(t *testing.T) {
	for name, c := range map[string]struct {
		m       *Manifest
		workers []Worker
	}{
		"even":              {alike(100, 50), crew(4)},
		"uneven":            {alike(100, 50), crew(7)},
		"weighted":          {alike(100, 50), crew(12, 1, 3, 2)},
		"as many as pieces": {alike(11, 50), crew(11)},
		"too many workers":  {alike(5, 50), crew(11)},
	} {
		p := mustPlace(t, c.m, c.workers, 0)
		at := 0
		for id, owner := range p.Owners {
			for at < len(c.workers) && c.workers[at].Name != owner {
				at++
			}
			if at == len(c.workers) {
				t.Fatalf("%s: partition %d is with %s, whose run has ended: %v", name, id, owner, p.Owners)
			}
		}
	}
}

func TestRowsGoByWeight(t *testing.T) {
	for _, c := range []struct {
		weights []int
		want    []int
	}{
		{[]int{1, 3}, []int{25, 75}},
		{[]int{0, 1}, []int{50, 50}},
		{[]int{-7, 3}, []int{25, 75}},
		{[]int{1, 1 << 40}, []int{0, 100}},
	} {
		p := mustPlace(t, alike(100, 10), crew(2, c.weights...), 0)
		if got := []int{len(p.Of("w0")), len(p.Of("w1"))}; !slices.Equal(got, c.want) {
			t.Errorf("weights %v: got %v partitions, want %v", c.weights, got, c.want)
		}
	}
}

func TestMemoryIsNeverExceededAndTheOthersTakeTheRest(t *testing.T) {
	workers := crew(4)
	workers[0].Memory, workers[2].Memory = 25*8, 1000*8 // two and a half partitions; more than there is
	p := mustPlace(t, alike(32, 10), workers, 8)
	for name, want := range map[string]int{"w0": 2, "w1": 10, "w2": 10, "w3": 10} {
		if got := len(p.Of(name)); got != want {
			t.Errorf("%s: got %d partitions, want %d", name, got, want)
		}
	}
}

func TestWhatManyMemoriesCannotTakeWholeGoesByWeight(t *testing.T) {
	workers := crew(12, 1)
	for i := range 10 {
		workers[i].Memory = 29 // two partitions and nine tenths of one, which is nobody's use
	}
	workers[11].Weight = 3
	p := mustPlace(t, alike(60, 10), workers, 1)
	if got := []int{len(p.Of("w0")), len(p.Of("w9")), len(p.Of("w10")), len(p.Of("w11"))}; !slices.Equal(got, []int{2, 2, 10, 30}) {
		t.Errorf("got %v partitions, want 2 where memory ends, and 10 and 30 by weight", got)
	}
}

func TestPartitionsAlikeAreHeldByAnyMemoryThatHoldsThem(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const rows, rowBytes = 10, 3
		workers := drawWorkers(t, "workers", func() int64 { return rapid.Int64Range(1, 600).Draw(t, "memory") })
		places := 0
		for _, w := range workers {
			places += int(w.Memory / (rows * rowBytes))
		}
		n := rapid.IntRange(max(places-1, 1), places+1).Draw(t, "partitions")
		p, err := Place(alike(n, rows), workers, rowBytes)
		if n > places {
			if !errors.Is(err, ErrMemory) {
				t.Fatalf("%d partitions in %d places: got %v, want ErrMemory", n, places, err)
			}
			return
		}
		if err != nil {
			t.Fatalf("%d partitions in %d places: %v", n, places, err)
		}
		check(t, alike(n, rows), p, workers, rowBytes)
		if places := mustRebalance(t, p, alike(n, rows), workers, rowBytes); len(places) > 0 {
			t.Fatalf("a new plan was changed at once: %v", places)
		}
	})
}

// Any memory, any sizes, any sequence of crews: no limit is passed, a second call moves nothing, the order of the
// workers does not matter, and a plan refused is left alone.
func TestRebalanceKeepsItsWordWhateverComes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		rowBytes := rapid.SampledFrom([]int64{0, 1, 8}).Draw(t, "row bytes")
		memory := func() int64 { return rapid.Int64Range(0, max(m.Rows, 1)*rowBytes).Draw(t, "memory") }
		p := &Plan{Owners: make([]string, len(m.Partitions))}
		for range rapid.IntRange(1, 5).Draw(t, "steps") {
			workers := drawWorkers(t, "workers", memory)
			before := &Plan{Owners: slices.Clone(p.Owners)}
			_, err := p.Rebalance(m, workers, rowBytes)
			if err != nil {
				var memory *MemoryError
				if !errors.As(err, &memory) || !errors.Is(err, ErrMemory) {
					t.Fatalf("got %v, want a *MemoryError", err)
				}
				if !slices.Equal(p.Owners, before.Owners) {
					t.Fatalf("a refused plan was changed from %v to %v", before.Owners, p.Owners)
				}
				continue
			}
			check(t, m, p, workers, rowBytes)
			if again := mustRebalance(t, p, m, workers, rowBytes); len(again) > 0 {
				t.Fatalf("a second call moved %v", again)
			}
			mustRebalance(t, before, m, rapid.Permutation(workers).Draw(t, "order"), rowBytes)
			if !slices.Equal(before.Owners, p.Owners) {
				t.Fatalf("in another order of workers: got %v, want %v", before.Owners, p.Owners)
			}
		}
	})
}

func TestALeaveMovesOnlyTheLeaversPartitions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, workers := drawManifest(t), drawWorkers(t, "workers", noLimit)
		if len(workers) == 1 {
			workers = append(workers, Worker{Name: "other"})
		}
		p := mustPlace(t, m, workers, 8)
		leaver := workers[0].Name
		theirs := p.Of(leaver)
		idle := idleWorkers(p, workers)
		moved := mustRebalance(t, p, m, workers[1:], 8)
		for _, id := range moved {
			if !slices.Contains(theirs, id) && !idle[p.Owners[id]] {
				t.Fatalf("%s left with %v, and %d went to %s", leaver, theirs, id, p.Owners[id])
			}
		}
		balanced(t, m, p, workers[1:], 2*largestOf(m))
	})
}

// idleWorkers are those that hold nothing: the plan cannot tell them from those that join.
func idleWorkers(p *Plan, workers []Worker) map[string]bool {
	held, idle := p.ByOwner(), make(map[string]bool)
	for _, w := range workers {
		idle[w.Name] = len(held[w.Name]) == 0
	}
	return idle
}

func TestAJoinMovesToTheJoinerAndAboutItsQuota(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, workers := drawManifest(t), drawWorkers(t, "workers", noLimit)
		joiner := Worker{Name: "joiner", Weight: rapid.IntRange(0, 50).Draw(t, "weight")}
		p := mustPlace(t, m, workers, 8)
		idle, before := idleWorkers(p, workers), p.ByOwner()
		all := append(slices.Clone(workers), joiner)
		rows := int64(0)
		for _, id := range mustRebalance(t, p, m, all, 8) {
			to := p.Owners[id]
			if to == joiner.Name {
				rows += m.Partitions[id].Rows
				continue
			}
			kept := slices.ContainsFunc(before[to], func(own int) bool { return p.Owners[own] == to })
			if !idle[to] && kept {
				t.Fatalf("when %s joined, partition %d went to %s, which has stayed", joiner.Name, id, to)
			}
		}
		if quota := shares(m, all)[joiner.Name]; float64(rows) > quota+float64(largestOf(m)+1) {
			t.Fatalf("%d rows moved to a joiner whose share is %.1f", rows, quota)
		}
		balanced(t, m, p, all, 2*largestOf(m))
	})
}

func TestAJoinerGetsItsShare(t *testing.T) {
	for _, c := range []struct{ partitions, workers, least int }{
		{2, 1, 1}, {3, 1, 1}, {10, 3, 2}, {100, 9, 9}, {100, 99, 0}, {1000, 9, 99},
	} {
		m := alike(c.partitions, 64)
		p := mustPlace(t, m, crew(c.workers), 0)
		moved := mustRebalance(t, p, m, append(crew(c.workers), Worker{Name: "joiner"}), 0)
		got := len(p.Of("joiner"))
		if got < c.least || got > c.partitions/(c.workers+1)+1 || got != len(moved) {
			t.Errorf("%d partitions, %d workers and one more: it has %d after %d moves, want at least %d and no other moves",
				c.partitions, c.workers, got, len(moved), c.least)
		}
	}
}

func TestManyJoinsAndLeavesStayBalanced(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		workers := drawWorkers(t, "workers", noLimit)
		p := mustPlace(t, m, workers, 0)
		for i := range rapid.IntRange(1, 30).Draw(t, "steps") {
			switch {
			case len(workers) > 1 && rapid.Bool().Draw(t, "leave"):
				at := rapid.IntRange(0, len(workers)-1).Draw(t, "who")
				workers = slices.Delete(workers, at, at+1)
			default:
				workers = append(workers, Worker{Name: fmt.Sprintf("new%d", i), Weight: rapid.IntRange(1, 9).Draw(t, "weight")})
			}
			mustRebalance(t, p, m, workers, 0)
			balanced(t, m, p, workers, 2*largestOf(m))
		}
	})
}

func TestAWorkerFoundSlowGivesAway(t *testing.T) {
	m := alike(60, 10)
	p := mustPlace(t, m, crew(3, 4), 0)
	if moved := mustRebalance(t, p, m, crew(3, 100, 101, 99), 0); len(moved) > 0 {
		t.Errorf("speeds that differ by a hundredth moved %v", moved)
	}
	mustRebalance(t, p, m, crew(3, 4, 1, 4), 0)
	if got := len(p.Of("w1")); got < 6 || got > 7 {
		t.Errorf("a worker a quarter as fast as two others has %d of 60 partitions, want 6 or 7", got)
	}
}

func TestMovesPastTheQuotaAreKeptWithinReason(t *testing.T) {
	m := alike(40, 10)
	p := mustPlace(t, m, crew(4), 0)
	p.Move(39, "w0") // one too many and one too few are two
	if moved := mustRebalance(t, p, m, crew(4), 0); len(moved) > 0 || p.Owners[39] != "w0" {
		t.Errorf("a partition that was moved by hand was taken back: %v", moved)
	}
	p.Move(29, "w0") // two too many and one too few are three
	if moved := mustRebalance(t, p, m, crew(4), 0); len(moved) != 2 || len(p.Of("w0")) != 10 {
		t.Errorf("two partitions too many: %v moved and %v are left, want two and ten", moved, p.Of("w0"))
	}
	for id := range 40 {
		p.Move(id, "w0")
	}
	mustRebalance(t, p, m, crew(4), 0)
	for _, w := range crew(4) {
		if got := len(p.Of(w.Name)); got < 9 || got > 11 {
			t.Errorf("%s has %d of 40 partitions, want 10 or one off", w.Name, got)
		}
	}
}

func TestPartitionsOfUnequalSizeArePackedWhereMemoryIsTight(t *testing.T) {
	for name, c := range map[string]struct {
		sizes    []int64
		memories []int64
	}{
		"the small one is in the way": {[]int64{5, 10}, []int64{10, 5}},
		"three gaps":                  {[]int64{3, 3, 7, 5, 5, 10}, []int64{13, 10, 10}},
		"to the last row":             {[]int64{1, 2, 3, 4}, []int64{4, 3, 2, 1}},
		"the largest gap is for two":  {[]int64{10, 7, 6}, []int64{13, 10}},
	} {
		var workers []Worker
		for i, memory := range c.memories {
			workers = append(workers, Worker{Name: fmt.Sprintf("w%d", i), Memory: memory})
		}
		m := manifestOf(c.sizes...)
		p, err := Place(m, workers, 1)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		check(t, m, p, workers, 1)
	}
}

func TestPackingLeavesAtHomeWhatItCan(t *testing.T) {
	for name, c := range map[string]struct {
		sizes, memories []int64
		owners          []string
		want            []int
	}{
		"two must move": {[]int64{10, 4, 8}, []int64{10, 10, 5}, []string{"w1", "w0", "lost"}, []int{1, 2}},
		"all must move": {[]int64{10, 7, 6}, []int64{13, 10}, []string{"w0", "w1", "lost"}, []int{0, 1, 2}},
	} {
		workers := crew(len(c.memories))
		for i := range workers {
			workers[i].Memory = c.memories[i]
		}
		p := &Plan{Owners: c.owners}
		if got := mustRebalance(t, p, manifestOf(c.sizes...), workers, 1); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v moved, want %v", name, got, c.want)
		}
	}
}

func TestMemoryThatIsTooSmallIsRefusedWithWhatWouldDo(t *testing.T) {
	small := func(n int, memory int64) []Worker {
		workers := crew(n)
		for i := range workers {
			workers[i].Memory = memory
		}
		return workers
	}
	for name, c := range map[string]struct {
		m       *Manifest
		workers []Worker
		want    MemoryError
	}{
		"together":      {alike(10, 10), small(2, 399), MemoryError{-1, 2, 800, 798, 400}},
		"one partition": {manifestOf(10, 40), small(5, 200), MemoryError{1, 5, 320, 200, 320}},
		"in pieces":     {alike(3, 10), small(2, 120), MemoryError{-1, 2, 240, 240, 160}},
	} {
		_, err := Place(c.m, c.workers, 8)
		var got *MemoryError
		if !errors.As(err, &got) || *got != c.want || !errors.Is(err, ErrMemory) {
			t.Errorf("%s: got %+v, want %+v", name, err, c.want)
			continue
		}
		if _, err := Place(c.m, small(len(c.workers), got.PerWorker), 8); err != nil {
			t.Errorf("%s: with the memory that would do: %v", name, err)
		}
	}
}

func TestTheMemoryThatWouldDoDoes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		workers := drawWorkers(t, "workers", func() int64 { return 1 })
		_, err := Place(m, workers, 4)
		var e *MemoryError
		if !errors.As(err, &e) {
			if len(m.Partitions) > 0 {
				t.Fatalf("one byte for each worker: got %v, want a *MemoryError", err)
			}
			return
		}
		// A plan that others made is the harder case: it may be in the way.
		p := &Plan{Owners: make([]string, len(m.Partitions))}
		for id := range p.Owners {
			p.Owners[id] = rapid.SampledFrom(workers).Draw(t, "owner").Name
		}
		for i := range workers {
			workers[i].Memory = e.PerWorker
		}
		mustPlace(t, m, workers, 4)
		mustRebalance(t, p, m, workers, 4)
	})
}

func TestWhatCannotBePlannedIsRefused(t *testing.T) {
	m := alike(4, 10)
	if _, err := Place(m, nil, 0); !errors.Is(err, ErrNoWorkers) {
		t.Errorf("no workers: got %v, want ErrNoWorkers", err)
	}
	for name, workers := range map[string][]Worker{
		"no name":     {{Name: ""}},
		"named twice": {{Name: "a"}, {Name: "b"}, {Name: "a"}},
	} {
		if _, err := Place(m, workers, 0); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	p := mustPlace(t, m, crew(2), 0)
	if _, err := p.Rebalance(alike(5, 10), crew(2), 0); err == nil {
		t.Error("a plan for another number of partitions: no error")
	}
	if _, err := p.Rebalance(m, nil, 0); !errors.Is(err, ErrNoWorkers) {
		t.Errorf("no workers: got %v, want ErrNoWorkers", err)
	}
}

func TestANewCrewIsPlacedAfresh(t *testing.T) {
	m := alike(50, 10)
	p := mustPlace(t, m, []Worker{{Name: "a"}, {Name: "b"}}, 0)
	mustRebalance(t, p, m, crew(5), 0)
	if want := mustPlace(t, m, crew(5), 0); !slices.Equal(p.Owners, want.Owners) {
		t.Errorf("got %v, want %v", p.Owners, want.Owners)
	}
}

func TestByOwnerIsOfForEveryone(t *testing.T) {
	m := alike(30, 10)
	p := mustPlace(t, m, crew(4), 0)
	p.Move(7, "")
	p.Move(8, "w3")
	lists := p.ByOwner()
	for _, name := range []string{"", "w0", "w1", "w2", "w3", "stranger"} {
		if !slices.Equal(lists[name], p.Of(name)) {
			t.Errorf("%q: got %v, want %v", name, lists[name], p.Of(name))
		}
	}
}

func BenchmarkPlacement(b *testing.B) {
	m, workers := alike(100_000, 1<<15), crew(1000, 8, 16, 32)
	first, err := Place(m, workers, 64)
	if err != nil {
		b.Fatal(err)
	}
	for name, list := range map[string][]Worker{
		"all-stay": workers,
		"leave":    workers[1:],
		"join":     append(slices.Clone(workers), Worker{Name: "joiner", Weight: 64}),
		"half-go":  workers[500:],
		"slower":   crew(1000, 8, 16, 8),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				p := &Plan{Owners: slices.Clone(first.Owners)}
				if _, err := p.Rebalance(m, list, 64); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	b.Run("first", func(b *testing.B) {
		for b.Loop() {
			if _, err := Place(m, workers, 64); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("by-owner", func(b *testing.B) {
		for b.Loop() {
			first.ByOwner()
		}
	})
}
