package csv

import (
	"encoding/binary"
	"math/bits"
)

// blockBits is how many bytes are looked at together: one bit of a word for each.
const blockBits = 64

const (
	eachByte = 0x0101010101010101
	lowBits  = 0x7f7f7f7f7f7f7f7f
)

// marks says where in a block of 64 bytes the three characters of the grammar stand, bit i for byte i.
type marks struct {
	quote, delim, newline uint64
}

// look finds the marks of the first 64 bytes of b, eight at a time in one register: the lengths of fields cannot be
// predicted, and a loop that walks them guesses wrong once or twice a field.
func look(b []byte, delim byte) (m marks) {
	b = b[:blockBits]
	delims := eachByte * uint64(delim)
	for i := 0; i < blockBits; i += 8 {
		x := binary.LittleEndian.Uint64(b[i:])
		m.quote |= gather(zeros(x^eachByte*'"')) << i
		m.delim |= gather(zeros(x^delims)) << i
		m.newline |= gather(zeros(x^eachByte*'\n')) << i
	}
	return m
}

func lookEach(dst []marks, b []byte, delim byte) {
	for i := range dst {
		dst[i] = look(b[i*blockBits:], delim)
	}
}

// zeros sets the top bit of each byte of x that is 0, and no other bit. It has no carries between bytes.
func zeros(x uint64) uint64 { return ^((x&lowBits + lowBits) | x | lowBits) }

// gather brings the top bits of the eight bytes together in the lowest byte.
func gather(tops uint64) uint64 { return tops * 0x0002040810204081 >> 56 }

// parity sets bit i if an odd number of the bits 0 to i of x is set.
func parity(x uint64) uint64 {
	for shift := 1; shift < 64; shift *= 2 {
		x ^= x << shift
	}
	return x
}

// within is a state spread out for a block: what the byte before the block was, in bit 0.
type within struct {
	inside  uint64 // all ones if the block begins inside quotes
	closed  uint64 // 1 behind a quote that closes, unless another follows
	field   uint64 // 1 where a field begins
	newline uint64 // 1 where a record or a blank line begins
}

func spread(s state) within {
	switch s {
	case atRecord:
		return within{field: 1, newline: 1}
	case atField:
		return within{field: 1}
	case inQuote:
		return within{inside: ^uint64(0)}
	case afterQuote:
		return within{closed: 1}
	}
	return within{}
}

// parsed is what the grammar makes of a block.
type parsed struct {
	ends    uint64 // delimiters and newlines outside quotes
	starts  uint64 // where records begin, or blank lines that begin with CR
	opens   uint64 // quotes that open a field
	newline uint64 // all newlines
	quotes  bool   // there are any
	behind  uint64 // text that is behind a quote that closes
	exit    state
}

// parse applies the grammar to the marks of a block that is entered in state s. Quotes are taken to open and close in
// turn, which is the grammar as long as each that opens stands where a field begins or, as the second of a pair inside
// quotes, behind one that closes. ok is false if one does not: then the block must be walked byte by byte.
func (m marks) parse(s state) (p parsed, ok bool) {
	w := spread(s)
	inside := parity(m.quote) ^ w.inside // behind each byte
	opens, closes := m.quote&inside, m.quote&^inside
	newlines := m.newline &^ inside
	p.ends = m.delim&^inside | newlines
	behindClosing := closes<<1 | w.closed
	if opens&^(p.ends<<1|w.field|behindClosing) != 0 {
		return p, false
	}
	p.opens = opens &^ behindClosing
	p.starts = (newlines<<1 | w.newline) &^ m.newline
	p.newline, p.quotes = m.newline, m.quote != 0
	p.behind = behindClosing &^ (p.ends | m.quote)
	const last = 1 << (blockBits - 1)
	switch {
	case inside&last != 0:
		p.exit = inQuote
	case closes&last != 0:
		p.exit = afterQuote
	case newlines&last != 0:
		p.exit = atRecord
	case p.ends&last != 0:
		p.exit = atField
	default:
		p.exit = inField
	}
	return p, true
}

// below counts the bits of x under bit i.
func below(x uint64, i int) int64 { return int64(bits.OnesCount64(x & (1<<i - 1))) }
