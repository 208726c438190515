package serve

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// What a request may cost.
const (
	// oneBody is how many bytes a question for one customer may have: a thousand features with long names have less.
	oneBody = 1 << 20
	// manyBody is the same for a batch, and for a message of gRPC: lookup.MaxRows rows of 40 numbers.
	manyBody = 4 << 20
	// oneSlots and manySlots are how many requests for one and for many may be read and answered at once. More would not be
	// faster, and each holds its body.
	oneSlots, manySlots = 256, 16
	// connections is how many may be open at once for each protocol. Further ones are closed at once, so that a load
	// balancer goes elsewhere.
	connections = 1024
	// streams is how many requests of one connection may be under way.
	streams = 128
	// headerBytes bounds the header of a request; ours have a few hundred.
	headerBytes = 16 << 10
	// callRate is how many gRPC calls a second one machine may make: more than a core answers, so that it stops only what
	// has gone wild.
	callRate = 200_000
)

// How long things may take.
type waits struct {
	header time.Duration // until the header of an HTTP request is there
	body   time.Duration // until all of it is there; for gRPC also until it is answered
	answer time.Duration // until the answer is written
	idle   time.Duration // between two requests
	slot   time.Duration // until a request has its turn
	poll   time.Duration // between two looks at the model's file
	again  time.Duration // between two attempts at a file that cannot be used
}

var usual = waits{header: 5 * time.Second, body: 10 * time.Second, answer: 20 * time.Second, idle: 2 * time.Minute,
	slot: time.Second, poll: time.Second, again: 10 * time.Second}

// slots are turns: whoever takes one gives it back.
type slots chan struct{}

// take waits for a turn; false: there was none in time.
func (s slots) take(ctx context.Context, wait time.Duration) bool {
	select {
	case s <- struct{}{}:
		return true
	default:
	}
	late := time.NewTimer(wait)
	defer late.Stop()
	select {
	case s <- struct{}{}:
		return true
	case <-late.C:
	case <-ctx.Done():
	}
	return false
}

func (s slots) give() { <-s }

// few is a listener with a limit of open connections. Those beyond it are closed before a byte is read.
type few struct {
	net.Listener
	most    int64
	open    atomic.Int64
	refused atomic.Int64
}

// Accept gives the next connection that is within the limit.
func (f *few) Accept() (net.Conn, error) {
	for {
		conn, err := f.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if f.open.Add(1) <= f.most {
			return &counted{Conn: conn, few: f}, nil
		}
		f.open.Add(-1)
		f.refused.Add(1)
		conn.Close()
	}
}

// counted is a connection that leaves the count when it is closed.
type counted struct {
	net.Conn
	few  *few
	once sync.Once
}

// Close closes the connection.
func (c *counted) Close() error {
	c.once.Do(func() { c.few.open.Add(-1) })
	return c.Conn.Close()
}
