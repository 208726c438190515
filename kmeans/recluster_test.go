package kmeans

import (
	"errors"
	"math"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

func reclusterTask(candidates, k, d int, seed uint64) *SeedTask {
	t := &SeedTask{Seed: seed, Recluster: true, K: k, Candidates: &Centroids{K: candidates, D: d}, Grid: make([]int, d)}
	for i := range candidates * d {
		t.Candidates.Values = append(t.Candidates.Values, float32(exact.Draw(8, 1, 0, uint64(i))>>50))
	}
	for i := range candidates {
		t.Masses = append(t.Masses, 1+exact.Draw(8, 2, 0, uint64(i))>>30)
	}
	return t
}

// Distances held in a table and distances taken anew are the same numbers, and so are the choices.
func TestGreedyChoosesAlikeWithAndWithoutATable(t *testing.T) {
	task := reclusterTask(300, 40, 5, 4)
	p, err := candidatePoints(task.Candidates, task.Grid, task.Masses)
	if err != nil {
		t.Fatal(err)
	}
	with, without := newAmong(p, task.Candidates, task), newAmong(p, task.Candidates, task)
	without.apart.table, without.apart.row = nil, make([]float32, without.apart.stride)
	for range task.K {
		with.add()
		without.add()
	}
	if !slices.Equal(with.chosen, without.chosen) {
		t.Errorf("got %v without a table, want %v", without.chosen, with.chosen)
	}
	if distinct := slices.Compact(slices.Sorted(slices.Values(with.chosen))); len(distinct) != task.K {
		t.Errorf("got %d distinct candidates, want %d", len(distinct), task.K)
	}
}

// The gain of a trial is what the potential loses, and the best of the trials is taken.
func TestGreedyGainsArePotentialLost(t *testing.T) {
	task := reclusterTask(130, 6, 3, 1)
	p, err := candidatePoints(task.Candidates, task.Grid, task.Masses)
	if err != nil {
		t.Fatal(err)
	}
	g := newAmong(p, task.Candidates, task)
	potential := func() float64 {
		sum := 0.0
		for i, m := range g.mass {
			sum += m * float64(g.best[i])
		}
		return sum
	}
	g.add()
	for range task.K - 1 {
		before := potential()
		chosen := len(g.chosen)
		best := slices.Clone(g.best)
		g.add()
		after := potential()
		g2 := *g
		g2.best = best
		if gain := g2.gain(g.apart.from(g.chosen[chosen])); math.Abs(before-gain-after) > 1e-9*before {
			t.Errorf("potential %v after a gain of %v on %v", after, gain, before)
		}
	}
}

func TestCandidatesCloserThanTheirSquaresCanTellAreStillChosenOnce(t *testing.T) {
	tiny := float32(math.Ldexp(1, -140))
	task := &SeedTask{Recluster: true, K: 3, Masses: []uint64{1, WeightOne, 7}, Grid: []int{-149},
		Candidates: &Centroids{K: 3, D: 1, Values: []float32{0, tiny, 2 * tiny}}}
	c, err := Recluster(task)
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(c.Values)
	if !slices.Equal(c.Values, task.Candidates.Values) {
		t.Errorf("got %v, want %v", c.Values, task.Candidates.Values)
	}
}

func TestAReclusteringOfTheWrongShapeIsAnError(t *testing.T) {
	for name, change := range map[string]func(*SeedTask){
		"no candidates":       func(t *SeedTask) { t.Candidates = nil },
		"a mass too few":      func(t *SeedTask) { t.Masses = t.Masses[1:] },
		"a grid too few":      func(t *SeedTask) { t.Grid = t.Grid[1:] },
		"no clusters":         func(t *SeedTask) { t.K = 0 },
		"more than are there": func(t *SeedTask) { t.K = 11 },
	} {
		task := reclusterTask(10, 3, 2, 1)
		change(task)
		if _, err := Recluster(task); !errors.Is(err, ErrShape) {
			t.Errorf("%s: got %v, want %v", name, err, ErrShape)
		}
	}
}
