package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// list writes the numbers of marked rows, without a branch on what is marked.
func list() {
	TEXT("listAVX512", NOSPLIT, "func(masks *uint16, n int, rows *int32) int")
	Doc("listAVX512 writes the numbers of the marked rows of n blocks, and up to 15 values behind them, and returns how many",
		"they are.")
	Pragma("noescape")
	masks, n, rows, mask, count := reg.RSI, reg.RCX, reg.RDI, reg.RAX, reg.RBX
	numbers, step, found := reg.Z0, reg.Z1, reg.Z2
	Load(Param("masks"), masks)
	Load(Param("n"), n)
	Load(Param("rows"), rows)
	XORQ(count, count)
	VMOVDQU32(lanes, numbers)
	MOVL(U32(16), mask.As32())
	VPBROADCASTD(mask.As32(), step)
	Label("block")
	MOVWLZX(at(masks, 0), mask.As32())
	KMOVW(mask.As32(), reg.K1)
	VPCOMPRESSD(numbers, reg.K1, found)
	VMOVDQU32(found, Mem{Base: rows, Index: count, Scale: 4})
	POPCNTL(mask.As32(), mask.As32())
	ADDQ(mask, count)
	VPADDD(step, numbers, numbers)
	ADDQ(Imm(2), masks)
	DECQ(n)
	JNE(LabelRef("block"))
	VZEROUPPER()
	Store(count, ReturnIndex(0))
	RET()
}

// labels narrows indexes.
func labels() {
	TEXT("labelAVX512", NOSPLIT, "func(index *int32, blocks int, labels *uint16)")
	Doc("labelAVX512 makes the indexes of blocks of 16 rows their labels.")
	Pragma("noescape")
	index, n, to := reg.RSI, reg.RCX, reg.RDI
	Load(Param("index"), index)
	Load(Param("blocks"), n)
	Load(Param("labels"), to)
	Label("block")
	VMOVDQU32(at(index, 0), reg.Z0)
	VPMOVDW(reg.Z0, at(to, 0))
	ADDQ(Imm(64), index)
	ADDQ(Imm(32), to)
	DECQ(n)
	JNE(LabelRef("block"))
	done()
}

// gather copies listed rows to whole blocks.
func gather() {
	TEXT("gatherAVX512", NOSPLIT, "func(blocks *float32, d int, rows *int32, n int, dst *float32)")
	Doc("gatherAVX512 copies 16·n listed rows of d coordinates to n blocks at dst.")
	Pragma("noescape")
	rows, n, dst, left, x := reg.RDI, reg.RCX, reg.R9, reg.R10, reg.R11
	Load(Param("blocks"), block)
	Load(Param("d"), dim)
	Load(Param("rows"), rows)
	Load(Param("n"), n)
	Load(Param("dst"), dst)
	width, fifteen, index, lane, v := reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4
	MOVQ(dim, left)
	SHLQ(Imm(4), left)
	VPBROADCASTD(left.As32(), width)
	MOVL(U32(15), left.As32())
	VPBROADCASTD(left.As32(), fifteen)
	Label("block")
	// Row r is at value (r/16)·16·d + r%16 of the blocks.
	VMOVDQU32(at(rows, 0), index)
	VPANDD(fifteen, index, lane)
	VPSRLD(Imm(4), index, index)
	VPMULLD(width, index, index)
	VPADDD(lane, index, index)
	MOVQ(block, x)
	MOVQ(dim, left)
	Label("dimension")
	KXNORW(reg.K0, reg.K0, reg.K1)
	VGATHERDPS(Mem{Base: x, Index: index, Scale: 4}, reg.K1, v)
	VMOVUPS(v, at(dst, 0))
	ADDQ(Imm(64), x)
	ADDQ(Imm(64), dst)
	DECQ(left)
	JNE(LabelRef("dimension"))
	ADDQ(Imm(64), rows)
	DECQ(n)
	JNE(LabelRef("block"))
	done()
}

// move brings sums up to date with the rows whose label has changed.
func move() {
	TEXT("moveAVX512", NOSPLIT, "func(blocks *float32, d int, rows *int32, n int, labels *uint16, index *int32, sums *int64, stride int, units *float64, counts *int64, touched *bool)")
	Doc("moveAVX512 takes n listed rows of d coordinates out of the sums of their labels, adds them to those of their indexes,",
		"which become their labels, and keeps count. A line of sums has stride bytes, whole registers, and so has units.")
	Pragma("noescape")
	rows, n, labels, index, sums, line, units := reg.RDI, reg.RCX, reg.R8, reg.R9, reg.R10, reg.RDX, reg.R11
	counts, touched, row, from, to, t := reg.R12, reg.R13, reg.RAX, reg.R14, reg.R15, reg.RBX
	offsets, values, wide, sum, mask := reg.X0, reg.X1, reg.Y2, reg.Y4, reg.RSI
	// K2: the dimensions of the last, unfinished four.
	Load(Param("d"), reg.RCX)
	ANDQ(Imm(3), reg.RCX)
	MOVQ(U32(1), mask)
	SHLQ(reg.CL, mask)
	DECQ(mask)
	KMOVW(mask.As32(), reg.K2)
	Load(Param("rows"), rows)
	Load(Param("n"), n)
	Load(Param("labels"), labels)
	Load(Param("index"), index)
	Load(Param("sums"), sums)
	Load(Param("stride"), line)
	Load(Param("units"), units)
	Load(Param("counts"), counts)
	Load(Param("touched"), touched)
	VMOVDQU32(lanes, reg.Z3)
	VPSLLD(Imm(4), reg.X3, offsets) // coordinates of a row lie 16 values apart
	Label("row")
	MOVLQSX(at(rows, 0), row)
	MOVWQZX(Mem{Base: labels, Index: row, Scale: 2}, from)
	MOVLQSX(Mem{Base: index, Index: row, Scale: 4}, to)
	MOVW(to.As16(), Mem{Base: labels, Index: row, Scale: 2})
	DECQ(Mem{Base: counts, Index: from, Scale: 8})
	INCQ(Mem{Base: counts, Index: to, Scale: 8})
	MOVB(U8(1), Mem{Base: touched, Index: from, Scale: 1})
	MOVB(U8(1), Mem{Base: touched, Index: to, Scale: 1})
	IMULQ(line, from)
	IMULQ(line, to)
	ADDQ(sums, from)
	ADDQ(sums, to)
	// The row's first value: (row/16)·64·d + 4·(row%16) bytes.
	MOVQ(row, mask)
	SHRQ(Imm(4), mask)
	IMULQ(parameter("d"), mask)
	SHLQ(Imm(4), mask)
	ANDQ(Imm(15), row)
	ADDQ(mask, row)
	SHLQ(Imm(2), row)
	ADDQ(parameter("blocks"), row)
	XORQ(t, t)
	Label("four")
	LEAQ(Mem{Base: t, Disp: 4}, mask)
	CMPQ(mask, parameter("d"))
	JGT(LabelRef("rest"))
	// Four loads and three insertions: a gather takes more than twice as many operations.
	VMOVSS(at(row, 0), values)
	for i := 1; i < 4; i++ {
		VINSERTPS(Imm(uint64(i<<4)), at(row, 64*i), values, values)
	}
	Label("book")
	VCVTPS2PD(values, wide)
	VMULPD(Mem{Base: units, Index: t, Scale: 8}, wide, wide)
	VCVTTPD2QQ(wide, wide)
	VPADDQ(Mem{Base: to, Index: t, Scale: 8}, wide, sum)
	VMOVDQU(sum, Mem{Base: to, Index: t, Scale: 8})
	VMOVDQU(Mem{Base: from, Index: t, Scale: 8}, sum)
	VPSUBQ(wide, sum, sum)
	VMOVDQU(sum, Mem{Base: from, Index: t, Scale: 8})
	ADDQ(I32(256), row)
	ADDQ(Imm(4), t)
	CMPQ(t, parameter("d"))
	JLT(LabelRef("four"))
	ADDQ(Imm(4), rows)
	DECQ(n)
	JNE(LabelRef("row"))
	done()
	// Of the last four dimensions only those that there are.
	Label("rest")
	KMOVW(reg.K2, reg.K1)
	VPXOR(values, values, values)
	VGATHERDPS(Mem{Base: row, Index: offsets, Scale: 4}, reg.K1, values)
	JMP(LabelRef("book"))
}

// sum adds whole blocks to the sums of their indexes: four or eight dimensions at a time are turned, so that those of a row
// lie side by side.
func sum(wide int) {
	name := label("sum%dAVX512", wide)
	TEXT(name, NOSPLIT, "func(blocks *float32, n, bytes int, index *int32, sums *int64, stride int, units *float64, d int)")
	Doc(name+label(" adds d coordinates, at most %d, of the rows of n blocks to the sums of their indexes. bytes is the size of a", wide),
		"block; a line of sums has stride bytes.")
	Pragma("noescape")
	n, bytes, index, sums, line, to := reg.RCX, reg.RDX, reg.R8, reg.R9, reg.R10, reg.RAX
	Load(Param("blocks"), block)
	Load(Param("n"), n)
	Load(Param("bytes"), bytes)
	Load(Param("index"), index)
	Load(Param("sums"), sums)
	Load(Param("stride"), line)
	Load(Param("units"), to)
	Load(Param("d"), dim)
	unit, value := reg.Register(reg.Y31), reg.Register(reg.Y30)
	if wide == 8 {
		unit, value = reg.Z31, reg.Z30
		for i, table := range halves {
			VMOVDQU64(table, avx512.vec(28+i))
		}
	}
	VMOVUPD(at(to, 0), unit)
	x := make([]reg.Register, wide)
	for t := range x {
		x[t] = avx512.vec(t)
		avx512.zero(x[t])
	}
	Label("block")
	for t, v := range x {
		VMOVUPS(at(block, 64*t), v)
		if t < wide-1 {
			CMPQ(dim, Imm(uint64(t+1)))
			JEQ(LabelRef("turn"))
		}
	}
	Label("turn")
	rows := turn(x)
	for point := range 16 {
		MOVLQSX(at(index, 4*point), to)
		IMULQ(line, to)
		VCVTPS2PD(rows(point), value)
		VMULPD(unit, value, value)
		VCVTTPD2QQ(value, value)
		VPADDQ(Mem{Base: sums, Index: to, Scale: 1}, value, value)
		VMOVDQU64(value, Mem{Base: sums, Index: to, Scale: 1})
	}
	ADDQ(bytes, block)
	ADDQ(Imm(64), index)
	DECQ(n)
	JNE(LabelRef("block"))
	done()
}

// turn makes rows of four or eight columns of sixteen. What it returns has the register that holds the coordinates of a
// point, to be asked for in order.
func turn(x []reg.Register) func(point int) reg.Register {
	next, quads := 8, []reg.Register{}
	take := func() reg.Register { next++; return avx512.vec(next - 1) }
	for q := 0; q < len(x); q += 4 {
		pairs := [4]reg.Register{take(), take(), take(), take()}
		VUNPCKLPS(x[q+1], x[q], pairs[0])
		VUNPCKHPS(x[q+1], x[q], pairs[1])
		VUNPCKLPS(x[q+3], x[q+2], pairs[2])
		VUNPCKHPS(x[q+3], x[q+2], pairs[3])
		for i := range 2 { // lane group g of quads[4q+i] is point 4g+i
			low, high := take(), take()
			VUNPCKLPD(pairs[2+i], pairs[i], low)
			VUNPCKHPD(pairs[2+i], pairs[i], high)
			quads = append(quads, low, high)
		}
	}
	spare := reg.Z8 // a pair that is not needed any more
	if len(x) == 4 {
		return func(point int) reg.Register {
			g, from := point/4, quads[point%4].(reg.VecPhysical).AsX()
			if g == 0 {
				return from
			}
			VEXTRACTF32X4(Imm(uint64(g)), quads[point%4], spare.AsX())
			return spare.AsX()
		}
	}
	// Half h of rows[i+4g] is point 8g+4h+i.
	rows := [8]reg.Register{reg.Z9, reg.Z10, reg.Z11, reg.Z16, quads[0], quads[1], quads[2], quads[3]} // pairs, and quads in place
	for i := range 4 {
		VMOVAPS(quads[i], rows[i])
		VPERMT2Q(quads[4+i], reg.Z28, rows[i])
		VPERMT2Q(quads[4+i], reg.Z29, rows[i+4])
	}
	return func(point int) reg.Register {
		row := rows[point%4+point/8*4].(reg.VecPhysical)
		if point/4%2 == 0 {
			return row.AsY()
		}
		VEXTRACTF32X8(Imm(1), row, spare.AsY())
		return spare.AsY()
	}
}

// fetch asks for the cache lines of listed rows.
func fetch() {
	TEXT("fetchRows", NOSPLIT, "func(blocks *float32, d int, rows *int32, n int)")
	Doc("fetchRows asks for the cache lines of n listed rows of d coordinates.")
	Pragma("noescape")
	rows, n, row, left := reg.RDI, reg.RCX, reg.RAX, reg.R8
	Load(Param("blocks"), block)
	Load(Param("d"), dim)
	Load(Param("rows"), rows)
	Load(Param("n"), n)
	Label("row")
	MOVLQSX(at(rows, 0), row)
	SHRQ(Imm(4), row)
	IMULQ(dim, row)
	SHLQ(Imm(6), row)
	ADDQ(block, row)
	MOVQ(dim, left)
	Label("line")
	PREFETCHT0(at(row, 0))
	ADDQ(Imm(64), row)
	DECQ(left)
	JNE(LabelRef("line"))
	ADDQ(Imm(4), rows)
	DECQ(n)
	JNE(LabelRef("row"))
	RET()
}
