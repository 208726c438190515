package wire

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/exact"
)

// What travels as bytes is little endian, in the order of its rows: integers of 64 and 128 bits (the low half first),
// floats as their bits.

// marshalling gives equal messages equal bytes.
var marshalling = proto.MarshalOptions{Deterministic: true}

// maxDepth is how deep messages may lie in each other: a task's body's reload's seed's candidates.
const maxDepth = 8

// unmarshal reads a message. Fields of later versions are passed over.
func unmarshal(data []byte, m proto.Message) error {
	options := proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxDepth}
	if err := options.Unmarshal(data, m); err != nil {
		return fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return nil
}

// checkRepeats walks the outermost fields of a message and refuses those that stand more often than they may (once,
// where limits does not say), before anything is allocated for them.
func checkRepeats(data []byte, limits map[protowire.Number]int) error {
	seen := make(map[protowire.Number]int, len(limits))
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 {
			return fmt.Errorf("%w: %w", ErrFormat, protowire.ParseError(n))
		}
		data = data[n:]
		if n = protowire.ConsumeFieldValue(number, kind, data); n < 0 {
			return fmt.Errorf("%w: %w", ErrFormat, protowire.ParseError(n))
		}
		data = data[n:]
		if number > maxField {
			continue // unknown, and left out
		}
		limit, known := limits[number]
		if !known {
			limit = 1
		}
		if seen[number]++; seen[number] > limit {
			return wrong(fmt.Sprintf("field %d", number), "more than %d of them", limit)
		}
	}
	return nil
}

// maxField is above the number of every field of a Partial.
const maxField = 64

// maxText is the bytes of the longest text in an error: enough for any, and short enough for a log.
const maxText = 1 << 14

// clip makes a text of an error fit to travel: UTF-8, not too long.
func clip(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	if len(s) <= maxText {
		return s
	}
	end := maxText - len("…")
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + "…"
}

// count is a number that only counts, from 0.
func count(field string, n int64) (int64, error) {
	if n < 0 {
		return 0, wrong(field, "%d is below 0", n)
	}
	return n, nil
}

// finite checks a number that is finite and at least 0.
func finite(field string, x float64) error {
	if !(x >= 0) || math.IsInf(x, 0) {
		return wrong(field, "%g is not a finite number of at least 0", x)
	}
	return nil
}

func appendFloats(b []byte, values []float32) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint32(b, math.Float32bits(v))
	}
	return b
}

// finiteFloats reads n numbers, all of which must be finite.
func finiteFloats(field string, data []byte, n int) ([]float32, error) {
	if len(data)%4 != 0 || len(data)/4 != n {
		return nil, wrong(field, "%d bytes for %d numbers", len(data), n)
	}
	values := make([]float32, n)
	for i := range values {
		b := binary.LittleEndian.Uint32(data[4*i:])
		if b&0x7f800000 == 0x7f800000 {
			return nil, wrong(field, "number %d is not finite", i)
		}
		values[i] = math.Float32frombits(b)
	}
	return values, nil
}

func appendInts(b []byte, values []exact.Int128) []byte {
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, v.Lo)
		b = binary.LittleEndian.AppendUint64(b, uint64(v.Hi))
	}
	return b
}

// ints reads n integers of 128 bits.
func ints(field string, data []byte, n int) ([]exact.Int128, error) {
	if len(data)%16 != 0 || len(data)/16 != n {
		return nil, wrong(field, "%d bytes for %d integers", len(data), n)
	}
	values := make([]exact.Int128, n)
	for i := range values {
		b := data[16*i:][:16]
		values[i] = exact.Int128{Lo: binary.LittleEndian.Uint64(b), Hi: int64(binary.LittleEndian.Uint64(b[8:]))}
	}
	return values, nil
}

// words reads integers of 64 bits, as many as there are.
func words(field string, data []byte) ([]uint64, error) {
	if len(data)%8 != 0 {
		return nil, wrong(field, "%d bytes for integers of 8", len(data))
	}
	values := make([]uint64, len(data)/8)
	for i := range values {
		values[i] = binary.LittleEndian.Uint64(data[8*i:])
	}
	return values, nil
}

// bins reads a canonical exact.Bins.
func bins(field string, data []byte, into *exact.Bins) error {
	if err := into.UnmarshalBinary(data); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrFormat, field, err)
	}
	return nil
}

func binsBytes(b *exact.Bins) []byte {
	data, _ := b.AppendBinary(nil) // never fails
	return data
}
