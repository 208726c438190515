package sim

import (
	"fmt"
	"slices"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// The times of a coordinator's shell, as package coordinator has them.
const (
	watchEvery    = 500 * time.Millisecond
	missedBeats   = 3 * beatEvery
	reconnectIn   = time.Second
	straggleAfter = 2 * time.Second
	remindLimit   = 30
	lookEvery     = 5 * time.Second // whether another coordinator has taken over
)

// jobID is the id of the one job of a run; submitted again, it has a number behind it.
const jobID = "job"

// coord is a coordinator's process: the real Job, Ledger and checkpoint Store, with a shell of its own around them.
type coord struct {
	process
	number  int
	jump    time.Duration // of its clock
	watched time.Duration // by its clock

	store *checkpoint.Store
	bed   *handle
	epoch uint64

	members []*member
	serial  uint64

	state    string // of the job, as it is on the disk or is about to be; empty: there is no job
	running  bool
	ending   bool // the job has finished, its result is about to be written
	job      *coordinator.Job
	fit      *coordinator.Fit
	label    *coordinator.Label
	begun    bool
	waiting  bool
	waited   time.Duration // since when
	last     uint64        // the last round of runs before
	round    uint64
	kind     wire.Kind
	body     *pb.TaskBody
	context  wire.Context
	sent     []*sentTask
	answered map[uint64]bool // serials of the round whose answer has come
	timed    []time.Duration
	keep     keeper
	stepping *wire.Answer // what is being booked
	spoilt   bool         // its sums are wrong
	changed  bool         // since the last check
}

// member is a worker as the coordinator knows it.
type member struct {
	name     string
	boot     string
	n        *simWorker
	since    time.Duration // by the coordinator's clock
	open     bool
	lost     bool
	draining bool
	held     []int
}

// sentTask is a task that a worker has been asked for.
type sentTask struct {
	serial    uint64
	worker    string
	covered   []int
	data      []byte
	when      time.Duration
	nudged    time.Duration
	begun     bool
	reminders int
}

// The states of a job on the disk.
const (
	stateRunning   = "running"
	stateDone      = "done"
	stateFailed    = "failed"
	stateCancelled = "cancelled"
)

func (c *coord) clock() time.Duration { return c.w.now + c.jump }

// freeze makes the coordinator stand still.
func (c *coord) freeze(d time.Duration) {
	c.process.freeze(d, func(missed int) { c.w.note("coordinator thaws", c.epoch, missed) })
}

// die ends the process. What it has on the disk stays.
func (c *coord) die(why string) {
	if !c.alive {
		return
	}
	c.alive = false
	c.bed.dead = true
	c.backlog = nil
	_ = c.store.Close() // the lock is free, as after the death of a process
	c.w.note("coordinator dies", c.epoch, why)
	for _, n := range c.w.workers {
		if n.coord == c && n.alive {
			n.later(c.w.between(0, 20*time.Millisecond), "line breaks", func() {
				if n.coord == c {
					n.disconnect()
				}
			})
		}
	}
}

// phase is where the job is.
func (c *coord) phase() Phase {
	switch {
	case c.ending:
		return PhaseResult
	case !c.running || !c.begun:
		return PhaseStart
	case c.waiting:
		return PhaseWait
	}
	return phaseOf(c.kind)
}

// present is how many workers can be asked.
func (c *coord) present() (n int) {
	for _, m := range c.members {
		if !m.lost && !m.draining {
			n++
		}
	}
	return n
}

func (c *coord) memberOf(boot string) *member {
	for _, m := range c.members {
		if m.boot == boot {
			return m
		}
	}
	return nil
}

func (c *coord) named(name string) *member {
	for _, m := range c.members {
		if m.name == name {
			return m
		}
	}
	return nil
}

// hello takes a worker in, or back.
func (c *coord) hello(n *simWorker, b beat) {
	m := c.memberOf(b.boot)
	returned := m != nil && !m.lost
	if m == nil {
		name := c.freeName(fmt.Sprintf("w%d", b.host))
		if m = c.named(name); m == nil {
			m = &member{name: name}
			c.members = append(c.members, m)
		}
		m.boot, m.n = b.boot, n
	}
	m.since, m.open, m.lost, m.draining, m.held = c.clock(), true, false, false, b.held
	name := m.name
	c.w.net.send(&n.line, false, func() { n.wake(func() { n.welcome(c, name) }) })
	if returned {
		for _, t := range c.sent {
			if t.worker == m.name {
				c.announce(m, t)
			}
		}
		return
	}
	c.w.note("joined", c.epoch, m.name, m.boot)
	if c.running {
		c.step(coordinator.WorkerJoined{Worker: c.weight(m), Held: b.held})
	}
}

// weight is a worker as placement reckons with it.
func (c *coord) weight(m *member) partition.Worker {
	return partition.Worker{Name: m.name, Weight: 1 + m.n.host%3}
}

// freeName makes a name unique. A lost worker's name goes to its successor.
func (c *coord) freeName(wanted string) string {
	name := wanted
	for i := 2; ; i++ {
		known := c.named(name)
		if known == nil || known.lost {
			return name
		}
		name = fmt.Sprintf("%s-%d", wanted, i)
	}
}

// beat notes that a worker is alive, reminds it of what it does not know of, and takes back who was given up.
func (c *coord) beat(n *simWorker, b beat) {
	m := c.memberOf(b.boot)
	known := m != nil
	c.w.net.send(&n.line, false, func() { n.wake(func() { n.hears(c, known) }) })
	if !known {
		return
	}
	m.since, m.held = c.clock(), b.held
	back := m.lost && !b.draining
	leaves := b.draining && !m.draining
	m.draining = b.draining
	if back {
		m.lost = false
	}
	if leaves {
		c.giveUp(m, true)
	}
	if !c.running && c.state != "" && (len(b.held) > 0 || len(b.pending) > 0) && c.state != stateRunning {
		c.w.net.send(&n.line, false, func() { n.wake(n.release) })
	}
	if !b.draining {
		c.remind(m, &b)
	}
	if back && c.running {
		c.w.note("back", c.epoch, m.name)
		c.step(coordinator.WorkerJoined{Worker: c.weight(m), Held: b.held})
	}
}

// remind announces again what a worker was asked for some beats ago and does not know of.
func (c *coord) remind(m *member, b *beat) {
	var given []*sentTask
	c.sent = slices.DeleteFunc(c.sent, func(t *sentTask) bool {
		if t.worker != m.name {
			return false
		}
		known := b.pending[t.serial]
		t.begun = t.begun || known
		if known || c.clock()-t.when < missedBeats {
			return false
		}
		if t.reminders++; t.reminders <= remindLimit {
			c.announce(m, t)
			return false
		}
		given = append(given, t)
		return true
	})
	for _, t := range given {
		c.refused(t)
	}
}

// watch gives up who has not been heard of for too long, finds stragglers, and ends a wait that is too long.
func (c *coord) watch() {
	c.later(watchEvery, "watch", c.watch)
	now := c.clock()
	if gap := now - c.watched; gap > beatEvery { // the time in which it stood still itself is nobody's silence
		for _, m := range c.members {
			m.since = min(m.since+gap, now)
		}
	}
	c.watched = now
	for _, m := range slices.Clone(c.members) {
		silent := now - m.since
		if !m.lost && (!m.open && silent > reconnectIn || silent > missedBeats) {
			c.giveUp(m, false)
		}
	}
	if c.running && !c.ending {
		c.straggle()
		c.impatience()
	}
}

// giveUp tells the job that a worker is lost, or has left.
func (c *coord) giveUp(m *member, left bool) {
	if m.lost {
		return
	}
	m.lost = true
	begun := []int{}
	c.sent = slices.DeleteFunc(c.sent, func(t *sentTask) bool {
		if t.worker == m.name && t.begun {
			begun = append(begun, t.covered...)
		}
		return t.worker == m.name
	})
	c.w.note("given up", c.epoch, m.name, len(begun))
	if c.running {
		if !left && len(begun) > 0 {
			c.w.books.grief++
		}
		c.step(coordinator.WorkerLost{Name: m.name, Left: left, Begun: begun})
	}
}

// straggle says who takes much longer than the others.
func (c *coord) straggle() {
	if c.w.rand.IntN(30) == 0 && len(c.members) > 0 { // workers turn out to be faster or slower than thought
		m := c.members[c.w.rand.IntN(len(c.members))]
		c.step(coordinator.Measured{Worker: m.name, Weight: 1 + c.w.rand.IntN(100)})
	}
	if len(c.timed) == 0 || c.kind == wire.Label {
		return
	}
	times := slices.Clone(c.timed)
	slices.Sort(times)
	limit := max(straggleAfter, 2*times[len(times)/2])
	for _, t := range slices.Clone(c.sent) {
		if now := c.clock(); now-t.when > limit && now-t.nudged > limit && c.running {
			t.nudged = now
			c.step(coordinator.Straggling{Worker: t.worker})
		}
	}
}
