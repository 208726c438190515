package worker

import (
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// label labels partitions and hands them to the sink, in order. Rows that are not held are read for it and forgotten.
func (e *Engine) label(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	if err := e.ensureForLabels(ctx, t); err != nil {
		return nil, err
	}
	if t.Transform != nil {
		if err := e.learnDropped(ctx, t); err != nil {
			return nil, err
		}
	}
	whole := &wire.Partial{}
	for _, id := range t.Partitions {
		p, labels, err := e.labelOne(ctx, t, id)
		if err != nil {
			return nil, err
		}
		if p.Fault == nil {
			// The thread is free for others while this waits for its turn to be written.
			if err := e.config.Labels.Put(ctx, labels); err != nil {
				return nil, err
			}
			e.written.Put(labels)
		}
		whole.Merge(p)
	}
	return whole, nil
}

// ensureForLabels is ensure for tasks that run side by side: only who has something to load waits for the others.
func (e *Engine) ensureForLabels(ctx context.Context, t *wire.Task) error {
	if t.Reload == nil || len(e.notHeld(t.Partitions)) == 0 {
		return nil
	}
	e.pass.Lock()
	defer e.pass.Unlock()
	return e.ensure(ctx, t)
}

func (e *Engine) labelOne(ctx context.Context, t *wire.Task, id int) (*wire.Partial, *Labels, error) {
	held := t.Transform == nil
	knows := held && !t.Detail
	if held {
		// Another pass would change the labels. The pass comes before the token: who loads rows has it and waits for tokens.
		e.pass.RLock()
		defer e.pass.RUnlock()
	}
	if !e.acquire(ctx) {
		return nil, nil, ctx.Err()
	}
	defer e.release()
	h, p, err := e.rowsToLabel(ctx, t, id)
	if err != nil || p.Fault != nil {
		return p, nil, err
	}
	if t.Transform == nil && e.config.Read != nil {
		e.config.Read(int64(h.points.Rows()))
	}
	var already *known
	if knows {
		already = e.knownLabels(t.Centroids, h)
	}
	labels, err := e.labelRows(ctx, t, h, p, already)
	return p, labels, err
}

// known are the labels of a holding's rows as a pass has left them.
type known struct {
	*kmeans.Labelled
	track *kmeans.Track
}

// knownLabels finds the labels that the last pass of a run, to these very centroids, has left; nil where there are none, or
// where they are those of kinds of rows. The caller holds the pass.
func (e *Engine) knownLabels(c *kmeans.Centroids, h *holding) *known {
	if h.folded != nil {
		return nil
	}
	for _, o := range e.cohorts {
		if !slices.Contains(o.ids, h.id) || h.tracks[o.run] == nil {
			continue
		}
		if l := o.tracker.Labelled(c); l != nil {
			return &known{l, h.tracks[o.run].Track}
		}
	}
	return nil
}

// rowsToLabel finds the partition in memory, or reads it.
func (e *Engine) rowsToLabel(ctx context.Context, t *wire.Task, id int) (*holding, *wire.Partial, error) {
	if t.Transform == nil {
		list, err := e.holdings([]int{id})
		if err != nil {
			return nil, nil, err
		}
		return list[0], &wire.Partial{}, nil
	}
	want := wants{features: true, weight: true, ids: true}
	k, err := newIntake(e.config.Source, t.Input, e.config.Manifest.Partitions[id], e.leftOut(t, id), want)
	if err != nil {
		return nil, nil, err
	}
	points, h, err := e.points(ctx, t, k, true)
	if err != nil || k.partial.Fault != nil {
		return nil, k.partial, err
	}
	held := &holding{id: id, points: points}
	if h != nil {
		e.handIn(t, id, h, k.partial)
		held.ids = h.ids
	}
	return held, k.partial, nil
}

// labelRows labels a holding's rows: those whose labels are known need their distance only. Where a fit has not counted them
// already, it adds their counts and inertia to p.
func (e *Engine) labelRows(ctx context.Context, t *wire.Task, h *holding, p *wire.Partial, known *known) (*Labels, error) {
	l, err := e.newLabels(t, h)
	if err != nil {
		return nil, err
	}
	r := &labelling{task: t, labels: l, partial: p, known: known, assigner: kmeans.NewAssigner(t.Centroids), counting: t.Transform != nil}
	if r.counting {
		p.Inertia = new(exact.Bins)
		p.Sums = &kmeans.Sums{K: t.Centroids.K, D: 0, Counts: make([]int64, t.Centroids.K)}
	}
	return l, e.eachChunk(ctx, h, r.rows)
}

// labelling is the labels of a holding on their way.
type labelling struct {
	task     *wire.Task
	labels   *Labels
	partial  *wire.Partial
	known    *known
	assigner *kmeans.Assigner
	counting bool
	scratch  kmeans.Scratch
}

// rows labels Points that begin at row at of the holding.
func (r *labelling) rows(points *kmeans.Points, at int) {
	l, s, cosine := r.labels, &r.scratch, r.task.Input.Spec.Normalize
	var track *kmeans.Track
	if r.known != nil {
		track = r.known.track.Part(at, at+points.Rows())
	}
	for lo := 0; lo < points.Rows(); lo += kmeans.SpanRows {
		hi := min(lo+kmeans.SpanRows, points.Rows())
		var index, second []int32
		var squared, secondSquared []float32
		switch {
		case r.task.Detail:
			index, second, squared, secondSquared = r.assigner.TwoNearest(points, lo, hi, s)
			copy(l.Second[at+lo:], second)
			distances(l.SecondDistance[at+lo:at+hi], secondSquared, cosine)
		case track != nil:
			index, squared = r.known.Nearest(points, lo, hi, track, s)
		default:
			index, squared = r.assigner.Nearest(points, lo, hi, s)
		}
		copy(l.Segment[at+lo:], index)
		distances(l.Distance[at+lo:at+hi], squared, cosine)
		if r.counting {
			count(r.partial, points, lo, index, squared)
		}
	}
	if l.IDs != nil {
		return
	}
	for i := range points.Rows() {
		l.RowNumbers[at+i] = points.RowNumber(i)
	}
}

// count adds the counts and the inertia of rows lo, lo+1, ….
func count(p *wire.Partial, points *kmeans.Points, lo int, index []int32, squared []float32) {
	for _, j := range index {
		p.Sums.Counts[j]++
	}
	if !points.Weighted() {
		p.Inertia.AddSlice(squared)
		return
	}
	for i, d := range squared {
		p.Inertia.AddWeighted(d, points.Weight(lo+i))
	}
}

// newLabels makes Labels for a holding, with its ids or row numbers. It takes the memory of some that have been written, which
// have the same columns: those of the job.
func (e *Engine) newLabels(t *wire.Task, h *holding) (*Labels, error) {
	n := h.points.Rows()
	ids, err := e.idsOf(h)
	if err != nil {
		return nil, err
	}
	l, _ := e.written.Get().(*Labels)
	if l == nil {
		l = new(Labels)
	}
	l.Partition, l.Rows, l.IDs, l.Integers = h.id, n, ids, t.Integers
	l.Segment, l.Distance = sized(l.Segment, n), sized(l.Distance, n)
	if ids == nil {
		l.RowNumbers = sized(l.RowNumbers, n)
	}
	if t.Detail {
		l.Second, l.SecondDistance = sized(l.Second, n), sized(l.SecondDistance, n)
	}
	return l, nil
}

// sized is b with length n, not nil; what it holds is unspecified.
func sized[T any](b []T, n int) []T {
	if b == nil {
		return make([]T, n)
	}
	return slices.Grow(b[:0], n)[:n]
}

// distances makes what is written of squared distances: the root, or under cosine 1 − cos, which is half the squared
// distance of unit vectors.
func distances(dst, squared []float32, cosine bool) {
	dst = dst[:len(squared)]
	if cosine {
		for i, v := range squared {
			dst[i] = v / 2
		}
		return
	}
	for i, v := range squared {
		dst[i] = float32(math.Sqrt(float64(v)))
	}
}

// folder makes the folder of the labels ready, or lets them appear.
func (e *Engine) folder(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	f, ok := e.config.Labels.(labelFolder)
	if !ok {
		return nil, fmt.Errorf("worker: task %q for labels that are no folder", t.Kind)
	}
	if t.Kind == wire.Prepare {
		return &wire.Partial{}, f.Prepare(ctx)
	}
	return &wire.Partial{}, f.Commit(ctx)
}
