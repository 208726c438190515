package embedded

import (
	"slices"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/kmeans"
)

// Runs that share passes come to what they come to one after another: also where they converge at different times, have
// empty clusters at different times, and take different ways to seed.
func TestRunsAbreastGiveTheBitsOfRunsInTurn(t *testing.T) {
	s := lognormal(6000)
	for _, algorithm := range kmeans.Algorithms() {
		for runs := 1; runs <= 5; runs++ {
			if testing.Short() && runs != 4 {
				continue
			}
			o := coordinator.FitOptions{K: 5 + 3*runs, Init: kmeans.InitRandom, Runs: runs, Seed: uint64(runs), Tolerance: 1e-3,
				Algorithm: kmeans.Algorithm(algorithm), Abreast: 1}
			if runs == 4 {
				o.Init = kmeans.InitParallel
			}
			want := fitTable(t, s, 3, 1, 1, o)
			for workers := 1; workers <= 3; workers++ {
				for _, abreast := range []int{0, 1, 2, 3} {
					o.Abreast = abreast
					got := fitTable(t, s, 5, workers, 1+workers%2, o)
					if !slices.Equal(got.centroids, want.centroids) || got.inertia != want.inertia || got.iterations != want.iterations ||
						!slices.Equal(got.segments, want.segments) {
						t.Errorf("%s, %d runs, %d abreast on %d workers: other bits: inertia %x after %d iterations, want %x after %d",
							algorithm, runs, abreast, workers, got.inertia, got.iterations, want.inertia, want.iterations)
					}
				}
			}
		}
	}
}
