package pinned

import (
	"context"
	"io"
	"sync"

	"github.com/coterie-project/coterie/internal/object"
)

// remote is an object that is open. What it fetches ahead lies in the body, where the other handles of the object find it.
type remote struct {
	ctx    context.Context
	cancel context.CancelFunc
	body   *body
	wg     sync.WaitGroup

	// The body's lock guards these.
	before *batch // of the Want before the last, whose rest is still being read
	last   *batch
	held   int64 // bytes of pieces that this handle has begun and that are still there
	again  bool  // what is read will be read once more
}

// Object is the Handle of the object that info is of. Its reads end with ctx, and Close waits for what is under way. Nothing
// is asked of the store before the first read.
func Object(ctx context.Context, store object.Store, info object.Info) Handle {
	return newBody(store, info).handle(ctx)
}

// Objects gives Handles of one object, as Object does, that share what they fetch: where one reads what another has fetched or
// is about to fetch, it is fetched once.
func Objects(store object.Store, info object.Info) func(ctx context.Context) Handle {
	return newBody(store, info).handle
}

// ObjectState is the state of an object, which is what its ETag says.
func ObjectState(info object.Info) State { return State{Size: info.Size, ETag: info.ETag} }

func (r *remote) State() (State, error) { return ObjectState(r.body.info), nil }

// Want implements Handle. What the Want before announced is kept, so that a reader can announce what comes next while it
// reads; what is older is dropped.
func (r *remote) Want(spans []Span) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.drop(r.before)
	r.before, r.last = r.last, r.body.plan(spans)
	r.pump()
}

// Keep implements Handle.
func (r *remote) Keep() {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.again = true
}

// drop takes back what a batch has announced. The caller holds the lock.
func (r *remote) drop(b *batch) {
	if b == nil {
		return
	}
	for _, p := range b.pieces {
		p.wanted -= b.left[p]
		delete(b.left, p)
		r.body.settle(p)
	}
}

// pump starts to fetch what comes next, as far as the bounds allow. The caller holds the lock.
func (r *remote) pump() {
	for _, b := range []*batch{r.before, r.last} {
		for b != nil && b.next < len(b.pieces) {
			p := b.pieces[b.next]
			if p.done == nil && b.left[p] > 0 {
				if r.held+p.size() > handleBytes || !room.take(p.size()) {
					return
				}
				r.start(p)
			}
			b.next++
		}
	}
}

// start fetches a piece, for whose memory there is leave. The caller holds the lock.
func (r *remote) start(p *piece) {
	p.buf, p.done, p.by = buffer(p.size()), make(chan struct{}), r
	r.held += p.size()
	r.wg.Go(func() {
		err := r.fetch(p.buf, p.From)
		r.body.mu.Lock()
		defer r.body.mu.Unlock()
		if p.err = err; err != nil {
			r.body.remove(p) // nobody else is to rely on it
		}
		close(p.done)
		r.body.settle(p)
	})
}

// fetch is one request, when its turn has come.
func (r *remote) fetch(b []byte, at int64) error {
	select {
	case requests <- struct{}{}:
	case <-r.ctx.Done():
		return r.ctx.Err()
	}
	defer func() { <-requests }()
	return r.body.store.ReadAt(r.ctx, r.body.info, b, at)
}

// ReadAt implements io.ReaderAt: from what is fetched ahead, or else by a request of its own.
func (r *remote) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for n < len(b) && at+int64(n) < r.body.info.Size {
		got, err := r.readSome(b[n:], at+int64(n))
		n += got
		if err != nil {
			return n, err
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func (r *remote) readSome(b []byte, at int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	p, next := r.enter(at)
	b = b[:min(int64(len(b)), next-at)]
	if p == nil {
		if err := r.fetch(b, at); err != nil {
			return 0, err
		}
		return len(b), nil
	}
	select {
	case <-p.done:
	case <-r.ctx.Done():
	}
	err := r.ctx.Err()
	n, lost := 0, false
	if err == nil {
		if err = p.err; err == nil {
			n = copy(b, p.buf[at-p.From:])
		}
		lost = err != nil && p.by != r // another handle's request, which may have ended with its reader
	}
	r.leave(p, int64(n))
	if lost {
		if err = r.fetch(b, at); err == nil {
			n = len(b)
		}
	}
	return n, err
}

// enter finds the piece that holds the byte at, and where it ends, and begins to read it; nil if none does, and where the next
// one begins. One that has not been begun is begun now, whatever else is held: somebody waits for it.
func (r *remote) enter(at int64) (p *piece, next int64) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	p, next = r.body.find(at)
	if p == nil {
		return nil, next
	}
	if p.done == nil {
		room.force(p.size())
		r.start(p)
	}
	p.readers++
	return p, p.To
}

// leave ends the reading of n bytes of a piece.
func (r *remote) leave(p *piece, n int64) {
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	p.readers--
	if p.again > 0 {
		p.again = max(p.again-n, 0)
	}
	for _, b := range []*batch{r.before, r.last} {
		if b == nil || b.left[p] == 0 {
			continue
		}
		taken := min(n, b.left[p])
		p.wanted -= taken
		if b.left[p] -= taken; b.left[p] == 0 && r.again && p.wanted == 0 && p.err == nil {
			r.body.keep(p)
		}
		break
	}
	r.body.settle(p)
	r.pump()
}

// Close ends what is under way and waits for it.
func (r *remote) Close() error {
	r.cancel()
	r.wg.Wait()
	r.body.mu.Lock()
	defer r.body.mu.Unlock()
	r.drop(r.before)
	r.drop(r.last)
	r.before, r.last = nil, nil
	return nil
}
