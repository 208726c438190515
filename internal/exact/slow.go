package exact

import (
	"math/big"
	"sync"
)

// The second step of the elementary functions: integers of 320 bits and more, for the few arguments in ten thousand whose
// result lies too near to the middle between two float64s for the first step. No such result is known to lie within
// 2^−120 of the middle (V. Lefèvre, J.-M. Muller, "Worst cases for correct rounding of the elementary functions in double
// precision", 2001), so that about 250 good bits always decide.

// fixedBits is the number of fractional bits of the fixed-point numbers here.
const fixedBits = 320

// fixedLn2 is ln 2 = 2·artanh(1/3) in fixed point.
var fixedLn2 = sync.OnceValue(func() *big.Int {
	third := new(big.Int).Lsh(big.NewInt(1), fixedBits)
	third.Quo(third, big.NewInt(3))
	v := artanhFixed(third)
	return v.Lsh(v, 1)
})

// artanhFixed is z + z³/3 + z⁵/5 + … for fixed-point |z| ≤ 1/3.
func artanhFixed(z *big.Int) *big.Int {
	square := new(big.Int).Mul(z, z)
	square.Rsh(square, fixedBits)
	sum, power, term := new(big.Int).Set(z), new(big.Int).Set(z), new(big.Int)
	for i := int64(3); ; i += 2 {
		power.Mul(power, square)
		power.Rsh(power, fixedBits)
		term.Quo(power, big.NewInt(i))
		if term.BitLen() <= 1 {
			return sum
		}
		sum.Add(sum, term)
	}
}

// logSlow is Log of a finite x > 0 other than 1.
func logSlow(x float64) float64 {
	m, e, _ := split(x)
	return logRatio(new(big.Int).SetUint64(m), e)
}

// log1pSlow is Log1p of a finite x > −1 with |x| ≥ 2^−54.
func log1pSlow(x float64) float64 {
	m, e, _ := split(x)
	v := new(big.Int).SetUint64(m)
	if x < 0 {
		v.Neg(v)
	}
	if e >= 0 {
		v.Lsh(v, uint(e))
		return logRatio(v.Add(v, big.NewInt(1)), 0)
	}
	return logRatio(v.Add(v, new(big.Int).Lsh(big.NewInt(1), uint(-e))), e)
}

// logRatio is the logarithm of v·2^exp, v > 0.
func logRatio(v *big.Int, exp int) float64 {
	// v·2^exp = 2^k·m with m in [3/4, 3/2), so that k = 0 around 1, where the result is small.
	size := v.BitLen()
	k := exp + size
	if size == 1 || v.Bit(size-2) == 0 {
		k--
	}
	one := big.NewInt(1)
	one.Lsh(one, fixedBits)
	m := new(big.Int).Set(v)
	if shift := fixedBits + exp - k; shift >= 0 {
		m.Lsh(m, uint(shift))
	} else {
		m.Rsh(m, uint(-shift)) // only beyond 2^fixedBits, where what is lost cannot be seen
	}
	// log m = 2·artanh((m−1)/(m+1))
	num, den := new(big.Int).Sub(m, one), new(big.Int).Add(m, one)
	num.Lsh(num, fixedBits)
	sum := artanhFixed(num.Quo(num, den))
	sum.Lsh(sum, 1)
	whole := new(big.Int).Mul(big.NewInt(int64(k)), fixedLn2())
	return roundBig(sum.Add(sum, whole), false, -fixedBits)
}

// expm1Slow is Expm1 of an x with 2^−54 ≤ |x| ≤ 1024.
func expm1Slow(x float64) float64 {
	m, e, _ := split(x)
	v := new(big.Int).SetUint64(m)
	if x < 0 {
		v.Neg(v)
	}
	v.Lsh(v, uint(fixedBits+e)) // e ≥ −107
	n := new(big.Int).Div(v, fixedLn2())
	k := int(n.Int64())
	v.Sub(v, n.Mul(n, fixedLn2()))
	// e^x = 2^k·e^v with v in [0, ln 2)
	sum := new(big.Int).Lsh(big.NewInt(1), fixedBits)
	one := new(big.Int).Set(sum)
	term := new(big.Int).Set(sum)
	for i := int64(1); term.Sign() != 0; i++ {
		term.Mul(term, v)
		term.Rsh(term, fixedBits)
		term.Quo(term, big.NewInt(i))
		sum.Add(sum, term)
	}
	if k >= 0 {
		sum.Lsh(sum, uint(k))
		return roundBig(sum.Sub(sum, one), false, -fixedBits)
	}
	one.Lsh(one, uint(-k))
	return roundBig(sum.Sub(sum, one), false, k-fixedBits)
}
