package exact

import (
	"bytes"
	"encoding"
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/hostile"
)

// codec is what the three types share.
type codec interface {
	encoding.BinaryMarshaler
	encoding.BinaryUnmarshaler
}

func TestEncodingsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m Moments
		m.AddSlice(rapid.SliceOfN(finite, 0, 20).Draw(t, "x"))
		var b Bins
		b.AddSlice(rapid.SliceOfN(distance, 0, 20).Draw(t, "distances"))
		if rapid.Bool().Draw(t, "infinite") {
			m.Sum.Add(math.Inf(-1))
			b.Add(float32(math.Inf(1)))
		}
		for _, pair := range [][2]codec{{&m, new(Moments)}, {&m.Sum, new(Sum)}, {&b, new(Bins)}} {
			first, err := pair[0].MarshalBinary()
			if err != nil {
				t.Fatal(err)
			}
			if err := pair[1].UnmarshalBinary(first); err != nil {
				t.Fatalf("%T: %v", pair[0], err)
			}
			second, _ := pair[1].MarshalBinary()
			if diff := cmp.Diff(first, second); diff != "" {
				t.Fatalf("%T changed on its way (-first +second):\n%s", pair[0], diff)
			}
		}
	})
}

func TestDamagedEncodingsAreRefused(t *testing.T) {
	tests := []struct {
		name string
		into codec
		data []byte
	}{
		{"empty", new(Sum), nil},
		{"other type", new(Sum), []byte{'b', 0, 0, 0}},
		{"unknown flag", new(Sum), []byte{'s', 0x40, 0, 0}},
		{"negative zero", new(Sum), []byte{'s', 0x80, 0, 0}},
		{"zero with a place", new(Sum), []byte{'s', 0, 1, 0}},
		{"beyond the end", new(Sum), []byte{'s', 0, 136, 1, 1, 0, 0, 0}},
		{"sign bit of the last chunk", new(Sum), []byte{'s', 0, 135, 1, 0, 0, 0, 0x80}},
		{"cut short", new(Sum), []byte{'s', 0, 0, 1, 1, 0, 0}},
		{"too long", new(Sum), []byte{'s', 0, 0, 0, 1}},
		{"leading zero", new(Sum), []byte{'s', 0, 0, 1, 0, 0, 0, 0}},
		{"negative distances", new(Bins), []byte{'b', 0x80, 0, 1, 1, 0, 0, 0}},
		{"beyond the last bin", new(Bins), []byte{'b', 0, 13, 1, 1, 0, 0, 0}},
		{"no header", new(Moments), []byte{'m'}},
		{"no sums", new(Moments), append([]byte{'m'}, make([]byte, 26)...)},
		{"size beyond the end", new(Moments), append(append([]byte{'m'}, make([]byte, 24)...), 9, 0, 's', 0, 0, 0)},
	}
	for _, test := range tests {
		before, _ := test.into.MarshalBinary()
		err := test.into.UnmarshalBinary(test.data)
		var format *FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: error is %v, want a *FormatError", test.name, err)
		}
		if after, _ := test.into.MarshalBinary(); !bytes.Equal(before, after) {
			t.Errorf("%s: value changed from %x to %x", test.name, before, after)
		}
	}
}

// fuzzCodec holds that whatever is accepted is canonical: it encodes to the same bytes.
func fuzzCodec(f *testing.F, fresh func() codec, seeds ...codec) {
	for _, s := range seeds {
		b, _ := s.MarshalBinary()
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		hostile.Ceiling(t, len(data), 64<<10, 16, func() {
			v := fresh()
			if v.UnmarshalBinary(data) != nil {
				return
			}
			if back, _ := v.MarshalBinary(); !bytes.Equal(back, data) {
				t.Errorf("accepted %x, but it encodes to %x", data, back)
			}
		})
	})
}

func seedMoments() *Moments {
	var m Moments
	m.AddSlice([]float64{1, -2.5, 1e300, 5e-324, -1e300})
	return &m
}

func FuzzSumUnmarshalBinary(f *testing.F) {
	fuzzCodec(f, func() codec { return new(Sum) }, new(Sum), &seedMoments().Sum, &seedMoments().Squares)
}

func FuzzMomentsUnmarshalBinary(f *testing.F) {
	fuzzCodec(f, func() codec { return new(Moments) }, new(Moments), seedMoments())
}

func FuzzBinsUnmarshalBinary(f *testing.F) {
	var b Bins
	b.AddSlice([]float32{1, 2.5, 1e38, 1e-45})
	fuzzCodec(f, func() codec { return new(Bins) }, new(Bins), &b)
}
