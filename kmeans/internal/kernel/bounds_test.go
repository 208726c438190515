package kernel

import (
	"math"
	"math/bits"
	"math/rand/v2"
	"slices"
	"testing"
)

// labelCounts have tables of one register, of two, and those that are gathered, and both sides of each limit.
var labelCounts = []int{1, 7, 8, 15, 16, 17, 31, 32, 33, 127, 1000}

func TestSurvivorsAreTheRowsWhoseSlackIsNotAboveTheirThreshold(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 1))
	nan := float32(math.NaN())
	for _, tier := range available {
		for _, k := range labelCounts {
			for _, n := range []int{1, 15, 16, 17, 32, 100, 2048} {
				th := NewThresholds(k)
				for j := range k {
					th.High[j] = float32(r.IntN(8))
				}
				labels, slack := make([]uint16, n), make([]float32, n)
				want, count := make([]uint16, (n+Lanes-1)/Lanes), 0
				for i := range n {
					labels[i], slack[i] = uint16(r.IntN(k)), float32(r.IntN(9))
					if r.IntN(20) == 0 {
						slack[i] = nan
					}
					if !(slack[i] > th.High[labels[i]]) {
						want[i/Lanes] |= 1 << (i % Lanes)
						count++
					}
				}
				all, masks := guarded[uint16](len(want), 0xaaaa)
				if got := th.Survivors(tier, labels, slack, masks); got != count || !slices.Equal(masks, want) || !intact(all, 0xaaaa) {
					t.Fatalf("%v, k=%d n=%d: %d survivors, masks %x; want %d, %x", tier, k, n, got, masks, count, want)
				}
			}
		}
	}
}

func TestMarginsAreTheSameOnEveryTier(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 2))
	for _, tier := range available {
		for _, k := range labelCounts {
			th := NewThresholds(k)
			for j := range k {
				th.Low[j] = r.Float32()
			}
			const n = 160
			best, second, index := make([]float32, n), make([]float32, n), make([]int32, n)
			for i := range n {
				best[i], index[i] = float32(math.Exp(8*r.NormFloat64())), int32(r.IntN(k))
				second[i] = best[i] * (1 + r.Float32())
				if i%9 == 0 {
					second[i] = inf32
				}
			}
			all, slack := guarded[float32](n, 7.5)
			th.Margins(tier, best, second, index, 0.999, 1.001, slack)
			for i := range n {
				// The conversions keep arm64 from fusing a product with the difference.
				far := float32(float32(math.Sqrt(float64(min(second[i], math.MaxFloat32)))) * 0.999)
				near := float32(float32(math.Sqrt(float64(best[i]))) * 1.001)
				want := float32(far-near) + th.Low[index[i]]
				if slack[i] != want || !intact(all, 7.5) {
					t.Fatalf("%v, k=%d: slack of row %d is %v, want %v", tier, k, i, slack[i], want)
				}
			}
		}
	}
}

// maskKinds are how dense the marks are: runs of whole blocks, few, half, none.
var maskKinds = []func(r *rand.Rand) uint16{
	func(*rand.Rand) uint16 { return 0xffff },
	func(r *rand.Rand) uint16 { return uint16(1 << r.IntN(16)) },
	func(r *rand.Rand) uint16 { return uint16(r.Uint32()) },
	func(*rand.Rand) uint16 { return 0 },
	func(r *rand.Rand) uint16 { return uint16(r.Uint32()) & uint16(r.Uint32()) & uint16(r.Uint32()) },
	func(r *rand.Rand) uint16 { return [4]uint16{0, 0xffff, 0x8001, 0x7ffe}[r.IntN(4)] },
}

func TestCompactKeepsMarkedRowsInOrderAndSpreadPutsResultsBack(t *testing.T) {
	r := rand.New(rand.NewPCG(8, 3))
	for _, tier := range available {
		for _, d := range []int{1, 2, 3, 8, 17, 64} {
			for round := range 60 {
				compactAndSpread(t, r, tier, d, 1+r.IntN(40), maskKinds[round%len(maskKinds)])
			}
		}
	}
}

func compactAndSpread(t *testing.T, r *rand.Rand, tier Tier, d, blocks int, mark func(*rand.Rand) uint16) {
	t.Helper()
	n := blocks*Lanes - r.IntN(Lanes)
	masks, values := make([]uint16, blocks), make([]float32, blocks*Lanes*d)
	for i := range values {
		values[i] = float32(i + 1)
	}
	total := 0
	for b := range masks {
		masks[b] = mark(r)
		if b == blocks-1 {
			masks[b] &= uint16(1<<(n-b*Lanes) - 1)
		}
		total += bits.OnesCount16(masks[b])
	}
	all, dst := guarded[float32]((total+Lanes-1)/Lanes*Lanes*d, 7.5)
	if got := Compact(tier, values, d, masks, dst); got != total || !intact(all, 7.5) {
		t.Fatalf("%v, d=%d: %d rows brought together, want %d; or values around them written", tier, d, got, total)
	}
	index, margin := make([]int32, total+SpreadPad), make([]float32, total+SpreadPad)
	labels := make([]uint16, n, blocks*Lanes)
	slackAll, slack := guarded[float32](blocks*Lanes, 7.5)
	rowsAll, rows := guarded[int32](blocks*Lanes, 77)
	changedAll, changed := guarded[uint16](blocks, 0xaaaa)
	at, want, wantSlack := 0, make([]uint16, blocks), make([]float32, blocks*Lanes)
	for i := range blocks * Lanes {
		slack[i] = -float32(i)
		wantSlack[i] = slack[i]
		if i < n {
			labels[i] = uint16(r.IntN(4))
		}
		if masks[i/Lanes]>>(i%Lanes)&1 == 0 {
			continue
		}
		for c := range d {
			if got, w := pointAt(dst, d, at, c), pointAt(values, d, i, c); got != w {
				t.Fatalf("%v, d=%d: row %d brought together has %v in column %d, want %v", tier, d, at, got, c, w)
			}
		}
		index[at], margin[at] = int32(r.IntN(4)), r.Float32()
		wantSlack[i] = margin[at]
		if index[at] != int32(labels[i]) {
			want[i/Lanes] |= 1 << (i % Lanes)
		}
		at++
	}
	count := 0
	for _, m := range want {
		count += bits.OnesCount16(m)
	}
	got := Spread(tier, masks, index, margin, labels, slack, rows, changed)
	if got != count || !slices.Equal(changed, want) || !slices.Equal(slack, wantSlack) {
		t.Fatalf("%v: %d changed, masks %x, want %d, %x; or slacks differ", tier, got, changed, count, want)
	}
	if !intact(slackAll, 7.5) || !intact(rowsAll, 77) || !intact(changedAll, 0xaaaa) {
		t.Fatalf("%v: values around the results were overwritten", tier)
	}
	at = 0
	for i := range n {
		if masks[i/Lanes]>>(i%Lanes)&1 != 0 {
			if rows[i] != index[at] {
				t.Fatalf("%v: row %d got index %d, want %d", tier, i, rows[i], index[at])
			}
			at++
		}
	}
}
