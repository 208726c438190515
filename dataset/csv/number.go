package csv

import (
	"encoding/binary"
	"math"
	"math/bits"
	"strconv"
	"unsafe"
)

// outcome is what a cell turned out to be when a number was asked for.
type outcome int

const (
	isNumber outcome = iota
	isMissing
	isNotFinite // the syntax of a number, or a name for infinity, but no finite float64
	isNotNumber
)

// exactTens are the powers of ten that a float64 holds exactly.
var exactTens = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// scanNumber parses the plain decimal number that begins at line[pos], if its text is such a number and nothing
// else up to the delimiter or the end of the line, and returns where the field ends. Whatever needs more thought
// (exponents, spaces, many digits, missing values) is left to parseNumber.
//
// The value is the nearest float64: a significand below 2^53 and a power of ten up to 10^22 are both exact, so
// that their quotient is rounded once (W. D. Clinger, How to Read Floating Point Numbers Accurately, 1990).
func scanNumber(line []byte, pos int, delim byte) (value float64, end int, ok bool) {
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
	// Up to 19 digits cannot have overflowed the significand.
	if digits == 0 || digits > 19 || significand >= 1<<53 || i > len(line) || (i < len(line) && line[i] != delim) {
		return 0, pos, false
	}
	value = float64(int64(significand))
	if places > 0 {
		value /= exactTens[places]
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

var wholeTens = [8]uint64{1, 10, 100, 1000, 10000, 100000, 1000000, 10000000}

// eightDigits is the number whose digits, most significant first, are the bytes of x from the lowest.
func eightDigits(x uint64) uint64 {
	x = x*10 + x>>8 // pairs, in every other byte
	return ((x&0x000000FF000000FF)*0x000F424000000064 + ((x>>16)&0x000000FF000000FF)*0x0000271000000001) >> 32
}

// parseNumber reads a whole cell: a decimal number with an optional exponent and spaces around it, or one of the
// names of a missing value.
func parseNumber(cell []byte) (float64, outcome) {
	cell = trimSpaces(cell)
	if value, end, ok := scanNumber(cell, 0, 0); ok && end == len(cell) {
		return value, isNumber
	}
	if isMissingName(cell) {
		return math.NaN(), isMissing
	}
	if !decimalSyntax(cell) {
		if isInfinityName(cell) {
			return math.NaN(), isNotFinite
		}
		return math.NaN(), isNotNumber
	}
	value, err := strconv.ParseFloat(unsafe.String(unsafe.SliceData(cell), len(cell)), 64)
	if err != nil { // the syntax is right, so it is the range
		return math.NaN(), isNotFinite
	}
	return value, isNumber
}

func trimSpaces(b []byte) []byte {
	for len(b) > 0 && (b[0] == ' ' || b[0] == '\t') {
		b = b[1:]
	}
	for len(b) > 0 && (b[len(b)-1] == ' ' || b[len(b)-1] == '\t') {
		b = b[:len(b)-1]
	}
	return b
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

// isMissingName tells the spellings of a missing number, in any case: nothing, NA, N/A, NaN, null, None.
func isMissingName(b []byte) bool {
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

// parseBool reads true or false in any case.
func parseBool(cell []byte) (value, ok bool) {
	cell = trimSpaces(cell)
	if equalFold(cell, "true") {
		return true, true
	}
	return false, equalFold(cell, "false")
}
