// Command asm writes the assembly of package exact and its Go declarations. Run it with go generate in the folder above.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// group is the bytes of 16 float32s, which a step takes.
const group = 64

// lessQuiet and notEqual are the comparisons "less than, ordered, quiet" and "not equal, unordered, quiet" of VCMPPD.
const (
	lessQuiet = 17
	notEqual  = 4
)

var (
	integers  Mem // 1.5·2^52: adding and subtracting it rounds to integers
	magnitude Mem // all bits of a float64 but its sign
)

func main() {
	ConstraintExpr("amd64")
	integers = ConstData("integers", F64(1.5*(1<<52)))
	magnitude = ConstData("magnitude", U64(1<<63-1))
	extremes()
	moments()
	sum()
	extremesWide()
	momentsWide()
	for _, wide := range []bool{false, true} {
		grid(wide, false)
		grid(wide, true)
	}
	Generate()
}

func at(base reg.Register, displacement int) Mem { return Mem{Base: base, Disp: displacement} }

// magnitude32 is the mask of all bits of a float32 but its sign.
func magnitude32(y reg.Register) {
	VPCMPEQD(y, y, y)
	VPSRLD(Imm(1), y, y)
}

// arguments are the numbers, how many groups of them there are, and where what comes of them goes.
func arguments() (x, n, out reg.GPPhysical) {
	x, n, out = reg.RSI, reg.RCX, reg.RDI
	Load(Param("x"), x)
	Load(Param("groups"), n)
	Load(Param("out"), out)
	return x, n, out
}

// finish writes vectors of four float64s to out, and ends a function.
func finish(out reg.Register, vectors ...reg.Register) {
	for i, r := range vectors {
		VMOVUPD(r, at(out, 32*i))
	}
	VZEROUPPER()
	RET()
}

func extremes() {
	TEXT("extremesAVX2", NOSPLIT, "func(x *float32, groups int, out *[24]float32)")
	Doc("extremesAVX2 writes the least, the greatest and the greatest magnitude (as bits) of groups of 16 numbers, at least one,",
		"each in eight lanes. Where a number is not finite its magnitude shows it, and the others mean nothing.")
	Pragma("noescape")
	x, n, out := arguments()
	least, most, top := []reg.Register{reg.Y0, reg.Y1}, []reg.Register{reg.Y2, reg.Y3}, []reg.Register{reg.Y4, reg.Y5}
	mask := reg.Y6
	magnitude32(mask)
	for i := range 2 {
		VMOVUPS(at(x, 32*i), least[i])
		VMOVAPS(least[i], most[i])
		VPXOR(top[i], top[i], top[i])
	}
	Label("next")
	for i, v := range []reg.Register{reg.Y7, reg.Y8} {
		VMOVUPS(at(x, 32*i), v)
		VMINPS(v, least[i], least[i])
		VMAXPS(v, most[i], most[i])
		VPAND(mask, v, v)
		VPMAXUD(v, top[i], top[i])
	}
	ADDQ(Imm(group), x)
	DECQ(n)
	JNE(LabelRef("next"))
	VMINPS(least[1], least[0], least[0])
	VMAXPS(most[1], most[0], most[0])
	VPMAXUD(top[1], top[0], top[0])
	VMOVUPS(least[0], at(out, 0))
	VMOVUPS(most[0], at(out, 32))
	VMOVDQU(top[0], at(out, 64))
	VZEROUPPER()
	RET()
}

// inUnits sets v to four numbers in units, and miss where one is no integer in them; whole is integers. spoilt is a register
// that it needs.
func inUnits(from Mem, perUnit, whole, v, spoilt, miss reg.Register) {
	VCVTPS2PD(from, v)
	VMULPD(perUnit, v, v)
	VADDPD(whole, v, spoilt)
	VSUBPD(whole, spoilt, spoilt)
	VCMPPD(Imm(notEqual), spoilt, v, spoilt)
	VORPD(spoilt, miss, miss)
}

func moments() {
	TEXT("momentsAVX2", NOSPLIT, "func(x *float32, groups, stride int, perUnit, cut float64, out *[28]float64)")
	Doc("momentsAVX2 sums groups of 16 numbers, stride bytes from one to the next, at least one: what they are in units, their",
		"squares rounded to multiples of what cut rounds to, and what that leaves of the squares, each in eight lanes. The last",
		"four lanes are not zero where a number is no integer in units; the sums then mean nothing.")
	Pragma("noescape")
	x, n, out := arguments()
	stride := reg.RDX
	Load(Param("stride"), stride)
	perUnit, cut, whole, miss := reg.Y12, reg.Y13, reg.Y14, reg.Y15
	broadcast("perUnit", perUnit)
	broadcast("cut", cut)
	VBROADCASTSD(integers, whole)
	values, high, low := []reg.Register{reg.Y0, reg.Y1}, []reg.Register{reg.Y2, reg.Y3}, []reg.Register{reg.Y4, reg.Y5}
	for _, r := range []reg.Register{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, miss} {
		VXORPD(r, r, r)
	}
	Label("next")
	for i := range 4 {
		v, r := []reg.Register{reg.Y6, reg.Y9}[i%2], []reg.Register{reg.Y7, reg.Y10}[i%2]
		inUnits(at(x, 16*i), perUnit, whole, v, r, miss)
		VADDPD(v, values[i%2], values[i%2])
		VMULPD(v, v, v)
		VADDPD(cut, v, r)
		VSUBPD(cut, r, r)
		VADDPD(r, high[i%2], high[i%2])
		VSUBPD(r, v, v)
		VADDPD(v, low[i%2], low[i%2])
	}
	ADDQ(stride, x)
	DECQ(n)
	JNE(LabelRef("next"))
	finish(out, reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, miss)
}

func extremesWide() {
	TEXT("extremesWideAVX2", NOSPLIT, "func(x *float64, groups int, out *[12]float64)")
	Doc("extremesWideAVX2 writes the least and the greatest of groups of eight float64s, at least one, each in four lanes. The last",
		"four lanes are 0, or NaN where a number is not finite; the others then mean nothing.")
	Pragma("noescape")
	x, n, out := arguments()
	least, most, odd := []reg.Register{reg.Y0, reg.Y1}, []reg.Register{reg.Y2, reg.Y3}, []reg.Register{reg.Y4, reg.Y5}
	for i := range 2 {
		VMOVUPD(at(x, 32*i), least[i])
		VMOVAPD(least[i], most[i])
		VXORPD(odd[i], odd[i], odd[i])
	}
	Label("next")
	for i, v := range []reg.Register{reg.Y6, reg.Y7} {
		VMOVUPD(at(x, 32*i), v)
		VMINPD(v, least[i], least[i])
		VMAXPD(v, most[i], most[i])
		VSUBPD(v, v, v)
		VADDPD(v, odd[i], odd[i])
	}
	ADDQ(Imm(64), x)
	DECQ(n)
	JNE(LabelRef("next"))
	VMINPD(least[1], least[0], least[0])
	VMAXPD(most[1], most[0], most[0])
	VADDPD(odd[1], odd[0], odd[0])
	finish(out, least[0], most[0], odd[0])
}

func momentsWide() {
	TEXT("momentsWideAVX2", NOSPLIT, "func(x *float64, groups int, cuts *[5]float64, out *[28]float64)")
	Doc("momentsWideAVX2 sums groups of four float64s, at least one, and their exact squares, each cut into multiples of two and four",
		"units: adding and subtracting one of cuts rounds to multiples of its unit, and what that leaves goes to the next. Six sums of",
		"four lanes: two of the numbers, four of the squares. The last four lanes are not zero where cutting a number leaves something;",
		"the sums then mean nothing.")
	Pragma("noescape")
	x, n, out := arguments()
	cuts := reg.RDX
	Load(Param("cuts"), cuts)
	values, squares, miss := []reg.Register{reg.Y0, reg.Y1}, []reg.Register{reg.Y2, reg.Y3, reg.Y4, reg.Y5}, reg.Y6
	cut := []reg.Register{reg.Y7, reg.Y8, reg.Y9, reg.Y10, reg.Y11}
	for i, r := range cut {
		VBROADCASTSD(at(cuts, 8*i), r)
	}
	for _, r := range []reg.Register{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, miss} {
		VXORPD(r, r, r)
	}
	v, part, square := reg.Y12, reg.Y13, reg.Y14
	take := func(from, cut, sum, left reg.Register) {
		VADDPD(cut, from, part)
		VSUBPD(cut, part, part)
		VADDPD(part, sum, sum)
		VSUBPD(part, from, left)
	}
	Label("next")
	VMOVUPD(at(x, 0), v)
	take(v, cut[0], values[0], square) // not yet a square
	take(square, cut[1], values[1], square)
	VORPD(square, miss, miss)
	VMULPD(v, v, square)
	VFMSUB213PD(square, v, v) // what the square was rounded by
	take(square, cut[2], squares[0], square)
	take(square, cut[3], squares[1], square)
	take(v, cut[3], squares[1], v)
	take(square, cut[4], squares[2], square)
	take(v, cut[4], squares[2], v)
	VADDPD(square, squares[3], squares[3])
	VADDPD(v, squares[3], squares[3])
	ADDQ(Imm(32), x)
	DECQ(n)
	JNE(LabelRef("next"))
	finish(out, reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, miss)
}

func sum() {
	TEXT("sumAVX2", NOSPLIT, "func(x *float32, groups int, perUnit float64, out *[12]float64)")
	Doc("sumAVX2 sums groups of 16 numbers, at least one, in units, in eight lanes. The last four lanes are not zero where a number",
		"is no integer in units; the sums then mean nothing.")
	Pragma("noescape")
	x, n, out := arguments()
	perUnit, whole, miss := reg.Y12, reg.Y14, reg.Y15
	broadcast("perUnit", perUnit)
	VBROADCASTSD(integers, whole)
	sums := []reg.Register{reg.Y0, reg.Y1}
	for _, r := range []reg.Register{reg.Y0, reg.Y1, miss} {
		VXORPD(r, r, r)
	}
	Label("next")
	for i := range 4 {
		v, r := []reg.Register{reg.Y6, reg.Y9}[i%2], []reg.Register{reg.Y7, reg.Y10}[i%2]
		inUnits(at(x, 16*i), perUnit, whole, v, r, miss)
		VADDPD(v, sums[i%2], sums[i%2])
	}
	ADDQ(Imm(group), x)
	DECQ(n)
	JNE(LabelRef("next"))
	finish(out, reg.Y0, reg.Y1, miss)
}

func broadcast(name string, to reg.Register) {
	p, err := Param(name).Resolve()
	if err != nil {
		panic(err)
	}
	VBROADCASTSD(p.Addr, to)
}

func grid(wide, shifted bool) {
	name, number := "grid", "float32"
	if wide {
		name, number = "gridWide", "float64"
	}
	if shifted {
		name += "Shifted"
	}
	name += "AVX2"
	TEXT(name, NOSPLIT, "func(dst *float32, src *"+number+", groups, dstStride, srcStride int, p *[5]float64, top *[8]uint32)")
	Doc(name+" sets groups of 16 float32s, strides in bytes, to ("+number+" − center) / spread rounded to the grid, and top to the",
		"greatest magnitude of the results (as bits) in eight lanes. p is center, spread, and a grid's fine and magic, and the shift.",
		"dst may be src where both are of float32s.")
	Pragma("noescape")
	dst, src, n, dstStride, srcStride, p, top := reg.RDI, reg.RSI, reg.RCX, reg.RDX, reg.RBX, reg.RAX, reg.R8
	Load(Param("dst"), dst)
	Load(Param("src"), src)
	Load(Param("groups"), n)
	Load(Param("dstStride"), dstStride)
	Load(Param("srcStride"), srcStride)
	Load(Param("p"), p)
	center, spread, fine, magic, shift := reg.Y8, reg.Y9, reg.Y10, reg.Y11, reg.Y12
	for i, r := range []reg.Register{center, spread, fine, magic, shift} {
		VBROADCASTSD(at(p, 8*i), r)
	}
	absolute, most, zero := reg.Y13, reg.Y14, reg.Y15
	VBROADCASTSD(magnitude, absolute)
	magnitude32(reg.Y7)
	VXORPS(most, most, most)
	VXORPS(zero, zero, zero)
	Load(Param("top"), top)
	Label("next")
	for i := range 4 {
		v, a, b, c := []reg.Register{reg.Y0, reg.Y1}[i%2], reg.Y2, reg.Y3, reg.Y4
		if wide {
			VMOVUPD(at(src, 32*i), v)
		} else {
			VCVTPS2PD(at(src, 16*i), v)
		}
		VSUBPD(center, v, v)
		VDIVPD(spread, v, v)
		if shifted {
			subtractOdd(v, shift, a, b, c, zero)
		}
		VADDPD(magic, v, a)
		VSUBPD(magic, a, a)
		VANDPD(absolute, v, b)
		VCMPPD(Imm(lessQuiet), fine, b, b)
		VBLENDVPD(b, a, v, v)
		if i%2 == 0 {
			VCVTPD2PSY(v, reg.X5)
			continue
		}
		VCVTPD2PSY(v, reg.X6)
		VINSERTF128(Imm(1), reg.X6, reg.Y5, reg.Y5)
		VADDPS(zero, reg.Y5, reg.Y5) // −0 becomes +0
		VMOVUPS(reg.Y5, at(dst, 32*(i/2)))
		VPAND(reg.Y7, reg.Y5, reg.Y5)
		VPMAXUD(reg.Y5, most, most)
	}
	ADDQ(dstStride, dst)
	ADDQ(srcStride, src)
	DECQ(n)
	JNE(LabelRef("next"))
	VMOVDQU(most, at(top, 0))
	VZEROUPPER()
	RET()
}

// subtractOdd sets v to v − shift rounded to odd, as toOdd does, but for numbers near overflow.
func subtractOdd(v, shift, a, b, c, zero reg.Register) {
	VSUBPD(shift, v, a) // the rounded difference
	VSUBPD(v, a, b)     // what of −shift is in it
	VSUBPD(b, a, c)     // what of v is in it
	VSUBPD(c, v, v)
	VADDPD(shift, b, b) // −(−shift − b)
	VSUBPD(b, v, v)     // the rest, exactly
	VPXOR(a, v, c)      // its sign bit: rounded away from 0, if there is a rest
	VPADDQ(v, v, v)     // without its sign
	VPCMPEQQ(zero, v, v)
	VPANDN(c, v, c)
	VPSRLQ(Imm(63), c, c)
	VPSUBQ(c, a, a)
	VPCMPEQQ(b, b, b)
	VPANDN(b, v, v)
	VPSRLQ(Imm(63), v, v)
	VPOR(v, a, v)
}
