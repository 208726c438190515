#include "textflag.h"

// func columnAVX(dst *float64, n int, text *byte, length int, ends *uint32, step int, tables *vectorTables) int
//
// Lines of a field: its ends, its sign, its 16 bytes; which of them are digits and which is the point; the digits moved
// together by a shuffle and added up in pairs; one division.
TEXT ·columnAVX(SB), NOSPLIT, $0-64
	MOVQ dst+0(FP), DI
	MOVQ n+8(FP), DX
	MOVQ text+16(FP), SI
	MOVQ length+24(FP), R8
	MOVQ ends+32(FP), BX
	MOVQ step+40(FP), R9
	MOVQ tables+48(FP), R10
	SUBQ $24, R8               // the last place at which a field may end, less Lead
	SHLQ $2, R9
	XORQ AX, AX                // the field
	VMOVDQU 0(R10), X8         // '0' in each byte
	VMOVDQU 16(R10), X9        // '.'
	VMOVDQU 32(R10), X10       // 9
	VMOVDQU 48(R10), X11       // 10, 1
	VMOVDQU 64(R10), X12       // 100, 1
	VMOVDQU 80(R10), X13       // 10000, 1

next:
	CMPQ AX, DX
	JGE  done
	MOVL 0(BX), CX
	MOVL 4(BX), R11            // to
	LEAQ -24(R11), R12
	CMPQ R12, R8
	JHI  done                  // not within the text, or too near to its beginning
	MOVQ R11, R12
	SUBQ CX, R12
	DECQ R12                   // to − from
	LEAQ -1(R12), R13
	CMPQ R13, $17
	JAE  done                  // no field of 1 to 17 bytes
	XORL R14, R14
	CMPB 1(SI)(CX*1), $0x2D
	SETEQ R14                  // a minus
	SUBQ R14, R12              // n
	LEAQ -1(R12), R13
	CMPQ R13, $16
	JAE  done
	VMOVDQU -16(SI)(R11*1), X0
	VPCMPEQB X9, X0, X1
	VPSUBB X8, X0, X0          // digits as numbers
	VPMINUB X10, X0, X2
	VPCMPEQB X2, X0, X2
	VPMOVMSKB X1, R11          // points
	VPMOVMSKB X2, R13          // digits
	NOTL R13
	MOVL $16, CX
	SUBQ R12, CX
	MOVL $0xFFFF, R15
	SHLL CX, R15
	ANDL $0xFFFF, R15          // the bytes of the number
	ANDL R15, R11
	ANDL R15, R13
	CMPL R11, R13
	JNE  done                  // something else
	CMPL R11, R15
	JEQ  done                  // no digit
	LEAL -1(R11), R13
	TESTL R11, R13
	JNE  done                  // two points
	ORL  $0x10000, R11
	BSFL R11, R11              // where the point is; 16: nowhere
	SHLQ $4, CX
	VPAND 96(R10)(CX*1), X0, X0
	MOVQ R11, CX
	SHLQ $4, CX
	VPSHUFB 368(R10)(CX*1), X0, X0
	VPMADDUBSW X11, X0, X0     // pairs of digits
	VPMADDWD X12, X0, X0       // fours
	VPACKUSDW X0, X0, X0
	VPMADDWD X13, X0, X0       // eights
	VMOVQ X0, R12
	MOVL R12, R13
	SHRQ $32, R12
	IMULQ $100000000, R13
	ADDQ R12, R13
	VXORPS X1, X1, X1
	VCVTSI2SDQ R13, X1, X1
	VDIVSD 640(R10)(R11*8), X1, X1
	VMOVQ X1, R12
	SHLQ $63, R14
	ORQ  R14, R12
	MOVQ R12, (DI)(AX*8)
	INCQ AX
	ADDQ R9, BX
	JMP  next

done:
	MOVQ AX, ret+56(FP)
	RET
