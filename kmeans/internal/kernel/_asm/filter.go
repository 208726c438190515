package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// The filter's tile: so many vectors of rows against so many centroids, each pair in an accumulator of its own.
const (
	filterVectors   = 4
	filterCentroids = 6
)

// filterAhead is how many bytes ahead of those that are read rows are fetched.
const filterAhead = 4096

func zmm(i int) reg.Register { return avx512.vec(i) }

// constant fills a vector with 32 bits.
func constant(bits uint32, dst reg.Register) {
	MOVL(U32(bits), reg.EAX)
	VPBROADCASTD(reg.EAX, dst)
}

// grid is what values need to become integers, in registers.
type grid struct{ inverse, least, most, residual reg.Register }

// place sets whole to the integers of the values x, less shift, and adds the squares of what they lose to the residual; it fetches
// ahead. t and q are free.
func (g grid) place(x, ahead, shift Mem, t, q, whole reg.Register) {
	VMOVUPS(x, t)
	PREFETCHT1(ahead)
	VFMSUB213PS_BCST(shift, g.inverse, t)
	VMAXPS(g.least, t, q)
	VMINPS(g.most, q, q)
	VCVTPS2DQ(q, whole)
	VCVTDQ2PS(whole, q)
	VSUBPS(q, t, t)
	VFMADD231PS(t, t, g.residual)
}

// quantize makes bytes of rows.
func quantize() {
	TEXT("quantizeVNNI", NOSPLIT, "func(blocks *float32, n, d int, shift *float32, inverse float32, rows *uint8, products, sums *int32, residuals *float32)")
	Doc("quantizeVNNI makes bytes of n blocks of 16 rows, at most 4: the integer q nearest to t = x·inverse − shift, from 0 to 255,",
		"four dimensions in a lane, blocks of the same four side by side. Of each row it writes Σq(q−128), Σq and Σ(t−q)².")
	Pragma("noescape")
	x, n, left, shift, rows, to := reg.RSI, reg.RCX, reg.R8, reg.R9, reg.RDI, reg.R10
	products, sums, residuals := reg.R11, reg.R12, reg.R13
	inverse, most, zero, ones, flip := zmm(0), zmm(1), zmm(2), zmm(3), zmm(4)
	product, sum, residual, packed := zmm(5), zmm(6), zmm(7), zmm(8)
	g := grid{inverse: inverse, least: zero, most: most, residual: residual}
	Load(Param("blocks"), x)
	Load(Param("n"), n)
	Load(Param("rows"), rows)
	Load(Param("products"), products)
	Load(Param("sums"), sums)
	Load(Param("residuals"), residuals)
	VBROADCASTSS(parameter("inverse"), inverse)
	constant(0x437f0000, most) // 255
	constant(0x01010101, ones)
	constant(0x80808080, flip)
	VPXORD(zero, zero, zero)
	Label("block")
	MOVQ(rows, to)
	Load(Param("d"), left)
	Load(Param("shift"), shift)
	for _, v := range []reg.Register{product, sum, residual} {
		VPXORD(v, v, v)
	}
	Label("four")
	VPXORD(packed, packed, packed)
	for i := range 4 {
		t, q := zmm(9+3*i), zmm(10+3*i)
		whole := zmm(11 + 3*i)
		g.place(at(x, 64*i), at(x, 64*i+filterAhead), at(shift, 4*i), t, q, whole)
		if i > 0 {
			VPSLLD(Imm(uint64(8*i)), whole, whole)
		}
		VPORD(whole, packed, packed)
		if i < 3 {
			DECQ(left)
			JEQ(LabelRef("pack"))
		}
	}
	DECQ(left)
	Label("pack")
	VMOVDQU32(packed, at(to, 0))
	VPXORD(flip, packed, zmm(9))
	VPDPBUSD(zmm(9), packed, product)
	VPDPBUSD(ones, packed, sum)
	ADDQ(I32(64*filterVectors), to)
	ADDQ(Imm(16), shift)
	// The first test of left was the last of the row's where it ended within a four.
	LEAQ(at(x, 256), x)
	CMPQ(left, Imm(0))
	JNE(LabelRef("four"))
	VMOVDQU32(product, at(products, 0))
	VMOVDQU32(sum, at(sums, 0))
	VMOVUPS(residual, at(residuals, 0))
	// x has gone up to whole fours: back to where the next block begins.
	Load(Param("d"), left)
	NEGQ(left)
	ANDQ(Imm(3), left)
	SHLQ(Imm(6), left)
	SUBQ(left, x)
	for _, p := range []reg.GPPhysical{rows, products, sums, residuals} {
		ADDQ(Imm(64), p)
	}
	DECQ(n)
	JNE(LabelRef("block"))
	done()
}

// products multiplies rows of bytes with centroids of bytes.
func products() {
	TEXT("productsVNNI", NOSPLIT, "func(rows *uint8, fours int, centroids *int8, groups int, sums *int32)")
	Doc("productsVNNI writes, for 64 rows of 4·fours bytes and each of groups of 6 centroids, what the centroid begins with plus the",
		"product of their bytes: 64 values for a centroid. rows holds four bytes of each row, then the next four; a group holds six",
		"int32 to begin with, then four bytes of each of its centroids, then the next four.")
	Pragma("noescape")
	rows, fours, centroids, groups, sums, x, left := reg.RSI, reg.RBX, reg.RDI, reg.RCX, reg.RDX, reg.R8, reg.R9
	Load(Param("rows"), rows)
	Load(Param("fours"), fours)
	Load(Param("centroids"), centroids)
	Load(Param("groups"), groups)
	Load(Param("sums"), sums)
	acc := func(v, c int) reg.Register { return zmm(filterVectors*c + v) }
	row := func(v int) reg.Register { return zmm(filterVectors*filterCentroids + v) }
	wide := func(c int) reg.Register { return zmm(filterVectors*(filterCentroids+1) + c%4) }
	Label("group")
	for c := range filterCentroids {
		VPBROADCASTD(at(centroids, 4*c), acc(0, c))
		for v := 1; v < filterVectors; v++ {
			VMOVDQA32(acc(0, c), acc(v, c))
		}
	}
	ADDQ(Imm(4*filterCentroids), centroids)
	MOVQ(rows, x)
	MOVQ(fours, left)
	Label("four")
	for v := range filterVectors {
		VMOVDQU32(at(x, 64*v), row(v))
	}
	for c := range filterCentroids {
		VPBROADCASTD(at(centroids, 4*c), wide(c))
		for v := range filterVectors {
			VPDPBUSD(wide(c), row(v), acc(v, c))
		}
	}
	ADDQ(I32(64*filterVectors), x)
	ADDQ(Imm(4*filterCentroids), centroids)
	DECQ(left)
	JNE(LabelRef("four"))
	for c := range filterCentroids {
		for v := range filterVectors {
			VMOVDQU32(acc(v, c), at(sums, 64*(filterVectors*c+v)))
		}
	}
	ADDQ(I32(64*filterVectors*filterCentroids), sums)
	DECQ(groups)
	JNE(LabelRef("group"))
	done()
}

// leaders are the two largest sums of rows and the number of the first, in registers, by vector.
type leaders struct {
	vectors             int
	best, second, index func(int) reg.Register
}

// each calls do for every register and its place in memory, to which ptr is set by the parameters of these names.
func (l leaders) each(ptr reg.GPPhysical, do func(r reg.Register, m Mem)) {
	for _, p := range []struct {
		name string
		of   func(int) reg.Register
	}{{"best", l.best}, {"second", l.second}, {"index", l.index}} {
		Load(Param(p.name), ptr)
		for v := range l.vectors {
			do(p.of(v), at(ptr, 64*v))
		}
	}
}

func (l leaders) load(ptr reg.GPPhysical) {
	l.each(ptr, func(r reg.Register, m Mem) { VMOVDQU32(m, r) })
}
func (l leaders) store(ptr reg.GPPhysical) {
	l.each(ptr, func(r reg.Register, m Mem) { VMOVDQU32(r, m) })
}

// take takes the sums x of the number j to vector v; less is free.
func (l leaders) take(v int, x, less, j, mask reg.Register) {
	VPCMPGTD(l.best(v), x, mask)
	VPMINSD(l.best(v), x, less)
	VPMAXSD(l.best(v), x, l.best(v))
	VPMAXSD(less, l.second(v), l.second(v))
	VMOVDQA32(j, mask, l.index(v))
}

// twoLargest finds the two largest sums of each row.
func twoLargest() {
	TEXT("twoLargestAVX512", NOSPLIT, "func(sums *int32, n int, first int32, best, second, index *int32)")
	Doc("twoLargestAVX512 takes n more lines of 64 sums to the largest and the second largest of each of 64 rows; the lines have",
		"the numbers first, first+1 … Of equal sums the first is the largest.")
	Pragma("noescape")
	sums, n, ptr := reg.RSI, reg.RCX, reg.RDI
	best := func(v int) reg.Register { return zmm(v) }
	second := func(v int) reg.Register { return zmm(filterVectors + v) }
	index := func(v int) reg.Register { return zmm(2*filterVectors + v) }
	x := func(v int) reg.Register { return zmm(3*filterVectors + v) }
	less := func(v int) reg.Register { return zmm(4*filterVectors + v) }
	j, one := zmm(30), zmm(31)
	masks := []reg.Register{reg.K1, reg.K2, reg.K3, reg.K4}
	Load(Param("sums"), sums)
	Load(Param("n"), n)
	Load(Param("first"), reg.EAX)
	VPBROADCASTD(reg.EAX, j)
	constant(1, one)
	top := leaders{vectors: filterVectors, best: best, second: second, index: index}
	top.load(ptr)
	Label("line")
	for v := range filterVectors {
		VMOVDQU32(at(sums, 64*v), x(v))
		top.take(v, x(v), less(v), j, masks[v])
	}
	VPADDD(one, j, j)
	ADDQ(I32(64*filterVectors), sums)
	DECQ(n)
	JNE(LabelRef("line"))
	top.store(ptr)
	done()
}

// outcomes says what the two largest sums of rows prove.
func outcomes() {
	TEXT("outcomesAVX512", NOSPLIT, "func(c *float32, products, sums *int32, residuals *float32, best, second, thresholds *int32, errors, nearest, others *float32) uint64")
	Doc("outcomesAVX512 works on 64 rows what Filter.outcome says, and returns a bit for each that is open. c are the constants, in the",
		"order of the fields of bounds.")
	Pragma("noescape")
	c, mask, bits := reg.RSI, reg.RAX, reg.R14
	pointers := map[string]reg.GPPhysical{"products": reg.RDI, "sums": reg.RDX, "residuals": reg.RCX, "best": reg.R8, "second": reg.R9,
		"thresholds": reg.R10, "errors": reg.R13, "nearest": reg.R11, "others": reg.R12}
	Load(Param("c"), c)
	for _, name := range []string{"products", "sums", "residuals", "best", "second", "thresholds", "errors", "nearest", "others"} {
		Load(Param(name), pointers[name])
	}
	one, zero, none, half := zmm(31), zmm(30), zmm(29), zmm(28)
	constant(1, one)
	constant(0x7fffffff, none)
	constant(0x3f000000, half)
	VPXORD(zero, zero, zero)
	const (
		residualUp = 4 * iota
		ofLength
		centroid
		nearUp
		up
		down
		wide
		slack
		most
		step
	)
	base, w, s, best, square, e, u, z, g, t := zmm(0), zmm(1), zmm(2), zmm(3), zmm(4), zmm(5), zmm(6), zmm(7), zmm(8), zmm(9)
	for v := range filterVectors {
		o := 64 * v
		VMOVDQU32(at(pointers["products"], o), w)
		VMOVDQU32(at(pointers["sums"], o), s)
		VPSLLD(Imm(7), s, s)
		VPSUBD(s, w, base)
		VPADDD(s, w, w)
		VMOVDQU32(at(pointers["best"], o), best)
		VPSLLD(Imm(1), best, square)
		VPSUBD(square, base, square)
		VPMAXSD(zero, square, square)
		VPADDD(one, square, square)
		VCVTDQ2PS(square, square)
		// e = (√residual·residualUp + √length·ofLength + centroid)·up
		VCVTDQ2PS(w, w)
		VSQRTPS(w, w)
		VBROADCASTSS(at(c, centroid), e)
		VFMADD231PS_BCST(at(c, ofLength), w, e)
		VSQRTPS(at(pointers["residuals"], o), w)
		VFMADD231PS_BCST(at(c, residualUp), w, e)
		VMULPS_BCST(at(c, up), e, e)
		VMOVUPS(e, at(pointers["errors"], o))
		// u = (√square + e)·nearUp, z = (u + e)·up
		VSQRTPS(square, u)
		VADDPS(e, u, u)
		VMULPS_BCST(at(c, nearUp), u, u)
		VADDPS(e, u, z)
		VMULPS_BCST(at(c, up), z, z)
		// t = best − (z²·wide − square/2 + slack)
		VMULPS(z, z, z)
		VBROADCASTSS(at(c, slack), g)
		VFNMADD231PS(half, square, g)
		VFMADD231PS_BCST(at(c, wide), z, g)
		VBROADCASTSS(at(c, most), z)
		VMINPS(z, g, g) // the second one where g is no number
		VCVTPS2DQ(g, g)
		VPSUBD(g, best, t)
		// What is nearest is no farther than u, what is not no nearer than others.
		VMOVDQU32(at(pointers["second"], o), w)
		VPCMPGTD(w, t, reg.K1) // t above the second: proved
		VMOVDQA32(none, reg.K1, t)
		VMOVDQU32(t, at(pointers["thresholds"], o))
		VPSLLD(Imm(1), w, w)
		VPSUBD(w, base, w)
		VPMAXSD(zero, w, w)
		VCVTDQ2PS(w, w)
		VSQRTPS(w, w)
		VMULPS_BCST(at(c, down), w, w)
		VSUBPS(e, w, w)
		VMAXPS(zero, w, w)
		VMULPS_BCST(at(c, step), w, w)
		VMULPS(w, w, w)
		VMULPS_BCST(at(c, down), w, w)
		VMOVUPS(w, at(pointers["others"], o))
		VMULPS_BCST(at(c, step), u, u)
		VMULPS(u, u, u)
		VMULPS_BCST(at(c, up), u, u)
		VMOVUPS(u, at(pointers["nearest"], o))
		KNOTW(reg.K1, reg.K1)
		KMOVW(reg.K1, mask.As32())
		if v == 0 {
			MOVQ(mask, bits)
			continue
		}
		SHLQ(Imm(uint64(16*v)), mask)
		ORQ(mask, bits)
	}
	VZEROUPPER()
	Store(bits, ReturnIndex(0))
	RET()
}

// reached lists the lines of sums that reach the threshold of some row.
func reached() {
	TEXT("reachedAVX512", NOSPLIT, "func(sums *int32, n int, first int32, thresholds, numbers *int32, masks *uint64) int")
	Doc("reachedAVX512 lists, of n lines of 64 sums with the numbers first, first+1 …, those that reach the thresholds of rows, and",
		"marks the rows. It returns how many there are, and may write one more.")
	Pragma("noescape")
	sums, n, first, thresholds, numbers, masks, count, mask, more := reg.RSI, reg.RCX, reg.RDX, reg.RDI, reg.R8, reg.R9, reg.RAX, reg.RBX, reg.R10
	Load(Param("sums"), sums)
	Load(Param("n"), n)
	Load(Param("first"), first.As32())
	Load(Param("thresholds"), thresholds)
	Load(Param("numbers"), numbers)
	Load(Param("masks"), masks)
	for v := range filterVectors {
		VMOVDQU32(at(thresholds, 64*v), zmm(v))
	}
	XORQ(count, count)
	Label("line")
	const notLess = 5
	for v, k := range []reg.Register{reg.K1, reg.K2, reg.K3, reg.K4} {
		VMOVDQU32(at(sums, 64*v), zmm(4+v))
		VPCMPD(Imm(notLess), zmm(v), zmm(4+v), k)
	}
	KUNPCKWD(reg.K1, reg.K2, reg.K1)
	KUNPCKWD(reg.K3, reg.K4, reg.K3)
	KUNPCKDQ(reg.K1, reg.K3, reg.K1)
	KMOVQ(reg.K1, mask)
	MOVL(first.As32(), Mem{Base: numbers, Index: count, Scale: 4})
	MOVQ(mask, Mem{Base: masks, Index: count, Scale: 8})
	XORQ(more, more)
	TESTQ(mask, mask)
	SETNE(more.As8())
	ADDQ(more, count)
	INCL(first.As32())
	ADDQ(I32(64*filterVectors), sums)
	DECQ(n)
	JNE(LabelRef("line"))
	VZEROUPPER()
	Store(count, ReturnIndex(0))
	RET()
}

// row takes one row out of its block.
func row() {
	TEXT("rowAVX512", NOSPLIT, "func(block *float32, d int, x *float32)")
	Doc("rowAVX512 copies the d coordinates of a row that lie 16 values apart to x, which is filled up with zeros to whole vectors.")
	Pragma("noescape")
	from, left, to, mask := reg.RSI, reg.RBX, reg.RDI, reg.RAX
	offsets, v := zmm(0), zmm(1)
	Load(Param("block"), from)
	Load(Param("d"), left)
	Load(Param("x"), to)
	VMOVDQU32(lanes, offsets)
	VPSLLD(Imm(4), offsets, offsets)
	Label("vector")
	CMPQ(left, Imm(16))
	JLT(LabelRef("rest"))
	KXNORW(reg.K0, reg.K0, reg.K1)
	VGATHERDPS(Mem{Base: from, Index: offsets, Scale: 4}, reg.K1, v)
	VMOVUPS(v, at(to, 0))
	ADDQ(I32(1024), from)
	ADDQ(Imm(64), to)
	SUBQ(Imm(16), left)
	JNE(LabelRef("vector"))
	done()
	Label("rest")
	MOVQ(left, reg.RCX)
	MOVL(U32(1), mask.As32())
	SHLL(reg.CL, mask.As32())
	DECL(mask.As32())
	KMOVW(mask.As32(), reg.K1)
	VPXORD(v, v, v)
	VGATHERDPS(Mem{Base: from, Index: offsets, Scale: 4}, reg.K1, v)
	VMOVUPS(v, at(to, 0))
	done()
}

// squares is the distances of a row from listed centroids, summed up in any order.
func squares() {
	TEXT("squaresAVX512", NOSPLIT, "func(x *float32, d int, centroids *float32, list *int32, n int, out *float32)")
	Doc("squaresAVX512 writes squared distances of x from n listed centroids of d coordinates, n a multiple of 4. Sixteen sums are",
		"added up for each, so that the rounding is not that of the definition.")
	Pragma("noescape")
	x, left, centroids, list, n, out, offset, bytes, tail := reg.RSI, reg.RBX, reg.RDI, reg.R8, reg.RCX, reg.R9, reg.R10, reg.R11, reg.RAX
	rows := []reg.GPPhysical{reg.R12, reg.R13, reg.R14, reg.R15}
	Load(Param("d"), left)
	// K1: the coordinates of the last, unfinished vector.
	MOVQ(left, reg.RCX)
	ANDQ(Imm(15), reg.RCX)
	MOVL(U32(1), tail.As32())
	SHLL(reg.CL, tail.As32())
	DECL(tail.As32())
	KMOVW(tail.As32(), reg.K1)
	MOVQ(left, bytes)
	SHLQ(Imm(2), bytes)
	Load(Param("x"), x)
	Load(Param("centroids"), centroids)
	Load(Param("list"), list)
	Load(Param("n"), n)
	Load(Param("out"), out)
	acc := func(i int) reg.Register { return zmm(i) }
	Label("group")
	for i, r := range rows {
		MOVLQSX(at(list, 4*i), r)
		IMULQ(bytes, r)
		ADDQ(centroids, r)
		VPXORD(acc(i), acc(i), acc(i))
	}
	XORQ(offset, offset)
	Load(Param("d"), left)
	SUBQ(Imm(16), left)
	JLT(LabelRef("rest"))
	Label("vector")
	VMOVUPS(Mem{Base: x, Index: offset, Scale: 1}, zmm(8))
	for i, r := range rows {
		VSUBPS(Mem{Base: r, Index: offset, Scale: 1}, zmm(8), zmm(4+i))
		VFMADD231PS(zmm(4+i), zmm(4+i), acc(i))
	}
	ADDQ(Imm(64), offset)
	SUBQ(Imm(16), left)
	JGE(LabelRef("vector"))
	Label("rest")
	KTESTW(reg.K1, reg.K1)
	JEQ(LabelRef("sum"))
	VMOVUPS_Z(Mem{Base: x, Index: offset, Scale: 1}, reg.K1, zmm(8))
	for i, r := range rows {
		VSUBPS_Z(Mem{Base: r, Index: offset, Scale: 1}, zmm(8), reg.K1, zmm(4+i))
		VFMADD231PS(zmm(4+i), zmm(4+i), acc(i))
	}
	Label("sum")
	ys := []reg.VecPhysical{reg.Y0, reg.Y1, reg.Y2, reg.Y3}
	for i, y := range ys {
		VEXTRACTF64X4(Imm(1), acc(i), reg.Y4)
		VADDPS(reg.Y4, y, y)
	}
	VHADDPS(ys[1], ys[0], ys[0])
	VHADDPS(ys[3], ys[2], ys[2])
	VHADDPS(ys[2], ys[0], ys[0])
	VEXTRACTF128(Imm(1), ys[0], reg.X1)
	VADDPS(reg.X1, reg.X0, reg.X0)
	VMOVUPS(reg.X0, at(out, 0))
	ADDQ(Imm(16), list)
	ADDQ(Imm(16), out)
	SUBQ(Imm(4), n)
	JNE(LabelRef("group"))
	done()
}

// defined is the definition's distances of a row from listed centroids.
func defined() {
	TEXT("definedAVX512", NOSPLIT, "func(x *float32, d int, centroids *float32, list *int32, n int, out *float32)")
	Doc("definedAVX512 writes the squared distances of x from n listed centroids of d coordinates, n a multiple of 4, added up in",
		"order: to the bit those of the other kernels.")
	Pragma("noescape")
	x, centroids, list, n, out, offset, bytes := reg.RSI, reg.RDI, reg.R8, reg.RCX, reg.R9, reg.R10, reg.R11
	rows := []reg.GPPhysical{reg.R12, reg.R13, reg.R14, reg.R15}
	Load(Param("d"), bytes)
	SHLQ(Imm(2), bytes)
	Load(Param("x"), x)
	Load(Param("centroids"), centroids)
	Load(Param("list"), list)
	Load(Param("n"), n)
	Load(Param("out"), out)
	Label("group")
	for i, r := range rows {
		MOVLQSX(at(list, 4*i), r)
		IMULQ(bytes, r)
		ADDQ(centroids, r)
	}
	VXORPS(reg.X0, reg.X0, reg.X0)
	XORQ(offset, offset)
	Label("dimension")
	VBROADCASTSS(Mem{Base: x, Index: offset, Scale: 1}, reg.X1)
	VMOVSS(Mem{Base: rows[0], Index: offset, Scale: 1}, reg.X2)
	for i := 1; i < 4; i++ {
		VINSERTPS(Imm(uint64(i<<4)), Mem{Base: rows[i], Index: offset, Scale: 1}, reg.X2, reg.X2)
	}
	VSUBPS(reg.X2, reg.X1, reg.X1)
	VFMADD231PS(reg.X1, reg.X1, reg.X0)
	ADDQ(Imm(4), offset)
	CMPQ(offset, bytes)
	JLT(LabelRef("dimension"))
	VMOVUPS(reg.X0, at(out, 0))
	ADDQ(Imm(16), list)
	ADDQ(Imm(16), out)
	SUBQ(Imm(4), n)
	JNE(LabelRef("group"))
	done()
}

// The tile of words: two vectors of rows against eight centroids, whose sums are compared while they are in registers.
const (
	wordVectors   = 2
	wordCentroids = 8
)

// quantizeWords makes words of rows.
func quantizeWords() {
	TEXT("quantizeWordsVNNI", NOSPLIT, "func(blocks *float32, n, d int, shift *float32, inverse, most float32, rows *int16, products *int32, residuals *float32)")
	Doc("quantizeWordsVNNI makes words of n blocks of 16 rows, at most 4: the integer q nearest to t = x·inverse − shift, from −most to",
		"most, two dimensions in a lane, blocks of the same two side by side. Of each row it writes Σq² and Σ(t−q)².")
	Pragma("noescape")
	x, n, left, shift, rows, to := reg.RSI, reg.RCX, reg.R8, reg.R9, reg.RDI, reg.R10
	products, residuals := reg.R11, reg.R13
	inverse, most, least, low := zmm(0), zmm(1), zmm(2), zmm(3)
	product, residual, packed := zmm(5), zmm(7), zmm(8)
	g := grid{inverse: inverse, least: least, most: most, residual: residual}
	Load(Param("blocks"), x)
	Load(Param("n"), n)
	Load(Param("rows"), rows)
	Load(Param("products"), products)
	Load(Param("residuals"), residuals)
	VBROADCASTSS(parameter("inverse"), inverse)
	VBROADCASTSS(parameter("most"), most)
	constant(0x80000000, low)
	VXORPS(low, most, least)
	constant(0x0000ffff, low)
	Label("block")
	MOVQ(rows, to)
	Load(Param("d"), left)
	Load(Param("shift"), shift)
	VPXORD(product, product, product)
	VPXORD(residual, residual, residual)
	word := func(i int, whole reg.Register) {
		t, q := zmm(9+3*i), zmm(10+3*i)
		g.place(at(x, 64*i), at(x, 64*i+filterAhead), at(shift, 4*i), t, q, whole)
	}
	Label("two")
	word(0, packed)
	VPANDD(low, packed, packed)
	DECQ(left)
	JEQ(LabelRef("pack"))
	word(1, zmm(15))
	VPSLLD(Imm(16), zmm(15), zmm(15))
	VPORD(zmm(15), packed, packed)
	DECQ(left)
	Label("pack")
	VMOVDQU32(packed, at(to, 0))
	VPDPWSSD(packed, packed, product)
	ADDQ(I32(64*filterVectors), to)
	ADDQ(Imm(8), shift)
	LEAQ(at(x, 128), x)
	CMPQ(left, Imm(0))
	JNE(LabelRef("two"))
	VMOVDQU32(product, at(products, 0))
	VMOVUPS(residual, at(residuals, 0))
	// x has gone up to whole pairs: back to where the next block begins.
	Load(Param("d"), left)
	ANDQ(Imm(1), left)
	SHLQ(Imm(6), left)
	SUBQ(left, x)
	for _, p := range []reg.GPPhysical{rows, products, residuals} {
		ADDQ(Imm(64), p)
	}
	DECQ(n)
	JNE(LabelRef("block"))
	done()
}

// nearestWords finds the two largest sums of products of words.
func nearestWords() {
	TEXT("nearestWordsVNNI", NOSPLIT, "func(rows *int16, pairs int, centroids *int16, groups int, first int32, best, second, index *int32)")
	Doc("nearestWordsVNNI takes, of 32 rows of 2·pairs words, two blocks of which lie 64 bytes apart, and each of groups of 8",
		"centroids, what the centroid begins with plus the product of their words, to the largest and the second largest of each row.",
		"rows holds two words of each row of four blocks, then the next two; a group holds eight int32 to begin with, then two words",
		"of each of its centroids, then the next two. Of equal sums the first is the largest.")
	Pragma("noescape")
	rows, pairs, centroids, groups, ptr, x, left := reg.RSI, reg.RBX, reg.RDI, reg.RCX, reg.RDX, reg.R8, reg.R9
	acc := func(v, c int) reg.Register { return zmm(wordVectors*c + v) }
	best := func(v int) reg.Register { return zmm(16 + v) }
	second := func(v int) reg.Register { return zmm(18 + v) }
	index := func(v int) reg.Register { return zmm(20 + v) }
	row := func(v int) reg.Register { return zmm(22 + v) }
	wide := func(c int) reg.Register { return zmm(24 + c%4) }
	j, one := zmm(30), zmm(31)
	masks := []reg.Register{reg.K1, reg.K2}
	Load(Param("rows"), rows)
	Load(Param("pairs"), pairs)
	Load(Param("centroids"), centroids)
	Load(Param("groups"), groups)
	Load(Param("first"), reg.EAX)
	VPBROADCASTD(reg.EAX, j)
	constant(1, one)
	top := leaders{vectors: wordVectors, best: best, second: second, index: index}
	top.load(ptr)
	Label("group")
	for c := range wordCentroids {
		VPBROADCASTD(at(centroids, 4*c), acc(0, c))
		VMOVDQA32(acc(0, c), acc(1, c))
	}
	ADDQ(Imm(4*wordCentroids), centroids)
	MOVQ(rows, x)
	MOVQ(pairs, left)
	Label("pair")
	for v := range wordVectors {
		VMOVDQU32(at(x, 64*v), row(v))
	}
	for c := range wordCentroids {
		VPBROADCASTD(at(centroids, 4*c), wide(c))
		for v := range wordVectors {
			VPDPWSSD(wide(c), row(v), acc(v, c))
		}
	}
	ADDQ(I32(64*filterVectors), x)
	ADDQ(Imm(4*wordCentroids), centroids)
	DECQ(left)
	JNE(LabelRef("pair"))
	for c := range wordCentroids {
		for v := range wordVectors {
			less := zmm(22 + (wordVectors*c+v)%6)
			top.take(v, acc(v, c), less, j, masks[v])
		}
		VPADDD(one, j, j)
	}
	DECQ(groups)
	JNE(LabelRef("group"))
	top.store(ptr)
	done()
}

// filter writes the functions of the filter.
func filter() {
	quantize()
	products()
	twoLargest()
	outcomes()
	reached()
	row()
	squares()
	defined()
	quantizeWords()
	nearestWords()
}
