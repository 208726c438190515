package coordinator

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
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
	// Patient says what becomes of a job with fewer workers than that after it has begun: it waits for others, and who
	// drives it decides for how long. One that is not patient goes on with those that are left, and fails with the last.
	Patient bool
	// Epoch of this coordinator; answers of another are refused.
	Epoch uint64
	// After is the last round that an earlier run of the same job has opened under the same epoch; 0: none has. This run
	// counts on from it, so that answers to the earlier one are stale and workers that remember it follow this one.
	After uint64
	// Window is how many partitions of a label round may be under way at once: it bounds the labels that wait for
	// their turn to be written. At least 1.
	Window int
}

// blameLimit is how many workers may be lost, or fail for a reason of their own machine, over the same partition in
// one round before the partition is taken for the cause: it may be what no worker has memory for.
const blameLimit = 3

// griefLimit is how often that may happen to the same workers over and over: one that is started again each time it
// runs out of memory would otherwise be asked for ever.
const griefLimit = 10

// Job is the state of one job. It is driven by Step alone and has no clock, socket or goroutine; the same events in
// the same order give the same actions.
type Job struct {
	config  Config
	program program
	workers []partition.Worker // those that can be asked, sorted by name
	plan    *partition.Plan
	begun   bool // the first round has been opened
	waiting bool // too few workers: nothing is sent
	stale   bool // workers came or went since the plan was made
	// rowBytes is what a row takes in a worker's memory, 0 until rows are held; leastBytes what it can do with, once
	// rowBytes turns out to be more than there is memory for.
	rowBytes, leastBytes int64
	spillable            int64 // of rowBytes and of leastBytes: what workers that spill need not hold
	tight                bool  // they were asked for more than they seem to have room for
	ended                bool

	round      uint64
	task       wire.Task // the round's, without partitions
	queue      []int     // of a windowed round: those not sent yet
	ledger     *Ledger
	merged     *wire.Partial
	onMerge    func(*wire.Partial) []Action
	asked      map[string]map[int]bool // by worker: the partitions that an answer is expected for
	copies     []int                   // by partition: how many answers are expected
	under      int                     // partitions that at least one answer is expected for
	dropped    []int                   // partitions that nobody was asked for, or is any more; some may be booked, or asked for again
	blame      map[int]grief           // by partition: the workers that came to grief over it in this round
	noDisk     []fullDisk              // in the order in which they failed
	found      []string                // by partition: who had it in memory when it joined
	answeredBy []string                // by partition: who answered in the last round that was merged
}

// grief is what a partition has done to workers.
type grief struct {
	workers []string
	times   int
	cause   error // the first; nil: the worker was lost
}

func newJob(c Config, p program) (*Job, error) {
	if c.Workers < 1 || c.Window < 1 {
		return nil, fmt.Errorf("coordinator: %d workers and a window of %d: both must be at least 1", c.Workers, c.Window)
	}
	if err := c.Manifest.Validate(); err != nil {
		return nil, fmt.Errorf("coordinator: %w", err)
	}
	n := len(c.Manifest.Partitions)
	return &Job{config: c, program: p, round: c.After, asked: make(map[string]map[int]bool), copies: make([]int, n),
		found: make([]string, n), answeredBy: make([]string, n)}, nil
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
		return j.joined(e.Worker, e.Held, e.More)
	case WorkerLost:
		return j.lost(e)
	case Answered:
		return j.answered(e.Answer)
	case Straggling:
		return j.speculate(e.Worker)
	case Measured:
		j.weigh(e.Worker, e.Weight)
	case Cancelled:
		return j.fail(e.Reason)
	}
	return nil
}

// weigh gives a worker another share of the rows, from the next round on.
func (j *Job) weigh(name string, weight int) {
	if i, here := j.find(name); here && j.workers[i].Weight != weight {
		j.workers[i].Weight, j.stale = weight, true
	}
}

func (j *Job) joined(w partition.Worker, held []int, more bool) []Action {
	at, known := j.find(w.Name)
	if !known {
		j.noDisk = slices.DeleteFunc(slices.Clone(j.noDisk), func(f fullDisk) bool { return f.worker == w.Name }) // it may have been given room
		j.hold(w.Name, held)
		j.workers = slices.Insert(j.workers, at, w) // arrival order must not decide who holds what
		j.stale = true
	}
	switch {
	case known && j.begun:
		return nil
	case len(j.workers) < j.config.Workers && (j.waiting || !j.begun):
		return []Action{Waiting{Have: len(j.workers), Need: j.config.Workers}}
	case !j.begun && more: // the others come next
	case !j.begun:
		j.begun = true
		return append([]Action{Waiting{Have: len(j.workers), Need: j.config.Workers}}, j.program.start(j)...)
	case j.waiting:
		j.waiting = false
		return append([]Action{Waiting{Have: len(j.workers), Need: j.config.Workers}}, j.sendUnasked()...)
	}
	return nil // used from the next round on
}

// hold notes what a worker has in memory: it keeps that, unless others are to have an equal share. Before there is a
// plan, as after a restart of the coordinator, this is where it begins.
func (j *Job) hold(name string, held []int) {
	for _, id := range held {
		if id < 0 || id >= len(j.found) {
			continue
		}
		if j.found[id] == "" || !j.has(j.found[id]) {
			j.found[id] = name
		}
	}
}

// find is the place of a worker among those that have joined and are not lost, or where it would be.
func (j *Job) find(name string) (at int, here bool) {
	return slices.BinarySearchFunc(j.workers, name, func(w partition.Worker, name string) int { return compareNames(w.Name, name) })
}

// has says whether a worker has joined and is not lost.
func (j *Job) has(name string) bool {
	_, here := j.find(name)
	return here
}

func compareNames(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// lost takes a worker out and asks others for what is still missing of what it was asked for. That it went in order is
// nobody's fault; nor is it one of partitions that it had not begun: where all workers are lost at once, those of one are
// given to another that is gone as well.
func (j *Job) lost(e WorkerLost) []Action {
	name := e.Name
	at, here := j.find(name)
	if !here {
		return nil
	}
	j.workers = slices.Delete(j.workers, at, at+1)
	j.stale = true
	var actions []Action
	asked := slices.Sorted(maps.Keys(j.asked[name])) // in order: of several the first is blamed
	delete(j.asked, name)
	begun := slices.Sorted(slices.Values(e.Begun))
	for _, id := range asked {
		j.expectOneLess(id)
		_, took := slices.BinarySearch(begun, id)
		guilty := !e.Left && (e.Begun == nil || took)
		if guilty && j.ledger != nil && j.ledger.Open(id) && readsRows(j.task.Kind) {
			if err := j.blames(id, name, nil); err != nil {
				return j.fail(err)
			}
		}
	}
	if !j.begun {
		return nil
	}
	if len(j.workers) == 0 && !j.config.Patient {
		return j.fail(fmt.Errorf("worker %s lost: %w", name, partition.ErrNoWorkers))
	}
	if len(j.workers) < j.config.Workers && j.config.Patient {
		j.waiting = true
		return append(actions, Reassigned{From: name}, Waiting{Have: len(j.workers), Need: j.config.Workers})
	}
	moved, err := j.replan()
	if err != nil {
		return j.fail(err)
	}
	return append(append(actions, Reassigned{From: name, Partitions: moved}), j.sendUnasked()...)
}

// readsRows says whether a kind of round takes rows into memory.
func readsRows(k wire.Kind) bool {
	switch k {
	case wire.Keys, wire.Statistics, wire.Quantiles, wire.Directions, wire.Load:
		return true
	}
	return false
}

// blames notes that a worker came to grief over a partition; it is an error once too many have.
func (j *Job) blames(id int, worker string, cause error) error {
	g := j.blame[id]
	if g.times++; g.cause == nil {
		g.cause = cause
	}
	if !slices.Contains(g.workers, worker) {
		g.workers = append(g.workers, worker)
	}
	j.blame[id] = g
	if unavailable(cause) && unavailable(g.cause) && j.triedEnough(g) {
		return j.lacking(g.cause) // none of them has what it takes: that is nothing to look for in their logs
	}
	if len(g.workers) < blameLimit && g.times < griefLimit {
		return nil
	}
	p := j.config.Manifest.Partitions[id]
	return &fault.Error{Kind: fault.Failed, Place: fault.Place{Row: fault.NoRow}, Err: cause,
		Problem: fmt.Sprintf("partition %d (rows %d to %d) has brought down workers %d times: %v", id, p.First, p.First+p.Rows-1, g.times, g.workers),
		Remedy:  "look at the logs of these workers; give them more memory, or lower their --memory"}
}

// replan brings the plan up to date with the workers there are and counts the partitions that changed hands.
func (j *Job) replan() (int, error) {
	if !j.stale || len(j.workers) == 0 {
		return 0, nil
	}
	j.stale = false
	moved, err := j.planNow()
	if errors.Is(err, partition.ErrMemory) && j.leastBytes < j.rowBytes {
		j.rowBytes = j.leastBytes
		moved, err = j.planNow()
	}
	if errors.Is(err, partition.ErrMemory) && !j.tight && slices.ContainsFunc(j.workers, spills) {
		j.tight = true // who spills knows best whether it can: it says how much would do, if not
		moved, err = j.planNow()
	}
	if errors.Is(err, partition.ErrMemory) {
		err = j.lacking(err)
	}
	return moved, err
}

func (j *Job) planNow() (int, error) {
	if j.plan == nil {
		plan, err := j.firstPlan()
		if err == nil {
			j.plan = plan
		}
		return 0, err
	}
	moved, err := j.plan.Rebalance(j.config.Manifest, j.roomy(j.rowBytes), j.rowBytes)
	return len(moved), err
}

// holds says whether the workers there are have the memory for rows of so many bytes.
func (j *Job) holds(rowBytes int64) bool {
	_, err := partition.Place(j.config.Manifest, j.roomy(rowBytes), rowBytes)
	return !errors.Is(err, partition.ErrMemory)
}

// firstPlan gives partitions to those who have them in memory, or, where nobody has any, each worker a run of them.
func (j *Job) firstPlan() (*partition.Plan, error) {
	if !slices.ContainsFunc(j.found, j.has) {
		return partition.Place(j.config.Manifest, j.roomy(j.rowBytes), j.rowBytes)
	}
	plan := &partition.Plan{Owners: slices.Clone(j.found)}
	_, err := plan.Rebalance(j.config.Manifest, j.roomy(j.rowBytes), j.rowBytes)
	return plan, err
}

// reserve says that rows are held from the next round on, and how many bytes each of them takes, and takes at least.
// Workers that lack the memory for what they own give some of it to others.
func (j *Job) reserve(rowBytes, leastBytes, spillable int64) {
	j.rowBytes, j.leastBytes, j.spillable, j.stale = rowBytes, leastBytes, spillable, true
}

// roomy are the workers as placement reckons with them.
func (j *Job) roomy(rowBytes int64) []partition.Worker {
	if !j.tight {
		return j.capped(roomy(j.workers, rowBytes, j.spillable), rowBytes)
	}
	return j.capped(trusted(j.workers), rowBytes)
}

// open begins a round over the given partitions and sends it out; then is called with the merged Partial.
func (j *Job) open(task wire.Task, partitions []int, then func(*wire.Partial) []Action) []Action {
	if _, err := j.replan(); err != nil {
		return j.fail(err)
	}
	j.round++
	task.Epoch, task.Round = j.config.Epoch, j.round
	j.task, j.onMerge = task, then
	j.ledger = NewLedger(task.Epoch, task.Round, partitions)
	j.merged = &wire.Partial{}
	j.queue = nil
	j.blame = make(map[int]grief)
	for _, expected := range j.asked {
		clear(expected)
	}
	clear(j.copies)
	j.under, j.dropped = 0, nil
	opened := []Action{Opened{Round: j.round, Kind: task.Kind, Partitions: len(partitions)}}
	if len(partitions) == 0 {
		return append(opened, j.full()...)
	}
	if task.Kind == wire.Label {
		j.queue = partitions
		return append(opened, j.topUp()...)
	}
	return append(opened, j.send(partitions)...)
}

// everything lists all partitions.
func (j *Job) everything() []int {
	ids := make([]int, len(j.config.Manifest.Partitions))
	for i := range ids {
		ids[i] = i
	}
	return ids
}

// send asks the owners of the partitions for them, one task for each owner. Where too few workers are left it does
// nothing: sendUnasked makes up for it.
func (j *Job) send(partitions []int) []Action {
	if j.waiting {
		j.dropped = append(j.dropped, partitions...)
		return nil
	}
	byOwner := make(map[string][]int)
	for _, id := range partitions {
		owner := j.plan.Owners[id]
		byOwner[owner] = append(byOwner[owner], id)
	}
	var actions []Action
	for _, owner := range slices.SortedFunc(maps.Keys(byOwner), compareNames) {
		actions = append(actions, j.ask(owner, byOwner[owner]))
	}
	return actions
}

// ask makes a worker's task and notes that its answer is expected.
func (j *Job) ask(worker string, ids []int) Action {
	expected := j.asked[worker]
	if expected == nil {
		expected = make(map[int]bool)
		j.asked[worker] = expected
	}
	for _, id := range ids {
		if !expected[id] {
			expected[id] = true
			if j.copies[id]++; j.copies[id] == 1 {
				j.under++
			}
		}
	}
	task := j.task
	task.Partitions = ids
	return Send{Worker: worker, Task: &task}
}

func (j *Job) expectOneLess(id int) {
	if j.copies[id]--; j.copies[id] == 0 {
		j.under--
		j.dropped = append(j.dropped, id)
	}
}

// sendEach sends a task for each partition, in order.
func (j *Job) sendEach(partitions []int) []Action {
	var actions []Action
	for _, id := range partitions {
		actions = append(actions, j.send([]int{id})...)
	}
	return actions
}

// sendUnasked asks for what is missing in the round, is not waiting in the queue, and nobody is computing.
func (j *Job) sendUnasked() []Action {
	if j.waiting || j.ledger == nil {
		return nil
	}
	if _, err := j.replan(); err != nil {
		return j.fail(err)
	}
	// Nobody was asked for what is in the queue, so none of it has been dropped.
	missing := slices.DeleteFunc(j.dropped, func(id int) bool { return j.copies[id] > 0 || !j.ledger.Open(id) })
	j.dropped = nil
	slices.Sort(missing)
	return append(j.send(slices.Compact(missing)), j.topUp()...)
}

func (j *Job) answered(a *wire.Answer) []Action {
	if j.ledger == nil || a.Epoch != j.task.Epoch || a.Round != j.task.Round {
		return []Action{Refused{Worker: a.Worker, Err: fmt.Errorf("%w: epoch %d round %d, now %d and %d", ErrStale, a.Epoch,
			a.Round, j.task.Epoch, j.task.Round)}}
	}
	expected, dropped := j.asked[a.Worker], len(j.dropped)
	for _, id := range a.Covered {
		if expected[id] {
			delete(expected, id)
			j.expectOneLess(id)
		}
	}
	if a.Err != nil {
		return j.failedAt(a)
	}
	if err := j.ledger.Book(a); err != nil {
		if errors.Is(err, ErrUnknown) { // it does not know what it was asked for: another may
			failed := *a
			failed.Err = fault.Failedf(err, "worker %s", a.Worker)
			return j.failedAt(&failed)
		}
		return j.refuse(a, err)
	}
	j.dropped = j.dropped[:dropped] // what is booked need not be asked for again
	j.merged.Merge(a.Partial)
	here := j.has(a.Worker)
	for _, id := range a.Covered {
		j.answeredBy[id] = a.Worker
		if here && j.plan.Owners[id] != a.Worker {
			j.plan.Move(id, a.Worker) // it has what it answered for in memory now
		}
	}
	booked := []Action{Booked{Worker: a.Worker, Covered: a.Covered, Open: j.ledger.missing}}
	if j.ledger.Full() {
		return append(booked, j.full()...)
	}
	return append(booked, j.topUp()...)
}

// refuse takes nothing of an answer. What it covers may still be wanted in part; and where it was computed twice, both
// must have found the same.
func (j *Job) refuse(a *wire.Answer, err error) []Action {
	actions := []Action{Refused{Worker: a.Worker, Err: err}}
	if !errors.Is(err, ErrOverlap) {
		return actions
	}
	if id, other, differs := j.ledger.Disagrees(a); differs {
		return append(actions, j.fail(&DisagreeError{Partition: id, Round: a.Round, Workers: [2]string{other, a.Worker}})...)
	}
	return append(actions, j.sendUnasked()...)
}

// failedAt takes a worker's error. Who was lost has been replaced: its troubles are not the job's. Bad data is bad
// wherever it is read; what only the worker's machine is to blame for is tried on another.
func (j *Job) failedAt(a *wire.Answer) []Action {
	if !j.has(a.Worker) {
		return []Action{Refused{Worker: a.Worker, Err: ErrStale}}
	}
	kind := fault.Kind(fault.Code(a.Err))
	if !j.config.Patient || kind != fault.Failed && kind != fault.Unavailable || len(a.Covered) == 0 {
		return j.fail(a.Err)
	}
	var open []int // what others have answered meanwhile is no trouble any more
	for _, id := range a.Covered {
		if !j.ledger.Open(id) {
			continue
		}
		open = append(open, id)
		if a.NoDisk {
			continue // that is not the partition's fault
		}
		if err := j.blames(id, a.Worker, a.Err); err != nil {
			return j.fail(err)
		}
	}
	if a.NoDisk {
		j.fills(a)
	}
	if len(open) > 0 && j.others(a.Worker) == 0 {
		return j.fail(j.lacking(a.Err)) // there is nobody else to try
	}
	actions := []Action{Refused{Worker: a.Worker, Err: a.Err, Failed: true}}
	for i, id := range open {
		j.plan.Move(id, j.another(id, a.Worker, i))
	}
	return append(actions, j.sendUnasked()...)
}

// another is a worker that is not the one named, in turn: one that has not come to grief over the partition, if there is
// one, and in any case none whose disk is full.
func (j *Job) another(id int, name string, turn int) string {
	never := []string{name}
	for _, f := range j.noDisk {
		never = append(never, f.worker)
	}
	out := j.places(append(slices.Clip(never), j.blame[id].workers...))
	if len(out) == len(j.workers) {
		out = j.places(never)
	}
	at := turn % (len(j.workers) - len(out))
	for _, passed := range out {
		if passed <= at {
			at++
		}
	}
	return j.workers[at].Name
}

// places are those of the workers of these names that are here, ascending.
func (j *Job) places(names []string) []int {
	var list []int
	for _, name := range names {
		at, here := j.find(name)
		if before, is := slices.BinarySearch(list, at); here && !is {
			list = slices.Insert(list, before, at)
		}
	}
	return list
}

// speculate gives copies of what a slow worker still owes to those that have nothing to do. Who answers first is
// booked and keeps the partition.
func (j *Job) speculate(slow string) []Action {
	if j.ledger == nil || j.waiting || j.task.Kind == wire.Duplicates {
		return nil
	}
	var owed []int
	for id := range j.asked[slow] {
		if j.ledger.Open(id) && j.copies[id] == 1 {
			owed = append(owed, id)
		}
	}
	if len(owed) == 0 {
		return nil
	}
	var idle []string
	for _, w := range j.workers {
		if w.Name != slow && len(j.asked[w.Name]) == 0 && j.fullAt(w.Name) < 0 {
			idle = append(idle, w.Name)
		}
	}
	if len(idle) == 0 {
		return nil
	}
	slices.Sort(owed)
	actions := []Action{Speculated{Slow: slow, Partitions: len(owed), Idle: idle}}
	for i, name := range idle {
		share := owed[i*len(owed)/len(idle) : (i+1)*len(owed)/len(idle)]
		if len(share) > 0 {
			actions = append(actions, j.ask(name, share))
		}
	}
	return actions
}

// topUp keeps the window of a label round full.
func (j *Job) topUp() []Action {
	n := min(j.config.Window-j.under, len(j.queue))
	if j.waiting || n <= 0 {
		return nil
	}
	if _, err := j.replan(); err != nil { // who has joined meanwhile takes part: the round may be the whole job
		return j.fail(err)
	}
	next := j.queue[:n]
	j.queue = j.queue[n:]
	return j.sendEach(next)
}

// full closes the round.
func (j *Job) full() []Action {
	merged, then := j.merged, j.onMerge
	j.ledger, j.merged, j.onMerge = nil, nil, nil
	merged.Unpack()
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
