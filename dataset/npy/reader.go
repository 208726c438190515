package npy

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/dataset/table/decimal"
	"github.com/coterie-project/coterie/internal/fault"
)

// reader walks a range of rows.
type reader struct {
	ctx    context.Context
	source *source
	file   pinned.Handle
	fields []dataset.Field
	row    int64
	end    int64
	data   []byte // the rows of the Block as stored
	bits   []uint64
	block  dataset.Block
	err    error // sticks
}

// maxBlockBytes bounds the memory for the rows of a Block: wide matrices get smaller Blocks.
const maxBlockBytes = 16 << 20

// Next reads the next Block.
func (r *reader) Next() (*dataset.Block, error) {
	if r.err == nil {
		r.err = r.next()
	}
	if r.err != nil {
		return nil, r.err
	}
	return &r.block, nil
}

func (r *reader) next() error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.row == r.end {
		if err := r.source.Unchanged(r.file); err != nil {
			return err
		}
		return io.EOF
	}
	h := &r.source.header
	width := h.cols * int64(h.dtype.size)
	n := int(min(r.end-r.row, dataset.BlockRows, max(1, maxBlockBytes/width)))
	r.data = slices.Grow(r.data[:0], n*int(width))[:n*int(width)]
	if got, err := r.file.ReadAt(r.data, h.data+r.row*width); got < len(r.data) {
		if err == io.EOF {
			return fault.Inputf(fault.In(r.source.Path), "has changed since it was opened: it is shorter now")
		}
		return pinned.Unreadable(r.source.Path, err)
	}
	b := &r.block
	b.First, b.Rows, b.Bad = r.row, n, b.Bad[:0]
	if b.Columns == nil {
		b.Columns = make([]dataset.Vector, len(r.fields))
	}
	for i, f := range r.fields {
		r.fill(&b.Columns[i], f, n, int(width))
	}
	if len(b.Bad) > 0 {
		b.SettleBad()
	}
	r.row += int64(n)
	return nil
}

// fill gives one column of the Block, in the memory of the Block before.
func (r *reader) fill(v *dataset.Vector, f dataset.Field, n, width int) {
	d := r.source.header.dtype
	offset := f.Column * d.size
	switch {
	case f.As == dataset.AsNumber && d == (dtype{'f', 4, false}):
		v.Float32 = slices.Grow(v.Float32[:0], n)[:n]
		for i := range v.Float32 {
			v.Float32[i] = math.Float32frombits(binary.LittleEndian.Uint32(r.data[offset+i*width:]))
		}
		r.refuseInfinite32(v.Float32, f.Column)
		return
	}
	r.load(offset, n, width)
	switch {
	case f.As == dataset.AsNumber && d.kind == 'f' && d.size == 4:
		v.Float32 = slices.Grow(v.Float32[:0], n)[:n]
		for i, b := range r.bits {
			v.Float32[i] = math.Float32frombits(uint32(b))
		}
		r.refuseInfinite32(v.Float32, f.Column)
	case f.As == dataset.AsNumber:
		v.Float64 = slices.Grow(v.Float64[:0], n)[:n]
		for i, b := range r.bits {
			v.Float64[i] = d.float64(b)
			if math.IsInf(v.Float64[i], 0) {
				r.bad(i, f.Column, notFinite(v.Float64[i] < 0))
				v.Float64[i] = math.NaN()
			}
		}
	case f.As == dataset.AsID && d.kind != 'f':
		v.Int64 = slices.Grow(v.Int64[:0], n)[:n]
		for i, b := range r.bits {
			v.Int64[i] = d.int64(b)
			if d.kind == 'u' && d.size == 8 && v.Int64[i] < 0 {
				v.Int64[i] = 0
				r.bad(i, f.Column, fmt.Sprintf("the id %d is above the largest signed 64-bit integer", b))
			}
		}
	default:
		r.texts(v, f, d)
	}
}

// notFinite is the reason for which an infinite number of that sign is bad.
func notFinite(negative bool) string {
	if negative {
		return `not a finite number: "-Inf"`
	}
	return `not a finite number: "+Inf"`
}

func (r *reader) refuseInfinite32(values []float32, column int) {
	for i, x := range values {
		if math.Float32bits(x)<<1 == 0xff<<24 {
			values[i] = float32(math.NaN())
			r.bad(i, column, notFinite(x < 0))
		}
	}
}

func (r *reader) bad(index, column int, reason string) {
	place := fault.Place{File: r.source.Path, Row: r.row + int64(index), Column: r.source.schema.Columns[column].Name}
	r.block.Bad = append(r.block.Bad, dataset.BadRow{Index: index, Place: place, Reason: reason})
}

// load gathers the bits of a column, whatever its width and byte order.
func (r *reader) load(offset, n, width int) {
	d := r.source.header.dtype
	r.bits = slices.Grow(r.bits[:0], n)[:n]
	var order binary.ByteOrder = binary.LittleEndian
	if d.big {
		order = binary.BigEndian
	}
	for i := range r.bits {
		b := r.data[offset+i*width:]
		switch d.size {
		case 1:
			r.bits[i] = uint64(b[0])
		case 2:
			r.bits[i] = uint64(order.Uint16(b))
		case 4:
			r.bits[i] = uint64(order.Uint32(b))
		default:
			r.bits[i] = order.Uint64(b)
		}
	}
}

// int64 is the integer with these bits.
func (d dtype) int64(bits uint64) int64 {
	if d.kind == 'u' {
		return int64(bits)
	}
	shift := 64 - 8*d.size
	return int64(bits<<shift) >> shift
}

// float64 is the number with these bits; integers are rounded to the nearest.
func (d dtype) float64(bits uint64) float64 {
	switch {
	case d.kind == 'f' && d.size == 4:
		return float64(math.Float32frombits(uint32(bits)))
	case d.kind == 'f':
		return math.Float64frombits(bits)
	case d.kind == 'u':
		return float64(bits)
	}
	return float64(d.int64(bits))
}

// texts gives the canonical text of numbers. NaN is missing.
func (r *reader) texts(v *dataset.Vector, f dataset.Field, d dtype) {
	t := &v.Text
	t.Data, t.Offsets = t.Data[:0], append(t.Offsets[:0], 0)
	v.Missing = nil
	for i, b := range r.bits {
		switch {
		case d.kind == 'u':
			t.Data = strconv.AppendUint(t.Data, b, 10)
		case d.kind == 'i':
			t.Data = strconv.AppendInt(t.Data, d.int64(b), 10)
		case math.IsInf(d.float64(b), 0):
			r.bad(i, f.Column, notFinite(d.float64(b) < 0))
		case math.IsNaN(d.float64(b)):
			if v.Missing == nil {
				v.Missing = make([]bool, len(r.bits))
			}
			v.Missing[i] = true
		default:
			t.Data = decimal.AppendFloat(t.Data, d.float64(b), 8*d.size)
		}
		t.Offsets = append(t.Offsets, len(t.Data))
	}
}

// Close releases the file.
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	if r.err == nil {
		r.err = errors.New("the reader is closed")
	}
	return err
}
