package pipeline

import (
	"context"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/worker"
)

// between is the part of ascending numbers in [lo,hi).
func between(numbers []int64, lo, hi int64) []int64 {
	from, _ := slices.BinarySearch(numbers, lo)
	to, _ := slices.BinarySearch(numbers, hi)
	return numbers[from:to]
}

// idKind is what is known of the ids when the first of them are written.
type idKind int

const (
	rowNumbers idKind = iota // there is no id column
	textIDs                  // written as text; in CSV integers look the same
	knownIDs                 // all ids were handed to the exchange before
)

// labelFile writes labels in row order, whatever order they come in. It implements worker.LabelSink.
type labelFile struct {
	path     string
	exchange *exchange
	ids      idKind
	detail   bool

	mu     sync.Mutex
	turn   *sync.Cond
	next   int // partition whose turn it is
	writer table.Writer
	rows   int64
	err    error
}

func newLabelFile(path string, x *exchange, ids idKind, detail bool) *labelFile {
	f := &labelFile{path: path, exchange: x, detail: detail, ids: ids}
	f.turn = sync.NewCond(&f.mu)
	return f
}

// Put implements worker.LabelSink: it waits until the partitions before have been written, and writes. A partition
// that was written already is not written again.
func (f *labelFile) Put(ctx context.Context, l *worker.Labels) error {
	stop := context.AfterFunc(ctx, func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.turn.Broadcast()
	})
	defer stop()
	f.mu.Lock()
	defer f.mu.Unlock()
	for f.next < l.Partition && f.err == nil && ctx.Err() == nil {
		f.turn.Wait()
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case f.err != nil || l.Partition < f.next:
		return f.err
	}
	f.err = f.write(l)
	f.next++
	f.turn.Broadcast()
	return f.err
}

func (f *labelFile) write(l *worker.Labels) error {
	if f.writer == nil {
		if err := f.create(); err != nil {
			return err
		}
	}
	f.rows += int64(l.Rows)
	batch := &table.Batch{Rows: l.Rows, Columns: []any{f.idColumn(l), l.Segment, l.Distance}}
	if f.detail {
		batch.Columns = append(batch.Columns, l.Second, l.SecondDistance)
	}
	return f.writer.Write(batch)
}

// integers says whether ids are written as integers.
func (f *labelFile) integers() bool {
	return f.ids == rowNumbers || f.ids == knownIDs && f.exchange.Integers()
}

// create opens the file.
func (f *labelFile) create() error {
	id := table.Column{Name: "id", Type: table.Int64}
	if !f.integers() {
		id.Type = table.Text
	}
	columns := []table.Column{id, {Name: "segment", Type: table.Int32}, {Name: "distance", Type: table.Float32}}
	if f.detail {
		columns = append(columns, table.Column{Name: "second_segment", Type: table.Int32},
			table.Column{Name: "second_distance", Type: table.Float32})
	}
	writer, err := table.Create(f.path, columns, table.Options{})
	f.writer = writer
	return err
}

func (f *labelFile) idColumn(l *worker.Labels) any {
	if f.ids == rowNumbers {
		return l.RowNumbers
	}
	if f.integers() {
		integers, _ := l.IDs.Integers()
		return integers
	}
	text := dataset.Strings{Offsets: make([]int, 1, l.Rows+1)}
	for i := range l.Rows {
		text.Data = l.IDs.AppendTo(text.Data, i)
		text.Offsets = append(text.Offsets, len(text.Data))
	}
	return text
}

// Commit makes the file appear. Without rows it has the header alone.
func (f *labelFile) Commit() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer == nil && f.err == nil {
		f.err = f.create()
	}
	if f.err != nil {
		return f.err
	}
	return f.writer.Commit()
}

// Abort leaves nothing behind; after Commit it does nothing.
func (f *labelFile) Abort() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer != nil {
		f.writer.Abort()
	}
}
