package decimal

import (
	"math"
	"math/bits"
	"strconv"
	"time"
)

// AppendFloat appends the shortest decimal that parses back to the same float of the given size (32 or 64): plain
// digits from 1e-6 up to 1e21, an exponent beyond, as JSON and JavaScript write numbers. NaN appends nothing:
// a missing value is an empty cell.
func AppendFloat(dst []byte, v float64, size int) []byte {
	if v != v {
		return dst
	}
	a := math.Abs(v)
	if a < 1<<53 && v == math.Trunc(v) && (v != 0 || !math.Signbit(v)) && (size == 64 || a < 1<<24) {
		return strconv.AppendInt(dst, int64(v), 10)
	}
	small, large := a < 1e-6, a >= 1e21
	if size == 32 {
		small, large = float32(a) < 1e-6, float32(a) >= 1e21
	}
	if a == 0 || !small && !large {
		return strconv.AppendFloat(dst, v, 'f', -1, size)
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, v, 'e', -1, size)
	// 1e-07 becomes 1e-7.
	if n := len(dst); n-start >= 4 && dst[n-4] == 'e' && dst[n-2] == '0' {
		dst[n-2] = dst[n-1]
		dst = dst[:n-1]
	}
	return dst
}

// AppendScaled appends v·10^-scale for scale ≥ 0, all its decimals kept: AppendScaled(nil, -5, 2) is "-0.05".
func AppendScaled(dst []byte, v int64, scale int) []byte {
	if v < 0 {
		dst = append(dst, '-')
	}
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	return appendPoint(dst, strconv.AppendUint(make([]byte, 0, 20), u, 10), scale)
}

// AppendDigits is AppendScaled for an integer given by its digits, without leading zeros, with an optional minus.
func AppendDigits(dst []byte, digits []byte, scale int) []byte {
	if len(digits) > 0 && digits[0] == '-' {
		dst, digits = append(dst, '-'), digits[1:]
	}
	return appendPoint(dst, digits, scale)
}

func appendPoint(dst, digits []byte, scale int) []byte {
	if scale == 0 {
		return append(dst, digits...)
	}
	whole := len(digits) - scale
	if whole <= 0 {
		dst = append(dst, '0')
	} else {
		dst = append(dst, digits[:whole]...)
		digits = digits[whole:]
		whole = 0
	}
	dst = append(dst, '.')
	for ; whole < 0; whole++ {
		dst = append(dst, '0')
	}
	return append(dst, digits...)
}

// powers are the powers of ten that a float64 holds exactly.
var powers = [...]float64{1, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16,
	1e17, 1e18, 1e19, 1e20, 1e21, 1e22}

// Scaled is the float64 nearest to v·10^-scale, scale ≥ 0.
func Scaled(v int64, scale int) float64 {
	u := uint64(v)
	if v < 0 {
		u = -u
	}
	if scale == 0 {
		return float64(v)
	}
	// Two exact operands and one division: rounded once.
	if bits.Len64(u) <= 53 && scale < len(powers) {
		return float64(v) / powers[scale]
	}
	f, _ := strconv.ParseFloat(string(AppendScaled(nil, v, scale)), 64) // its text is well formed, and it cannot overflow
	return f
}

// AppendDate appends a day, counted from 1970-01-01, as "2024-01-31".
func AppendDate(dst []byte, day int64) []byte {
	return time.Unix(0, 0).UTC().AddDate(0, 0, int(day)).AppendFormat(dst, "2006-01-02")
}

// AppendTime appends a time in microseconds since 1970-01-01 UTC as RFC 3339, with as many decimals as it has:
// "2024-01-31T12:00:00Z".
func AppendTime(dst []byte, micros int64) []byte {
	return time.UnixMicro(micros).UTC().AppendFormat(dst, "2006-01-02T15:04:05.999999Z07:00")
}
