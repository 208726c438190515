package sim

import (
	"time"

	"github.com/coterie-project/coterie/coordinator"
)

// keeper decides when checkpoints are written, as coordinator.Keeper does, in virtual time: one is written at a time, and
// the newest state that is due waits meanwhile.
type keeper struct {
	c        *coord
	fit      *coordinator.Fit
	last     time.Duration
	sequence uint64
	ahead    *coordinator.FitState
	next     *coordinator.FitState
	writing  *coordinator.FitState
}

func (k *keeper) reset(c *coord, fit *coordinator.Fit) {
	k.c, k.fit, k.last, k.ahead = c, fit, c.w.now, nil
}

// busy says whether a checkpoint is being written.
func (k *keeper) busy() bool { return k.writing != nil }

func (k *keeper) observe(a coordinator.Advanced) {
	if k.fit == nil {
		return
	}
	state := k.fit.State()
	if state == nil {
		return
	}
	if !a.PhaseEnd && k.c.w.now-k.last < k.c.w.script.Checkpoint {
		k.ahead = state
		return
	}
	k.due(state)
}

// stopped keeps where the fit has come to, when it is stopped in order.
func (k *keeper) stopped() {
	if k.ahead != nil {
		k.due(k.ahead)
	}
}

func (k *keeper) due(state *coordinator.FitState) {
	k.last, k.ahead = k.c.w.now, nil
	k.next = state
	if !k.busy() {
		k.begin()
	}
}

// begin begins to write what is due. It takes a while, in which rounds go on.
func (k *keeper) begin() {
	k.writing, k.next = k.next, nil
	if k.writing != nil {
		k.c.later(k.c.bed.takes(), "checkpoint", k.write)
	}
}

// write lets the checkpoint come to be.
func (k *keeper) write() {
	if k.writing == nil {
		return
	}
	c := k.c
	data, err := coordinator.EncodeState(k.writing)
	if err != nil {
		c.w.breaks("a state cannot be encoded: %v", err)
		return
	}
	k.writing = nil
	k.sequence++
	err = c.store.Save(c.w.job, k.sequence, data)
	c.w.note("checkpoint", c.epoch, k.sequence, err == nil)
	switch {
	case c.overtaken(err):
		return
	case err == nil:
		c.w.books.saved(c, k.sequence)
	case !c.bed.dead && !c.w.disk.troubled():
		c.w.breaks("I4: checkpoint %d could not be written: %v", k.sequence, err)
	}
	k.begin()
}
