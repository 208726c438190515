package exact

import "math"

const (
	gridBits  = 39   // a grid of 2^−39 of the range leaves an error below 1e−12 of it
	gridLeast = -149 // the last bit of a subnormal float32
	gridMost  = 970  // beyond this ToGrid's constants would overflow
	shiftBits = 8    // a shift is a multiple of 2^−8 of the range
)

// rangeExponent is the least E with 2^E ≥ max − min, and false where the range is empty or not a number.
func rangeExponent(min, max float64) (e int, ok bool) {
	r, over := max-min, 0
	if r > math.MaxFloat64 {
		r, over = float64(max/2)-float64(min/2), 1
	}
	if !(r > 0) || r > math.MaxFloat64 {
		return 0, false
	}
	f, e := math.Frexp(r)
	if f == 0.5 {
		e--
	}
	return e + over, true
}

// GridExponent is the exponent of the grid of a column whose values lie in [min, max]: 2^−39 of the least power of two
// that is at least max − min, and at least −149, the last bit of float32. An empty range has −149.
func GridExponent(min, max float64) int {
	e, ok := rangeExponent(min, max)
	if !ok || e-gridBits < gridLeast {
		return gridLeast
	}
	return e - gridBits
}

// ShiftFor is the shift of a column with that mean, whose values lie in [min, max]: the mean rounded to nearest, ties to
// even, to a multiple of 2^−8 of the least power of two that is at least max − min, and clamped into [min, max]. An empty
// range has min. Coarse as it is, it keeps integers integers.
func ShiftFor(mean, min, max float64) float64 {
	e, ok := rangeExponent(min, max)
	if !ok {
		return min
	}
	e -= shiftBits
	// Below 2^(e+53) a mean may have bits to lose; a unit under the last bit of subnormals takes none.
	if e >= -1074 && math.Abs(mean) < math.Ldexp(1, e+53) {
		mean = math.Ldexp(math.RoundToEven(math.Ldexp(mean, -e)), e)
	}
	switch {
	case mean < min:
		mean = min
	case mean > max:
		mean = max
	}
	return mean + 0 // −0 becomes +0
}

// ToGrid is x − shift rounded once, to nearest, ties to even, to a float32 that is a multiple of 2^gridExp (of 2^−149 for
// any lower gridExp). It is ±Inf where that is too large for float32, NaN where x is, and never −0. A grid beyond 2^970 is
// taken for 2^970: on either every number is 0 or infinite.
func ToGrid(x, shift float64, gridExp int) float32 {
	g := newGrid(gridExp)
	return g.near(toOdd(twoSum(x, -shift)))
}

// ToGridSlice sets dst[i] = ToGrid(x[i], shift, gridExp) for all i; dst is at least as long as x.
func ToGridSlice(dst []float32, x []float64, shift float64, gridExp int) {
	g := newGrid(gridExp)
	dst = dst[:len(x)]
	if shift == 0 { // nothing to round but once: standardised columns
		for i, v := range x {
			dst[i] = g.near(v)
		}
		return
	}
	for i, v := range x {
		dst[i] = g.near(toOdd(twoSum(v, -shift)))
	}
}

// grid holds the two constants of a grid 2^e.
type grid struct {
	fine  float64 // 2^(e+23): from here on float32 is the coarser of the two
	magic float64 // 1.5·2^(e+52): adding and subtracting it rounds to multiples of 2^e
}

func newGrid(e int) grid {
	e = max(gridLeast, min(e, gridMost))
	return grid{fine: pow2(e + 23), magic: 1.5 * pow2(e+52)}
}

// near rounds y to the nearest multiple of the grid and of float32's last bit.
func (g *grid) near(y float64) float32 {
	if math.Abs(y) < g.fine { // rare, and so foretold well
		y += g.magic
		y -= g.magic
	}
	return float32(y)
}

// toOdd is y + rest, of which y is the rounded value, rounded to odd: where float64 cannot hold it, it is the one of its two
// neighbours whose last bit is 1. A second rounding, to at least two bits less, then gives what a single one would have
// given: S. Boldo, G. Melquiond, "Emulation of a FMA and correctly rounded sums: proved algorithms using rounding to odd",
// 2008. It does not branch on rest, because half of a column's values may have one.
func toOdd(y, rest float64) float64 {
	b, r := math.Float64bits(y), math.Float64bits(rest)<<1
	if b<<1 >= 0x7fe<<53 {
		return y // in or near overflow, where rest means nothing and float32 is infinite anyway
	}
	inexact := (r | -r) >> 63
	beyond := (b ^ math.Float64bits(rest)) >> 63 & inexact // y was rounded away from 0
	return math.Float64frombits((b - beyond) | inexact)
}

// GridInt is p·2^−gridExp for a p on the grid, |p| < 2^(gridExp+63): the integer that sums of Points are made of.
func GridInt(p float32, gridExp int) int64 {
	return int64(float64(p) * pow2(-max(gridLeast, min(gridExp, gridMost))))
}
