package live

import (
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The kinds of events.
const (
	Started        = "started"      // the coordinator
	WorkerJoined   = "joined"       // a worker, or it is back
	WorkerLost     = "lost"         // it was silent for too long
	WorkerLeft     = "left"         // it went in order
	WorkerRefused  = "turned-away"  // a worker of another version
	JobSubmitted   = "submitted"    //
	JobBegun       = "begun"        // it was queued before
	JobWaits       = "waits"        // for workers
	JobResumed     = "resumed"      // from a checkpoint
	JobAnew        = "anew"         // there was none that could be used
	JobDone        = "done"         //
	JobFailed      = "failed"       //
	JobCancelled   = "cancelled"    //
	Reassigned     = "reassigned"   // partitions of a lost worker
	Speculated     = "speculated"   // partitions of a slow worker
	Refused        = "refused"      // an answer
	Checkpoint     = "checkpoint"   // written
	CheckpointLost = "uncheckpoint" // not written
)

const (
	// MaxEvents is how many events are kept: an evening's of a cluster in trouble. At MaxText each they take 200 KiB.
	MaxEvents = 512
	// MaxText is how many bytes of an event's text are kept.
	MaxText = 300
)

// Event is something that has happened in the cluster.
type Event struct {
	Number uint64    `json:"number"` // from 1, for each epoch
	Time   time.Time `json:"time"`
	Kind   string    `json:"kind"`
	Worker string    `json:"worker,omitempty"`
	Job    string    `json:"job,omitempty"`
	Name   string    `json:"name,omitempty"` // of the job
	Text   string    `json:"text"`
	// Count is how many events of a kind that comes again and again this one stands for: those before it, of the same kind,
	// worker and job, are dropped.
	Count int `json:"count,omitempty"`
}

// repeats says whether an event drives out the one before it that is like it. Otherwise the checkpoints of one long job
// would leave no room for anything else.
func (e *Event) repeats() bool {
	return e.Kind == Checkpoint || e.Kind == CheckpointLost || e.Kind == Speculated || e.Kind == Refused || e.Kind == WorkerRefused
}

// Events are the last events of an epoch. Adding one never waits for who reads them.
type Events struct {
	epoch uint64
	mu    sync.Mutex
	last  uint64 // number of the newest
	list  []Event
}

// NewEvents makes an empty list for an epoch.
func NewEvents(epoch uint64) *Events { return &Events{epoch: epoch} }

// Add numbers an event and appends it; without a time it gets the present one.
func (l *Events) Add(e Event) {
	if e.Time.IsZero() {
		e.Time = time.Now()
	}
	e.Time = e.Time.UTC().Truncate(time.Millisecond)
	if len(e.Text) > MaxText {
		const more = "…"
		e.Text = strings.ToValidUTF8(e.Text[:MaxText-len(more)], "") + more
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.last++
	e.Number = l.last
	if e.repeats() {
		e.Count = 1
		like := func(o Event) bool { return o.Kind == e.Kind && o.Worker == e.Worker && o.Job == e.Job }
		if i := slices.IndexFunc(l.list, like); i >= 0 {
			e.Count += l.list[i].Count
			l.list = slices.Delete(l.list, i, i+1)
		}
	}
	if len(l.list) == MaxEvents {
		l.list = slices.Delete(l.list, 0, 1)
	}
	l.list = append(l.list, e)
}

// After are the events with a number above n, newest last.
func (l *Events) After(n uint64) []Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	i, _ := slices.BinarySearchFunc(l.list, n+1, func(e Event, n uint64) int {
		if e.Number < n {
			return -1
		}
		return 1
	})
	return slices.Clone(l.list[i:])
}

// mark is how a stream names the last event that it sent: after a new start of the coordinator numbers begin anew.
func (l *Events) mark(number uint64) string {
	return strconv.FormatUint(l.epoch, 10) + "-" + strconv.FormatUint(number, 10)
}

// since is the number in a mark; 0, all that there is, for one of another epoch or none.
func (l *Events) since(mark string) uint64 {
	epoch, number, _ := strings.Cut(mark, "-")
	e, err := strconv.ParseUint(epoch, 10, 64)
	if err != nil || e != l.epoch {
		return 0
	}
	n, err := strconv.ParseUint(number, 10, 64)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil || n > l.last {
		return 0
	}
	return n
}
