package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/worker"
)

// boot starts a coordinator on the state, again and again until it can be read.
func (w *world) boot() {
	if w.current() != nil {
		return
	}
	if !w.open() {
		w.after(time.Second, "start", w.boot)
	}
}

// open starts a coordinator; false: the state cannot be read now.
func (w *world) open() bool {
	store, h, err := w.disk.open()
	if err != nil {
		w.note("cannot start")
		if !w.disk.troubled() {
			w.breaks("I4: the state cannot be opened: %v", err)
		}
		return false
	}
	epoch, err := store.NextEpoch()
	if err == nil && epoch == 0 {
		epoch, err = store.NextEpoch()
	}
	if err != nil {
		h.dead = true
		_ = store.Close()
		if !w.disk.troubled() {
			w.breaks("I4: no epoch can be begun: %v", err)
		}
		return false
	}
	c := &coord{process: process{w: w, alive: true}, number: len(w.coords), store: store, bed: h, epoch: epoch}
	c.watched = c.clock()
	c.keep.c = c
	w.books.begins(epoch)
	w.coords = append(w.coords, c)
	w.note("coordinator starts", epoch)
	c.later(watchEvery, "watch", c.watch)
	if w.disk.memory != nil {
		c.later(lookEvery, "overtaken", c.lookRound)
	}
	return c.pickUp()
}

// lookRound looks whether another coordinator has taken over.
func (c *coord) lookRound() {
	c.later(lookEvery, "overtaken", c.lookRound)
	c.overtaken(c.store.LookWhetherOvertaken())
}

// pickUp goes on with the job that the state holds.
func (c *coord) pickUp() bool {
	w := c.w
	jobs, err := c.store.Jobs()
	jobs = slices.DeleteFunc(jobs, func(j checkpoint.Job) bool { return j.ID != w.job || w.books.stands == "" })
	if err == nil && len(jobs) == 1 && jobs[0].Err != nil {
		err = jobs[0].Err
	}
	switch {
	case err != nil && w.disk.troubled():
		c.die("cannot read its jobs")
		w.after(time.Second, "start", w.boot)
		return true
	case err != nil:
		w.breaks("I4: the jobs cannot be read: %v", err)
		return true
	case len(jobs) == 0:
		if w.books.stands != "" {
			w.breaks("I4: the job is gone")
		}
		return true
	}
	c.state = string(jobs[0].State)
	w.books.found(c.state)
	if c.state == stateRunning {
		w.user.state = stateRunning
		c.start()
		return true
	}
	w.user.hears(c, c.state, nil)
	return true
}

// found is the coordinator that somebody finds who looks for one now.
func (w *world) found() *coord {
	n := len(w.coords)
	switch {
	case n == 0 || w.now < w.gossipWrong:
		return nil
	case w.now < w.gossipLate && n > 1:
		return w.coords[n-2]
	}
	return w.coords[n-1]
}

// operate keeps as many workers there as were there at the start, or at least as many as the job asks for.
func (w *world) operate() {
	w.after(5*time.Second, "operate", w.operate)
	if w.now < w.nobody {
		return
	}
	for n := len(w.alive()); n < w.script.Least; n++ {
		w.host++
		w.spawn(w.host)
	}
}

// release lets go of the job: what is held is forgotten.
func (n *simWorker) release() {
	engine, err := worker.NewEngine(worker.Config{Source: n.source, Manifest: n.w.script.Job.manifest(n.w.script.Partitions), Threads: 1, Labels: sink{n},
		Self: n.boot, Peers: peersOf{n}, Job: jobID})
	if err != nil {
		n.w.breaks("a worker cannot go on: %v", err)
		return
	}
	n.w.note("released", n.boot)
	n.engine, n.core = engine, worker.NewCore(n.boot)
	n.epoch, n.round = 0, 0
	n.pending, n.refs, n.tasks = make(map[uint64]bool), make(map[string][]uint64), nil
	n.early = make(map[*wire.Task]computed)
	n.life++
	n.busy = false
}

// cancel is the user's.
func (c *coord) cancel() {
	c.step(coordinator.Cancelled{Reason: errCancelled})
}

// Report is what came of a run.
type Report struct {
	Script    *Script
	Err       error // the invariant that broke; nil
	Hash      uint64
	Events    int
	Took      time.Duration // virtual
	Injected  map[Cell]int
	Faults    int
	Resumed   int
	Starts    int // of coordinators
	Caught    int // runs of the job that ended because sums did not add up
	Unwritten int // writings of labels that failed
}

// Run drives a script to its end. trace, if it is not nil, is given each line of what happens. An error is one of the
// script; what breaks is in the Report.
func Run(s *Script, trace func(line string)) (*Report, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	twin, err := known.of(s.Job)
	if err != nil {
		return nil, err
	}
	w := newWorld(s, twin, trace)
	if w.disk, err = newBed(w); err != nil {
		return nil, fmt.Errorf("sim: %w", err)
	}
	defer w.disk.remove()
	defer w.close()
	for host := range s.Workers {
		w.spawn(host)
	}
	w.host = s.Workers
	w.boot()
	w.after(w.between(0, 100*time.Millisecond), "submit", w.user.submit)
	w.after(5*time.Second, "operate", w.operate)
	w.drive()
	r := &Report{Script: s, Err: w.broken, Hash: w.hash, Events: w.count, Took: w.now, Injected: w.injected, Resumed: w.user.resumed, Starts: len(w.coords),
		Caught: w.caught, Unwritten: w.unwritten}
	for _, n := range w.injected {
		r.Faults += n
	}
	return r, nil
}

// close lets go of what processes hold.
func (w *world) close() {
	for _, c := range w.coords {
		if c.alive {
			c.alive = false
			_ = c.store.Close()
		}
	}
}
