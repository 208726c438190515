package capacity

import (
	"errors"
	"math"
	"strconv"
	"strings"
)

// Errors of ParseNetwork, worded to follow the value.
var (
	ErrBandwidth = errors.New("is not a bandwidth such as 25Gb (bits a second) or 3GB (bytes a second)")
	ErrBitOrByte = errors.New("leaves open whether it means bits or bytes: write Gb for bits, GB for bytes")
	ErrRange     = errors.New("must be more than 0 and below a petabyte a second")
)

// mostNetwork is above what any machine has, in bytes a second.
const mostNetwork = 1e15

// prefixes are powers of ten for bits and bytes alike, as networks count; Ki and the others are powers of two.
var prefixes = []struct {
	name   string
	factor float64
}{{"Ki", 1 << 10}, {"Mi", 1 << 20}, {"Gi", 1 << 30}, {"Ti", 1 << 40}, {"k", 1e3}, {"K", 1e3}, {"M", 1e6}, {"m", 1e6}, {"G", 1e9}, {"g", 1e9},
	{"T", 1e12}, {"t", 1e12}, {"", 1}}

// ParseNetwork reads a bandwidth: 25Gb, 25Gbit, 25 Gbit/s, 25Gbps, 25Gb/s are bits, 3GB, 3GB/s and 3GiB/s bytes a second.
// The result is in bytes a second.
func ParseNetwork(text string) (float64, error) {
	s := strings.ReplaceAll(text, " ", "")
	s = strings.TrimSuffix(s, "/s")
	s = strings.TrimSuffix(s, "ps")
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	x, err := strconv.ParseFloat(digits, 64)
	if err != nil || math.IsNaN(x) || math.IsInf(x, 0) || strings.ContainsAny(digits, "xXpP_") {
		return 0, ErrBandwidth
	}
	unit, bits := s[len(digits):], 0.0
	for _, u := range []struct {
		name string
		bits float64
	}{{"bits", 1}, {"bit", 1}, {"bytes", 8}, {"byte", 8}, {"b", 1}, {"B", 8}} {
		if rest, ok := strings.CutSuffix(unit, u.name); ok {
			unit, bits = rest, u.bits
			break
		}
	}
	for _, p := range prefixes {
		switch {
		case unit != p.name:
		case bits == 0:
			return 0, ErrBitOrByte
		case !(x > 0) || x*p.factor*bits/8 > mostNetwork:
			return 0, ErrRange
		default:
			return x * p.factor * bits / 8, nil
		}
	}
	return 0, ErrBandwidth
}

// FormatNetwork renders a bandwidth in bits a second, as networks are sold: 25 Gbit/s.
func FormatNetwork(bytes float64) string {
	bits, unit := bytes*8, "bit/s"
	for _, u := range []string{"kbit/s", "Mbit/s", "Gbit/s", "Tbit/s"} {
		if bits < 1000 {
			break
		}
		bits, unit = bits/1000, u
	}
	return strconv.FormatFloat(bits, 'g', 4, 64) + " " + unit
}
