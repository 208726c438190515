package table

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/store"
)

// npyWriter writes an n×d matrix, C order, little-endian: float64 if a column is Int64 or Float64, else float32.
type npyWriter struct {
	path    string
	columns []Column
	wide    bool // float64
	known   bool // rows is the caller's word, and the header is written
	rows    int64
	written int64
	file    *store.Pending
	out     *bufio.Writer // over file, or over wait
	wait    *os.File      // holds the matrix until the number of rows is known; already unlinked
	row     []byte
	err     error
	ended   bool
}

func createNPY(path string, columns []Column, o Options) (Writer, error) {
	rows := o.Rows
	w := &npyWriter{path: path, columns: columns, rows: rows, known: rows > 0}
	width := 4
	for _, c := range columns {
		switch c.Type {
		case Float64, Int64:
			w.wide, width = true, 8
		case Int32, Float32, Bool:
		default:
			return nil, fault.Usagef("the output %s cannot hold column %s: an .npy file holds numbers only", path, c.Name).
				Do("write .parquet or .csv")
		}
	}
	w.row = make([]byte, width*len(columns))
	var err error
	if w.file, err = o.create(path); err != nil {
		return nil, err
	}
	if w.known {
		w.out = bufio.NewWriterSize(w.file, csvBuffer)
		_, err = w.out.Write(w.header(rows))
	} else if w.wait, err = waitingFile(path); err == nil {
		w.out = bufio.NewWriterSize(w.wait, csvBuffer)
	}
	if err != nil {
		w.Abort()
		return nil, err
	}
	return w, nil
}

// waitingFile is a file without a name: where the system allows it to be unlinked while open, not even a crash
// leaves it behind.
func waitingFile(path string) (*os.File, error) {
	folder := filepath.Dir(path)
	if object.Is(path) {
		folder = os.TempDir()
	}
	f, err := os.CreateTemp(folder, ".coterie-*.tmp")
	if err != nil {
		return nil, fault.Failedf(err, "%s: no temporary file", path).Do("choose another folder")
	}
	os.Remove(f.Name()) // fails on Windows, where close does it
	return f, nil
}

// header is an .npy header of version 1, padded so that the data begins at a multiple of 64.
func (w *npyWriter) header(rows int64) []byte {
	kind := "<f4"
	if w.wide {
		kind = "<f8"
	}
	dict := fmt.Sprintf("{'descr': '%s', 'fortran_order': False, 'shape': (%d, %d), }", kind, rows, len(w.columns))
	h := append([]byte("\x93NUMPY\x01\x00\x00\x00"), dict...)
	for (len(h)+1)%64 != 0 {
		h = append(h, ' ')
	}
	h = append(h, '\n')
	binary.LittleEndian.PutUint16(h[8:], uint16(len(h)-10))
	return h
}

func (w *npyWriter) Write(b *Batch) error {
	if w.err != nil || w.ended {
		return w.stopped()
	}
	if err := checkBatch(b, w.columns); err != nil {
		return err
	}
	cells := make([]func(i int) (float64, bool), len(b.Columns))
	for i, v := range b.Columns {
		cells[i] = w.cell(v)
	}
	for i := range b.Rows {
		row := w.row
		for j := range cells {
			v, exact := cells[j](i)
			if !exact {
				w.err = w.inexact(b, i, j)
				return w.err
			}
			if w.wide {
				binary.LittleEndian.PutUint64(row, math.Float64bits(v))
				row = row[8:]
			} else {
				binary.LittleEndian.PutUint32(row, math.Float32bits(float32(v)))
				row = row[4:]
			}
		}
		if _, err := w.out.Write(w.row); err != nil {
			w.err = store.Explain(w.path, err)
			return w.err
		}
	}
	w.written += int64(b.Rows)
	return nil
}

// cell gives the values of a column, and whether the matrix can hold them as they are.
func (w *npyWriter) cell(values any) func(i int) (float64, bool) {
	switch v := values.(type) {
	case []int32:
		return func(i int) (float64, bool) {
			f := float64(v[i])
			return f, w.wide || float64(float32(f)) == f
		}
	case []int64:
		return func(i int) (float64, bool) {
			f := float64(v[i])
			return f, f < 1<<63 && int64(f) == v[i]
		}
	case []float32:
		return func(i int) (float64, bool) { return float64(v[i]), true }
	case []float64:
		return func(i int) (float64, bool) { return v[i], true }
	}
	v := values.([]bool) // checkBatch has seen that it is
	return func(i int) (float64, bool) {
		if v[i] {
			return 1, true
		}
		return 0, true
	}
}

// inexact is the error of an integer that a float would change: an id must stay as it is.
func (w *npyWriter) inexact(b *Batch, row, column int) error {
	size := 32
	if w.wide {
		size = 64
	}
	var value any
	switch v := b.Columns[column].(type) {
	case []int32:
		value = v[row]
	case []int64:
		value = v[row]
	}
	at := fault.Place{File: w.path, Row: w.written + int64(row), Column: w.columns[column].Name}
	return fault.Inputf(at, "the integer %d does not fit a float%d", value, size).Do("write .parquet or .csv")
}

func (w *npyWriter) stopped() error {
	if w.err != nil {
		return w.err
	}
	return errEnded
}

func (w *npyWriter) Commit() error {
	if w.ended {
		return w.stopped()
	}
	if w.err == nil {
		w.err = w.finish()
	}
	if w.err != nil {
		w.Abort()
		return w.err
	}
	w.close()
	return w.file.Commit()
}

// finish writes what is still missing under the pending name.
func (w *npyWriter) finish() error {
	if err := w.out.Flush(); err != nil {
		return store.Explain(w.path, err)
	}
	if w.known {
		if w.written != w.rows {
			return fmt.Errorf("table: %s: %d rows written of %d announced", w.path, w.written, w.rows)
		}
		return nil
	}
	if _, err := w.file.Write(w.header(w.written)); err != nil {
		return err
	}
	if _, err := w.wait.Seek(0, io.SeekStart); err != nil {
		return fault.Failedf(err, "%s: the temporary file cannot be read", w.path)
	}
	_, err := io.CopyBuffer(struct{ io.Writer }{w.file}, struct{ io.Reader }{w.wait}, make([]byte, csvBuffer))
	return store.Explain(w.path, err)
}

func (w *npyWriter) close() {
	w.ended = true
	if w.wait != nil {
		w.wait.Close()
		os.Remove(w.wait.Name())
		w.wait = nil
	}
}

func (w *npyWriter) Abort() error {
	w.close()
	w.file.Abort()
	return nil
}
