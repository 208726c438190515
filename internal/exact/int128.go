package exact

import (
	"math"
	"math/big"
	"math/bits"
)

// Int128 is a signed integer of 128 bits in two's complement: Hi·2^64 + Lo. It carries the sums of Points, which are
// integers on their column's grid (internal to a partition an int64 does; above it partitions, workers and coordinator
// add up in 128 bits). A sum of 2^63 rows of 2^40 weights times 2^24 grid units stays inside, so that wrapping is never
// reached. The zero value is 0.
type Int128 struct {
	Hi int64
	Lo uint64
}

// FromInt64 is v.
func FromInt64(v int64) Int128 { return Int128{Hi: v >> 63, Lo: uint64(v)} }

// MulInt64 is a·b, exactly.
func MulInt64(a, b int64) Int128 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// The unsigned product counts a negative factor 2^64 too high.
	return Int128{Hi: int64(hi) - a>>63&b - b>>63&a, Lo: lo}
}

// Add is a + b.
func (a Int128) Add(b Int128) Int128 {
	lo, carry := bits.Add64(a.Lo, b.Lo, 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(b.Hi), carry)
	return Int128{Hi: int64(hi), Lo: lo}
}

// AddInt64 is a + b.
func (a Int128) AddInt64(b int64) Int128 {
	lo, carry := bits.Add64(a.Lo, uint64(b), 0)
	hi, _ := bits.Add64(uint64(a.Hi), uint64(b>>63), carry)
	return Int128{Hi: int64(hi), Lo: lo}
}

// Sub is a − b.
func (a Int128) Sub(b Int128) Int128 {
	lo, borrow := bits.Sub64(a.Lo, b.Lo, 0)
	hi, _ := bits.Sub64(uint64(a.Hi), uint64(b.Hi), borrow)
	return Int128{Hi: int64(hi), Lo: lo}
}

// Neg is −a.
func (a Int128) Neg() Int128 { return Int128{}.Sub(a) }

// Sign is −1, 0 or 1.
func (a Int128) Sign() int {
	switch {
	case a.Hi < 0:
		return -1
	case a.Hi == 0 && a.Lo == 0:
		return 0
	default:
		return 1
	}
}

// Cmp is −1 where a < b, 0 where they are equal, 1 where a > b.
func (a Int128) Cmp(b Int128) int {
	switch {
	case a == b:
		return 0
	case a.Hi < b.Hi || a.Hi == b.Hi && a.Lo < b.Lo:
		return -1
	default:
		return 1
	}
}

// magnitude is |a| as an unsigned number of 128 bits.
func (a Int128) magnitude() (hi, lo uint64) {
	if a.Hi < 0 {
		a = a.Neg()
	}
	return uint64(a.Hi), a.Lo
}

// Float64 is a·2^exp rounded once, to nearest, ties to even.
func (a Int128) Float64(exp int) float64 {
	hi, lo := a.magnitude()
	b := binary64.round128(hi, lo, false, exp)
	return math.Float64frombits(b | uint64(a.Hi)&(1<<63))
}

// Mean32 is a·2^exp/n rounded once to float32, to nearest, ties to even, from the quotient of integers: the centroid
// of n rows whose Points add up to a. n must be positive; for n ≤ 0 the result is NaN.
func (a Int128) Mean32(n Int128, exp int) float32 {
	if n.Sign() <= 0 {
		return float32(math.NaN())
	}
	hi, lo := a.magnitude()
	if hi|lo == 0 {
		return 0
	}
	var q uint64
	var sticky bool
	// Both sides are shifted up to 127 and 64 (or 128) bits, which leaves a quotient of 62 to 64 bits: more than
	// enough, and whatever the remainder is only matters as being there or not.
	hi, lo, up, lost := normalise127(hi, lo)
	if n.Hi == 0 {
		shift := bits.LeadingZeros64(n.Lo)
		var rest uint64
		q, rest = bits.Div64(hi, lo, n.Lo<<shift)
		sticky = rest != 0 || lost
		exp += shift - up
	} else {
		shift := bits.LeadingZeros64(uint64(n.Hi))
		dhi, dlo := uint64(n.Hi)<<shift|n.Lo>>(64-shift), n.Lo<<shift
		var rest bool
		q, rest = divide192(hi, lo, dhi, dlo)
		sticky = rest || lost
		exp += shift - up - 64
	}
	lead := bits.LeadingZeros64(q)
	b := binary32.round(q<<lead, sticky, exp-lead)
	return math.Float32frombits(uint32(b) | uint32(uint64(a.Hi)>>63)<<31)
}

// normalise127 shifts a magnitude so that its top bit is bit 126; up is the shift to the left (−1: to the right, which
// only 2^127 needs, and which loses nothing there).
func normalise127(hi, lo uint64) (h, l uint64, up int, lost bool) {
	if hi == 0 {
		hi, lo, up = lo, 0, 64
	}
	shift := bits.LeadingZeros64(hi) - 1
	if shift < 0 {
		return hi >> 1, lo>>1 | hi<<63, up - 1, lo&1 != 0
	}
	return hi<<shift | lo>>(64-shift), lo << shift, up + shift, false
}

// divide192 is the quotient of (hi, lo, 0) by (dhi, dlo), all words of 64 bits, and whether there is a remainder. The
// top bit of dhi is set and hi < dhi. Knuth, The Art of Computer Programming, volume 2, section 4.3.1, algorithm D with
// one digit of quotient.
func divide192(hi, lo, dhi, dlo uint64) (q uint64, rest bool) {
	q, r := bits.Div64(hi, lo, dhi)
	// q·dhi + r = (hi, lo); the true quotient is at most 2 lower, because q·dlo must still fit under (r, 0).
	phi, plo := bits.Mul64(q, dlo)
	for phi > r || phi == r && plo > 0 {
		q--
		var borrow, carry uint64
		plo, borrow = bits.Sub64(plo, dlo, 0)
		phi -= borrow
		if r, carry = bits.Add64(r, dhi, 0); carry != 0 {
			break // (r, 0) has grown past any product
		}
	}
	return q, phi != r || plo != 0
}

// Big is a as a big integer.
func (a Int128) Big() *big.Int {
	v := new(big.Int).Lsh(big.NewInt(a.Hi), 64)
	return v.Add(v, new(big.Int).SetUint64(a.Lo))
}
