package worker

import (
	"context"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// cohort is partitions that are assigned together, with the running sums of their labels. It lets a pass add and
// subtract only the rows that moved, which is exact. A task over other partitions dissolves the cohorts it touches:
// their labels count as unknown, and the next pass is a full one.
type cohort struct {
	ids       []int
	k         int
	algorithm kmeans.Algorithm
	mu        sync.Mutex // guards sums, and the digests of the holdings, while threads drain into them
	sums      *kmeans.Sums
	last      uint64 // the round of the last pass
	// tracker knows how far the centroids have travelled, which bounds the work of a pass. The tracks are the holdings'.
	tracker *kmeans.Tracker
}

// cohortFor finds the cohort of exactly these holdings, or makes one; fresh says that it has no labels yet.
func (e *Engine) cohortFor(list []*holding, t *wire.Task) (c *cohort, fresh bool) {
	k := t.Centroids.K
	ids := make([]int, len(list))
	weighted := false
	for i, h := range list {
		ids[i] = h.id
		weighted = weighted || h.points.Weighted()
	}
	for _, c := range e.cohorts {
		if c.k == k && c.algorithm == t.Algorithm && slices.Equal(c.ids, ids) {
			return c, false
		}
	}
	e.dissolve(ids)
	for _, h := range list {
		h.track = kmeans.NewTrack(h.points)
		h.digest = 0
	}
	d := list[0].points.Columns()
	c = &cohort{ids: ids, k: k, algorithm: t.Algorithm, sums: kmeans.NewSums(k, d, weighted), tracker: kmeans.NewTracker(t.Algorithm, k, d)}
	e.cohorts = append(e.cohorts, c)
	return c, true
}

// dissolve forgets the cohorts that hold any of these partitions.
func (e *Engine) dissolve(ids []int) {
	e.cohorts = slices.DeleteFunc(e.cohorts, func(c *cohort) bool {
		return slices.ContainsFunc(c.ids, func(id int) bool { return slices.Contains(ids, id) })
	})
}

// accumulators gives every thread an empty accumulator of the shape of s.
func (e *Engine) accumulators(s *kmeans.Sums) {
	for _, t := range e.threads {
		if t.acc == nil || !t.acc.Fits(s) {
			t.acc = kmeans.NewAccumulator(s.K, s.D, s.Weights != nil)
		}
	}
}

// assign does an Iterate or a Score: every row to its nearest centroid, sums brought up to date.
func (e *Engine) assign(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	list, err := e.holdings(t.Partitions)
	if err != nil {
		return nil, err
	}
	c, fresh := e.cohortFor(list, t)
	e.accumulators(c.sums)
	for _, h := range list {
		h.seed = nil // seeding is over, and its distances take twice the room of the labels
	}
	pass := c.tracker.Next(t.Centroids, t.Kind == wire.Score)
	tracks := make([]*kmeans.Track, len(list))
	for i, h := range list {
		tracks[i] = h.track
		pass.Prepare(h.track)
	}
	inertia := make([]exact.Bins, len(e.threads))
	spans := spansOf(list)
	err = e.parallel(ctx, spans, func(th *thread, slot int, s span) {
		if th.on != s.h {
			c.drain(th)
			th.on = s.h
		}
		pass.Update(s.h.points, s.lo, s.hi, s.h.track, th.acc, &inertia[slot], &th.scratch)
	})
	moved := int64(0)
	for _, th := range e.threads {
		c.drain(th)
		moved += th.moved
		th.moved, th.on = 0, nil
	}
	if err != nil {
		// Half a pass: labels and sums agree, but not with any centroids.
		e.cohorts = slices.DeleteFunc(e.cohorts, func(o *cohort) bool { return o == c })
		return nil, err
	}
	pass.Done(tracks, moved)
	// Who sat out a round, or did it twice, has counted from other labels than the task means.
	p := &wire.Partial{Sums: c.sums.Clone(), Moved: moved, Fresh: fresh || c.last != t.Since, Digests: make(map[int]uint64, len(list))}
	for _, h := range list {
		p.Digests[h.id] = h.digest
	}
	c.last = t.Round
	p.Intake.Kept = rowsOf(list)
	if t.Kind == wire.Score {
		p.Inertia = new(exact.Bins)
		for i := range inertia {
			p.Inertia.Merge(&inertia[i])
		}
	}
	return p, nil
}

// drain adds a thread's moves to the sums, and their digest to that of the partition that they were in. The digest is
// linear, so it is that of the partition's own sums, which nobody has to keep.
func (c *cohort) drain(th *thread) {
	if th.on == nil {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	th.on.digest = kmeans.AddDigests(th.on.digest, th.acc.Digest())
	th.moved += th.acc.Drain(c.sums)
}

func rowsOf(list []*holding) int64 {
	rows := int64(0)
	for _, h := range list {
		rows += int64(h.points.Rows())
	}
	return rows
}

// farthest finds the farthest distinct Points from their centroids.
func (e *Engine) farthest(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	list, err := e.holdings(t.Partitions)
	if err != nil {
		return nil, err
	}
	a := kmeans.NewAssigner(t.Centroids)
	found := make([]*kmeans.Farthest, len(e.threads))
	for i := range found {
		found[i] = kmeans.NewFarthest(t.K)
	}
	err = e.parallel(ctx, spansOf(list), func(th *thread, slot int, s span) {
		a.Farthest(s.h.points, s.lo, s.hi, found[slot], &th.scratch)
	})
	for _, f := range found[1:] {
		found[0].Merge(f)
	}
	return &wire.Partial{Farthest: found[0]}, err
}

// seed does one round of seeding.
func (e *Engine) seed(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	if t.Seed.Recluster {
		centers, err := kmeans.Recluster(t.Seed)
		return &wire.Partial{Seed: &kmeans.SeedPartial{Centers: centers}}, err
	}
	list, err := e.holdings(t.Partitions)
	if err != nil {
		return nil, err
	}
	candidates := 0
	if t.Seed.Candidates != nil {
		candidates = t.Seed.Candidates.K
	}
	known := make([]int, len(list))
	for i, h := range list {
		// A coordinator that has started again seeds from the beginning, with the seed of before: distances to candidates
		// that it has not found yet would be of another seeding.
		if h.seed == nil || h.seededFor != t.Seed.Seed || h.seed.Known() > candidates {
			h.seed, h.seededFor = kmeans.NewSeedState(h.points), t.Seed.Seed
		}
		known[i] = h.seed.Known()
	}
	round := kmeans.NewSeedRound(t.Seed, known)
	parts := make([]*kmeans.SeedPartial, len(e.threads)) // each of the partition that its thread is in
	for i := range parts {
		parts[i] = kmeans.NewSeedPartial(t.Seed)
	}
	var mu sync.Mutex
	found := make(map[*holding]*kmeans.SeedPartial, len(list))
	leave := func(th *thread, slot int) {
		mu.Lock()
		defer mu.Unlock()
		if known := found[th.on]; known != nil {
			known.Merge(parts[slot])
		} else if th.on != nil {
			found[th.on] = parts[slot]
		}
		th.on, parts[slot] = nil, kmeans.NewSeedPartial(t.Seed)
	}
	err = e.parallel(ctx, spansOf(list), func(th *thread, slot int, s span) {
		if th.on != s.h {
			leave(th, slot)
			th.on = s.h
		}
		round.Do(s.h.points, s.h.seed, s.lo, s.hi, parts[slot], &th.scratch)
	})
	for slot, th := range e.threads {
		leave(th, slot)
	}
	if err != nil {
		for _, h := range list {
			h.seed = nil // half a round: some rows know candidates that others do not
		}
		return nil, err
	}
	whole := &wire.Partial{Seed: kmeans.NewSeedPartial(t.Seed), Digests: make(map[int]uint64, len(list))}
	for _, h := range list {
		round.Finish(h.seed)
		p := found[h]
		if p == nil {
			p = kmeans.NewSeedPartial(t.Seed) // a partition without rows
		}
		whole.Digests[h.id] = seedDigest(p)
		whole.Seed.Merge(p)
	}
	whole.Seed.RacedByKey() // fetches Points, which belong to the pass
	return whole, nil
}
