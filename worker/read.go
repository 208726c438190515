package worker

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// read does the rounds that read rows: partition by partition, each on one thread. A fault in one row does not stop
// the partitions before it, so that the lowest row is the one reported.
func (e *Engine) read(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed error
		whole  = &wire.Partial{}
		lowest atomic.Int64 // partitions above this are not worth reading any more
	)
	if err := e.learnDropped(ctx, t); err != nil {
		return nil, err
	}
	lowest.Store(int64(len(e.config.Manifest.Partitions)))
	if t.Kind == wire.Load {
		e.dissolve(t.Partitions) // what is loaded again has no labels
	}
	if t.Kind == wire.Load || t.Kind == wire.Statistics {
		if err := e.divide(t); err != nil {
			return nil, err
		}
	}
	e.place(t.Partitions)
	seats := make(chan struct{}, e.seats(t))
	for _, id := range t.Partitions {
		seats <- struct{}{}
		if !e.acquire(ctx) {
			break
		}
		wait.Go(func() {
			defer func() { <-seats }()
			defer e.release()
			if int64(id) > lowest.Load() {
				return
			}
			var p *wire.Partial
			var err error
			e.nodeOf(id).Run(func() { p, err = e.readOne(ctx, t, id) }) // who writes rows first decides where they lie
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				if failed == nil {
					failed = err // of several threads that meet the same, one says it
				}
				lowest.Store(-1)
				return
			}
			if p.Fault != nil {
				lowest.Store(min(lowest.Load(), int64(id)))
			}
			if digest, ok := digestOf(p); ok {
				p.Digests = map[int]uint64{id: digest}
			}
			whole.Merge(p)
		})
	}
	wait.Wait()
	return whole, errors.Join(failed, ctx.Err())
}

// acquire takes a computing thread; false means that the context has ended.
func (e *Engine) acquire(ctx context.Context) bool {
	select {
	case e.tokens <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

func (e *Engine) release() { <-e.tokens }

// readOne reads one partition for a round.
func (e *Engine) readOne(ctx context.Context, t *wire.Task, id int) (*wire.Partial, error) {
	in := t.Input
	duplicates := in.ID != "" && in.Duplicates == wire.DuplicatesFail
	want := wants{
		features: true,
		weight:   t.Kind == wire.Statistics || t.Kind == wire.Load,
		// Bad ids are judged in the rounds that count; the ids themselves are kept by Keys, Load and Label.
		ids: t.KeepIDs || t.Kind == wire.Load && duplicates,
	}
	if t.Kind == wire.Keys {
		want = keyWants(in)
	}
	k, err := newIntake(e.config.Source, in, e.config.Manifest.Partitions[id], e.leftOut(t, id), want)
	if err != nil {
		return nil, err
	}
	switch t.Kind {
	case wire.Keys:
		var h *handed
		if h, err = e.keys(ctx, k); h != nil {
			e.handIn(t, id, h, k.partial)
		}
	case wire.Statistics:
		err = e.readStatistics(ctx, k)
	case wire.Quantiles:
		k.partial.Counts = t.Search.Open()
		err = e.visit(ctx, k, func(b *rows) error { return k.partial.Counts.Add(&b.Batch) })
	case wire.Directions:
		k.partial.Directions = t.Transform.NormalisedStatistics()
		err = e.visit(ctx, k, func(b *rows) error { return k.partial.Directions.Add(&b.Batch) })
	case wire.Load:
		err = e.load(ctx, t, k, id)
	}
	return k.partial, err
}

// visit reads a partition and tells how far it is.
func (e *Engine) visit(ctx context.Context, k *intake, do func(b *rows) error) error {
	return k.each(ctx, func(b *rows) error {
		if err := do(b); err != nil {
			return err
		}
		if e.config.Read != nil && !k.again {
			e.config.Read(int64(b.Rows))
		}
		return nil
	})
}

func (e *Engine) readStatistics(ctx context.Context, k *intake) error {
	s := feature.NewStatistics(k.in.Spec)
	k.partial.Statistics = s
	room := e.room(k)
	err := e.visit(ctx, k, func(b *rows) error {
		if room != nil && !fill(room, b) {
			e.giveBack(k)
			room = nil
		}
		return s.Add(&b.Batch)
	})
	if room != nil {
		e.keepRaw(k, room, err)
	}
	k.partial.Intake.Missing = s.Dropped()
	k.partial.Intake.Kept -= s.Dropped()
	return err
}

// keys reads the ids of a partition; nil where there is a fault among its rows.
func (e *Engine) keys(ctx context.Context, k *intake) (*handed, error) {
	if k.id < 0 {
		return nil, fmt.Errorf("worker: a round over ids of rows that have none")
	}
	h := newHanded(k.part.Rows)
	var keep []bool
	err := e.visit(ctx, k, func(b *rows) error {
		keep = b.complete(keep, k.in.Spec.Missing)
		h.take(b, keep)
		return nil
	})
	if err != nil || k.partial.Fault != nil {
		return nil, err
	}
	return h, nil
}

// complete says which rows are not left out for a missing value; nil: all. It may use scratch.
func (b *rows) complete(scratch []bool, policy feature.Missing) []bool {
	if policy != feature.Drop {
		return nil
	}
	keep := slices.Grow(scratch[:0], b.Rows)[:b.Rows]
	for i := range keep {
		keep[i] = true
		for j := range b.Numeric {
			x := b.Numeric32[j]
			keep[i] = keep[i] && !(x != nil && x[i] != x[i] || x == nil && math.IsNaN(b.Numeric[j][i]))
		}
		for j := range b.Text {
			missing := b.Text[j].Missing
			keep[i] = keep[i] && !(missing != nil && missing(i))
		}
	}
	return keep
}

// load makes Points of a partition and keeps them.
func (e *Engine) load(ctx context.Context, t *wire.Task, k *intake, id int) error {
	ids := t.KeepIDs || t.Input.Duplicates == wire.DuplicatesFail
	points, h, err := e.pointsOfRaw(ctx, t, k, ids)
	if points == nil && err == nil {
		points, h, err = e.points(ctx, t, k, ids)
	}
	if err != nil || k.partial.Fault != nil {
		return err
	}
	k.partial.Totals = kmeans.NewTotals(points.Columns())
	k.partial.Totals.Add(points)
	k.partial.Distinct = kmeans.NewDistinct(t.K)
	k.partial.Distinct.Add(points)
	k.partial.Sample = sampleOf(points, len(t.Transform.Numeric), e.config.Manifest.Rows)
	held := &holding{id: id, node: e.nodeOf(id), points: points, folded: points.Fold(t.K), asked: e.keeping.count}
	if h != nil {
		e.handIn(t, id, h, k.partial)
		if t.KeepIDs {
			held.ids = h.ids
		}
	}
	return e.enter(held)
}

// points reads a partition into Points, and its ids where there are any and they are wanted: for equal ones to be found,
// or for labels.
func (e *Engine) points(ctx context.Context, t *wire.Task, k *intake, ids bool) (*kmeans.Points, *handed, error) {
	var h *handed
	if k.id >= 0 && ids {
		h = newHanded(k.part.Rows)
	}
	b, err := newPointsBuilder(t, k.part.Rows, k.part.First)
	if err != nil {
		return nil, nil, err
	}
	e.nodeOf(k.part.ID).Renew(b.points.Blocks())
	err = e.visit(ctx, k, func(r *rows) error {
		applied, err := b.add(r)
		for k.setAside(err) {
			applied, err = b.add(r)
		}
		if err != nil {
			return err
		}
		k.count(applied)
		if h != nil {
			h.take(r, b.keep)
		}
		return nil
	})
	if err != nil || k.partial.Fault != nil {
		return nil, nil, err
	}
	return b.points, h, nil
}

// setAside takes a row whose Point is too large into quarantine, which cannot be told before the transform is known.
func (k *intake) setAside(err error) bool {
	var value *feature.ValueError
	if k.in.BadRows != wire.BadRowsQuarantine || !errors.As(err, &value) || value.Row < 0 || value.Column == "" || math.IsNaN(value.Value) {
		return false
	}
	b := &k.batch
	k.bad(value.Row, k.at(value.Row, value.Column), value.Problem(), "")
	b.Skip = b.skip
	k.partial.Intake.Kept--
	return true
}

// count adds what the transforms did to the rows.
func (k *intake) count(a feature.Applied) {
	n := &k.partial.Intake
	n.Imputed += a.Imputed
	n.Missing += a.Dropped
	n.Kept -= a.Dropped
	if n.Unseen == nil {
		n.Unseen = slices.Clone(a.Unseen)
		return
	}
	for i, c := range a.Unseen {
		n.Unseen[i] += c
	}
}

// pointsBuilder transforms batches into Points.
type pointsBuilder struct {
	task    *wire.Task
	points  *kmeans.Points
	columns [][]float32
	keep    []bool
	weights []uint64
}

func newPointsBuilder(t *wire.Task, rows, first int64) (*pointsBuilder, error) {
	grids := t.Transform.Grids()
	exponents := make([]int, len(grids))
	columns := make([][]float32, len(grids))
	for i, g := range grids {
		exponents[i] = g.Exponent
		columns[i] = make([]float32, dataset.BlockRows)
	}
	points, err := kmeans.NewPoints(int(rows), len(grids), first, exponents)
	if err == nil && t.Input.Weight != "" {
		points.SetWeighted()
	}
	return &pointsBuilder{task: t, points: points, columns: columns, keep: make([]bool, dataset.BlockRows)}, err
}

func (b *pointsBuilder) add(r *rows) (feature.Applied, error) {
	applied, err := b.task.Transform.Apply(&r.Batch, b.columns, b.keep)
	if err != nil {
		return applied, err
	}
	keep := b.keep
	if r.Skip == nil && applied.Dropped == 0 {
		keep = nil
	}
	var weights []uint64
	if b.task.Input.Weight != "" {
		b.weights = kmeans.FixedWeights(b.weights[:0], r.weights, b.task.Largest)
		weights = b.weights
	}
	return applied, b.points.Append(b.columns, r.Rows, r.first, keep, weights)
}
