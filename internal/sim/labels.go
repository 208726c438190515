package sim

import (
	"context"
	"errors"
	"math"
	"strconv"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/worker"
)

// labelled is all that is written of a row, apart from its key.
type labelled struct {
	segment, second          int32
	distance, secondDistance uint32 // their bits
	detail                   bool   // with the second nearest
	ids                      bool   // the key is an id; otherwise it is a row number
	integers                 bool   // every id of the job is an integer
}

var errShape = errors.New("the columns of its labels do not have the same length")

// eachLabel visits the rows of a batch under their keys, which are valid until the next.
func eachLabel(b *worker.Labels, visit func(key []byte, l labelled)) error {
	keys := len(b.RowNumbers)
	if b.IDs != nil {
		keys = b.IDs.Len()
	}
	detail := b.Second != nil
	if keys != b.Rows || len(b.Segment) != b.Rows || len(b.Distance) != b.Rows || detail && (len(b.Second) != b.Rows || len(b.SecondDistance) != b.Rows) {
		return errShape
	}
	var key []byte
	for i := range b.Rows {
		if b.IDs != nil {
			key = b.IDs.AppendTo(key[:0], i)
		} else {
			key = strconv.AppendInt(key[:0], b.RowNumbers[i], 10)
		}
		l := labelled{segment: b.Segment[i], distance: math.Float32bits(b.Distance[i]), ids: b.IDs != nil, integers: b.Integers, detail: detail}
		if detail {
			l.second, l.secondDistance = b.Second[i], math.Float32bits(b.SecondDistance[i])
		}
		visit(key, l)
	}
	return nil
}

// labels is where labels are written: it outlives workers and coordinators. Each label is held against the twin's as it
// comes, so that a wrong one has no chance to be overwritten by a right one.
type labels struct {
	w         *world
	rows      map[string]int // by key: the partition that it stands in
	parts     map[int]bool
	prepared  bool
	committed int // how often
}

// put takes the labels of a partition.
func (l *labels) put(partition int, batch *worker.Labels) {
	w := l.w
	if w.script.Job.Parts && !l.prepared {
		w.breaks("I2: partition %d is written before the folder was made ready", partition)
	}
	err := eachLabel(batch, func(key []byte, got labelled) {
		want, there := w.twin.labels[string(key)]
		if w.twin.fault == "" && (!there || got != want) {
			w.breaks("I1: row %s has the label %+v, the twin's is %+v (it has one: %t)", key, got, want, there)
		}
		if other, written := l.rows[string(key)]; !written {
			l.rows[string(key)] = partition
		} else if other != partition && w.twin.fault == "" {
			w.breaks("I2: row %s is written in the partitions %d and %d", key, other, partition)
		}
	})
	if err != nil {
		w.breaks("I1: partition %d: %v", partition, err)
	}
	l.parts[partition] = true
}

// verify holds what is there at the end against the twin.
func (l *labels) verify() {
	if !l.w.script.Job.labels() {
		return
	}
	if got, want := len(l.rows), len(l.w.twin.labels); got != want {
		l.w.breaks("I1: %d rows have labels, want %d", got, want)
	}
	if l.w.script.Job.Parts && l.committed == 0 {
		l.w.breaks("I2: the job is over, and its parts never appeared")
	}
}

// sink is how a worker comes to the place of labels.
type sink struct{ n *simWorker }

// writes is asked before each writing.
func (s sink) writes(ctx context.Context) error {
	n := s.n
	if n.w.now < n.unwritten {
		n.w.unwritten++
		n.w.note("labels not written", n.boot)
		return fault.Failedf(nil, "labels cannot be written: %s", injectedError)
	}
	return ctx.Err()
}

// Put implements worker.LabelSink. While the labels are being written the worker goes on with the next ones: whoever lends
// their memory to these too early is found out.
func (s sink) Put(ctx context.Context, batch *worker.Labels) error {
	if err := s.writes(ctx); err != nil {
		return err
	}
	partition := batch.Partition
	s.n.besides()
	s.n.w.labels.put(partition, batch)
	return nil
}

// Prepare makes the folder ready.
func (s sink) Prepare(ctx context.Context) error {
	if err := s.writes(ctx); err != nil {
		return err
	}
	s.n.w.labels.prepared = true
	return nil
}

// Commit lets the parts appear.
func (s sink) Commit(ctx context.Context) error {
	if err := s.writes(ctx); err != nil {
		return err
	}
	l := &s.n.w.labels
	if len(l.parts) != l.w.script.Partitions {
		l.w.breaks("I2: %d of %d parts are there when they are to appear", len(l.parts), l.w.script.Partitions)
	}
	l.committed++
	return nil
}
