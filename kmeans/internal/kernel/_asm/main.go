// Command asm writes the assembly of package kernel and its Go declarations: the same program text once
// for AVX2 and once for AVX-512. Run it with go generate in the folder above.
package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
)

// infinity is the distance of no centroid.
var infinity Mem

func main() {
	ConstraintExpr("amd64")
	infinity = ConstData("infinity", U32(0x7f800000))
	for _, v := range []isa{avx2, avx512} {
		nearestLow(v)
		nearestHigh(v)
		accumulate(v)
		argmin(v)
		argminTwo(v)
		distances(v)
		changed(v)
		peak(v)
	}
	Generate()
}
