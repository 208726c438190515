package exact

import "math"

const (
	// wideBits is how many bits a level of wide lanes has: a quarter of a block's values, and two parts of each square, leave a
	// float64 three to spare.
	wideBits = 40
	// leastWide and mostWide bound the exponent that all values of a block are below, so that squares and what they are rounded by
	// are exact: the least part is 2·(exponent − 80).
	leastWide, mostWide = -320, 500
	wideLanes           = 4
)

// extremesWide is extremes in lanes, of the first values of x, of which there are at least eight.
func extremesWide(x []float64) (least, greatest float64, finite bool, done int) {
	var out [12]float64
	groups := len(x) / 8
	extremesWideAVX2(&x[0], groups, &out)
	least, greatest = out[0], out[4]
	for l := 1; l < wideLanes; l++ {
		least, greatest = min(least, out[l]), max(greatest, out[4+l])
	}
	return least, greatest, out[8]+out[9]+out[10]+out[11] == 0, groups * 8
}

// addWide adds a block of finite values, top being the bits of the greatest magnitude, if all of them are multiples of 2^-80 of
// the power of two above top: then they are two integers of 40 bits at different scales, and their squares, which a multiply-add
// gives exactly as two float64s, are four. Such integers are summed in lanes of float64 without rounding. It is what columns of
// measurements and of decimal fractions are like; others are for the chunks.
//
// The parts are cut off as in the error-free splitting of S. M. Rump, T. Ogita and S. Oishi, "Accurate floating-point summation",
// 2008: adding and subtracting 1.5·2^52 units rounds to whole units, and the difference is exact.
func (m *Moments) addWide(x []float64, top uint64) bool {
	e := int(top>>52) - 1022 // all are below 2^e
	if !wideVectors || e < leastWide || e > mostWide || len(x) < blockLeast || len(x) > blockValues {
		return false
	}
	units := [6]int{e - wideBits, e - 2*wideBits, 2*e - wideBits, 2*e - 2*wideBits, 2*e - 3*wideBits, 2*e - 4*wideBits}
	var cuts [5]float64
	for i := range cuts {
		cuts[i] = math.Ldexp(1.5, 52+units[i])
	}
	var sums [6]int64
	add := func(x []float64) bool {
		var out [28]float64
		momentsWideAVX2(&x[0], len(x)/wideLanes, &cuts, &out)
		for i, u := range units {
			for l := range wideLanes {
				sums[i] += int64(math.Ldexp(out[wideLanes*i+l], -u))
			}
		}
		missed := out[24:]
		left := math.Float64bits(missed[0]) | math.Float64bits(missed[1]) | math.Float64bits(missed[2]) | math.Float64bits(missed[3])
		return left<<1 == 0 // of −0 a −0 may be left
	}
	whole := len(x) / wideLanes * wideLanes
	if !add(x[:whole]) {
		return false
	}
	if whole < len(x) {
		var last [wideLanes]float64 // zeros add nothing
		copy(last[:], x[whole:])
		if !add(last[:]) {
			return false
		}
	}
	for i, sum := range sums {
		to := &m.Squares
		if i < 2 {
			to = &m.Sum
		}
		to.AddInt128(FromInt64(sum), units[i])
	}
	return true
}
