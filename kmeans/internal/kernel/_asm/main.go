// Command asm writes the assembly of package kernel and its Go declarations: the same program text once
// for AVX2 and once for AVX-512. Run it with go generate in the folder above.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// infinity is the distance of no centroid.
var infinity Mem

// largest is the largest finite float32; lanes is 0 to 15.
var largest, lanes Mem

// halves choose words of two vectors of rows' quarters: the lower two quarters of each, and the upper.
var halves [2]Mem

func main() {
	ConstraintExpr("amd64")
	infinity = ConstData("infinity", U32(0x7f800000))
	largest = ConstData("largest", U32(0x7f7fffff))
	lanes = GLOBL("lanes", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(i))
	}
	for i, words := range [2][8]uint64{{0, 1, 8, 9, 2, 3, 10, 11}, {4, 5, 12, 13, 6, 7, 14, 15}} {
		halves[i] = GLOBL(label("halves%d", i), RODATA|NOPTR)
		for j, w := range words {
			DATA(8*j, U64(w))
		}
	}
	for _, v := range []isa{avx2, avx512} {
		nearestLow(variant{isa: v})
		nearestHigh(variant{isa: v})
		if v.lanes == 16 { // the other tier lacks the registers
			nearestLow(variant{isa: v, second: true})
			nearestLow(variant{isa: v, movers: true})
			nearestHigh(variant{isa: v, movers: true})
		}
		nearestHigh(variant{isa: v, second: true})
		accumulate(v)
		argmin(v)
		argminTwo(v)
		distances(v)
		changed(v)
		peak(v)
		own(v)
		survivors(v)
		margins(v)
	}
	compact()
	spread()
	list()
	labels()
	gather()
	move()
	sum(4)
	sum(8)
	fetch()
	widen()
	filter()
	Generate()
}
