package coordinator

import (
	"context"
	"slices"
	"sync"
)

// gate bounds the memory of answers on their way to be merged. Who waits is let in first come, first served, so that
// a large answer is not starved by small ones.
type gate struct {
	mu    sync.Mutex
	total int64
	free  int64
	queue []*waiter
}

type waiter struct {
	bytes int64
	ready chan struct{} // closed once the waiter is let in
}

func newGate(total int64) *gate { return &gate{total: total, free: total} }

// acquire waits for room for so many bytes; more than there is in all counts as all. The release must be called once.
func (g *gate) acquire(ctx context.Context, bytes int64) (release func(), err error) {
	bytes = min(max(bytes, 0), g.total)
	g.mu.Lock()
	if len(g.queue) == 0 && bytes <= g.free {
		g.free -= bytes
		g.mu.Unlock()
		return g.releaser(bytes), nil
	}
	w := &waiter{bytes: bytes, ready: make(chan struct{})}
	g.queue = append(g.queue, w)
	g.mu.Unlock()
	select {
	case <-w.ready:
		return g.releaser(bytes), nil
	case <-ctx.Done():
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if at := slices.Index(g.queue, w); at >= 0 {
		g.queue = slices.Delete(g.queue, at, at+1)
	} else {
		g.free += bytes // it was let in meanwhile
	}
	g.admit()
	return nil, ctx.Err()
}

func (g *gate) releaser(bytes int64) func() {
	var once sync.Once
	return func() {
		once.Do(func() {
			g.mu.Lock()
			defer g.mu.Unlock()
			g.free += bytes
			g.admit()
		})
	}
}

// admit lets in who has room, in order. The caller holds mu.
func (g *gate) admit() {
	for len(g.queue) > 0 && g.queue[0].bytes <= g.free {
		g.free -= g.queue[0].bytes
		close(g.queue[0].ready)
		g.queue = g.queue[1:]
	}
}

// held is how many bytes are taken.
func (g *gate) held() int64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.total - g.free
}
