package synth

import (
	"context"
	"io"
	"math"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table/decimal"
	"github.com/coterie-project/coterie/internal/fault"
)

// cutRows is the distance between cuts, or a multiple of it where there would be more than maxCuts of them, since they
// travel with the description of the data. Reading can start anywhere at the same cost; cuts are where others share
// work, and coarser ones leave workers with uneven shares of wide tables.
const (
	cutRows = 16_384
	maxCuts = 1 << 16
)

// maker is one kind of table. It holds no state of a reading, so that many can go on at once.
type maker interface {
	columns() []dataset.Column
	open() filler
	rowBytes() int64 // the decoded size of a row, roughly
}

// filler makes the rows of one reading, in its own memory.
type filler interface {
	// fill makes rows [first, first+n). into has a place for each column of the kind; those that are not wanted
	// may be left alone. Column.Integer columns come as Int64, other numbers as Float32 or Float64, times as
	// Micros, the rest as Text. What is in the places from the call before may be written over.
	fill(first int64, n int, wanted []bool, into []dataset.Vector)
}

// source is a maker with a number of rows.
type source struct {
	maker   maker
	schema  dataset.Schema
	rows    int64
	address string
}

func (s *source) Schema() *dataset.Schema { return &s.schema }
func (s *source) Rows() int64             { return s.rows }
func (s *source) Bytes() int64            { return s.rows * s.maker.rowBytes() }
func (s *source) Names() []string         { return []string{s.address} }
func (s *source) Close() error            { return nil }

func (s *source) Locate(row int64) fault.Place { return fault.Place{File: s.address, Row: row} }

func (s *source) Cuts() []int64 {
	step := cutRows * max((s.rows-1)/(cutRows*maxCuts)+1, 1)
	cuts := make([]int64, 0, s.rows/step+1)
	for at := int64(0); at < s.rows; at += step {
		cuts = append(cuts, at)
	}
	return cuts
}

// Read opens a reading of its own; nothing is shared with others.
func (s *source) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if first < 0 || rows < 0 || first > s.rows || rows > s.rows-first {
		return nil, fault.Failedf(nil, "%s: rows %d to %d do not exist, there are %d", s.address, first, first+rows, s.rows)
	}
	columns := s.schema.Columns
	r := &reading{ctx: ctx, fields: fields, columns: columns, filler: s.maker.open(), at: first, end: first + rows,
		wanted: make([]bool, len(columns)), raw: make([]dataset.Vector, len(columns)), scratch: make([]scratch, len(fields))}
	for _, f := range fields {
		if f.Column < 0 || f.Column >= len(columns) {
			return nil, fault.Failedf(nil, "%s: there is no column %d", s.address, f.Column)
		}
		c := columns[f.Column]
		if f.As == dataset.AsNumber && c.Kind != dataset.Number {
			return nil, fault.Inputf(fault.Place{File: s.address, Row: fault.NoRow, Column: c.Name}, "the column does not hold numbers")
		}
		r.wanted[f.Column] = true
	}
	r.block.Columns = make([]dataset.Vector, len(fields))
	return r, nil
}

// reading is one walk over a range of rows.
type reading struct {
	ctx     context.Context
	fields  []dataset.Field
	columns []dataset.Column
	filler  filler
	at, end int64
	wanted  []bool
	raw     []dataset.Vector
	scratch []scratch
	block   dataset.Block
}

// scratch is the memory of a field whose values are not those of the raw column.
type scratch struct {
	floats []float64
	text   dataset.Strings
}

func (r *reading) Close() error { return nil }

// Next makes the next block.
func (r *reading) Next() (*dataset.Block, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	n := int(min(r.end-r.at, dataset.BlockRows))
	if n == 0 {
		return nil, io.EOF
	}
	r.filler.fill(r.at, n, r.wanted, r.raw)
	r.block.First, r.block.Rows = r.at, n
	for i, f := range r.fields {
		r.block.Columns[i] = r.scratch[i].as(f.As, &r.columns[f.Column], &r.raw[f.Column], n)
	}
	r.at += int64(n)
	return &r.block, nil
}

// as gives a raw column in the representation asked for.
func (s *scratch) as(as dataset.As, c *dataset.Column, raw *dataset.Vector, n int) dataset.Vector {
	switch {
	case as == dataset.AsNumber && raw.Int64 != nil:
		s.floats = resize(s.floats, n)
		for i, v := range raw.Int64 {
			s.floats[i] = float64(v)
			if raw.Missing != nil && raw.Missing[i] {
				s.floats[i] = math.NaN()
			}
		}
		return dataset.Vector{Float64: s.floats}
	case as == dataset.AsNumber, as == dataset.AsID && raw.Int64 != nil, as == dataset.AsTime && raw.Micros != nil,
		raw.Text.Offsets != nil:
		return *raw
	}
	s.text.Data, s.text.Offsets = s.text.Data[:0], append(s.text.Offsets[:0], 0)
	for i := range n {
		s.text.Data = appendCell(s.text.Data, raw, i)
		s.text.Offsets = append(s.text.Offsets, len(s.text.Data))
	}
	return dataset.Vector{Text: s.text, Missing: raw.Missing}
}

// appendCell writes a number or a time as a file would hold it.
func appendCell(dst []byte, raw *dataset.Vector, i int) []byte {
	switch {
	case raw.Int64 != nil:
		return strconv.AppendInt(dst, raw.Int64[i], 10)
	case raw.Float32 != nil:
		return decimal.AppendFloat(dst, float64(raw.Float32[i]), 32)
	case raw.Float64 != nil:
		return decimal.AppendFloat(dst, raw.Float64[i], 64)
	default:
		return decimal.AppendTime(dst, raw.Micros[i])
	}
}

// resize is a slice of length n, the old one where it is large enough.
func resize[T any](old []T, n int) []T {
	if cap(old) >= n {
		return old[:n]
	}
	return make([]T, n)
}

// restart empties a text column for the next block.
func restart(s *dataset.Strings) { s.Data, s.Offsets = s.Data[:0], append(s.Offsets[:0], 0) }

// put appends one text.
func put(s *dataset.Strings, text string) {
	s.Data = append(s.Data, text...)
	s.Offsets = append(s.Offsets, len(s.Data))
}
