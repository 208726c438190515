package decimal

import (
	"math"
	"math/big"
	"regexp"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestFloatsHaveTheTextOfJSON(t *testing.T) {
	for _, c := range []struct {
		v    float64
		size int
		want string
	}{
		{0, 64, "0"}, {math.Copysign(0, -1), 64, "-0"}, {1, 64, "1"}, {-1.5, 64, "-1.5"}, {0.1, 64, "0.1"},
		{float64(float32(0.1)), 32, "0.1"}, {float64(float32(0.1)), 64, "0.10000000149011612"},
		{1e-6, 64, "0.000001"}, {9.5e-7, 64, "9.5e-7"}, {float64(float32(1e-6)), 32, "0.000001"}, {1e20, 64, "100000000000000000000"},
		{1e21, 64, "1e+21"}, {1.5e300, 64, "1.5e+300"}, {5e-324, 64, "5e-324"}, {math.NaN(), 64, ""},
		{16777216, 32, "16777216"}, {float64(float32(33554433)), 32, "33554432"}, {1 << 53, 64, "9007199254740992"},
		{123456789, 64, "123456789"},
	} {
		if got := string(AppendFloat([]byte("<"), c.v, c.size)); got != "<"+c.want {
			t.Errorf("%v (%d bits): got %s, want <%s", c.v, c.size, got, c.want)
		}
	}
}

func TestFloatsReadBackToTheSameBits(t *testing.T) {
	sound := regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?(e[+-][1-9][0-9]*)?$`)
	rapid.Check(t, func(t *rapid.T) {
		v := math.Float64frombits(rapid.Uint64().Draw(t, "bits"))
		w := math.Float32frombits(rapid.Uint32().Draw(t, "bits32"))
		if !math.IsNaN(v) && !math.IsInf(v, 0) {
			text := string(AppendFloat(nil, v, 64))
			got, err := strconv.ParseFloat(text, 64)
			if err != nil || math.Float64bits(got) != math.Float64bits(v) || !sound.MatchString(text) {
				t.Fatalf("%x: text %s reads as %x, %v", v, text, got, err)
			}
		}
		if w == w && !math.IsInf(float64(w), 0) {
			text := string(AppendFloat(nil, float64(w), 32))
			got, err := strconv.ParseFloat(text, 32)
			if err != nil || math.Float32bits(float32(got)) != math.Float32bits(w) || !sound.MatchString(text) {
				t.Fatalf("%x: text %s reads as %x, %v", w, text, got, err)
			}
		}
	})
}

func TestScaledIntegersAreExactTextAndNearestFloat(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.Int64().Draw(t, "v")
		scale := rapid.IntRange(0, 40).Draw(t, "scale")
		want := new(big.Rat).SetFrac(big.NewInt(v), new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		text := string(AppendScaled(nil, v, scale))
		if got, ok := new(big.Rat).SetString(text); !ok || got.Cmp(want) != 0 {
			t.Fatalf("%d scale %d: text %s", v, scale, text)
		}
		nearest, _ := want.Float64()
		if got := Scaled(v, scale); got != nearest {
			t.Fatalf("%d scale %d: got %v, want %v", v, scale, got, nearest)
		}
	})
	for _, c := range []struct {
		v     int64
		scale int
		want  string
	}{{-5, 2, "-0.05"}, {0, 2, "0.00"}, {12345, 2, "123.45"}, {math.MinInt64, 0, "-9223372036854775808"}} {
		if got := string(AppendScaled(nil, c.v, c.scale)); got != c.want {
			t.Errorf("%d scale %d: got %s, want %s", c.v, c.scale, got, c.want)
		}
	}
}

func TestDatesAndTimes(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{string(AppendDate(nil, 0)), "1970-01-01"},
		{string(AppendDate(nil, -1)), "1969-12-31"},
		{string(AppendDate(nil, 19753)), "2024-01-31"},
		{string(AppendTime(nil, 0)), "1970-01-01T00:00:00Z"},
		{string(AppendTime(nil, -1)), "1969-12-31T23:59:59.999999Z"},
		{string(AppendTime(nil, time.Date(2024, 1, 31, 12, 0, 0, 500e6, time.UTC).UnixMicro())), "2024-01-31T12:00:00.5Z"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
