package main

import (
	. "github.com/mmcloughlin/avo/build"
	. "github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/reg"
)

// isa is what differs between the tiers: the width and number of the vectors, and how lanes are chosen by
// a comparison.
type isa struct {
	name  string
	lanes int                    // float32s in a vector
	vec   func(int) reg.Register // the i-th vector register
	// low is the largest group of the straight-line kernels, high that of the looping ones, in centroids.
	low, high int
	// straight is the largest d of the straight-line kernels.
	straight int
}

// blocks is how many blocks of 16 points two vectors hold.
func (v isa) blocks() int { return 2 * v.lanes / 16 }

// bytes is the size of a vector.
func (v isa) bytes() int { return 4 * v.lanes }

var avx2 = isa{
	name: "AVX2", lanes: 8, low: 4, high: 6, straight: 8,
	vec: func(i int) reg.Register {
		return []reg.Register{reg.Y0, reg.Y1, reg.Y2, reg.Y3, reg.Y4, reg.Y5, reg.Y6, reg.Y7, reg.Y8,
			reg.Y9, reg.Y10, reg.Y11, reg.Y12, reg.Y13, reg.Y14, reg.Y15}[i]
	},
}

var avx512 = isa{
	name: "AVX512", lanes: 16, low: 8, high: 10, straight: 8,
	vec: func(i int) reg.Register {
		return []reg.Register{reg.Z0, reg.Z1, reg.Z2, reg.Z3, reg.Z4, reg.Z5, reg.Z6, reg.Z7, reg.Z8,
			reg.Z9, reg.Z10, reg.Z11, reg.Z12, reg.Z13, reg.Z14, reg.Z15, reg.Z16, reg.Z17, reg.Z18,
			reg.Z19, reg.Z20, reg.Z21, reg.Z22, reg.Z23, reg.Z24, reg.Z25, reg.Z26, reg.Z27, reg.Z28,
			reg.Z29, reg.Z30, reg.Z31}[i]
	},
}

// lessQuiet is the comparison "less than, ordered, quiet"; notEqual that of VPCMPD.
const (
	lessQuiet = 17
	notEqual  = 4
)

// less compares a < b in every lane. On AVX2 the result is the mask vector, on AVX-512 K1 (or K2).
func (v isa) less(a, b, mask reg.Register, which int) {
	if v.lanes == 8 {
		VPCMPGTD(a, b, mask)
		return
	}
	VCMPPS(Imm(lessQuiet), b, a, kmask(which))
}

// take sets dst to src in the lanes that less chose.
func (v isa) take(src Op, dst, mask reg.Register, which int) {
	if v.lanes == 8 {
		VBLENDVPS(mask, src, dst, dst)
		return
	}
	VMOVAPS(src, kmask(which), dst)
}

// least sets dst to the smaller of a and dst.
func (v isa) least(a, dst reg.Register) {
	if v.lanes == 8 {
		VPMINSD(a, dst, dst)
		return
	}
	VMINPS(a, dst, dst)
}

func kmask(which int) reg.Register {
	return []reg.Register{reg.K1, reg.K2}[which]
}

// at is a memory operand.
func at(base reg.Register, offset int) Mem { return Mem{Base: base, Disp: offset} }
