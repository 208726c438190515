package embedded

import (
	"math"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

func input(scale feature.Scale, cosine bool, weight string, columns ...string) *wire.Input {
	return &wire.Input{Spec: &feature.Spec{Numeric: columns, Scale: scale, Missing: "fail", Normalize: cosine}, Weight: weight, BadRows: wire.BadRowsFail}
}

func TestOfEqualRunsTheEarliestWins(t *testing.T) {
	s := &table{columns: [][]float64{{0, 5, 9, 0, 5, 9, 0, 5}}, block: 8}
	o := coordinator.FitOptions{Input: input("none", false, "", "x0"), K: 3, Init: kmeans.InitPlusPlus, MaxIterations: 9}
	differ := false
	for seed := range uint64(8) {
		o.Seed, o.Runs = seed, 1
		want := run(t, s, evenly(8, 1), 1, 1, o)
		o.Runs = 9 // each finds the same three groups, at inertia 0, numbered in its own way
		got := run(t, s, evenly(8, 1), 1, 1, o)
		if !got.Centroids.Equal(want.Centroids) {
			t.Errorf("seed %d: got %v, want those of the first run, %v", seed, got.Centroids.Values, want.Centroids.Values)
		}
		differ = differ || !slices.IsSorted(want.Centroids.Values)
	}
	if !differ {
		t.Error("every run numbers the groups alike: the test could not tell")
	}
}

func TestInertiaIsInTheUnitsOfWeightsAndOfOneMinusCos(t *testing.T) {
	s := &table{columns: [][]float64{{3, 4, 12, 1}, {4, 3, 5, 1}, {2, 1, 8, 4}}, block: 4}
	for _, c := range []struct {
		name   string
		cosine bool
		weight string
	}{{"plain", false, ""}, {"weighted", false, "x2"}, {"cosine", true, ""}, {"weighted cosine", true, "x2"}} {
		got := run(t, s, evenly(4, 1), 1, 1, coordinator.FitOptions{Input: input("none", c.cosine, c.weight, "x0", "x1"), K: 1,
			Init: kmeans.InitRandom, Runs: 1, MaxIterations: 5})
		// One cluster, by the formula.
		var sum [2]float64
		var mass float64
		weight := func(i int) float64 {
			if c.weight == "" {
				return 1
			}
			return s.columns[2][i]
		}
		row := func(i int) (x, y float64) {
			x, y = s.columns[0][i], s.columns[1][i]
			if length := math.Hypot(x, y); c.cosine {
				return x / length, y / length
			}
			return x, y
		}
		for i := range 4 {
			x, y := row(i)
			sum[0], sum[1], mass = sum[0]+weight(i)*x, sum[1]+weight(i)*y, mass+weight(i)
		}
		if c.cosine {
			mass = math.Hypot(sum[0], sum[1])
		}
		want := 0.0
		for i := range 4 {
			x, y := row(i)
			if c.cosine {
				want += weight(i) * (1 - (x*sum[0]+y*sum[1])/mass)
			} else {
				want += weight(i) * (math.Pow(x-sum[0]/mass, 2) + math.Pow(y-sum[1]/mass, 2))
			}
		}
		if math.Abs(got.Inertia-want) > 1e-6*want {
			t.Errorf("%s: got %v, want %v", c.name, got.Inertia, want)
		}
	}
}

func TestToleranceIsRelativeToTheSpreadOfTheData(t *testing.T) {
	s, wide := lognormal(4000), lognormal(4000)
	for t := range wide.columns {
		for i := range wide.columns[t] {
			s.columns[t][i] = math.Log(s.columns[t][i])
			wide.columns[t][i] = 1024 * s.columns[t][i] // the same bits, another unit
		}
	}
	o := coordinator.FitOptions{Input: input("none", false, "", "x0", "x1", "x2", "x3"), K: 6, Init: kmeans.InitPlusPlus, Runs: 1, MaxIterations: 300, Tolerance: 1e-3}
	a, b := run(t, s, evenly(4000, 1), 1, 1, o), run(t, wide, evenly(4000, 1), 1, 1, o)
	o.Tolerance = 0
	exact := run(t, s, evenly(4000, 1), 1, 1, o)
	if a.Iterations != b.Iterations || a.Iterations >= exact.Iterations || !a.Converged {
		t.Errorf("iterations: got %d, and %d in another unit, want the same and fewer than the %d without tolerance", a.Iterations, b.Iterations, exact.Iterations)
	}
}
