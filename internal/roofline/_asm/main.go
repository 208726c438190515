// Command asm writes the assembly of package roofline and its Go declarations: the same program text once for AVX2 and
// once for AVX-512. Run it with go generate in the folder above.
package main

import (
	"fmt"

	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the two.
type isa struct {
	name   string
	bytes  int // of a vector
	chains int // sums that the multiply-adds keep going: all registers but two
	vec    func(int) reg.VecPhysical
}

var avx2 = isa{name: "AVX2", bytes: 32, chains: 12, vec: func(i int) reg.VecPhysical {
	return []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11,
		reg.Y12, reg.Y13, reg.Y14, reg.Y15}[i]
}}

var avx512 = isa{name: "AVX512", bytes: 64, chains: 24, vec: func(i int) reg.VecPhysical {
	return []reg.VecPhysical{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8, reg.Z9, reg.Z10, reg.Z11,
		reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18, reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24,
		reg.Z25, reg.Z26, reg.Z27, reg.Z28, reg.Z29, reg.Z30, reg.Z31}[i]
}}

func main() {
	ConstraintExpr("amd64")
	identify()
	for _, v := range []isa{avx2, avx512} {
		fma(v)
		read(v, 1, false)
		read(v, 1, true)
		read(v, 4, false)
	}
	Generate()
}

// identify asks the processor.
func identify() {
	TEXT("cpuid", NOSPLIT, "func(leaf uint32) (a, b, c, d uint32)")
	Doc("cpuid is the instruction of that name, sub-leaf 0.")
	Load(Param("leaf"), reg.EAX)
	XORL(reg.ECX, reg.ECX)
	CPUID()
	for name, r := range []reg.Register{reg.EAX, reg.EBX, reg.ECX, reg.EDX} {
		Store(r, ReturnIndex(name))
	}
	RET()
}

// fma keeps as many sums as there are registers, so that no multiply-add waits for the one before it.
func fma(v isa) {
	values := v.chains * v.bytes / 4
	TEXT("fma"+v.name, NOSPLIT, fmt.Sprintf("func(rounds int, x, y float32, sums *[%d]float32)", values))
	Doc(fmt.Sprintf("fma%s adds x·y to each of %d sums, rounds times (at least 1), one rounding each, from 0.", v.name, values))
	Pragma("noescape")
	rounds, out := reg.RCX, reg.RDI
	Load(Param("rounds"), rounds)
	Load(Param("sums"), out)
	x, y := v.vec(v.chains), v.vec(v.chains+1)
	broadcast("x", x)
	broadcast("y", y)
	for i := range v.chains {
		z := v.vec(i)
		if v.bytes == 64 {
			VPXORD(z, z, z)
		} else {
			VPXOR(z, z, z)
		}
	}
	Label("round")
	for i := range v.chains {
		VFMADD231PS(x, y, v.vec(i))
	}
	DECQ(rounds)
	JNE(LabelRef("round"))
	for i := range v.chains {
		VMOVUPS(v.vec(i), Mem{Base: out, Disp: v.bytes * i})
	}
	VZEROUPPER()
	RET()
}

func broadcast(name string, dst reg.VecPhysical) {
	b, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSS(b.Addr, dst)
}

// What read takes in one step of a stream, and how many sums it keeps: an addition takes one cycle, so a few suffice.
const (
	groupBytes = 256
	readSums   = 8
)

// read adds up words of several streams; with ahead it also fetches lines that come later, past the caches' upper levels.
func read(v isa, streams int, ahead bool) {
	name, signature := fmt.Sprintf("read%sx%d", v.name, streams), "func(base *uint64, stride, groups int, sums *[8]uint64)"
	text := fmt.Sprintf("adds to sums the words of streams (%d) that begin stride bytes apart, groups × %d bytes of each (at least 1 group).", streams, groupBytes)
	if ahead {
		name, signature = name+"Ahead", "func(base *uint64, stride, groups, ahead int, sums *[8]uint64)"
		text += " What lies ahead bytes further on is fetched meanwhile."
	}
	TEXT(name, NOSPLIT, signature)
	Doc(name + " " + text)
	Pragma("noescape")
	groups, out, stride, far := reg.RCX, reg.RDI, reg.RSI, reg.RDX
	at := []reg.GPPhysical{reg.R8, reg.R9, reg.R10, reg.R11}[:streams]
	Load(Param("base"), at[0])
	Load(Param("stride"), stride)
	Load(Param("groups"), groups)
	Load(Param("sums"), out)
	for i := 1; i < streams; i++ {
		LEAQ(Mem{Base: at[i-1], Index: stride, Scale: 1}, at[i])
	}
	if ahead {
		Load(Param("ahead"), far)
	}
	for i := range readSums {
		z := v.vec(i)
		if v.bytes == 64 {
			VPXORQ(z, z, z)
		} else {
			VPXOR(z, z, z)
		}
	}
	Label("group")
	for line := 0; line < groupBytes; line += 64 {
		for s, base := range at {
			if ahead {
				PREFETCHNTA(Mem{Base: base, Index: far, Scale: 1, Disp: line})
			}
			for part := line; part < line+64; part += v.bytes {
				z := v.vec((s*groupBytes/v.bytes + part/v.bytes) % readSums)
				VPADDQ(Mem{Base: base, Disp: part}, z, z)
			}
		}
	}
	for _, base := range at {
		ADDQ(U32(groupBytes), base)
	}
	DECQ(groups)
	JNE(LabelRef("group"))
	for i := 1; i < readSums; i++ {
		VPADDQ(v.vec(i), v.vec(0), v.vec(0))
	}
	VPADDQ(Mem{Base: out}, v.vec(0), v.vec(0))
	VMOVUPS(v.vec(0), Mem{Base: out})
	VZEROUPPER()
	RET()
}
