package sim

import (
	"context"

	"github.com/coterie-project/coterie/worker"
)

// labels is where labels are written: it outlives workers and coordinators. Each label is held against the twin's as it
// comes, so that a wrong one has no chance to be overwritten by a right one.
type labels struct {
	w         *world
	rows      map[int64]uint64
	parts     map[int]bool
	prepared  bool
	committed int // how often
}

// Put implements worker.LabelSink.
func (l *labels) Put(ctx context.Context, batch *worker.Labels) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	w := l.w
	if w.script.Job.Parts && !l.prepared {
		w.breaks("I2: partition %d is written before the folder was made ready", batch.Partition)
	}
	for i, row := range batch.RowNumbers {
		got := label(batch.Segment[i], batch.Distance[i])
		want, there := w.twin.labels[row]
		if w.twin.fault == "" && (!there || got != want) {
			w.breaks("I1: row %d has the label %x, the twin's is %x", row, got, want)
		}
		l.rows[row] = got
	}
	l.parts[batch.Partition] = true
	return nil
}

// Prepare makes the folder ready.
func (l *labels) Prepare(context.Context) error {
	l.prepared = true
	return nil
}

// Commit lets the parts appear.
func (l *labels) Commit(context.Context) error {
	if len(l.parts) != l.w.script.Partitions {
		l.w.breaks("I2: %d of %d parts are there when they are to appear", len(l.parts), l.w.script.Partitions)
	}
	l.committed++
	return nil
}

// verify holds what is there at the end against the twin.
func (l *labels) verify() {
	if !l.w.script.Job.Labels && !l.w.script.Job.Assign {
		return
	}
	if got, want := len(l.rows), len(l.w.twin.labels); got != want {
		l.w.breaks("I1: %d rows have labels, want %d", got, want)
	}
	if l.w.script.Job.Parts && l.committed == 0 {
		l.w.breaks("I2: the job is over, and its parts never appeared")
	}
}
