package parquet

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table/decimal"
)

// texts gives any column as text. Stored text is passed on as it is; it may not hold a NUL byte, which ends a
// text in too many of the places where a label or an id goes next, and an id is UTF-8, or no reader of a Parquet
// file of labels could decode it.
func (c *column) texts(as dataset.As, n int) (dataset.Vector, []badValue) {
	if c.leaf.means == meansText {
		bad := refuseTexts(&c.text, as == dataset.AsID)
		return dataset.Vector{Text: c.text, Missing: c.missing(n)}, bad
	}
	out := &c.output.text
	startText(out)
	var bad []badValue
	for i := range n {
		if !c.anyNull || !c.null[i] {
			var reason string
			if out.Data, reason = c.appendText(out.Data, i); reason != "" {
				bad = append(bad, badValue{i, reason})
			}
		}
		out.Offsets = append(out.Offsets, len(out.Data))
	}
	missing := c.missing(n)
	if c.leaf.means == meansFloat32 || c.leaf.means == meansFloat64 || c.leaf.means == meansFloat16 {
		missing = c.emptyIsMissing(n)
	}
	return dataset.Vector{Text: *out, Missing: missing}, bad
}

// emptyIsMissing marks the texts of NaN, beside null the other way to say that a number is missing.
func (c *column) emptyIsMissing(n int) []bool {
	for i := range n {
		if len(c.output.text.At(i)) == 0 && (!c.anyNull || !c.null[i]) {
			if !c.anyNull {
				c.startNulls(0)
				clear(c.null[:n])
			}
			c.null[i] = true
		}
	}
	return c.missing(n)
}

// appendText appends the canonical text of the value in row i.
func (c *column) appendText(dst []byte, i int) ([]byte, string) {
	switch c.leaf.means {
	case meansBool:
		return strconv.AppendBool(dst, c.bools[i] != 0), ""
	case meansInt32:
		return strconv.AppendInt(dst, int64(int32(c.w32[i])), 10), ""
	case meansUint32:
		return strconv.AppendUint(dst, uint64(c.w32[i]), 10), ""
	case meansInt64:
		return strconv.AppendInt(dst, int64(c.w64[i]), 10), ""
	case meansUint64:
		return strconv.AppendUint(dst, c.w64[i], 10), ""
	case meansFloat32:
		return finite(dst, float64(math.Float32frombits(c.w32[i])), 32)
	case meansFloat64:
		return finite(dst, math.Float64frombits(c.w64[i]), 64)
	case meansFloat16:
		b := c.text.At(i)
		return finite(dst, float64(float16(uint16(b[0])|uint16(b[1])<<8)), 32)
	case meansDecimal32:
		return decimal.AppendScaled(dst, int64(int32(c.w32[i])), c.leaf.scale), ""
	case meansDecimal64:
		return decimal.AppendScaled(dst, int64(c.w64[i]), c.leaf.scale), ""
	case meansDecimalBytes:
		if len(c.text.At(i)) == 0 {
			return dst, ""
		}
		return appendWide(dst, c.text.At(i), c.leaf.scale)
	case meansUUID:
		return appendUUID(dst, c.text.At(i)), ""
	case meansDate:
		return decimal.AppendDate(dst, int64(int32(c.w32[i]))), ""
	}
	micros, ok := c.micros(i)
	if !ok {
		return dst, "a time outside the years that 64-bit microseconds reach"
	}
	return decimal.AppendTime(dst, micros), ""
}

func finite(dst []byte, v float64, size int) ([]byte, string) {
	if math.IsInf(v, 0) {
		return dst, notFinite(infinity(v < 0))
	}
	return decimal.AppendFloat(dst, v, size), ""
}

func appendUUID(dst, b []byte) []byte {
	for i, end := range [...]int{4, 6, 8, 10, 16} {
		start := 0
		if i > 0 {
			start = [...]int{4, 6, 8, 10}[i-1]
			dst = append(dst, '-')
		}
		dst = hex.AppendEncode(dst, b[start:end])
	}
	return dst
}

// refuseTexts empties the texts with a NUL byte, and ids that are not UTF-8, and names them.
func refuseTexts(s *dataset.Strings, ids bool) (bad []badValue) {
	if bytes.IndexByte(s.Data, 0) < 0 && (!ids || ascii(s.Data)) {
		return nil
	}
	kept, start := 0, 0
	for i := range s.Len() {
		end := s.Offsets[i+1]
		text := s.Data[start:end]
		start = end
		switch {
		case bytes.IndexByte(text, 0) >= 0:
			bad = append(bad, badValue{i, "a NUL byte in a text"})
		case ids && !utf8.Valid(text):
			bad = append(bad, badValue{i, fmt.Sprintf("not UTF-8 text: %q", text[:min(len(text), 60)])})
		default:
			kept += copy(s.Data[kept:], text)
		}
		s.Offsets[i+1] = kept
	}
	s.Data = s.Data[:kept]
	return bad
}

// ascii tells whether all bytes are below 0x80, and the text so UTF-8 wherever it is cut.
func ascii(data []byte) bool {
	for ; len(data) >= 8; data = data[8:] {
		if binary.LittleEndian.Uint64(data)&0x8080808080808080 != 0 {
			return false
		}
	}
	for _, c := range data {
		if c >= 0x80 {
			return false
		}
	}
	return true
}
