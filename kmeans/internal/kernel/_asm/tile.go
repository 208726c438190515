package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// tile is the inner step of all kernels: two vectors of points against a group of size centroids, whose
// 2·size accumulators stay in registers.
type tile struct {
	isa
	size int
	x    [2]reg.Register
	c    reg.Register
	diff reg.Register
	// spare is two more registers of the tiers that have them.
	spare [2]reg.Register
}

// acc is the accumulator of centroid j and point vector i.
func (g tile) acc(j, i int) reg.Register { return g.vec(2*j + i) }

// points is the operand of point vector i at coordinate t from base; the second block of AVX-512 lies
// stride (a register, in bytes) behind the first.
func (v isa) points(base, stride reg.Register, t, i int) Mem {
	if v.lanes == 8 {
		return at(base, 64*t+32*i)
	}
	if i == 0 {
		return at(base, 64*t)
	}
	return Mem{Base: base, Index: stride, Scale: 1, Disp: 64 * t}
}

// step adds one coordinate: points at x0 and x1, the group's coordinates from c on. The first one starts
// the chain: fma(diff, diff, 0) is the rounded square. The explicit broadcast serves both vectors; with
// broadcasts embedded in VSUBPS the load ports, not the multipliers, would be the limit. Both differences
// come before both products, the second in the place of the broadcast: so neighbours in the program go to
// execution units of the same kind, which processors with separate adders spread better.
func (g tile) step(x0, x1, c Mem, first bool) {
	VMOVUPS(x0, g.x[0])
	VMOVUPS(x1, g.x[1])
	for j := range g.size {
		g.spread(c.Offset(4*j), g.c)
		diffs := [2]reg.Register{g.diff, g.c}
		for i, diff := range diffs {
			VSUBPS(g.c, g.x[i], diff)
		}
		for i, diff := range diffs {
			if first {
				VMULPS(diff, diff, g.acc(j, i))
			} else {
				VFMADD231PS(diff, diff, g.acc(j, i))
			}
		}
	}
}

// spread fills dst with one float32 from memory. On Zen 4 the float form of a 512-bit broadcast takes a slot of the
// adders or multipliers, all of which are in use (39 instead of 59 multiply-adds a nanosecond); the integer form does not.
func (v isa) spread(from Mem, dst reg.Register) {
	if v.lanes == 8 {
		VBROADCASTSS(from, dst)
		return
	}
	VPBROADCASTD(from, dst)
}

// running is the least distance and its centroid of two point vectors, while they are in registers.
type running struct{ best, index, second [2]reg.Register }

// update takes the group's centroids, in ascending order, where they are strictly nearer. numbers is
// where their indexes lie.
func (g tile) update(r running, numbers Mem, i0, i1 int, masks [2]reg.Register) {
	for j := range g.size {
		VPBROADCASTD(numbers.Offset(4*j), g.c)
		for i := i0; i < i1; i++ {
			g.less(g.acc(j, i), r.best[i], masks[i], i)
			g.take(g.c, r.index[i], masks[i], i)
			g.least(g.acc(j, i), r.best[i])
		}
	}
}

// updateSecond is update with the second least distance: the larger of a centroid's distance and the least one so far,
// where that is smaller than the second so far.
func (g tile) updateSecond(r running, numbers Mem, masks [2]reg.Register) {
	for j := range g.size {
		VPBROADCASTD(numbers.Offset(4*j), g.c)
		for i := range 2 {
			g.less(g.acc(j, i), r.best[i], masks[i], i)
			g.take(g.c, r.index[i], masks[i], i)
			VMAXPS(g.acc(j, i), r.best[i], g.spare[i])
			g.least(g.acc(j, i), r.best[i])
			g.least(g.spare[i], r.second[i])
		}
	}
}

// updateSecondInMemory is updateSecond for one vector of a tier that has no register left for the second distances: the
// accumulator of the first centroid, once compared, gathers those of the group. Distances are at least 0, so that they
// compare as integers do.
func (g tile) updateSecondInMemory(r running, numbers Mem, i int, mask reg.Register, second Mem) {
	for j := range g.size {
		VPBROADCASTD(numbers.Offset(4*j), g.c)
		g.less(g.acc(j, i), r.best[i], mask, i)
		g.take(g.c, r.index[i], mask, i)
		VPMAXSD(g.acc(j, i), r.best[i], mask)
		g.least(g.acc(j, i), r.best[i])
		if j == 0 {
			VMOVAPS(mask, g.acc(0, i))
		} else {
			g.least(mask, g.acc(0, i))
		}
	}
	VPMINSD(second, g.acc(0, i), mask)
	VMOVUPS(mask, second)
}

// load reads what is known of point vector i from memory; store writes it back.
func (v isa) load(r running, i int, best, index reg.Register) {
	VMOVUPS(at(best, v.bytes()*i), r.best[i])
	VMOVUPS(at(index, v.bytes()*i), r.index[i])
}

func (v isa) store(r running, i int, best, index reg.Register) {
	VMOVUPS(r.best[i], at(best, v.bytes()*i))
	VMOVUPS(r.index[i], at(index, v.bytes()*i))
}

// parameter is the memory operand of a function's argument.
func parameter(name string) Mem {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	return b.Addr
}

// broadcast fills dst with an int32 parameter, by way of R14.
func (v isa) broadcast(name string, dst reg.Register) {
	Load(Param(name), reg.R14L)
	low := dst.(reg.VecPhysical).AsX()
	VMOVD(reg.R14L, low)
	VPBROADCASTD(low, dst)
}

// done ends a function.
func done() {
	VZEROUPPER()
	RET()
}

func label(format string, args ...any) string { return fmt.Sprintf(format, args...) }
