package npy

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
)

// source is one .npy file. It keeps the header, not the file: every Reader opens the file and finds it unchanged
// or fails.
type source struct {
	*pinned.File
	header header
	schema dataset.Schema
}

// maxColumns bounds the schema that a header can ask for.
const maxColumns = 1 << 20

// remedy is the line of Python that writes a matrix as it can be read.
const remedy = "save it with np.save(path, np.ascontiguousarray(a, dtype=np.float32)), a having rows and columns"

// Open reads the header of the .npy file at path. A file that is damaged, truncated or of a kind that is not read
// is a fault.Input error that names the file and says what to save instead.
func Open(ctx context.Context, path string) (dataset.Source, error) { return OpenWith(ctx, path, nil) }

// OpenWith is Open of a file that open opens, each time anew.
func OpenWith(ctx context.Context, path string, open pinned.Opener) (dataset.Source, error) {
	pin, file, err := pinned.Open(ctx, path, "an .npy file", open)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	s := &source{File: pin}
	head := make([]byte, min(s.Size, maxHeader+12))
	if n, err := file.ReadAt(head, 0); n < len(head) {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return nil, pinned.Unreadable(path, err)
	}
	if s.header, err = parseHeader(head, s.Size); err != nil {
		return nil, s.refuse(err)
	}
	if s.header.cols > maxColumns {
		return nil, fault.Inputf(fault.In(path), "has %d columns; the limit is %d", s.header.cols, maxColumns)
	}
	column := dataset.Column{Kind: dataset.Number}
	column.Float32 = s.header.dtype.kind == 'f' && s.header.dtype.size == 4
	column.Integer = s.header.dtype.kind != 'f'
	for i := range s.header.cols {
		column.Name = "x" + strconv.FormatInt(i, 10)
		s.schema.Columns = append(s.schema.Columns, column)
	}
	return s, nil
}

// refuse explains why a header was not accepted.
func (s *source) refuse(err error) error {
	var kind *notSupported
	if err == errNotNPY || errors.As(err, &kind) {
		return fault.Inputf(fault.In(s.Path), "%s", err.Error()).Do(remedy)
	}
	e := fault.Inputf(fault.In(s.Path), "is damaged or truncated").Do("copy or save it again")
	e.Err = err
	return e
}

// Schema is the columns x0, x1, …
func (s *source) Schema() *dataset.Schema { return &s.schema }

// Rows is the first number of the array's shape.
func (s *source) Rows() int64 { return s.header.rows }

// cutRows is the distance between cuts: reading can start at any row at no cost.
const cutRows = 1 << 16

// Cuts are every 65,536 rows.
func (s *source) Cuts() []int64 {
	cuts := []int64{0}
	for row := int64(cutRows); row < s.header.rows; row += cutRows {
		cuts = append(cuts, row)
	}
	return cuts
}

// Locate is the row's place in the file.
func (s *source) Locate(row int64) fault.Place { return fault.Place{File: s.Path, Row: row} }

// Bytes is the size of the matrix.
func (s *source) Bytes() int64 { return s.header.rows * s.header.cols * int64(s.header.dtype.size) }

// Names is the path, as it was given to Open.
func (s *source) Names() []string { return []string{s.Path} }

// Close has nothing to do: no file is held open.
func (s *source) Close() error { return nil }

// Read walks rows [first, first+rows).
func (s *source) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	if first < 0 || rows < 0 || first > s.header.rows || rows > s.header.rows-first {
		return nil, fmt.Errorf("%s: rows %d to %d of %d were asked for", s.Path, first, first+rows, s.header.rows)
	}
	for _, f := range fields {
		if f.Column < 0 || f.Column >= len(s.schema.Columns) {
			return nil, fmt.Errorf("%s: column %d of %d was asked for", s.Path, f.Column, len(s.schema.Columns))
		}
	}
	file, err := s.Reopen(ctx)
	if err != nil {
		return nil, err
	}
	width := s.header.cols * int64(s.header.dtype.size)
	file.Want([]pinned.Span{{From: s.header.data + first*width, To: s.header.data + (first+rows)*width}})
	return &reader{ctx: ctx, source: s, file: file, fields: slices.Clone(fields), row: first, end: first + rows}, nil
}
