package pipeline

import (
	"context"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/worker"
)

// labelFile writes labels in row order, whatever order they come in. It implements worker.LabelSink.
type labelFile struct {
	path    string
	columns worker.LabelTable

	mu     sync.Mutex
	turn   *sync.Cond
	next   int // partition whose turn it is
	writer table.Writer
	rows   int64
	err    error
}

// newLabelFile makes the file at path. ids says that there is an id column; else row numbers are the ids.
func newLabelFile(path string, ids, detail bool) *labelFile {
	f := &labelFile{path: path, columns: worker.LabelTable{RowNumbers: !ids, Detail: detail}}
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
		if err := f.create(l.Integers); err != nil {
			return err
		}
	}
	f.rows += int64(l.Rows)
	batch, err := f.columns.Batch(l)
	if err != nil {
		return err
	}
	return f.writer.Write(batch)
}

// create opens the file.
func (f *labelFile) create(integers bool) error {
	writer, err := table.Create(f.path, f.columns.Columns(integers), table.Options{})
	f.writer = writer
	return err
}

// modelTag is what labels say of their model, where their format has a place for it: its digest.
const modelTag = "coterie.model"

// ofThisModel holds that labels are not of another model than m, where they say whose they are.
func ofThisModel(labels dataset.Source, path string, m *model.Model, whose string) error {
	if tag := dataset.TagOf(labels, modelTag); m != nil && tag != "" && tag != m.Digest() {
		return fault.Inputf(fault.In(path), "these labels are of another model than %s: its digest is %.12s…, theirs %.12s…", whose, m.Digest(), tag).
			Do("give the model that they were written with")
	}
	return nil
}

// Commit makes the file appear, with the model that the labels are of (nil: it is not said), if it has as many rows as the job has labelled: on a
// cluster they have come over a network, from workers that also do the counting. Without rows it has the header alone.
func (f *labelFile) Commit(rows int64, m *model.Model) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.writer == nil && f.err == nil {
		f.err = f.create(false)
	}
	if f.err == nil && f.rows != rows {
		f.err = fault.Failedf(nil, "labels of %d rows have come where %d rows were labelled", f.rows, rows)
	}
	if f.err != nil {
		return f.err
	}
	if m != nil {
		table.Tag(f.writer, modelTag, m.Digest())
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
