package exact

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// withAndWithoutVectors runs a test as this machine computes and in plain Go.
func withAndWithoutVectors(t *testing.T, test func(t *testing.T)) {
	here := vectors
	defer func() { vectors = here }()
	for _, vectors = range slices.Compact([]bool{here, false}) {
		t.Run(fmt.Sprintf("vectors=%v", vectors), test)
	}
}

// shapes32 are the kinds of columns that the fast ways must tell apart.
var shapes32 = map[string]func(r *rand.Rand) float32{
	"normal":    func(r *rand.Rand) float32 { return float32(r.NormFloat64()) },
	"offset":    func(r *rand.Rand) float32 { return float32(1e6 + r.NormFloat64()) },
	"counts":    func(r *rand.Rand) float32 { return float32(r.IntN(1000)) },
	"zeros":     func(r *rand.Rand) float32 { return float32(math.Copysign(0, r.Float64()-0.5)) },
	"lognormal": func(r *rand.Rand) float32 { return float32(math.Exp(9 * r.NormFloat64())) },
	"subnormal": func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32N(1 << 23)) },
	"any":       func(r *rand.Rand) float32 { return finite32(r.Uint32()) },
	"largest":   func(r *rand.Rand) float32 { return float32(math.Copysign(math.MaxFloat32, r.Float64()-0.5)) },
	"powers":    func(r *rand.Rand) float32 { return float32(math.Ldexp(1, r.IntN(277)-149)) },
}

// finite32 is the number with those bits, or one near it that is finite.
func finite32(b uint32) float32 {
	if b<<1 >= 0xff<<24 {
		b &^= 1 << 23
	}
	return math.Float32frombits(b)
}

func TestMomentsOfFloat32sAreThoseOfTheSameFloat64s(t *testing.T) {
	withAndWithoutVectors(t, func(t *testing.T) {
		for name, draw := range shapes32 {
			r := rand.New(rand.NewPCG(1, 2))
			for _, n := range []int{0, 1, 15, 16, 17, 31, 500, momentValues - 1, momentValues, momentValues + 1, 5000} {
				x, wide := make([]float32, n), make([]float64, n)
				for i := range x {
					x[i] = draw(r)
					wide[i] = float64(x[i])
				}
				var got, want Moments
				if done := got.AddFloat32s(x); done != n {
					t.Fatalf("%s, %d values: added %d", name, n, done)
				}
				want.AddSlice(wide)
				a, _ := got.MarshalBinary()
				b, _ := want.MarshalBinary()
				if string(a) != string(b) {
					t.Fatalf("%s, %d values: sum %v and squares %v in [%v, %v], want %v and %v in [%v, %v]", name, n, got.Sum.Float64(),
						got.Squares.Float64(), got.Min, got.Max, want.Sum.Float64(), want.Squares.Float64(), want.Min, want.Max)
				}
			}
		}
	})
}

func TestMomentsOfFloat32sAreExact(t *testing.T) {
	withAndWithoutVectors(t, func(t *testing.T) {
		rapid.Check(t, func(t *rapid.T) {
			spread := rapid.IntRange(0, 60).Draw(t, "exponents")
			base := rapid.IntRange(1, 254-spread).Draw(t, "base")
			number := rapid.Custom(func(t *rapid.T) float32 {
				e := uint32(base + rapid.IntRange(0, spread).Draw(t, "e"))
				return math.Float32frombits(rapid.Uint32Range(0, 1).Draw(t, "s")<<31 | e<<23 | rapid.Uint32Range(0, 1<<23-1).Draw(t, "m"))
			})
			x := rapid.SliceOfN(number, 16, 40).Draw(t, "x")
			var m Moments
			if done := m.AddFloat32s(x); done != len(x) {
				t.Fatalf("added %d of %d", done, len(x))
			}
			wide := make([]float64, len(x))
			for i, v := range x {
				wide[i] = float64(v)
			}
			checkMoments(t, &m, wide)
		})
	})
}

func TestABlockWithAValueThatIsNotFiniteIsNotAdded(t *testing.T) {
	withAndWithoutVectors(t, func(t *testing.T) {
		for _, bad := range []float32{float32(math.NaN()), float32(math.Inf(1)), float32(math.Inf(-1)), math.Float32frombits(0xffc00001)} {
			for _, at := range []int{0, 15, 16, 31, momentValues - 1, momentValues, 3000, 3002} {
				x, before := make([]float32, 3003), at/momentValues*momentValues
				for i := range x {
					x[i] = float32(i)
				}
				x[at] = bad
				var m Moments
				if done := m.AddFloat32s(x); done != before || m.N != int64(before) || m.Sum.Float64() != float64(before*(before-1)/2) {
					t.Errorf("%v at %d: %d added, %v in all, want the %d before its block", bad, at, done, m.Sum.Float64(), before)
				}
			}
		}
	})
}

// scalings are by what they must get right: a shift of zero, one that needs rounding to odd, a grid finer and coarser than float32's.
var scalings = []Scaling{
	{Center: 0.1, Spread: 3, Exponent: -38},
	{Center: 1e6, Spread: 1, Exponent: -36},
	{Center: 0, Spread: 1, Shift: 1e6 + 0.5, Exponent: -35},
	{Center: 0, Spread: 1, Shift: 0x1.123456789abcdp-3, Exponent: -149},
	{Center: 0, Spread: 1, Shift: 0x1p-60, Exponent: -39},
	{Center: -7, Spread: 0x1.fp-20, Shift: -3, Exponent: -10},
	{Center: 0, Spread: 1e-30, Exponent: 20},
	{Center: 0, Spread: 1, Exponent: 2000},
}

func TestScalingRoundsAsToGridDoes(t *testing.T) {
	withAndWithoutVectors(t, func(t *testing.T) {
		for name, draw := range shapes32 {
			for _, s := range scalings {
				r := rand.New(rand.NewPCG(3, 4))
				x := make([]float32, 16*100+7)
				for i := range x {
					x[i] = draw(r)
				}
				got := make([]float32, len(x)+1)
				got[len(x)] = 77
				top := s.Apply(got, x)
				most := uint32(0)
				for i, v := range x {
					want := ToGrid((float64(v)-s.Center)/s.Spread, s.Shift, s.Exponent)
					most = max(most, math.Float32bits(want)<<1>>1)
					if math.IsInf(float64(want), 0) {
						if top < 0xff<<23 {
							t.Fatalf("%s, %+v: greatest %x where a number is infinite", name, s, top)
						}
						continue // what it has become does not matter
					}
					if math.Float32bits(got[i]) != math.Float32bits(want) {
						t.Fatalf("%s, %+v: %v becomes %v, want %v", name, s, v, got[i], want)
					}
				}
				if top != most && most < 0xff<<23 {
					t.Fatalf("%s, %+v: greatest is %x, want %x", name, s, top, most)
				}
				if got[len(x)] != 77 {
					t.Fatalf("%s: wrote behind the end", name)
				}
				sameInBlocks(t, &s, x)
			}
		}
	})
}

// sameInBlocks holds that a column in blocks becomes what it becomes alone, and that its neighbours stay.
func sameInBlocks(t *testing.T, s *Scaling, x []float32) {
	t.Helper()
	const columns, column = 3, 1
	n := len(x) / Lanes
	blocks := make([]float32, n*columns*Lanes)
	for i := range blocks {
		blocks[i] = 5
	}
	for i, v := range x[:n*Lanes] {
		blocks[(i/Lanes*columns+column)*Lanes+i%Lanes] = v
	}
	want := make([]float32, n*Lanes)
	wantTop := s.Apply(want, x[:n*Lanes])
	if top := s.ApplyBlocks(blocks, column, columns); top != wantTop {
		t.Fatalf("%+v: greatest of the blocks is %x, want %x", s, top, wantTop)
	}
	for i, got := range blocks {
		row, c := i/(columns*Lanes)*Lanes+i%Lanes, i/Lanes%columns
		if c != column && got != 5 || c == column && math.Float32bits(got) != math.Float32bits(want[row]) {
			t.Fatalf("%+v: column %d, row %d became %v", s, c, row, got)
		}
	}
}

func TestNumbersThatAreNotFiniteShowInTheGreatest(t *testing.T) {
	withAndWithoutVectors(t, func(t *testing.T) {
		for _, s := range scalings {
			showsInTheGreatest(t, &s, s.Apply)
			showsInTheGreatest(t, &s, s.ApplyWide)
		}
	})
}

func showsInTheGreatest[T float32 | float64](t *testing.T, s *Scaling, apply func(dst []float32, x []T) uint32) {
	t.Helper()
	for _, bad := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		for _, at := range []int{0, 7, 15, 16} {
			x := make([]T, 17)
			x[at] = T(bad)
			if top := apply(make([]float32, len(x)), x); top < 0x7f7fffff {
				t.Errorf("%T, %+v: %v at %d: greatest is %x", x, s, bad, at, top)
			}
		}
	}
}

func TestBlockSumsAreExact(t *testing.T) {
	if !vectors {
		t.Skip("there is no faster way here than a loop")
	}
	const columns, grid = 3, -30
	for _, n := range []int{0, 1, 7, MaxBlockSums} {
		r := rand.New(rand.NewPCG(5, uint64(n)))
		blocks := make([]float32, n*columns*Lanes)
		for i := range blocks {
			blocks[i] = float32(math.RoundToEven(math.Ldexp(r.Float64()*2-1, 39))) * 0x1p-30
			if i%5 == 0 {
				blocks[i] = -0x1p9 // the greatest magnitude that a grid admits
			}
		}
		for c := range columns {
			var sum int64
			var squares Int128
			for i := c * Lanes; i < len(blocks); i += columns * Lanes {
				for _, v := range blocks[i:][:Lanes] {
					g := GridInt(v, grid)
					sum += g
					squares = squares.Add(MulInt64(g, g))
				}
			}
			s, sq, ok := BlockSums(blocks, c, columns, grid)
			if !ok || s != sum || sq != squares {
				t.Errorf("%d blocks, column %d: %d and %v, %v, want %d and %v", n, c, s, sq, ok, sum, squares)
			}
		}
	}
	if _, _, ok := BlockSums(make([]float32, (MaxBlockSums+1)*Lanes), 0, 1, 0); ok {
		t.Error("more blocks than lanes can hold were taken")
	}
}

func BenchmarkFloat32s(b *testing.B) {
	r := rand.New(rand.NewPCG(7, 8))
	x, dst := make([]float32, 8192), make([]float32, 8192)
	for i := range x {
		x[i] = float32(r.NormFloat64())
	}
	per := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(x)), "ns/value")
	}
	b.Run("moments", func(b *testing.B) {
		var m Moments
		for b.Loop() {
			m.AddFloat32s(x)
		}
		per(b)
	})
	for _, shift := range []float64{0, 0.5} {
		b.Run(fmt.Sprintf("scale shift=%v", shift), func(b *testing.B) {
			s := Scaling{Center: 0.1, Spread: 1.1, Shift: shift, Exponent: -36}
			for b.Loop() {
				s.Apply(dst, x)
			}
			per(b)
		})
	}
	b.Run("blocks", func(b *testing.B) {
		for b.Loop() {
			BlockSums(x, 0, 1, -36)
		}
		per(b)
	})
}
