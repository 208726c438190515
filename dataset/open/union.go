package open

import (
	"context"
	"io"
	"sort"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/csv"
	"github.com/coterie-project/coterie/internal/fault"
)

// union is several Sources as one table: the columns of the first, the rows of all. It implements dataset.Source.
type union struct {
	schema dataset.Schema
	parts  []part
	rows   int64
}

// part is one Source and where its rows stand in the union.
type part struct {
	source  dataset.Source
	base    int64 // number of its first row
	columns []int // by column of the union: its position in the source
}

// tallied is a text file, whose kinds are only guessed from a sample.
type tallied interface {
	Tallies() []csv.Tally
	SetKinds([]dataset.Kind)
}

// join makes one Source of those that were opened for items. One Source stays as it is.
func join(items []item, sources []dataset.Source) (dataset.Source, error) {
	if len(sources) == 1 {
		return sources[0], nil
	}
	u := &union{schema: dataset.Schema{Columns: append([]dataset.Column(nil), sources[0].Schema().Columns...)}}
	for i, s := range sources {
		columns, err := match(&u.schema, s.Schema(), display(items[0].path), display(items[i].path))
		if err != nil {
			return nil, err
		}
		u.parts = append(u.parts, part{source: s, base: u.rows, columns: columns})
		u.rows += s.Rows()
	}
	for c := range u.schema.Columns {
		if err := u.settle(c, items); err != nil {
			return nil, err
		}
	}
	for i := range u.parts {
		p := &u.parts[i]
		if t, ok := p.source.(tallied); ok {
			kinds := make([]dataset.Kind, len(p.columns))
			for c, at := range p.columns {
				kinds[at] = u.schema.Columns[c].Kind
			}
			t.SetKinds(kinds)
		}
	}
	return u, nil
}

// match finds the columns of want in have, by name. They must be the same.
func match(want, have *dataset.Schema, first, name string) ([]int, error) {
	positions := make(map[string]int, len(have.Columns))
	for i := range have.Columns {
		positions[have.Columns[i].Name] = i
	}
	columns := make([]int, len(want.Columns))
	for i := range want.Columns {
		column := want.Columns[i].Name
		at, ok := positions[column]
		if !ok {
			return nil, different(name, column, "has no such column, but %s has", first)
		}
		columns[i] = at
		delete(positions, column)
	}
	for i := range have.Columns { // in file order, so that the message does not depend on the map's
		column := have.Columns[i].Name
		if _, extra := positions[column]; extra {
			return nil, different(name, column, "has this column, but %s has not", first)
		}
	}
	return columns, nil
}

func different(name, column, format, first string) error {
	return fault.Inputf(fault.Place{File: name, Row: fault.NoRow, Column: column}, format, first).
		Do("all files of one table must have the same columns, in any order")
}

// settle decides the kind of column c. Files that store types must agree; text files follow them, or what all their
// samples together show. A file without rows has no say.
func (u *union) settle(c int, items []item) error {
	column := &u.schema.Columns[c]
	var sum csv.Tally
	typed, text := -1, false // the first part that stores a type; whether there are text files
	float32s, integers, stored := true, true, true
	for i := range u.parts {
		p := &u.parts[i]
		if p.source.Rows() == 0 {
			continue
		}
		at := p.columns[c]
		if t, ok := p.source.(tallied); ok {
			sum.Add(t.Tallies()[at])
			text = true
			continue
		}
		have := &p.source.Schema().Columns[at]
		if have.Unusable != "" {
			column.Unusable = have.Unusable
		}
		float32s, integers, stored = float32s && have.Float32, integers && have.Integer, stored && have.Stored
		if typed < 0 {
			typed = i
			column.Kind = have.Kind
		} else if have.Kind != column.Kind {
			return fault.Inputf(fault.Place{File: display(items[i].path), Row: fault.NoRow, Column: column.Name}, "holds %s, but in %s it holds %s",
				kindName(have.Kind), display(items[typed].path), kindName(column.Kind)).Do("write the column with one type in all files")
		}
	}
	if typed < 0 {
		column.Kind = sum.Kind()
	}
	column.Float32 = float32s && typed >= 0 && !text
	column.Integer = integers && typed >= 0 && !text
	column.Stored = stored && typed >= 0 && !text
	return nil
}

func kindName(k dataset.Kind) string {
	switch k {
	case dataset.Number:
		return "numbers"
	case dataset.Bool:
		return "true and false"
	case dataset.Time:
		return "times"
	}
	return "text"
}

// Schema has the columns of the first file.
func (u *union) Schema() *dataset.Schema { return &u.schema }

// Rows counts the rows of all files.
func (u *union) Rows() int64 { return u.rows }

// Cuts are those of the files, one after another.
func (u *union) Cuts() []int64 {
	cuts := []int64{0}
	for i := range u.parts {
		p := &u.parts[i]
		if p.source.Rows() == 0 {
			continue
		}
		for _, c := range p.source.Cuts() {
			if at := p.base + c; at > cuts[len(cuts)-1] {
				cuts = append(cuts, at)
			}
		}
	}
	return cuts
}

// Bytes adds up what is known.
func (u *union) Bytes() int64 {
	var sum int64
	for i := range u.parts {
		sum += u.parts[i].source.Bytes()
	}
	return sum
}

// Names are those of all files.
func (u *union) Names() []string {
	var names []string
	for i := range u.parts {
		names = append(names, u.parts[i].source.Names()...)
	}
	return names
}

// Pins are those of all files.
func (u *union) Pins() []dataset.Pin {
	var pins []dataset.Pin
	for i := range u.parts {
		pins = append(pins, dataset.PinsOf(u.parts[i].source)...)
	}
	return pins
}

// find is the part that holds a row.
func (u *union) find(row int64) int {
	return max(0, sort.Search(len(u.parts), func(i int) bool { return u.parts[i].base > row })-1)
}

// Locate asks the file that holds the row.
func (u *union) Locate(row int64) fault.Place {
	p := &u.parts[u.find(row)]
	return p.source.Locate(row - p.base)
}

// Close closes all files and returns the first error.
func (u *union) Close() error {
	var first error
	for i := range u.parts {
		if err := u.parts[i].source.Close(); first == nil {
			first = err
		}
	}
	return first
}

// Read walks a range of rows from file to file; a file is opened when its turn comes.
func (u *union) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if first < 0 || rows < 0 || first > u.rows-rows {
		return nil, fault.Failedf(nil, "rows %d to %d were asked for, but there are %d", first, first+rows, u.rows)
	}
	for _, f := range fields {
		if f.Column < 0 || f.Column >= len(u.schema.Columns) {
			return nil, fault.Failedf(nil, "column number %d was asked for, but there are %d", f.Column, len(u.schema.Columns))
		}
	}
	return &unionReader{ctx: ctx, union: u, fields: append([]dataset.Field(nil), fields...), next: first, end: first + rows,
		vectors: make([]converter, len(fields))}, nil
}

// unionReader implements dataset.Reader.
type unionReader struct {
	ctx       context.Context
	union     *union
	fields    []dataset.Field
	next, end int64 // rows not yet covered by an open file
	at        *part // the file that is open
	reader    dataset.Reader
	block     dataset.Block
	vectors   []converter
	err       error
}

// Next gives the next run of rows within one file.
func (r *unionReader) Next() (*dataset.Block, error) {
	for r.err == nil {
		if r.reader == nil {
			if r.next == r.end {
				r.err = io.EOF
				break
			}
			if r.err = r.open(); r.err != nil {
				break
			}
		}
		block, err := r.reader.Next()
		if err == io.EOF {
			err = r.reader.Close()
			r.reader = nil
			if err == nil {
				continue
			}
		}
		if err != nil {
			r.err = err
			break
		}
		r.block = dataset.Block{First: block.First + r.at.base, Rows: block.Rows, Columns: r.block.Columns[:0], Bad: block.Bad}
		for i := range block.Columns {
			column := &r.union.schema.Columns[r.fields[i].Column]
			r.block.Columns = append(r.block.Columns, r.vectors[i].convert(block.Columns[i], r.fields[i].As, column))
		}
		return &r.block, nil
	}
	return nil, r.err
}

// open begins with the file that holds row next.
func (r *unionReader) open() error {
	p := &r.union.parts[r.union.find(r.next)]
	first := r.next - p.base
	rows := min(p.source.Rows()-first, r.end-r.next)
	fields := make([]dataset.Field, len(r.fields))
	for i, f := range r.fields {
		fields[i] = dataset.Field{Column: p.columns[f.Column], As: f.As}
	}
	reader, err := p.source.Read(r.ctx, first, rows, fields)
	if err != nil {
		return err
	}
	r.at, r.reader = p, reader
	r.next += rows
	return nil
}

// Close closes the file that is open, if any.
func (r *unionReader) Close() error {
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	if r.reader == nil {
		return nil
	}
	err := r.reader.Close()
	r.reader = nil
	return err
}
