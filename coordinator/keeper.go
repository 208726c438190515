package coordinator

import (
	"fmt"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/live"
)

// CheckpointEvery is the longest time between two checkpoints of a fit that gets on, where nothing else is asked for.
const CheckpointEvery = 10 * time.Second

// Keeper writes a fit's checkpoints beside the rounds: at each phase's end, and otherwise as often as it is asked to.
// One is written at a time; while it is, the newest state that is due waits, and replaces one that waits already. A
// checkpoint that cannot be written does not end a fit: the one before stays, and the next one is tried again.
//
// Make it with NewKeeper, give it every Action of the job, and Close it.
type Keeper struct {
	fit      *Fit // nil: a labelling, which begins anew
	every    time.Duration
	save     func(sequence uint64, state []byte) error
	told     func(sequence uint64, bytes int, err error)
	last     time.Time
	sequence uint64
	ahead    *FitState // what the fit has come to since the last checkpoint; nil: nothing

	mu   sync.Mutex
	next *FitState
	busy bool
	wait sync.WaitGroup
}

// NewKeeper makes a keeper for a fit; sequence is the number of the last checkpoint that there is, 0 for none. save writes a
// checkpoint, and told is then told how that ended; both are called on a goroutine of the keeper's, one call at a time.
func NewKeeper(fit *Fit, every time.Duration, sequence uint64, save func(sequence uint64, state []byte) error,
	told func(sequence uint64, bytes int, err error)) *Keeper {
	return &Keeper{fit: fit, every: every, sequence: sequence, save: save, told: told, last: time.Now()}
}

// Observe is called between the job's steps, when its state is not changing.
func (k *Keeper) Observe(a Action) {
	advanced, ok := a.(Advanced)
	if !ok || k.fit == nil {
		return
	}
	state := k.fit.State()
	if state == nil {
		return
	}
	if !advanced.PhaseEnd && time.Since(k.last) < k.every {
		k.ahead = state
		return
	}
	k.keep(state)
}

// Stopped keeps where the fit has come to, when it is stopped in order: it goes on from there.
func (k *Keeper) Stopped() {
	if k.ahead != nil {
		k.keep(k.ahead)
	}
}

// keep has a state written, as soon as the one before it is.
func (k *Keeper) keep(state *FitState) {
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
func (k *Keeper) write() {
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
		k.put(state)
	}
}

// put writes one checkpoint.
func (k *Keeper) put(state *FitState) {
	data, err := EncodeState(state)
	if err == nil {
		k.sequence++
		err = k.save(k.sequence, data)
	}
	k.told(k.sequence, len(data), err)
}

// Close waits for the checkpoint under way.
func (k *Keeper) Close() { k.wait.Wait() }

// keeper is the one of a job of the server: into its store, with words for who follows the job.
func (r *jobRun) keeper(fit *Fit) *Keeper {
	failed := false // the last one could not be written: said once
	save := func(sequence uint64, state []byte) error { return r.server.config.Store.Save(r.id, sequence, state) }
	return NewKeeper(fit, r.server.config.Checkpoint, r.sequence, save, func(sequence uint64, bytes int, err error) {
		switch {
		case err == nil:
			r.server.meters.written.Add(1)
			r.lines().Info("checkpoint written", "checkpoint", sequence, "bytes", bytes)
			r.watch.saved(time.Now())
			r.tell(live.Checkpoint, "", "checkpoint %d written", sequence)
		default:
			r.server.meters.unwritten.Add(1)
			if !failed {
				r.lines().Warn("checkpoint not written, the one before it stays", "checkpoint", sequence, "error", err)
				r.note(fmt.Sprintf("checkpoint not written, the one before it stays: %v", err))
				r.tell(live.CheckpointLost, "", "checkpoint not written, the one before it stays")
			}
		}
		failed = err != nil
	})
}
