package worker

import (
	"slices"

	"github.com/coterie-project/coterie/internal/wire"
)

// keepRounds is for how many rounds of assignments a partition is kept that is not asked for: a coordinator that tries
// another worker for it may come back, and reading it again costs more than some rounds.
const keepRounds = 3

// keeping is what an engine knows of the rounds that ask for all that it has.
type keeping struct {
	epoch, round uint64 // the newest of them
	count        int    // how many there were
}

// keep notes what a task asks for, and forgets the partitions that others have taken over: a round of assignments asks
// for all rows, so what several of them have not asked for here was asked for elsewhere. Without this a worker would in
// time hold what it has ever held, which placement does not reckon with. Other kinds of rounds say nothing: some are over
// a single partition. A worker that is asked for nothing any more keeps what it has until the job is released. The caller
// has the pass.
func (e *Engine) keep(t *wire.Task) {
	k := &e.keeping
	begins := slices.ContainsFunc(strandsOf(t), iterates) && (t.Epoch != k.epoch || t.Round != k.round)
	if begins {
		k.epoch, k.round = t.Epoch, t.Round
		k.count++
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, id := range t.Partitions {
		if h := e.held[id]; h != nil {
			h.asked = k.count
		}
	}
	if !begins {
		return
	}
	var gone []int
	for id, h := range e.held {
		if k.count-h.asked > keepRounds {
			e.drop(id)
			gone = append(gone, id)
		}
	}
	e.dissolve(gone)
}

func iterates(t *wire.Task) bool { return t.Kind == wire.Iterate }
