package sim

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// books are what the simulator has seen itself, apart from the code that it checks.
type books struct {
	w *world

	owner  *coord // whose round it is
	round  uint64
	kind   wire.Kind
	asked  int
	have   map[int]string // partitions booked in the round, and whose answer it was
	gave   map[share]bool // who has answered for what in the round since it was asked for it last, booked or not
	wrong  bool           // an answer with wrong sums is booked in it
	grief  int            // losses and errors in the round that may be held against a partition
	epoch  uint64         // the highest begun
	acked  uint64         // the checkpoint that was last said to be written
	before uint64         // and the one before it
	tried  []string       // states whose writing has begun since
	stands string         // the state that was last said to be written
}

// begin is a run of the job that begins.
func (b *books) begin(c *coord) {
	b.owner, b.round, b.asked, b.have, b.wrong, b.grief = c, c.last, 0, make(map[int]string), false, 0
	b.gave = make(map[share]bool)
}

// share is a worker's part of a round: one partition.
type share struct {
	worker    string
	partition int
}

// gives notes an answer that a job is about to be told of.
func (b *books) gives(a *wire.Answer) {
	if b.owner == nil || a.Err != nil || a.Epoch != b.owner.epoch || a.Round != b.round {
		return
	}
	for _, id := range a.Covered {
		b.gave[share{a.Worker, id}] = true
	}
}

// asks notes that a worker is asked, perhaps anew.
func (b *books) asks(t *sentTask) {
	for _, id := range t.covered {
		delete(b.gave, share{t.worker, id})
	}
}

// opened is a round that begins: the one before must have been booked whole (I2).
func (b *books) opened(c *coord, a *coordinator.Opened) {
	w := b.w
	if b.owner != c {
		return // an older coordinator goes on until it is told that it is over
	}
	b.whole(fmt.Sprintf("round %d begins", a.Round))
	if a.Round <= b.round {
		w.breaks("I4: round %d is opened after round %d", a.Round, b.round)
	}
	b.round, b.kind, b.asked, b.have, b.wrong, b.grief = a.Round, a.Kind, a.Partitions, make(map[int]string), false, 0
	b.gave = make(map[share]bool)
}

// whole holds what comes after a round against it: all of it must be booked (I2), and nothing wrong (I3).
func (b *books) whole(next string) {
	if len(b.have) != b.asked {
		b.w.breaks("I2: %s while round %d has %d of %d partitions", next, b.round, len(b.have), b.asked)
	}
	if b.wrong {
		b.w.breaks("I3: %s, and wrong sums were booked in round %d", next, b.round)
	}
}

// finished is a job that has come to its result.
func (b *books) finished(c *coord) {
	if b.owner == c {
		b.whole("the job is over")
	}
}

// failed is a job that has ended without one. Where nothing was missing but wrong sums were there, it must say so (I3).
func (b *books) failed(c *coord, err error) {
	if b.owner != c || !b.wrong {
		return
	}
	switch {
	case errors.Is(err, kmeans.ErrConservation):
		b.w.caught++
	case len(b.have) == b.asked:
		b.w.breaks("I3: wrong sums were booked in round %d, and the job ends with: %v", b.round, err)
	}
}

// advanced holds where the runs of a fit have come to against the twin, to the bit (I1).
func (b *books) advanced(c *coord) {
	if b.w.twin.fault != "" {
		return
	}
	eachUpdate(c.fit, func(u update, digest uint64) {
		if want, there := b.w.twin.updates[u]; !there || digest != want {
			b.w.breaks("I1: after %d updates run %d has the digest %x, the twin's has %x (it has one: %t)", u.done, u.run, digest, want, there)
		}
	})
}

// booked is an answer that counts (I2, I4).
func (b *books) booked(c *coord, a *coordinator.Booked) {
	if b.owner != c {
		return
	}
	w := b.w
	if s := c.stepping; s == nil || s.Epoch != c.epoch || s.Round != c.round {
		w.breaks("I4: an answer counts that is not of epoch %d and round %d", c.epoch, c.round)
	}
	for _, id := range a.Covered {
		switch {
		case id < 0 || id >= w.script.Partitions:
			w.breaks("I2: partition %d counts, and there is none", id)
		case b.have[id] != "":
			w.breaks("I2: partition %d counts twice in round %d", id, b.round)
		}
		b.have[id] = a.Worker
	}
	b.wrong = b.wrong || c.spoilt
	if a.Open != b.asked-len(b.have) {
		w.breaks("I2: round %d waits for %d partitions, and %d of %d are booked", b.round, a.Open, len(b.have), b.asked)
	}
	w.note("booked", a.Worker, a.Covered)
}

// begins is a coordinator that has an epoch (I4).
func (b *books) begins(epoch uint64) {
	if epoch <= b.epoch {
		b.w.breaks("I4: epoch %d begins after epoch %d", epoch, b.epoch)
	}
	b.epoch = epoch
}

// wrote is something that a coordinator has written: one that is over must not (I4).
func (b *books) wrote(c *coord, what string) {
	for _, other := range b.w.coords[c.number+1:] {
		if other.epoch > c.epoch {
			b.w.breaks("I4: the coordinator of epoch %d has written %s after epoch %d had begun", c.epoch, what, other.epoch)
		}
	}
}

// saved is a checkpoint that is said to be written.
func (b *books) saved(c *coord, sequence uint64) {
	b.wrote(c, "a checkpoint")
	b.before, b.acked = b.acked, sequence
}

// loaded holds what a start finds against what was said to be written: a checkpoint is never lost. One that was damaged
// gives way to the one before.
func (b *books) loaded(c *coord, sequence uint64) {
	if sequence < b.acked && b.w.disk.damaged == 0 {
		b.w.breaks("I4: checkpoint %d was written, and epoch %d begins with %d", b.acked, c.epoch, sequence)
	}
	if sequence < b.before {
		b.w.breaks("I4: checkpoint %d was damaged, %d before it was not, and epoch %d begins with %d", b.acked, b.before, c.epoch, sequence)
	}
	if sequence < b.acked {
		b.before, b.acked = sequence, sequence
	}
}

// writing is a state that is about to be written. One whose writing ended with an error may be on the disk all the same.
func (b *books) writing(state string) { b.tried = append(b.tried, state) }

// written is a state that was said to be written.
func (b *books) written(state string) { b.stands, b.tried = state, nil }

// found holds the state that a start finds against what was said to be written.
func (b *books) found(state string) {
	if state != b.stands && !slices.Contains(b.tried, state) && b.stands != "" {
		b.w.breaks("I4: the job is %q on the disk, it was %q, or about to be one of %q", state, b.stands, b.tried)
	}
	b.written(state)
}

// check holds the coordinator's books against what was seen, after each event that has changed them.
func (w *world) check() {
	c := w.current()
	if c == nil || !c.changed || !c.alive {
		return
	}
	c.changed = false
	if !c.running || c.ending || w.books.owner != c {
		return
	}
	if c.waiting && c.present() >= w.script.Least {
		w.breaks("I7: the job waits with %d workers, %d are enough", c.present(), w.script.Least)
	}
	if !c.begun {
		return // nobody is asked for anything
	}
	// under counts what somebody is asked for, wanted what of that is not booked yet: whoever was given a partition that
	// the one before answers after all goes on computing it.
	var asked, wanted [maxPartitions]bool
	under, distinct := 0, 0
	for _, t := range c.sent {
		if m := c.named(t.worker); m == nil || m.lost {
			w.breaks("I7: an answer is expected of %s, which is not there", t.worker)
		}
		for _, id := range t.covered {
			// Whose answer to an earlier task covers what is booked, since it was given up and has come back, computes it once
			// more in vain, and sends nothing new.
			if !asked[id] && (w.books.have[id] == "" || !w.books.gave[share{t.worker, id}]) {
				asked[id] = true
				under++
			}
			if w.books.have[id] == "" && !wanted[id] {
				wanted[id] = true
				distinct++
			}
		}
	}
	open := w.books.asked - len(w.books.have)
	switch {
	case w.books.kind == wire.Label && under > w.script.Window:
		w.breaks("I5: %d partitions are under way in a window of %d", under, w.script.Window)
	case distinct > open:
		w.breaks("I2: %d partitions are open, %d are asked of somebody", open, distinct)
	case c.waiting: // for all to see, and nothing is asked for: what is open may be nobody's
	case w.books.kind == wire.Label && distinct < open && under < w.script.Window:
		w.breaks("I7: %d partitions are open, %d of them and %d in all are under way in a window of %d", open, distinct, under, w.script.Window)
	case w.books.kind != wire.Label && distinct != open:
		w.breaks("I7: %d partitions are open, %d are asked of somebody", open, distinct)
	}
}
