package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// distances is for one centroid: memory, not arithmetic, is its limit.
func distances(v isa) {
	TEXT("distances"+v.name, NOSPLIT, "func(blocks *float32, units, d int, centroid, out *float32)")
	Doc("distances" + v.name + " writes the distances of units pairs of vectors from one centroid.")
	Pragma("noescape")
	out := reg.R12
	Load(Param("blocks"), block)
	Load(Param("units"), units)
	Load(Param("d"), dim)
	Load(Param("centroid"), panel)
	Load(Param("out"), out)
	MOVQ(dim, stride)
	SHLQ(Imm(6), stride)
	g, _, _ := v.highTile(1)
	Label("unit")
	MOVQ(panel, group)
	for i := range 2 {
		v.zero(g.acc(0, i))
	}
	g.loop("unit", block, false, coming{})
	for i := range 2 {
		VMOVUPS(g.acc(0, i), at(out, i*v.bytes()))
	}
	for range v.blocks() {
		ADDQ(stride, block)
	}
	ADDQ(I32(2*v.bytes()), out)
	DECQ(units)
	JNE(LabelRef("unit"))
	done()
}

// zero clears a vector.
func (v isa) zero(r reg.Register) {
	if v.lanes == 8 {
		VPXOR(r, r, r)
		return
	}
	VPXORD(r, r, r)
}

// changed compares blocks of 16 indexes with their labels.
func changed(v isa) {
	TEXT("changed"+v.name, NOSPLIT,
		"func(labels *uint16, index *int32, blocks int, masks *uint16) int")
	Doc("changed" + v.name + " writes the mask of differing lanes of each block of 16, and returns how many there are.")
	Pragma("noescape")
	labels, index, blocks, masks, sum, mask := reg.RSI, reg.RDI, reg.RCX, reg.RDX, reg.RAX, reg.RBX
	Load(Param("labels"), labels)
	Load(Param("index"), index)
	Load(Param("blocks"), blocks)
	Load(Param("masks"), masks)
	XORQ(sum, sum)
	Label("block")
	if v.lanes == 8 {
		high := reg.R8
		for i, m := range []reg.GPPhysical{mask, high} {
			VPMOVZXWD(at(labels, 16*i), v.vec(i))
			VPCMPEQD(at(index, 32*i), v.vec(i), v.vec(i))
			VMOVMSKPS(v.vec(i), m.As32())
		}
		SHLL(Imm(8), high.As32())
		ORL(high.As32(), mask.As32())
		XORL(U32(0xffff), mask.As32()) // the lanes that are not equal
	} else {
		VPMOVZXWD(at(labels, 0), v.vec(0))
		VPCMPD(Imm(notEqual), at(index, 0), v.vec(0), reg.K1)
		KMOVW(reg.K1, mask.As32())
	}
	MOVW(mask.As16(), at(masks, 0))
	POPCNTL(mask.As32(), mask.As32())
	ADDQ(mask, sum)
	ADDQ(Imm(32), labels)
	ADDQ(Imm(64), index)
	ADDQ(Imm(2), masks)
	DECQ(blocks)
	JNE(LabelRef("block"))
	Store(sum, ReturnIndex(0))
	done()
}

// peak is what the benchmarks are compared with.
func peak(v isa) {
	TEXT("peak"+v.name, NOSPLIT, "func(rounds int)")
	Doc("peak" + v.name + " executes rounds × 12 independent fused multiply-adds: the most that a core can do.")
	rounds := reg.RCX
	Load(Param("rounds"), rounds)
	for i := range 13 {
		v.zero(v.vec(i))
	}
	Label("round")
	for i := range 12 {
		VFMADD231PS(v.vec(12), v.vec(12), v.vec(i))
	}
	DECQ(rounds)
	JNE(LabelRef("round"))
	done()
}
