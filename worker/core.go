package worker

import (
	"fmt"
	"slices"
	"time"

	"github.com/coterie-project/coterie/internal/wire"
)

// Event is something that happened to a worker: TaskArrived or Computed.
type Event interface{ event() }

// TaskArrived is a task from a coordinator.
type TaskArrived struct{ Task *wire.Task }

// Computed is a task that the engine has finished.
type Computed struct {
	Task    *wire.Task
	Partial *wire.Partial
	Err     error
	Took    time.Duration
}

func (TaskArrived) event() {}
func (Computed) event()    {}

// Action is something to do: Compute, Reply or Dropped.
type Action interface{ action() }

// Compute asks the engine to do a task; a Computed event follows.
type Compute struct{ Task *wire.Task }

// Reply sends an answer to the coordinator.
type Reply struct{ Answer *wire.Answer }

// Dropped is a task that will not be answered: its round is over, or it is being computed already.
type Dropped struct {
	Task   *wire.Task
	Reason string
}

func (Compute) action() {}
func (Reply) action()   {}
func (Dropped) action() {}

// Core is the state of a worker between events. It has no clock, socket or goroutine. It follows the highest epoch
// and round that it has seen. A task that is repeated after its answer is computed again: the bits are the same.
type Core struct {
	name         string
	epoch, round uint64
	running      map[string]bool // this round's tasks under way, by their partitions
}

// NewCore makes the core of a worker of that name.
func NewCore(name string) *Core { return &Core{name: name, running: make(map[string]bool)} }

// Step takes one event and says what to do.
func (c *Core) Step(e Event) []Action {
	switch e := e.(type) {
	case TaskArrived:
		return c.arrived(e.Task)
	case Computed:
		return c.computed(e)
	}
	return nil
}

func key(partitions []int) string { return fmt.Sprint(partitions) }

func (c *Core) arrived(t *wire.Task) []Action {
	switch {
	case t.Epoch < c.epoch || t.Epoch == c.epoch && t.Round < c.round:
		return []Action{Dropped{Task: t, Reason: fmt.Sprintf("task of epoch %d round %d, now %d and %d", t.Epoch, t.Round, c.epoch, c.round)}}
	case t.Epoch > c.epoch || t.Round > c.round:
		c.epoch, c.round = t.Epoch, t.Round
		clear(c.running)
	}
	if c.running[key(t.Partitions)] {
		return []Action{Dropped{Task: t, Reason: "task is being computed already"}}
	}
	c.running[key(t.Partitions)] = true
	return []Action{Compute{Task: t}}
}

func (c *Core) computed(e Computed) []Action {
	t := e.Task
	if t.Epoch != c.epoch || t.Round != c.round {
		return []Action{Dropped{Task: t, Reason: fmt.Sprintf("result of epoch %d round %d", t.Epoch, t.Round)}}
	}
	delete(c.running, key(t.Partitions))
	return []Action{Reply{Answer: &wire.Answer{Epoch: t.Epoch, Round: t.Round, Worker: c.name, Covered: slices.Clone(t.Partitions),
		Digests: digests(t.Partitions, e.Partial), Partial: e.Partial, Err: e.Err, Took: e.Took}}}
}

// digests are those of the partitions, in their order; nil where the kind of round has none.
func digests(partitions []int, p *wire.Partial) []uint64 {
	if p == nil || len(p.Digests) == 0 {
		return nil
	}
	list := make([]uint64, len(partitions))
	for i, id := range partitions {
		digest, known := p.Digests[id]
		if !known {
			return nil
		}
		list[i] = digest
	}
	return list
}
