package coordinator

import (
	"fmt"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/live"
)

// keeper writes a fit's checkpoints beside the rounds: at each phase's end, and otherwise as often as the
// configuration asks for. One is written at a time; while it is, the newest state that is due waits, and replaces one that
// waits already.
type keeper struct {
	run      *jobRun
	fit      *Fit // nil: a labelling, which begins anew
	last     time.Time
	sequence uint64
	ahead    *FitState // what the fit has come to since the last checkpoint; nil: nothing

	mu     sync.Mutex
	next   *FitState
	busy   bool
	wait   sync.WaitGroup
	failed bool // the last one could not be written: said once
}

// observe is called between the job's steps, when its state is not changing.
func (k *keeper) observe(a Action) {
	advanced, ok := a.(Advanced)
	if !ok || k.fit == nil {
		return
	}
	state := k.fit.State()
	if state == nil {
		return
	}
	if !advanced.PhaseEnd && time.Since(k.last) < k.run.server.config.Checkpoint {
		k.ahead = state
		return
	}
	k.keep(state)
}

// stopped keeps where the fit has come to, when it is stopped in order: it goes on from there.
func (k *keeper) stopped() {
	if k.ahead != nil {
		k.keep(k.ahead)
	}
}

// keep has a state written, as soon as the one before it is.
func (k *keeper) keep(state *FitState) {
	k.last, k.ahead = time.Now(), nil
	k.mu.Lock()
	defer k.mu.Unlock()
	k.next = state
	if !k.busy {
		k.busy = true
		k.wait.Go(k.write)
	}
}

// write writes what is due until nothing is.
func (k *keeper) write() {
	for {
		k.mu.Lock()
		state := k.next
		k.next = nil
		if state == nil {
			k.busy = false
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		k.save(state)
	}
}

// save writes one checkpoint. A disk that is full does not end a fit: the checkpoint before stays, and the next one is
// tried again.
func (k *keeper) save(state *FitState) {
	store := k.run.server.config.Store
	data, err := encodeState(state)
	if err == nil {
		k.sequence++
		err = store.Save(k.run.id, k.sequence, data)
	}
	if err == nil {
		k.run.server.meters.written.Add(1)
	} else {
		k.run.server.meters.unwritten.Add(1)
	}
	if err != nil && !k.failed {
		k.run.lines().Warn("checkpoint not written, the one before it stays", "checkpoint", k.sequence, "error", err)
		k.run.note(fmt.Sprintf("checkpoint not written, the one before it stays: %v", err))
		k.run.tell(live.CheckpointLost, "", "checkpoint not written, the one before it stays")
	}
	if err == nil {
		k.run.lines().Info("checkpoint written", "checkpoint", k.sequence, "bytes", len(data))
		k.run.watch.saved(time.Now())
		k.run.tell(live.Checkpoint, "", "checkpoint %d written", k.sequence)
	}
	k.failed = err != nil
}

// close waits for the checkpoint under way.
func (k *keeper) close() { k.wait.Wait() }
