package remote

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/dataset"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// The kinds of a column on its way: which of a Vector's slices is set.
const (
	float64s = 1 + iota
	float32s
	int64s
	micros
	texts
)

// kindOf is the kind in which a column comes that is asked for like that, as dataset.As says.
func kindOf(as dataset.As, c *dataset.Column) uint32 {
	switch {
	case as == dataset.AsNumber && c.Float32:
		return float32s
	case as == dataset.AsNumber:
		return float64s
	case as == dataset.AsID && c.Integer:
		return int64s
	case as == dataset.AsTime && c.Kind == dataset.Time:
		return micros
	}
	return texts
}

// vectorMessage is rows [from,to) of a column. Its text is the Block's own, not a copy.
func vectorMessage(v *dataset.Vector, from, to int) *pb.Vector {
	m := &pb.Vector{}
	switch {
	case v.Float64 != nil:
		m.Kind = float64s
		m.Float64S = make([]byte, 0, 8*(to-from))
		for _, x := range v.Float64[from:to] {
			m.Float64S = binary.LittleEndian.AppendUint64(m.Float64S, math.Float64bits(x))
		}
		return m
	case v.Float32 != nil:
		m.Kind = float32s
		m.Float32S = make([]byte, 0, 4*(to-from))
		for _, x := range v.Float32[from:to] {
			m.Float32S = binary.LittleEndian.AppendUint32(m.Float32S, math.Float32bits(x))
		}
		return m
	case v.Int64 != nil:
		m.Kind, m.Int64S = int64s, appendInt64s(nil, v.Int64[from:to])
	case v.Micros != nil:
		m.Kind, m.Micros = micros, appendInt64s(nil, v.Micros[from:to])
	default:
		m.Kind = texts
		start := v.Text.Offsets[from]
		m.Text = v.Text.Data[start:v.Text.Offsets[to]]
		m.Ends = make([]byte, 0, 4*(to-from))
		for _, end := range v.Text.Offsets[from+1 : to+1] {
			m.Ends = binary.LittleEndian.AppendUint32(m.Ends, uint32(end-start))
		}
	}
	if v.Missing != nil {
		m.Missing = make([]byte, (to-from+7)/8)
		for i, missing := range v.Missing[from:to] {
			if missing {
				m.Missing[i/8] |= 1 << (i % 8)
			}
		}
	}
	return m
}

func appendInt64s(dst []byte, values []int64) []byte {
	dst = slices.Grow(dst, 8*len(values))
	for _, x := range values {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

// column decodes one column. Its memory is used again for the next Block; texts stay in their message.
type column struct {
	kind    uint32
	vector  dataset.Vector
	missing []bool
}

// decode reads the values of so many rows, at least one. Nothing is allocated that the message's own length does not
// pay for.
func (c *column) decode(m *pb.Vector, rows int) error {
	if m.GetKind() != c.kind {
		return fmt.Errorf("is of kind %d, want %d", m.GetKind(), c.kind)
	}
	values := [...][]byte{float64s: m.GetFloat64S(), float32s: m.GetFloat32S(), int64s: m.GetInt64S(), micros: m.GetMicros(), texts: m.GetEnds()}
	size := 8
	if c.kind == float32s || c.kind == texts {
		size = 4
	}
	for kind, data := range values {
		if own := kind == int(c.kind); own && len(data) != size*rows || !own && len(data) > 0 {
			return fmt.Errorf("has %d bytes of kind %d for %d rows", len(data), kind, rows)
		}
	}
	v, data := &c.vector, values[c.kind]
	switch c.kind {
	case float64s:
		v.Float64 = slices.Grow(v.Float64[:0], rows)[:rows]
		for i := range v.Float64 {
			v.Float64[i] = math.Float64frombits(binary.LittleEndian.Uint64(data[8*i:]))
		}
	case float32s:
		v.Float32 = slices.Grow(v.Float32[:0], rows)[:rows]
		for i := range v.Float32 {
			v.Float32[i] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
		}
	case int64s:
		v.Int64 = decodeInt64s(v.Int64[:0], data)
	case micros:
		v.Micros = decodeInt64s(v.Micros[:0], data)
	}
	if err := c.decodeText(m, rows); err != nil {
		return err
	}
	return c.decodeMissing(m.GetMissing(), rows)
}

func decodeInt64s(dst []int64, data []byte) []int64 {
	dst = slices.Grow(dst, len(data)/8)
	for ; len(data) >= 8; data = data[8:] {
		dst = append(dst, int64(binary.LittleEndian.Uint64(data)))
	}
	return dst
}

func (c *column) decodeText(m *pb.Vector, rows int) error {
	t := &c.vector.Text
	if c.kind != texts {
		if len(m.GetText()) > 0 {
			return fmt.Errorf("has %d bytes of text beside numbers", len(m.GetText()))
		}
		return nil
	}
	t.Data = m.GetText()
	t.Offsets = append(slices.Grow(t.Offsets[:0], rows+1), 0)
	before := uint32(0)
	for i := range rows {
		end := binary.LittleEndian.Uint32(m.GetEnds()[4*i:])
		if end < before || uint64(end) > uint64(len(t.Data)) {
			return fmt.Errorf("text %d ends at %d, behind %d, of %d bytes", i, end, before, len(t.Data))
		}
		t.Offsets = append(t.Offsets, int(end))
		before = end
	}
	if int(before) != len(t.Data) {
		return fmt.Errorf("has %d bytes of text, of which %d belong to rows", len(t.Data), before)
	}
	return nil
}

// decodeMissing reads the bits of missing values. Numbers have none: theirs are NaN.
func (c *column) decodeMissing(data []byte, rows int) error {
	c.vector.Missing = nil
	switch {
	case len(data) == 0:
		return nil
	case c.kind == float64s || c.kind == float32s:
		return fmt.Errorf("has missing values beside numbers")
	case len(data) != (rows+7)/8 || rows%8 != 0 && data[rows/8]>>(rows%8) != 0:
		return fmt.Errorf("has %d bytes of missing values for %d rows", len(data), rows)
	}
	c.missing = slices.Grow(c.missing[:0], rows)[:rows]
	for i := range c.missing {
		c.missing[i] = data[i/8]>>(i%8)&1 != 0
	}
	c.vector.Missing = c.missing
	return nil
}
