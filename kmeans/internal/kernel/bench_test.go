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

// benchShapes are small and large problems; those of more than a chunk of points come from memory.
var benchShapes = []struct{ d, k, n int }{
	{3, 5, chunk}, {4, 8, chunk}, {4, 8, 2 << 20}, {8, 8, chunk}, {8, 8, 1 << 20}, {8, 20, chunk}, {16, 20, chunk},
	{16, 20, 1 << 19}, {14, 127, chunk}, {50, 200, chunk}, {50, 200, 1 << 17}, {100, 500, 1 << 16}, {100, 500, chunk}, {768, 2000, 512},
}

// measure reports the least time of a call, per point: what the code costs without its neighbours on the
// machine. fmas, per point, are set against the peak rate if not 0.
func measure(b *testing.B, tier Tier, points, fmas int, call func()) {
	call()
	peak := peakRate(tier)
	least := time.Duration(math.MaxInt64)
	b.ResetTimer()
	for range b.N {
		start := time.Now()
		call()
		least = min(least, time.Since(start))
	}
	b.StopTimer()
	perPoint := float64(least.Nanoseconds()) / float64(points)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(perPoint, "ns/point")
	if fmas > 0 {
		b.ReportMetric(100*float64(fmas)/perPoint/max(peak, peakRate(tier)), "%peak")
	}
}

// benchTiers leaves out the portable tier where there is a better one: its speed is not its purpose.
func benchTiers() []Tier { return available[:max(1, len(available)-1)] }

// benchData draws blocks of n points and a panel of k centroids.
func benchData(tier Tier, n, k, d int) (blocks []float32, p *Panel) {
	r := rand.New(rand.NewPCG(1, 2))
	p = new(Panel)
	tier.Pack(p, scenarios[0].values(r, k*d), k, d)
	return scenarios[0].values(r, n*d), p
}

// chunk is how many points a caller gives at a time, so that best and index stay in the cache.
const chunk = 4096

func BenchmarkNearest(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, s := range benchShapes {
			b.Run(fmt.Sprintf("%v/d=%d/k=%d/n=%d", tier, s.d, s.k, s.n), func(b *testing.B) {
				blocks, p := benchData(tier, s.n, s.k, s.d)
				best, index := make([]float32, min(s.n, chunk)), make([]int32, min(s.n, chunk))
				measure(b, tier, s.n, s.k*s.d, func() {
					for from := 0; from < s.n; from += len(best) {
						p.Nearest(blocks[from*s.d:], best, index, 0, true)
					}
				})
			})
		}
	}
}

func BenchmarkTwoNearest(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, s := range benchShapes {
			if s.n > chunk {
				continue
			}
			b.Run(fmt.Sprintf("%v/d=%d/k=%d", tier, s.d, s.k), func(b *testing.B) {
				blocks, p := benchData(tier, s.n, s.k, s.d)
				best, second := make([]float32, s.n), make([]float32, s.n)
				index, secondIndex := make([]int32, s.n), make([]int32, s.n)
				measure(b, tier, s.n, s.k*s.d, func() { p.TwoNearest(blocks, best, second, index, secondIndex) })
			})
		}
	}
}

func BenchmarkNearestSecond(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, s := range benchShapes {
			if s.n > chunk {
				continue
			}
			b.Run(fmt.Sprintf("%v/d=%d/k=%d", tier, s.d, s.k), func(b *testing.B) {
				blocks, p := benchData(tier, s.n, s.k, s.d)
				best, second, index := make([]float32, s.n), make([]float32, s.n), make([]int32, s.n)
				measure(b, tier, s.n, s.k*s.d, func() { p.NearestSecond(blocks, best, second, index) })
			})
		}
	}
}

func BenchmarkOwn(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, s := range benchShapes {
			if s.n > chunk {
				continue
			}
			b.Run(fmt.Sprintf("%v/d=%d/k=%d", tier, s.d, s.k), func(b *testing.B) {
				blocks, _ := benchData(tier, s.n, s.k, s.d)
				var own Own
				tier.PackOwn(&own, blocks, min(s.k, s.n), s.d)
				labels, out := make([]uint16, s.n), make([]float32, s.n)
				for i := range labels {
					labels[i] = uint16(i * 7 % own.k)
				}
				measure(b, tier, s.n, s.d, func() { own.Distances(blocks, labels, out) })
			})
		}
	}
}

// BenchmarkCompact brings one row in eight together.
func BenchmarkCompact(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, d := range []int{4, 8, 16, 50} {
			b.Run(fmt.Sprintf("%v/d=%d", tier, d), func(b *testing.B) {
				blocks, _ := benchData(tier, chunk, 1, d)
				masks, dst := make([]uint16, chunk/Lanes), make([]float32, len(blocks))
				for i := range masks {
					masks[i] = 1<<(i%16) | 1<<(i*7%16)
				}
				measure(b, tier, chunk, 0, func() { Compact(tier, blocks, d, masks, dst) })
			})
		}
	}
}

// BenchmarkRows lists, gathers and moves one row in eight, and adds all.
func BenchmarkRows(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, d := range []int{4, 8, 16, 50} {
			blocks, _ := benchData(tier, chunk, 1, d)
			masks, rows := make([]uint16, chunk/Lanes), make([]int32, chunk+ListPad)
			for i := range masks {
				masks[i] = 1<<(i%16) | 1<<(i*7%16)
			}
			n := List(tier, masks, rows)
			l, labels, index, dst := newLedger(8, d), make([]uint16, chunk), make([]int32, chunk), make([]float32, len(blocks))
			for i := range index {
				index[i] = int32(i * 7 % 8)
			}
			b.Run(fmt.Sprintf("%v/d=%d/list", tier, d), func(b *testing.B) {
				measure(b, tier, chunk, 0, func() { List(tier, masks, rows) })
			})
			b.Run(fmt.Sprintf("%v/d=%d/gather", tier, d), func(b *testing.B) {
				measure(b, tier, n, 0, func() { Gather(tier, blocks, d, rows[:n/Lanes*Lanes], dst) })
			})
			b.Run(fmt.Sprintf("%v/d=%d/move", tier, d), func(b *testing.B) {
				measure(b, tier, n, 0, func() { l.Move(tier, blocks, rows[:n], labels, index) })
			})
			b.Run(fmt.Sprintf("%v/d=%d/add", tier, d), func(b *testing.B) {
				measure(b, tier, chunk, 0, func() { l.Add(tier, blocks, index) })
			})
		}
	}
}

// BenchmarkBounds tests slacks, makes them, and puts them back, for one row in eight.
func BenchmarkBounds(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, k := range []int{8, 20, 127} {
			th := NewThresholds(k)
			labels, slack, masks := make([]uint16, chunk), make([]float32, chunk), make([]uint16, chunk/Lanes)
			best, index, changed := make([]float32, chunk), make([]int32, chunk), make([]uint16, chunk/Lanes)
			b.Run(fmt.Sprintf("%v/k=%d/survivors", tier, k), func(b *testing.B) {
				measure(b, tier, chunk, 0, func() { th.Survivors(tier, labels, slack, masks) })
			})
			b.Run(fmt.Sprintf("%v/k=%d/margins", tier, k), func(b *testing.B) {
				measure(b, tier, chunk, 0, func() { th.Margins(tier, best, best, index, 1, 1, slack) })
			})
			b.Run(fmt.Sprintf("%v/k=%d/spread", tier, k), func(b *testing.B) {
				for i := range masks {
					masks[i] = 1<<(i%16) | 1<<(i*7%16)
				}
				measure(b, tier, chunk, 0, func() { Spread(tier, masks, index, best, labels, slack, index, changed) })
			})
		}
	}
}

func BenchmarkDistances(b *testing.B) {
	for _, tier := range benchTiers() {
		for _, d := range []int{4, 8, 16, 100, 768} {
			b.Run(fmt.Sprintf("%v/d=%d", tier, d), func(b *testing.B) {
				blocks, _ := benchData(tier, chunk, 1, d)
				out := make([]float32, chunk)
				measure(b, tier, chunk, d, func() { Distances(tier, blocks, blocks[:d], out) })
			})
		}
	}
}

func BenchmarkChanged(b *testing.B) {
	for _, tier := range benchTiers() {
		b.Run(tier.String(), func(b *testing.B) {
			labels, index, masks := make([]uint16, chunk), make([]int32, chunk), make([]uint16, chunk/Lanes)
			measure(b, tier, chunk, 0, func() { Changed(tier, labels, index, chunk, masks) })
		})
	}
}
