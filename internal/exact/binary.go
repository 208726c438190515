package exact

import (
	"encoding/binary"
	"fmt"
	"math"
)

// The encodings here are canonical: equal values have equal bytes, however they came about, so that digests of state
// can be compared.
//
//	Sum      tag 's' | flags | first chunk, count (1 byte each) | count × uint32
//	Bins     tag 'b' | flags | first bin, count (1 byte each) | count × uint32
//	Moments  tag 'm' | N int64 | Min, Max float64 | length of Sum uint16 | Sum | Squares
//
// All numbers are little endian. Chunks are those of the magnitude, 32 bits each, the first and the last one not 0.
const (
	sumTag     = 's'
	binsTag    = 'b'
	momentsTag = 'm'

	signFlag     = 0x80
	specialFlags = byte(hasPosInf | hasNegInf | hasNaN)
)

// FormatError is an encoding that this package did not write.
type FormatError struct {
	Type   string // "Sum", "Bins" or "Moments"
	Reason string
}

// Error names the type and the reason.
func (e *FormatError) Error() string {
	return fmt.Sprintf("exact: damaged encoding of %s: %s", e.Type, e.Reason)
}

// appendChunks writes the body that Sum and Bins have in common.
func appendChunks[T int64 | uint64](b []byte, tag, flags byte, chunks []T, first, end int) []byte {
	if first == end {
		first, end, flags = 0, 0, flags&specialFlags
	}
	b = append(b, tag, flags, byte(first), byte(end-first))
	for _, c := range chunks[first:end] {
		b = binary.LittleEndian.AppendUint32(b, uint32(c))
	}
	return b
}

// readChunks reads into chunks, which are 0, what appendChunks wrote; it refuses what is not canonical.
func readChunks[T int64 | uint64](kind string, data []byte, tag, allowed byte, chunks []T) (flags byte, err error) {
	bad := func(format string, args ...any) (byte, error) {
		return 0, &FormatError{Type: kind, Reason: fmt.Sprintf(format, args...)}
	}
	if len(data) < 4 || data[0] != tag {
		return bad("no header")
	}
	flags, first, count := data[1], int(data[2]), int(data[3])
	data = data[4:]
	switch {
	case flags&^allowed != 0:
		return bad("unknown flags %#x", flags)
	case first+count > len(chunks):
		return bad("%d chunks from %d on, of %d", count, first, len(chunks))
	case len(data) != 4*count:
		return bad("%d bytes for %d chunks", len(data), count)
	case count == 0 && (first != 0 || flags&signFlag != 0):
		return bad("a zero with a sign or a place")
	}
	for i := range count {
		chunks[first+i] = T(binary.LittleEndian.Uint32(data[4*i:]))
	}
	if count > 0 && (chunks[first] == 0 || chunks[first+count-1] == 0) {
		return bad("zero chunks at an end")
	}
	return flags, nil
}

// AppendBinary appends what MarshalBinary gives: at most 548 bytes.
func (s *Sum) AppendBinary(b []byte) ([]byte, error) {
	c, first, end, negative := s.absoluteChunks()
	flags := byte(s.special)
	if negative {
		flags |= signFlag
	}
	return appendChunks(b, sumTag, flags, c[:], first, end), nil
}

// MarshalBinary is the canonical encoding of the sum: equal sums have equal bytes. It never fails.
func (s Sum) MarshalBinary() ([]byte, error) { return s.AppendBinary(nil) }

// UnmarshalBinary replaces the sum by an encoded one; on a *FormatError it stays as it was.
func (s *Sum) UnmarshalBinary(data []byte) error {
	var t Sum
	flags, err := readChunks("Sum", data, sumTag, signFlag|specialFlags, t.chunk[:])
	if err != nil {
		return err
	}
	if t.chunk[sumChunks-1] > math.MaxInt32 {
		return &FormatError{Type: "Sum", Reason: "out of range"}
	}
	if flags&signFlag != 0 {
		for i := range t.chunk {
			t.chunk[i] = -t.chunk[i]
		}
	}
	t.special = special(flags & specialFlags)
	t.carry()
	*s = t
	return nil
}

// AppendBinary appends what MarshalBinary gives: at most 56 bytes.
func (b *Bins) AppendBinary(dst []byte) ([]byte, error) {
	t := *b
	t.carry()
	first, end := 0, binsCount
	for end > 0 && t.bin[end-1] == 0 {
		end--
	}
	for first < end && t.bin[first] == 0 {
		first++
	}
	return appendChunks(dst, binsTag, byte(t.special), t.bin[:], first, end), nil
}

// MarshalBinary is the canonical encoding of the sum: equal sums have equal bytes. It never fails.
func (b Bins) MarshalBinary() ([]byte, error) { return b.AppendBinary(nil) }

// UnmarshalBinary replaces the sum by an encoded one; on a *FormatError it stays as it was.
func (b *Bins) UnmarshalBinary(data []byte) error {
	var t Bins
	flags, err := readChunks("Bins", data, binsTag, specialFlags, t.bin[:])
	if err != nil {
		return err
	}
	t.special = special(flags)
	*b = t
	return nil
}

// momentsHeader is the length of what comes before the two sums.
const momentsHeader = 1 + 8 + 8 + 8 + 2

// MarshalBinary is the canonical encoding of the moments: equal moments have equal bytes. It never fails.
func (m Moments) MarshalBinary() ([]byte, error) {
	if m.N == 0 {
		m.Min, m.Max = 0, 0
	}
	sum, _ := m.Sum.MarshalBinary()
	b := append(make([]byte, 0, momentsHeader+2*len(sum)), momentsTag)
	b = binary.LittleEndian.AppendUint64(b, uint64(m.N))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.Min))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(m.Max))
	b = binary.LittleEndian.AppendUint16(b, uint16(len(sum)))
	b = append(b, sum...)
	return m.Squares.AppendBinary(b)
}

// UnmarshalBinary replaces the moments by encoded ones; on a *FormatError they stay as they were.
func (m *Moments) UnmarshalBinary(data []byte) error {
	if len(data) < momentsHeader || data[0] != momentsTag {
		return &FormatError{Type: "Moments", Reason: "no header"}
	}
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(data[i:]) }
	t := Moments{N: int64(word(1)), Min: math.Float64frombits(word(9)), Max: math.Float64frombits(word(17))}
	size, body := int(binary.LittleEndian.Uint16(data[25:])), data[momentsHeader:]
	switch {
	case size > len(body):
		return &FormatError{Type: "Moments", Reason: "cut short"}
	case t.N < 0 || t.Min-t.Min != 0 || t.Max-t.Max != 0 || t.Min > t.Max:
		return &FormatError{Type: "Moments", Reason: "impossible count or range"}
	case t.N == 0 && (word(9) != 0 || word(17) != 0), word(9) == 1<<63, word(17) == 1<<63:
		return &FormatError{Type: "Moments", Reason: "not canonical"}
	}
	if err := t.Sum.UnmarshalBinary(body[:size]); err != nil {
		return err
	}
	if err := t.Squares.UnmarshalBinary(body[size:]); err != nil {
		return err
	}
	*m = t
	return nil
}
