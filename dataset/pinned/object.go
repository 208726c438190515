package pinned

import (
	"cmp"
	"context"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/coterie-project/coterie/internal/object"
)

// remote is an object that is open. It holds what has been fetched ahead and not been read yet.
type remote struct {
	ctx    context.Context
	cancel context.CancelFunc
	store  object.Store
	info   object.Info
	wg     sync.WaitGroup

	mu     sync.Mutex
	before *batch // of the Want before the last, whose rest is still being read
	last   *batch
	held   int64 // bytes of pieces that are fetched or under way
}

// Object is the Handle of the object that info is of. Its reads end with ctx, and Close waits for what is under way. Nothing
// is asked of the store before the first read.
func Object(ctx context.Context, store object.Store, info object.Info) Handle {
	r := &remote{store: store, info: info}
	r.ctx, r.cancel = context.WithCancel(ctx)
	return r
}

// ObjectState is the state of an object, which is what its ETag says.
func ObjectState(info object.Info) State { return State{Size: info.Size, ETag: info.ETag} }

func (r *remote) State() (State, error) { return ObjectState(r.info), nil }

// Want implements Handle. What the Want before announced is kept, so that a reader can announce what comes next while it
// reads; what is older is dropped.
func (r *remote) Want(spans []Span) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(r.before)
	r.before, r.last = r.last, plan(spans, r.info.Size)
	r.pump()
}

// drop gives back what a batch holds. What is under way is given back when it is there.
func (r *remote) drop(b *batch) {
	if b == nil {
		return
	}
	for _, p := range b.pieces {
		p.left = 0
		r.settle(p)
	}
}

// settle gives back the memory of a piece that nobody needs any more. The caller holds the lock.
func (r *remote) settle(p *piece) {
	if p.left > 0 || p.readers > 0 || p.buf == nil || !p.over() {
		return
	}
	giveBack(p.buf)
	r.held -= p.size()
	p.buf = nil
}

// pump starts to fetch what comes next, as far as the bounds allow. The caller holds the lock.
func (r *remote) pump() {
	for _, b := range []*batch{r.before, r.last} {
		for b != nil && b.next < len(b.pieces) {
			p := b.pieces[b.next]
			if p.done == nil && p.left > 0 {
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
	p.buf, p.done = buffer(p.size()), make(chan struct{})
	r.held += p.size()
	r.wg.Go(func() {
		p.err = r.fetch(p.buf, p.From)
		close(p.done)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.settle(p)
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
	return r.store.ReadAt(r.ctx, r.info, b, at)
}

// ReadAt implements io.ReaderAt: from what is fetched ahead, or else by a request of its own.
func (r *remote) ReadAt(b []byte, at int64) (int, error) {
	n := 0
	for n < len(b) && at+int64(n) < r.info.Size {
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
	p := r.enter(at)
	if p == nil {
		b = b[:min(int64(len(b)), r.info.Size-at)]
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
	n := 0
	if err == nil {
		if err = p.err; err == nil {
			n = copy(b, p.buf[at-p.From:])
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	p.readers--
	p.left -= int64(n)
	r.settle(p)
	r.pump()
	return n, err
}

// enter finds the piece that holds the byte at and begins to read it; nil if none does. One that has not been begun is begun
// now, whatever else is held: somebody waits for it.
func (r *remote) enter(at int64) *piece {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, b := range []*batch{r.before, r.last} {
		p := b.find(at)
		if p == nil || p.left <= 0 {
			continue
		}
		if p.done == nil {
			room.force(p.size())
			r.start(p)
		}
		p.readers++
		return p
	}
	return nil
}

// Close ends what is under way and waits for it.
func (r *remote) Close() error {
	r.cancel()
	r.wg.Wait()
	r.mu.Lock()
	defer r.mu.Unlock()
	r.drop(r.before)
	r.drop(r.last)
	r.before, r.last = nil, nil
	return nil
}

// batch is what one Want has announced.
type batch struct {
	pieces []*piece // in the order in which they are fetched
	sorted []*piece // by where they lie
	next   int      // the first of pieces that pump has not looked at
}

// piece is one request.
type piece struct {
	Span
	left    int64 // bytes of it that were announced and not read yet; 0: nobody needs it
	readers int   // that are copying from buf
	buf     []byte
	done    chan struct{} // closed when buf and err are there; nil: not begun
	err     error
}

func (p *piece) size() int64 { return p.To - p.From }

// over says whether the request has ended.
func (p *piece) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

func (b *batch) find(at int64) *piece {
	if b == nil {
		return nil
	}
	i := sort.Search(len(b.sorted), func(i int) bool { return b.sorted[i].From > at }) - 1
	if i < 0 || at >= b.sorted[i].To {
		return nil
	}
	return b.sorted[i]
}

func batchOf(pieces []*piece) *batch {
	sorted := slices.Clone(pieces)
	slices.SortStableFunc(sorted, func(a, b *piece) int { return cmp.Compare(a.From, b.From) })
	return &batch{pieces: pieces, sorted: sorted}
}
