package coordinator

import (
	"context"
	"sync"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// logLength is how many of a job's events are kept for those who follow it: who is further behind than that misses
// some progress, never the end.
const logLength = 2048

// eventLog is what a job has done, for any number of followers. Who adds never waits for them.
type eventLog struct {
	mu     sync.Mutex
	first  int // number of events[0]
	events []*pb.JobEvent
	closed bool
	grown  chan struct{} // closed and replaced with each addition
}

func newEventLog() *eventLog { return &eventLog{grown: make(chan struct{})} }

// add appends an event; last says that no other follows.
func (l *eventLog) add(e *pb.JobEvent, last bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if len(l.events) == logLength {
		l.events = append(l.events[:0:0], l.events[logLength/2:]...)
		l.first += logLength / 2
	}
	l.events = append(l.events, e)
	l.closed = last
	close(l.grown)
	l.grown = make(chan struct{})
}

// next waits for the events from number at on. done says that there are no others.
func (l *eventLog) next(ctx context.Context, at int) (events []*pb.JobEvent, after int, done bool, err error) {
	for {
		l.mu.Lock()
		end := l.first + len(l.events)
		if at < end {
			events = append(events, l.events[max(at-l.first, 0):]...)
			done = l.closed
			l.mu.Unlock()
			return events, end, done, nil
		}
		grown, closed := l.grown, l.closed
		l.mu.Unlock()
		if closed {
			return nil, at, true, nil
		}
		select {
		case <-grown:
		case <-ctx.Done():
			return nil, at, false, ctx.Err()
		}
	}
}
