package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// lookup reads the entries of a table of k float32s that 16 or 8 labels name. Tables of one or two registers are
// permuted on AVX-512; gathering costs a load for each lane.
type lookup struct {
	isa
	table reg.Register // its address
	size  int          // registers of the table; 0: gather
	free  [2]reg.Register
}

// read sets dst to the entries that index names, from the table's address plus offset.
func (l lookup) read(index, dst reg.Register, offset int) {
	switch {
	case l.lanes == 8:
		VPCMPEQD(l.free[0], l.free[0], l.free[0])
		VGATHERDPS(l.free[0], Mem{Base: l.table, Index: index, Scale: 4, Disp: offset}, dst)
	case l.size == 1:
		VPERMPS(at(l.table, offset), index, dst)
	case l.size == 2:
		VMOVAPS(index, dst)
		VMOVUPS(at(l.table, offset), l.free[0])
		VPERMI2PS(at(l.table, offset+64), l.free[0], dst)
	default:
		KXNORW(reg.K0, reg.K0, reg.K3)
		VGATHERDPS(Mem{Base: l.table, Index: index, Scale: 4, Disp: offset}, reg.K3, dst)
	}
}

// sizes calls body once for each way to look up, behind a dispatch on the table's size in bytes.
func (v isa) sizes(bytes reg.Register, body func(suffix string, size int)) {
	if v.lanes == 8 {
		body("", 0)
		return
	}
	CMPQ(bytes, I32(64))
	JEQ(LabelRef("one"))
	CMPQ(bytes, I32(128))
	JEQ(LabelRef("two"))
	body("many", 0)
	Label("one")
	body("1", 1)
	Label("two")
	body("2", 2)
}

// own is the distances of rows from the centroids of their labels.
func own(v isa) {
	TEXT("own"+v.name, NOSPLIT, "func(blocks *float32, n, d int, table *float32, stride int, labels *uint16, out *float32)")
	Doc("own"+v.name+" writes the distances of n blocks of 16 rows from the centroids that their labels name. table has a",
		"line of stride bytes for each of d dimensions.")
	Pragma("noescape")
	n, table, stride, labels, out, t, left := reg.RCX, reg.RDI, reg.RDX, reg.R8, reg.R9, reg.R10, reg.R11
	Load(Param("blocks"), block)
	Load(Param("n"), n)
	Load(Param("d"), dim)
	Load(Param("table"), table)
	Load(Param("stride"), stride)
	Load(Param("labels"), labels)
	Load(Param("out"), out)
	parts := 16 / v.lanes
	v.sizes(stride, func(suffix string, size int) {
		l := lookup{isa: v, table: t, size: size, free: [2]reg.Register{v.vec(6), v.vec(7)}}
		index, acc := []reg.Register{v.vec(0), v.vec(1)}, []reg.Register{v.vec(2), v.vec(3)}
		c := v.vec(4)
		Label("block" + suffix)
		for i := range parts {
			VPMOVZXWD(at(labels, 2*v.lanes*i), index[i])
			v.zero(acc[i])
		}
		MOVQ(table, t)
		MOVQ(dim, left)
		Label("dimension" + suffix)
		for i := range parts {
			l.read(index[i], c, 0)
			VMOVUPS(at(block, v.bytes()*i), v.vec(5))
			VSUBPS(c, v.vec(5), c)
			VFMADD231PS(c, c, acc[i])
		}
		ADDQ(Imm(64), block)
		ADDQ(stride, t)
		DECQ(left)
		JNE(LabelRef("dimension" + suffix))
		for i := range parts {
			VMOVUPS(acc[i], at(out, v.bytes()*i))
		}
		ADDQ(Imm(32), labels)
		ADDQ(Imm(64), out)
		DECQ(n)
		JNE(LabelRef("block" + suffix))
		done()
	})
}

// survivors compares slacks with thresholds.
func survivors(v isa) {
	TEXT("survivors"+v.name, NOSPLIT, "func(labels *uint16, slack *float32, n int, high *float32, bytes int, masks *uint16) int")
	Doc("survivors"+v.name+" marks the rows of n blocks whose slack is not above the threshold of their label, and returns how",
		"many there are. high has that many bytes.")
	Pragma("noescape")
	labels, slack, n, high, bytes, masks, sum, mask, upper := reg.RSI, reg.RDI, reg.RCX, reg.R8, reg.R9, reg.RDX, reg.RAX, reg.RBX, reg.R10
	Load(Param("labels"), labels)
	Load(Param("slack"), slack)
	Load(Param("n"), n)
	Load(Param("high"), high)
	Load(Param("bytes"), bytes)
	Load(Param("masks"), masks)
	XORQ(sum, sum)
	const notGreater = 26 // not greater than, unordered, quiet: a slack that is no number does not prove anything
	v.sizes(bytes, func(suffix string, size int) {
		l := lookup{isa: v, table: high, size: size, free: [2]reg.Register{v.vec(6), v.vec(7)}}
		Label("block" + suffix)
		for i := range 16 / v.lanes {
			VPMOVZXWD(at(labels, 2*v.lanes*i), v.vec(0))
			l.read(v.vec(0), v.vec(1), 0)
			VMOVUPS(at(slack, v.bytes()*i), v.vec(2))
			if v.lanes == 16 {
				VCMPPS(Imm(notGreater), v.vec(1), v.vec(2), reg.K1)
				KMOVW(reg.K1, mask.As32())
				continue
			}
			VCMPPS(Imm(notGreater), v.vec(1), v.vec(2), v.vec(3))
			VMOVMSKPS(v.vec(3), []reg.GPPhysical{mask, upper}[i].As32())
		}
		if v.lanes == 8 {
			SHLL(Imm(8), upper.As32())
			ORL(upper.As32(), mask.As32())
		}
		MOVW(mask.As16(), at(masks, 0))
		POPCNTL(mask.As32(), mask.As32())
		ADDQ(mask, sum)
		ADDQ(Imm(32), labels)
		ADDQ(Imm(64), slack)
		ADDQ(Imm(2), masks)
		DECQ(n)
		JNE(LabelRef("block" + suffix))
		VZEROUPPER()
		Store(sum, ReturnIndex(0))
		RET()
	})
}

// margins makes slacks.
func margins(v isa) {
	TEXT("margins"+v.name, NOSPLIT, "func(best, second *float32, index *int32, n int, low *float32, bytes int, down, up float32, slack *float32)")
	Doc("margins"+v.name+" makes the slacks of n blocks of rows from the squared distances to the nearest and the second",
		"nearest centroids. low has that many bytes.")
	Pragma("noescape")
	best, second, index, n, low, bytes, slack := reg.RSI, reg.RDI, reg.R8, reg.RCX, reg.R9, reg.R10, reg.R11
	Load(Param("best"), best)
	Load(Param("second"), second)
	Load(Param("index"), index)
	Load(Param("n"), n)
	Load(Param("low"), low)
	Load(Param("bytes"), bytes)
	Load(Param("slack"), slack)
	down, up, most := v.vec(8), v.vec(9), v.vec(10)
	VBROADCASTSS(parameter("down"), down)
	VBROADCASTSS(parameter("up"), up)
	VBROADCASTSS(largest, most)
	v.sizes(bytes, func(suffix string, size int) {
		l := lookup{isa: v, table: low, size: size, free: [2]reg.Register{v.vec(6), v.vec(7)}}
		Label("block" + suffix)
		for i := range 16 / v.lanes {
			integers(v, at(index, v.bytes()*i), v.vec(0))
			l.read(v.vec(0), v.vec(1), 0)
			VMINPS(at(second, v.bytes()*i), most, v.vec(2))
			VMINPS(at(best, v.bytes()*i), most, v.vec(3))
			VSQRTPS(v.vec(2), v.vec(2))
			VSQRTPS(v.vec(3), v.vec(3))
			VMULPS(down, v.vec(2), v.vec(2))
			VMULPS(up, v.vec(3), v.vec(3))
			VSUBPS(v.vec(3), v.vec(2), v.vec(2))
			VADDPS(v.vec(1), v.vec(2), v.vec(2))
			VMOVUPS(v.vec(2), at(slack, v.bytes()*i))
		}
		for _, p := range []reg.Register{best, second, index, slack} {
			ADDQ(Imm(64), p)
		}
		DECQ(n)
		JNE(LabelRef("block" + suffix))
		done()
	})
}

// integers loads them by the instruction that the tier has.
func integers(v isa, from Mem, to reg.Register) {
	if v.lanes == 16 {
		VMOVDQU32(from, to)
		return
	}
	VMOVDQU(from, to)
}

// compactGroup is how many dimensions are brought together at a time: each has a register that fills up.
const compactGroup = 16

// compact brings rows together. The marked lanes of a block go behind those that wait in the registers of their
// dimensions, by one permutation that is made once a block; a full register is stored, and what was over comes next.
func compact() {
	TEXT("compactAVX512", NOSPLIT, "func(blocks *float32, n, bytes, d int, masks *uint16, dst *float32)")
	Doc("compactAVX512 copies d coordinates, at most 16, of the marked rows of n blocks to dst, in order. bytes is the size of a",
		"block, there and here.")
	Pragma("noescape")
	n, masks, dst, position, mask, count, bits := reg.R8, reg.RDI, reg.R9, reg.R12, reg.RAX, reg.R13, reg.R14
	index, order := reg.Z2, reg.Z3
	wait := func(t int) reg.Register { return avx512.vec(16 + t) }
	Load(Param("blocks"), block)
	Load(Param("n"), n)
	Load(Param("bytes"), stride)
	Load(Param("d"), dim)
	Load(Param("masks"), masks)
	Load(Param("dst"), dst)
	XORQ(position, position)
	VMOVDQU32(lanes, order)
	for t := range compactGroup {
		avx512.zero(wait(t))
	}
	// each does something for each dimension there is.
	each := func(name string, do func(t int)) {
		for t := range compactGroup {
			do(t)
			if t+1 < compactGroup {
				CMPQ(dim, I32(t+1))
				JEQ(LabelRef(name))
			}
		}
		Label(name)
	}
	Label("block")
	// No branch on what is marked, which no processor can guess, and no gap in what is read, so that it sees what comes next.
	MOVWLZX(at(masks, 0), mask.As32())
	KMOVW(mask.As32(), reg.K1)
	POPCNTL(mask.As32(), count.As32())
	// K2: the lanes that go to the open block; K3: those that go to the next one.
	MOVQ(U32(1), bits)
	MOVQ(count, reg.RCX)
	SHLQ(reg.CL, bits)
	DECQ(bits)
	MOVQ(position, reg.RCX)
	SHLQ(reg.CL, bits)
	KMOVW(bits.As32(), reg.K2)
	// Lane L of the open block comes from the marked lane of rank L − position, modulo 16.
	VPCOMPRESSD(order, reg.K1, index)
	VPBROADCASTD(position.As32(), reg.Z4)
	VPSUBD(reg.Z4, order, reg.Z4)
	VPERMD(index, reg.Z4, index)
	LEAQ(Mem{Base: block, Index: stride, Scale: 8}, mask)
	each("placed", func(t int) {
		PREFETCHT0(at(mask, 64*t))
		VPERMPS(at(block, 64*t), index, reg.K2, wait(t))
	})
	ADDQ(count, position)
	CMPQ(position, Imm(16))
	JLT(LabelRef("advance"))
	each("stored", func(t int) { VMOVUPS(wait(t), at(dst, 64*t)) })
	ADDQ(stride, dst)
	SUBQ(Imm(16), position)
	JEQ(LabelRef("advance"))
	SHRQ(Imm(16), bits)
	KMOVW(bits.As32(), reg.K3)
	each("carried", func(t int) { VPERMPS(at(block, 64*t), index, reg.K3, wait(t)) })
	Label("advance")
	ADDQ(stride, block)
	ADDQ(Imm(2), masks)
	DECQ(n)
	JNE(LabelRef("block"))
	TESTQ(position, position)
	JEQ(LabelRef("end"))
	each("end", func(t int) { VMOVUPS(wait(t), at(dst, 64*t)) })
	done()
}

// spread puts results back.
func spread() {
	TEXT("spreadAVX512", NOSPLIT, "func(masks *uint16, n int, index *int32, margin *float32, labels *uint16, slack *float32, rows *int32, changed *uint16) int")
	Doc("spreadAVX512 puts the margins and indexes of the marked rows of n blocks where the rows lie, and marks in changed,",
		"and counts, those whose index is not their label.")
	Pragma("noescape")
	masks, n, index, margin, labels, slack, rows, changed := reg.RSI, reg.RCX, reg.RDI, reg.R8, reg.R9, reg.R10, reg.R11, reg.R12
	mask, sum := reg.RBX, reg.RAX
	Load(Param("masks"), masks)
	Load(Param("n"), n)
	Load(Param("index"), index)
	Load(Param("margin"), margin)
	Load(Param("labels"), labels)
	Load(Param("slack"), slack)
	Load(Param("rows"), rows)
	Load(Param("changed"), changed)
	XORQ(sum, sum)
	Label("block")
	MOVWLZX(at(masks, 0), mask.As32())
	KMOVW(mask.As32(), reg.K1)
	VMOVUPS(at(margin, 0), reg.Z0)
	VMOVUPS(at(slack, 0), reg.Z1)
	VEXPANDPS(reg.Z0, reg.K1, reg.Z1)
	VMOVUPS(reg.Z1, at(slack, 0))
	VMOVDQU32(at(index, 0), reg.Z2)
	VPEXPANDD(reg.Z2, reg.K1, reg.Z3)
	VMOVDQU32(reg.Z3, at(rows, 0))
	VPMOVZXWD(at(labels, 0), reg.Z4)
	VPCMPD(Imm(notEqual), reg.Z3, reg.Z4, reg.K1, reg.K2)
	POPCNTL(mask.As32(), mask.As32())
	LEAQ(Mem{Base: index, Index: mask, Scale: 4}, index)
	LEAQ(Mem{Base: margin, Index: mask, Scale: 4}, margin)
	KMOVW(reg.K2, mask.As32())
	MOVW(mask.As16(), at(changed, 0))
	POPCNTL(mask.As32(), mask.As32())
	ADDQ(mask, sum)
	ADDQ(Imm(2), masks)
	ADDQ(Imm(32), labels)
	ADDQ(Imm(64), slack)
	ADDQ(Imm(64), rows)
	ADDQ(Imm(2), changed)
	DECQ(n)
	JNE(LabelRef("block"))
	VZEROUPPER()
	Store(sum, ReturnIndex(0))
	RET()
}
