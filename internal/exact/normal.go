package exact

import "math"

// Normal is a draw from the standard normal distribution made of two independent draws of 64 bits: G. E. P. Box,
// M. E. Muller, "A note on the generation of random normal deviates", 1958. It reaches to ±8.6, is never
// 0, and lies within 1e−14 of the formula's value; every rounding is written out, so that its bits are the same everywhere.
func Normal(u1, u2 uint64) float64 {
	radius := math.Sqrt(-2 * Log(Unit(u1)))
	return float64(radius * cosTurn(u2))
}

// cosTurn is the cosine of u·2^−64 turns.
func cosTurn(u uint64) float64 {
	// The turn in eighths: odd eighths run backwards, so that the angle within one lies in (0, π/4).
	eighth := u >> 61
	f := u << 3
	if eighth&1 == 1 {
		f = ^f
	}
	angle := float64(f>>12<<1|1) * (math.Pi / 4 * 0x1p-53)
	square := float64(angle * angle)
	var v float64
	switch eighth {
	case 0, 3, 4, 7:
		v = cosTaylor(square)
	default:
		v = float64(angle * sinTaylor(square))
	}
	if eighth >= 2 && eighth < 6 {
		return -v
	}
	return v
}

// horner is c[0] + x·(c[1] + x·(…)), every operation rounded.
func horner(x float64, c []float64) float64 {
	v := 0.0
	for i := len(c) - 1; i >= 0; i-- {
		v = float64(v*x) + c[i]
	}
	return v
}

var (
	sinCoefficients = []float64{1, -1. / 6, 1. / 120, -1. / 5040, 1. / 362880, -1. / 39916800, 1. / 6227020800, -1. / 1307674368000}
	cosCoefficients = []float64{1, -1. / 2, 1. / 24, -1. / 720, 1. / 40320, -1. / 3628800, 1. / 479001600, -1. / 87178291200, 1. / 20922789888000}
)

func sinTaylor(square float64) float64 { return horner(square, sinCoefficients) }
func cosTaylor(square float64) float64 { return horner(square, cosCoefficients) }
