package csv

import "golang.org/x/sys/cpu"

// vectors says whether the processor has what masks_amd64.s needs.
var vectors = cpu.X86.HasAVX2 && cpu.X86.HasPOPCNT && cpu.X86.HasBMI1

// lookAVX2 is look for blocks blocks of text, one after the other.
//
//go:noescape
func lookAVX2(dst *marks, blocks int, text *byte, delim byte)

// endsAVX2 writes the places of all delimiters and newlines of text, plus base, and returns how many there are and how
// many are newlines. It ends before a block with a quote, and where dst has less than 64 entries left of room. Behind the
// places it may write up to 7 more entries.
//
//go:noescape
func endsAVX2(dst *uint32, room int, text *byte, base uint32, blocks int, delim byte) (found, newlines int)

// lookAll finds the marks of as many blocks as dst says.
func lookAll(dst []marks, b []byte, delim byte) {
	if !vectors {
		lookEach(dst, b, delim)
	} else if len(dst) > 0 {
		_ = b[len(dst)*blockBits-1]
		lookAVX2(&dst[0], len(dst), &b[0], delim)
	}
}

// plainEnds writes the places of delimiters and newlines in whole blocks of b, plus base, up to a block with a quote, and as
// long as dst has room for a block. found is −1 where it cannot be done.
func plainEnds(dst []uint32, b []byte, base int, delim byte) (found, newlines int) {
	if !vectors || len(b) < blockBits || len(dst) < endsSpare {
		return -1, 0
	}
	return endsAVX2(&dst[0], len(dst)-(endsSpare-blockBits), &b[0], uint32(base), len(b)/blockBits, delim)
}
