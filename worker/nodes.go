package worker

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/numa"
)

// Where a machine has several memories, each partition's rows lie on one node: who loads them is bound to it, and so are the
// threads that walk them first. Everything here says who does something, and nothing what comes of it.

// divided says whether threads are bound to nodes; those that are come first.
func (e *Engine) divided() bool { return e.threads[0].node != nil }

// threadsOn counts the threads of a node.
func (e *Engine) threadsOn(node *numa.Node) (n int) {
	for _, t := range e.threads {
		if t.node == node {
			n++
		}
	}
	return n
}

// place gives each of these partitions a node: the one that has the fewest rows for each of its threads. It stays there for as
// long as any rows of it are here. The caller has the pass.
func (e *Engine) place(ids []int) {
	if !e.divided() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	parts := e.config.Manifest.Partitions
	rows := make(map[*numa.Node]int64)
	for id, node := range e.placed {
		if e.held[id] == nil && e.raw.rooms[id] == nil {
			delete(e.placed, id)
			continue
		}
		rows[node] += parts[id].Rows
	}
	threads := make(map[*numa.Node]int64)
	for _, t := range e.threads {
		threads[t.node]++
	}
	for _, id := range ids {
		if e.placed[id] != nil {
			continue
		}
		least := e.threads[0].node
		for _, t := range e.threads {
			if t.node != nil && rows[t.node]*threads[least] < rows[least]*threads[t.node] {
				least = t.node
			}
		}
		e.placed[id] = least
		rows[least] += parts[id].Rows
	}
}

// nodeOf is where a partition's rows lie; nil: anywhere.
func (e *Engine) nodeOf(id int) *numa.Node {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.placed[id]
}

// onThreads runs a function on all threads, each on its node, until all are done.
func (e *Engine) onThreads(do func(t *thread, slot int)) {
	var wait sync.WaitGroup
	for slot, t := range e.threads {
		wait.Go(func() { t.node.Run(func() { do(t, slot) }) })
	}
	wait.Wait()
}

// share is spans that lie on one node, which threads take in turn.
type share struct {
	node  *numa.Node
	spans []span
	next  atomic.Int64
	_     [64]byte // others' cursors are in other lines of the cache
}

// take takes up to so many spans; nil: there are none left.
func (s *share) take(n int) []span {
	from := int(s.next.Add(int64(n))) - n
	if from >= len(s.spans) {
		return nil
	}
	return s.spans[from:min(from+n, len(s.spans))]
}

// inTurn are shares in the order in which a thread sees to them, from that of its own slot on: those of its node, then the others.
func inTurn(shares []*share, slot int, node *numa.Node) iter.Seq[*share] {
	return func(yield func(*share) bool) {
		for _, near := range []bool{true, false} {
			for turn := range shares {
				s := shares[(slot+turn)%len(shares)]
				if (s.node == node) == near && !yield(s) {
					return
				}
			}
		}
	}
}

// byNode puts spans together that lie on the same node, in the order of the threads; the last share is of those that lie anywhere.
func (e *Engine) byNode(spans []span) []*share {
	anywhere := new(share)
	if !e.divided() {
		anywhere.spans = spans
		return []*share{anywhere}
	}
	var list []*share
	of := map[*numa.Node]*share{nil: anywhere}
	for _, t := range e.threads {
		if of[t.node] == nil {
			of[t.node] = &share{node: t.node}
			list = append(list, of[t.node])
		}
	}
	for _, s := range spans {
		to := of[s.h.node]
		if to == nil {
			to = anywhere
		}
		to.spans = append(to.spans, s)
	}
	return append(list, anywhere)
}

// shares cuts spans into a share for each thread, of its node and in the order of the threads. Where all threads are bound,
// one more is of spans that lie anywhere.
func (e *Engine) shares(spans []span) []*share {
	var list []*share
	for _, s := range e.byNode(spans) {
		n := max(e.threadsOn(s.node), 1)
		for i := range n {
			list = append(list, &share{node: s.node, spans: s.spans[i*len(s.spans)/n : (i+1)*len(s.spans)/n]})
		}
	}
	return list
}
