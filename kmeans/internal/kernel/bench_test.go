package kernel

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// peakRate measures the float32 FMAs per nanosecond of one core at this moment, so that shares of it can
// be told from a noisy machine.
func peakRate(t Tier) float64 {
	const rounds = 1 << 20
	best := 0.0
	for range 5 {
		start := time.Now()
		lanes := peakFMAs(t, rounds)
		best = max(best, float64(lanes)/float64(time.Since(start).Nanoseconds()))
	}
	return best
}

var benchShapes = []struct{ d, k, n int }{
	{4, 8, 4096}, {4, 8, 2 << 20}, {8, 8, 4096}, {8, 8, 1 << 20}, {3, 5, 4096}, {8, 20, 4096}, {16, 20, 4096},
	{16, 20, 1 << 19}, {14, 127, 4096}, {50, 200, 4096}, {100, 500, 4096}, {768, 2000, 512},
}

func BenchmarkNearest(b *testing.B) {
	for _, tier := range Available() {
		if tier == Portable && len(available) > 1 {
			continue
		}
		for _, s := range benchShapes {
			b.Run(fmt.Sprintf("%v/d=%d/k=%d/n=%d", tier, s.d, s.k, s.n), func(b *testing.B) {
				r := rand.New(rand.NewPCG(1, 2))
				blocks := scenarios[0].values(r, s.n*s.d)
				var p Panel
				tier.Pack(&p, scenarios[0].values(r, s.k*s.d), s.k, s.d)
				best, index := make([]float32, min(s.n, 4096)), make([]int32, min(s.n, 4096))
				p.Nearest(blocks, best, index, 0, true)
				peak := peakRate(tier)
				least := time.Duration(math.MaxInt64)
				b.ResetTimer()
				for range b.N {
					start := time.Now()
					for from := 0; from < s.n; from += len(best) {
						p.Nearest(blocks[from*s.d:], best, index, 0, true)
					}
					least = min(least, time.Since(start))
				}
				perPoint := float64(least.Nanoseconds()) / float64(s.n)
				b.ReportMetric(perPoint, "ns/point")
				b.ReportMetric(100*float64(s.k*s.d)/perPoint/max(peak, peakRate(tier)), "%peak")
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}
