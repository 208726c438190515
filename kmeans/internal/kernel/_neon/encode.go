package main

import (
	"fmt"
	"slices"
)

// The vector instructions of A64 that the kernels use, as words put together from the fields that the Arm Architecture
// Reference Manual names (DDI 0487, chapter C4.1, "A64 instruction set encoding"). Go's assembler lacks some of them, and
// for the sake of one rule all of them are encoded here. encode_test.go holds each against the words of another assembler.

// vector is one of V0 to V31; the same register is called Q, D or S where less or more of it moves.
type vector uint32

// general is one of X0 to X26 that the kernels may use.
type general uint32

// forbidden belong to the platform (R18), the assembler (R27), the runtime (R28), the frame and the return (R29, R30).
var forbidden = []general{18, 27, 28, 29, 30}

// field is the number of the register. One that a kernel may not touch is a mistake in the kernel: it panics.
func (r general) field() uint32 {
	if slices.Contains(forbidden, r) || r > 30 {
		panic(fmt.Sprintf("X%d is not ours", uint32(r)))
	}
	return uint32(r)
}

// String is the register as Go's assembler has it.
func (r general) String() string { return fmt.Sprintf("R%d", r.field()) }

// instruction is a word and what a disassembler says of it.
type instruction struct {
	word uint32
	text string
}

// lanes is how a vector is divided.
type lanes struct {
	q, size uint32 // the fields of the same names
	name    string
}

var (
	b16 = lanes{1, 0, "16b"}
	h4  = lanes{0, 1, "4h"}
	h8  = lanes{1, 1, "8h"}
	s4  = lanes{1, 2, "4s"}
	d2  = lanes{1, 3, "2d"}
)

// threeSame is the class of instructions with two sources and lanes of one kind:
//
//	0 Q U 01110 size 1 Rm opcode 1 Rn Rd
type threeSame struct {
	name            string
	u, size, opcode uint32
	lanes           lanes
}

// Of the instructions on floats, size is a bit of the operation, then 0 for float32.
var (
	fadd  = threeSame{"fadd", 0, 0b00, 0b11010, s4}
	fsub  = threeSame{"fsub", 0, 0b10, 0b11010, s4}
	fmul  = threeSame{"fmul", 1, 0b00, 0b11011, s4}
	fmla  = threeSame{"fmla", 0, 0b00, 0b11001, s4} // rd += rn·rm, rounded once
	fmax  = threeSame{"fmax", 0, 0b00, 0b11110, s4}
	fmin  = threeSame{"fmin", 0, 0b10, 0b11110, s4}
	fcmgt = threeSame{"fcmgt", 1, 0b10, 0b11100, s4} // all ones where rn > rm
	add   = threeSame{"add", 0, 0b10, 0b10000, s4}
	sub   = threeSame{"sub", 1, 0b10, 0b10000, s4}
	cmeq  = threeSame{"cmeq", 1, 0b10, 0b10001, s4}
	addp  = threeSame{"addp", 0, 0b00, 0b10111, b16} // sums of neighbours, first those of rn, then those of rm
	bic   = threeSame{"bic", 0, 0b01, 0b00011, b16}  // rn &^ rm
	bit   = threeSame{"bit", 1, 0b10, 0b00011, b16}  // rd takes the bits of rn where rm has ones
)

func (i threeSame) of(rd, rn, rm vector) instruction {
	word := i.lanes.q<<30 | i.u<<29 | 0b01110<<24 | i.size<<22 | 1<<21 | uint32(rm)<<16 | i.opcode<<11 | 1<<10 | uint32(rn)<<5 | uint32(rd)
	n := i.lanes.name
	return instruction{word, fmt.Sprintf("%s v%d.%s, v%d.%s, v%d.%s", i.name, rd, n, rn, n, rm, n)}
}

// permute is the class that interleaves two vectors:
//
//	0 Q 001110 size 0 Rm 0 opcode 10 Rn Rd
type permute struct {
	name   string
	opcode uint32
}

var (
	uzp1 = permute{"uzp1", 0b001} // the lanes of even number, first those of rn
	zip1 = permute{"zip1", 0b011} // the lower halves' lanes, in turns
)

func (i permute) of(l lanes, rd, rn, rm vector) instruction {
	word := l.q<<30 | 0b001110<<24 | l.size<<22 | uint32(rm)<<16 | i.opcode<<12 | 0b10<<10 | uint32(rn)<<5 | uint32(rd)
	return instruction{word, fmt.Sprintf("%s v%d.%s, v%d.%s, v%d.%s", i.name, rd, l.name, rn, l.name, rm, l.name)}
}

// fsqrt is of the class with one source, 0 Q U 01110 size 10000 opcode 10 Rn Rd; size is as in threeSame.
func fsqrt(rd, rn vector) instruction {
	const u, size, opcode = 1, 0b10, 0b11111
	word := s4.q<<30 | u<<29 | 0b01110<<24 | size<<22 | 0b10000<<17 | opcode<<12 | 0b10<<10 | uint32(rn)<<5 | uint32(rd)
	return instruction{word, fmt.Sprintf("fsqrt v%d.4s, v%d.4s", rd, rn)}
}

// addv puts the sum of the lanes of rn into lane 0 of rd: 0 Q U 01110 size 11000 opcode 10 Rn Rd.
func addv(rd, rn vector) instruction {
	const u, opcode = 0, 0b11011
	word := s4.q<<30 | u<<29 | 0b01110<<24 | s4.size<<22 | 0b11000<<17 | opcode<<12 | 0b10<<10 | uint32(rn)<<5 | uint32(rd)
	return instruction{word, fmt.Sprintf("addv s%d, v%d.4s", rd, rn)}
}

// widen makes uint32s of the lower (ushll) or upper (ushll2) four uint16s: 0 Q U 011110 immh immb opcode 1 Rn Rd, where
// immh:immb is 16, for lanes of 16 bits, and a shift of none.
func widen(upper bool, rd, rn vector) instruction {
	const u, immhb, opcode = 1, 16, 0b10100
	name, from := "ushll", h4
	if upper {
		name, from = "ushll2", h8
	}
	word := from.q<<30 | u<<29 | 0b011110<<23 | immhb<<16 | opcode<<11 | 1<<10 | uint32(rn)<<5 | uint32(rd)
	return instruction{word, fmt.Sprintf("%s v%d.4s, v%d.%s, #0", name, rd, rn, from.name)}
}

// The class that copies lanes is 0 Q op 01110000 imm5 0 imm4 1 Rn Rd. imm5 has the size of a lane as its lowest one, and
// the number of the lane above it.
func copied(q, imm5, imm4, rn, rd uint32) uint32 {
	return q<<30 | 0b01110000<<21 | imm5<<16 | imm4<<11 | 1<<10 | rn<<5 | rd
}

// spread fills rd with one float32 of rn.
func spread(rd, rn vector, lane uint32) instruction {
	return instruction{copied(1, lane<<3|1<<2, 0b0000, uint32(rn), uint32(rd)), fmt.Sprintf("dup v%d.4s, v%d.s[%d]", rd, rn, lane)}
}

// spread32 fills rd with the lower half of rn, spread64 with all of it.
func spread32(rd vector, rn general) instruction {
	return instruction{copied(1, 1<<2, 0b0001, rn.field(), uint32(rd)), fmt.Sprintf("dup v%d.4s, w%d", rd, uint32(rn))}
}

func spread64(rd vector, rn general) instruction {
	return instruction{copied(1, 1<<3, 0b0001, rn.field(), uint32(rd)), fmt.Sprintf("dup v%d.2d, x%d", rd, uint32(rn))}
}

// take16 moves lane 0, of 16 bits, to rd; take32 that of 32 bits.
func take16(rd general, rn vector) instruction {
	return instruction{copied(0, 1<<1, 0b0111, uint32(rn), rd.field()), fmt.Sprintf("umov w%d, v%d.h[0]", uint32(rd), rn)}
}

func take32(rd general, rn vector) instruction {
	return instruction{copied(0, 1<<2, 0b0111, uint32(rn), rd.field()), fmt.Sprintf("mov w%d, v%d.s[0]", uint32(rd), rn)}
}

// zero clears rd. It is of the class with a modified immediate: 0 Q op 0111100000 abc cmode 01 defgh Rd, all of them 0.
func zero(rd vector) instruction {
	return instruction{1<<30 | 0b0111100000<<19 | 0b01<<10 | uint32(rd), fmt.Sprintf("movi v%d.4s, #0", rd)}
}
