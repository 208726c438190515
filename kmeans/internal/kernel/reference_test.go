package kernel

import (
	"math"
	"math/big"
	"math/rand/v2"
)

// exactFMA is x·y + z in exact arithmetic, rounded once to float32 by math/big.
func exactFMA(x, y, z float32) float32 {
	if math.IsInf(float64(x), 0) || math.IsInf(float64(z), 0) {
		return inf32 // squares and sums of squares only
	}
	// All float32 products are multiples of 2^-298 below 2^256: 600 bits hold every sum exactly.
	exact := func(v float32) *big.Float { return new(big.Float).SetPrec(600).SetFloat64(float64(v)) }
	p := exact(x)
	p.Mul(p, exact(y))
	p.Add(p, exact(z))
	f, _ := p.Float32()
	return f
}

// pointAt is coordinate t of point i.
func pointAt(blocks []float32, d, i, t int) float32 {
	return blocks[((i/Lanes)*d+t)*Lanes+i%Lanes]
}

// referenceDistance is the definition, word for word.
func referenceDistance(blocks []float32, d, i int, centroid []float32) float32 {
	var acc float32
	for t := range d {
		diff := pointAt(blocks, d, i, t) - centroid[t]
		acc = exactFMA(diff, diff, acc)
	}
	return acc
}

// answers holds the results of TwoNearest.
type answers struct {
	Best, Second       []float32
	Index, SecondIndex []int32
}

// referenceTwo sorts out the first and the second centroid of every point, by (distance, index).
func referenceTwo(blocks, centroids []float32, n, k, d int) answers {
	var a answers
	for i := range n {
		best, second, index, secondIndex := inf32, inf32, int32(0), int32(-1)
		for j := range k {
			switch dist := referenceDistance(blocks, d, i, centroids[j*d:(j+1)*d]); {
			case dist < best:
				if !math.IsInf(float64(best), 1) {
					second, secondIndex = best, index
				}
				best, index = dist, int32(j)
			case dist < second:
				second, secondIndex = dist, int32(j)
			}
		}
		a.Best, a.Second = append(a.Best, best), append(a.Second, second)
		a.Index, a.SecondIndex = append(a.Index, index), append(a.SecondIndex, secondIndex)
	}
	return a
}

// scenario is a kind of data that has misled float arithmetic or an argmin before.
type scenario struct {
	name string
	draw func(r *rand.Rand) float32
}

var scenarios = []scenario{
	{"normal", func(r *rand.Rand) float32 { return float32(r.NormFloat64()) }},
	{"small integers with ties", func(r *rand.Rand) float32 { return float32(r.IntN(3)) }},
	{"all equal", func(*rand.Rand) float32 { return 1.25 }},
	{"offset of a million", func(r *rand.Rand) float32 { return 1e6 + float32(r.NormFloat64()) }},
	{"lognormal over twelve orders", func(r *rand.Rand) float32 { return float32(math.Exp(4.6 * r.NormFloat64())) }},
	{"subnormal squares", func(r *rand.Rand) float32 { return 3e-23 * float32(r.NormFloat64()) }},
	{"subnormal", func(r *rand.Rand) float32 { return math.Float32frombits(r.Uint32N(1 << 12)) }},
	{"huge", func(r *rand.Rand) float32 { return 1e18 * float32(r.NormFloat64()) }},
	{"overflowing", func(r *rand.Rand) float32 { return 1e19 * float32(r.NormFloat64()) }},
	{"rare outliers", func(r *rand.Rand) float32 {
		if r.IntN(50) == 0 {
			return 1e9
		}
		return float32(r.NormFloat64())
	}},
	{"any finite bits", func(r *rand.Rand) float32 {
		for {
			if v := math.Float32frombits(r.Uint32()); v-v == 0 {
				return v
			}
		}
	}},
}

func (s scenario) values(r *rand.Rand, n int) []float32 {
	v := make([]float32, n)
	for i := range v {
		v[i] = s.draw(r)
	}
	return v
}

// centroids draws k centroids, some of them copies of others or of points, where ties are decided.
func (s scenario) centroids(r *rand.Rand, blocks []float32, k, d int) []float32 {
	c := s.values(r, k*d)
	points := len(blocks) / d
	for j := range k {
		switch r.IntN(4) {
		case 0:
			copy(c[j*d:(j+1)*d], c[r.IntN(k)*d:][:d])
		case 1:
			i := r.IntN(points)
			for t := range d {
				c[j*d+t] = pointAt(blocks, d, i, t)
			}
		}
	}
	return c
}

// guard surrounds results, to show writes beyond their ends.
const guard = 40

func guarded[T float32 | int32 | uint16](n int, value T) (all, inner []T) {
	all = make([]T, n+2*guard)
	for i := range all {
		all[i] = value
	}
	return all, all[guard : guard+n : guard+n]
}

// intact tells whether the values around the results are what they were.
func intact[T float32 | int32 | uint16](all []T, value T) bool {
	for i := range guard {
		if all[i] != value || all[len(all)-1-i] != value {
			return false
		}
	}
	return true
}
