package kmeans

import (
	"errors"
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
)

func fitRows(t testing.TB, values []float32, d int, weights []float64, start []float32, o Options) *Result {
	t.Helper()
	p, err := PointsFromRows(values, len(values)/d, d, weights)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Lloyd(p, &Centroids{K: len(start) / d, D: d, Values: start}, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestTiesGoToTheLowestIndex(t *testing.T) {
	r := fitRows(t, []float32{-1, 1, 0}, 1, nil, []float32{-1, 1}, Options{MaxIterations: 1})
	// 0 is as far from −1 as from 1: it joins the first, whose mean becomes −0.5.
	if want := []float32{-0.5, 1}; !slices.Equal(r.Centroids.Values, want) {
		t.Errorf("centroids: got %v, want %v", r.Centroids.Values, want)
	}
}

func TestAnEmptyClusterTakesTheFarthestRow(t *testing.T) {
	values := []float32{0, 0.1, 0.2, 9, 10}
	r := fitRows(t, values, 1, nil, []float32{0, 1000, 2000}, Options{})
	if slices.Contains(r.Counts, 0) {
		t.Errorf("counts: got %v, want none empty", r.Counts)
	}
	if !r.Converged {
		t.Error("did not converge")
	}
}

func TestADonorKeepsSomeWeight(t *testing.T) {
	// Both rows are farther from their centroids than anything else, and each is its cluster's only one.
	s := NewSums(3, 1, false)
	s.Counts = []int64{1, 1, 0}
	far := []Far{{Distance: 9, Row: 0, Cluster: 0, Weight: 1, Point: []float32{3}}, {Distance: 4, Row: 1, Cluster: 1, Weight: 1, Point: []float32{2}}}
	if filled := s.Refill(far, []int{0}); filled != 0 || s.Counts[0] != 1 || s.Counts[1] != 1 {
		t.Errorf("got %d filled and counts %v, want none and no change", filled, s.Counts)
	}
}

// Rows of equal Points and different weights: which of them refills a cluster changes the donor's mean, so that it must
// not hang on their order.
func TestRefillDoesNotDependOnTheOrderOfWeightedRows(t *testing.T) {
	values, weights := []float32{0, 1, 10, 10, 10, 2}, []float64{4, 4, 1, 3, 2, 5}
	start := []float32{1, 5000}
	want := fitRows(t, values, 1, weights, start, Options{MaxIterations: 1})
	if want.Centroids.Values[1] != 10 {
		t.Fatalf("centroids: got %v, want the second one refilled with 10", want.Centroids.Values)
	}
	for shift := 1; shift < len(values); shift++ {
		v := append(slices.Clone(values[shift:]), values[:shift]...)
		w := append(slices.Clone(weights[shift:]), weights[:shift]...)
		if got := fitRows(t, v, 1, w, start, Options{MaxIterations: 1}); !got.Centroids.Equal(want.Centroids) {
			t.Errorf("rows turned by %d: got %v, want %v", shift, got.Centroids.Values, want.Centroids.Values)
		}
	}
}

func TestAWeightCountsARowAsManyTimes(t *testing.T) {
	once := []float32{0, 1, 5, 6, 6.5, 20}
	weights := []float64{1, 3, 2, 1, 4, 1}
	var repeated []float32
	for i, w := range weights {
		for range int(w) {
			repeated = append(repeated, once[i])
		}
	}
	start := []float32{0, 6, 20}
	a := fitRows(t, once, 1, weights, start, Options{})
	b := fitRows(t, repeated, 1, nil, start, Options{})
	if !a.Centroids.Equal(b.Centroids) || a.Iterations != b.Iterations {
		t.Errorf("weighted: got %v after %d, repeated %v after %d", a.Centroids.Values, a.Iterations, b.Centroids.Values, b.Iterations)
	}
	if got, want := a.Inertia/WeightOne*4, b.Inertia; math.Abs(got-want) > 1e-6*want {
		t.Errorf("inertia: got %v, want %v", got, want)
	}
}

func TestRowsOfWeightZeroAreLabelledButNeverSeedOrRefill(t *testing.T) {
	values := []float32{0, 1, 100, 101, 5000}
	weights := []float64{1, 1, 1, 1, 0}
	p, err := PointsFromRows(values, 5, 1, weights)
	if err != nil {
		t.Fatal(err)
	}
	for seed := range uint64(20) {
		for _, init := range []Init{InitParallel, InitPlusPlus, InitRandom} {
			start, err := Seed(p, init, 2, seed)
			if err != nil {
				t.Fatal(err)
			}
			if slices.Contains(start.Values, 5000) {
				t.Fatalf("%s, seed %d: the row of weight 0 was drawn", init, seed)
			}
		}
	}
	r, err := Lloyd(p, &Centroids{K: 2, D: 1, Values: []float32{50, 90000}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if slices.Contains(r.Centroids.Values, 5000) || len(r.Labels) != 5 {
		t.Errorf("got centroids %v and %d labels", r.Centroids.Values, len(r.Labels))
	}
}

func TestToleranceStopsEarlierAndZeroStopsAtAFixedPoint(t *testing.T) {
	p := families(3)[1].points(t)
	start, err := Seed(p, InitRandom, 7, 5)
	if err != nil {
		t.Fatal(err)
	}
	loose, err1 := Lloyd(p, start, Options{Tolerance: 1e-2})
	tight, err2 := Lloyd(p, start, Options{MaxIterations: 10000})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	if !loose.Converged || !tight.Converged || loose.Iterations >= tight.Iterations {
		t.Errorf("iterations: got %d and %d, want fewer with a tolerance", loose.Iterations, tight.Iterations)
	}
	again, err := Lloyd(p, tight.Centroids, Options{})
	if err != nil || again.Iterations != 1 || !again.Centroids.Equal(tight.Centroids) {
		t.Errorf("from the end: got %d iterations and %v, want one that changes nothing", again.Iterations, err)
	}
}

func TestMoreClustersThanDistinctPointsIsAnError(t *testing.T) {
	p, err := PointsFromRows([]float32{1, 1, 2, 2, 2, 3}, 6, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	d := NewDistinct(10)
	d.Add(p)
	if d.Count() != 3 {
		t.Errorf("distinct: got %d, want 3", d.Count())
	}
	for _, init := range []Init{InitParallel, InitPlusPlus} {
		if c, err := Seed(p, init, 3, 1); err != nil || c.K != 3 {
			t.Errorf("%s, k = 3: got %v", init, err)
		}
		if _, err := Seed(p, init, 4, 1); !errors.Is(err, ErrTooFewDistinct) {
			t.Errorf("%s, k = 4: got %v, want %v", init, err, ErrTooFewDistinct)
		}
	}
}

func TestPointsAndCentroidsOfTheWrongShapeAreErrors(t *testing.T) {
	if _, err := PointsFromRows([]float32{1, 2, 3}, 2, 2, nil); !errors.Is(err, ErrShape) {
		t.Errorf("3 values for 2×2: got %v", err)
	}
	if _, err := NewPoints(MaxPoints+1, 1, 0, []int{0}); !errors.Is(err, ErrShape) {
		t.Errorf("too many points: got %v", err)
	}
	if _, err := NewPoints(0, 1, 0, []int{0}); err != nil {
		t.Errorf("no points: got %v", err)
	}
	p, _ := PointsFromRows([]float32{1, 2, 3, 4}, 2, 2, nil)
	for name, c := range map[string]*Centroids{
		"too narrow":   {K: 1, D: 1, Values: []float32{1}},
		"a NaN":        {K: 1, D: 2, Values: []float32{1, float32(math.NaN())}},
		"a value less": {K: 2, D: 2, Values: []float32{1, 2, 3}},
		"none":         {K: 0, D: 2},
	} {
		if _, err := Lloyd(p, c, Options{}); !errors.Is(err, ErrShape) {
			t.Errorf("%s: got %v, want %v", name, err, ErrShape)
		}
	}
}

func TestAccumulatorFoldsBeforeItCouldOverflow(t *testing.T) {
	grid := []int{0}
	p, err := NewPoints(1, 1, 0, grid)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Append([][]float32{{1 << 39}}, 1, 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	a, sums := NewAccumulator(1, 1, false), NewSums(1, 1, false)
	const moves = 3*MaxPoints + 1 // 2^62 three times over does not fit an int64
	for range moves {
		a.move(p, 0, none, 0)
	}
	a.Drain(sums)
	if want := exact.MulInt64(moves, 1<<39); sums.Values[0].Cmp(want) != 0 || sums.Counts[0] != moves {
		t.Errorf("got %v of %d rows, want %v of %d", sums.Values[0], sums.Counts[0], want, moves)
	}
}

func TestMovingRowsEqualsSummingAfresh(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, d, k := rapid.IntRange(1, 5000).Draw(t, "n"), rapid.IntRange(1, 5).Draw(t, "d"), rapid.IntRange(1, 9).Draw(t, "k")
		values := make([]float32, n*d)
		state := rapid.Uint64().Draw(t, "seed")
		next := func() float32 {
			state = exact.Draw(state, 1, 2, 3)
			return float32(math.Ldexp(float64(int64(state))*0x1p-63, int(state%40)-20))
		}
		for i := range values {
			values[i] = next()
		}
		p, err := PointsFromRows(values, n, d, nil)
		if err != nil {
			t.Fatal(err)
		}
		labels, moved, fresh := make([]uint16, n), NewSums(k, d, false), true
		acc := NewAccumulator(k, d, false)
		var again *Sums
		for range 3 {
			c := NewCentroids(k, d)
			for i := range c.Values {
				c.Values[i] = next()
			}
			again = NewSums(k, d, false)
			pass(p, c, labels, fresh, acc, moved)
			pass(p, c, make([]uint16, n), true, acc, again)
			fresh = false
		}
		if !slices.Equal(moved.Counts, again.Counts) || !slices.Equal(moved.Values, again.Values) {
			t.Fatal("sums by movers differ from sums afresh")
		}
		totals := NewTotals(d)
		totals.Add(p)
		if err := moved.Conserved(totals); err != nil {
			t.Fatal(err)
		}
	})
}

func pass(p *Points, c *Centroids, labels []uint16, fresh bool, acc *Accumulator, into *Sums) {
	a := NewAssigner(c)
	for lo := 0; lo < p.Rows(); lo += SpanRows {
		a.Update(p, lo, min(lo+SpanRows, p.Rows()), labels, fresh, acc, new(Scratch))
	}
	acc.Drain(into)
}

func TestInertiaFromSumsIsThatOfThePass(t *testing.T) {
	for _, s := range families(4) {
		p := s.points(t)
		start, err := Seed(p, InitRandom, 4, 8)
		if err != nil {
			t.Fatal(err)
		}
		totals, sums := NewTotals(p.Columns()), NewSums(4, p.Columns(), false)
		totals.Add(p)
		pass(p, start, make([]uint16, p.Rows()), true, NewAccumulator(4, p.Columns(), false), sums)
		got := sums.Inertia(start, totals, p.Grid(), 1)
		_, _, want := twinPass(p, start)
		if math.Abs(got-want) > 1e-6*want {
			t.Errorf("%s: got %v, want %v", s.name, got, want)
		}
	}
}

func TestCosineCentroidsHaveLengthOneWithTheShiftAddedBack(t *testing.T) {
	shift := []float64{0.5, -0.25}
	var values []float32
	for i := range 600 {
		angle := float64(i%3) + 0.001*float64(i%7)
		values = append(values, float32(math.Cos(angle)-shift[0]), float32(math.Sin(angle)-shift[1]))
	}
	p, err := PointsFromRows(values, 600, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	start, err := Seed(p, InitPlusPlus, 3, 0)
	if err != nil {
		t.Fatal(err)
	}
	r, err := Lloyd(p, start, Options{Space: &Space{Grid: p.Grid(), Cosine: true, Shift: shift}})
	if err != nil {
		t.Fatal(err)
	}
	for j := range 3 {
		c := r.Centroids.Row(j)
		if length := math.Hypot(float64(c[0])+shift[0], float64(c[1])+shift[1]); math.Abs(length-1) > 1e-6 {
			t.Errorf("centroid %d: length %v, want 1", j, length)
		}
	}
	if !slices.Equal(r.Counts, []int64{200, 200, 200}) {
		t.Errorf("counts: got %v, want 200 each", r.Counts)
	}
}

func TestParallelSeedingIsAsGoodAsGreedy(t *testing.T) {
	p := families(5)[0].points(t)
	potential := func(init Init) float64 {
		total := 0.0
		for seed := range uint64(5) {
			start, err := Seed(p, init, 9, seed)
			if err != nil {
				t.Fatal(err)
			}
			_, _, inertia := twinPass(p, start)
			total += inertia
		}
		return total
	}
	if parallel, greedy := potential(InitParallel), potential(InitPlusPlus); parallel > 1.05*greedy {
		t.Errorf("potential: k-means|| %v, greedy k-means++ %v: more than 5 %% above", parallel, greedy)
	}
}
