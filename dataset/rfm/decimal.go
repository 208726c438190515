package rfm

import (
	"bytes"
	"math/big"
	"math/bits"

	"github.com/coterie-project/coterie/internal/exact"
)

// Limits of one quantity or price. They keep every product inside 128 bits at the units of amount, and leave
// room for 170 lines of the largest value, or 10^12 lines of a million each.
const (
	maxDigits = 18 // significant digits; the shortest text of a float64 has 17
	maxScale  = 18 // decimals
	maxWhole  = 12 // digits before the point
)

// decimal is mantissa·10^-scale, without trailing zeros after the point.
type decimal struct {
	mantissa uint64 // below 10^18
	scale    int    // 0 to maxScale
	negative bool   // never with mantissa 0
}

// parseDecimal reads "12", "-3", "2.55", ".5" or "1e-05". The problem is empty or says what is wrong.
func parseDecimal(text []byte) (d decimal, problem string) {
	text = bytes.TrimSpace(text)
	i := 0
	if i < len(text) && (text[i] == '-' || text[i] == '+') {
		d.negative = text[i] == '-'
		i++
	}
	var digits, significant, fraction int
	point := false
	for ; i < len(text); i++ {
		c := text[i]
		if c == '.' && !point {
			point = true
			continue
		}
		if c < '0' || c > '9' {
			break
		}
		digits++
		if point {
			fraction++
		}
		if significant == 0 && c == '0' {
			continue
		}
		if significant++; significant > 2*maxDigits {
			return d, "has too many digits"
		}
		if significant > maxDigits {
			if c != '0' {
				return d, "has more than 18 significant digits"
			}
			fraction-- // a zero beyond the last digit kept; before the point it makes the scale negative
			continue
		}
		d.mantissa = d.mantissa*10 + uint64(c-'0')
	}
	exponent, ok := parseExponent(text[i:])
	if digits == 0 || !ok {
		return d, notANumber(text)
	}
	return d.normalise(fraction - exponent)
}

// notANumber says why text is not one; the decimal comma is worth naming.
func notANumber(text []byte) string {
	if len(text) == 0 {
		return "is missing"
	}
	if bytes.IndexByte(text, ',') >= 0 {
		return "is not a number (a decimal point is needed, and no separator of thousands)"
	}
	return "is not a number"
}

// parseExponent reads "", "e5", "E-05" or "e+5", up to three digits.
func parseExponent(text []byte) (exponent int, ok bool) {
	if len(text) == 0 {
		return 0, true
	}
	if text[0] != 'e' && text[0] != 'E' {
		return 0, false
	}
	text = text[1:]
	negative := false
	if len(text) > 0 && (text[0] == '-' || text[0] == '+') {
		negative = text[0] == '-'
		text = text[1:]
	}
	if len(text) == 0 || len(text) > 3 {
		return 0, false
	}
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0, false
		}
		exponent = exponent*10 + int(c-'0')
	}
	if negative {
		exponent = -exponent
	}
	return exponent, true
}

// normalise brings mantissa·10^-scale into the limits of decimal, or says which limit it breaks.
func (d decimal) normalise(scale int) (decimal, string) {
	if d.mantissa == 0 {
		return decimal{}, ""
	}
	for scale > 0 && d.mantissa%10 == 0 {
		d.mantissa /= 10
		scale--
	}
	for ; scale < 0; scale++ {
		if d.mantissa >= power10[maxWhole] {
			return d, "is too large (at most 12 digits before the decimal point)"
		}
		d.mantissa *= 10
	}
	if scale > maxScale {
		return d, "has more than 18 decimals"
	}
	if d.mantissa/power10[scale] >= power10[maxWhole] {
		return d, "is too large (at most 12 digits before the decimal point)"
	}
	d.scale = scale
	return d, ""
}

// positive and negative tell the sign; zero is neither.
func (d decimal) positive() bool { return d.mantissa > 0 && !d.negative }

// power10[i] is 10^i; 10^19 is the largest power in 64 bits.
var power10 = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = 10 * p[i-1]
	}
	return p
}()

// The units of sums: money is coarse·10^-12 + fine·10^-36, items count in 10^-18.
const (
	coarseScale = 12
	fineScale   = 36
	itemScale   = 18
)

// amount is an exact sum of quantity × price. Two integers instead of one wide one: with up to 12 decimals in a
// product, which is every till there is, fine stays 0 and need not be kept. Doubles with 17 digits use both.
type amount struct {
	coarse exact.Int128 // in 10^-12
	fine   exact.Int128 // in 10^-36
}

// product is |quantity|·|price|, exactly.
func product(quantity, price decimal) amount {
	hi, lo := bits.Mul64(quantity.mantissa, price.mantissa)
	scale := quantity.scale + price.scale
	if scale <= coarseScale {
		hi, lo = mul128(hi, lo, power10[coarseScale-scale])
		return amount{coarse: unsigned(hi, lo)}
	}
	// The decimals beyond the twelfth go to fine, in two steps, since 10^24 has more than 64 bits.
	low := power10[max(scale-2*coarseScale, 0)]
	high := power10[min(scale-coarseScale, coarseScale)]
	hi, lo, rest := div128(hi, lo, low)
	hi, lo, upper := div128(hi, lo, high)
	fhi, flo := bits.Mul64(upper, low)
	flo, carry := bits.Add64(flo, rest, 0)
	fhi += carry
	for missing := fineScale - scale; missing > 0; {
		step := min(missing, 19)
		fhi, flo = mul128(fhi, flo, power10[step])
		missing -= step
	}
	return amount{coarse: unsigned(hi, lo), fine: unsigned(fhi, flo)}
}

// units is |quantity| in 10^-18.
func units(quantity decimal) exact.Int128 {
	hi, lo := bits.Mul64(quantity.mantissa, power10[itemScale-quantity.scale])
	return unsigned(hi, lo)
}

// unsigned is a value below 2^127 as an Int128.
func unsigned(hi, lo uint64) exact.Int128 { return exact.Int128{Hi: int64(hi), Lo: lo} }

// mul128 is (hi,lo)·m; the callers' limits keep it below 2^127.
func mul128(hi, lo, m uint64) (uint64, uint64) {
	carry, low := bits.Mul64(lo, m)
	return hi*m + carry, low
}

// div128 is the quotient and the remainder of (hi,lo) by d > 0.
func div128(hi, lo, d uint64) (qhi, qlo, rest uint64) {
	qhi, rest = hi/d, hi%d
	qlo, rest = bits.Div64(rest, lo, d)
	return qhi, qlo, rest
}

// addChecked is a + b, and whether it fits.
func addChecked(a, b exact.Int128) (exact.Int128, bool) {
	sum := a.Add(b)
	overflow := (a.Hi < 0) == (b.Hi < 0) && (sum.Hi < 0) != (a.Hi < 0)
	return sum, !overflow
}

// add is the sum of two amounts, and whether it fits.
func (a amount) add(b amount) (amount, bool) {
	coarse, ok := addChecked(a.coarse, b.coarse)
	fine, fits := addChecked(a.fine, b.fine)
	return amount{coarse, fine}, ok && fits
}

// minus is −a.
func (a amount) minus() amount { return amount{a.coarse.Neg(), a.fine.Neg()} }

// float64 is the float64 nearest to the amount.
func (a amount) float64() float64 {
	if a.fine == (exact.Int128{}) {
		return decimalFloat(a.coarse, coarseScale)
	}
	shift := new(big.Int).Exp(big.NewInt(10), big.NewInt(fineScale-coarseScale), nil)
	total := shift.Mul(shift, a.coarse.Big())
	return ratio(total.Add(total, a.fine.Big()), fineScale)
}

// decimalFloat is the float64 nearest to v·10^-scale. A quotient of two integers that float64 holds exactly is
// rounded once by the division; only what does not fit takes the long way.
func decimalFloat(v exact.Int128, scale int) float64 {
	m := v
	if v.Sign() < 0 {
		m = v.Neg()
	}
	hi, lo := uint64(m.Hi), m.Lo
	left := scale
	for _, drop := range [...]int{8, 4, 2, 1, 1} { // 10^10 leaves cents, more leaves whole numbers
		if drop > left {
			continue
		}
		if qhi, qlo, rest := div128(hi, lo, power10[drop]); rest == 0 {
			hi, lo, left = qhi, qlo, left-drop
		}
	}
	if hi != 0 || lo >= 1<<53 {
		return ratio(v.Big(), scale)
	}
	x := float64(lo) / float64(power10[left]) // 10^left is exact: left ≤ 18 < 22
	if v.Sign() < 0 {
		return -x
	}
	return x
}

// ratio is v·10^-scale rounded once.
func ratio(v *big.Int, scale int) float64 {
	unit := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil)
	x, _ := new(big.Rat).SetFrac(v, unit).Float64()
	return x
}
