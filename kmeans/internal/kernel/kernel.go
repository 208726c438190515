package kernel

import (
	"fmt"
	"math"
)

//go:generate sh -c "cd _asm && go run . -out ../kernel_amd64.s -stubs ../stubs_amd64.go -pkg kernel"
//go:generate sh -c "cd _neon && go run . -out ../kernel_arm64.s -stubs ../stubs_arm64.go"

// Lanes is the number of points in a block. Points lie in blocks of Lanes: coordinate t of point i is at
// blocks[((i/Lanes)*d+t)*Lanes + i%Lanes]. Slices of blocks are padded with zero points to a multiple of
// BlockPair blocks, so that a tier may work on two blocks at a time.
const Lanes = 16

// BlockPair is the granularity in blocks of every call.
const BlockPair = 2

// pairPoints is the granularity in points of every call.
const pairPoints = Lanes * BlockPair

var inf32 = float32(math.Inf(1))

// Panel is a set of k centroids of d coordinates, packed in the order in which one tier reads them. The
// zero value is empty; Tier.Pack fills it. A packed Panel is never written by its methods, so that
// several goroutines may share it.
type Panel struct {
	tier  Tier
	k, d  int
	data  []float32 // the portable tier keeps rows; see pack in simd.go for the others
	parts []part    // the pieces in which the SIMD tiers take the centroids, in ascending order
	// numbers of the centroids, ascending; nil: 0, 1, 2 …
	numbers []int32
}

// K is the number of centroids in the panel.
func (p *Panel) K() int { return p.k }

// D is the number of coordinates of each centroid.
func (p *Panel) D() int { return p.d }

// Tier is the tier that the panel is packed for.
func (p *Panel) Tier() Tier { return p.tier }

// Pack fills dst with centroids (k×d, row-major; k and d at least 1), reusing dst's memory. The tier must
// be available on this machine (see Available).
func (t Tier) Pack(dst *Panel, centroids []float32, k, d int) {
	t.PackNumbered(dst, centroids, nil, k, d)
}

// PackNumbered is Pack for centroids that are some of a larger set: row i has the number numbers[i], and the numbers
// ascend. nil stands for 0, 1, 2 … A numbered panel is for NearestSecond.
func (t Tier) PackNumbered(dst *Panel, centroids []float32, numbers []int32, k, d int) {
	if numbers != nil && len(numbers) != k {
		panic(fmt.Sprintf("kernel: PackNumbered of %d centroids with %d numbers", k, len(numbers)))
	}
	dst.numbers = numbers
	if k < 1 || d < 1 || len(centroids) < k*d {
		panic(fmt.Sprintf("kernel: Pack of %d×%d centroids from %d values", k, d, len(centroids)))
	}
	dst.tier, dst.k, dst.d = t, k, d
	dst.parts = dst.parts[:0]
	if t != Portable {
		packSIMD(dst, centroids[:k*d])
		return
	}
	dst.data = append(dst.data[:0], centroids[:k*d]...)
}

// Nearest finds the nearest centroid of each of len(best) points, a multiple of Lanes*BlockPair. blocks
// holds at least len(best)*d values and index at least len(best).
//
// If fresh, best and index are written. Otherwise they are read, and centroid j of the panel replaces
// them, as index base+j, only where it is strictly nearer than best: so candidates can be added little by
// little, and many centroids processed in several panels, lowest first.
func (p *Panel) Nearest(blocks, best []float32, index []int32, base int32, fresh bool) {
	n := len(best)
	p.checkShape(n, len(blocks), len(index))
	if n == 0 {
		return
	}
	blocks, index = blocks[:n*p.d], index[:n]
	if p.tier != Portable {
		nearestSIMD(p, blocks, best, index, base, fresh)
		return
	}
	if fresh {
		fillFresh(best, index, base)
	}
	nearestPortable(p, blocks, best, index, base)
}

// Movers finds the nearest centroid of each of len(labels) points, a multiple of Lanes*BlockPair, and lists in rows, which has
// room for them and ListPad more, those whose nearest centroid is not the one of their label; it returns how many they are.
// index is written, and best and masks may be: len(labels) values, and one for each block. The panel has no numbers.
func (p *Panel) Movers(blocks, best []float32, index []int32, labels, masks []uint16, rows []int32) int {
	n := len(labels)
	p.checkShape(n, len(blocks), min(len(index), len(best), len(rows)-ListPad, len(masks)*Lanes))
	if n == 0 {
		return 0
	}
	if p.tier == AVX512 {
		if found, ok := moversSIMD(p, blocks[:n*p.d], index[:n], labels, rows); ok {
			return found
		}
	}
	p.Nearest(blocks, best[:n], index, 0, true)
	masks = masks[:n/Lanes]
	if Changed(p.tier, labels, index, n, masks) == 0 {
		return 0
	}
	return List(p.tier, masks, rows)
}

// number is that of the centroid in row j.
func (p *Panel) number(j int) int32 {
	if p.numbers == nil {
		return int32(j)
	}
	return p.numbers[j]
}

// fillFresh sets what a point has before it meets a centroid.
func fillFresh(best []float32, index []int32, base int32) {
	for i := range best {
		best[i], index[i] = inf32, base
	}
}

// TwoNearest finds the nearest and the second nearest centroid of each of len(best) points (a multiple of
// Lanes*BlockPair), ordered by distance, then index. Where there is no second centroid at a finite
// distance (k == 1, or overflow), second is +Inf and secondIndex is -1.
func (p *Panel) TwoNearest(blocks, best, second []float32, index, secondIndex []int32) {
	n := len(best)
	p.checkShape(n, len(blocks), min(len(index), len(second), len(secondIndex)))
	if n == 0 {
		return
	}
	blocks, second, index, secondIndex = blocks[:n*p.d], second[:n], index[:n], secondIndex[:n]
	// Starting from index -1 keeps a centroid 0 that was never there from becoming the second; a point
	// infinitely far from everything is given to centroid 0 afterwards, as Nearest does.
	for i := range best {
		best[i], second[i], index[i], secondIndex[i] = inf32, inf32, -1, -1
	}
	if p.tier != Portable {
		twoNearestSIMD(p, blocks, best, second, index, secondIndex)
	} else {
		twoNearestPortable(p, blocks, best, second, index, secondIndex)
	}
	for i, j := range index {
		index[i] = max(j, 0)
	}
}

// checkShape panics if slices do not fit n points: a caller's bug, which assembly would turn into a
// stray write.
func (p *Panel) checkShape(n, blocks, rest int) {
	if n%pairPoints != 0 || blocks < n*p.d || rest < n || p.k < 1 {
		panic(fmt.Sprintf("kernel: %d points of %d coordinates do not fit %d block values and %d results",
			n, p.d, blocks, rest))
	}
}

// Distances writes to out the squared distance of each of len(out) points (a multiple of
// Lanes*BlockPair) to the one centroid. blocks holds at least len(out)*len(centroid) values.
func Distances(t Tier, blocks, centroid, out []float32) {
	n, d := len(out), len(centroid)
	if n%pairPoints != 0 || d < 1 || len(blocks) < n*d {
		panic(fmt.Sprintf("kernel: %d points of %d coordinates do not fit %d block values", n, d, len(blocks)))
	}
	if n == 0 {
		return
	}
	if t != Portable {
		distancesSIMD(t, blocks[:n*d], centroid, out)
		return
	}
	distancesPortable(blocks[:n*d], centroid, out)
}

// Changed compares the new index of each of n points with its label. It writes to masks one 16-bit mask
// for each block of Lanes points, bit i for point i of the block, set where they differ, and returns how
// many differ. It does not write the labels. labels and index hold at least n values, masks one for each
// begun block; bits and masks that belong to no point are 0.
func Changed(t Tier, labels []uint16, index []int32, n int, masks []uint16) int {
	if n < 0 || len(labels) < n || len(index) < n || len(masks) < (n+Lanes-1)/Lanes {
		panic(fmt.Sprintf("kernel: Changed on %d points with %d labels, %d indexes and %d masks",
			n, len(labels), len(index), len(masks)))
	}
	full := n / Lanes
	var count int
	switch {
	case full == 0:
	case t != Portable:
		count = changedSIMD(t, labels[:full*Lanes], index[:full*Lanes], masks[:full])
	default:
		count = changedPortable(labels[:full*Lanes], index[:full*Lanes], masks[:full])
	}
	clear(masks[full:])
	if rest := n - full*Lanes; rest > 0 {
		count += changedPortable(labels[full*Lanes:n], index[full*Lanes:n], masks[full:full+1])
	}
	return count
}
