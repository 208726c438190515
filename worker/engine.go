package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// ErrNotHeld is a task about a partition that was never loaded here.
var ErrNotHeld = errors.New("partition is not held")

// LabelSink takes the labels of whole partitions to where they are written. Put returns once the batch may be
// forgotten; it may wait for its turn, and ends with the context.
type LabelSink interface {
	Put(ctx context.Context, labels *Labels) error
}

// Labels are those of one partition, in row order. Exactly Rows rows.
type Labels struct {
	Partition      int
	Rows           int
	IDs            *dataset.IDs // nil: the row numbers are the ids
	RowNumbers     []int64
	Segment        []int32
	Distance       []float32 // not squared; 1 − cos under cosine
	Second         []int32   // nil unless asked for
	SecondDistance []float32
}

// IDExchange is where workers hand in the ids of their partitions, to find equal ones wherever they lie.
type IDExchange interface {
	// Put takes the ids of a partition's kept rows and their global row numbers, ascending.
	Put(partition int, ids *dataset.IDs, rows []int64) error
	// Resolve looks for duplicates: under the policy fail the error names the id and both rows; otherwise it settles
	// which rows Dropped reports and returns how many.
	Resolve(policy wire.DuplicateIDs) (int64, error)
	// Dropped lists a partition's rows to leave out, ascending global numbers.
	Dropped(partition int) []int64
}

// Config is what an Engine works with.
type Config struct {
	Source   dataset.Source
	Manifest *partition.Manifest
	Threads  int // at least 1
	Labels   LabelSink
	IDs      IDExchange
	// Read is told how many rows were read, from any thread; nil: nobody asks.
	Read func(rows int64)
}

// Engine holds partitions and computes over them.
type Engine struct {
	config Config
	// tokens bounds the threads that compute at one time.
	tokens chan struct{}

	pass    sync.Mutex // one pass at a time: guards cohorts, threads and the soft state of holdings
	cohorts []*cohort
	threads []*thread

	mu   sync.Mutex // guards held
	held map[int]*holding
}

// holding is one partition in memory, with its soft state.
type holding struct {
	id     int
	points *kmeans.Points
	ids    *dataset.IDs
	labels []uint16
	seed   *kmeans.SeedState
	// seededFor is the seeding that seed belongs to.
	seededFor uint64
}

// thread is what one computing thread keeps between passes.
type thread struct {
	scratch kmeans.Scratch
	acc     *kmeans.Accumulator
}

// NewEngine makes an Engine that holds nothing yet.
func NewEngine(c Config) (*Engine, error) {
	if c.Threads < 1 {
		return nil, fmt.Errorf("worker: %d threads: at least 1 is needed", c.Threads)
	}
	e := &Engine{config: c, tokens: make(chan struct{}, c.Threads), held: make(map[int]*holding)}
	for range c.Threads {
		e.threads = append(e.threads, new(thread))
	}
	return e, nil
}

// Do computes a task. It may be called from several goroutines: Label tasks run side by side, others in turn.
func (e *Engine) Do(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	if t.Kind == wire.Label {
		return e.label(ctx, t)
	}
	e.pass.Lock()
	defer e.pass.Unlock()
	if err := e.ensure(ctx, t); err != nil {
		return nil, err
	}
	switch t.Kind {
	case wire.Keys, wire.Statistics, wire.Quantiles, wire.Directions, wire.Load:
		return e.read(ctx, t)
	case wire.Duplicates:
		dropped, err := e.config.IDs.Resolve(t.Input.Duplicates)
		return &wire.Partial{Dropped: dropped}, err
	case wire.Seed:
		return e.seed(ctx, t)
	case wire.Iterate, wire.Score:
		return e.assign(ctx, t)
	case wire.Farthest:
		return e.farthest(ctx, t)
	default:
		return nil, fmt.Errorf("worker: unknown task %q", t.Kind)
	}
}

// ensure loads those of a task's partitions that are not held: the worker has taken them over. The caller has the pass.
func (e *Engine) ensure(ctx context.Context, t *wire.Task) error {
	missing := e.notHeld(t.Partitions)
	if len(missing) == 0 || t.Reload == nil {
		return nil
	}
	reload := *t.Reload
	reload.Partitions = missing
	p, err := e.read(ctx, &reload)
	if err == nil && p.Fault != nil {
		err = p.Fault.Err
	}
	return err
}

func (e *Engine) notHeld(ids []int) []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	var missing []int
	for _, id := range ids {
		if e.held[id] == nil {
			missing = append(missing, id)
		}
	}
	return missing
}

// holdings are the partitions of a task, all of which must be held.
func (e *Engine) holdings(ids []int) ([]*holding, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	list := make([]*holding, len(ids))
	for i, id := range ids {
		if list[i] = e.held[id]; list[i] == nil {
			return nil, fmt.Errorf("%w: %d", ErrNotHeld, id)
		}
	}
	return list, nil
}

// span is a unit of work on a holding.
type span struct {
	h      *holding
	lo, hi int
}

// spansOf cuts holdings into spans, in row order.
func spansOf(list []*holding) []span {
	var spans []span
	for _, h := range list {
		for lo := 0; lo < h.points.Rows(); lo += kmeans.SpanRows {
			spans = append(spans, span{h, lo, min(lo+kmeans.SpanRows, h.points.Rows())})
		}
	}
	return spans
}

// parallel gives every span to do, on all threads. Each thread walks a contiguous range of its own, which memory
// likes, and then helps with what others have left. Results do not depend on who did what.
func (e *Engine) parallel(ctx context.Context, spans []span, do func(t *thread, slot int, s span)) error {
	n := len(e.threads)
	if n == 1 || len(spans) < 2 {
		for _, s := range spans {
			do(e.threads[0], 0, s)
		}
		return ctx.Err()
	}
	cursors := make([]atomic.Int64, n)
	bound := func(i int) int64 { return int64(i) * int64(len(spans)) / int64(n) }
	for i := range cursors {
		cursors[i].Store(bound(i))
	}
	var wait sync.WaitGroup
	for slot := range n {
		wait.Go(func() {
			for turn := range n {
				own := (slot + turn) % n
				for ctx.Err() == nil {
					i := cursors[own].Add(1) - 1
					if i >= bound(own+1) {
						break
					}
					do(e.threads[slot], slot, spans[i])
				}
			}
		})
	}
	wait.Wait()
	return ctx.Err()
}
