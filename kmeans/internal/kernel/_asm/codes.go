package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// widen turns codes of a byte into the values that they stand for: each of a value's four bytes is looked up in a table of 256
// that lies in four registers, and the bytes are put together by unpacking. The order of the codes is such that what is
// unpacked lies in the order of rows (kernel.codePlace).
func widen() {
	TEXT("widenVBMI", NOSPLIT, "func(codes *byte, stride, groups int, planes *byte, out *float32, block int)")
	Doc("widenVBMI writes the values of groups of 64 codes, stride bytes from each other, to four blocks each, of block bytes.",
		"planes are four tables of 256 bytes.")
	Pragma("noescape")
	codes, step, groups, planes, out, bytes := reg.RSI, reg.RDX, reg.RCX, reg.RDI, reg.R8, reg.R9
	Load(Param("codes"), codes)
	Load(Param("stride"), step)
	Load(Param("groups"), groups)
	Load(Param("planes"), planes)
	Load(Param("out"), out)
	Load(Param("block"), bytes)
	z := avx512.vec
	for i := range 16 {
		VMOVDQU8(at(planes, 64*i), z(i))
	}
	code, low, high := z(16), z(17), z(18)
	looked := []reg.Register{z(20), z(21), z(22), z(23)}
	Label("group")
	VMOVDQU8(at(codes, 0), code)
	VPMOVB2M(code, reg.K1) // codes from 128 on
	for p, to := range looked {
		VMOVDQA64(code, low)
		VMOVDQA64(code, high)
		VPERMI2B(z(4*p+1), z(4*p), low)
		VPERMI2B(z(4*p+3), z(4*p+2), high)
		VPBLENDMB(high, low, reg.K1, to)
	}
	pairs := []reg.Register{z(24), z(25), z(26), z(27)}
	VPUNPCKLBW(looked[1], looked[0], pairs[0])
	VPUNPCKHBW(looked[1], looked[0], pairs[1])
	VPUNPCKLBW(looked[3], looked[2], pairs[2])
	VPUNPCKHBW(looked[3], looked[2], pairs[3])
	for i := range 2 {
		VPUNPCKLWD(pairs[2+i], pairs[i], low)
		VPUNPCKHWD(pairs[2+i], pairs[i], high)
		for _, v := range []reg.Register{low, high} {
			VMOVDQU8(v, at(out, 0))
			ADDQ(bytes, out)
		}
	}
	ADDQ(step, codes)
	DECQ(groups)
	JNE(LabelRef("group"))
	done()
}
