package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// accumulate continues the chains of one pair of vectors with all centroids of a panel over a range of
// dimensions, keeping them in memory.
func accumulate(v isa) {
	TEXT("accumulate"+v.name, NOSPLIT,
		"func(x *float32, bytes, d int, panel *float32, size, hi, lo int, acc, next *float32)")
	Doc("accumulate"+v.name+" adds d coordinates of one pair of vectors at x to their distances acc from every centroid",
		"(a pair of vectors each). bytes is the size of a block. Groups are as in nearestLow"+v.name+".")
	Pragma("noescape")
	out := reg.R12
	Load(Param("x"), block)
	Load(Param("bytes"), stride)
	Load(Param("d"), dim)
	Load(Param("panel"), group)
	Load(Param("acc"), out)
	g, _, _ := v.highTile(v.high)
	next := v.fetchTile()
	v.groups(func(s int, _ reg.Register) {
		g.size = s
		for a := range 2 * s {
			VMOVUPS(at(out, a*v.bytes()), v.vec(a))
		}
		ADDQ(I32(4*s), group)
		g.loop(label("group%d", s), block, false, next)
		for a := range 2 * s {
			VMOVUPS(v.vec(a), at(out, a*v.bytes()))
		}
		ADDQ(I32(2*s*v.bytes()), out)
	})
	done()
}

// fetchTile begins to ask for the coordinates that come next, of as many dimensions.
func (v isa) fetchTile() coming {
	f := coming{cursor: panel, limit: units, step: 128}
	for i := range v.blocks() {
		f.lines = append(f.lines, v.points(f.cursor, stride, 0, i), v.points(f.cursor, stride, 1, i))
	}
	Load(Param("next"), f.cursor)
	MOVQ(dim, f.limit)
	SHLQ(Imm(6), f.limit)
	ADDQ(f.cursor, f.limit)
	return f
}

// argmin compares the distances that accumulate left.
func argmin(v isa) {
	TEXT("argmin"+v.name, NOSPLIT, "func(acc *float32, n int, best *float32, index *int32, first int32)")
	Doc("argmin"+v.name+" updates best and index of one pair of vectors with the distances acc of n centroids, numbered",
		"from first on.")
	Pragma("noescape")
	acc, n := reg.RSI, reg.RCX
	Load(Param("acc"), acc)
	Load(Param("n"), n)
	Load(Param("best"), bestPtr)
	Load(Param("index"), idxPtr)
	r := running{best: [2]reg.Register{v.vec(0), v.vec(1)}, index: [2]reg.Register{v.vec(2), v.vec(3)}}
	number, one := v.vec(4), v.vec(5)
	v.counter(number, one)
	for i := range 2 {
		v.load(r, i, bestPtr, idxPtr)
	}
	Label("next")
	for i := range 2 {
		a, mask := v.vec(6+i), v.vec(8+i)
		VMOVUPS(at(acc, i*v.bytes()), a)
		v.less(a, r.best[i], mask, i)
		v.take(number, r.index[i], mask, i)
		v.least(a, r.best[i])
	}
	VPADDD(one, number, number)
	ADDQ(I32(2*v.bytes()), acc)
	DECQ(n)
	JNE(LabelRef("next"))
	for i := range 2 {
		v.store(r, i, bestPtr, idxPtr)
	}
	done()
}

// counter sets number to the parameter first in all lanes, and one to 1.
func (v isa) counter(number, one reg.Register) {
	v.broadcast("first", number)
	if v.lanes == 8 {
		VPCMPEQD(one, one, one)
		VPSRLD(Imm(31), one, one)
		return
	}
	VPTERNLOGD(Imm(255), one, one, one)
	VPSRLD(Imm(31), one, one)
}

// argminTwo keeps the second as well.
func argminTwo(v isa) {
	TEXT("argminTwo"+v.name, NOSPLIT,
		"func(acc *float32, n int, best, second *float32, index, secondIndex *int32, first int32)")
	Doc("argminTwo" + v.name + " is argmin" + v.name + " for the least and the second least distance.")
	Pragma("noescape")
	acc, n, secondPtr, secondIdx := reg.RSI, reg.RCX, reg.R8, reg.R9
	Load(Param("acc"), acc)
	Load(Param("n"), n)
	Load(Param("best"), bestPtr)
	Load(Param("index"), idxPtr)
	Load(Param("second"), secondPtr)
	Load(Param("secondIndex"), secondIdx)
	one := running{best: [2]reg.Register{v.vec(0), v.vec(1)}, index: [2]reg.Register{v.vec(2), v.vec(3)}}
	two := running{best: [2]reg.Register{v.vec(4), v.vec(5)}, index: [2]reg.Register{v.vec(6), v.vec(7)}}
	number, step := v.vec(8), v.vec(9)
	v.counter(number, step)
	for i := range 2 {
		v.load(one, i, bestPtr, idxPtr)
		v.load(two, i, secondPtr, secondIdx)
	}
	Label("next")
	a, m1, m2 := v.vec(10), v.vec(11), v.vec(12)
	for i := range 2 {
		VMOVUPS(at(acc, i*v.bytes()), a)
		v.less(a, one.best[i], m1, 0)
		v.less(a, two.best[i], m2, 1)
		v.take(number, two.index[i], m2, 1)
		v.take(one.index[i], two.index[i], m1, 0)
		v.take(number, one.index[i], m1, 0)
		// The new second is the larger of a and best, unless the old second is smaller still.
		VMAXPS(a, one.best[i], m1)
		VMINPS(m1, two.best[i], two.best[i])
		VMINPS(a, one.best[i], one.best[i])
	}
	VPADDD(step, number, number)
	ADDQ(I32(2*v.bytes()), acc)
	DECQ(n)
	JNE(LabelRef("next"))
	for i := range 2 {
		v.store(one, i, bestPtr, idxPtr)
		v.store(two, i, secondPtr, secondIdx)
	}
	done()
}
