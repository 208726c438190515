package serve

import (
	"context"
	"time"

	"github.com/coterie-project/coterie/internal/secure"
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
	// connections is how many of gRPC may be open at once, but for the files that the process may open; of HTTP as many as
	// secure.WebRoom has. Further ones are closed at once, so that a load balancer goes elsewhere.
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

// room is that of the gRPC port. A load balancer may bring all calls from one address: it has three quarters.
func room(id *secure.Identity) secure.Room {
	r := secure.CallRoom(id)
	r.Open = min(r.Open, connections)
	r.OfOne = r.Open / 4 * 3
	if id != nil {
		r.Strangers, r.StrangersOfOne = r.Open/2, r.Open/4
	}
	return r
}
