package exact

import (
	"encoding/binary"
	"math"
	"math/big"
	"testing"
)

// mostFuzzed bounds the numbers of an input: exact arithmetic on more takes too long.
const mostFuzzed = 64

// FuzzSum compares sums of any numbers with math/big: added one by one, as a slice and as two halves that are merged.
func FuzzSum(f *testing.F) {
	bytes := func(list ...float64) (data []byte) {
		for _, x := range list {
			data = binary.LittleEndian.AppendUint64(data, math.Float64bits(x))
		}
		return data
	}
	f.Add(bytes(1, -2.5, 1e300, 5e-324, -1e300), uint8(2))
	f.Add(bytes(math.MaxFloat64, math.MaxFloat64, -math.MaxFloat64, 0x1p-1022), uint8(1))
	f.Add(bytes(math.Inf(1), math.Inf(-1), math.NaN()), uint8(0))
	f.Add(bytes(0x1p53, 1, 1, -0x1p53, 0x1.fffffffffffffp-1), uint8(3))
	f.Fuzz(func(t *testing.T, data []byte, cut uint8) {
		var list []float64
		for ; len(data) >= 8 && len(list) < mostFuzzed; data = data[8:] {
			list = append(list, math.Float64frombits(binary.LittleEndian.Uint64(data)))
		}
		at := int(cut) % (len(list) + 1)
		var one, slice, left, right Moments
		var sum Sum
		var finite []float64
		plain := 0.0
		for _, x := range list {
			plain += x
			sum.Add(x)
			one.AddSlice([]float64{x})
			if x-x == 0 {
				finite = append(finite, x)
			}
		}
		slice.AddSlice(list)
		left.AddSlice(list[:at])
		right.AddSlice(list[at:])
		right.Merge(&left)
		want, _ := slice.MarshalBinary()
		for name, m := range map[string]*Moments{"one by one": &one, "in halves": &right} {
			if got, _ := m.MarshalBinary(); string(got) != string(want) {
				t.Fatalf("%x: %s %x, at once %x", list, name, got, want)
			}
		}
		squares := new(big.Rat)
		for _, x := range finite {
			squares.Add(squares, new(big.Rat).Mul(rat(x), rat(x)))
		}
		checkSum(t, &slice.Sum, ratSum(finite))
		checkSum(t, &slice.Squares, squares)
		if len(finite) == len(list) {
			checkSum(t, &sum, ratSum(list))
		} else if got := sum.Float64(); got-got == 0 || !math.IsNaN(plain) && got != plain && !overflows(list) {
			t.Fatalf("%x: got %v, want %v", list, got, plain)
		}
	})
}

// overflows says whether finite numbers alone may become infinite on the way, which an exact sum does not.
func overflows(list []float64) bool {
	for _, x := range list {
		if x-x == 0 && math.Abs(x) > 0x1p1000 {
			return true
		}
	}
	return false
}

// FuzzBins compares sums of distances, each times a weight, with math/big.
func FuzzBins(f *testing.F) {
	f.Add([]byte{0, 0, 0x80, 0x3f, 1, 0, 0, 0, 0xff, 0xff, 0x7f, 0x7f, 0xff, 0xff, 0xff, 0xff})
	f.Add([]byte{1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0})
	f.Fuzz(func(t *testing.T, data []byte) {
		var all, left, right, plain Bins
		want := new(big.Rat)
		var list []float32
		for i := 0; len(data) >= 8 && i < mostFuzzed; data, i = data[8:], i+1 {
			x, weight := math.Float32frombits(binary.LittleEndian.Uint32(data)&0x7fffffff), uint64(binary.LittleEndian.Uint32(data[4:]))
			if x-x != 0 {
				return
			}
			all.AddWeighted(x, weight)
			if i%2 == 0 {
				left.AddWeighted(x, weight)
			} else {
				right.AddWeighted(x, weight)
			}
			list = append(list, x)
			plain.Add(x)
			want.Add(want, new(big.Rat).Mul(rat(float64(x)), new(big.Rat).SetInt(new(big.Int).SetUint64(weight))))
		}
		rounded, _ := want.Float64()
		right.Merge(&left)
		if all.Float64(0) != rounded || right.Float64(0) != rounded {
			t.Fatalf("got %x at once and %x in halves, want %x", all.Float64(0), right.Float64(0), rounded)
		}
		var slice Bins
		slice.AddSlice(list)
		a, _ := slice.MarshalBinary()
		if b, _ := plain.MarshalBinary(); string(a) != string(b) {
			t.Fatalf("%x at once are %x, one by one %x", list, a, b)
		}
	})
}
