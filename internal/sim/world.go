package sim

import (
	"cmp"
	"container/heap"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"time"
)

// The bounds of a run in events and in virtual time.
const (
	maxEvents = 400_000
	// calm is how long after the last fault a job may take to its end, in virtual time: many times what the waits of the
	// protocol add up to (a beat missed, a reconnect, thirty reminders, a worker's wait).
	calm = 10 * time.Minute
	// maxQueue bounds the events that wait at one time.
	maxQueue = 20_000
)

// world is everything in a run. One goroutine drives it.
type world struct {
	script *Script
	twin   *outcome
	job    string // its id
	table  *table
	rand   *rand.Rand

	now    time.Duration
	events queue
	serial uint64
	count  int

	workers []*simWorker // all that ever were
	coords  []*coord     // all that ever were; the last is the one that gossip ends up with
	net     network
	disk    *bed
	user    user
	labels  labels
	books   books

	gossipLate, gossipWrong time.Duration // until when gossip is behind, or knows nobody
	nobody                  time.Duration // until when no worker comes by itself
	host                    int           // the last one

	fired             []bool
	steps             map[Phase]int
	lastHarm          time.Duration // until when faults last
	injected          map[Cell]int
	caught, unwritten int // see Report

	hash   uint64
	trace  func(line string)
	broken error
	over   bool
}

func newWorld(s *Script, twin *outcome, trace func(string)) *world {
	w := &world{script: s, twin: twin, rand: rand.New(rand.NewPCG(s.Seed, 0x776f726c64)), table: madeTable(&s.Job), trace: trace, job: jobID,
		fired: make([]bool, len(s.Faults)), steps: make(map[Phase]int), injected: make(map[Cell]int)}
	w.net.w, w.user.w, w.books.w = w, w, w
	w.labels = labels{w: w, rows: make(map[string]int), parts: make(map[int]bool)}
	return w
}

// Cell is a kind of fault in a phase.
type Cell struct {
	Kind  Kind
	Phase Phase
}

// event is something that comes to pass at a time.
type event struct {
	at   time.Duration
	seq  uint64
	do   func()
	what string
}

// queue is a heap of events by time, and of those at one time by their order.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return cmp.Or(cmp.Compare(q[i].at, q[j].at), cmp.Compare(q[i].seq, q[j].seq)) < 0
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push and Pop implement heap.Interface.
func (q *queue) Push(e any) { *q = append(*q, e.(event)) }
func (q *queue) Pop() any {
	old := *q
	e := old[len(old)-1]
	old[len(old)-1] = event{}
	*q = old[:len(old)-1]
	return e
}

// after has something come to pass.
func (w *world) after(d time.Duration, what string, do func()) {
	w.serial++
	heap.Push(&w.events, event{at: w.now + max(d, 0), seq: w.serial, do: do, what: what})
}

// note writes a line of the trace: its hash tells whether two runs are the same.
func (w *world) note(what string, args ...any) {
	h := fnv.New64a()
	var b [24]byte
	put := func(at int, n uint64) {
		for i := range 8 {
			b[at+i] = byte(n >> (8 * i))
		}
	}
	put(0, w.hash)
	put(8, uint64(w.now))
	h.Write(b[:16])
	h.Write([]byte(what))
	for _, a := range args {
		switch a := a.(type) {
		case int:
			put(0, uint64(a))
			h.Write(b[:8])
		case uint64:
			put(0, a)
			h.Write(b[:8])
		case string:
			h.Write([]byte(a))
		case []int:
			for _, n := range a {
				put(0, uint64(n))
				h.Write(b[:8])
			}
		default:
			fmt.Fprint(h, a)
		}
	}
	w.hash = h.Sum64()
	if w.trace != nil {
		line := fmt.Sprintf("%10.3f  %s", w.now.Seconds(), what)
		for _, a := range args {
			line += fmt.Sprintf(" %v", a)
		}
		w.trace(line)
	}
}

// breaks notes the first invariant that is broken, which ends the run.
func (w *world) breaks(format string, args ...any) {
	if w.broken == nil {
		w.broken = fmt.Errorf(format, args...)
		w.note("BROKEN: " + w.broken.Error())
	}
}

// drive runs events until the job is over or something breaks.
func (w *world) drive() {
	for !w.over && w.broken == nil {
		if len(w.events) == 0 {
			w.breaks("I7: nothing is left to happen, and the job is not over")
			return
		}
		e := heap.Pop(&w.events).(event)
		w.now = e.at
		w.count++
		e.do()
		w.check()
		w.inject()
		switch {
		case w.count > maxEvents:
			w.breaks("I5: more than %d events", maxEvents)
		case len(w.events) > maxQueue:
			w.breaks("I5: %d events wait", len(w.events))
		case w.now > w.lastHarm+calm:
			w.breaks("I7: the job is not over %v after the last fault (%s)", calm, w.where())
		}
	}
}

// where says where the job is, for messages.
func (w *world) where() string {
	c := w.current()
	if c == nil {
		return "there is no coordinator"
	}
	return fmt.Sprintf("epoch %d, round %d, %s, %d workers, user %s", c.epoch, c.round, c.phase(), c.present(), w.user.state)
}

// current is the coordinator that was started last, if it is alive.
func (w *world) current() *coord {
	if n := len(w.coords); n > 0 && w.coords[n-1].alive {
		return w.coords[n-1]
	}
	return nil
}

// alive are the workers that are, in the order of their coming.
func (w *world) alive() []*simWorker {
	return slices.DeleteFunc(slices.Clone(w.workers), func(n *simWorker) bool { return !n.alive || n.leaving })
}

// between draws a time.
func (w *world) between(lo, hi time.Duration) time.Duration {
	return lo + time.Duration(w.rand.Int64N(int64(hi-lo)+1))
}
