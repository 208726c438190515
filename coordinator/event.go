package coordinator

import (
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// Event is something that happened: WorkerJoined, WorkerLost, Answered, Straggling, Measured or Cancelled.
type Event interface{ event() }

// WorkerJoined is a worker that can take tasks. The job begins once as many as it waits for have joined.
type WorkerJoined struct {
	Worker partition.Worker
	Held   []int // partitions of the job that are in its memory already, from before a coordinator's restart
	// More says that others join in the same moment: a job that begins has its first round shared by all of them, and that
	// is the whole of a labelling.
	More bool
}

// WorkerLost is a worker that is not expected to answer any more; its partitions go to others at once. Left says that
// it went in order. Begun are the partitions of the round that it is known to have taken up: only those can have brought
// it down. Nil means that nothing is known, and any can.
type WorkerLost struct {
	Name  string
	Left  bool
	Begun []int
}

// Answered is a worker's answer to a task.
type Answered struct {
	Answer *wire.Answer
	// release gives back the memory that the answer took, once it has been merged or refused; nil: nothing to do.
	release func()
}

// Straggling is a worker that takes much longer over a round than the others; who has a clock says so.
type Straggling struct{ Worker string }

// Measured is how fast a worker has turned out to be: its share of the rows from the next round on.
type Measured struct {
	Worker string
	Weight int
}

// Cancelled ends the job.
type Cancelled struct{ Reason error }

func (WorkerJoined) event() {}
func (WorkerLost) event()   {}
func (Answered) event()     {}
func (Straggling) event()   {}
func (Measured) event()     {}
func (Cancelled) event()    {}

// Action is something to do: Send, PhaseBegun, Opened, Booked, Iterated, Advanced, Refused, Reassigned, Speculated, Waiting, Finished or
// Failed.
type Action interface{ action() }

// Send asks a worker to do a task.
type Send struct {
	Worker string
	Task   *wire.Task
}

// Phase names a stretch of a job; the seconds of a fit are reported by phase.
type Phase string

// The phases of jobs, in order.
const (
	PhaseRead    Phase = "read"
	PhaseSeed    Phase = "seed"
	PhaseIterate Phase = "iterate"
	PhaseScore   Phase = "score" // of a sweep
	PhaseWrite   Phase = "write"
)

// PhaseBegun is for clocks and progress. Rows is the work of one round in it.
type PhaseBegun struct {
	Phase Phase
	Rows  int64
}

// Opened is a round that begins, for clocks and traces; its tasks follow.
type Opened struct {
	Round      uint64
	Kind       wire.Kind
	Partitions int
	Iteration  int // that it is part of, of several runs the furthest; 0: none
}

// Booked is an answer that was booked. Covered are its partitions, of which the round still waits for Open.
type Booked struct {
	Worker  string
	Covered []int
	Open    int
}

// Iterated is for progress: an assignment was merged.
type Iterated struct {
	Run, Iteration int
	Rows           int64
	Moved          int64 // −1: unknown, since some rows had no label before
	Last           bool  // the run iterates no more
	after          *kmeans.Centroids
	sums           *kmeans.Sums
	centroids      *kmeans.Centroids
	fit            *Fit
}

// Inertia is that of the pass, from the sums; it costs k·d exact multiplications, so only who shows it asks.
func (i *Iterated) Inertia() float64 {
	return i.fit.scaled(i.sums.Inertia(i.centroids, i.fit.totals, i.fit.space.Grid, 1))
}

// apart is how far the run was from its end before the pass: it ends at 1 or soon after. 0: that cannot be told.
func (i *Iterated) apart() float64 {
	if tolerance := float64(i.fit.options.Tolerance * i.fit.spread); tolerance > 0 {
		return i.after.Movement(i.centroids) / tolerance
	}
	return float64(max(i.Moved, 0)) // it ends when no row moves
}

// Refused is an answer that was not booked, for the log. Failed says that it was none: the worker could not do its part, for
// the reason of Err, and others are asked.
type Refused struct {
	Worker string
	Err    error
	Failed bool
}

// Reassigned is partitions that changed hands, for the log.
type Reassigned struct {
	From       string
	Partitions int
}

// Speculated is copies of what a slow worker owes, given to idle ones, for the log.
type Speculated struct {
	Slow       string
	Partitions int
	Idle       []string
}

// Waiting is a job that has fewer workers than it needs, or, with Have ≥ Need, has them again.
type Waiting struct{ Have, Need int }

// Advanced says that the job has come to a place that it could be resumed from. PhaseEnd marks the places that are
// worth keeping whatever the clock says.
type Advanced struct{ PhaseEnd bool }

// Finished ends the job well.
type Finished struct{}

// Failed ends the job.
type Failed struct{ Err error }

func (Send) action()       {}
func (PhaseBegun) action() {}
func (Opened) action()     {}
func (Booked) action()     {}
func (*Iterated) action()  {}
func (Refused) action()    {}
func (Reassigned) action() {}
func (Speculated) action() {}
func (Waiting) action()    {}
func (Advanced) action()   {}
func (Finished) action()   {}
func (Failed) action()     {}
