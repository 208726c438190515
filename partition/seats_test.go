package partition

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// byHand is seats with the given quotas that hold partitions alike, so many each; loose are that have no owner, numbered
// from first on.
func byHand(rows int64, quotas []int64, held []int, loose int) *seats {
	s := &seats{largest: rows}
	n := 0
	for i, q := range quotas {
		name := fmt.Sprintf("w%d", i)
		s.list = append(s.list, seat{name: name, hash: nameHash(name), capacity: unlimited, quota: q, joined: held[i] == 0})
		n += held[i]
	}
	s.m = alike(n+loose, rows)
	id := 0
	for i := range held {
		for range held[i] {
			s.put(i, id)
			id++
		}
	}
	for ; id < n+loose; id++ {
		s.loose = append(s.loose, id)
	}
	return s
}

func (s *seats) counts() []int {
	var n []int
	for i := range s.list {
		n = append(n, len(s.list[i].ids))
	}
	return n
}

func TestQuotasAddUpHoweverTightMemoryIs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawManifest(t)
		workers := drawWorkers(t, "workers", func() int64 { return rapid.Int64Range(1, m.Rows+1).Draw(t, "memory") })
		s, err := newSeats(newBooks(m, nil), workers, 1)
		if err != nil {
			return
		}
		sum := int64(0)
		for i := range s.list {
			if sum += s.list[i].quota; s.list[i].quota > s.list[i].capacity {
				t.Fatalf("a quota of %d in a memory of %d", s.list[i].quota, s.list[i].capacity)
			}
		}
		if sum != m.Rows {
			t.Fatalf("quotas of %d of %d rows", sum, m.Rows)
		}
	})
}

// One worker is 5½ partitions short, twenty are one short, twenty hold half a partition too much, and fifteen partitions
// are to be given: the one must have its five, whatever the bids.
func TestWhoFallsShortestIsServedFirst(t *testing.T) {
	for trial := range 20 {
		quotas, held := []int64{55}, []int{0}
		for range 20 {
			quotas, held = append(quotas, 20, 15), append(held, 1, 2)
		}
		s := byHand(10, quotas, held, 15)
		for i := range s.list {
			s.list[i].hash = mix(s.list[i].hash + uint64(trial))
		}
		if !s.give() {
			t.Fatal("partitions fit nowhere without a limit")
		}
		for i, n := range s.counts() {
			if most := held[i] + 1; i > 0 && n > most {
				t.Errorf("trial %d: worker %d has %d partitions, want at most %d", trial, i, n, most)
			}
		}
		if got := s.counts()[0]; got < 5 || got > 6 {
			t.Errorf("trial %d: who was 5½ partitions short got %d", trial, got)
		}
	}
}

func TestALeaversPartitionsGoEvenly(t *testing.T) {
	m := alike(1200, 10)
	for _, weights := range [][]int{{1}, {1, 2, 3}, {1, 1, 1, 20}} {
		workers := crew(12, weights...)
		p := mustPlace(t, m, workers, 0)
		theirs := p.Of("w0")
		if moved := mustRebalance(t, p, m, workers[1:], 0); !slices.Equal(moved, theirs) {
			t.Errorf("weights %v: %v moved, want %v", weights, moved, theirs)
		}
		for name, want := range shares(m, workers[1:]) {
			if got := 10 * float64(len(p.Of(name))); got < want-11 || got > want+11 {
				t.Errorf("weights %v: %s has %.0f rows, want %.0f or a partition off", weights, name, got, want)
			}
		}
	}
}

func TestAJoinerTakesNoMoreThanItsQuotaAndOne(t *testing.T) {
	s := byHand(10, []int64{105, 105, 107, 107, 107, 9}, []int{12, 12, 10, 10, 10, 0}, 0)
	s.level(s.joining)
	if got := s.counts()[5]; got != 1 {
		t.Errorf("of partitions of 10 rows, a joiner with a quota of 9 took %d, want 1", got)
	}
}

func TestWhatIsDueToNobodyGoesWhereItIsLeastTooMuch(t *testing.T) {
	for _, c := range []struct {
		quotas []int64
		room   int64 // of the last
		want   int
	}{
		{[]int64{20, 20, 5}, unlimited, 2},
		{[]int64{20, 20, 5}, 9, 0},
		{[]int64{19, 20, 5}, 9, 1},
		{[]int64{19, 19, 0}, 10, 2},
	} {
		s := byHand(10, c.quotas, []int{2, 2, 0}, 0)
		s.list[2].capacity = c.room
		if got := s.leastOver(10); got != c.want {
			t.Errorf("%+v: got worker %d", c, got)
		}
	}
}

// What is stuck for want of memory at first may move after others have: w2 gives its last partition to the joiner and
// becomes the place for what did not fit there. A plan that stopped before would change when asked again.
func TestWhoGaveItsLastPartitionAwayTakesAnother(t *testing.T) {
	m := manifestOf(50, 50, 100, 70, 10, 10)
	workers := []Worker{{Name: "w0", Weight: 5}, {Name: "w1", Weight: 14}, {Name: "w2", Weight: 15}, {Name: "w3", Weight: 78},
		{Name: "w4", Weight: 78}, {Name: "joiner", Weight: 1000, Memory: 120}}
	p := &Plan{Owners: []string{"w0", "w0", "w1", "w2", "w3", "w4"}}
	first := mustRebalance(t, p, m, workers, 1)
	if p.Owners[2] != "w2" || p.Owners[3] != "joiner" {
		t.Errorf("moved %v to %v, want the partition of w2 to go to the joiner and that of w1 to w2", first, p.Owners)
	}
	if again := mustRebalance(t, p, m, workers, 1); len(again) > 0 {
		t.Errorf("a second call moved %v", again)
	}
}

func TestALargeClusterTakesFewHashes(t *testing.T) {
	m, workers := alike(100_000, 1<<15), crew(1000, 8, 16, 32)
	s, err := plan(m, workers, 64, nil)
	if err != nil || s.bids > 0 {
		t.Fatalf("first plan: %v, got %d hashes, want none", err, s.bids)
	}
	owners := s.owners()
	for name, c := range map[string]struct {
		workers []Worker
		most    int // about the partitions that move, times those that may have them
	}{
		"all stay": {workers, 0},
		"a leave":  {workers[1:], 200 * 1000},
		"a join":   {append(slices.Clone(workers), Worker{Name: "joiner", Weight: 64}), 400},
		"half go":  {workers[500:], 60_000 * 500},
	} {
		s, err := plan(m, c.workers, 64, owners)
		if err != nil {
			t.Fatal(err)
		}
		if s.bids > c.most {
			t.Errorf("%s: got %d hashes, want at most %d", name, s.bids, c.most)
		}
	}
}
