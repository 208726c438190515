package pinned

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sort"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/object"
)

// body is what the handles of one object have fetched, or are about to.
type body struct {
	store object.Store
	info  object.Info
	kept  *atomic.Int64 // bytes that are kept to be read once more

	mu     sync.Mutex
	pieces []*piece // in the order of where they lie; they do not overlap
}

func newBody(store object.Store, info object.Info) *body {
	b := &body{store: store, info: info, kept: new(atomic.Int64)}
	// What is kept and never read again goes with the table that it is of.
	runtime.AddCleanup(b, func(kept *atomic.Int64) { spare.held.Add(-kept.Load()) }, b.kept)
	return b
}

func (b *body) handle(ctx context.Context) Handle {
	r := &remote{body: b}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// piece is one request.
type piece struct {
	Span
	wanted  int64 // bytes of it that were announced and not read yet
	again   int64 // bytes of it that are kept to be read once more
	readers int   // that are copying from buf
	buf     []byte
	done    chan struct{} // closed when buf and err are there; nil: not begun
	by      *remote       // who has begun it
	err     error
}

func (p *piece) size() int64 { return p.To - p.From }

// over says whether the request has ended.
func (p *piece) over() bool {
	if p.done == nil {
		return false
	}
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// batch is what one Want has announced.
type batch struct {
	pieces []*piece         // in the order in which they are needed
	left   map[*piece]int64 // bytes of each that were announced and not read yet
	next   int              // the first of pieces that pump has not looked at
}

// after is the number of the first piece that ends behind the byte at.
func (b *body) after(at int64) int {
	return sort.Search(len(b.pieces), func(i int) bool { return b.pieces[i].To > at })
}

// find is the piece that holds the byte at, or nil and where the next piece begins, or else the object ends.
func (b *body) find(at int64) (*piece, int64) {
	i := b.after(at)
	if i == len(b.pieces) {
		return nil, b.info.Size
	}
	if p := b.pieces[i]; p.From <= at {
		return p, p.To
	}
	return nil, b.pieces[i].From
}

// add announces new pieces, which lie between those that are there.
func (b *body) add(pieces []*piece) {
	b.pieces = append(b.pieces, pieces...)
	slices.SortFunc(b.pieces, func(p, q *piece) int { return cmp.Compare(p.From, q.From) })
}

func (b *body) remove(p *piece) {
	switch i := b.after(p.From); {
	case i == len(b.pieces) || b.pieces[i] != p:
	case i == 0: // as it is when an object is read from front to back, of however many pieces
		b.pieces = b.pieces[1:]
	default:
		b.pieces = slices.Delete(b.pieces, i, i+1)
	}
}

// settle forgets a piece that nobody needs any more, and gives its memory back. The caller holds the lock.
func (b *body) settle(p *piece) {
	if p.wanted > 0 || p.again > 0 || p.readers > 0 || p.done != nil && !p.over() {
		return
	}
	b.remove(p)
	if p.buf == nil {
		return
	}
	if p.by != nil {
		room.held.Add(-p.size())
		p.by.held -= p.size()
	} else {
		spare.held.Add(-p.size())
		b.kept.Add(-p.size())
	}
	giveBack(p.buf)
	p.buf = nil
}

// keep holds a piece that has been read until it is read once more, if there is room.
func (b *body) keep(p *piece) {
	if p.by == nil || p.again > 0 || !spare.take(p.size()) {
		return
	}
	b.kept.Add(p.size())
	room.held.Add(-p.size())
	p.by.held -= p.size()
	p.by, p.again = nil, p.size()
}

// plan announces spans: what is there, or announced by others, is used, and for the rest there are new pieces. The caller holds
// the lock.
func (b *body) plan(spans []Span) *batch {
	list, total := distinct(spans, b.info.Size)
	together := total <= handleBytes
	added := cut(b.uncovered(list), together, b.free)
	b.add(added)
	a := &batch{left: make(map[*piece]int64)}
	var depths []int64 // of a.pieces: how far inside of their span they lie
	for _, w := range list {
		for i := b.after(w.From); i < len(b.pieces) && b.pieces[i].From < w.To; i++ {
			p := b.pieces[i]
			if _, there := a.left[p]; !there {
				a.pieces, depths = append(a.pieces, p), append(depths, p.From-w.From)
			}
			n := w.times * (min(w.To, p.To) - max(w.From, p.From))
			a.left[p] += n
			p.wanted += n
		}
	}
	for _, p := range added {
		b.settle(p) // what lies in a gap altogether is nobody's
	}
	if !together {
		sort.Stable(byDepth{a.pieces, depths})
	}
	return a
}

// byDepth sorts pieces of spans that are read side by side.
type byDepth struct {
	pieces []*piece
	depths []int64
}

func (s byDepth) Len() int           { return len(s.pieces) }
func (s byDepth) Less(i, j int) bool { return s.depths[i] < s.depths[j] }
func (s byDepth) Swap(i, j int) {
	s.pieces[i], s.pieces[j] = s.pieces[j], s.pieces[i]
	s.depths[i], s.depths[j] = s.depths[j], s.depths[i]
}

// free says whether there is no piece within a span.
func (b *body) free(s Span) bool {
	i := b.after(s.From)
	return i == len(b.pieces) || b.pieces[i].From >= s.To
}

// uncovered is what lies in no piece, in the order of where it lies. Spans that overlap otherwise than by being the same
// stand in damaged files alone.
func (b *body) uncovered(list []wanted) []Span {
	list = slices.Clone(list)
	slices.SortFunc(list, func(v, w wanted) int { return cmp.Compare(v.From, w.From) })
	var rest []Span
	at := int64(0) // all before it is looked at
	for _, w := range list {
		for at = max(at, w.From); at < w.To; {
			p, next := b.find(at)
			next = min(next, w.To)
			if p == nil {
				rest = append(rest, Span{at, next})
			}
			at = next
		}
	}
	return rest
}
