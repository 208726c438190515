package rfm

import (
	"context"
	"errors"
	"io"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// tally counts lines.
type tally struct {
	read, used int64
	dropped    Dropped
	last       int64 // the latest line used; minus noLimit if there is none
}

func (t *tally) merge(o *tally) {
	t.read += o.read
	t.used += o.used
	t.dropped.add(o.dropped)
	t.last = max(t.last, o.last)
}

// minRange is the fewest rows worth a reader of its own.
const minRange = 32 << 10

// span is a run of rows between two cuts.
type span struct {
	first, rows int64
}

// spans cuts the rows where reading can start.
func spans(src dataset.Source) []span {
	rows := src.Rows()
	var list []span
	start := int64(0)
	for _, cut := range src.Cuts() {
		if cut-start >= minRange && cut < rows {
			list = append(list, span{start, cut - start})
			start = cut
		}
	}
	if rows > start {
		list = append(list, span{start, rows - start})
	}
	return list
}

// scan reads every line once and fills the store; without a store it only counts and finds the latest line used.
// The error is that of the first bad line of the table, whoever met it: a goroutine gives up only what lies after the
// first span known to be bad.
func scan(ctx context.Context, p *plan, into *store) (tally, error) {
	s := scanner{plan: p, store: into, spans: spans(p.src)}
	s.bad.Store(int64(len(s.spans)))
	s.errors = make([]error, len(s.spans))
	threads := min(p.threads, len(s.spans))
	workers := make([]*worker, threads)
	var wait sync.WaitGroup
	for i := range workers {
		workers[i] = newWorker(p, into)
		wait.Go(func() { s.work(ctx, workers[i]) })
	}
	wait.Wait()
	total := tally{last: noFrom}
	if bad := s.bad.Load(); bad < int64(len(s.spans)) {
		return total, s.errors[bad]
	}
	for _, w := range workers {
		total.merge(&w.tally)
	}
	return total, nil
}

// scanner shares out the spans.
type scanner struct {
	plan   *plan
	store  *store
	spans  []span
	next   atomic.Int64
	bad    atomic.Int64 // the first span with an error; len(spans): none
	errors []error      // by span; read after all goroutines have ended
}

// work takes spans until there are no more, or until all that is left lies after a bad one.
func (s *scanner) work(ctx context.Context, w *worker) {
	for {
		at := s.next.Add(1) - 1
		if at >= s.bad.Load() {
			return
		}
		if err := s.span(ctx, w, at); err != nil {
			s.errors[at] = err
			for bad := s.bad.Load(); at < bad && !s.bad.CompareAndSwap(bad, at); bad = s.bad.Load() {
			}
			return
		}
	}
}

// span reads one span, or as much of it as is needed.
func (s *scanner) span(ctx context.Context, w *worker, at int64) error {
	r, err := s.plan.src.Read(ctx, s.spans[at].first, s.spans[at].rows, w.fields)
	if err != nil {
		return err
	}
	defer r.Close()
	for at < s.bad.Load() {
		block, err := r.Next()
		if errors.Is(err, io.EOF) {
			return w.flush()
		}
		if err != nil {
			return err
		}
		if err := w.block(block); err != nil {
			return err
		}
		s.plan.progress.add(int64(block.Rows), s.plan.passes)
	}
	return nil
}

// block books the lines of a block.
func (w *worker) block(b *dataset.Block) error {
	w.attach(b)
	bad := b.Bad
	for i := range b.Rows {
		if len(bad) > 0 && bad[0].Index == i {
			return fault.Inputf(bad[0].Place, "%s", bad[0].Reason)
		}
		if err := w.line(b.First+int64(i), i); err != nil {
			return err
		}
	}
	w.read += int64(b.Rows)
	return nil
}

// progress hands the rows done to the caller, one call at a time. It goes on counting in the second reading.
type progress struct {
	mu   sync.Mutex
	tell func(rows int64)
	done int64 // rows read, in all readings
}

func (p *progress) add(rows, passes int64) {
	if p.tell == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += rows
	p.tell(p.done / passes)
}
