package feature

import (
	"encoding/json"
	"math"
	"math/big"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
)

// numbers draws values of wide spread, with ties, and missing ones where missing says so.
func numbers(t *rapid.T, n int, missing bool, label string) []float64 {
	kinds := []*rapid.Generator[float64]{
		rapid.Map(rapid.IntRange(-5, 5), func(v int) float64 { return float64(v) }),
		rapid.Float64Range(-1e3, 1e3),
		rapid.Map(rapid.Float64Range(-30, 30), math.Exp),
		rapid.Just(0.0), rapid.Just(math.Copysign(0, -1)),
	}
	if missing {
		kinds = append(kinds, rapid.Just(math.NaN()))
	}
	return rapid.SliceOfN(rapid.OneOf(kinds...), n, n).Draw(t, label)
}

// tame brings numbers to multiples of 2^-20 below 2^20: no spread is so small that another value overflows by it.
func tame(x []float64) []float64 {
	for i, v := range x {
		x[i] = math.Round(math.Remainder(v, 1<<20)*(1<<20)) / (1 << 20)
	}
	return x
}

// drawBatch draws a Batch for the columns x, y (float64), z (float32) and c (text), the first row of which is complete.
// Unless it is wild, it can be applied whatever the Spec.
func drawBatch(t *rapid.T, missing, wild bool) *Batch {
	n := rapid.IntRange(1, 40).Draw(t, "rows")
	column := func(label string) []float64 {
		if x := numbers(t, n, missing, label); wild {
			return x
		} else {
			return tame(x)
		}
	}
	b := &Batch{Rows: n, Numeric: [][]float64{column("x"), column("y"), nil}, Numeric32: [][]float32{nil, nil, nil}}
	for _, v := range column("z") {
		b.Numeric32[2] = append(b.Numeric32[2], float32(v))
	}
	b.Numeric[0][0], b.Numeric[1][0], b.Numeric32[2][0] = 1, 2, 3
	for i, v := range b.Numeric[1] {
		b.Numeric[1][i] = math.Abs(v) // for log1p
	}
	choice := []string{"a", "b", "c"}
	if missing {
		choice = append(choice, "∅")
	}
	level := rapid.SliceOfN(rapid.SampledFrom(choice), n, n).Draw(t, "c")
	level[0] = "a"
	b.Text = []TextColumn{texts(level...)}
	if rapid.Bool().Draw(t, "some are skipped") {
		b.Skip = rapid.SliceOfN(rapid.Bool(), n, n).Draw(t, "skip")
		b.Skip[0] = false
	}
	return b
}

func drawSpec(t *rapid.T) *Spec {
	var weights []Weight
	for _, column := range []string{"x", "y", "z", "c"} {
		// Powers of two take no bits from what is led back.
		if w := rapid.SampledFrom([]float64{1, 1, 0.25, 2}).Draw(t, "weight"); w != 1 {
			weights = append(weights, Weight{column, w})
		}
	}
	var orders []Order
	if rapid.Bool().Draw(t, "ordered") {
		orders = []Order{{"z", []string{"low", "high"}}}
	}
	return &Spec{
		Weights: weights, Orders: orders,
		Numeric: []string{"x", "y", "z"}, Log1p: []string{"y"}, Categorical: []string{"c"},
		Scale:     rapid.SampledFrom([]Scale{Standard, MinMax, Robust, None}).Draw(t, "scale"),
		Missing:   rapid.SampledFrom([]Missing{Fail, Mean, Median, Indicator, Drop}).Draw(t, "missing"),
		Normalize: rapid.Bool().Draw(t, "normalize"),
	}
}

func TestAFitHasTheSameBitsHoweverTheRowsAreSplitAndOrdered(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		b := drawBatch(t, spec.Missing != Fail, true)
		whole := mustFitOrSkip(t, spec, b)
		parts := split(b, rapid.IntRange(0, b.Rows).Draw(t, "cut"))
		parts = append(split(parts[0], parts[0].Rows/2), parts[1])
		if diff := cmp.Diff(asJSONRapid(t, whole), asJSONRapid(t, mustFitOrSkip(t, spec, parts...))); diff != "" {
			t.Fatalf("split (-whole +parts):\n%s", diff)
		}
	})
}

func TestEveryCoordinateOfTheFitLiesOnItsGridWithinItsRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		b := drawBatch(t, spec.Missing != Fail, false)
		tr := mustFitOrSkip(t, spec, b)
		points := outColumns(tr, b.Rows)
		if _, err := tr.Apply(b, points, make([]bool, b.Rows)); err != nil {
			t.Fatal(err)
		}
		for j, g := range tr.Grids() {
			for i, p := range points[j] {
				units := math.Ldexp(float64(p), -g.Exponent)
				if units != math.Trunc(units) || math.Abs(units) > 1<<39 {
					t.Fatalf("column %s, row %d: %v is %v units of 2^%d, want a whole number of at most 2^39",
						tr.Outputs()[j], i, p, units, g.Exponent)
				}
			}
		}
	})
}

func TestATransformKeepsItsBitsThroughJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		b := drawBatch(t, spec.Missing != Fail, false)
		tr := mustFitOrSkip(t, spec, b)
		data, err := json.Marshal(tr)
		if err != nil {
			t.Fatal(err)
		}
		var back Transform
		if err := json.Unmarshal(data, &back); err != nil {
			t.Fatal(err)
		}
		if err := back.Validate(); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tr, &back); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(spec, back.Spec()); diff != "" {
			t.Fatalf("Spec (-want +got):\n%s", diff)
		}
	})
}

func TestInverseLeadsPointsBackToTheInput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		spec := drawSpec(t)
		spec.Normalize = false
		b := drawBatch(t, false, false)
		tr := mustFitOrSkip(t, spec, b)
		points := outColumns(tr, b.Rows)
		if _, err := tr.Apply(b, points, make([]bool, b.Rows)); err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			if b.Skip != nil && b.Skip[i] {
				continue
			}
			p := row(points, i)
			values := tr.Inverse(p)
			for j := range tr.Numeric {
				// Half a last place of the coordinate, and some of float64, in the units of the input.
				c := &tr.Numeric[j]
				want := b.at(j, i)
				spread := c.Spread / factor(c.Weight)
				room := (math.Abs(float64(p[j]))*0x1p-23 + math.Ldexp(1, c.Exponent)) * spread
				if c.Log1p {
					room *= 1 + want
				}
				room += 1e-12 * (math.Abs(want) + math.Abs(c.Center) + math.Abs(c.Shift*spread) + 1)
				if got := values[j]; !(math.Abs(got-want) <= room) {
					t.Fatalf("row %d, column %s: got %v, want %v within %v", i, c.Name, got, want, room)
				}
			}
			var ones float64
			for _, v := range values[len(tr.Numeric):] {
				ones += v
			}
			if ones != 1 {
				t.Fatalf("row %d: got levels %v, want a single 1", i, values[len(tr.Numeric):])
			}
			again, err := tr.Forward(exactRow(tr, b, i, values))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(p, again); diff != "" {
				t.Fatalf("row %d: Forward differs from Apply:\n%s", i, diff)
			}
		}
	})
}

// exactRow is row i as it came, with the shares that Inverse gave.
func exactRow(tr *Transform, b *Batch, i int, values []float64) []float64 {
	r := slices.Clone(values)
	for j := range tr.Numeric {
		r[j] = b.at(j, i)
	}
	return r
}

// TestMomentsAreThoseOfARationalTwin compares mean, standard deviation and shift with big.Rat arithmetic, over the
// column with its imputed copies.
func TestMomentsAreThoseOfARationalTwin(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := numbers(t, rapid.IntRange(1, 30).Draw(t, "rows"), true, "x")
		x[0] = 1
		tr := mustFitOrSkip(t, &Spec{Numeric: []string{"x"}, Scale: Standard, Missing: Mean}, one(x...))
		var present []float64
		for _, v := range x {
			if !math.IsNaN(v) {
				present = append(present, v)
			}
		}
		fill := ratMean(present)
		if got := *tr.Numeric[0].Fill; got != fill {
			t.Fatalf("fill: got %v, want %v", got, fill)
		}
		filled := slices.Clone(x)
		for i, v := range filled {
			if math.IsNaN(v) {
				filled[i] = fill
			}
		}
		mean, spread := ratMean(filled), math.Sqrt(ratVariance(filled))
		if spread == 0 {
			spread = 1
		}
		c := tr.Numeric[0]
		if c.Center != mean || c.Spread != spread {
			t.Fatalf("got center %v, spread %v, want %v, %v", c.Center, c.Spread, mean, spread)
		}
		lo, hi := (slices.Min(filled)-mean)/spread, (slices.Max(filled)-mean)/spread
		if want := exact.ShiftFor(0, lo, hi); c.Shift != want || c.Exponent != exact.GridExponent(lo, hi) {
			t.Fatalf("got %+v, want shift %v, exponent %d", c.Grid, want, exact.GridExponent(lo, hi))
		}
	})
}

func ratSum(x []float64, of func(*big.Rat) *big.Rat) *big.Rat {
	sum := new(big.Rat)
	for _, v := range x {
		sum.Add(sum, of(new(big.Rat).SetFloat64(v)))
	}
	return sum.Quo(sum, new(big.Rat).SetInt64(int64(len(x))))
}

func ratMean(x []float64) float64 {
	mean, _ := ratSum(x, func(v *big.Rat) *big.Rat { return v }).Float64()
	return mean + 0
}

func ratVariance(x []float64) float64 {
	mean := ratSum(x, func(v *big.Rat) *big.Rat { return v })
	v, _ := ratSum(x, func(v *big.Rat) *big.Rat {
		v.Sub(v, mean)
		return v.Mul(v, v)
	}).Float64()
	return v
}

// numpyPercentile is numpy.percentile's default rule over sorted values.
func numpyPercentile(sorted []float64, share float64) float64 {
	at := share * float64(len(sorted)-1)
	low := math.Floor(at)
	a, b := sorted[int(low)], sorted[min(int(low)+1, len(sorted)-1)]
	if g := at - low; g < 0.5 {
		return a + (b-a)*g
	} else {
		return b - (b-a)*(1-g)
	}
}

// TestQuantilesAreThoseOfSorting holds medians and quartiles against sorting the filled-in column.
func TestQuantilesAreThoseOfSorting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := numbers(t, rapid.IntRange(1, 60).Draw(t, "rows"), true, "x")
		x[0] = 1
		log := rapid.Bool().Draw(t, "log1p")
		spec := &Spec{Numeric: []string{"x"}, Scale: Robust,
			Missing: rapid.SampledFrom([]Missing{Mean, Median, Indicator, Drop}).Draw(t, "missing")}
		if log {
			spec.Log1p = spec.Numeric
			for i := range x {
				x[i] = math.Abs(x[i])
			}
		}
		tr := mustFitOrSkip(t, spec, split(one(x...), len(x)/3)...)

		var filled []float64
		for _, v := range x {
			if !math.IsNaN(v) {
				filled = append(filled, v+0)
			}
		}
		slices.Sort(filled)
		fill := ratMean(filled)
		if spec.Missing == Median {
			fill = numpyPercentile(filled, 0.5)
		}
		if spec.Missing != Drop {
			if got := *tr.Numeric[0].Fill; got != fill {
				t.Fatalf("fill: got %v, want %v", got, fill)
			}
			for range len(x) - len(filled) {
				filled = append(filled, fill)
			}
		}
		if log {
			for i, v := range filled {
				filled[i] = exact.Log1p(v)
			}
		}
		slices.Sort(filled)
		center, spread := numpyPercentile(filled, 0.5), numpyPercentile(filled, 0.75)-numpyPercentile(filled, 0.25)
		if spread == 0 {
			spread = 1
		}
		if c := tr.Numeric[0]; c.Center != center || c.Spread != spread {
			t.Fatalf("got center %v, spread %v, want %v, %v", c.Center, c.Spread, center, spread)
		}
	})
}

func mustFitOrSkip(t *rapid.T, spec *Spec, batches ...*Batch) *Transform {
	tr, err := fitted(spec, batches...)
	if _, bad := err.(*ValueError); bad && spec.Normalize {
		t.Skip("a row of zeros")
	}
	if err != nil {
		t.Fatalf("fit: %v", err)
	}
	return tr
}

func asJSONRapid(t *rapid.T, tr *Transform) string {
	data, err := json.Marshal(tr)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
