package kernel

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// numbers are the bytes of float32s.
func numbers(list ...float32) (data []byte) {
	for _, x := range list {
		data = binary.LittleEndian.AppendUint32(data, math.Float32bits(x))
	}
	return data
}

// repeated fills lists with the finite numbers of data, at least four bytes, again and again, with a place more each time around.
func repeated(data []byte) func([]float32) []float32 {
	at := 0
	return func(list []float32) []float32 {
		for i := range list {
			if at+4 > len(data) {
				at = (at + 1) % 4
				at = min(at, len(data)-4)
			}
			x := math.Float32frombits(binary.LittleEndian.Uint32(data[at:]))
			if at += 4; x-x != 0 {
				x = 0
			}
			list[i] = x
		}
		return list
	}
}

// FuzzTiers compares every tier of this machine with plain Go on any finite numbers: by all entry points, with nothing
// written beyond the results.
func FuzzTiers(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(0), numbers(1, 2, 3))
	f.Add(uint8(9), uint8(17), uint8(1), numbers(1e38, -1e38, 0x1p-149, 0x1p-75, 4097, 0x1.000002p12))
	f.Add(uint8(40), uint8(33), uint8(2), numbers(0, 0x1p-63, 0x1.fffffep63, 1, 1, 1))
	f.Fuzz(func(t *testing.T, k, d, groups uint8, data []byte) {
		clusters, columns, n := 1+int(k)%48, 1+int(d)%40, pairPoints*(1+int(groups)%3)
		if len(data) < 4 {
			return
		}
		next := repeated(data)
		blocks, centroids := next(make([]float32, n*columns)), next(make([]float32, clusters*columns))
		want := everything(t, Portable, blocks, centroids, n, clusters, columns)
		for _, tier := range available[:len(available)-1] {
			got := everything(t, tier, blocks, centroids, n, clusters, columns)
			for name, w := range want {
				if diff := cmp.Diff(w, got[name]); diff != "" {
					t.Fatalf("%v, k=%d d=%d: %s (-portable +%v)\n%s", tier, clusters, columns, name, tier, diff)
				}
			}
		}
	})
}

// FuzzFilter holds filters of bytes and of words against the panel, on any finite numbers.
func FuzzFilter(f *testing.F) {
	f.Add(uint8(1), uint8(1), uint8(0), numbers(1, 2, 3))
	f.Add(uint8(9), uint8(60), uint8(1), numbers(1e13, -1e13, 0x1p-149, 0x1p-75, 4097, 0x1.000002p12))
	f.Add(uint8(70), uint8(50), uint8(2), numbers(0, 0.5, 100, 100, 100, 1e-3, 7, 1e6))
	f.Fuzz(func(t *testing.T, k, d, groups uint8, data []byte) {
		clusters, columns, n := 1+int(k)%90, 1+int(d)%80, pairPoints*(1+int(groups)%4)
		if len(data) < 4 {
			return
		}
		next := repeated(data)
		blocks, centroids := next(make([]float32, n*columns)), next(make([]float32, clusters*columns))
		for _, tier := range filterTiers() {
			checkFilter(t, tier, blocks, centroids, n, clusters, columns, groups&4 != 0, "fuzz")
		}
	})
}
