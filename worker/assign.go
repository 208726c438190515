package worker

import (
	"slices"
	"sync"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// cohort is partitions that are assigned together in one run, with the running sums of their labels. It lets a pass add
// and subtract only the rows that moved, which is exact. A task over other partitions dissolves the run's cohorts that it
// touches: their labels count as unknown, and the next pass is a full one.
type cohort struct {
	run       int
	ids       []int
	k         int
	algorithm kmeans.Algorithm
	mu        sync.Mutex // guards sums, moved, and the digests of the tracks, while threads drain into them
	sums      *kmeans.Sums
	moved     int64                 // in the pass under way
	accs      []*kmeans.Accumulator // by slot; empty between passes
	last      uint64                // the round of the last pass
	// tracker knows how far the centroids have travelled, which bounds the work of a pass. The tracks are the holdings'.
	tracker *kmeans.Tracker
}

// tracked is what is known of a holding's rows in one run.
type tracked struct {
	*kmeans.Track
	digest uint64 // of the sums of its labels
}

// cohortFor finds the run's cohort of exactly these holdings, or makes one; fresh says that it has no labels yet.
func (e *Engine) cohortFor(list []*holding, t *wire.Task) (c *cohort, fresh bool) {
	k := t.Centroids.K
	ids := make([]int, len(list))
	weighted := false
	for i, h := range list {
		ids[i] = h.id
		weighted = weighted || h.points.Weighted()
	}
	for _, c := range e.cohorts {
		if c.run == t.Run && c.k == k && c.algorithm == t.Algorithm && slices.Equal(c.ids, ids) {
			return c, false
		}
	}
	e.dissolveIf(ids, func(c *cohort) bool { return c.run == t.Run })
	for _, h := range list {
		if h.tracks == nil {
			h.tracks = make(map[int]*tracked)
		}
		h.tracks[t.Run] = &tracked{Track: kmeans.NewTrack(h.assigned())}
	}
	d := t.Centroids.D
	c = &cohort{run: t.Run, ids: ids, k: k, algorithm: t.Algorithm, sums: kmeans.NewSums(k, d, weighted),
		tracker: kmeans.NewTracker(t.Algorithm, k, d)}
	for range e.threads {
		c.accs = append(c.accs, kmeans.NewAccumulator(k, d, weighted))
	}
	e.cohorts = append(e.cohorts, c)
	return c, true
}

// dissolve forgets the cohorts that hold any of these partitions.
func (e *Engine) dissolve(ids []int) { e.dissolveIf(ids, func(*cohort) bool { return true }) }

// dissolveIf is dissolve for the cohorts that may go.
func (e *Engine) dissolveIf(ids []int, may func(*cohort) bool) {
	e.cohorts = slices.DeleteFunc(e.cohorts, func(c *cohort) bool {
		return may(c) && slices.ContainsFunc(c.ids, func(id int) bool { return slices.Contains(ids, id) })
	})
}

// assignment is an Iterate or a Score: every row to its nearest centroid, sums brought up to date.
type assignment struct {
	engine  *Engine
	task    *wire.Task
	list    []*holding
	cohort  *cohort
	fresh   bool
	pass    *kmeans.Pass
	inertia []exact.Bins   // by slot
	spread  [][]exact.Bins // by slot, by cluster; nil unless it is asked for
}

func (e *Engine) newAssignment(list []*holding, t *wire.Task) *assignment {
	a := &assignment{engine: e, task: t, list: list, inertia: make([]exact.Bins, len(e.threads))}
	a.cohort, a.fresh = e.cohortFor(list, t)
	a.cohort.moved = 0
	if t.Spread {
		a.spread = make([][]exact.Bins, len(e.threads))
		for slot := range a.spread {
			a.spread[slot] = make([]exact.Bins, t.Centroids.K)
		}
	}
	a.pass = a.cohort.tracker.Next(t.Centroids, t.Kind == wire.Score)
	for _, h := range list {
		a.pass.Prepare(h.tracks[t.Run].Track)
	}
	return a
}

func (a *assignment) do(th *thread, slot int, s span) {
	points, track := s.h.assigned(), s.h.tracks[a.task.Run].Track
	if s.view != nil {
		points, track = s.view, track.Part(s.at, s.at+s.view.Rows())
	}
	lo, hi := s.lo, min(s.hi, points.Rows()) // spans are of all rows, of which there may be fewer kinds
	if lo >= hi {
		return
	}
	acc, inertia := a.cohort.accs[slot], &a.inertia[slot]
	if a.spread != nil {
		a.pass.UpdateSpread(points, lo, hi, track, acc, inertia, a.spread[slot], &th.scratch)
		return
	}
	a.pass.Update(points, lo, hi, track, acc, inertia, &th.scratch)
}

func (a *assignment) skips(h *holding, lo, hi int) bool {
	return a.pass.Skips(h.tracks[a.task.Run].Track, lo, hi)
}

func (a *assignment) settle(int, *kmeans.Points) {}

// leave adds a thread's moves to the sums, and their digest to that of the partition that they were in. The digest is
// linear, so it is that of the partition's own sums, which nobody has to keep.
func (a *assignment) leave(slot int, h *holding) {
	c := a.cohort
	c.mu.Lock()
	defer c.mu.Unlock()
	acc, track := c.accs[slot], h.tracks[c.run]
	track.digest = kmeans.AddDigests(track.digest, acc.Digest())
	c.moved += acc.Drain(c.sums)
}

func (a *assignment) answer(err error) *wire.Partial {
	c, t := a.cohort, a.task
	if err != nil {
		// Half a pass: labels and sums agree, but not with any centroids.
		a.engine.cohorts = slices.DeleteFunc(a.engine.cohorts, func(o *cohort) bool { return o == c })
		return nil
	}
	// Who sat out a round, or did it twice, has counted from other labels than the task means.
	p := &wire.Partial{Sums: c.sums.Clone(), Moved: c.moved, Fresh: a.fresh || c.last != t.Since, Digests: make(map[int]uint64, len(a.list))}
	tracks := make([]*kmeans.Track, len(a.list))
	for i, h := range a.list {
		tracks[i] = h.tracks[t.Run].Track
		p.Digests[h.id] = h.tracks[t.Run].digest
		p.Intake.Kept += int64(h.points.Rows())
	}
	a.pass.Done(tracks, c.moved)
	c.last = t.Round
	if t.Kind == wire.Score {
		p.Inertia = new(exact.Bins)
		for i := range a.inertia {
			p.Inertia.Merge(&a.inertia[i])
		}
	}
	for slot, part := range a.spread {
		if slot == 0 {
			p.Spread = part
			continue
		}
		for j := range part {
			p.Spread[j].Merge(&part[j])
		}
	}
	return p
}

// search finds the farthest distinct Points from their centroids.
type search struct {
	run      int
	assigner *kmeans.Assigner
	labelled *kmeans.Labelled   // of the assignment before, whose labels are known; nil: they are not
	found    []*kmeans.Farthest // by slot
}

func (e *Engine) newSearch(list []*holding, t *wire.Task) *search {
	s := &search{run: t.Run, assigner: kmeans.NewAssigner(t.Centroids)}
	ids := make([]int, len(list))
	for i, h := range list {
		ids[i] = h.id
	}
	for _, c := range e.cohorts {
		if c.run == t.Run && slices.Equal(c.ids, ids) {
			s.labelled = c.tracker.Labelled(t.Centroids)
		}
	}
	for range e.threads {
		s.found = append(s.found, kmeans.NewFarthest(t.K))
	}
	return s
}

func (s *search) do(th *thread, slot int, sp span) {
	if s.labelled != nil && sp.h.folded == nil { // the labels of folded rows are those of their kinds
		track := sp.h.tracks[s.run].Track
		if sp.view != nil {
			track = track.Part(sp.at, sp.at+sp.view.Rows())
		}
		s.labelled.Farthest(sp.points(), sp.lo, sp.hi, track, s.found[slot], &th.scratch)
		return
	}
	s.assigner.Farthest(sp.points(), sp.lo, sp.hi, s.found[slot], &th.scratch)
}

func (s *search) skips(*holding, int, int) bool { return false }

func (s *search) settle(int, *kmeans.Points) {}

func (s *search) leave(int, *holding) {}

func (s *search) answer(error) *wire.Partial {
	for _, f := range s.found[1:] {
		s.found[0].Merge(f)
	}
	return &wire.Partial{Farthest: s.found[0]}
}
