package table

import (
	"io"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table/decimal"
	"github.com/coterie-project/coterie/internal/store"
)

// csvWriter formats rows in the caller's goroutine and hands full buffers to another one, which compresses and
// writes them.
type csvWriter struct {
	columns []Column
	alone   bool // there is one column
	buffer  []byte
	sink    *sink
}

const (
	csvBuffer = 256 << 10
	csvStep   = 512 // rows formatted between two looks at the buffer's length
)

func createCSV(path string, columns []Column, pack packing, o Options) (Writer, error) {
	s, err := newSink(path, pack, o)
	if err != nil {
		return nil, err
	}
	w := &csvWriter{columns: columns, alone: len(columns) == 1, sink: s, buffer: s.fresh()}
	for i := range columns {
		if i > 0 {
			w.buffer = append(w.buffer, ',')
		}
		w.buffer = appendCell(w.buffer, columns[i].Name, w.alone)
	}
	w.buffer = append(w.buffer, '\n')
	return w, nil
}

func (w *csvWriter) Write(b *Batch) error {
	if w.sink.ended {
		return errEnded
	}
	if err := checkBatch(b, w.columns); err != nil {
		return err
	}
	cells := make([]appender, len(b.Columns))
	for i, v := range b.Columns {
		cells[i] = w.appender(v, w.columns[i].Type)
	}
	for row := 0; row < b.Rows; {
		for end := min(row+csvStep, b.Rows); row < end; row++ {
			for i := range cells {
				if i > 0 {
					w.buffer = append(w.buffer, ',')
				}
				w.buffer = cells[i](w.buffer, row)
			}
			w.buffer = append(w.buffer, '\n')
		}
		if len(w.buffer) >= csvBuffer {
			if err := w.sink.send(w.buffer); err != nil {
				return err
			}
			w.buffer = w.sink.fresh()
		}
	}
	return nil
}

// appender appends the cell of a row.
type appender func(dst []byte, row int) []byte

func (w *csvWriter) appender(values any, t Type) appender {
	switch v := values.(type) {
	case []int32:
		if t == Date {
			return func(dst []byte, i int) []byte {
				if v[i] == NoDate {
					return appendCell(dst, "", w.alone)
				}
				return decimal.AppendDate(dst, int64(v[i]))
			}
		}
		return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, int64(v[i]), 10) }
	case []int64:
		if t == Time {
			return func(dst []byte, i int) []byte {
				if v[i] == NoTime {
					return appendCell(dst, "", w.alone)
				}
				return decimal.AppendTime(dst, v[i])
			}
		}
		return func(dst []byte, i int) []byte { return strconv.AppendInt(dst, v[i], 10) }
	case []float32:
		return func(dst []byte, i int) []byte { return w.appendFloat(dst, float64(v[i]), 32) }
	case []float64:
		return func(dst []byte, i int) []byte { return w.appendFloat(dst, v[i], 64) }
	case []bool:
		return func(dst []byte, i int) []byte { return strconv.AppendBool(dst, v[i]) }
	case []string:
		return func(dst []byte, i int) []byte { return appendCell(dst, v[i], w.alone) }
	}
	text := values.(dataset.Strings) // checkBatch has seen that it is
	return func(dst []byte, i int) []byte { return appendCell(dst, text.At(i), w.alone) }
}

func (w *csvWriter) appendFloat(dst []byte, v float64, size int) []byte {
	if v != v {
		return appendCell(dst, "", w.alone)
	}
	return decimal.AppendFloat(dst, v, size)
}

// appendCell quotes a cell where RFC 4180 asks for it, where a leading space could be trimmed by a reader, and
// where an empty cell would make an empty line, which readers pass over.
func appendCell[T string | []byte](dst []byte, cell T, alone bool) []byte {
	if len(cell) == 0 {
		if alone {
			return append(dst, `""`...)
		}
		return dst
	}
	if cell[0] != ' ' && !needsQuotes(cell) {
		return append(dst, cell...)
	}
	dst = append(dst, '"')
	for i := range len(cell) {
		if cell[i] == '"' {
			dst = append(dst, '"')
		}
		dst = append(dst, cell[i])
	}
	return append(dst, '"')
}

func needsQuotes[T string | []byte](cell T) bool {
	for i := range len(cell) {
		if b := cell[i]; b == ',' || b == '"' || b == '\n' || b == '\r' {
			return true
		}
	}
	return false
}

func (w *csvWriter) Commit() error {
	if err := w.sink.send(w.buffer); err != nil {
		return err
	}
	return w.sink.commit()
}

func (w *csvWriter) Abort() error { w.sink.abort(); return nil }

// sink compresses and writes buffers in a goroutine of its own, in the order in which they come.
type sink struct {
	file   *store.Pending
	full   chan []byte
	empty  chan []byte
	done   chan struct{} // closed when the goroutine has ended
	broken chan struct{} // closed when writing has failed; err is set before
	err    error
	ended  bool
}

// sinkBuffers is how many buffers go round: one is filled, one compressed, one waits.
const sinkBuffers = 3

func newSink(path string, pack packing, o Options) (*sink, error) {
	file, err := o.create(path)
	if err != nil {
		return nil, err
	}
	out, err := pack.open(file)
	if err != nil {
		file.Abort()
		return nil, err
	}
	s := &sink{file: file, full: make(chan []byte), empty: make(chan []byte, sinkBuffers),
		done: make(chan struct{}), broken: make(chan struct{})}
	for range sinkBuffers {
		s.empty <- make([]byte, 0, csvBuffer+csvBuffer/4)
	}
	go s.run(out)
	return s, nil
}

func (s *sink) run(out io.WriteCloser) {
	defer close(s.done)
	for b := range s.full {
		if _, err := out.Write(b); err != nil {
			s.err = err
			close(s.broken)
			out.Close() // frees the encoder; what it still writes fails and is dropped
			return
		}
		s.empty <- b[:0]
	}
	if err := out.Close(); err != nil {
		s.err = err
		close(s.broken)
	}
}

// fresh is an empty buffer. There is one: send has given one away.
func (s *sink) fresh() []byte {
	select {
	case b := <-s.empty:
		return b
	case <-s.broken:
		return make([]byte, 0, csvBuffer)
	}
}

func (s *sink) send(b []byte) error {
	if s.ended {
		return errEnded
	}
	select {
	case s.full <- b:
		return nil
	case <-s.broken:
		return s.err
	}
}

// end waits for the goroutine.
func (s *sink) end() error {
	if !s.ended {
		s.ended = true
		close(s.full)
		<-s.done
	}
	return s.err
}

func (s *sink) commit() error {
	if err := s.end(); err != nil {
		s.file.Abort()
		return err
	}
	return s.file.Commit()
}

func (s *sink) abort() {
	s.end()
	s.file.Abort()
}
