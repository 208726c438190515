package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/checkpoint"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
)

// errCancelled is the user's cancel.
var errCancelled = errors.New("the job was cancelled")

// start runs the job, from its newest checkpoint if it has one.
func (c *coord) start() {
	s := c.w.script
	config := coordinator.Config{Manifest: s.Job.manifest(s.Partitions), Workers: s.Least, Patient: true, Epoch: c.epoch, After: c.last, Window: s.Window}
	state, ok := c.newest()
	if !ok {
		c.later(time.Second, "start again", c.start)
		return
	}
	var err error
	c.job, c.fit, c.label, err = s.Job.program(config, state, c.w.twin)
	if err != nil {
		c.w.breaks("I4: the job cannot be made: %v", err)
		return
	}
	c.running, c.begun, c.ending, c.waiting = true, false, false, true
	c.waited = c.w.now
	c.keep.reset(c, c.fit)
	c.w.books.begin(c)
	c.w.note("job starts", c.epoch, c.last, state != nil)
	var here []*member
	for _, m := range c.members {
		if !m.lost && !m.draining {
			here = append(here, m)
		}
	}
	for i, m := range here {
		if !c.running {
			return
		}
		c.step(coordinator.WorkerJoined{Worker: c.weight(m), Held: m.held, More: i < len(here)-1})
	}
}

// newest is the state of the newest checkpoint; ok is false where it cannot be read now.
func (c *coord) newest() (state *coordinator.FitState, ok bool) {
	if c.w.script.Job.Assign {
		return nil, true
	}
	data, sequence, skipped, err := c.store.Load(c.w.job)
	c.w.note("loaded", sequence, len(skipped), err == nil)
	if len(skipped) > 0 && c.w.disk.damaged == 0 {
		c.w.breaks("I4: a checkpoint is invalid that nobody has damaged: %v", skipped)
	}
	switch {
	case errors.Is(err, checkpoint.ErrNone):
		c.w.books.loaded(c, 0)
		c.keep.sequence = max(c.keep.sequence, sequence)
		return nil, true
	case err != nil:
		return nil, !c.w.disk.troubled()
	}
	c.w.books.loaded(c, sequence)
	c.keep.sequence = sequence
	if state, err = coordinator.DecodeState(data); err != nil {
		c.w.breaks("I4: checkpoint %d cannot be decoded: %v", sequence, err)
	}
	return state, true
}

// step gives the job an event and carries out what it says.
func (c *coord) step(e coordinator.Event) {
	if !c.running || c.ending {
		return
	}
	c.changed = true
	actions := c.job.Step(e)
	for len(actions) > 0 && c.running {
		a := actions[0]
		actions = append(actions[1:], c.act(a)...)
	}
}

// act carries one action out; what it gives comes after the others.
func (c *coord) act(a coordinator.Action) []coordinator.Action {
	w := c.w
	switch a := a.(type) {
	case coordinator.Send:
		return c.send(a)
	case coordinator.Opened:
		c.begun, c.round, c.kind = true, a.Round, a.Kind
		c.body, c.sent, c.timed, c.answered = nil, nil, nil, make(map[uint64]bool)
		w.books.opened(c, &a)
		w.note("opened", c.epoch, a.Round, string(a.Kind), a.Partitions)
	case coordinator.Booked:
		w.books.booked(c, &a)
	case coordinator.Advanced:
		w.books.advanced(c)
		c.keep.observe(a)
	case coordinator.Refused:
		w.note("refused", a.Worker)
	case coordinator.Reassigned:
		w.note("reassigned", a.From, a.Partitions)
	case coordinator.Speculated:
		w.note("speculated", a.Slow, a.Partitions)
	case coordinator.Waiting:
		if c.waiting = a.Have < a.Need; c.waiting {
			c.waited = w.now
		}
	case coordinator.Finished:
		c.finish()
	case coordinator.Failed:
		c.fails(a.Err)
	}
	return nil
}

// send asks a worker for a task.
func (c *coord) send(a coordinator.Send) []coordinator.Action {
	if c.waiting {
		c.w.breaks("I7: %s is asked for %v while the job waits for workers", a.Worker, a.Task.Partitions)
	}
	m := c.named(a.Worker)
	if m == nil || m.lost {
		return c.job.Step(coordinator.WorkerLost{Name: a.Worker, Begun: []int{}})
	}
	if c.body == nil {
		addressed := *a.Task
		addressed.Owners = c.addresses(a.Task.Owners)
		if a.Task.Reload != nil {
			reload := *a.Task.Reload
			reload.Owners = c.addresses(reload.Owners)
			addressed.Reload = &reload
		}
		body, err := wire.EncodeBody(&addressed)
		if err != nil {
			c.w.breaks("a task cannot be encoded: %v", err)
			return nil
		}
		c.body, c.context = body, a.Task.Context(c.w.script.Partitions)
	}
	data, err := wire.EncodeTask(a.Task, c.body)
	if err != nil {
		c.w.breaks("a task cannot be encoded: %v", err)
		return nil
	}
	c.serial++
	t := &sentTask{serial: c.serial, worker: a.Worker, covered: a.Task.Partitions, data: data, when: c.clock()}
	c.w.books.asks(t)
	c.sent = append(c.sent, t)
	c.w.note("asked", a.Worker, a.Task.Round, a.Task.Partitions)
	c.announce(m, t)
	return nil
}

// addresses are where the workers of these names are.
func (c *coord) addresses(names []string) []string {
	if len(names) == 0 {
		return nil
	}
	list := make([]string, len(names))
	for i, name := range names {
		if m := c.named(name); m != nil {
			list[i] = m.boot
		}
	}
	return list
}

// announce sends a task on its way.
func (c *coord) announce(m *member, t *sentTask) {
	n, serial, data := m.n, t.serial, t.data
	c.w.net.send(&n.line, false, func() {
		n.wake(func() {
			if n.coord == c {
				n.task(serial, data)
			}
		})
	})
}

// refused is a task that a worker never takes up: another is to try.
func (c *coord) refused(t *sentTask) {
	c.w.books.grief++
	c.step(coordinator.Answered{Answer: &wire.Answer{Epoch: c.epoch, Round: c.round, Worker: t.worker, Covered: t.covered,
		Err: fault.Failedf(nil, "worker %s does not take up its part: %s", t.worker, injectedError)}})
}

// answer takes what a worker has found.
func (c *coord) answer(n *simWorker, out answer) {
	name := n.name
	if m := c.memberOf(n.boot); m != nil {
		name = m.name
	}
	fresh := out.epoch == c.epoch && out.round == c.round
	if !c.running || c.ending || !fresh && !c.forgetful() && c.w.rand.IntN(2) == 0 {
		return // the real server does not even decode it; half of the time the job is asked
	}
	if fresh && len(out.serials) > 0 && c.answered[out.serials[0]] {
		return // it has come before
	}
	if out.epoch == c.epoch {
		c.took(name, &out)
	}
	a := &wire.Answer{Epoch: out.epoch, Round: out.round, Worker: name, Covered: slices.Clone(out.covered), Digests: out.digests, Took: out.took}
	switch {
	case out.failure != nil:
		a.Err, a.NoDisk = wire.DecodeFailure(out.failure), out.failure.NoDisk
		if fresh {
			c.w.books.grief++
		}
	case fresh || c.forgetful():
		p, err := wire.DecodePartial(out.data, c.context)
		if err != nil && !fresh {
			return
		}
		if err != nil {
			c.w.breaks("an answer cannot be decoded: %v", err)
			return
		}
		a.Partial = p
		if !fresh { // a deliberate mistake
			a.Epoch, a.Round = c.epoch, c.round
		}
	default:
		a.Partial = &wire.Partial{}
	}
	c.w.note("answer", name, out.epoch, out.round, out.covered)
	c.stepping, c.spoilt = a, out.wrong
	c.w.books.gives(a)
	c.step(coordinator.Answered{Answer: a})
	c.stepping, c.spoilt = nil, false
}

// forgetful says whether the run is to make the mistake of taking answers of other rounds for those of this one.
func (c *coord) forgetful() bool { return c.w.script.Break == BreakRounds }

// took takes what is answered off the list.
func (c *coord) took(name string, out *answer) {
	for _, serial := range out.serials {
		c.answered[serial] = true
	}
	c.sent = slices.DeleteFunc(c.sent, func(t *sentTask) bool {
		if t.worker != name || !slices.Contains(out.serials, t.serial) {
			return false
		}
		c.timed = append(c.timed, c.clock()-t.when)
		return true
	})
}

// finish writes the result, which takes a moment.
func (c *coord) finish() {
	c.ending = true
	c.w.note("finished", c.epoch, c.round)
	c.w.books.finished(c)
	if err := tally(c.fit, c.label, int64(c.w.script.Job.Rows)); err != nil {
		c.w.breaks("%v", err)
	}
	c.later(c.bed.takes(), "result", func() {
		data, err := resultOf(c.fit, c.label)
		if err != nil {
			c.w.breaks("I1: the result cannot be encoded: %v", err)
			return
		}
		err = c.store.SaveResult(c.w.job, data)
		c.running, c.ending, c.sent = false, false, nil
		c.last = max(c.last, c.round)
		if c.overtaken(err) {
			return
		}
		if err != nil {
			c.over(stateFailed, err)
			return
		}
		c.w.books.wrote(c, "a result")
		c.over(stateDone, nil)
	})
}

// fails ends the job.
func (c *coord) fails(err error) {
	c.running, c.sent = false, nil
	c.last = max(c.last, c.round)
	c.keep.stopped()
	c.w.books.failed(c, err)
	state := stateFailed
	if errors.Is(err, errCancelled) {
		state = stateCancelled
	}
	c.over(state, err)
	for _, m := range c.members {
		n := m.n
		c.w.net.send(&n.line, false, func() { n.wake(n.release) })
	}
}

// over notes that the job is no more under way, and tries until that is on the disk.
func (c *coord) over(state string, reason error) {
	c.state = state
	text := fmt.Sprint(reason)
	if root := c.w.disk.root; root != "" {
		text = strings.ReplaceAll(text, root, "STATE") // its name is another in each run
	}
	c.w.note("over", c.epoch, state, text)
	c.w.user.hears(c, state, reason)
	c.persist()
}

// persist writes the job's state, again and again until it is written.
func (c *coord) persist() {
	state := c.state
	c.w.books.writing(state)
	err := c.store.SetState(c.w.job, []byte(state))
	switch {
	case c.overtaken(err):
	case err != nil:
		c.later(time.Second, "state", func() {
			if c.state == state {
				c.persist()
			}
		})
	default:
		c.w.books.wrote(c, "a state")
		c.w.books.written(state)
	}
}

// overtaken ends the coordinator when another writes its state.
func (c *coord) overtaken(err error) bool {
	if !errors.Is(err, checkpoint.ErrConflict) {
		return false
	}
	if c.w.coords[len(c.w.coords)-1] == c {
		c.w.breaks("I4: the newest coordinator was told that another has taken over: %v", err)
	}
	c.die("overtaken")
	return true
}

// impatience ends the job when it has waited too long for workers.
func (c *coord) impatience() {
	if c.waiting && c.w.now-c.waited > c.w.script.Wait && c.present() < c.w.script.Least {
		c.step(coordinator.Cancelled{Reason: &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow},
			Problem: fmt.Sprintf("%d/%d workers after waiting", c.present(), c.w.script.Least)}})
	}
	if c.waiting && c.w.now-c.waited > 2*c.w.script.Wait+calm/4 {
		c.w.breaks("I7: the job has waited for workers since %v", c.waited)
	}
}

// resume has the job go on that has failed or was cancelled.
func (c *coord) resume() {
	c.state = stateRunning
	c.persist()
	if c.alive {
		c.start()
	}
}
