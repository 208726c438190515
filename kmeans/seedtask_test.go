package kmeans

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
)

// Few candidates are taken afresh in every round, many are added to what is known of each row: the same answers.
func TestCandidatesTakenAfreshAndAddedLittleByLittleGiveTheSameAnswers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, _ := scattered(t)
		k := rapid.IntRange(1, 300).Draw(t, "candidates") // on both sides of where weights are counted first
		c := &Centroids{K: k, D: 2}
		for i := range 2 * k {
			c.Values = append(c.Values, float32(exact.Draw(3, 1, 0, uint64(i))>>57))
		}
		before := rapid.IntRange(0, k).Draw(t, "known before")
		answer := func(few ...bool) *SeedPartial { // for each of two rounds
			state := NewSeedState(whole)
			var part *SeedPartial
			for i, n := range []int{before, k} {
				if n == 0 {
					continue
				}
				task := &SeedTask{Seed: 1, Round: 1, Candidates: &Centroids{K: n, D: 2, Values: c.Values[:2*n]}, Race: 9, Weigh: true, Potential: true,
					Try: &Centroids{K: 1, D: 2, Values: []float32{2, 2}}}
				round := NewSeedRound(task, []int{state.Known()})
				if few[i] {
					round.all = NewAssigner(task.Candidates)
				} else if round.all != nil {
					known := state.Known()
					round.all = nil
					if known < n {
						round.added[known] = NewAssigner(&Centroids{K: n - known, D: 2, Values: task.Candidates.Values[2*known:]})
					}
				}
				part = NewSeedPartial(task)
				for lo := 0; lo < whole.n; lo += SpanRows {
					round.Do(whole, state, lo, min(lo+SpanRows, whole.n), part, new(Scratch))
				}
				round.Finish(state)
				part.RacedByKey()
			}
			return part
		}
		few, many, grown := answer(true, true), answer(false, false), answer(true, false)
		if got, want := fmt.Sprint(*few), fmt.Sprint(*many); got != want {
			t.Fatalf("afresh %v, little by little %v", got, want)
		}
		if got, want := fmt.Sprint(*grown), fmt.Sprint(*many); got != want {
			t.Fatalf("afresh at first %v, little by little %v", got, want)
		}
		counts := make([]exact.Int128, k)
		labels, _, _ := twinPass(whole, c)
		for i := range whole.n {
			counts[labels[i]] = counts[labels[i]].Add(exact.FromInt64(int64(whole.Weight(i))))
		}
		if !slices.Equal(few.Weights, counts) {
			t.Fatalf("weights: got %v, want %v", few.Weights, counts)
		}
	})
}

// rowsSeeded is how many rows k-means|| made candidates, and in how many rounds.
func rowsSeeded(t *testing.T, p *Points, k int, seed uint64) (candidates, rounds int) {
	t.Helper()
	s, err := NewSeeder(InitParallel, k, p.d, p.grid, seed)
	if err != nil {
		t.Fatal(err)
	}
	state := NewSeedState(p)
	for task := s.Next(); task != nil; task = s.Next() {
		if task.Recluster {
			break
		}
		round, part := NewSeedRound(task, []int{state.Known()}), NewSeedPartial(task)
		for lo := 0; lo < p.n; lo += SpanRows {
			round.Do(p, state, lo, min(lo+SpanRows, p.n), part, new(Scratch))
		}
		round.Finish(state)
		s.Take(part)
	}
	return s.have(), s.rounds
}

// k-means|| goes on while a round lowers the potential by much: rows at ever smaller scales take a round for each scale,
// up to a limit, and rows of one scale are done with one. Few rows lie far out, so that the first draw, which is uniform, finds next to none.
func TestRoundsOfKMeansParallelFollowTheScalesOfTheData(t *testing.T) {
	const n, k = 20000, 20
	even, scales := make([]float32, 3*n), make([]float32, 3*n)
	for i := range even {
		u := float32(exact.Draw(5, 1, 0, uint64(i))>>40) * 0x1p-24
		even[i] = u
		scales[i] = u
		if group := i / 3 % 200; group < 6 {
			scales[i] += float32(uint64(1) << (6 * group))
		}
	}
	for name, c := range map[string]struct {
		values      []float32
		least, most int
	}{
		"one scale":  {even, 1, 1},
		"six scales": {scales, 3, parallelRounds},
	} {
		p, err := PointsFromRows(c.values, n, 3, nil)
		if err != nil {
			t.Fatal(err)
		}
		for seed := range uint64(5) {
			candidates, rounds := rowsSeeded(t, p, k, seed)
			if rounds < c.least || rounds > c.most || candidates > k+rounds*drawn(k) {
				t.Errorf("%s, seed %d: got %d candidates in %d rounds, want %d to %d rounds", name, seed, candidates, rounds, c.least, c.most)
			}
		}
	}
}

func TestWhatARoundDrawsStaysWithinItsBounds(t *testing.T) {
	for k, want := range map[int]int{1: 12, 2: 12, 8: 12, 9: 14, 20: 42, 338: 837, 339: 839, 500: 1000, 2000: 2500, MaxClusters: MaxClusters} {
		if got := drawn(k); got != want {
			t.Errorf("k = %d: got %d rows, want %d", k, got, want)
		}
		if got := raced(k); got < drawn(k) || got > MaxClusters {
			t.Errorf("k = %d: %d rows are asked for, of %d", k, got, drawn(k))
		}
		if got := worthwhile(k); got < 2.5 || got > 4 {
			t.Errorf("k = %d: goes on for a fall by %v, want 2.5 to 4", k, got)
		}
	}
}
