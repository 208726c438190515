package kernel

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFMA32RoundsOnce(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 1))
	check := func(x, acc float32) (twice bool) {
		got, want := fma32(x, acc), exactFMA(x, x, acc)
		if math.Float32bits(got) != math.Float32bits(want) {
			t.Fatalf("fma32(%x, %x) = %x, want %x", x, acc, got, want)
		}
		return float32(float64(x)*float64(x)+float64(acc)) != want
	}
	twice := 0
	count := func(x, acc float32) {
		if check(x, acc) {
			twice++
		}
	}
	n := 40000
	if testing.Short() {
		n = 4000
	}
	for range n {
		x := math.Float32frombits(r.Uint32N(0x7f800000))
		acc := math.Float32frombits(r.Uint32N(0x7f800000))
		count(x, acc)
		// Sums next to a midpoint: acc dominates, and the square is close to half of its last place, or
		// to a power of two far below it.
		e := float64(r.IntN(200) - 100)
		acc = float32(math.Ldexp(1+r.Float64(), int(e)))
		half := math.Ldexp(1, int(e)-24)
		root := float32(math.Sqrt(half))
		for _, x := range []float32{root, math.Nextafter32(root, 0), math.Nextafter32(root, inf32)} {
			count(x, acc)
		}
		// The reverse: the square is a midpoint and acc far below decides.
		odd := float32(1<<12+2*r.IntN(1<<11)+1) * float32(math.Ldexp(1, r.IntN(60)-40))
		count(odd, math.Float32frombits(r.Uint32N(0x30000000)))
		// Subnormal sums, and the edge to them.
		count(float32(math.Ldexp(1+r.Float64(), -63-r.IntN(14))), math.Float32frombits(r.Uint32N(0x00900000)))
		// The edge to infinity.
		count(float32(math.Ldexp(1+r.Float64(), 63)), math.Float32frombits(0x7f7fffff-r.Uint32N(4)))
		count(float32(math.Ldexp(1, 51+r.IntN(2))), math.Float32frombits(0x7f7fffff-r.Uint32N(4)))
	}
	if twice == 0 {
		t.Error("no case that rounding twice gets wrong: the test shows nothing")
	}
}

func TestPortableIsTheDefinition(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 2))
	for _, s := range scenarios {
		for _, shape := range [][2]int{{1, 1}, {1, 9}, {2, 3}, {5, 7}, {17, 4}} {
			d, k, n := shape[0], shape[1], 2*pairPoints
			blocks := s.values(r, n*d)
			centroids := s.centroids(r, blocks, k, d)
			want := referenceTwo(blocks, centroids, n, k, d)
			var p Panel
			Portable.Pack(&p, centroids, k, d)
			got := answers{make([]float32, n), make([]float32, n), make([]int32, n), make([]int32, n)}
			p.TwoNearest(blocks, got.Best, got.Second, got.Index, got.SecondIndex)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Fatalf("%s, d=%d k=%d: TwoNearest (-want +got)\n%s", s.name, d, k, diff)
			}
			best, index := make([]float32, n), make([]int32, n)
			p.Nearest(blocks, best, index, 0, true)
			if diff := cmp.Diff(answers{Best: want.Best, Index: want.Index}, answers{Best: best, Index: index}); diff != "" {
				t.Fatalf("%s, d=%d k=%d: Nearest (-want +got)\n%s", s.name, d, k, diff)
			}
		}
	}
}

func FuzzFMA32(f *testing.F) {
	f.Add(uint32(0x3f800001), uint32(0x4b800000))
	f.Add(uint32(0x1f800001), uint32(1))
	f.Fuzz(func(t *testing.T, x, acc uint32) {
		a, b := math.Float32frombits(x), math.Float32frombits(acc&0x7fffffff)
		if a-a != 0 || b-b != 0 {
			t.Skip("not finite")
		}
		if got, want := fma32(a, b), exactFMA(a, a, b); got != want {
			t.Fatalf("fma32(%x, %x) = %x, want %x", a, b, got, want)
		}
	})
}
