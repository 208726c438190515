package kernel

import (
	"fmt"
	"math"
	"math/bits"
)

// The functions of this file serve pruning: most rows are proved to stay where they are, the few others are brought
// together, computed with the same kernel, and put back. Labels, bounds and masks lie in row order, one mask of 16 bits for
// each block, bit i for row i of the block.

// NearestSecond is Nearest with the distance of the second nearest centroid in second, which is +Inf where there is none.
// Of equal distances both count: second is then equal to best.
func (p *Panel) NearestSecond(blocks, best, second []float32, index []int32) {
	n := len(best)
	p.checkShape(n, len(blocks), min(len(index), len(second)))
	if n == 0 {
		return
	}
	blocks, second, index = blocks[:n*p.d], second[:n], index[:n]
	if p.tier != Portable {
		nearestSecondSIMD(p, blocks, best, second, index)
		return
	}
	fillFresh(best, index, 0)
	for i := range second {
		second[i] = inf32
	}
	nearestSecondPortable(p, blocks, best, second, index)
}

// Own is the centroids (k×d) in the order in which the distances of rows from their own centroids want them: dimension
// after dimension, each with the k coordinates side by side.
type Own struct {
	tier   Tier
	k, d   int
	stride int // values from one dimension to the next
	table  []float32
}

// ownPad is the granularity of a dimension's coordinates: small sets are looked up in registers.
const ownPad = 16

// PackOwn fills dst with centroids (k×d, row-major), reusing dst's memory.
func (t Tier) PackOwn(dst *Own, centroids []float32, k, d int) {
	if k < 1 || d < 1 || len(centroids) < k*d {
		panic(fmt.Sprintf("kernel: PackOwn of %d×%d centroids from %d values", k, d, len(centroids)))
	}
	dst.tier, dst.k, dst.d = t, k, d
	dst.stride = (k + ownPad - 1) / ownPad * ownPad
	if total := dst.stride * d; cap(dst.table) < total {
		dst.table = make([]float32, total)
	} else {
		dst.table = dst.table[:total]
	}
	for j := range k {
		for t, v := range centroids[j*d : (j+1)*d] {
			dst.table[t*dst.stride+j] = v
		}
	}
}

// Distances writes to out the squared distance of each of len(labels) rows from the centroid of its label, to the bit what
// Nearest finds for that centroid. Labels are below k; blocks hold the rows, padded to whole blocks, and out has room for
// whole blocks too.
func (o *Own) Distances(blocks []float32, labels []uint16, out []float32) {
	n := len(labels)
	whole := (n + Lanes - 1) / Lanes
	if len(blocks) < whole*Lanes*o.d || len(out) < whole*Lanes {
		panic(fmt.Sprintf("kernel: %d rows of %d coordinates do not fit %d block values and %d results", n, o.d, len(blocks), len(out)))
	}
	full := 0
	if o.tier != Portable {
		full = n / Lanes
		if full > 0 {
			o.distancesSIMD(blocks, labels[:full*Lanes], out)
		}
	}
	for i := full * Lanes; i < n; i++ {
		x := blocks[i/Lanes*Lanes*o.d+i%Lanes:]
		acc, j := float32(0), int(labels[i])
		for t := range o.d {
			acc = fma32(x[t*Lanes]-o.table[t*o.stride+j], acc)
		}
		out[i] = acc
	}
}

// Thresholds are what a row's slack is held against, by label: a row stays as long as its slack is above high. low, which
// is never above high, is what a fresh slack starts from. Both have a whole number of registers.
type Thresholds struct {
	High, Low []float32
	k         int
}

// NewThresholds makes room for k labels.
func NewThresholds(k int) *Thresholds {
	padded := (k + ownPad - 1) / ownPad * ownPad
	return &Thresholds{High: make([]float32, padded), Low: make([]float32, padded), k: k}
}

// Survivors marks the rows that are not proved to stay, those whose slack is not above the threshold of their label, and
// counts them. Labels are below k; slack holds len(labels) values, masks one for each begun block.
func (t *Thresholds) Survivors(tier Tier, labels []uint16, slack []float32, masks []uint16) int {
	n := len(labels)
	if len(slack) < n || len(masks) < (n+Lanes-1)/Lanes {
		panic(fmt.Sprintf("kernel: Survivors of %d rows with %d slacks and %d masks", n, len(slack), len(masks)))
	}
	full, count := 0, 0
	if tier != Portable && n >= Lanes {
		full = n / Lanes
		count = survivorsSIMD(tier, t, labels[:full*Lanes], slack[:full*Lanes], masks[:full])
	}
	clear(masks[full:])
	for i := full * Lanes; i < n; i++ {
		if !(slack[i] > t.High[labels[i]]) {
			masks[i/Lanes] |= 1 << (i % Lanes)
			count++
		}
	}
	return count
}

// Margins makes the slack of rows from the squared distances of their nearest and second nearest centroids: the
// difference of the distances, each multiplied by the factor that makes up for its rounding (down below 1, up above it),
// plus Low of the nearest. It reads and writes len(best) rows, a multiple of Lanes.
func (t *Thresholds) Margins(tier Tier, best, second []float32, index []int32, down, up float32, slack []float32) {
	n := len(best)
	if n%Lanes != 0 || len(second) < n || len(index) < n || len(slack) < n {
		panic(fmt.Sprintf("kernel: Margins of %d rows with %d, %d and %d values", n, len(second), len(index), len(slack)))
	}
	if n == 0 {
		return
	}
	if tier != Portable {
		marginsSIMD(tier, t, best, second[:n], index[:n], down, up, slack[:n])
		return
	}
	for i, b := range best {
		slack[i] = t.Margin(b, second[i], int(index[i]), down, up)
	}
}

// Margin is Margins for one row.
func (t *Thresholds) Margin(best, second float32, label int, down, up float32) float32 {
	far := float32(float32(math.Sqrt(float64(min(second, math.MaxFloat32)))) * down)
	near := float32(float32(math.Sqrt(float64(min(best, math.MaxFloat32)))) * up)
	return float32(far-near) + t.Low[label]
}

// Compact copies the marked rows of len(masks) blocks of d coordinates to dst, in order and in the layout of blocks, and
// returns how many they are. dst has room for them in whole blocks.
func Compact(tier Tier, blocks []float32, d int, masks []uint16, dst []float32) int {
	total := 0
	for _, m := range masks {
		total += bits.OnesCount16(m)
	}
	room := (total + Lanes - 1) / Lanes * Lanes * d
	if d < 1 || len(blocks) < len(masks)*Lanes*d || len(dst) < room {
		panic(fmt.Sprintf("kernel: Compact of %d rows of %d coordinates in %d blocks from %d values to %d", total, d, len(masks), len(blocks), len(dst)))
	}
	if total == 0 {
		return 0
	}
	if tier != Portable {
		compactSIMD(tier, blocks, d, masks, dst[:room])
		return total
	}
	compactPortable(blocks, d, masks, dst)
	return total
}

func compactPortable(blocks []float32, d int, masks []uint16, dst []float32) {
	at := 0
	for b, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			from := blocks[b*Lanes*d+bits.TrailingZeros16(mask):]
			to := dst[at/Lanes*Lanes*d+at%Lanes:]
			for t := range d {
				to[t*Lanes] = from[t*Lanes]
			}
			at++
		}
	}
}

// SpreadPad is how many values behind the last one index and margin of Spread must have: vectors are read whole.
const SpreadPad = Lanes

// Spread puts what was found for compacted rows back in row order: the margin of each marked row becomes its slack, its
// index goes to rows. changed gets a mask for each block of the marked rows whose index is not their label; how many
// there are is returned. index and margin hold the marked rows and SpreadPad values more.
func Spread(tier Tier, masks []uint16, index []int32, margin []float32, labels []uint16, slack []float32, rows []int32, changed []uint16) int {
	n := len(labels)
	total := 0
	for _, m := range masks {
		total += bits.OnesCount16(m)
	}
	whole := len(masks) * Lanes
	if len(index) < total+SpreadPad || len(margin) < total+SpreadPad || n > whole || n+Lanes <= whole ||
		len(slack) < whole || len(rows) < whole || len(changed) < len(masks) || cap(labels) < whole {
		panic(fmt.Sprintf("kernel: Spread of %d rows in %d blocks with %d, %d, %d, %d and %d values", n, len(masks), len(index), len(margin),
			len(slack), len(rows), len(changed)))
	}
	if len(masks) == 0 {
		return 0
	}
	if tier == AVX512 {
		return spreadSIMD(masks, index, margin, labels[:whole], slack, rows, changed)
	}
	return spreadPortable(masks, index, margin, labels[:whole], slack, rows, changed)
}

func spreadPortable(masks []uint16, index []int32, margin []float32, labels []uint16, slack []float32, rows []int32, changed []uint16) int {
	at, count := 0, 0
	for b, mask := range masks {
		changed[b] = 0
		for ; mask != 0; mask &= mask - 1 {
			bit := bits.TrailingZeros16(mask)
			i := b*Lanes + bit
			slack[i], rows[i] = margin[at], index[at]
			if index[at] != int32(labels[i]) {
				changed[b] |= 1 << bit
				count++
			}
			at++
		}
	}
	return count
}
