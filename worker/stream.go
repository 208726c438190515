package worker

import (
	"context"
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

// over gives every row of the holdings to do, on all threads, whether they are in memory, in codes or on the disk. What is read
// is worked on as it comes; meanwhile threads do what is in memory, so that the disk and they are busy at once. skips says of
// rows on the disk, or in codes, that nobody wants them. When a thread is done with a view, settle is told, after which it is gone.
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
	views := viewer{engine: e, do: do, settle: settle}
	at := func(t *thread, slot int, s span) {
		switch {
		case s.h.coded == nil:
			do(t, slot, s)
		case !skips(s.h, s.lo, s.hi):
			w := e.wide(s.h.points.Columns())
			views.widened(slot, s.h, w, s.h.coded, 0, s.lo, s.hi)
			e.wides.Put(w)
		}
	}
	if len(cold) == 0 {
		return e.parallel(ctx, e.spansOf(list), at)
	}
	stream := e.memory.file.Stream(ctx, pieces, e.passBuffers(), func(i int) bool { return skips(cold[i].h, cold[i].lo, cold[i].hi) })
	w := &walker{viewer: views, shares: e.byNode(e.spansOf(hot)), hot: at, cold: cold, stream: stream}
	e.onThreads(func(_ *thread, slot int) { w.walk(ctx, slot) })
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

// viewer is what a pass does with views of rows, whose Points are there for the moment only.
type viewer struct {
	engine *Engine
	do     func(t *thread, slot int, s span)
	settle func(slot int, p *kmeans.Points)
}

// over does a view of a holding, which begins at its row at.
func (v *viewer) over(slot int, h *holding, view *kmeans.Points, at int) {
	for lo := 0; lo < view.Rows(); lo += kmeans.SpanRows {
		v.do(v.engine.threads[slot], slot, span{h: h, view: view, at: at, lo: lo, hi: min(lo+kmeans.SpanRows, view.Rows())})
	}
	v.settle(slot, view)
}

// widened does rows [lo,hi) of codes, which begin at a holding's row at.
func (v *viewer) widened(slot int, h *holding, w *widening, codes *kmeans.Coded, at, lo, hi int) {
	w.views(codes, lo, hi, func(view *kmeans.Points, from int) bool {
		v.over(slot, h, view, at+from)
		return true
	})
}

// widening is a thread's room to work on codes.
type widening struct {
	numbers []byte
	codes   kmeans.CodeRoom
}

// wide is room to work on codes of so many columns; it goes back to wides.
func (e *Engine) wide(columns int) *widening {
	if w, ok := e.wides.Get().(*widening); ok && len(w.numbers) >= kmeans.WidenBytes(columns) {
		return w
	}
	return &widening{numbers: make([]byte, kmeans.WidenBytes(columns))}
}

// views visits rows [lo,hi) of codes as Points, some at a time, which are gone afterwards. visit says whether to go on.
func (w *widening) views(codes *kmeans.Coded, lo, hi int, visit func(view *kmeans.Points, from int) bool) {
	for rows := kmeans.WidenRows(codes.Shell().Columns()); lo < hi; lo += rows {
		if !visit(codes.Widen(lo, min(lo+rows, hi), w.numbers), lo) {
			return
		}
	}
}

// walker is a pass over rows of which some come from the disk.
type walker struct {
	viewer
	shares []*share // of spans in memory
	hot    func(t *thread, slot int, s span)
	cold   []piece
	stream *spill.Stream
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

// some does the next spans in memory, those on the thread's node first; false: there are none left.
func (w *walker) some(slot int) bool {
	t := w.engine.threads[slot]
	for share := range inTurn(w.shares, slot, t.node) {
		next := share.take(hotSpans)
		for _, s := range next {
			w.hot(t, slot, s)
		}
		if next != nil {
			return true
		}
	}
	return false
}

// take does a chunk; false: there are no more.
func (w *walker) take(slot int, f spill.Filled, open bool) bool {
	if !open {
		return false
	}
	defer w.stream.Release(f)
	p := w.cold[f.Index]
	if p.h.coded != nil {
		room := w.engine.wide(p.h.points.Columns())
		defer w.engine.wides.Put(room)
		codes, err := p.h.coded.Chunk(f.Data, p.lo, p.hi, &room.codes)
		if err != nil {
			w.failed.Store(&err)
			return true
		}
		w.widened(slot, p.h, room, codes, p.lo, 0, codes.Rows())
		return true
	}
	view, err := p.h.points.Chunk(f.Data, p.lo, p.hi)
	if err != nil {
		w.failed.Store(&err)
		return true
	}
	w.over(slot, p.h, view, p.lo)
	return true
}

// eachChunk visits the Points of a holding in order: all at once, or some of them at a time, which begin at row at and are gone
// afterwards.
func (e *Engine) eachChunk(ctx context.Context, h *holding, visit func(p *kmeans.Points, at int)) error {
	if h.coded != nil {
		return e.eachView(ctx, h, visit)
	}
	if !h.spilled() {
		visit(h.points, 0)
		return nil
	}
	return e.eachPiece(ctx, h, func(data []byte, c chunk) error {
		p, err := h.points.Chunk(data, c.lo, c.hi)
		if err == nil {
			visit(p, c.lo)
		}
		return err
	})
}

// eachView is eachChunk of codes.
func (e *Engine) eachView(ctx context.Context, h *holding, visit func(p *kmeans.Points, at int)) error {
	w := e.wide(h.points.Columns())
	defer e.wides.Put(w)
	views := func(codes *kmeans.Coded, at int) error {
		w.views(codes, 0, codes.Rows(), func(view *kmeans.Points, from int) bool {
			visit(view, at+from)
			return ctx.Err() == nil
		})
		return ctx.Err()
	}
	if !h.spilled() {
		return views(h.coded, 0)
	}
	return e.eachPiece(ctx, h, func(data []byte, c chunk) error {
		codes, err := h.coded.Chunk(data, c.lo, c.hi, &w.codes)
		if err != nil {
			return err
		}
		return views(codes, c.lo)
	})
}

// eachPiece reads the chunks of a holding in order. What do is given is gone afterwards.
func (e *Engine) eachPiece(ctx context.Context, h *holding, do func(data []byte, c chunk) error) error {
	buffer := e.spare(e.chunkSize())
	defer e.spares.Put(&buffer)
	for _, c := range h.chunks {
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := e.memory.file.Get(c.at, buffer)
		if err == nil {
			err = do(data, c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
