package parquet

import (
	"math"
	"math/big"
	"slices"
	"testing"

	twin "github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/rle"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/dataset"
)

// pieceSizes draws how many values to pull at a time.
func pieceSizes(t *rapid.T, n int) []int {
	var sizes []int
	for left := n; left > 0; {
		size := rapid.IntRange(1, left).Draw(t, "piece")
		sizes = append(sizes, size)
		left -= size
	}
	return sizes
}

// parquet-go's encoders are the twin: what they write, any cut into pieces reads back.
func TestHybridDecodesWhatTheLibraryEncodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		width := rapid.IntRange(1, 31).Draw(t, "width")
		run := rapid.SliceOfN(rapid.Int32Range(0, 1<<width-1), 1, 40)
		var want []int32
		for range rapid.IntRange(1, 6).Draw(t, "runs") {
			if rapid.Bool().Draw(t, "repeat") {
				v := rapid.Int32Range(0, 1<<width-1).Draw(t, "value")
				for range rapid.IntRange(1, 100).Draw(t, "times") {
					want = append(want, v)
				}
			} else {
				want = append(want, run.Draw(t, "values")...)
			}
		}
		encoded, err := (&rle.Encoding{BitWidth: width}).EncodeInt32(nil, want)
		if err != nil {
			t.Skip(err)
		}
		h, err := newHybrid(encoded, uint(width))
		if err != nil {
			t.Fatal(err)
		}
		var got []int32
		for _, size := range pieceSizes(t, len(want)) {
			piece := make([]uint32, size)
			if v, ok := h.constant(size); ok {
				for i := range piece {
					piece[i] = v
				}
			} else if err := h.pull(piece); err != nil {
				t.Fatal(err)
			}
			for _, v := range piece {
				got = append(got, int32(v))
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("width %d\ngot  %v\nwant %v", width, got, want)
		}
	})
}

func TestDeltaDecodesWhatTheLibraryEncodes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-100, 100), rapid.Just(int64(math.MaxInt64)), rapid.Just(int64(math.MinInt64)))
		want := rapid.SliceOfN(value, 1, 700).Draw(t, "values")
		encoded, err := new(twin.BinaryPackedEncoding).EncodeInt64(nil, want)
		if err != nil {
			t.Fatal(err)
		}
		trailer := []byte("what follows")
		d, err := newDelta(append(encoded, trailer...))
		if err != nil {
			t.Fatal(err)
		}
		rest, err := d.rest()
		if err != nil || string(rest) != string(trailer) {
			t.Fatalf("rest: got %q, %v; want %q", rest, err, trailer)
		}
		var got []int64
		for _, size := range pieceSizes(t, len(want)) {
			piece := make([]int64, size)
			if err := d.pull(piece); err != nil {
				t.Fatal(err)
			}
			got = append(got, piece...)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got  %v\nwant %v", got, want)
		}
		if err := d.pull(make([]int64, 1)); err == nil {
			t.Fatal("a value more than there are was decoded")
		}
	})
}

func TestUnpackAgreesWithBitsAt(t *testing.T) {
	packed := make([]byte, 67)
	for i := range packed {
		packed[i] = byte(i*151 + 7)
	}
	for width := uint(1); width <= 32; width++ {
		n := len(packed) * 8 / int(width)
		got := make([]uint32, n)
		unpack(got, packed, 0, width)
		for i := range got {
			if want := uint32(bitsAt(packed, uint(i)*width, width)); got[i] != want {
				t.Fatalf("width %d, value %d: got %x, want %x", width, i, got[i], want)
			}
		}
	}
}

func TestFloat16WidensExactly(t *testing.T) {
	for _, c := range []struct {
		bits uint16
		want float64
	}{
		{0x0000, 0}, {0x3c00, 1}, {0xc000, -2}, {0x7bff, 65504}, {0x0001, 0x1p-24}, {0x03ff, 1023 * 0x1p-24},
		{0x0400, 0x1p-14}, {0x3555, 0.333251953125}, {0x7c00, math.Inf(1)}, {0xfc00, math.Inf(-1)},
	} {
		if got := float64(float16(c.bits)); got != c.want {
			t.Errorf("%#04x: got %v, want %v", c.bits, got, c.want)
		}
	}
	if v := float16(0x7e00); v == v {
		t.Errorf("0x7e00: got %v, want NaN", v)
	}
	if v := float16(0x8000); v != 0 || !math.Signbit(float64(v)) {
		t.Errorf("0x8000: got %v, want -0", v)
	}
}

func TestWideDecimalsKeepAllDigits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cell := rapid.SliceOfN(rapid.Byte(), 1, maxDecimal).Draw(t, "bytes")
		scale := rapid.IntRange(0, 40).Draw(t, "scale")
		text, reason := appendWide(nil, cell, scale)
		if reason != "" {
			t.Fatal(reason)
		}
		v := new(big.Int).SetBytes(cell)
		if cell[0] >= 0x80 {
			v.Sub(v, new(big.Int).Lsh(big.NewInt(1), uint(8*len(cell))))
		}
		want := new(big.Rat).SetFrac(v, new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(scale)), nil))
		got, ok := new(big.Rat).SetString(string(text))
		if !ok || got.Cmp(want) != 0 {
			t.Fatalf("%x scale %d: got %s, want %s", cell, scale, text, want.FloatString(scale))
		}
	})
}

func TestNumbersInTexts(t *testing.T) {
	for _, c := range []struct {
		text, reason string
		want         float64
	}{
		{"1.5", "", 1.5}, {" -2e3 ", "", -2000}, {"+7", "", 7}, {"", "", math.NaN()}, {"N/A", "", math.NaN()},
		{"0x10", `not a number: "0x10"`, 0}, {"1_000", `not a number: "1_000"`, 0}, {"abc", `not a number: "abc"`, 0},
		{"1e999", notFinite("1e999"), 0}, {"-Inf", notFinite("-Inf"), 0}, {"--1", `not a number: "--1"`, 0},
	} {
		got, reason := parseNumber([]byte(c.text))
		if reason != c.reason || reason == "" && got != c.want && !(math.IsNaN(got) && math.IsNaN(c.want)) {
			t.Errorf("%q: got %v %q, want %v %q", c.text, got, reason, c.want, c.reason)
		}
	}
}

func TestInt96TimesBeyondTheRangeAreRefused(t *testing.T) {
	row := func(nanos int64, day uint32) []byte {
		b := make([]byte, 12)
		for i := range 8 {
			b[i] = byte(nanos >> (8 * i))
		}
		for i := range 4 {
			b[8+i] = byte(day >> (8 * i))
		}
		return b
	}
	for _, c := range []struct {
		nanos int64
		day   uint32
		want  int64
		ok    bool
	}{
		{0, julianDayEpoch, 0, true},
		{-1, julianDayEpoch, -1, true}, // rounded down
		{1_999, julianDayEpoch + 1, microsPerDay + 1, true},
		{0, math.MaxInt32, 0, false},
		{math.MaxInt64, julianDayEpoch + 106_751_990, 0, false},
	} {
		col := column{leaf: &leaf{means: meansInt96}, text: dataset.Strings{Data: row(c.nanos, c.day), Offsets: []int{0, 12}}}
		got, ok := col.micros(0)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%d ns of day %d: got %d %v, want %d %v", c.nanos, c.day, got, ok, c.want, c.ok)
		}
	}
}

func TestIDsThatAreNotUTF8AreRefusedAndEmptied(t *testing.T) {
	s := dataset.Strings{Data: []byte("ü\xff\xc3\xbcb"), Offsets: []int{0, 2, 3, 4, 5, 6}} // an ü cut in two is none
	bad := refuseTexts(&s, true)
	if len(bad) != 3 || bad[0].index != 1 || bad[0].reason != `not UTF-8 text: "\xff"` || bad[2].index != 3 {
		t.Errorf("got %+v, want rows 1, 2 and 3", bad)
	}
	if want := []int{0, 2, 2, 2, 2, 3}; string(s.Data) != "üb" || !slices.Equal(s.Offsets, want) {
		t.Errorf("got %q %v, want üb %v", s.Data, s.Offsets, want)
	}
}

func TestNULBytesAreRefusedAndEmptied(t *testing.T) {
	s := dataset.Strings{Data: []byte("ab\x00cd\x00"), Offsets: []int{0, 1, 3, 5, 5, 6}}
	bad := refuseTexts(&s, false)
	if len(bad) != 2 || bad[0].index != 1 || bad[1].index != 4 {
		t.Errorf("got %+v, want rows 1 and 4", bad)
	}
	var got []string
	for i := range s.Len() {
		got = append(got, string(s.At(i)))
	}
	if want := []string{"a", "", "cd", "", ""}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
