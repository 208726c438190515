package csv

import (
	"context"
	"io"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

const (
	blockBytes  = 16 << 20 // of text, after which a Block ends early: long records must not add up
	vectorBytes = 32 << 20 // of values, likewise for very wide tables
)

// Reader walks a range of the rows of a Table. It implements dataset.Reader and is for one goroutine.
type Reader struct {
	ctx     context.Context
	table   *Table
	closer  io.Closer
	scanner scanner
	decoder decoder
	batch   batch
	single  int   // how many records to take one by one before the next batch
	row     int64 // next row
	left    int64
	limit   int // rows in a Block
	block   dataset.Block
	err     error // sticky
}

// Read walks rows [first, first+rows), which must lie in the table.
func (t *Table) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if first < 0 || rows < 0 || first > t.index.rows-rows {
		return nil, fault.Failedf(nil, "%s: rows %d to %d were asked for, but there are %d", t.name, first, first+rows, t.index.rows)
	}
	for _, f := range fields {
		if f.Column < 0 || f.Column >= len(t.layout.schema.Columns) {
			return nil, fault.Failedf(nil, "%s: column number %d was asked for, but there are %d", t.name, f.Column, len(t.layout.schema.Columns))
		}
	}
	from, behind := t.index.before(first), t.index.behind(first+max(rows, 1)-1)
	src, closer, err := t.content.open(ctx, from.offset, behind)
	if err != nil {
		return nil, err
	}
	limit := max(1, min(dataset.BlockRows, vectorBytes/(8*max(1, len(fields)))))
	r := &Reader{ctx: ctx, table: t, closer: closer, row: first, left: rows, limit: limit}
	r.decoder.prepare(&t.layout, fields, int(min(int64(limit), rows)))
	r.batch.prepare(len(t.layout.schema.Columns), int(min(int64(limit), rows)))
	r.block.Columns = make([]dataset.Vector, len(fields))
	r.scanner.reset(src, from.offset, behind, from.line, t.layout.delim)
	for at := from.row; at < first; at++ {
		if err := r.scanner.next(); err != nil {
			closer.Close()
			return nil, r.explain(err)
		}
	}
	return r, nil
}

// Next gives the next run of rows, or io.EOF behind the last one if the file is still as it was.
func (r *Reader) Next() (*dataset.Block, error) {
	if r.err != nil {
		return nil, r.err
	}
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.left == 0 {
		r.err = r.table.content.unchanged(r.ctx)
		if r.err == nil {
			r.err = io.EOF
		}
		return nil, r.err
	}
	rows := int(min(r.left, int64(r.limit)))
	r.block.First, r.block.Bad = r.row, r.block.Bad[:0]
	r.decoder.begin()
	bytes, n := 0, 0
	for n < rows && bytes < blockBytes {
		if k, size := r.nextBatch(n, rows-n); k > 0 {
			n += k
			bytes += size
			continue
		}
		if err := r.scanner.next(); err != nil {
			r.err = r.explain(err)
			return nil, r.err
		}
		if !r.decoder.decode(&r.scanner, n) {
			r.block.Bad = append(r.block.Bad, r.bad(n))
		}
		bytes += len(r.scanner.record)
		n++
	}
	r.block.Rows = n
	r.row += int64(n)
	r.left -= int64(n)
	r.decoder.finish(n, r.block.Columns)
	return &r.block, nil
}

// nextBatch reads regular records as rows n and on of the Block, at most limit, and says how many and of how many bytes.
// If there are none the next record is to be taken by itself.
func (r *Reader) nextBatch(n, limit int) (rows, size int) {
	if r.single > 0 || r.batch.most == 0 {
		r.single--
		return 0, 0
	}
	r.batch.find(&r.scanner, limit)
	if r.batch.rows == 0 {
		r.single = alone
		return 0, 0
	}
	rows = r.decoder.decodeBatch(&r.scanner, &r.batch, n)
	if rows < r.batch.rows { // the others have been parsed in part, which must not happen time and again
		r.single = r.batch.rows - rows
	}
	return rows, r.scanner.skip(&r.batch, rows)
}

// bad describes the record that the decoder refused as row n of the Block.
func (r *Reader) bad(n int) dataset.BadRow {
	column, reason := r.decoder.diagnose(&r.scanner)
	r.decoder.blank(n)
	return dataset.BadRow{
		Index:  n,
		Place:  fault.Place{File: r.table.name, Line: r.scanner.recordLine, Row: r.row + int64(n), Column: column},
		Reason: reason,
		Raw:    string(r.scanner.record),
	}
}

// explain turns an error of the scanner, which an indexed file should not give, into one with a place.
func (r *Reader) explain(err error) error {
	switch {
	case err == errTooLong:
		return tooLong(r.table.name, r.scanner.recordLine)
	case err == io.EOF, err == io.ErrUnexpectedEOF: // fewer bytes or records than were indexed
		return fault.Inputf(fault.In(r.table.name), "changed while it was read").Do("run again when nothing writes to it")
	}
	return unreadable(r.table.name, err)
}

// Close frees the file. It may be called more than once.
func (r *Reader) Close() error {
	if r.closer == nil {
		return nil
	}
	err := r.closer.Close()
	r.closer = nil
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	return err
}
