package worker

import (
	"sync"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// seeded is what a holding's rows know of one run's candidates.
type seeded struct {
	*kmeans.SeedState
	seed uint64 // the seeding that it belongs to
}

// seeding is one round of seeding of one run.
type seeding struct {
	task  *wire.Task
	list  []*holding
	round *kmeans.SeedRound
	parts []*kmeans.SeedPartial // by slot: of the partition that the thread is in

	mu    sync.Mutex // guards found
	found map[*holding]*kmeans.SeedPartial
}

func (e *Engine) newSeeding(list []*holding, t *wire.Task) *seeding {
	candidates := 0
	if t.Seed.Candidates != nil {
		candidates = t.Seed.Candidates.K
	}
	known := make([]int, len(list))
	for i, h := range list {
		// A coordinator that has started again seeds from the beginning, with the seed of before: distances to candidates
		// that it has not found yet would be of another seeding.
		if st := h.seeds[t.Run]; st == nil || st.seed != t.Seed.Seed || st.Known() > candidates {
			if h.seeds == nil {
				h.seeds = make(map[int]*seeded)
			}
			h.seeds[t.Run] = &seeded{SeedState: kmeans.NewSeedState(h.points), seed: t.Seed.Seed}
		}
		known[i] = h.seeds[t.Run].Known()
	}
	s := &seeding{task: t, list: list, round: kmeans.NewSeedRound(t.Seed, known), found: make(map[*holding]*kmeans.SeedPartial, len(list))}
	for range e.threads {
		s.parts = append(s.parts, kmeans.NewSeedPartial(t.Seed))
	}
	return s
}

// forgetSeeds forgets what a run's seeding knew of rows: it is over, and takes as much room as what comes next.
func forgetSeeds(list []*holding, run int) {
	for _, h := range list {
		delete(h.seeds, run)
	}
}

func (s *seeding) do(th *thread, slot int, sp span) {
	state := sp.h.seeds[s.task.Run].SeedState
	if sp.view != nil {
		state = state.Part(sp.at)
	}
	s.round.Do(sp.points(), state, sp.lo, sp.hi, s.parts[slot], &th.scratch)
}

func (s *seeding) skips(*holding, int, int) bool { return false }

func (s *seeding) settle(slot int, p *kmeans.Points) { s.parts[slot].Settle(p) }

func (s *seeding) leave(slot int, h *holding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if known := s.found[h]; known != nil {
		known.Merge(s.parts[slot])
	} else {
		s.found[h] = s.parts[slot]
	}
	s.parts[slot] = kmeans.NewSeedPartial(s.task.Seed)
}

func (s *seeding) answer(err error) *wire.Partial {
	if err != nil {
		for _, h := range s.list {
			delete(h.seeds, s.task.Run) // half a round: some rows know candidates that others do not
		}
		return nil
	}
	whole := &wire.Partial{Seed: kmeans.NewSeedPartial(s.task.Seed), Digests: make(map[int]uint64, len(s.list))}
	for _, h := range s.list {
		s.round.Finish(h.seeds[s.task.Run].SeedState)
		p := s.found[h]
		if p == nil {
			p = kmeans.NewSeedPartial(s.task.Seed) // a partition without rows
		}
		whole.Digests[h.id] = seedDigest(p)
		whole.Seed.Merge(p)
	}
	whole.Seed.RacedByKey() // fetches Points, which belong to the pass
	return whole
}
