package exact

import (
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// referenceToGrid rounds the exact difference once: to the nearest multiple, ties to even, of the coarser of 2^gridExp and
// float32's last bit in its binade.
func referenceToGrid(x, shift float64, gridExp int) float32 {
	v := new(big.Rat).Sub(rat(x), rat(shift))
	unit := max(gridExp, gridLeast)
	if v.Sign() != 0 {
		// 2^(e−1) ≤ |v| < 2^e
		e := new(big.Float).SetPrec(3000).SetRat(v).MantExp(nil)
		unit = max(unit, e-24)
	}
	scale := scaled(big.NewInt(1), big.NewInt(1), -unit)
	v.Mul(v, scale)
	n := roundHalfEven(v)
	out := new(big.Rat).SetInt(n)
	f, _ := out.Quo(out, scale).Float32()
	return f
}

// roundHalfEven is the integer nearest to v, ties to even.
func roundHalfEven(v *big.Rat) *big.Int {
	// floor(2v) decides: an odd one lies in the upper half, and exactly on it without a remainder.
	double := new(big.Int).Lsh(v.Num(), 1)
	rest := new(big.Int)
	q, rest := new(big.Int).DivMod(double, v.Denom(), rest)
	up := q.Bit(0) == 1 && (rest.Sign() != 0 || q.Bit(1) == 1)
	q.Rsh(q, 1)
	if up {
		q.Add(q, big.NewInt(1))
	}
	return q
}

func checkToGrid(t interface {
	Helper()
	Fatalf(string, ...any)
}, x, shift float64, gridExp int) {
	t.Helper()
	got, want := ToGrid(x, shift, gridExp), referenceToGrid(x, shift, gridExp)
	if got != want || math.Signbit(float64(got)) && got == 0 {
		t.Fatalf("ToGrid(%x, %x, %d) = %x, want %x", x, shift, gridExp, got, want)
	}
}

func TestToGridRoundsOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x, shift := finite.Draw(t, "x"), finite.Draw(t, "shift")
		checkToGrid(t, x, shift, rapid.IntRange(-160, 200).Draw(t, "grid"))
	})
}

func TestToGridRoundsColumnsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 7))
	count := 300_000
	if testing.Short() {
		count = 20_000
	}
	for range count {
		// A column of some width somewhere, with values that nearly tie: 2^-40 of the width is half of the grid.
		width := math.Ldexp(1+r.Float64(), r.IntN(80)-40)
		offset := width * math.Ldexp(r.NormFloat64(), r.IntN(40)-20)
		low, high := offset-width/2, offset+width/2
		gridExp := GridExponent(low, high)
		shift := ShiftFor(offset, low, high)
		x := low + width*r.Float64()
		if r.IntN(2) == 0 {
			tie := (math.Floor(r.NormFloat64()*math.Ldexp(1, r.IntN(42))) + 0.5) * math.Ldexp(1, gridExp)
			x = shift + tie
			x = math.Float64frombits(math.Float64bits(x) + uint64(r.IntN(3)) - 1)
		}
		checkToGrid(t, x, shift, gridExp)
	}
}

func TestToGridOfExtremes(t *testing.T) {
	most, least := math.MaxFloat64, math.SmallestNonzeroFloat64
	for _, x := range []float64{0, 1, -1, most, -most, least, 0x1p128, math.MaxFloat32, 0x1.ffffffp127, 0x1.fffffeffffffp127, 0x1p-149, 0x1p-150, 0x1.8p-149, 0x1p-126} {
		for _, shift := range []float64{0, least, -least, most, -most, 0x1p-200, -0x1p75, 0x1p-150} {
			for _, gridExp := range []int{-2000, -149, -148, -127, -40, 0, 104, 128, 300} {
				checkToGrid(t, x, shift, gridExp)
			}
		}
	}
	for _, test := range []struct {
		x, shift float64
		want     float64
	}{
		{most, -most, math.Inf(1)},
		{-most, most, math.Inf(-1)},
		{math.Inf(1), 1, math.Inf(1)},
		{math.NaN(), 1, math.NaN()},
	} {
		if got := float64(ToGrid(test.x, test.shift, 985)); !sameFloat64(got, test.want) {
			t.Errorf("ToGrid(%v, %v) = %v, want %v", test.x, test.shift, got, test.want)
		}
	}
}

func TestToGridSliceIsToGrid(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 8))
	x := make([]float64, 1_000)
	for i := range x {
		x[i] = 1e6 + r.NormFloat64()
	}
	dst := make([]float32, len(x)+1)
	dst[len(x)] = 77
	ToGridSlice(dst, x, 1e6+0.1, -37)
	for i, v := range x {
		if want := ToGrid(v, 1e6+0.1, -37); dst[i] != want {
			t.Fatalf("dst[%d] = %x, want %x", i, dst[i], want)
		}
	}
	if dst[len(x)] != 77 {
		t.Error("ToGridSlice wrote beyond the end of x")
	}
}

func TestGridIntIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		gridExp := rapid.IntRange(-149, 80).Draw(t, "grid")
		p := ToGrid(math.Ldexp(rapid.Float64Range(-1, 1).Draw(t, "x"), gridExp+40), 0, gridExp)
		want := new(big.Rat).Mul(rat(float64(p)), scaled(big.NewInt(1), big.NewInt(1), -gridExp))
		if got := GridInt(p, gridExp); !want.IsInt() || want.Num().Int64() != got {
			t.Fatalf("GridInt(%x, %d) = %d, want %v", p, gridExp, got, want)
		}
	})
}

func TestGridExponentCoversTheRange(t *testing.T) {
	tests := []struct {
		min, max float64
		want     int
	}{
		{0, 1, -39},
		{0, 1.0000001, -38},
		{0, 0.9999999, -39},
		{0, 2, -38},
		{-1e6, -1e6 + 1024, -29},
		{5, 5, -149},
		{0, 0x1p-110, -149},
		{0, 0x1p-109, -148},
		{0, 5e-324, -149},
		{-math.MaxFloat64, math.MaxFloat64, 1025 - 39},
		{0, math.MaxFloat64, 1024 - 39},
		{math.NaN(), 1, -149},
		{0, math.Inf(1), -149},
	}
	for _, test := range tests {
		if got := GridExponent(test.min, test.max); got != test.want {
			t.Errorf("GridExponent(%v, %v) = %d, want %d", test.min, test.max, got, test.want)
		}
	}
}

func TestShiftForIsCoarseAndInside(t *testing.T) {
	tests := []struct {
		mean, min, max, want float64
	}{
		{0.5, 0, 1, 0.5},
		{0.3, 0, 1, 77. / 256},
		{0.5 / 256, 0, 1, 0},
		{1.5 / 256, 0, 1, 2. / 256},
		{1e6 + 0.37, 1e6, 1e6 + 200, 1e6},
		{1e6 + 100.6, 1e6, 1e6 + 200, 1e6 + 101},
		{50.4, 50.3, 50.45, 50.4},
		{3, 3, 3, 3},
		{-0.0001, -1, 1, 0},
		{99.9, 0.7, 99.95, 99.95},
		{1e300, 1e300, 1.1e300, 1e300},
		{5e-324, 0, 1e-323, 5e-324},
		{1e307, -math.MaxFloat64, math.MaxFloat64, 7 * 0x1p1017},
	}
	for _, test := range tests {
		got := ShiftFor(test.mean, test.min, test.max)
		// Of values that are no multiples of the unit themselves only the distance is known.
		e, ok := rangeExponent(test.min, test.max)
		if ok && math.Abs(got-test.want) > math.Ldexp(0.5, e-8) || !ok && got != test.want {
			t.Errorf("ShiftFor(%v, %v, %v) = %v, want about %v", test.mean, test.min, test.max, got, test.want)
		}
		if math.Signbit(got) && got == 0 {
			t.Errorf("ShiftFor(%v, %v, %v) is −0", test.mean, test.min, test.max)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := finite.Draw(t, "a"), finite.Draw(t, "b"), finite.Draw(t, "c")
		least, greatest := min(a, b, c), max(a, b, c)
		mean := a + b + c - least - greatest
		if !(mean >= least && mean <= greatest) {
			return
		}
		got := ShiftFor(mean, least, greatest)
		e, ok := rangeExponent(least, greatest)
		if !ok {
			if got != least {
				t.Fatalf("shift of an empty range = %v, want %v", got, least)
			}
			return
		}
		unit := scaled(big.NewInt(1), big.NewInt(1), 8-e)
		want := new(big.Rat).SetInt(roundHalfEven(new(big.Rat).Mul(rat(mean), unit)))
		want.Quo(want, unit)
		if want.Cmp(rat(least)) < 0 {
			want = rat(least)
		}
		if want.Cmp(rat(greatest)) > 0 {
			want = rat(greatest)
		}
		if rat(got).Cmp(want) != 0 {
			t.Fatalf("ShiftFor(%x, %x, %x) = %x, want %v", mean, least, greatest, got, want)
		}
	})
}

func TestOrderedBitsKeepTheOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := finite.Draw(t, "a"), finite.Draw(t, "b")
		u, v := OrderedBits(a), OrderedBits(b)
		if a < b && u >= v || a > b && u <= v {
			t.Fatalf("OrderedBits of %v and %v are %x and %x", a, b, u, v)
		}
		if back := FromOrderedBits(u); math.Float64bits(back) != math.Float64bits(a) {
			t.Fatalf("%v came back as %v", a, back)
		}
		if w := rapid.Uint64().Draw(t, "w"); OrderedBits(FromOrderedBits(w)) != w {
			t.Fatalf("%x came back as %x", w, OrderedBits(FromOrderedBits(w)))
		}
	})
	if OrderedBits(0)-OrderedBits(math.Copysign(0, -1)) != 1 {
		t.Error("−0 is not right below +0")
	}
}

func BenchmarkToGridSlice(b *testing.B) {
	for _, column := range columns[:4] {
		b.Run(column.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 3))
			x, dst := make([]float64, 1<<14), make([]float32, 1<<14)
			var m Moments
			for i := range x {
				x[i] = column.draw(r)
				m.AddRepeated(x[i], 1)
			}
			shift, gridExp := ShiftFor(m.Mean(), m.Min, m.Max), GridExponent(m.Min, m.Max)
			for b.Loop() {
				ToGridSlice(dst, x, shift, gridExp)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/value")
		})
	}
}

var sinkInt int64

func BenchmarkGridInt(b *testing.B) {
	for i := 0; b.Loop(); i++ {
		sinkInt += GridInt(float32(i&1023), -20)
	}
}
