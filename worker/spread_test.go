package worker

import (
	"math"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// distancesOf are the distances of all rows of an Engine to their nearest centroids, by cluster, from the definition. Rows lie on
// whole numbers, so that the squares are exact.
func distancesOf(e *Engine, c *kmeans.Centroids) []exact.Bins {
	spread, row := make([]exact.Bins, c.K), make([]float32, c.D)
	for _, h := range e.held {
		for i := range h.points.Rows() {
			h.points.At(i, row)
			nearest, least := 0, float32(math.Inf(1))
			for j := range c.K {
				square := float32(0)
				for t, v := range c.Row(j) {
					square += float32((row[t] - v) * (row[t] - v))
				}
				if square < least {
					nearest, least = j, square
				}
			}
			spread[nearest].Add(float32(math.Sqrt(float64(least))))
		}
	}
	return spread
}

// TestDistancesAreAddedByCluster holds for any threads, algorithm and folding, and beside other runs.
func TestDistancesAreAddedByCluster(t *testing.T) {
	for _, folded := range []bool{false, true} {
		for _, algorithm := range kmeans.Algorithms() {
			e := repeating(t, folded)
			want := make([][]exact.Bins, 4)
			for n, c := range starts() {
				want[n] = distancesOf(e, c)
			}
			for range 2 { // the second time, labels and bounds of the first are there
				var strands []*wire.Task
				for n, c := range starts() {
					strands = append(strands, &wire.Task{Kind: wire.Score, Run: n, Centroids: c, Spread: n != 2, Algorithm: kmeans.Algorithm(algorithm)})
				}
				for n, p := range doTogether(t, e, strands).Strands {
					if n == 2 {
						if p.Spread != nil {
							t.Errorf("%s: got distances that were not asked for", algorithm)
						}
						continue
					}
					for j := range want[n] {
						if got, want := p.Spread[j].Float64(0), want[n][j].Float64(0); got != want {
							t.Errorf("%s, folded %v, run %d, cluster %d: got %v, want %v", algorithm, folded, n, j, got, want)
						}
					}
				}
			}
		}
	}
}

func TestDistancesAreWeighted(t *testing.T) {
	e, _ := holdingEngine(t, 2)
	rows, weights := []float32{0, 0, 3, 4, 50, 20}, []float64{1, 2, 5}
	p, err := kmeans.PointsFromRows(rows, 3, 2, weights)
	if err != nil {
		t.Fatal(err)
	}
	clear(e.held)
	e.held[0] = &holding{id: 0, points: p}
	got, err := e.Do(t.Context(), &wire.Task{Kind: wire.Score, Centroids: starts()[0], Spread: true, Partitions: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	mean := got.Spread[0].Float64(0) / got.Sums.Weight(0).Float64(0)
	if want := 2. * 5 / 3; math.Abs(mean-want) > 1e-6 || got.Spread[1].Float64(0) != 0 {
		t.Errorf("got a mean distance of %v, and %v of the second cluster, want %v and 0", mean, got.Spread[1].Float64(0), want)
	}
}
