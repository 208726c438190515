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

// fetchesNear is a variable of the package: whether points are fetched to the first-level cache.
var fetchesNear = NewDataAddr(Symbol{Name: "·fetchesNear"}, 0)

func main() {
	ConstraintExpr("amd64")
	infinity = ConstData("infinity", U32(0x7f800000))
	largest = ConstData("largest", U32(0x7f7fffff))
	lanes = GLOBL("lanes", RODATA|NOPTR)
	for i := range 16 {
		DATA(4*i, U32(i))
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
	cpuid()
	compact()
	spread()
	list()
	labels()
	gather()
	move()
	sum()
	fetch()
	filter()
	Generate()
}
