package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/failpoint"
	"github.com/coterie-project/coterie/internal/numa"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// ErrNotHeld is a task about a partition that was never loaded here.
var ErrNotHeld = errors.New("partition is not held")

// LabelSink takes the labels of whole partitions to where they are written. Put returns once the batch is not needed any
// more: its memory is then used for another. It may wait for its turn, and ends with the context.
type LabelSink interface {
	Put(ctx context.Context, labels *Labels) error
}

// labelFolder is a LabelSink whose labels are files that one worker makes ready before, and lets appear after, all are
// written.
type labelFolder interface {
	Prepare(ctx context.Context) error
	Commit(ctx context.Context) error
}

// Labels are those of one partition, in row order. Exactly Rows rows.
type Labels struct {
	Partition      int
	Rows           int
	IDs            *dataset.IDs // nil: the row numbers are the ids
	Integers       bool         // every id of the job is an integer, not only those here
	RowNumbers     []int64
	Segment        []int32
	Distance       []float32 // not squared; 1 − cos under cosine
	Second         []int32   // nil unless asked for
	SecondDistance []float32
}

// Config is what an Engine works with.
type Config struct {
	Source   dataset.Source
	Manifest *partition.Manifest
	Threads  int // at least 1
	// Nodes are those that threads and rows are divided among; nil: this machine's.
	Nodes  []*numa.Node
	Labels LabelSink
	// Name is what the worker is called in traces; empty: Self.
	Name string
	// Self is the name that owners of ids are told by in tasks: an engine does not ask itself.
	Self string
	// Peers asks the other workers about ids; nil: there are none.
	Peers Peers
	// Job is the job's name in questions to Peers.
	Job string
	// Lost is told of an owner of ids that could not be asked, so that its part was read again; nil: nobody asks.
	Lost func(owner string, err error)
	// Raw is how many bytes of rows may wait, as they were read, between the round of statistics and that of loading; 0: none.
	Raw int64
	// Read is told how many rows were read, from any thread; nil: nobody asks.
	Read func(rows int64)
	// Memory is the most that the engine's process may take, if nothing else is in it; 0: not limited. Points that find no room
	// are spilled to files in the folder Spill; it is empty where there is no disk for that, and NoSpill says why.
	Memory int64
	// Shares is how many engines divide what was given between them, of which Memory is one part; messages name the whole. 0: one.
	Shares         int64
	Spill, NoSpill string
	// Divide says what becomes of Memory; nil: capacity.Divide.
	Divide func(limit int64, h capacity.Holding) capacity.Division
	// Did is told of each task that was computed, with its rows and how long it took, from any thread; nil: nobody asks.
	Did func(t *wire.Task, rows int64, took time.Duration)
}

// Engine holds partitions and computes over them.
type Engine struct {
	config Config
	// tokens bounds the threads that compute at one time.
	tokens chan struct{}

	pass    sync.RWMutex // one pass at a time: guards cohorts, threads, keeping and the soft state of holdings
	cohorts []*cohort
	threads []*thread
	keeping keeping

	mu       sync.Mutex // guards held, placed, walked, runBytes, raw and memory
	held     map[int]*holding
	placed   map[int]*numa.Node // by partition, where its rows lie; empty where the threads are on no nodes
	walked   walked
	runBytes int // what the runs of the last round over rows know of a row, at most
	raw      rawRows
	memory   memory

	spares  sync.Pool // of *[]byte: buffers for chunks
	wides   sync.Pool // of *widening
	written sync.Pool // of *Labels whose memory may be used again

	exchange exchange
}

// holding is one partition in memory, with its soft state.
type holding struct {
	id     int
	node   *numa.Node // where its rows lie; nil: anywhere
	points *kmeans.Points
	folded *kmeans.Points // the distinct rows of points, counted, which assignments are of; nil: points are
	ids    *dataset.IDs
	asked  int              // keeping.count when it was last asked for
	tracks map[int]*tracked // by run, of its cohort: labels and bounds
	seeds  map[int]*seeded  // by run, until its first pass

	// coded has the rows as codes, of which points is a shell; nil: points has them, or the disk.
	coded *kmeans.Coded
	// Where points is but a shell and ids is nil, their numbers, or codes, lie on the disk.
	chunks   []chunk
	idsAt    []spill.Extent
	idsBytes int
}

// assigned are the Points that assignments label.
func (h *holding) assigned() *kmeans.Points {
	if h.folded != nil {
		return h.folded
	}
	return h.points
}

// thread is what one computing thread keeps between passes.
type thread struct {
	node    *numa.Node // that it runs on; nil: anywhere
	scratch kmeans.Scratch
}

// NewEngine makes an Engine that holds nothing yet.
func NewEngine(c Config) (*Engine, error) {
	if c.Threads < 1 {
		return nil, fmt.Errorf("worker: %d threads: at least 1 is needed", c.Threads)
	}
	if c.Divide == nil {
		c.Divide = capacity.Divide
	}
	e := &Engine{config: c, tokens: make(chan struct{}, c.Threads), held: make(map[int]*holding),
		placed: make(map[int]*numa.Node), raw: rawRows{rooms: make(map[int]*kmeans.Room)}}
	e.exchange = exchange{handed: make(map[int]*handed), settled: make(map[int]bool), dropped: make(map[int][]int64)}
	if c.Nodes == nil {
		c.Nodes = numa.Nodes()
	}
	for _, node := range numa.Divide(c.Nodes, c.Threads) {
		e.threads = append(e.threads, &thread{node: node})
	}
	return e, nil
}

// Do computes a task. It may be called from several goroutines: Label tasks run side by side, others in turn.
func (e *Engine) Do(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	began, rows := time.Now(), rowsIn(e.config.Manifest, t)
	ctx, span := e.trace(ctx, t, rows)
	p, err := e.do(ctx, t)
	span.End(err)
	if e.config.Did != nil && err == nil {
		e.config.Did(t, rows, time.Since(began))
	}
	return p, err
}

func (e *Engine) do(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	e.exchange.turn(t)
	for _, s := range strandsOf(t) {
		failpoint.Hit(string(s.Kind))
	}
	if t.Kind == wire.Label {
		return within(ctx, "compute", t, e.label)
	}
	e.pass.Lock()
	defer e.pass.Unlock()
	if t.Kind == wire.Duplicates { // its partitions are ranges of ids: there is nothing to load
		return within(ctx, "compute", t, e.settle)
	}
	e.keep(t)
	e.forgetRaw(t)
	if err := e.ensure(ctx, t); err != nil {
		return nil, err
	}
	switch t.Kind {
	case wire.Keys, wire.Statistics, wire.Quantiles, wire.Directions, wire.Load:
		return within(ctx, "read", t, e.read)
	case wire.Prepare, wire.Commit:
		return e.folder(ctx, t)
	case wire.Seed, wire.Iterate, wire.Farthest, wire.Score, wire.Together:
		return within(ctx, "compute", t, e.walk)
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
	reload.Trace = t.Trace
	reload.Epoch, reload.Round = 0, 0 // of a round that is long over: its ids have been compared
	p, err := within(ctx, "read", &reload, e.read)
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

// Held lists the partitions in memory, ascending, and the bytes that their Points, labels and ids take at most.
func (e *Engine) Held() (ids []int, bytes int64) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for id, h := range e.held {
		ids = append(ids, id)
		bytes += int64(h.points.Rows()) * int64(idBytes+e.runBytes)
		switch {
		case h.spilled():
		case h.coded != nil:
			bytes += h.pointsBytes()
		default:
			bytes += int64(h.points.Rows()) * int64(4*h.points.Columns())
		}
		if h.folded != nil {
			bytes += int64(h.folded.Rows()) * int64(4*h.folded.Columns()+4)
		}
	}
	slices.Sort(ids)
	return ids, bytes
}

// idBytes is what a row's id takes, where it is a number.
const idBytes = 8

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
	view   *kmeans.Points // a chunk of the holding, which begins at its row at; nil: its Points are in memory
	at     int
	lo, hi int // of the view, or of the holding
}

// points are those that lo and hi count in.
func (s *span) points() *kmeans.Points {
	if s.view != nil {
		return s.view
	}
	return s.h.points
}

// walked is the spans of the last pass: the next one is over the same holdings, as a rule, and of small rows making thousands of
// spans anew would be felt. It is forgotten with the first of the holdings that is.
type walked struct {
	list  []*holding
	spans []span
}

// spansOf cuts holdings into spans, in row order.
func (e *Engine) spansOf(list []*holding) []span {
	e.mu.Lock()
	defer e.mu.Unlock()
	if w := &e.walked; !slices.Equal(w.list, list) {
		*w = walked{list: slices.Clone(list), spans: cut(list)}
	}
	return e.walked.spans
}

// cut cuts holdings into spans, in row order.
func cut(list []*holding) []span {
	var spans []span
	for _, h := range list {
		for lo := 0; lo < h.points.Rows(); lo += kmeans.SpanRows {
			spans = append(spans, span{h: h, lo: lo, hi: min(lo+kmeans.SpanRows, h.points.Rows())})
		}
	}
	return spans
}

// parallel gives every span to do, on all threads. Each thread walks a contiguous range of its own, which memory
// likes, and then helps with what others have left, those of its node first. Results do not depend on who did what.
func (e *Engine) parallel(ctx context.Context, spans []span, do func(t *thread, slot int, s span)) error {
	n := len(e.threads)
	if n == 1 || len(spans) < 2 {
		for _, s := range spans {
			if ctx.Err() != nil {
				break
			}
			do(e.threads[0], 0, s)
		}
		return ctx.Err()
	}
	shares := e.shares(spans)
	e.onThreads(func(t *thread, slot int) {
		for s := range inTurn(shares, slot, t.node) {
			for ctx.Err() == nil {
				next := s.take(1)
				if next == nil {
					break
				}
				do(t, slot, next[0])
			}
		}
	})
	return ctx.Err()
}
