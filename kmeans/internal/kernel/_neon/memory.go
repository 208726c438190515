package main

import "fmt"

// The loads and stores of vectors. Offsets that do not fit their field are a mistake in a kernel: they panic.

// pairOf moves two registers of 16 bytes, which lie side by side: opc 101 V 010 L imm7 Rt2 Rn Rt, with opc = 10 for Q and
// imm7 in units of 16 bytes.
func pairOf(name string, l uint32, rt, rt2 vector, rn general, offset int) instruction {
	if offset%16 != 0 || offset < -64*16 || offset > 63*16 {
		panic(fmt.Sprintf("%s with offset %d", name, offset))
	}
	word := 0b10<<30 | 0b101<<27 | 1<<26 | 0b010<<23 | l<<22 | uint32(offset/16)&0x7f<<15 | uint32(rt2)<<10 | rn.field()<<5 | uint32(rt)
	text := fmt.Sprintf("%s q%d, q%d, [x%d, #%d]", name, rt, rt2, rn.field(), offset)
	return instruction{word, text}
}

func loadPair(rt, rt2 vector, rn general, offset int) instruction {
	return pairOf("ldp", 1, rt, rt2, rn, offset)
}

func storePair(rt, rt2 vector, rn general, offset int) instruction {
	return pairOf("stp", 0, rt, rt2, rn, offset)
}

// loadNext reads count float32s, 1, 2 or 4, and moves rn behind them: size 111 V 00 opc 0 imm9 01 Rn Rt. The other lanes
// of rt become 0.
func loadNext(rt vector, rn general, count int) instruction {
	kind := map[int]struct {
		size, opc uint32
		name      string
	}{1: {0b10, 0b01, "s"}, 2: {0b11, 0b01, "d"}, 4: {0b00, 0b11, "q"}}[count]
	if kind.name == "" {
		panic(fmt.Sprintf("a load of %d values", count))
	}
	word := kind.size<<30 | 0b111<<27 | 1<<26 | kind.opc<<22 | uint32(4*count)<<12 | 0b01<<10 | rn.field()<<5 | uint32(rt)
	return instruction{word, fmt.Sprintf("ldr %s%d, [x%d], #%d", kind.name, rt, rn.field(), 4*count)}
}

// loadEntry reads the float32 with number rm of the table at rn into lane 0: size 111 V 00 opc 1 Rm option S 10 Rn Rt, with
// the option that shifts a register of 64 bits, S for by two.
func loadEntry(rt vector, rn, rm general) instruction {
	const size, opc, option, s = 0b10, 0b01, 0b011, 1
	word := uint32(size<<30|0b111<<27|1<<26|opc<<22|1<<21) | rm.field()<<16 | option<<13 | s<<12 | 0b10<<10 | rn.field()<<5 | uint32(rt)
	return instruction{word, fmt.Sprintf("ldr s%d, [x%d, x%d, lsl #2]", rt, rn.field(), rm.field())}
}
