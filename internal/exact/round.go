package exact

import (
	"math"
	"math/big"
	"math/bits"
)

// format describes a binary floating-point format to the rounding below.
type format struct {
	precision uint   // bits of the significand with the leading one
	least     int    // exponent of the last bit of a subnormal number
	infinity  uint64 // bit pattern of +Inf
}

var (
	binary32 = format{precision: 24, least: -149, infinity: 0xff << 23}
	binary64 = format{precision: 53, least: -1074, infinity: 0x7ff << 52}
)

// round gives the bit pattern of m·2^exp in format f, rounded once to nearest, ties to even. The top bit of m is set,
// or m is 0; sticky says that the true magnitude lies above m by less than one unit of m.
func (f *format) round(m uint64, sticky bool, exp int) uint64 {
	if m == 0 {
		return 0
	}
	last := max(exp+64-int(f.precision), f.least) // exponent of the result's last bit
	drop := uint(last - exp)
	if drop > 64 {
		return 0
	}
	step := uint64(last - f.least)
	if step >= f.infinity>>(f.precision-1) {
		return f.infinity
	}
	// Shifts by 64 give 0 in Go, which is what drop = 64 needs.
	q := m >> drop
	rest := m - q<<drop
	half := uint64(1) << (drop - 1)
	if rest > half || rest == half && (sticky || q&1 == 1) {
		q++
	}
	// q carries the leading one, which adds 1 to the exponent field unless the number is subnormal; a carry out
	// of the significand does the same once more.
	return min(step<<(f.precision-1)+q, f.infinity)
}

// round128 is round for a magnitude of 128 bits.
func (f *format) round128(hi, lo uint64, sticky bool, exp int) uint64 {
	if hi == 0 {
		shift := bits.LeadingZeros64(lo)
		return f.round(lo<<shift, sticky, exp-shift)
	}
	shift := bits.LeadingZeros64(hi)
	m := hi<<shift | lo>>(64-shift)
	return f.round(m, sticky || lo<<shift != 0, exp+64-shift)
}

// roundBig is v·2^exp rounded once to float64; sticky says that the true magnitude lies above |v| by less than one
// unit, and asks for at least 64 bits in v.
func roundBig(v *big.Int, sticky bool, exp int) float64 {
	size := v.BitLen()
	if size == 0 {
		return 0
	}
	var m uint64
	if size <= 64 {
		m = new(big.Int).Abs(v).Uint64() << (64 - size)
	} else {
		sticky = sticky || v.TrailingZeroBits() < uint(size-64)
		top := new(big.Int).Abs(v)
		m = top.Rsh(top, uint(size-64)).Uint64()
	}
	x := math.Float64frombits(binary64.round(m, sticky, exp+size-64))
	if v.Sign() < 0 {
		return -x
	}
	return x
}

// roundRatio is num/den·2^exp rounded once to float64; den > 0.
func roundRatio(num, den *big.Int, exp int) float64 {
	// 66 bits of quotient and one for the remainder decide any rounding to 53 bits.
	shift := max(den.BitLen()-num.BitLen()+67, 0)
	q, rest := new(big.Int), new(big.Int)
	q.QuoRem(q.Lsh(num, uint(shift)), den, rest)
	return roundBig(q, rest.Sign() != 0, exp-shift)
}

// pow2 is 2^e for −1022 ≤ e ≤ 1023.
func pow2(e int) float64 { return math.Float64frombits(uint64(e+1023) << 52) }
