package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"hash/fnv"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// strand is one run's part of a pass over holdings.
type strand interface {
	// do works on a span. Threads call it side by side, each with a slot of its own.
	do(th *thread, slot int, s span)
	// skips says that do would find nothing to do for rows of a holding, whose values it need not see to know.
	skips(h *holding, lo, hi int) bool
	// settle takes what it still needs of Points that are about to be gone.
	settle(slot int, p *kmeans.Points)
	// leave books what a thread has gathered of the holding that it goes away from.
	leave(slot int, h *holding)
	// answer ends the pass. Where err says that it was cut short, what is kept of the run is forgotten.
	answer(err error) *wire.Partial
}

// strandsOf are the runs' tasks that a task is made of: itself, or the strands of Together with what they have in common.
func strandsOf(t *wire.Task) []*wire.Task {
	if t.Kind != wire.Together {
		return []*wire.Task{t}
	}
	list := make([]*wire.Task, len(t.Strands))
	for i, s := range t.Strands {
		own := *s
		own.Epoch, own.Round, own.Partitions, own.Algorithm = t.Epoch, t.Round, t.Partitions, t.Algorithm
		list[i] = &own
	}
	return list
}

// walk does a Seed, Iterate, Farthest or Score, or those of several runs: each span is worked on for all of them while it
// is in the cache. The runs share nothing else, so each comes to the bits that it comes to alone.
func (e *Engine) walk(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	tasks := strandsOf(t)
	if slices.ContainsFunc(tasks, reclusters) {
		return e.recluster(ctx, t, tasks)
	}
	list, err := e.holdings(t.Partitions)
	if err != nil {
		return nil, err
	}
	e.only(tasks)
	for _, task := range tasks {
		if task.Kind != wire.Seed {
			forgetSeeds(list, task.Run)
		}
	}
	if err := e.yield(tasks); err != nil {
		return nil, err
	}
	strands := make([]strand, len(tasks))
	for i, task := range tasks {
		strands[i] = e.strand(list, task)
	}
	on := make([]*holding, len(e.threads)) // which each thread is in
	turn := func(slot int, to *holding) {
		if on[slot] == to {
			return
		}
		for _, s := range strands {
			if on[slot] != nil {
				s.leave(slot, on[slot])
			}
		}
		on[slot] = to
	}
	err = e.over(ctx, list, func(h *holding, lo, hi int) bool {
		return !slices.ContainsFunc(strands, func(s strand) bool { return !s.skips(h, lo, hi) })
	}, func(th *thread, slot int, s span) {
		turn(slot, s.h)
		for _, strand := range strands {
			strand.do(th, slot, s)
		}
	}, func(slot int, p *kmeans.Points) {
		for _, strand := range strands {
			strand.settle(slot, p)
		}
	})
	partials := make([]*wire.Partial, len(strands))
	for slot := range on {
		turn(slot, nil)
	}
	for i, s := range strands {
		partials[i] = s.answer(err)
	}
	if err != nil {
		return nil, err
	}
	return joined(t, partials), nil
}

// strand makes one run's part of a pass.
func (e *Engine) strand(list []*holding, t *wire.Task) strand {
	switch t.Kind {
	case wire.Seed:
		return e.newSeeding(list, t)
	case wire.Farthest:
		return e.newSearch(list, t)
	}
	return e.newAssignment(list, t)
}

// joined is the answer to a task, of those to its strands. A partition's digest is that of its digests.
func joined(t *wire.Task, partials []*wire.Partial) *wire.Partial {
	if t.Kind != wire.Together {
		return partials[0]
	}
	whole := &wire.Partial{Strands: partials, Digests: make(map[int]uint64)}
	for _, id := range t.Partitions {
		h, known := fnv.New64a(), false
		for _, p := range partials {
			if digest, has := p.Digests[id]; has {
				known = true
				h.Write(binary.LittleEndian.AppendUint64(nil, digest)) // it does not fail
			}
		}
		if known {
			whole.Digests[id] = h.Sum64()
		}
	}
	for _, p := range partials {
		p.Digests = nil // they are in the whole's
	}
	return whole
}

// only forgets the runs that a round over rows does not name: they are over, and what is known of their rows takes more
// memory than the Points where there are some of them. The caller has the pass.
func (e *Engine) only(tasks []*wire.Task) {
	named := make(map[int]bool, len(tasks))
	for _, t := range tasks {
		named[t.Run] = true
	}
	e.cohorts = slices.DeleteFunc(e.cohorts, func(c *cohort) bool { return !named[c.run] })
	e.mu.Lock()
	defer e.mu.Unlock()
	e.runBytes = 0
	for _, t := range tasks {
		switch {
		case t.Centroids != nil:
			e.runBytes += t.Algorithm.TrackBytes(t.Centroids.K, t.Centroids.D)
		case t.Seed.Candidates != nil:
			e.runBytes += t.Algorithm.TrackBytes(t.Seed.Candidates.K, t.Seed.Candidates.D)
		}
	}
	for _, h := range e.held {
		for run := range h.tracks {
			if !named[run] {
				delete(h.tracks, run)
			}
		}
		for run := range h.seeds {
			if !named[run] {
				delete(h.seeds, run)
			}
		}
	}
}

// errMixed is a task that no coordinator makes.
var errMixed = errors.New("worker: candidates to bring down to k beside rounds over rows")

func reclusters(t *wire.Task) bool { return t.Seed != nil && t.Seed.Recluster }

// recluster brings the candidates of runs down to k, as many runs at a time as there are threads.
func (e *Engine) recluster(ctx context.Context, t *wire.Task, tasks []*wire.Task) (*wire.Partial, error) {
	partials, errs := make([]*wire.Partial, len(tasks)), make([]error, len(tasks))
	seats := make(chan struct{}, len(e.threads))
	var wait sync.WaitGroup
	for i, task := range tasks {
		if !reclusters(task) {
			errs[i] = errMixed
			continue
		}
		seats <- struct{}{}
		wait.Go(func() {
			defer func() { <-seats }()
			if errs[i] = ctx.Err(); errs[i] != nil {
				return
			}
			var centers *kmeans.Centroids
			centers, errs[i] = kmeans.Recluster(task.Seed)
			partials[i] = &wire.Partial{Seed: &kmeans.SeedPartial{Centers: centers}}
		})
	}
	wait.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return joined(t, partials), nil
}
