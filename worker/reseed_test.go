package worker

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// seedOn seeds on an engine. After so many rounds it stops there, in the middle of the last one if cut says so, and the
// centroids are nil; none: to the end.
func seedOn(t *testing.T, e *Engine, init kmeans.Init, stopAfter int, cut bool) (*kmeans.Centroids, int) {
	t.Helper()
	s, err := kmeans.NewSeeder(init, 9, 2, []int{-8, -8}, 42)
	if err != nil {
		t.Fatal(err)
	}
	rounds := 0
	for task := s.Next(); task != nil; task = s.Next() {
		rounds++
		ctx, cancel := context.WithCancel(t.Context())
		if cut && rounds == stopAfter {
			cancel()
		}
		p, err := e.Do(ctx, &wire.Task{Kind: wire.Seed, Seed: task, Partitions: []int{0, 1, 2}})
		cancel()
		if rounds == stopAfter {
			return nil, rounds
		}
		if err != nil {
			t.Fatal(err)
		}
		s.Take(p.Seed)
	}
	c, err := s.Result()
	if err != nil {
		t.Fatal(err)
	}
	return c, rounds
}

// A coordinator that falls while it seeds begins anew with the seed of before, on workers that remember the rounds.
func TestSeedingThatBeginsAnewGivesTheSameSeeds(t *testing.T) {
	for _, init := range []kmeans.Init{kmeans.InitParallel, kmeans.InitPlusPlus} {
		fresh, _ := holdingEngine(t, 2)
		want, rounds := seedOn(t, fresh, init, 0, false)
		for after := 1; after <= rounds; after++ {
			for _, cut := range []bool{false, true} {
				t.Run(fmt.Sprint(init, after, cut), func(t *testing.T) {
					e, _ := holdingEngine(t, 2)
					seedOn(t, e, init, after, cut)
					if got, _ := seedOn(t, e, init, 0, false); !slices.Equal(got.Values, want.Values) {
						t.Errorf("got %v, want %v", got.Values, want.Values)
					}
				})
			}
		}
	}
}
