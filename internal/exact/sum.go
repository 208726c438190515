package exact

import (
	"math"
	"math/big"
	"math/bits"
)

const (
	// sumBase is the exponent of the lowest bit that a Sum can hold; products of two subnormals need −2148.
	sumBase = -2176
	// sumChunks chunks of 32 bits reach to 2^2176: products up to 2^2048, and 2^63 of them.
	sumChunks = 136
	// sumUses is how often a Sum may be added to before carries must move. An addition leaves at most 2^52 in a
	// chunk of 63 bits and a sign, which would allow 2047; half of that is kept for Merge.
	sumUses = 1000

	chunkMask = 1<<32 - 1
)

// special marks values that are not finite.
type special uint8

const (
	hasPosInf special = 1 << iota
	hasNegInf
	hasNaN
)

// note remembers a value that is not finite.
func (s *special) note(x float64) {
	switch {
	case x > 0:
		*s |= hasPosInf
	case x < 0:
		*s |= hasNegInf
	default:
		*s |= hasNaN
	}
}

// value is what IEEE 754 addition would have made of the values noted.
func (s special) value() float64 {
	switch s {
	case hasPosInf:
		return math.Inf(1)
	case hasNegInf:
		return math.Inf(-1)
	default:
		return math.NaN()
	}
}

// Sum is an exact sum of float64s and of products of two float64s, so that order, grouping and repetition of a merge
// after a failure cannot change a bit of it. The zero value is an empty sum. A Sum holds no pointers: copying it copies
// the sum. It is not safe for concurrent use.
//
// It is the small superaccumulator of Radford M. Neal, "Fast exact summation using small and large superaccumulators",
// 2015 (arXiv:1505.05571): chunks of 64 bits whose weights are 32 bits apart, so that carries have to move only once in
// a thousand additions. Ours reaches from 2^−2176 to 2^2176 to hold products as well.
//
// Values that are not finite are remembered apart: the sum is then ±Inf or NaN for ever, as in floating point.
type Sum struct {
	chunk   [sumChunks]int64 // chunk i counts units of 2^(sumBase + 32i)
	uses    int              // additions since carries moved
	special special
}

// Add adds x.
func (s *Sum) Add(x float64) {
	if s.uses >= sumUses {
		s.carry()
	}
	s.uses++
	s.add(x)
}

// add is Add without the count of uses.
func (s *Sum) add(x float64) {
	b := math.Float64bits(x)
	e := uint(b>>52) & 0x7ff
	m := b & (1<<52 - 1)
	switch e {
	case 0:
		e = 1
	case 0x7ff:
		s.special.note(x)
		return
	default:
		m |= 1 << 52
	}
	p := e + (-1075 - sumBase) // position of the last bit of m
	low, high := int64(m<<(p&31)&chunkMask), int64(m>>(32-p&31))
	sign := int64(b) >> 63
	pair := s.chunk[p>>5:][:2]
	pair[0] += low ^ sign - sign
	pair[1] += high ^ sign - sign
}

// AddProduct adds x·y without rounding it.
func (s *Sum) AddProduct(x, y float64) {
	mx, ex, okx := split(x)
	my, ey, oky := split(y)
	if !okx || !oky {
		s.special.note(x * y)
		return
	}
	hi, lo := bits.Mul64(mx, my)
	s.addMagnitude(hi, lo, math.Signbit(x) != math.Signbit(y), ex+ey)
}

// AddTimes adds n times x; n may be negative.
func (s *Sum) AddTimes(x float64, n int64) {
	m, e, ok := split(x)
	if !ok {
		if n != 0 {
			s.special.note(x * float64(n))
		}
		return
	}
	hi, lo := bits.Mul64(m, absolute(n))
	s.addMagnitude(hi, lo, math.Signbit(x) != (n < 0), e)
}

// AddInt128 adds v·2^exp. Bits outside of 2^−2176 to 2^2144 cannot be held and make the sum NaN.
func (s *Sum) AddInt128(v Int128, exp int) {
	hi, lo := v.magnitude()
	s.addMagnitude(hi, lo, v.Hi < 0, exp)
}

// AddScaled adds x·v·2^exp without rounding it, within the limits of AddInt128: the product of a centroid's coordinate
// and a sum of Points.
func (s *Sum) AddScaled(x float64, v Int128, exp int) {
	m, e, ok := split(x)
	if !ok {
		if v.Sign() != 0 {
			s.special.note(x * float64(v.Sign()))
		}
		return
	}
	hi, lo := v.magnitude()
	negative := math.Signbit(x) != (v.Hi < 0)
	h, l := bits.Mul64(lo, m)
	s.addMagnitude(h, l, negative, e+exp)
	h, l = bits.Mul64(hi, m)
	s.addMagnitude(h, l, negative, e+exp+64)
}

// addSquares adds n·x² without rounding it; x is finite and n ≥ 0.
func (s *Sum) addSquares(x float64, n uint64) {
	m, e, _ := split(x)
	hi, lo := bits.Mul64(m, m)
	h, l := bits.Mul64(lo, n)
	s.addMagnitude(h, l, false, 2*e)
	h, l = bits.Mul64(hi, n)
	s.addMagnitude(h, l, false, 2*e+64)
}

// split writes a finite |x| as m·2^e with an integer m below 2^53.
func split(x float64) (m uint64, e int, finite bool) {
	b := math.Float64bits(x)
	m, e = b&(1<<52-1), int(b>>52)&0x7ff
	switch e {
	case 0:
		return m, -1074, true
	case 0x7ff:
		return 0, 0, false
	}
	return m | 1<<52, e - 1075, true
}

// absolute is |n|, right for the least int64 as well.
func absolute(n int64) uint64 {
	sign := n >> 63
	return uint64(n ^ sign - sign)
}

// addMagnitude adds ±(hi·2^64 + lo)·2^exp.
func (s *Sum) addMagnitude(hi, lo uint64, negative bool, exp int) {
	if hi|lo == 0 {
		return
	}
	p := exp - sumBase
	if p < 0 || p>>5 > sumChunks-6 {
		s.special |= hasNaN
		return
	}
	if s.uses >= sumUses {
		s.carry()
	}
	s.uses++
	shift := uint(p & 31)
	mid, top := hi<<shift|lo>>(64-shift), hi>>(64-shift)
	lo <<= shift
	part := s.chunk[p>>5:][:5]
	if negative {
		part[0] -= int64(lo & chunkMask)
		part[1] -= int64(lo >> 32)
		part[2] -= int64(mid & chunkMask)
		part[3] -= int64(mid >> 32)
		part[4] -= int64(top)
		return
	}
	part[0] += int64(lo & chunkMask)
	part[1] += int64(lo >> 32)
	part[2] += int64(mid & chunkMask)
	part[3] += int64(mid >> 32)
	part[4] += int64(top)
}

// carry moves what lies above 32 bits of each chunk into the next one: afterwards all chunks but the last are within
// [0, 2^32) and the last one carries the sign, which makes the chunks a function of the value.
func (s *Sum) carry() {
	var c int64
	for i := range sumChunks - 1 {
		v := s.chunk[i] + c
		s.chunk[i] = v & chunkMask
		c = v >> 32
	}
	s.chunk[sumChunks-1] += c
	s.uses = 0
}

// Merge adds the sum o, which stays as it is.
func (s *Sum) Merge(o *Sum) {
	if s.uses+o.uses >= sumUses {
		s.carry()
	}
	uses := s.uses + o.uses + 1
	for i := range s.chunk {
		s.chunk[i] += o.chunk[i]
	}
	s.uses = uses
	s.special |= o.special
}

// absoluteChunks is the magnitude of the sum: chunks within [0, 2^32), of which those outside of [first, end) are 0.
func (s *Sum) absoluteChunks() (c [sumChunks]int64, first, end int, negative bool) {
	t := *s
	t.carry()
	if t.chunk[sumChunks-1] < 0 {
		negative = true
		for i := range t.chunk {
			t.chunk[i] = -t.chunk[i]
		}
		t.carry()
	}
	end = sumChunks
	for end > 0 && t.chunk[end-1] == 0 {
		end--
	}
	for first < end && t.chunk[first] == 0 {
		first++
	}
	return t.chunk, first, end, negative
}

// Sign is the sign of the exact sum: −1, 0 or 1. It is that of the infinity, or 0 for NaN, where values were not finite.
func (s *Sum) Sign() int {
	switch {
	case s.special == hasPosInf:
		return 1
	case s.special == hasNegInf:
		return -1
	case s.special != 0:
		return 0
	}
	_, first, end, negative := s.absoluteChunks()
	switch {
	case first == end:
		return 0
	case negative:
		return -1
	default:
		return 1
	}
}

// Float64 is the sum rounded once, to nearest, ties to even; ±Inf where it is too large, and +0 where it is 0.
func (s *Sum) Float64() float64 {
	if s.special != 0 {
		return s.special.value()
	}
	c, first, end, negative := s.absoluteChunks()
	if first == end {
		return 0
	}
	at := func(i int) uint64 {
		if i < 0 {
			return 0
		}
		return uint64(c[i])
	}
	// Four chunks hold at least 97 bits; all below them matter only as being there or not.
	hi, lo := at(end-1)<<32|at(end-2), at(end-3)<<32|at(end-4)
	b := binary64.round128(hi, lo, first < end-4, sumBase+32*(end-4))
	if negative {
		b |= 1 << 63
	}
	return math.Float64frombits(b)
}

// integer is the exact sum as v·2^exp; 0·2^0 where values were not finite.
func (s *Sum) integer() (v *big.Int, exp int) {
	v = new(big.Int)
	c, first, end, negative := s.absoluteChunks()
	if first == end || s.special != 0 {
		return v, 0
	}
	digits := make([]byte, 0, 4*(end-first))
	for i := end - 1; i >= first; i-- {
		digits = append(digits, byte(c[i]>>24), byte(c[i]>>16), byte(c[i]>>8), byte(c[i]))
	}
	v.SetBytes(digits)
	if negative {
		v.Neg(v)
	}
	return v, sumBase + 32*first
}

// Rat is the exact sum, or nil where values were not finite.
func (s *Sum) Rat() *big.Rat {
	if s.special != 0 {
		return nil
	}
	v, exp := s.integer()
	if exp >= 0 {
		return new(big.Rat).SetInt(v.Lsh(v, uint(exp)))
	}
	return new(big.Rat).SetFrac(v, new(big.Int).Lsh(big.NewInt(1), uint(-exp)))
}

// Mean is the exact sum over n, rounded once, to nearest, ties to even; NaN for n = 0.
func (s *Sum) Mean(n int64) float64 {
	switch {
	case n == 0:
		return math.NaN()
	case s.special != 0:
		return s.special.value() / float64(n)
	}
	v, exp := s.integer()
	if n < 0 {
		v.Neg(v)
	}
	return roundRatio(v, new(big.Int).SetUint64(absolute(n)), exp)
}
