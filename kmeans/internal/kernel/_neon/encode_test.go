package main

import (
	"strings"
	"testing"
)

// golden is every form of instruction, with low and high registers, offsets at their edges, and the words that GNU as
// 2.40 makes of the texts.
var golden = []struct {
	got  instruction
	word uint32
	text string
}{
	{fadd.of(1, 30, 15), 0x4e2fd7c1, "fadd v1.4s, v30.4s, v15.4s"},
	{fsub.of(31, 0, 17), 0x4eb1d41f, "fsub v31.4s, v0.4s, v17.4s"},
	{fmul.of(2, 29, 16), 0x6e30dfa2, "fmul v2.4s, v29.4s, v16.4s"},
	{fmla.of(15, 26, 27), 0x4e3bcf4f, "fmla v15.4s, v26.4s, v27.4s"},
	{fmax.of(8, 9, 31), 0x4e3ff528, "fmax v8.4s, v9.4s, v31.4s"},
	{fmin.of(18, 4, 1), 0x4ea1f492, "fmin v18.4s, v4.4s, v1.4s"},
	{fcmgt.of(24, 18, 7), 0x6ea7e658, "fcmgt v24.4s, v18.4s, v7.4s"},
	{add.of(0, 31, 21), 0x4eb587e0, "add v0.4s, v31.4s, v21.4s"},
	{sub.of(30, 1, 10), 0x6eaa843e, "sub v30.4s, v1.4s, v10.4s"},
	{cmeq.of(16, 15, 0), 0x6ea08df0, "cmeq v16.4s, v15.4s, v0.4s"},
	{addp.of(3, 12, 28), 0x4e3cbd83, "addp v3.16b, v12.16b, v28.16b"},
	{bic.of(21, 22, 23), 0x4e771ed5, "bic v21.16b, v22.16b, v23.16b"},
	{bit.of(20, 16, 24), 0x6eb81e14, "bit v20.16b, v16.16b, v24.16b"},
	{uzp1.of(h8, 4, 5, 30), 0x4e5e18a4, "uzp1 v4.8h, v5.8h, v30.8h"},
	{uzp1.of(b16, 31, 0, 2), 0x4e02181f, "uzp1 v31.16b, v0.16b, v2.16b"},
	{zip1.of(s4, 16, 17, 18), 0x4e923a30, "zip1 v16.4s, v17.4s, v18.4s"},
	{zip1.of(d2, 7, 31, 24), 0x4ed83be7, "zip1 v7.2d, v31.2d, v24.2d"},
	{fsqrt(31, 6), 0x6ea1f8df, "fsqrt v31.4s, v6.4s"},
	{addv(15, 30), 0x4eb1bbcf, "addv s15, v30.4s"},
	{widen(false, 4, 31), 0x2f10a7e4, "ushll v4.4s, v31.4h, #0"},
	{widen(true, 29, 3), 0x6f10a47d, "ushll2 v29.4s, v3.8h, #0"},
	{spread(25, 24, 0), 0x4e040719, "dup v25.4s, v24.s[0]"},
	{spread(6, 31, 3), 0x4e1c07e6, "dup v6.4s, v31.s[3]"},
	{spread32(16, 19), 0x4e040e70, "dup v16.4s, w19"},
	{spread64(31, 26), 0x4e080f5f, "dup v31.2d, x26"},
	{take16(19, 4), 0x0e023c93, "umov w19, v4.h[0]"},
	{take32(26, 31), 0x0e043ffa, "mov w26, v31.s[0]"},
	{zero(31), 0x4f00041f, "movi v31.4s, #0"},
	{loadPair(16, 17, 14, 64), 0xad4245d0, "ldp q16, q17, [x14, #64]"},
	{loadPair(31, 0, 26, -1024), 0xad60035f, "ldp q31, q0, [x26, #-1024]"},
	{storePair(20, 21, 8, 1008), 0xad1fd514, "stp q20, q21, [x8, #1008]"},
	{loadNext(24, 12, 1), 0xbc404598, "ldr s24, [x12], #4"},
	{loadNext(31, 0, 2), 0xfc40841f, "ldr d31, [x0], #8"},
	{loadNext(5, 25, 4), 0x3cc10725, "ldr q5, [x25], #16"},
	{loadEntry(16, 3, 8), 0xbc687870, "ldr s16, [x3, x8, lsl #2]"},
	{loadEntry(31, 7, 24), 0xbc7878ff, "ldr s31, [x7, x24, lsl #2]"},
}

func TestWordsAreThoseOfAnotherAssembler(t *testing.T) {
	for _, g := range golden {
		if g.got.word != g.word || g.got.text != g.text {
			t.Errorf("got %#08x %s, want %#08x %s", g.got.word, g.got.text, g.word, g.text)
		}
	}
}

func TestNoKernelUsesAnInstructionThatIsNotHeld(t *testing.T) {
	// A form is the text without the numbers of registers, lanes and offsets.
	form := func(text string) string { return strings.Map(withoutDigits, text) }
	held := map[string]bool{}
	for _, g := range golden {
		held[form(g.text)] = true
	}
	words := 0
	for line := range strings.Lines(whole().code.String()) {
		if _, text, ok := strings.Cut(strings.TrimSpace(line), " // "); ok && strings.HasPrefix(line, "\tWORD") {
			words++
			if !held[form(text)] {
				t.Errorf("no golden word for %s", text)
			}
		}
	}
	if words < 1000 {
		t.Errorf("only %d words found: is the program read as it is written?", words)
	}
}

func withoutDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return -1
	}
	return r
}

func TestOffsetsAndRegistersThatDoNotFitPanic(t *testing.T) {
	for name, call := range map[string]func(){
		"behind a pair's reach":       func() { loadPair(0, 1, 0, 1024) },
		"before a pair's reach":       func() { storePair(0, 1, 0, -1040) },
		"between vectors":             func() { loadPair(0, 1, 0, 8) },
		"three values":                func() { loadNext(0, 0, 3) },
		"the platform's register":     func() { _ = general(18).String() },
		"the assembler's register":    func() { _ = general(27).String() },
		"the runtime's register":      func() { _ = general(28).String() },
		"the frame's register":        func() { _ = general(29).String() },
		"a base that is not ours":     func() { loadPair(0, 1, 18, 0) },
		"a parameter that is not one": func() { newProgram().load("nothing", 0) },
	} {
		t.Run(name, func(t *testing.T) {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			call()
		})
	}
}
