package segment

import (
	"math"
	"strconv"
	"strings"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// minus is the typographic minus sign, which is as wide as a plus in tables.
const minus = "−"

// number renders a quantity for people: three significant figures or all digits before the point, thousands
// separated by commas.
func number(x float64) string {
	switch {
	case math.IsNaN(x):
		return "–"
	case math.IsInf(x, 1):
		return "∞"
	case math.IsInf(x, -1):
		return minus + "∞"
	case x == 0:
		return "0"
	}
	a := math.Abs(x)
	var s string
	switch {
	case a >= 1e12 || a < 0.001:
		s = strconv.FormatFloat(a, 'g', 3, 64)
	case a >= 99.95:
		s = commas(strconv.FormatFloat(a, 'f', 0, 64))
	case a >= 9.995:
		s = trimZeros(strconv.FormatFloat(a, 'f', 1, 64))
	case a >= 0.0995:
		s = trimZeros(strconv.FormatFloat(a, 'f', 2, 64))
	default:
		s = trimZeros(strconv.FormatFloat(a, 'f', 4, 64))
	}
	if x < 0 {
		return minus + s
	}
	return s
}

// rough is number for running text: two significant figures below 100, three above.
func rough(x float64) string {
	figures := 2
	if math.Abs(x) >= 99.5 {
		figures = 3
	}
	if rounded, err := strconv.ParseFloat(strconv.FormatFloat(x, 'e', figures-1, 64), 64); err == nil {
		return number(rounded)
	}
	return number(x)
}

// precise is number for tables of figures that people compare to their last decimal: four of them below ten.
func precise(x float64) string {
	a, decimals := math.Abs(x), 0
	switch {
	case math.IsNaN(x) || math.IsInf(x, 0) || a >= 1e12 || a != 0 && a < 0.001:
		return number(x)
	case a < 10:
		decimals = 4
	case a < 1000:
		decimals = 2
	case a < 1e5:
		decimals = 1
	}
	whole, fraction, _ := strings.Cut(strconv.FormatFloat(a, 'f', decimals, 64), ".")
	s := commas(whole)
	if fraction != "" {
		s += "." + fraction
	}
	if x < 0 {
		return minus + s
	}
	return s
}

// count renders a whole number with thousands separators.
func count(n int64) string {
	if n < 0 {
		return minus + commas(strconv.FormatUint(-uint64(n), 10))
	}
	return commas(strconv.FormatInt(n, 10))
}

// percent renders a share of 0..1; a share that is small but not zero never reads as 0.
func percent(share float64) string {
	p := 100 * share
	switch {
	case math.IsNaN(share):
		return "–"
	case p == 0:
		return "0 %"
	case p > 0 && p < 0.05:
		return "<0.1 %"
	case math.Abs(p) < 9.95:
		return strings.Replace(strconv.FormatFloat(p, 'f', 1, 64), "-", minus, 1) + " %"
	}
	return strings.Replace(strconv.FormatFloat(p, 'f', 0, 64), "-", minus, 1) + " %"
}

// signed renders an effect with its sign and one decimal.
func signed(x float64) string {
	if math.IsNaN(x) {
		return "–"
	}
	s := strconv.FormatFloat(math.Abs(x), 'f', 1, 64)
	switch {
	case s == "0.0":
		return "0"
	case x < 0:
		return minus + s
	}
	return "+" + s
}

func commas(digits string) string {
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	return b.String()
}

func trimZeros(s string) string {
	if strings.Contains(s, ".") {
		s = strings.TrimRight(strings.TrimRight(s, "0"), ".")
	}
	return s
}

// plain makes text from a file safe to print: control characters (a terminal would obey them), marks that
// turn the direction of writing, and invalid bytes become U+FFFD.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ToValidUTF8(s, string(unicode.ReplacementChar)))
}

// cells measures text in terminal cells whatever the locale of the process, so that a table is the same
// everywhere.
var cells = &runewidth.Condition{EastAsianWidth: false, StrictEmojiNeutral: true}

// fit cuts text to at most width cells, ending in … where something was cut.
func fit(s string, width int) string {
	if width <= 0 {
		return ""
	}
	return cells.Truncate(s, width, "…")
}

// pad fills text up to width cells, on the left for numbers and on the right for words.
func pad(s string, width int, left bool) string {
	gap := width - cells.StringWidth(s)
	if gap <= 0 {
		return s
	}
	if left {
		return strings.Repeat(" ", gap) + s
	}
	return s + strings.Repeat(" ", gap)
}

// fitParts joins as many parts as fit into width cells; where not even the first one does, it is cut.
func fitParts(parts []string, separator string, width int) string {
	text := fit(parts[0], width)
	for n := 2; n <= len(parts); n++ {
		longer := strings.Join(parts[:n], separator)
		if cells.StringWidth(longer) > width {
			break
		}
		text = longer
	}
	return text
}
