#include "textflag.h"

// BYTES fills a vector with a byte.
#define BYTES(value, low, full) \
	MOVL value, R15 \
	VMOVD R15, low \
	VPBROADCASTB low, full

// MASK gives in mask which of the 64 bytes of Y0 and Y1 are those of full; Y2, Y3 and R15 are lost.
#define MASK(full, mask) \
	VPCMPEQB full, Y0, Y2 \
	VPCMPEQB full, Y1, Y3 \
	VPMOVMSKB Y2, mask \
	VPMOVMSKB Y3, R15 \
	SHLQ $32, R15 \
	ORQ R15, mask

// func lookAVX2(dst *marks, blocks int, text *byte, delim byte)
TEXT ·lookAVX2(SB), NOSPLIT, $0-25
	MOVQ dst+0(FP), DI
	MOVQ blocks+8(FP), CX
	MOVQ text+16(FP), SI
	MOVBLZX delim+24(FP), AX
	BYTES($0x22, X13, Y13)
	BYTES(AX, X14, Y14)
	BYTES($0x0A, X15, Y15)

look:
	TESTQ CX, CX
	JZ    looked
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	MASK(Y13, R8)
	MASK(Y14, R9)
	MASK(Y15, R10)
	MOVQ R8, (DI)
	MOVQ R9, 8(DI)
	MOVQ R10, 16(DI)
	ADDQ $64, SI
	ADDQ $24, DI
	DECQ CX
	JMP  look

looked:
	VZEROUPPER
	RET

// ONE writes the place of the lowest bit of R8 and clears it.
#define ONE(at) \
	TZCNTQ R8, R11 \
	ADDL DX, R11 \
	MOVL R11, at(DI) \
	BLSRQ R8, R8

// func endsAVX2(dst *uint32, room int, text *byte, base uint32, blocks int, delim byte) (found, newlines int)
TEXT ·endsAVX2(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ room+8(FP), BX
	MOVQ text+16(FP), SI
	MOVL base+24(FP), DX
	MOVQ blocks+32(FP), CX
	MOVBLZX delim+40(FP), AX
	BYTES($0x22, X13, Y13)
	BYTES(AX, X14, Y14)
	BYTES($0x0A, X15, Y15)
	XORQ R12, R12              // found
	XORQ R13, R13              // newlines
	SUBQ $64, BX

block:
	TESTQ CX, CX
	JZ    ended
	CMPQ  R12, BX
	JGT   ended                // a block may have 64
	VMOVDQU (SI), Y0
	VMOVDQU 32(SI), Y1
	VPCMPEQB Y13, Y0, Y2
	VPCMPEQB Y13, Y1, Y3
	VPOR  Y2, Y3, Y2
	VPTEST Y2, Y2
	JNZ   ended                // a quote
	MASK(Y15, R10)
	MASK(Y14, R8)
	ORQ   R10, R8
	POPCNTQ R10, R10
	ADDQ  R10, R13
	POPCNTQ R8, R10
	LEAQ  (DI)(R10*4), R14

eight:
	TESTQ R8, R8
	JZ    spilled
	ONE(0)
	ONE(4)
	ONE(8)
	ONE(12)
	ONE(16)
	ONE(20)
	ONE(24)
	ONE(28)
	ADDQ $32, DI
	JMP  eight

spilled:
	MOVQ R14, DI
	ADDQ R10, R12
	ADDQ $64, SI
	ADDL $64, DX
	DECQ CX
	JMP  block

ended:
	VZEROUPPER
	MOVQ R12, found+48(FP)
	MOVQ R13, newlines+56(FP)
	RET
