package wire

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans"
)

// benchmarkSums are k×d sums of some ten thousand rows of 39-bit values a cluster.
func benchmarkSums(k, d int) *kmeans.Sums {
	r := rand.New(rand.NewPCG(1, 2))
	s := kmeans.NewSums(k, d, false)
	for j := range s.Counts {
		s.Counts[j] = 5000 + r.Int64N(10_000)
		for t := range d {
			s.Values[j*d+t] = exact.FromInt64(int64(r.NormFloat64() * (1 << 36) * float64(s.Counts[j])))
		}
	}
	return s
}

// BenchmarkPartial is the answer to an iteration of 1000×100: what a worker encodes, and what the coordinator decodes
// and merges. Bytes are those of the sums without packing; "wire-bytes" is what travels.
func BenchmarkPartial(b *testing.B) {
	const k, d = 1000, 100
	p := &Partial{Sums: benchmarkSums(k, d), Moved: 12345}
	context := Context{Kind: Iterate, K: k, D: d}
	size := int64(k * d * p.Sums.Pack().Width)
	for _, packing := range []Packing{PackNone, PackS2, PackZstd} {
		data, err := EncodePartial(p, packing)
		if err != nil {
			b.Fatal(err)
		}
		name := string(packing)
		if packing == PackNone {
			name = "none"
		}
		b.Run(fmt.Sprintf("packing=%s/encode", name), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportMetric(float64(len(data)), "wire-bytes")
			b.ReportAllocs()
			for range b.N {
				if _, err := EncodePartial(p, packing); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("packing=%s/decode", name), func(b *testing.B) {
			b.SetBytes(size)
			b.ReportAllocs()
			for range b.N {
				if _, err := DecodePartial(data, context); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(fmt.Sprintf("packing=%s/decode+merge", name), func(b *testing.B) {
			b.SetBytes(size)
			whole := new(Partial)
			for range b.N {
				answer, err := DecodePartial(data, context)
				if err != nil {
					b.Fatal(err)
				}
				whole.Merge(answer)
			}
		})
	}
}
