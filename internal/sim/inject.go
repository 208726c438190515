package sim

import (
	"errors"
	"time"

	"github.com/coterie-project/coterie/internal/checkpoint"
)

// inject lets the faults fall that are due: one that finds nothing to befall waits for the next event.
func (w *world) inject() {
	if w.over || w.broken != nil {
		return
	}
	c := w.current()
	if c == nil {
		return
	}
	phase := c.phase()
	w.steps[phase]++
	busy := c.keep.busy()
	if busy {
		w.steps[PhaseCheckpoint]++
	}
	for i := range w.script.Faults {
		f := &w.script.Faults[i]
		due := f.Phase == phase || busy && f.Phase == PhaseCheckpoint
		if w.fired[i] || !due || w.steps[f.Phase] <= f.After {
			continue
		}
		if !w.befall(c, f) {
			continue
		}
		w.fired[i] = true
		w.injected[Cell{f.Kind, f.Phase}]++
		w.lastHarm = max(w.lastHarm, w.now+f.For)
		w.note("FAULT "+string(f.Kind), string(f.Phase), f.On, f.N)
		if !c.alive || w.over || w.broken != nil {
			return
		}
	}
}

// befall lets one fault fall; false: there is nothing that it could befall.
func (w *world) befall(c *coord, f *Fault) bool {
	if fall, of := onWorkers[f.Kind]; of {
		list := w.alive()
		if len(list) == 0 {
			return false
		}
		return fall(w, list[f.On%len(list)], f)
	}
	return onOthers[f.Kind](w, c, f)
}

// spawnLater brings a worker on a host after a while.
func (w *world) spawnLater(d time.Duration, host int) {
	w.after(d, "spawn", func() { w.spawn(host) })
}

func lasts(f *Fault, until *time.Duration, w *world) bool {
	*until = max(*until, w.now+f.For)
	return true
}

// onWorkers are the faults that befall one worker.
var onWorkers = map[Kind]func(w *world, n *simWorker, f *Fault) bool{
	WorkerCrash: func(w *world, n *simWorker, f *Fault) bool {
		n.die()
		w.host++
		w.spawnLater(f.For, w.host)
		return true
	},
	WorkerRestart: func(w *world, n *simWorker, _ *Fault) bool {
		n.die()
		w.spawnLater(w.between(50*time.Millisecond, 500*time.Millisecond), n.host)
		return true
	},
	WorkerFreeze: func(_ *world, n *simWorker, f *Fault) bool { n.freeze(f.For); return true },
	WorkerSlow:   func(w *world, n *simWorker, f *Fault) bool { return lasts(f, &n.slow, w) },
	WorkerDrains: func(w *world, n *simWorker, f *Fault) bool {
		n.drain()
		w.host++
		w.spawnLater(f.For, w.host)
		return true
	},
	WorkerMemory: func(w *world, n *simWorker, f *Fault) bool {
		n.poisoned = true
		w.spawnLater(f.For, n.host+1)
		w.after(f.For, "relief", func() { n.poisoned = false })
		return true
	},
	ReadErrors: func(w *world, n *simWorker, f *Fault) bool { return lasts(f, &n.failing, w) },
	WrongSums: func(w *world, n *simWorker, f *Fault) bool {
		if w.script.Job.Assign || Impossible(f.Kind, f.Phase) != "" {
			return false // no sums are to come
		}
		n.wrong, n.how = true, f.N
		return true
	},
	LabelsUnwritten: func(w *world, n *simWorker, f *Fault) bool {
		return w.script.Job.labels() && lasts(f, &n.unwritten, w)
	},
	CutFromWorker: func(w *world, n *simWorker, f *Fault) bool { return lasts(f, &n.line.up, w) },
	CutToWorker:   func(w *world, n *simWorker, f *Fault) bool { return lasts(f, &n.line.down, w) },
	CutBoth: func(w *world, n *simWorker, f *Fault) bool {
		return lasts(f, &n.line.up, w) && lasts(f, &n.line.down, w)
	},
	SlowLink: func(w *world, n *simWorker, f *Fault) bool { return lasts(f, &n.line.slow, w) },
	ConnectionBreak: func(w *world, n *simWorker, f *Fault) bool {
		c := n.coord
		if c == nil {
			return false
		}
		n.disconnect()
		if m := c.memberOf(n.boot); m != nil {
			m.open, m.since = false, c.clock()
		}
		n.later(w.between(0, 1500*time.Millisecond), "connects", func() {
			if n.coord == nil {
				n.look()
			}
		})
		return true
	},
}

// onOthers are the faults that befall the coordinator, the network, or all.
var onOthers map[Kind]func(w *world, c *coord, f *Fault) bool

func init() {
	onOthers = map[Kind]func(w *world, c *coord, f *Fault) bool{
		WorkerJoins: func(w *world, _ *coord, _ *Fault) bool {
			w.host++
			w.spawn(w.host)
			return true
		},
		AllWorkersLost:    func(w *world, _ *coord, f *Fault) bool { return w.allDie(f.For) },
		NobodyComes:       (*world).nobodyComes,
		MessagesLost:      func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.net.lossy, w) },
		MessagesTwice:     func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.net.twice, w) },
		MessagesMixed:     func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.net.mixed, w) },
		PeersCut:          func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.net.peers, w) },
		GossipLate:        func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.gossipLate, w) },
		GossipWrong:       func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.gossipWrong, w) },
		CoordinatorCrash:  func(w *world, c *coord, f *Fault) bool { return w.restart(c, f.For/3) },
		CoordinatorFreeze: func(_ *world, c *coord, f *Fault) bool { c.freeze(f.For); return true },
		CoordinatorSecond: (*world).second,
		ClockJump: func(_ *world, c *coord, f *Fault) bool {
			if c.jump += f.For; f.N%3 == 0 {
				c.jump -= 2 * f.For
			}
			return true
		},
		PowerFailure:      (*world).powerFails,
		CheckpointCrash:   (*world).crashInCheckpoint,
		CheckpointDamaged: (*world).damage,
		DiskFull:          func(w *world, _ *coord, f *Fault) bool { w.disk.harm(&w.disk.full, f.For); return true },
		DiskSlow:          func(w *world, _ *coord, f *Fault) bool { return lasts(f, &w.disk.slow, w) },
		StoreFails:        func(w *world, _ *coord, f *Fault) bool { w.disk.harm(&w.disk.fails, f.For); return true },
		StoreAnswersLost:  func(w *world, _ *coord, f *Fault) bool { w.disk.harm(&w.disk.loses, f.For); return true },
		CancelAndResume: func(_ *world, c *coord, _ *Fault) bool {
			if !c.running || c.ending {
				return false
			}
			c.cancel()
			return true
		},
	}
}

// allDie kills all workers; as many come after a while.
func (w *world) allDie(d time.Duration) bool {
	list := w.alive()
	for _, n := range list {
		n.die()
	}
	for range list {
		w.host++
		w.spawnLater(d, w.host)
	}
	return len(list) > 0
}

// nobodyComes kills all workers until the job has given up.
func (w *world) nobodyComes(c *coord, _ *Fault) bool {
	if !c.running || c.ending {
		return false
	}
	for _, n := range w.alive() {
		n.die()
	}
	w.nobody = w.now + 3*w.script.Wait
	w.lastHarm = max(w.lastHarm, w.nobody)
	return true
}

// restart kills the coordinator and starts another one.
func (w *world) restart(c *coord, d time.Duration) bool {
	c.die("killed")
	w.after(100*time.Millisecond+d, "start", w.boot)
	return true
}

// second starts another coordinator beside the one that there is.
func (w *world) second(c *coord, _ *Fault) bool {
	if w.disk.memory == nil {
		s, _, err := w.disk.open()
		if err == nil {
			_ = s.Close()
		}
		if !errors.Is(err, checkpoint.ErrLocked) && !w.disk.troubled() {
			w.breaks("I4: a second coordinator on the folder is not refused: %v", err)
		}
		return true
	}
	if w.disk.troubled() {
		return false
	}
	w.open()
	return true
}

// powerFails takes the coordinator's machine away, with what was not synced.
func (w *world) powerFails(c *coord, f *Fault) bool {
	w.loseTheRest(c)
	c.die("without power")
	if err := w.disk.powerFails(w.rand); err != nil {
		w.breaks("the simulated disk: %v", err)
	}
	w.after(200*time.Millisecond+f.For/3, "start", w.boot)
	return true
}

// loseTheRest has the coordinator be in the middle of writing when it dies: its checkpoint, if one is under way, and
// otherwise its state.
func (w *world) loseTheRest(c *coord) {
	c.bed.doom(w.rand.IntN(14))
	w.write(c)
}

func (w *world) write(c *coord) {
	switch {
	case c.keep.busy():
		c.keep.next = nil // it dies here
		c.keep.write()
	case c.state != "":
		_ = c.store.SetState(c.w.job, []byte(c.state))
	}
}

// crashInCheckpoint kills the coordinator at the n-th operation of what it writes.
func (w *world) crashInCheckpoint(c *coord, f *Fault) bool {
	if c.state == "" {
		return false
	}
	c.bed.doom(f.N % 14)
	w.write(c)
	return w.restart(c, f.For/3)
}

// damage flips a bit of the newest checkpoint and starts the coordinator again. Two that are damaged are all there are.
func (w *world) damage(c *coord, f *Fault) bool {
	if w.disk.damaged > 0 {
		return true
	}
	w.disk.flip(f.N)
	return w.restart(c, f.For/3)
}
