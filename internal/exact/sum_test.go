package exact

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// finite draws float64s of all magnitudes, with the ends of the range and with values that nearly cancel.
var finite = rapid.OneOf(
	rapid.Float64(),
	rapid.Float64Range(-1, 1),
	rapid.Map(rapid.Uint64(), func(u uint64) float64 { return math.Float64frombits(u &^ (1 << 62)) }),
	rapid.Map(rapid.Int64Range(-1000, 1000), func(v int64) float64 { return float64(v) / 4 }),
	rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.MaxFloat64, -math.MaxFloat64, 5e-324, -5e-324, 0x1p-1022, 1, -1, 1e16, -1e16}),
)

func rat(x float64) *big.Rat { return new(big.Rat).SetFloat64(x) }

func ratSum(x []float64) *big.Rat {
	sum := new(big.Rat)
	for _, v := range x {
		sum.Add(sum, rat(v))
	}
	return sum
}

func checkSum(t interface {
	Helper()
	Fatalf(string, ...any)
}, s *Sum, want *big.Rat) {
	t.Helper()
	if got := s.Rat(); got.Cmp(want) != 0 {
		t.Fatalf("exact sum is %v, want %v", got, want)
	}
	rounded, _ := want.Float64()
	if got := s.Float64(); got != rounded {
		t.Fatalf("rounded sum is %x, want %x", got, rounded)
	}
	if got := s.Sign(); got != want.Sign() {
		t.Fatalf("sign is %d, want %d", got, want.Sign())
	}
}

func TestSumIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(finite, 0, 60).Draw(t, "x")
		var one, slice, left, right Sum
		for _, v := range x {
			one.Add(v)
		}
		slice.AddSlice(x)
		cut := rapid.IntRange(0, len(x)).Draw(t, "cut")
		left.AddSlice(x[cut:])
		right.AddSlice(x[:cut])
		left.Merge(&right)
		want := ratSum(x)
		for _, s := range []*Sum{&one, &slice, &left} {
			checkSum(t, s, want)
		}
		n := rapid.Int64Range(-1000, 1000).Filter(func(n int64) bool { return n != 0 }).Draw(t, "n")
		mean, _ := new(big.Rat).Quo(want, new(big.Rat).SetInt64(n)).Float64()
		if got := one.Mean(n); got != mean {
			t.Fatalf("Mean(%d) = %x, want %x", n, got, mean)
		}
	})
}

func TestSumOfProductsIsExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var s Sum
		want := new(big.Rat)
		for range rapid.IntRange(1, 8).Draw(t, "terms") {
			x, y := finite.Draw(t, "x"), finite.Draw(t, "y")
			n := rapid.Int64().Draw(t, "n")
			v, exp := drawInt128(t, "v"), rapid.IntRange(-300, 300).Draw(t, "exp")
			s.AddProduct(x, y)
			s.AddTimes(x, n)
			s.AddInt128(v, exp)
			want.Add(want, new(big.Rat).Mul(rat(x), rat(y)))
			want.Add(want, new(big.Rat).Mul(rat(x), new(big.Rat).SetInt64(n)))
			scale := scaled(v.Big(), big.NewInt(1), exp)
			want.Add(want, scale)
			if math.Abs(y) > 0x1p-900 {
				s.AddScaled(y, v, exp)
				want.Add(want, scale.Mul(scale, rat(y)))
			}
		}
		checkSum(t, &s, want)
	})
}

// columns are kinds of data, each with the way through AddSlice that it takes.
var columns = []struct {
	name string
	draw func(r *rand.Rand) float64
}{
	{"float32 gaussian", func(r *rand.Rand) float64 { return float64(float32(r.NormFloat64())) }},
	{"integers", func(r *rand.Rand) float64 { return float64(r.IntN(100_000)) }},
	{"float64 gaussian", func(r *rand.Rand) float64 { return r.NormFloat64() }},
	{"lognormal", func(r *rand.Rand) float64 { return math.Exp(20 * r.NormFloat64()) }},
	{"huge", func(r *rand.Rand) float64 { return math.Ldexp(r.NormFloat64(), 1020) }},
	{"tiny", func(r *rand.Rand) float64 { return math.Ldexp(float64(r.IntN(1000)), -1074) }},
	{"any", func(r *rand.Rand) float64 { return math.Float64frombits(r.Uint64() &^ (1 << 62)) }},
	{"mostly integers", func(r *rand.Rand) float64 {
		if r.IntN(40) == 0 {
			return r.NormFloat64()
		}
		return float64(r.IntN(1000) - 500)
	}},
	// The greatest decides the scale, at which the rest would vanish.
	{"one giant", func(r *rand.Rand) float64 {
		if r.IntN(100) == 0 {
			return math.Ldexp(1, 1000)
		}
		return math.Ldexp(1, -60-r.IntN(1000))
	}},
	{"zeros", func(*rand.Rand) float64 { return 0 }},
}

func TestSumOfLongSlicesIsExactInAnyOrder(t *testing.T) {
	for _, column := range columns {
		t.Run(column.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(3, 3))
			x := make([]float64, 9_000)
			for i := range x {
				x[i] = column.draw(r)
			}
			want := ratSum(x)
			var forwards, pieces, single Sum
			forwards.AddSlice(x)
			checkSum(t, &forwards, want)
			r.Shuffle(len(x), func(i, j int) { x[i], x[j] = x[j], x[i] })
			for rest := x; len(rest) > 0; {
				n := min(len(rest), 1+r.IntN(300))
				var part Sum
				part.AddSlice(rest[:n])
				pieces.Merge(&part)
				rest = rest[n:]
			}
			checkSum(t, &pieces, want)
			for _, v := range x {
				single.Add(v)
			}
			a, _ := forwards.MarshalBinary()
			b, _ := pieces.MarshalBinary()
			c, _ := single.MarshalBinary()
			if !bytes.Equal(a, b) || !bytes.Equal(a, c) {
				t.Errorf("encodings of equal sums differ:\n%x\n%x\n%x", a, b, c)
			}
		})
	}
}

// Carries must move in time: values of one sign, in the greatest numbers between two carries. Just below 2^20 a
// significand lies as unluckily over the chunks as it can.
func TestSumCarriesBeforeChunksOverflow(t *testing.T) {
	for _, x := range []float64{math.MaxFloat64, -math.MaxFloat64, math.Nextafter(0x1p20, 0), -math.Nextafter(0x1p20, 0)} {
		var s, part Sum
		const n = 5_000
		for range n {
			s.Add(x)
		}
		for range sumUses - 1 {
			part.Add(x)
		}
		var merged Sum
		for range 50 {
			merged.Merge(&part)
		}
		checkSum(t, &s, new(big.Rat).Mul(rat(x), big.NewRat(n, 1)))
		checkSum(t, &merged, new(big.Rat).Mul(rat(x), big.NewRat(50*(sumUses-1), 1)))
	}
}

// A block of the greatest integers that the fast way takes fills its int64 as far as can be.
func TestBlocksOfGreatestIntegersDoNotOverflow(t *testing.T) {
	for _, v := range []float64{1<<51 - 1, -(1<<51 - 1)} {
		x := make([]float64, blockValues)
		for i := range x {
			x[i] = v
		}
		var s Sum
		var m Moments
		s.AddSlice(x)
		m.AddSlice(x)
		checkSum(t, &s, ratSum(x))
		checkMoments(t, &m, x)
	}
}

func TestSumOfValuesThatAreNotFinite(t *testing.T) {
	inf := math.Inf(1)
	for _, test := range []struct {
		x    []float64
		want float64
	}{
		{[]float64{1, inf, 2}, inf},
		{[]float64{1, -inf}, -inf},
		{[]float64{inf, -inf}, math.NaN()},
		{[]float64{math.NaN()}, math.NaN()},
	} {
		var s Sum
		s.AddSlice(test.x)
		if got := s.Float64(); !sameFloat64(got, test.want) {
			t.Errorf("sum of %v = %v, want %v", test.x, got, test.want)
		}
		if got := s.Mean(3); !sameFloat64(got, test.want) {
			t.Errorf("mean of %v = %v, want %v", test.x, got, test.want)
		}
		if s.Rat() != nil {
			t.Errorf("sum of %v has a Rat", test.x)
		}
		var whole Sum
		for _, x := range test.x {
			var part Sum
			part.Add(x)
			whole.Merge(&part)
		}
		if got := whole.Float64(); !sameFloat64(got, test.want) {
			t.Errorf("merged sum of %v = %v, want %v", test.x, got, test.want)
		}
	}
}

var sinkSum Sum

func BenchmarkSumAddSlice(b *testing.B) {
	for _, column := range columns {
		b.Run(column.name, func(b *testing.B) {
			r := rand.New(rand.NewPCG(3, 3))
			x := make([]float64, 1<<14)
			for i := range x {
				x[i] = column.draw(r)
			}
			for b.Loop() {
				sinkSum.AddSlice(x)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/value")
		})
	}
}

func BenchmarkSumMerge(b *testing.B) {
	var s Sum
	for b.Loop() {
		sinkSum.Merge(&s)
	}
}
