package kmeans

import (
	"math"
	"math/bits"
)

// Distinct counts distinct Points of positive weight up to a limit, by 128-bit fingerprints of their bits. It merges
// in any order.
type Distinct struct {
	limit int
	seen  map[[2]uint64]struct{}
}

// NewDistinct counts up to limit.
func NewDistinct(limit int) *Distinct {
	return &Distinct{limit: limit, seen: make(map[[2]uint64]struct{})}
}

// Count is the number of distinct Points seen, at most the limit.
func (d *Distinct) Count() int { return min(len(d.seen), d.limit) }

// Add looks at p's rows until the limit is reached.
func (d *Distinct) Add(p *Points) {
	row := make([]float32, p.d)
	for i := 0; i < p.n && len(d.seen) < d.limit; i++ {
		if p.Weight(i) > 0 {
			d.seen[fingerprint(p.At(i, row))] = struct{}{}
		}
	}
}

// Merge takes what o has seen.
func (d *Distinct) Merge(o *Distinct) {
	for key := range o.seen {
		d.seen[key] = struct{}{}
	}
}

// fingerprint mixes the bits of a Point into 128 bits, by two multiply-and-fold chains with different odd constants
// (the fractions of the golden ratio and of the square root of 3).
func fingerprint(point []float32) [2]uint64 {
	a, b := uint64(0x9e3779b97f4a7c15), uint64(0xbb67ae8584caa73b)
	for _, v := range point {
		x := uint64(math.Float32bits(v))
		a = fold(a^x, 0x9e3779b97f4a7c15) + x
		b = fold(b+x, 0xbb67ae8584caa73b) ^ bits.RotateLeft64(x, 29)
	}
	return [2]uint64{a, b}
}

func fold(x, m uint64) uint64 {
	hi, lo := bits.Mul64(x^(x>>29), m)
	return hi ^ bits.RotateLeft64(lo, 17) ^ x*m
}
