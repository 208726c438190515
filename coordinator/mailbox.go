package coordinator

import (
	"context"
	"sync"
)

// mailbox takes events for a job without ever making the sender wait, and delivers them in order. What it holds is
// bounded by its senders: answers by the memory that they take, the comings and goings of workers by their number.
type mailbox struct {
	mu     sync.Mutex
	items  []Event
	closed bool          // nobody takes anything any more
	signal chan struct{} // capacity 1
	out    chan Event
}

func newMailbox() *mailbox {
	return &mailbox{signal: make(chan struct{}, 1), out: make(chan Event)}
}

// post adds an event. One that comes after the end is dropped, and what it holds is given back.
func (m *mailbox) post(e Event) {
	m.mu.Lock()
	if m.closed {
		m.mu.Unlock()
		release(e)
		return
	}
	m.items = append(m.items, e)
	m.mu.Unlock()
	select {
	case m.signal <- struct{}{}:
	default:
	}
}

// pump delivers until the context ends, and then gives back what answers that nobody takes any more hold.
func (m *mailbox) pump(ctx context.Context) {
	defer m.drop()
	for {
		m.mu.Lock()
		items := m.items
		m.items = nil
		m.mu.Unlock()
		for i, e := range items {
			select {
			case m.out <- e:
			case <-ctx.Done():
				m.mu.Lock()
				m.items = append(items[i:], m.items...)
				m.mu.Unlock()
				return
			}
		}
		if len(items) > 0 {
			continue
		}
		select {
		case <-m.signal:
		case <-ctx.Done():
			return
		}
	}
}

func (m *mailbox) drop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, e := range m.items {
		release(e)
	}
	m.items, m.closed = nil, true
}

// release gives back what an event holds.
func release(e Event) {
	if a, ok := e.(Answered); ok && a.release != nil {
		a.release()
	}
}
