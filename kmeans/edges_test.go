package kmeans

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// greatest is a block of Points that all lie 2^39 grid units from zero.
func greatest(t *testing.T) *Points {
	t.Helper()
	p, err := NewPoints(kernel.Lanes, 1, 0, []int{-39})
	if err != nil {
		t.Fatal(err)
	}
	column := make([]float32, kernel.Lanes)
	for i := range column {
		column[i] = 1
	}
	if err := p.Append([][]float32{column}, kernel.Lanes, 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestBlocksFoldBeforeTheyCouldOverflow(t *testing.T) {
	p, acc := greatest(t), NewAccumulator(1, 1, false)
	const times = 2*MaxPoints/kernel.Lanes + 3 // some 2^63 in all
	for range times {
		acc.add(kernel.Best(), p, 0, kernel.Lanes, make([]int32, kernel.Lanes))
	}
	s := NewSums(1, 1, false)
	acc.Drain(s)
	if want := exact.MulInt64(times*kernel.Lanes, 1<<39); s.Values[0] != want || s.Counts[0] != times*kernel.Lanes {
		t.Errorf("got %v of %d rows, want %v of %d", s.Values[0], s.Counts[0], want, times*kernel.Lanes)
	}
}

func TestARowOnItsCentroidRefillsNothing(t *testing.T) {
	r := fitRows(t, []float32{1, 1, 5, 5}, 1, nil, []float32{1, 5, 99}, Options{})
	if want := []float32{1, 5, 99}; !slices.Equal(r.Centroids.Values, want) || !slices.Equal(r.Counts, []int64{2, 2, 0}) {
		t.Errorf("got %v with counts %v, want %v", r.Centroids.Values, r.Counts, want)
	}
}

func TestARefilledClusterIsIteratedOnWhateverTheTolerance(t *testing.T) {
	r := fitRows(t, []float32{0, 1, 2, 50, 60}, 1, nil, []float32{1, 60, 61}, Options{Tolerance: 1e9})
	if r.Iterations < 2 || slices.Contains(r.Counts, 0) {
		t.Errorf("got %d iterations and counts %v, want a pass after the refill", r.Iterations, r.Counts)
	}
}

func TestNumbersThatNoPointCanBeAreErrors(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, v := range []float32{inf, -inf, inf - inf, 1e19, -math.MaxFloat32} {
		if _, err := PointsFromRows([]float32{1, 2, v, 4}, 2, 2, nil); !errors.Is(err, ErrValue) {
			t.Errorf("%v: got %v, want %v", v, err, ErrValue)
		}
	}
	for _, w := range []float64{-1, math.NaN(), math.Inf(1)} {
		if _, err := PointsFromRows([]float32{1, 2}, 2, 1, []float64{1, w}); !errors.Is(err, ErrValue) {
			t.Errorf("weight %v: got %v, want %v", w, err, ErrValue)
		}
	}
}

func TestMinusZeroIsZero(t *testing.T) {
	minus := float32(math.Copysign(0, -1))
	for _, keep := range [][]bool{nil, {true, true, false}} {
		p, err := NewPoints(3, 1, 0, []int{-10})
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Append([][]float32{{0, minus, minus}}, 3, 0, keep, nil); err != nil {
			t.Fatal(err)
		}
		d := NewDistinct(5)
		d.Add(p)
		if d.Count() != 1 {
			t.Errorf("keep %v: got %d distinct Points, want 1", keep, d.Count())
		}
	}
}

func TestAPositiveWeightIsAtLeastOneUnit(t *testing.T) {
	got := FixedWeights(nil, []float64{0, 1e-300, 0x1p-41, 0.5, 1}, 1)
	if want := []uint64{0, 1, 1, WeightOne / 2, WeightOne}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestRowsOfWeightZeroAreNoPointsToStartFromAndFillNoCluster(t *testing.T) {
	p, err := PointsFromRows([]float32{1, 2, 3}, 3, 1, []float64{1, 0, 1})
	if err != nil {
		t.Fatal(err)
	}
	d := NewDistinct(5)
	d.Add(p)
	if d.Count() != 2 {
		t.Errorf("distinct Points of positive weight: got %d, want 2", d.Count())
	}
	s := NewSums(2, 1, true)
	s.Counts, s.Weights = []int64{3, 4}, []exact.Int128{{}, {Lo: 1}}
	if got := s.Empty(); !slices.Equal(got, []int{0}) {
		t.Errorf("empty clusters: got %v, want the one without weight", got)
	}
}

func TestMeanVarianceIsTheMeanOfTheColumns(t *testing.T) {
	p, err := PointsFromRows([]float32{0, 10, 4, 10, 8, 40}, 3, 2, []float64{1, 7, 0})
	if err != nil {
		t.Fatal(err)
	}
	totals := NewTotals(2)
	totals.Add(p)
	// 0, 4, 8 and 10, 10, 40, whatever the weights.
	if got, want := totals.MeanVariance(p.Grid()), (32./3+200)/2; math.Abs(got-want) > 1e-9 {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestWeightedInertiaFromSumsIsThatOfThePass(t *testing.T) {
	s := families(4)[0]
	weights := make([]float64, s.n)
	for i := range weights {
		weights[i] = float64(i % 7)
	}
	p, err := PointsFromRows(s.values, s.n, s.d, weights)
	if err != nil {
		t.Fatal(err)
	}
	start, err := Seed(p, InitPlusPlus, 5, 2)
	if err != nil {
		t.Fatal(err)
	}
	totals, sums, acc := NewTotals(s.d), NewSums(5, s.d, true), NewAccumulator(5, s.d, true)
	totals.Add(p)
	var inertia exact.Bins
	a, labels := NewAssigner(start), make([]uint16, s.n)
	for lo := 0; lo < s.n; lo += SpanRows {
		a.Score(p, lo, min(lo+SpanRows, s.n), labels, true, acc, &inertia, new(Scratch))
	}
	acc.Drain(sums)
	if err := sums.Conserved(totals); err != nil {
		t.Fatal(err)
	}
	got, want := sums.Inertia(start, totals, p.Grid(), 1), inertia.Float64(0)
	if math.Abs(got-want) > 1e-6*want {
		t.Errorf("got %v, want %v", got, want)
	}
}

// A change of these bits is a change of Arithmetic: programs of one version must draw the same rows.
func TestSeedsAreThoseOfThisArithmetic(t *testing.T) {
	values := make([]float32, 3*20000)
	for i := range values {
		values[i] = float32(exact.Draw(6, 99, 0, uint64(i)) >> 40) // the same on every machine
	}
	p, err := PointsFromRows(values, 20000, 3, nil)
	if err != nil {
		t.Fatal(err)
	}
	for init, want := range map[Init]string{
		InitParallel: "62392be38c461ac4",
		InitPlusPlus: "9259ea7578aed561",
		InitRandom:   "ee7072214b915836",
	} {
		h := sha256.New()
		for seed := range uint64(8) {
			c, err := Seed(p, init, 9, seed)
			if err != nil {
				t.Fatal(err)
			}
			if err := binary.Write(h, binary.LittleEndian, c.Values); err != nil {
				t.Fatal(err)
			}
		}
		if got := fmt.Sprintf("%x", h.Sum(nil)[:8]); got != want {
			t.Errorf("%s under arithmetic %s: got %s, want %s", init, Arithmetic, got, want)
		}
	}
}
