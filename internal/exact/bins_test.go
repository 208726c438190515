package exact

import (
	"bytes"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"pgregory.net/rapid"
)

// distance draws non-negative finite float32s of all magnitudes.
var distance = rapid.OneOf(
	rapid.Map(rapid.Uint32(), func(u uint32) float32 {
		return math.Float32frombits(min(u&(1<<31-1), 0xff<<23-1))
	}),
	rapid.Map(rapid.Float32Range(0, 10), func(x float32) float32 { return x }),
	rapid.SampledFrom([]float32{0, float32(math.Copysign(0, -1)), math.MaxFloat32, math.SmallestNonzeroFloat32, 0x1p-126, 1}),
)

func checkBins(t interface {
	Helper()
	Fatalf(string, ...any)
}, b *Bins, want *big.Rat, exp int) {
	t.Helper()
	scale := scaled(big.NewInt(1), big.NewInt(1), exp)
	rounded, _ := scale.Mul(scale, want).Float64()
	if got := b.Float64(exp); got != rounded {
		t.Fatalf("Float64(%d) = %x, want %x", exp, got, rounded)
	}
}

func TestBinsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		x := rapid.SliceOfN(distance, 0, 100).Draw(t, "x")
		var slice, one, left, right Bins
		want := new(big.Rat)
		for _, v := range x {
			one.Add(v)
			want.Add(want, rat(float64(v)))
		}
		slice.AddSlice(x)
		cut := rapid.IntRange(0, len(x)).Draw(t, "cut")
		left.AddSlice(x[cut:])
		for _, v := range x[:cut] {
			right.AddWeighted(v, 1)
		}
		left.Merge(&right)
		exp := rapid.IntRange(-300, 300).Draw(t, "exp")
		first, _ := one.MarshalBinary()
		for _, b := range []*Bins{&one, &slice, &left} {
			checkBins(t, b, want, exp)
			if got, _ := b.MarshalBinary(); !bytes.Equal(got, first) {
				t.Fatalf("encodings of equal sums differ:\n%x\n%x", got, first)
			}
		}
	})
}

func TestWeightedBinsAreExact(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var b Bins
		want := new(big.Rat)
		for range rapid.IntRange(0, 30).Draw(t, "terms") {
			x, w := distance.Draw(t, "x"), rapid.Uint64Range(0, 1<<41).Draw(t, "w")
			b.AddWeighted(x, w)
			want.Add(want, new(big.Rat).Mul(rat(float64(x)), new(big.Rat).SetInt(new(big.Int).SetUint64(w))))
		}
		checkBins(t, &b, want, rapid.IntRange(-1300, 900).Draw(t, "exp"))
	})
}

var distances = []struct {
	name string
	draw func(r *rand.Rand) float32
}{
	{"chi squared", func(r *rand.Rand) float32 {
		x, y := r.NormFloat64(), r.NormFloat64()
		return float32(x*x + y*y)
	}},
	{"lognormal", func(r *rand.Rand) float32 { return float32(math.Exp(10 * r.NormFloat64())) }},
	{"any", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32N(0xff << 23)) }},
	{"greatest", func(*rand.Rand) float32 { return math.MaxFloat32 }},
	{"subnormal", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32N(1 << 23)) }},
	{"zeros", func(*rand.Rand) float32 { return 0 }},
}

func TestBinsOfLongSlicesAreExact(t *testing.T) {
	for _, kind := range distances {
		t.Run(kind.name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(6, 6))
			x := make([]float32, 10_000)
			want := new(big.Rat)
			for i := range x {
				x[i] = kind.draw(r)
				want.Add(want, rat(float64(x[i])))
			}
			var b Bins
			b.AddSlice(x[:7_001])
			b.AddSlice(x[7_001:])
			checkBins(t, &b, want, 0)
		})
	}
}

// Thirty billion rows cannot be added in a test; merging a sum into itself gets there.
func TestBinsCarryBeforeTheyOverflow(t *testing.T) {
	var b Bins
	b.AddWeighted(math.MaxFloat32, 1<<41)
	want := new(big.Rat).Mul(rat(math.MaxFloat32), big.NewRat(1<<41, 1))
	for range 60 {
		b.Merge(&b)
		want.Mul(want, big.NewRat(2, 1))
		checkBins(t, &b, want, 0)
	}
}

func TestBinsOfValuesThatAreNoDistances(t *testing.T) {
	inf := float32(math.Inf(1))
	for _, test := range []struct {
		x    float32
		want float64
	}{{inf, math.Inf(1)}, {-1, math.NaN()}, {-inf, math.NaN()}, {float32(math.NaN()), math.NaN()}} {
		var one, slice, weighted Bins
		one.Add(test.x)
		slice.AddSlice(append(make([]float32, 100), test.x))
		weighted.AddWeighted(test.x, 3)
		for _, b := range []*Bins{&one, &slice, &weighted} {
			if got := b.Float64(0); !sameFloat64(got, test.want) {
				t.Errorf("sum with %v = %v, want %v", test.x, got, test.want)
			}
		}
	}
}

var sinkBins Bins

func BenchmarkBins(b *testing.B) {
	for _, kind := range distances {
		r := rand.New(rand.NewPCG(6, 6))
		x := make([]float32, 1<<14)
		for i := range x {
			x[i] = kind.draw(r)
		}
		for _, way := range []struct {
			name string
			add  func()
		}{
			{"AddSlice", func() { sinkBins.AddSlice(x) }},
			{"Add", func() {
				for _, v := range x {
					sinkBins.Add(v)
				}
			}},
			{"AddWeighted", func() {
				for _, v := range x {
					sinkBins.AddWeighted(v, 1<<40-3)
				}
			}},
		} {
			b.Run(way.name+"/"+kind.name, func(b *testing.B) {
				for b.Loop() {
					way.add()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(x)), "ns/value")
			})
		}
	}
}

// The lanes of a block are as full as they can be, and the last bit of what they hold counts.
func TestBinsOfABlockThatFillsItsLanes(t *testing.T) {
	full := make([]float32, blockValues)
	want := new(big.Rat)
	for i := range full {
		full[i] = 0x1.fffffep43
		if i%8 == 3 && i > blockValues-8 {
			full[i] = 1
		}
		want.Add(want, rat(float64(full[i])))
	}
	for scale := -149; scale <= 84; scale++ {
		x := make([]float32, len(full))
		for i, v := range full {
			x[i] = float32(math.Ldexp(float64(v), scale))
		}
		var b Bins
		b.AddSlice(x)
		checkBins(t, &b, new(big.Rat).Mul(want, new(big.Rat).SetFloat64(math.Ldexp(1, scale))), 0)
		if done := new(Bins).addLanes(x); vectors && done != len(x) {
			t.Errorf("times 2^%d: %d of %d values went through the lanes", scale, done, len(x))
		}
	}
	full[17] = 0.5
	if done := new(Bins).addLanes(full); done != 0 {
		t.Errorf("half a unit: %d values went through the lanes, want none", done)
	}
}
