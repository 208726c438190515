package worker

import (
	"context"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/kmeans"
)

// hotSpans is how many spans in memory a thread takes at a time while others come from the disk: about as many as a chunk has,
// so that going from one partition to another, which costs a look at all clusters, stays rare.
const hotSpans = 16

// piece is a chunk of a holding, in a pass.
type piece struct {
	h *holding
	chunk
}

// over gives every row of the holdings to do, on all threads, whether they are in memory or on the disk. What is read is
// worked on as it comes; meanwhile threads do what is in memory, so that the disk and they are busy at once. skips says of
// rows on the disk that nobody wants them. When a thread is done with a chunk, settle is told, after which it is gone.
func (e *Engine) over(ctx context.Context, list []*holding, skips func(h *holding, lo, hi int) bool,
	do func(t *thread, slot int, s span), settle func(slot int, p *kmeans.Points)) error {
	var hot []*holding
	var cold []piece
	var pieces []spill.Piece
	for _, h := range list {
		if !h.spilled() {
			hot = append(hot, h)
			continue
		}
		for _, c := range h.chunks {
			pieces = append(pieces, spill.Piece{Extent: c.at, Index: len(cold)})
			cold = append(cold, piece{h, c})
		}
	}
	if len(cold) == 0 {
		return e.parallel(ctx, spansOf(list), do)
	}
	stream := e.memory.file.Stream(ctx, pieces, e.passBuffers(), func(i int) bool { return skips(cold[i].h, cold[i].lo, cold[i].hi) })
	w := &walker{engine: e, spans: spansOf(hot), cold: cold, stream: stream, do: do, settle: settle}
	var wait sync.WaitGroup
	for slot := range e.threads {
		wait.Go(func() { w.walk(ctx, slot) })
	}
	wait.Wait()
	if err := stream.Close(); err != nil {
		return err
	}
	if err := w.failed.Load(); err != nil {
		return *err
	}
	return ctx.Err()
}

// passBuffers are the buffers of the reading: they are kept from pass to pass. The caller has the pass.
func (e *Engine) passBuffers() [][]byte {
	m := &e.memory
	for len(m.buffers) < m.now.Buffers {
		m.buffers = append(m.buffers, spill.Buffer(m.now.Chunk))
	}
	return m.buffers
}

// walker is a pass over rows of which some come from the disk.
type walker struct {
	engine *Engine
	spans  []span // in memory
	next   atomic.Int64
	cold   []piece
	stream *spill.Stream
	do     func(t *thread, slot int, s span)
	settle func(slot int, p *kmeans.Points)
	failed atomic.Pointer[error]
}

// walk is one thread's part: what has been read comes first, since its buffer is wanted again.
func (w *walker) walk(ctx context.Context, slot int) {
	ready := w.stream.Ready()
	for ctx.Err() == nil {
		select {
		case f, open := <-ready:
			if !w.take(slot, f, open) {
				ready = nil
			}
			continue
		default:
		}
		if w.some(slot) {
			continue
		}
		if ready == nil {
			return
		}
		select {
		case f, open := <-ready:
			if !w.take(slot, f, open) {
				ready = nil
			}
		case <-ctx.Done():
		}
	}
}

// some does the next spans in memory; false: there are none left.
func (w *walker) some(slot int) bool {
	from := int(w.next.Add(hotSpans)) - hotSpans
	if from >= len(w.spans) {
		return false
	}
	for _, s := range w.spans[from:min(from+hotSpans, len(w.spans))] {
		w.do(w.engine.threads[slot], slot, s)
	}
	return true
}

// take does a chunk; false: there are no more.
func (w *walker) take(slot int, f spill.Filled, open bool) bool {
	if !open {
		return false
	}
	defer w.stream.Release(f)
	p := w.cold[f.Index]
	view, err := p.h.points.Chunk(f.Data, p.lo, p.hi)
	if err != nil {
		w.failed.Store(&err)
		return true
	}
	for lo := 0; lo < view.Rows(); lo += kmeans.SpanRows {
		w.do(w.engine.threads[slot], slot, span{h: p.h, view: view, at: p.lo, lo: lo, hi: min(lo+kmeans.SpanRows, view.Rows())})
	}
	w.settle(slot, view)
	return true
}

// eachChunk visits the Points of a holding in order: all at once, or one chunk of them at a time, which begins at row at and is
// gone afterwards.
func (e *Engine) eachChunk(ctx context.Context, h *holding, visit func(p *kmeans.Points, at int)) error {
	if !h.spilled() {
		visit(h.points, 0)
		return nil
	}
	buffer := e.spare(e.chunkSize())
	defer e.spares.Put(&buffer)
	for _, c := range h.chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := e.memory.file.Get(c.at, buffer)
		if err != nil {
			return err
		}
		p, err := h.points.Chunk(data, c.lo, c.hi)
		if err != nil {
			return err
		}
		visit(p, c.lo)
	}
	return nil
}
