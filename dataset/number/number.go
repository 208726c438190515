package number

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// Outcome is what a cell turned out to be when a number was asked for.
type Outcome int

// The outcomes. Only a Finite cell has a value that is not NaN.
const (
	Finite Outcome = iota
	Missing
	NotFinite // the syntax of a number, or a name for infinity, but no finite float64
	NotNumber
)

// Scan parses the plain decimal number that begins at line[pos], if its text is such a number and nothing
// else up to the delimiter or the end of the line, and returns where the field ends. Whatever needs more thought
// (exponents, spaces, many digits, missing values) is left to Parse.
//
// The value is the nearest float64. Up to 19 digits are an integer below 2^64 over a power of ten that is one too,
// and such a quotient is rounded once: by the processor's division where both are exact as float64 (W. D. Clinger,
// How to Read Floating Point Numbers Accurately, 1990), else by one of integers.
func Scan(line []byte, pos int, delim byte) (value float64, end int, ok bool) {
	i := pos
	negative := false
	if i < len(line) && line[i] == '-' {
		negative = true
		i++
	}
	start := i
	significand, i := digitsAt(line, i, 0)
	digits, places := i-start, 0
	if i < len(line) && line[i] == '.' && delim != '.' {
		point := i + 1
		significand, i = digitsAt(line, point, significand)
		places = i - point
		digits += places
	}
	if digits == 0 || digits > 20 || i > len(line) || (i < len(line) && line[i] != delim) {
		return 0, pos, false
	}
	// 19 digits cannot have overflowed the significand, nor a zero before them.
	if digits == 20 && (line[start] != '0' || places == 20) {
		return 0, pos, false
	}
	switch {
	case significand >= 1<<53:
		value = quotient(significand, wholeTens[places])
	case places > 0:
		value = float64(int64(significand)) / exactTens[places]
	default:
		value = float64(int64(significand))
	}
	if negative {
		value = -value
	}
	return value, i, true
}

// digitsAt appends the decimal digits that begin at line[i] to value and returns where they end. It takes eight at a
// time, since the lengths of numbers cannot be predicted and each wrong guess costs as much as ten digits (D. Lemire,
// Number Parsing at a Gigabyte per Second, 2021). It may look at bytes behind the line, in the same buffer, and so
// end behind the line; more than 19 digits overflow. The caller checks for both.
func digitsAt(line []byte, i int, value uint64) (uint64, int) {
	for cap(line)-i >= 8 {
		x := binary.LittleEndian.Uint64(line[i : i+8])
		// The top bit of a byte is set if it is above '9' or below '0'; a borrow may spoil the bytes above the
		// first such byte, which do not matter.
		other := ((x + 0x4646464646464646) | (x - 0x3030303030303030)) & 0x8080808080808080
		if other == 0 {
			value = value*100000000 + eightDigits(x-0x3030303030303030)
			i += 8
			continue
		}
		n := bits.TrailingZeros64(other) / 8
		// Shift the digits up, so that zeros stand before them.
		x = (x - 0x3030303030303030) << (64 - 8*n)
		if n == 0 {
			return value, i
		}
		return value*wholeTens[n] + eightDigits(x), i + n
	}
	for i < len(line) && line[i]-'0' <= 9 {
		value = value*10 + uint64(line[i]-'0')
		i++
	}
	return value, i
}

// wholeTens are the powers of ten below 2^64; exactTens are the same, since 5^19 < 2^53.
var (
	wholeTens = [20]uint64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}
	exactTens = [20]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19}
)

// quotient is the float64 nearest to a/b, ties to even; neither is 0. Programs write float64 values with 17 digits,
// so that most columns of them come this way.
func quotient(a, b uint64) float64 {
	za, zb := bits.LeadingZeros64(a), bits.LeadingZeros64(b)
	a, b = a<<za, b<<zb
	// a/b is a quotient of 64 bits, the first of them set, times two to the exponent. Digits are random, so there is no
	// branch on them.
	var large, sticky uint64
	if a >= b {
		large = 1
	}
	q, rest := bits.Div64(a>>large, a&large<<63, b)
	if rest != 0 {
		sticky = 1
	}
	exponent := zb - za - 64 + int(large)
	const spare = 64 - 53
	m := q >> spare
	tail := (q | sticky) & (1<<spare - 1)
	m += (tail + m&1 + (1<<(spare-1) - 1)) >> spare // up from more than a half, and from a half if m is odd
	return float64(m) * math.Float64frombits(uint64(1023+spare+exponent)<<52)
}

// eightDigits is the number whose digits, most significant first, are the bytes of x from the lowest.
func eightDigits(x uint64) uint64 {
	x = x*10 + x>>8 // pairs, in every other byte
	return ((x&0x000000FF000000FF)*0x000F424000000064 + ((x>>16)&0x000000FF000000FF)*0x0000271000000001) >> 32
}

// Parse reads a whole cell: a decimal number with an optional exponent and spaces around it, or one of the
// names of a missing value.
func Parse(cell []byte) (float64, Outcome) {
	cell = bytes.TrimSpace(cell)
	if value, end, ok := Scan(cell, 0, 0); ok && end == len(cell) {
		return value, Finite
	}
	if IsMissingName(cell) {
		return math.NaN(), Missing
	}
	if !decimalSyntax(cell) {
		if isInfinityName(cell) {
			return math.NaN(), NotFinite
		}
		return math.NaN(), NotNumber
	}
	if len(cell) > safeLength {
		cell = shorten(cell)
	}
	value, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(cell), len(cell)), 64)
	if err != nil { // the syntax is right, so it is the range
		return math.NaN(), NotFinite
	}
	return value, Finite
}

const (
	safeLength = 800 // strconv.ParseFloat loses the magnitude of a number with more digits before its point
	keptDigits = 780 // no float64, and no middle between two of them, has more than 768
)

// shorten brings a number that decimalSyntax accepts into the form 0.DDDeN with at most keptDigits digits, behind
// which a 1 stands for all that is left out: the nearest float64 stays the same.
func shorten(text []byte) []byte {
	short := make([]byte, 0, keptDigits+32)
	i := 0
	if text[0] == '-' || text[0] == '+' {
		short = append(short, text[0])
		i++
	}
	short = append(short, "0."...)
	first, exponent, rest, point := len(short), 0, false, false
	for ; i < len(text) && text[i]|0x20 != 'e'; i++ {
		digit := text[i]
		leading := digit == '0' && len(short) == first
		switch {
		case digit == '.':
			point = true
			continue
		case leading && point:
			exponent--
		case !leading && !point:
			exponent++
		}
		if leading {
			continue
		}
		if len(short)-first < keptDigits {
			short = append(short, digit)
		} else {
			rest = rest || digit != '0'
		}
	}
	if rest {
		short = append(short, '1')
	}
	if i < len(text) {
		const far = 1 << 40                                        // beyond the length of any cell
		written, _ := strconv.ParseInt(string(text[i+1:]), 10, 64) // out of range: the nearest int64
		exponent += int(min(max(written, -far), far))
	}
	return strconv.AppendInt(append(short, 'e'), int64(exponent), 10)
}

// decimalSyntax accepts [+-] digits [. digits] [e [+-] digits] with a digit in the significand: what
// strconv.ParseFloat accepts, less hexadecimal, underscores and names.
func decimalSyntax(b []byte) bool {
	i := 0
	skipSign := func() {
		if i < len(b) && (b[i] == '-' || b[i] == '+') {
			i++
		}
	}
	digits := func() int {
		from := i
		for i < len(b) && b[i]-'0' <= 9 {
			i++
		}
		return i - from
	}
	skipSign()
	n := digits()
	if i < len(b) && b[i] == '.' {
		i++
		n += digits()
	}
	if n == 0 {
		return false
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		skipSign()
		if digits() == 0 {
			return false
		}
	}
	return i == len(b)
}

// IsMissingName tells the spellings of a missing number, in any case: nothing, NA, N/A, NaN, null, None.
func IsMissingName(b []byte) bool {
	switch len(b) {
	case 0:
		return true
	case 2:
		return equalFold(b, "na")
	case 3:
		return equalFold(b, "nan") || equalFold(b, "n/a")
	case 4:
		return equalFold(b, "null") || equalFold(b, "none")
	}
	return false
}

func isInfinityName(b []byte) bool {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		b = b[1:]
	}
	return equalFold(b, "inf") || equalFold(b, "infinity")
}

// equalFold compares with a lower-case ASCII word.
func equalFold(b []byte, lower string) bool {
	if len(b) != len(lower) {
		return false
	}
	for i := range b {
		c := b[i]
		if c >= 'A' && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}
