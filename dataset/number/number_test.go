package number

import (
	"math"
	"math/big"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestNumbersOfAnyLengthAgreeWithStrconv(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 200_000 {
		text := make([]byte, 1+random.IntN(22))
		for i := range text {
			text[i] = '0' + byte(random.IntN(10))
		}
		if point := random.IntN(2 * len(text)); point < len(text) && len(text) > 1 {
			text[point] = '.'
		}
		want, err := strconv.ParseFloat(string(text), 64)
		if err != nil {
			t.Fatal(err)
		}
		if got, what := Parse(text); what != Finite || got != want {
			t.Fatalf("%q is %v (%d), want %v", text, got, what, want)
		}
		// What lies behind the line in the buffer is not part of it.
		n := random.IntN(len(text) + 1)
		if _, end, ok := Scan(text[:n], 0, ','); ok && end != n {
			t.Fatalf("%q of %q ends at %d", text[:n], text, end)
		}
	}
}

func TestNumbersAreTheNearestFloat64(t *testing.T) {
	for text, want := range map[string]float64{
		"0": 0, "-0": math.Copysign(0, -1), "12345678901234567890": 12345678901234567890, "0.1": 0.1, ".5": .5, "5.": 5, "+7": 7, " 8\t": 8,
		"9007199254740993": 9007199254740993, "1e22": 1e22, "1E-5": 1e-5, "123456789.123456789": 123456789.123456789,
		"0.30000000000000004": 0.30000000000000004, "4.9e-324": 4.9e-324, "1e-400": 0, "1.7976931348623157e308": math.MaxFloat64,
		"00000000000000000000001.5": 1.5, "18446744073709551621": 18446744073709551621, "184467440737095516.21": 184467440737095516.21, "12345678": 12345678, "1234567.8": 1234567.8,
	} {
		got, what := Parse([]byte(text))
		if what != Finite || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%q is %v (%d), want %v", text, got, what, want)
		}
	}
	for text, want := range map[string]Outcome{
		"": Missing, "NA": Missing, "n/a": Missing, "NaN": Missing, "NULL": Missing, "none": Missing, "  ": Missing, "\u00a0": Missing,
		"inf": NotFinite, "-Infinity": NotFinite, "1e309": NotFinite,
		"-": NotNumber, ".": NotNumber, "1e": NotNumber, "1 2": NotNumber, "0x1": NotNumber, "1_000": NotNumber, "--1": NotNumber,
		"-nan": NotNumber, "1\x00": NotNumber, "1,5": NotNumber,
	} {
		if _, what := Parse([]byte(text)); what != want {
			t.Errorf("%q is outcome %d, want %d", text, what, want)
		}
	}
}

// nearest is the float64 nearest to a decimal number, by way of its exact value.
func nearest(t *rapid.T, text string) float64 {
	exact, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is not a number", text)
	}
	v, _ := exact.Float64()
	return v
}

func TestQuotientsOfUpTo19DigitsAreRoundedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		significand := rapid.Uint64Range(1, 9_999_999_999_999_999_999).Draw(t, "significand")
		if rapid.Bool().Draw(t, "near a middle") { // 54 bits, the last of them set
			significand = significand>>10 | 1<<53 | 1
		}
		places := rapid.IntRange(0, 19).Draw(t, "places")
		text := strconv.FormatUint(significand, 10)
		if pad := places + 1 - len(text); pad > 0 {
			text = strings.Repeat("0", pad) + text
		}
		text = text[:len(text)-places] + "." + text[len(text)-places:]
		want := nearest(t, text)
		if got := quotient(significand, wholeTens[places]); got != want {
			t.Fatalf("%s is %v, want %v", text, got, want)
		}
		if got, end, ok := Scan([]byte(text), 0, ','); ok && (got != want || end != len(text)) {
			t.Fatalf("%s scans as %v up to %d, want %v", text, got, end, want)
		}
	})
}

func TestNumbersOfThousandsOfDigitsAreTheNearestFloat64(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digit := rapid.SampledFrom([]string{"0", "1", "5", "9"})
		whole := strings.Repeat(digit.Draw(t, "whole"), rapid.IntRange(0, 1200).Draw(t, "whole digits"))
		part := "0" + strings.Repeat(digit.Draw(t, "part"), rapid.IntRange(0, 1200).Draw(t, "decimals")) + digit.Draw(t, "last")
		exponent := rapid.IntRange(-1600, 300).Draw(t, "exponent")
		text := rapid.SampledFrom([]string{"", "-", "+"}).Draw(t, "sign") + whole + "." + part + "e" + strconv.Itoa(exponent)
		want := nearest(t, text)
		got, what := Parse([]byte(text))
		if math.IsInf(want, 0) {
			if what != NotFinite {
				t.Fatalf("%s is %v (%d), want no finite number", text, got, what)
			}
		} else if what != Finite || got != want {
			t.Fatalf("%s is %v (%d), want %v", text, got, what, want)
		}
	})
}

func TestNumbersOfThousandsOfDigitsKeepTheirExponent(t *testing.T) {
	many := strings.Repeat("1", 3000)
	for text, want := range map[string]float64{
		many + "e-3322": 1e-323, many + "e-3217": 1.111111111111111e-218, "-" + many + "e-99999999999999999999": math.Copysign(0, -1),
		strings.Repeat("0", 3000) + "e5": 0, "0." + strings.Repeat("0", 3000) + "25e3001": 2.5,
	} {
		got, what := Parse([]byte(text))
		if what != Finite || math.Float64bits(got) != math.Float64bits(want) {
			t.Errorf("%.9s… (%d bytes) is %v (%d), want %v", text, len(text), got, what, want)
		}
	}
}

// FuzzNumber compares with strconv: the same value wherever both see a decimal
func FuzzNumber(f *testing.F) {
	for _, seed := range []string{"1.5", "-0", "12345678901234567890", "1e400", "9007199254740993", ".5e-3", "123456789.12345678", "0x1p4", "1_0"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		// The library that it is compared with takes some for long numbers.
		hostile.Ceiling(t, len(text), 256<<10, 1<<10, func() {
			// In a buffer with digits behind it, as a cell has.
			buffer := append([]byte(text), ",99999999999"...)
			got, what := Parse(buffer[:len(text)])
			want, err := strconv.ParseFloat(text, 64)
			lower := strings.ToLower(text)
			if err == nil && !strings.ContainsAny(lower, "xpn_i") { // not hexadecimal, grouped, infinite or NaN
				if what != Finite || math.Float64bits(got) != math.Float64bits(want) {
					t.Fatalf("%q is %v (%d), want %v", text, got, what, want)
				}
			} else if what == Finite {
				if trimmed, err := strconv.ParseFloat(strings.TrimSpace(text), 64); err != nil || math.Float64bits(got) != math.Float64bits(trimmed) {
					t.Fatalf("%q is %v, but strconv says %v", text, got, err)
				}
			}
			value, end, ok := Scan(buffer, 0, ',')
			if ok && (end > len(text) || math.Float64bits(value) != math.Float64bits(mustFloat(t, text[:end]))) {
				t.Fatalf("%q scans as %v up to %d", text, value, end)
			}
		})
	})
}

func mustFloat(t *testing.T, text string) float64 {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		t.Fatalf("%q is scanned as a number: %v", text, err)
	}
	return v
}
