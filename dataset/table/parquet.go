package table

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/parquet-go/parquet-go/format"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/store"
)

// Sizes of row groups and pages. They depend on the columns and the rows alone, so that the file does too.
const (
	maxGroupRows  = 1 << 20
	minGroupRows  = 1 << 13
	maxGroupBytes = 64 << 20  // of fixed-width columns: wide tables get fewer rows in a group
	maxGroupText  = 128 << 20 // after which a group ends early
	groupStep     = 1 << 13   // rows between two looks at the text's size
	pageRows      = 1 << 16
	pageText      = 1 << 20
)

// encoders is how many columns of a row group are encoded at a time.
const encoders = 2

// parquetWriter gathers a row group while the one before is encoded and written in the background.
type parquetWriter struct {
	file      *store.Pending
	columns   []Column
	groupRows int
	filling   *rowGroup
	spare     *rowGroup
	busy      chan error // the background's result; nil if nothing is under way
	footer    footer
	offset    int64 // bytes written; owned by the background while it is under way
	err       error // sticks
	ended     bool
}

// rowGroup holds the rows of a group column by column.
type rowGroup struct {
	rows    int
	text    int // bytes of text
	columns []columnData
	chunks  []chunk // encoded; the memory is used again
}

// columnData is one column's values; its Type says which slice is in use.
type columnData struct {
	i32  []int32
	i64  []int64
	f32  []float32
	f64  []float64
	bits []bool
	text dataset.Strings
}

func createParquet(path string, columns []Column, o Options) (Writer, error) {
	file, err := o.create(path)
	if err != nil {
		return nil, err
	}
	w := &parquetWriter{file: file, columns: columns, groupRows: groupRows(columns, o.GroupBytes)}
	w.filling, w.spare = newRowGroup(len(columns)), newRowGroup(len(columns))
	if err := w.append([]byte(parquetMagic)); err != nil {
		file.Abort()
		return nil, err
	}
	return w, nil
}

func newRowGroup(columns int) *rowGroup {
	g := &rowGroup{columns: make([]columnData, columns), chunks: make([]chunk, columns)}
	for i := range g.columns {
		g.columns[i].text.Offsets = []int{0}
	}
	return g
}

// groupRows is the number of rows in a full row group: a power of two.
func groupRows(columns []Column, most int) int {
	if most <= 0 || most > maxGroupBytes {
		most = maxGroupBytes
	}
	width := 0
	for _, c := range columns {
		switch c.Type {
		case Int32, Float32, Date:
			width += 4
		case Bool:
			width++
		default:
			width += 8
		}
	}
	rows := maxGroupRows
	for rows > minGroupRows && rows*width > most {
		rows /= 2
	}
	return rows
}

func (w *parquetWriter) Write(b *Batch) error {
	if w.err != nil || w.ended {
		return w.stopped()
	}
	if err := checkBatch(b, w.columns); err != nil {
		return err
	}
	for row := 0; row < b.Rows; {
		g := w.filling
		g.reserve(w.columns, min(b.Rows-row, w.groupRows-g.rows))
		n := min(b.Rows-row, groupStep-g.rows%groupStep)
		for i := range w.columns {
			if err := g.columns[i].add(b.Columns[i], row, row+n, &w.columns[i]); err != nil {
				return w.fail(err)
			}
		}
		row += n
		g.rows += n
		if g.rows%groupStep == 0 && (g.rows == w.groupRows || g.textBytes() >= maxGroupText) {
			if err := w.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *parquetWriter) stopped() error {
	if w.err != nil {
		return w.err
	}
	return errEnded
}

func (w *parquetWriter) fail(err error) error {
	if w.err == nil {
		w.err = err
	}
	return w.err
}

func (g *rowGroup) textBytes() int {
	n := 0
	for i := range g.columns {
		n += len(g.columns[i].text.Data)
	}
	return n
}

// reserve makes room for n more rows at once, where they have a fixed width.
func (g *rowGroup) reserve(columns []Column, n int) {
	for i := range columns {
		d := &g.columns[i]
		switch columns[i].Type {
		case Int32, Date:
			d.i32 = slices.Grow(d.i32, n)
		case Int64, Time:
			d.i64 = slices.Grow(d.i64, n)
		case Float32:
			d.f32 = slices.Grow(d.f32, n)
		case Float64:
			d.f64 = slices.Grow(d.f64, n)
		}
	}
}

// add copies rows [from, to) of a Batch's column.
func (d *columnData) add(values any, from, to int, c *Column) error {
	switch v := values.(type) {
	case []int32:
		d.i32 = append(d.i32, v[from:to]...)
		return refuse(v[from:to], NoDate, c.Type == Date && !c.Nullable, c.Name)
	case []int64:
		d.i64 = append(d.i64, v[from:to]...)
		return refuse(v[from:to], NoTime, c.Type == Time && !c.Nullable, c.Name)
	case []float32:
		d.f32 = append(d.f32, v[from:to]...)
	case []float64:
		d.f64 = append(d.f64, v[from:to]...)
	case []bool:
		d.bits = append(d.bits, v[from:to]...)
	case []string:
		for _, s := range v[from:to] {
			d.text.Data = append(d.text.Data, s...)
			d.text.Offsets = append(d.text.Offsets, len(d.text.Data))
		}
	case dataset.Strings:
		shift := len(d.text.Data) - v.Offsets[from]
		d.text.Data = append(d.text.Data, v.Data[v.Offsets[from]:v.Offsets[to]]...)
		for _, end := range v.Offsets[from+1 : to+1] {
			d.text.Offsets = append(d.text.Offsets, end+shift)
		}
	}
	return nil
}

func refuse[T int32 | int64](values []T, missing T, check bool, name string) error {
	if check {
		for _, v := range values {
			if v == missing {
				return fmt.Errorf("table: a missing value in column %s, which is not nullable", name)
			}
		}
	}
	return nil
}

func (g *rowGroup) reset() {
	g.rows = 0
	for i := range g.columns {
		d := &g.columns[i]
		d.i32, d.i64, d.f32, d.f64, d.bits = d.i32[:0], d.i64[:0], d.f32[:0], d.f64[:0], d.bits[:0]
		d.text.Data, d.text.Offsets = d.text.Data[:0], d.text.Offsets[:1]
	}
}

// flush waits for the row group before and starts on this one.
func (w *parquetWriter) flush() error {
	if err := w.wait(); err != nil {
		return err
	}
	g := w.filling
	w.filling, w.spare = w.spare, g
	w.filling.reset()
	w.busy = make(chan error, 1)
	go func() { w.busy <- w.writeGroup(g) }()
	return nil
}

func (w *parquetWriter) wait() error {
	if w.busy != nil {
		if err := <-w.busy; err != nil {
			w.fail(err)
		}
		w.busy = nil
	}
	return w.err
}

// writeGroup encodes the columns, several at a time, and writes them in order.
func (w *parquetWriter) writeGroup(g *rowGroup) error {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(encoders, len(w.columns)) {
		all.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(w.columns); i = int(next.Add(1)) - 1 {
				g.chunks[i].encode(&g.columns[i], &w.columns[i], g.rows)
			}
		})
	}
	all.Wait()
	offsets := make([]int64, len(w.columns))
	for i := range g.chunks {
		offsets[i] = w.offset
		if err := w.append(g.chunks[i].bytes); err != nil {
			return err
		}
		if err := g.chunks[i].err; err != nil {
			return err
		}
	}
	w.footer.add(g, w.columns, offsets)
	return nil
}

func (w *parquetWriter) append(b []byte) error {
	n, err := w.file.Write(b)
	w.offset += int64(n)
	return err
}

func (w *parquetWriter) tag(key, value string) {
	w.footer.tags = append(w.footer.tags, format.KeyValue{Key: key, Value: value})
}

func (w *parquetWriter) Commit() error {
	if w.ended {
		return w.stopped()
	}
	if w.err == nil && w.filling.rows > 0 {
		w.flush() // its error sticks
	}
	w.wait()
	w.ended = true
	if w.err == nil {
		tail, err := w.footer.encode(w.columns, w.offset)
		if err == nil {
			err = w.append(tail)
		}
		w.err = err
	}
	w.filling, w.spare = nil, nil
	if w.err != nil {
		w.file.Abort()
		return w.err
	}
	return w.file.Commit()
}

func (w *parquetWriter) Abort() error {
	w.wait() // the background still writes into the file
	w.ended = true
	w.filling, w.spare = nil, nil
	w.file.Abort()
	return nil
}
