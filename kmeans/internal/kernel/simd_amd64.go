package kernel

import "golang.org/x/sys/cpu"

// detect lists the vector tiers of this processor, best first. x/sys/cpu also asks whether the operating
// system saves the registers.
func detect() []Tier {
	var tiers []Tier
	x := &cpu.X86
	if x.HasAVX512F && x.HasAVX512BW && x.HasAVX512DQ && x.HasAVX512VL && x.HasAVX2 && x.HasFMA && x.HasPOPCNT {
		tiers = append(tiers, AVX512)
	}
	if x.HasAVX2 && x.HasFMA && x.HasPOPCNT {
		tiers = append(tiers, AVX2)
	}
	return tiers
}

var shapes = [...]shape{
	AVX2:   {unit: Lanes, low: 4, high: 6, straight: 8, tile: 128},
	AVX512: {unit: 2 * Lanes, low: 8, high: 10, straight: 8, tile: 128},
}

// callFMAs keeps a call of assembly, which the scheduler cannot interrupt, well under a millisecond.
const callFMAs = 8 << 20

// The methods below choose between the tiers of this architecture.

func (t Tier) nearest(x *float32, units, d int, q *part, best *float32, index *int32, base int32, fresh bool) {
	low := d <= shapes[t].straight
	switch {
	case t == AVX2 && low:
		nearestLowAVX2(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, index, base, fresh)
	case t == AVX2:
		nearestHighAVX2(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, index, base, fresh)
	case low:
		nearestLowAVX512(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, index, base, fresh)
	default:
		nearestHighAVX512(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, index, base, fresh)
	}
}

func (t Tier) nearestSecond(x *float32, units, d int, q *part, best, second *float32, index *int32, fresh bool) {
	switch {
	case t == AVX2:
		nearestHighSecondAVX2(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, second, index, fresh)
	case d <= shapes[t].straight:
		nearestLowSecondAVX512(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, second, index, fresh)
	default:
		nearestHighSecondAVX512(x, units, d, &q.data[0], q.size, q.hi, q.lo, best, second, index, fresh)
	}
}

func (t Tier) accumulate(x *float32, bytes, d int, panel *float32, size, groups int, acc, next *float32) {
	if t == AVX2 {
		accumulateAVX2(x, bytes, d, panel, size, groups, 0, acc, next)
		return
	}
	accumulateAVX512(x, bytes, d, panel, size, groups, 0, acc, next)
}

func (t Tier) argmin(acc *float32, n int, best *float32, index *int32, first int32) {
	if t == AVX2 {
		argminAVX2(acc, n, best, index, first)
		return
	}
	argminAVX512(acc, n, best, index, first)
}

func (t Tier) argminTwo(acc *float32, n int, best, second *float32, index, secondIndex *int32, first int32) {
	if t == AVX2 {
		argminTwoAVX2(acc, n, best, second, index, secondIndex, first)
		return
	}
	argminTwoAVX512(acc, n, best, second, index, secondIndex, first)
}

func (t Tier) distances(blocks *float32, units, d int, centroid, out *float32) {
	if t == AVX2 {
		distancesAVX2(blocks, units, d, centroid, out)
		return
	}
	distancesAVX512(blocks, units, d, centroid, out)
}

func (t Tier) changed(labels *uint16, index *int32, blocks int, masks *uint16) int {
	if t == AVX2 {
		return changedAVX2(labels, index, blocks, masks)
	}
	return changedAVX512(labels, index, blocks, masks)
}
