package coordinator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// program is what a job does between rounds: fit or label. Its methods return the actions that open the next round.
type program interface {
	start(j *Job) []Action
}

// Config is what every job needs.
type Config struct {
	Manifest *partition.Manifest
	// Workers is how many workers to wait for before the first round; at least 1.
	Workers int
	// Epoch of this coordinator; answers of another are refused.
	Epoch uint64
	// Window is how many partitions of a label round may be under way at once: it bounds the labels that wait for
	// their turn to be written. At least 1.
	Window int
}

// Job is the state of one job. It is driven by Step alone and has no clock, socket or goroutine; the same events in
// the same order give the same actions.
type Job struct {
	config  Config
	program program
	workers []partition.Worker
	plan    *partition.Plan
	started bool
	ended   bool

	round   uint64
	task    wire.Task // the round's, without partitions
	expect  []int     // partitions of the round, ascending
	queue   []int     // of a windowed round: those not sent yet
	ledger  *Ledger
	merged  *wire.Partial
	onMerge func(*wire.Partial) []Action
}

func newJob(c Config, p program) (*Job, error) {
	if c.Workers < 1 || c.Window < 1 {
		return nil, fmt.Errorf("coordinator: %d workers and a window of %d: both must be at least 1", c.Workers, c.Window)
	}
	if err := c.Manifest.Validate(); err != nil {
		return nil, fmt.Errorf("coordinator: %w", err)
	}
	return &Job{config: c, program: p}, nil
}

// Ended says whether the job has finished or failed.
func (j *Job) Ended() bool { return j.ended }

// Step takes one event and says what to do. After the job has ended it does nothing.
func (j *Job) Step(e Event) []Action {
	if j.ended {
		return nil
	}
	switch e := e.(type) {
	case WorkerJoined:
		return j.joined(e.Worker)
	case WorkerLost:
		return j.lost(e.Name)
	case Answered:
		return j.answered(e.Answer)
	case Cancelled:
		return j.fail(e.Reason)
	}
	return nil
}

func (j *Job) joined(w partition.Worker) []Action {
	if j.has(w.Name) {
		return nil
	}
	j.workers = append(j.workers, w)
	if j.started || len(j.workers) < j.config.Workers {
		return nil
	}
	// Arrival order must not decide who holds what.
	slices.SortFunc(j.workers, func(a, b partition.Worker) int { return compareNames(a.Name, b.Name) })
	plan, err := partition.Place(j.config.Manifest, j.workers)
	if err != nil {
		return j.fail(err)
	}
	j.plan, j.started = plan, true
	return j.program.start(j)
}

// has says whether a worker has joined and is not lost.
func (j *Job) has(name string) bool {
	return slices.ContainsFunc(j.workers, func(w partition.Worker) bool { return w.Name == name })
}

func compareNames(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return slices.Compare([]byte(a), []byte(b))
}

// lost moves a worker's partitions to the others and asks them for what this round still misses of them.
func (j *Job) lost(name string) []Action {
	j.workers = slices.DeleteFunc(j.workers, func(w partition.Worker) bool { return w.Name == name })
	if !j.started {
		return nil
	}
	moved, err := j.plan.Reassign(name, j.workers)
	if err != nil {
		return j.fail(fmt.Errorf("worker %s lost: %w", name, err))
	}
	actions := []Action{Reassigned{From: name, Partitions: len(moved)}}
	if j.ledger == nil {
		return actions
	}
	missing := slices.DeleteFunc(j.ledger.Missing(moved), func(id int) bool { return slices.Contains(j.queue, id) })
	return append(actions, j.send(missing)...)
}

// open begins a round over the given partitions and sends it out; then is called with the merged Partial.
func (j *Job) open(task wire.Task, partitions []int, then func(*wire.Partial) []Action) []Action {
	j.round++
	task.Epoch, task.Round = j.config.Epoch, j.round
	j.task, j.expect, j.onMerge = task, partitions, then
	j.ledger = NewLedger(task.Epoch, task.Round, partitions)
	j.merged = &wire.Partial{}
	j.queue = nil
	if len(partitions) == 0 {
		return j.full()
	}
	if task.Kind == wire.Label {
		n := min(j.config.Window, len(partitions))
		j.queue = partitions[n:]
		return j.sendEach(partitions[:n])
	}
	return j.send(partitions)
}

// everything lists all partitions.
func (j *Job) everything() []int {
	ids := make([]int, len(j.config.Manifest.Partitions))
	for i := range ids {
		ids[i] = i
	}
	return ids
}

// send asks the owners of the partitions for them, one task for each owner.
func (j *Job) send(partitions []int) []Action {
	byOwner := make(map[string][]int)
	for _, id := range partitions {
		owner := j.plan.Owners[id]
		byOwner[owner] = append(byOwner[owner], id)
	}
	var actions []Action
	for _, w := range j.workers {
		if ids := byOwner[w.Name]; len(ids) > 0 {
			task := j.task
			task.Partitions = ids
			actions = append(actions, Send{Worker: w.Name, Task: &task})
		}
	}
	return actions
}

// sendEach sends a task for each partition, in order.
func (j *Job) sendEach(partitions []int) []Action {
	var actions []Action
	for _, id := range partitions {
		actions = append(actions, j.send([]int{id})...)
	}
	return actions
}

func (j *Job) answered(a *wire.Answer) []Action {
	if j.ledger == nil {
		return []Action{Refused{Worker: a.Worker, Err: ErrStale}}
	}
	if a.Err != nil {
		// Who was lost has been replaced: its troubles are not the job's.
		if a.Epoch != j.task.Epoch || a.Round != j.task.Round || !j.has(a.Worker) {
			return []Action{Refused{Worker: a.Worker, Err: ErrStale}}
		}
		return j.fail(a.Err)
	}
	if err := j.ledger.Book(a); err != nil {
		actions := []Action{Refused{Worker: a.Worker, Err: err}}
		if errors.Is(err, ErrOverlap) {
			// Part of it may still be wanted: ask again for just that.
			actions = append(actions, j.send(j.ledger.Missing(a.Covered))...)
		}
		return actions
	}
	j.merged.Merge(a.Partial)
	if j.ledger.Full() {
		return j.full()
	}
	return j.sendNext(len(a.Covered))
}

// sendNext keeps the window of a label round full.
func (j *Job) sendNext(n int) []Action {
	n = min(n, len(j.queue))
	next := j.queue[:n]
	j.queue = j.queue[n:]
	return j.sendEach(next)
}

// full closes the round.
func (j *Job) full() []Action {
	merged, then := j.merged, j.onMerge
	j.ledger, j.merged, j.onMerge = nil, nil, nil
	if merged.Fault != nil {
		return j.fail(merged.Fault.Err)
	}
	return then(merged)
}

func (j *Job) fail(err error) []Action {
	j.ended = true
	return []Action{Failed{Err: err}}
}

func (j *Job) finish() []Action {
	j.ended = true
	return []Action{Finished{}}
}
