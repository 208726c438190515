package worker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/coterie-project/coterie/internal/bubble"
	"github.com/coterie-project/coterie/internal/wire"
)

// ledgerLink is a Link that remembers what became of each task.
type ledgerLink struct {
	tasks chan *wire.Task
	mu    sync.Mutex
	ends  map[string]int // by round and partitions: replies and drops
	reply func(*wire.Answer) error
}

func newLedgerLink() *ledgerLink {
	return &ledgerLink{tasks: make(chan *wire.Task), ends: make(map[string]int)}
}

func (l *ledgerLink) Tasks() <-chan *wire.Task { return l.tasks }

func (l *ledgerLink) Reply(_ context.Context, a *wire.Answer) error {
	l.end(a.Round, a.Covered)
	if l.reply != nil {
		return l.reply(a)
	}
	return nil
}

func (l *ledgerLink) Drop(t *wire.Task) { l.end(t.Round, t.Partitions) }

func (l *ledgerLink) end(round uint64, partitions []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ends[fmt.Sprint(round, partitions)]++
}

func TestEveryTaskIsAnsweredOrDroppedOnce(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e, c := holdingEngine(t, 2)
		l := newLedgerLink()
		served := make(chan error, 1)
		go func() { served <- Serve(t.Context(), NewCore("w"), e, l) }()
		sent := make(map[string]int)
		give := func(round uint64, partitions ...int) {
			l.tasks <- &wire.Task{Epoch: 1, Round: round, Kind: wire.Iterate, Centroids: c, Partitions: partitions}
			sent[fmt.Sprint(round, partitions)]++
		}
		for round := uint64(1); round <= 30; round++ {
			give(round, 0)
			give(round, 0) // while it is computed, or again after it
			give(round, 1, 2)
			if round%3 == 0 {
				synctest.Wait() // all of it is answered; else the next round overtakes it
			}
			if round > 1 {
				give(round-1, 1) // too late
			}
		}
		close(l.tasks)
		if err := <-served; err != nil {
			t.Errorf("got %v, want a good end with the link", err)
		}
		synctest.Wait()
		for key, n := range sent {
			// The last round may be cut off by the end of the link.
			if got := l.ends[key]; got != n && key[:2] != "30" {
				t.Errorf("tasks %s: %d ended, want %d", key, got, n)
			}
		}
	})
}

func TestServeEndsWithItsContextAndWithALinkThatFails(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		e, c := holdingEngine(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		served := make(chan error, 1)
		go func() { served <- Serve(ctx, NewCore("w"), e, newLedgerLink()) }()
		synctest.Wait()
		cancel()
		if err := <-served; !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
		broken := errors.New("broken")
		l := newLedgerLink()
		l.reply = func(*wire.Answer) error { return broken }
		go func() { served <- Serve(t.Context(), NewCore("w"), e, l) }()
		l.tasks <- &wire.Task{Epoch: 1, Round: 1, Kind: wire.Iterate, Centroids: c, Partitions: []int{0}}
		if err := <-served; !errors.Is(err, broken) {
			t.Errorf("got %v, want %v", err, broken)
		}
	})
}

func TestASessionKeepsNoBooksOfTasksThatAreOver(t *testing.T) {
	s := &session{id: "job", refs: make(map[string][]uint64), pending: make(map[uint64]bool)}
	come := func(serial, round uint64, partitions ...int) bool {
		if !s.begin(serial) {
			t.Fatalf("serial %d is new", serial)
		}
		return s.accept(&wire.Task{Epoch: 1, Round: round, Partitions: partitions}, serial)
	}
	if !come(1, 1, 0, 1) || !come(2, 1, 2) || s.begin(1) {
		t.Error("two tasks: one is not taken, or an announcement twice is")
	}
	if come(3, 1, 0, 1) {
		t.Error("a task that is under way is to be computed a second time")
	}
	if got := s.busy.Load(); got != 2 || len(s.pending) != 3 {
		t.Errorf("%d busy, %d pending, want 2 and 3", got, len(s.pending))
	}
	s.Drop(&wire.Task{Epoch: 1, Round: 1, Partitions: []int{2}})
	if got := s.settle(1, 1, []int{0, 1}); !slices.Equal(got, []uint64{1, 3}) {
		t.Errorf("serials: got %v, want 1 and 3", got)
	}
	s.end(1, 3)
	s.busy.Add(-1)
	if s.busy.Load() != 0 || len(s.pending) != 0 || len(s.refs) != 0 {
		t.Errorf("at the end: %d busy, %d pending, %d kept, want none", s.busy.Load(), len(s.pending), len(s.refs))
	}
	if !come(4, 1, 0, 1) {
		t.Error("a task that was answered and is asked for again is not taken")
	}
}
