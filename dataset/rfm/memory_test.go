package rfm

import (
	"context"
	"io"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// memory is a Source over cells in memory, for tests: a text table, except for the columns with typed values.
type memory struct {
	schema dataset.Schema
	cells  [][]string             // by row
	typed  map[int]dataset.Vector // by column: whole columns of Int64, Float64 or Float32
	cuts   int64                  // rows between cuts
	block  int                    // rows in a Block
	bad    map[int64]string       // rows that the reader calls bad
}

func table(header []string, cells [][]string) *memory {
	m := &memory{cells: cells, cuts: 1 << 20, block: 7, typed: map[int]dataset.Vector{}}
	for _, name := range header {
		m.schema.Columns = append(m.schema.Columns, dataset.Column{Name: name, Kind: dataset.Text})
	}
	return m
}

func (m *memory) Schema() *dataset.Schema { return &m.schema }
func (m *memory) Rows() int64             { return int64(len(m.cells)) }
func (m *memory) Bytes() int64            { return 0 }
func (m *memory) Names() []string         { return []string{"till.csv"} }
func (m *memory) Close() error            { return nil }

func (m *memory) Locate(row int64) fault.Place {
	return fault.Place{File: "till.csv", Line: row + 2, Row: row}
}

func (m *memory) Cuts() []int64 {
	cuts := []int64{0}
	for at := m.cuts; at < m.Rows(); at += m.cuts {
		cuts = append(cuts, at)
	}
	return cuts
}

func (m *memory) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	return &memoryReader{m: m, ctx: ctx, at: first, end: first + rows, fields: fields}, nil
}

type memoryReader struct {
	m       *memory
	ctx     context.Context
	at, end int64
	fields  []dataset.Field
}

func (r *memoryReader) Close() error { return nil }

func (r *memoryReader) Next() (*dataset.Block, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	n := min(int64(r.m.block), r.end-r.at)
	if n <= 0 {
		return nil, io.EOF
	}
	b := &dataset.Block{First: r.at, Rows: int(n)}
	for _, f := range r.fields {
		if v, ok := r.m.typed[f.Column]; ok {
			b.Columns = append(b.Columns, cut(v, r.at, r.at+n))
			continue
		}
		text := dataset.Strings{Offsets: []int{0}}
		for row := r.at; row < r.at+n; row++ {
			text.Data = append(text.Data, r.m.cells[row][f.Column]...)
			text.Offsets = append(text.Offsets, len(text.Data))
		}
		b.Columns = append(b.Columns, dataset.Vector{Text: text})
	}
	for row := r.at; row < r.at+n; row++ {
		if reason, ok := r.m.bad[row]; ok {
			b.Bad = append(b.Bad, dataset.BadRow{Index: int(row - r.at), Place: r.m.Locate(row), Reason: reason})
		}
	}
	r.at += n
	return b, nil
}

func cut(v dataset.Vector, from, to int64) dataset.Vector {
	if v.Int64 != nil {
		v.Int64 = v.Int64[from:to]
	}
	if v.Float64 != nil {
		v.Float64 = v.Float64[from:to]
	}
	if v.Float32 != nil {
		v.Float32 = v.Float32[from:to]
	}
	if v.Micros != nil {
		v.Micros = v.Micros[from:to]
	}
	if v.Missing != nil {
		v.Missing = v.Missing[from:to]
	}
	return v
}
