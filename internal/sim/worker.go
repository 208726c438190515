package sim

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/worker"
)

// The times of a worker's protocol, as package worker has them.
const (
	beatEvery = time.Second
	// deaf is how long a worker goes on without a word of its coordinator before it looks for one again.
	deaf = 4 * time.Second
	// drainFor bounds how long a worker that is asked to leave goes on.
	drainFor = 10 * time.Second
	// taskQueue is how many tasks may wait at a worker.
	taskQueue = 1024
)

// simWorker is a worker's process: the real Core and the real Engine, with a shell of its own around them.
type simWorker struct {
	process
	host   int
	boot   string
	name   string // as the coordinator knows it
	core   *worker.Core
	engine *worker.Engine
	source *table

	leaving   bool
	line      line
	slow      time.Duration // until when it computes slowly
	failing   time.Duration // until when its readings fail
	unwritten time.Duration // until when it can write no labels
	wrong     bool          // its next sums are wrong
	how       int           // in which way
	poisoned  bool          // it dies over the next partition that it reads

	coord   *coord // nil: it looks for one
	heard   time.Duration
	epoch   uint64
	round   uint64
	pending map[uint64]bool
	refs    map[string][]uint64
	tasks   []*wire.Task
	busy    bool
	early   map[*wire.Task]computed // labels that were made while others were written
	beside  bool                    // some are being made
	life    int                     // counts releases: what was being computed before one is of no interest
}

// injectedError marks the errors that the simulator makes.
const injectedError = "made by the simulation"

// spawn starts a worker on a host.
func (w *world) spawn(host int) *simWorker {
	n := &simWorker{process: process{w: w, alive: true}, host: host, boot: fmt.Sprintf("host%d:%d", host, len(w.workers)),
		pending: make(map[uint64]bool), refs: make(map[string][]uint64), early: make(map[*wire.Task]computed)}
	source := *w.table
	source.fails = n.reads
	n.source = &source
	n.core = worker.NewCore(n.boot)
	engine, err := worker.NewEngine(worker.Config{Source: n.source, Manifest: w.script.Job.manifest(w.script.Partitions), Threads: 1, Labels: sink{n},
		Self: n.boot, Peers: peersOf{n}, Job: jobID})
	if err != nil {
		w.breaks("a worker cannot start: %v", err)
		return n
	}
	n.engine = engine
	w.workers = append(w.workers, n)
	w.note("worker starts", n.boot)
	n.later(w.between(0, 50*time.Millisecond), "look", n.beat)
	return n
}

// reads is asked before each reading of the data.
func (n *simWorker) reads(int64) error {
	if n.w.now < n.failing {
		return fault.Failedf(nil, "the object store cannot be reached: %s", injectedError)
	}
	return nil
}

// freeze makes the worker stand still.
func (n *simWorker) freeze(d time.Duration) {
	n.process.freeze(d, func(missed int) { n.w.note("thaws", n.boot, missed) })
}

// die ends the process.
func (n *simWorker) die() {
	if n.alive {
		n.alive = false
		n.backlog = nil
		n.line.broken++
		n.w.note("worker dies", n.boot)
	}
}

// beat tells the coordinator that the worker is there, or looks for it; it goes on each second.
func (n *simWorker) beat() {
	if n.coord != nil && n.w.now-n.heard > deaf {
		n.disconnect()
	}
	if n.coord == nil {
		n.look()
	} else {
		n.tell()
	}
	n.later(beatEvery, "beat", n.beat)
}

// disconnect lets the line go, with what is on it.
func (n *simWorker) disconnect() {
	if n.coord != nil {
		n.coord = nil
		n.line.broken++
	}
}

// look asks the coordinator that gossip knows to be taken in.
func (n *simWorker) look() {
	c := n.w.found()
	if c == nil || n.leaving {
		return
	}
	hello := beat{boot: n.boot, host: n.host, held: n.held()}
	n.w.net.send(&n.line, true, func() { c.wake(func() { c.hello(n, hello) }) })
}

// held are the partitions in memory.
func (n *simWorker) held() []int {
	ids, _ := n.engine.Held()
	return ids
}

// beat is what a worker says of itself.
type beat struct {
	boot     string
	host     int
	held     []int
	pending  map[uint64]bool
	draining bool
}

// tell sends a beat.
func (n *simWorker) tell() {
	c := n.coord
	if c == nil {
		return
	}
	b := beat{boot: n.boot, host: n.host, held: n.held(), pending: make(map[uint64]bool, len(n.pending)), draining: n.leaving}
	for serial := range n.pending {
		b.pending[serial] = true
	}
	n.w.net.send(&n.line, true, func() { c.wake(func() { c.beat(n, b) }) })
}

// welcome comes from a coordinator that has taken the worker in. One of an epoch that is over is not followed.
func (n *simWorker) welcome(c *coord, name string) {
	if c.epoch < n.epoch {
		return
	}
	if n.coord != c {
		n.w.note("connected", n.boot, name, c.epoch)
	}
	n.coord, n.name, n.heard = c, name, n.w.now
}

// hears is the coordinator's answer to a beat. A stranger has to introduce himself again.
func (n *simWorker) hears(c *coord, known bool) {
	if n.coord != c {
		return
	}
	n.heard = n.w.now
	if !known {
		n.disconnect()
		n.look()
	}
}

// task takes an announcement, as package worker does: what is under way already is not begun again.
func (n *simWorker) task(serial uint64, data []byte) {
	if n.pending[serial] {
		return
	}
	t, err := wire.DecodeTask(data)
	if err != nil {
		n.w.breaks("a task cannot be decoded: %v", err)
		return
	}
	n.pending[serial] = true
	key := refKey(t)
	n.refs[key] = append(n.refs[key], serial)
	if len(n.refs[key]) > 1 {
		return // asked for twice, it is answered once
	}
	if readsRows(t.Kind) {
		n.tell()
	}
	n.act(n.core.Step(worker.TaskArrived{Task: t}))
}

// refKey is what tells a worker's tasks apart.
func refKey(t *wire.Task) string { return fmt.Sprint(t.Epoch, t.Round, t.Partitions) }

// readsRows says whether a kind of round takes rows into memory.
func readsRows(k wire.Kind) bool {
	switch k {
	case wire.Keys, wire.Statistics, wire.Quantiles, wire.Directions, wire.Load:
		return true
	}
	return false
}

// act carries the Core's actions out.
func (n *simWorker) act(actions []worker.Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case worker.Compute:
			if a.Task.Epoch < n.epoch || a.Task.Epoch == n.epoch && a.Task.Round < n.round {
				n.w.breaks("I4: %s computes for epoch %d round %d after %d and %d", n.boot, a.Task.Epoch, a.Task.Round, n.epoch, n.round)
			}
			n.epoch, n.round = a.Task.Epoch, a.Task.Round
			n.tasks = append(n.tasks, a.Task)
			if len(n.tasks) > taskQueue {
				n.w.breaks("I5: %d tasks wait at %s", len(n.tasks), n.boot)
			}
			n.next()
		case worker.Reply:
			n.reply(a.Answer)
		case worker.Dropped:
			n.settle(a.Task)
		}
	}
}

// settle takes a task off the list of those that are not answered, and gives its serials.
func (n *simWorker) settle(t *wire.Task) []uint64 {
	key := refKey(t)
	serials := n.refs[key]
	delete(n.refs, key)
	for _, s := range serials {
		delete(n.pending, s)
	}
	return serials
}

// next begins the task that waits longest. The work is done in the middle of its time: a worker that dies before it has
// done nothing, one that dies after it has done it and not said so.
func (n *simWorker) next() {
	if n.busy || len(n.tasks) == 0 {
		return
	}
	t := n.tasks[0]
	n.tasks = n.tasks[1:]
	n.busy = true
	life := n.life
	took := n.w.between(4*time.Millisecond, 30*time.Millisecond) * time.Duration(1+len(t.Partitions)/4)
	if n.w.now < n.slow {
		took *= 40
	}
	n.later(took/2, "work", func() {
		if n.life != life {
			return
		}
		if n.poisoned && readsRows(t.Kind) {
			n.die()
			return
		}
		p, err := n.compute(t)
		n.later(took/2, "computed", func() {
			if n.life != life {
				return
			}
			n.busy = false
			n.act(n.core.Step(worker.Computed{Task: t, Partial: p, Err: err, Took: took}))
			n.next()
		})
	})
}

// computed is what came of a task.
type computed struct {
	partial *wire.Partial
	err     error
}

// compute does a task, unless it was done beside another.
func (n *simWorker) compute(t *wire.Task) (*wire.Partial, error) {
	if c, done := n.early[t]; done {
		delete(n.early, t)
		return c.partial, c.err
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	if t.Epoch != n.epoch || t.Round != n.round { // given up for a newer round
		cancel()
	}
	return n.engine.Do(ctx, t)
}

// besides makes the labels that are asked for next, while others are being written: tasks of labels run side by side.
func (n *simWorker) besides() {
	if n.beside {
		return
	}
	for _, t := range n.tasks {
		if _, done := n.early[t]; !done && t.Kind == wire.Label && t.Epoch == n.epoch && t.Round == n.round {
			n.beside = true
			p, err := n.compute(t)
			n.beside = false
			n.early[t] = computed{p, err}
			return
		}
	}
}

// answer is what goes over the network for an Answer.
type answer struct {
	serials      []uint64
	epoch, round uint64
	covered      []int
	digests      []uint64
	failure      *pb.Failure
	data         []byte
	wrong        bool // its sums are
	took         time.Duration
}

// reply sends an answer.
func (n *simWorker) reply(a *wire.Answer) {
	t := &wire.Task{Epoch: a.Epoch, Round: a.Round, Partitions: a.Covered}
	out := answer{serials: n.settle(t), epoch: a.Epoch, round: a.Round, covered: slices.Clone(a.Covered), digests: a.Digests, took: a.Took}
	if a.Err != nil {
		out.failure = wire.EncodeFailure(a.Err)
	} else {
		var err error
		if out.data, err = wire.EncodePartial(n.sums(a.Partial, &out), wire.PackNone); err != nil {
			n.w.breaks("an answer cannot be encoded: %v", err)
			return
		}
	}
	if c := n.coord; c != nil { // otherwise it is lost; what is missed is announced again
		n.w.net.send(&n.line, true, func() { c.wake(func() { c.answer(n, out) }) })
	}
}

// sums is an answer, with wrong sums where the worker is to answer so.
func (n *simWorker) sums(p *wire.Partial, out *answer) *wire.Partial {
	if !n.wrong {
		return p
	}
	if p, out.wrong = spoil(p, n.how); out.wrong {
		n.wrong = false
		n.w.lastHarm = max(n.w.lastHarm, n.w.now)
		n.w.note("wrong sums", n.boot, out.round)
	}
	return p
}

// drain asks the worker to leave.
func (n *simWorker) drain() {
	n.leaving = true
	n.tell()
	began := n.w.now
	var look func()
	look = func() {
		if len(n.pending) == 0 || n.w.now-began > drainFor {
			n.die()
			return
		}
		n.later(20*time.Millisecond, "drain", look)
	}
	n.later(50*time.Millisecond, "drain", look)
}

// peersOf is how a worker asks the others about ids: at once, or in vain.
type peersOf struct{ n *simWorker }

func (p peersOf) engine(owner string) (*worker.Engine, error) {
	w := p.n.w
	for _, other := range w.workers {
		if other.boot == owner {
			if !other.alive || w.now < other.frozen || w.now < w.net.peers {
				break
			}
			return other.engine, nil
		}
	}
	return nil, worker.ErrUnknownOwner
}

// IDs implements worker.Peers.
func (p peersOf) IDs(ctx context.Context, owner string, r worker.IDsRequest, visit func(worker.IDPart) error) error {
	e, err := p.engine(owner)
	if err != nil {
		return err
	}
	return e.IDs(ctx, r, visit)
}

// Dropped implements worker.Peers.
func (p peersOf) Dropped(ctx context.Context, owner string, r worker.DroppedRequest, visit func(rows []int64) error) error {
	e, err := p.engine(owner)
	if err != nil {
		return err
	}
	return e.Dropped(ctx, r, visit)
}
