package exact

import "math"

//go:generate go run tables_gen.go

// The elementary functions work in two steps, as A. Ziv proposed ("Fast evaluation of elementary mathematical functions
// with correctly rounded last bit", 1991). The first step computes the result as a sum of two float64s with a relative
// error below stepError. If adding and subtracting that error does not change the rounded sum, the sum is the correctly
// rounded result; otherwise, about once in 8,000 arguments, slow.go decides. A correctly rounded function is the same on
// every machine, and monotone.
//
// Products and sums with their errors are those of T. J. Dekker, "A floating-point technique for extending the available
// precision", 1971, without fused operations, which not every processor has.

// stepError is more than twice the greatest error of the first steps: the analysis beside each of them gives about 2^−69, and
// a test measures 2^−68.8.
const stepError = 0x1p-67

// Log is the natural logarithm of x, correctly rounded. Log(0) is −Inf, Log(+Inf) is +Inf, and Log of a negative number
// or of NaN is NaN.
func Log(x float64) float64 {
	switch {
	case x == 0:
		return math.Inf(-1)
	case !(x > 0):
		return math.NaN()
	case x > math.MaxFloat64:
		return x
	case x == 1:
		return 0
	}
	hi, lo := logParts(x, 0)
	if y, ok := decide(hi, lo); ok {
		return y
	}
	return logSlow(x)
}

// Log1p is the natural logarithm of 1 + x, correctly rounded. Log1p(±0) is ±0, Log1p(−1) is −Inf, Log1p(+Inf) is +Inf,
// and Log1p of NaN or of a number below −1 is NaN.
func Log1p(x float64) float64 {
	var hi, lo float64
	switch {
	case x < 0x1p-54 && x > -0x1p-54:
		return x // x²/2 is less than a quarter of the last bit
	case x < 0x1p-8 && x > -0x1p-8:
		hi, lo = log1pParts(x, 0, 0, 0)
	case x == -1:
		return math.Inf(-1)
	case !(x > -1):
		return math.NaN()
	case x > math.MaxFloat64:
		return x
	default:
		hi, lo = logParts(twoSum(1, x))
	}
	if y, ok := decide(hi, lo); ok {
		return y
	}
	return log1pSlow(x)
}

// Expm1 is e^x − 1, correctly rounded. Expm1(±0) is ±0, Expm1(−Inf) is −1, and Expm1 is +Inf where the result is too
// large.
func Expm1(x float64) float64 {
	switch {
	case x < 0x1p-54 && x > -0x1p-54:
		return x
	case x != x:
		return math.NaN()
	case x > 710:
		return math.Inf(1)
	case x < -38:
		return -1 // e^−38 is less than half of the last bit
	}
	hi, lo, scale := expm1Parts(x)
	if y, ok := decide(hi, lo); ok {
		return y * scale
	}
	return expm1Slow(x)
}

// decide rounds hi + lo, where |lo| is at most half of hi's last bit, and says whether the rounding is beyond doubt.
func decide(hi, lo float64) (float64, bool) {
	e := float64(math.Abs(hi) * stepError)
	y := hi + (lo - e)
	return y, y == hi+(lo+e)
}

// twoSum is a + b and what its rounding lost (Knuth).
func twoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	part := sum - a
	return sum, (a - (sum - part)) + (b - part)
}

// fastTwoSum is twoSum for |a| ≥ |b| or a = 0 (Dekker).
func fastTwoSum(a, b float64) (sum, lost float64) {
	sum = a + b
	return sum, b - (sum - a)
}

// halves splits a into its upper 26 bits and the rest, of at most 27.
func halves(a float64) (upper, lower float64) {
	upper = math.Float64frombits(math.Float64bits(a) &^ (1<<27 - 1))
	return upper, a - upper
}

// twoProduct is a·b and what its rounding lost, but for 2^−106 of it.
func twoProduct(a, b float64) (product, lost float64) {
	product = float64(a * b)
	au, al := halves(a)
	bu, bl := halves(b)
	return product, ((float64(au*bu) - product) + float64(au*bl) + float64(al*bu)) + float64(al*bl)
}

// logEntry is a short c near 1/m for the significands m of one interval, and −log c in two parts, the first a multiple of
// 2^−42.
type logEntry struct{ c, hi, lo float64 }

// logHalf is the first interval (√2) whose significands are halved.
const logHalf = 106

// logParts is log(x + tail) in two parts, for finite x > 0 and |tail| up to half of x's last bit. With x = 2^k·m it is
// k·ln 2 − log c + log1p(m·c − 1). The intervals at both sides of 1 have c = 1, so that nothing cancels there.
func logParts(x, tail float64) (hi, lo float64) {
	b := math.Float64bits(x)
	k := int(b>>52) - 1023
	if k == -1023 {
		b = math.Float64bits(x * 0x1p54)
		k = int(b>>52) - 1023 - 54
	}
	i := b >> 44 & 0xff
	m := b&(1<<52-1) | 1023<<52
	if i >= logHalf {
		m -= 1 << 52
		k++
	}
	entry := &logTable[i]
	// c has at most 12 bits, so that the products with 41 and with 12 bits of m are exact, and so is the difference.
	upper := math.Float64frombits(m &^ (1<<12 - 1))
	lower := math.Float64frombits(m) - upper
	r, rest := twoSum(float64(upper*entry.c)-1, float64(lower*entry.c))
	if tail != 0 && k < 200 {
		rest += float64(float64(tail*pow2(-k)) * entry.c)
		r, rest = twoSum(r, rest)
	}
	n := float64(k)
	return log1pParts(r, rest, float64(n*ln2Hi)+entry.hi, float64(n*ln2Lo)+entry.lo)
}

// log1pParts is base + low + log(1 + r + rest) in two parts, for |r| ≤ 2^−8 and rest beyond r's last bit. base is 0 or
// greater than 0.9·|r|. The series is r − r²/2 in full and r³/3 − … + r⁹/9 in float64, where three roundings of at most
// 2^−25.6 lose 2^−77, or 2^−69 of the result; the next term is below 2^−83.
func log1pParts(r, rest, base, low float64) (hi, lo float64) {
	square, lost := twoProduct(r, r)
	p := float64(square*(1./9)) + (1./7 - float64(r*(1./8)))
	p = float64(square*p) + (1./5 - float64(r*(1./6)))
	p = float64(square*p) + (1./3 - float64(r*(1./4)))
	s, sLost := fastTwoSum(r, float64(-0.5*square))
	tail := float64(float64(square*r)*p) + ((sLost - float64(0.5*lost)) + float64(rest*(1-r+square)))
	sum, sumLost := twoSum(base, s)
	return fastTwoSum(sum, sumLost+(low+tail))
}

// expm1Parts is (e^x − 1)/scale in two parts, for 2^−54 ≤ |x| and −38 ≤ x ≤ 710. With n the nearest integer to
// 128·x/ln 2 it is 2^(n/128)·e^r − 1, |r| ≤ 2^−8.5, where e^r − 1 = q is r + r²/2 in full and r³/6 + … in float64, which
// loses 2^−79; the next term is below 2^−94. The result is at least 2^−8.6 where n is not 0, and q itself where it is.
func expm1Parts(x float64) (hi, lo, scale float64) {
	const round = 0x1.8p52
	n := (float64(x*expSteps) + round) - round
	// The first two parts of the step have 35 bits and n has 18.
	r, rest := twoSum(x-float64(n*expStep1), -float64(n*expStep2))
	rest -= float64(n * expStep3)
	square, lost := twoProduct(r, r)
	p := float64(r*(1./5040)) + 1./720
	p = float64(square*(float64(square*(1./40320))+p)) + (float64(r*(1./120)) + 1./24)
	p = float64(r*p) + 1./6
	q, qLost := fastTwoSum(r, float64(0.5*square))
	tail := float64(float64(square*r)*p) + ((qLost + float64(0.5*lost)) + float64(rest*(1+r+float64(0.5*square))))
	if n == 0 {
		hi, lo = fastTwoSum(q, tail)
		return hi, lo, 1
	}
	j := int(n)
	k := j >> 7
	t := &expTable[j&127]
	product, productLost := twoProduct(t[0], q)
	tail = (productLost + t[1]) + (float64(t[0]*tail) + float64(t[1]*q))
	scale = 1
	if k > 900 {
		scale = 0x1p200 // near the end of the range, 2^k itself could overflow
		k -= 200
	}
	power := pow2(k)
	s, sLost := twoSum(float64(t[0]*power), -1/scale)
	s, pLost := twoSum(s, float64(product*power))
	hi, lo = fastTwoSum(s, (sLost+pLost)+float64(tail*power))
	return hi, lo, scale
}
