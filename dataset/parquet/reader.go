package parquet

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sort"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
)

// reader walks a range of rows. Its Blocks do not cross row groups.
type reader struct {
	ctx     context.Context
	source  *source
	file    pinned.Handle
	fields  []dataset.Field
	columns []column
	row     int64 // the next row
	end     int64
	group   int // the row group that columns stand in
	open    bool
	remote  bool // it is an object
	ahead   bool // the group that comes next has been announced
	block   dataset.Block
	err     error // sticks
}

// Read walks rows [first, first+rows). A column that is unusable, or a time asked for as a number, is a
// fault.Input error that names it.
func (s *source) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if first < 0 || rows < 0 || first > s.footer.rows || rows > s.footer.rows-first {
		return nil, fmt.Errorf("%s: rows %d to %d of %d were asked for", s.Path, first, first+rows, s.footer.rows)
	}
	r := &reader{ctx: ctx, source: s, fields: slices.Clone(fields), row: first, end: first + rows}
	r.columns = make([]column, len(fields))
	for i, f := range fields {
		if f.Column < 0 || f.Column >= len(s.tree.schema.Columns) {
			return nil, fmt.Errorf("%s: column %d of %d was asked for", s.Path, f.Column, len(s.tree.schema.Columns))
		}
		if err := s.readable(f); err != nil {
			return nil, err
		}
		r.columns[i].leaf = &s.tree.leaves[s.tree.leaf[f.Column]]
	}
	r.group = sort.Search(len(s.footer.groups), func(i int) bool { return s.footer.groups[i].first > first }) - 1
	var err error
	if r.file, err = s.Reopen(ctx); err != nil {
		return nil, err
	}
	state, err := r.file.State()
	r.remote = err == nil && state.ETag != ""
	return r, nil
}

// readable refuses what no row of the column could give.
func (s *source) readable(f dataset.Field) error {
	c := &s.tree.schema.Columns[f.Column]
	at := fault.Place{File: s.Path, Row: fault.NoRow, Column: c.Name}
	if c.Unusable != "" {
		return fault.Inputf(at, "%s", c.Unusable)
	}
	if f.As == dataset.AsNumber && c.Kind == dataset.Time {
		return fault.Inputf(at, "holds times, not numbers").Do("leave it out, or write it as a number")
	}
	if f.As == dataset.AsNumber && s.tree.leaves[s.tree.leaf[f.Column]].means == meansUUID {
		return fault.Inputf(at, "holds UUIDs, not numbers").Do("leave it out")
	}
	return nil
}

// Next decodes the next Block.
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
	if r.file == nil {
		return errors.New("the reader is closed")
	}
	if err := r.ctx.Err(); err != nil {
		return err
	}
	if r.row == r.end {
		if err := r.source.Unchanged(r.file); err != nil {
			return err
		}
		return io.EOF
	}
	g := &r.source.footer.groups[r.group]
	if r.open && r.row == g.first+g.rows {
		r.group, r.open = r.group+1, false
		g = &r.source.footer.groups[r.group]
	}
	if !r.open {
		if err := r.openGroup(g); err != nil {
			return err
		}
	}
	n := int(min(r.end-r.row, g.first+g.rows-r.row, dataset.BlockRows))
	return r.fill(n)
}

// openGroup stands all columns at r.row inside the group.
func (r *reader) openGroup(g *group) error {
	if err := r.source.Unchanged(r.file); err != nil {
		return err
	}
	for i := range r.columns {
		r.columns[i].open(r.file, r.chunk(g, i))
	}
	if r.remote {
		if err := r.enterObject(g); err != nil {
			return err
		}
	} else if r.row > g.first {
		if err := r.enter(g); err != nil {
			return err
		}
	}
	r.open = true
	return nil
}

// fill makes the Block of the next n rows.
func (r *reader) fill(n int) error {
	b := &r.block
	b.First, b.Rows, b.Bad = r.row, n, b.Bad[:0]
	if b.Columns == nil {
		b.Columns = make([]dataset.Vector, len(r.columns))
	}
	for i := range r.columns {
		c := &r.columns[i]
		var bad []badValue
		err := r.guard(c, r.row, func() error {
			if err := c.read(n); err != nil {
				return err
			}
			b.Columns[i], bad = c.convert(r.fields[i].As, &r.source.tree.schema.Columns[r.fields[i].Column], n)
			return nil
		})
		if err != nil {
			return err
		}
		for _, v := range bad {
			place := fault.Place{File: r.source.Path, Row: r.row + int64(v.index), Column: c.leaf.name}
			b.Bad = append(b.Bad, dataset.BadRow{Index: v.index, Place: place, Reason: v.reason})
		}
	}
	if len(b.Bad) > 0 {
		b.SettleBad()
	}
	r.row += int64(n)
	return nil
}

// guard turns what goes wrong in a column into an error with its place. A panic is caught as well: the
// decompressors are other people's code, and bad data may stop a run, never the process.
func (r *reader) guard(c *column, row int64, work func() error) (err error) {
	return r.guardIn(&r.source.footer.groups[r.group], c, row, work)
}

// guardIn is guard of what is done in another group than that in which the columns stand.
func (r *reader) guardIn(g *group, c *column, row int64, work func() error) (err error) {
	at := fault.Place{File: r.source.Path, Row: row, Column: c.leaf.name}
	number := g.number
	defer func() {
		if p := recover(); p != nil {
			err = fault.Inputf(at, "row group %d is damaged: decoding stopped: %v", number, p).Do("export the file again")
		}
	}()
	err = work()
	var failed *ioError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &failed) && pinned.Explained(failed.err):
		return failed.err
	case errors.As(err, &failed):
		e := fault.Inputf(at, "row group %d cannot be read", number)
		e.Err = failed.err
		return e
	}
	e := fault.Inputf(at, "row group %d is damaged", number).Do("copy or export the file again")
	e.Err = err
	return e
}

// Close releases the file and the buffers.
func (r *reader) Close() error {
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file, r.columns, r.block = nil, nil, dataset.Block{}
	if r.err == nil {
		r.err = errors.New("the reader is closed")
	}
	return err
}
