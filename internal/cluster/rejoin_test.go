package cluster

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/netip"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/coterie-project/coterie/internal/bubble"
)

// self is the joiner's own address.
const self = "10.0.0.9:7946"

// network is what a joiner sees, in the time of a bubble.
type network struct {
	mu       sync.Mutex
	names    map[string][]string // addresses of a host
	up       map[string]bool     // addresses that answer
	members  map[string]bool     // addresses of members
	believe  bool                // who answers is a member from then on
	dials    []time.Duration     // when something was dialled, since the start
	ownDials int
	start    time.Time
}

func (n *network) join(address string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dials = append(n.dials, time.Since(n.start))
	if address == self {
		n.ownDials++
	}
	if !n.up[address] {
		return errors.New("nobody there")
	}
	if n.believe {
		n.members[address] = true
	}
	return nil
}

func (n *network) lookup(_ context.Context, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	var found []netip.Addr
	for _, a := range n.names[host] {
		found = append(found, netip.MustParseAddr(a))
	}
	if found == nil {
		return nil, errors.New("no such name")
	}
	return found, nil
}

func (n *network) present() map[string]bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return maps.Clone(n.members)
}

// change alters the network while the joiner sleeps.
func (n *network) change(f func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	f()
}

// dialled is how many dials there were up to now.
func (n *network) dialled() int {
	synctest.Wait()
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.dials)
}

// alone runs a joiner over a network in virtual time.
func alone(t *testing.T, seeds []string, f func(n *network, departed chan struct{})) {
	bubble.Test(t, func(t *testing.T) {
		n := &network{names: map[string][]string{"seed": {"10.0.0.1"}}, up: map[string]bool{}, members: map[string]bool{}, believe: true, start: time.Now()}
		departed := make(chan struct{}, 1)
		j := &joiner{seeds: seeds, self: self, every: 30 * time.Second, join: n.join, lookup: n.lookup, present: n.present,
			departed: departed, log: slog.New(slog.DiscardHandler)}
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan struct{})
		go func() {
			defer close(ended)
			j.run(ctx)
		}()
		f(n, departed)
		cancel()
		<-ended
	})
}

func TestSilentSeedsAreTriedAtOnceAndThenMoreRarely(t *testing.T) {
	alone(t, []string{"seed:7946"}, func(n *network, _ chan struct{}) {
		if got := n.dialled(); got != 1 {
			t.Errorf("at once: got %d dials, want 1", got)
		}
		time.Sleep(2 * time.Minute)
		n.dialled()
		for i := 1; i < len(n.dials); i++ {
			want := min(firstRetry<<min(i-1, 10), lastRetry)
			if got := n.dials[i] - n.dials[i-1]; got < want/2 || got > want*3/2 {
				t.Errorf("wait %d: got %v, want %v within a half", i, got, want)
			}
		}
		if got := len(n.dials); got < 16 || got > 60 {
			t.Errorf("in two minutes: got %d dials, want some 30", got)
		}
	})
}

func TestAMemberIsNotDialledAgainUntilItIsMissed(t *testing.T) {
	alone(t, []string{"seed:7946"}, func(n *network, departed chan struct{}) {
		n.dialled()
		n.change(func() { n.up["10.0.0.1:7946"] = true })
		time.Sleep(lastRetry * 2)
		before := n.dialled()
		if !n.present()["10.0.0.1:7946"] {
			t.Fatal("the seed that came up was not joined")
		}
		time.Sleep(10 * time.Minute)
		if got := n.dialled(); got != before {
			t.Errorf("in a whole cluster: got %d more dials, want none", got-before)
		}
		n.change(func() { clear(n.members) })
		departed <- struct{}{}
		time.Sleep(2 * firstRetry)
		if got := n.dialled(); got != before+1 {
			t.Errorf("when the seed had gone: got %d more dials, want 1 at once", got-before)
		}
	})
}

func TestASeedMissedSilentlyIsTriedWithinRejoin(t *testing.T) {
	alone(t, []string{"seed:7946"}, func(n *network, _ chan struct{}) {
		n.dialled()
		n.change(func() { n.up["10.0.0.1:7946"] = true })
		time.Sleep(time.Minute)
		before := n.dialled()
		n.change(func() { clear(n.members) })
		time.Sleep(36 * time.Second)
		if got := n.dialled(); got != before+1 {
			t.Errorf("got %d more dials in 36 s, want 1", got-before)
		}
	})
}

func TestAnAnswerThatIsNotBelievedIsRepeatedOnce(t *testing.T) {
	alone(t, []string{"seed:7946"}, func(n *network, _ chan struct{}) {
		n.change(func() { n.up["10.0.0.1:7946"], n.believe = true, false })
		time.Sleep(confirm * 3)
		got := n.dialled()
		answered := 0
		for i := 1; i < len(n.dials); i++ {
			if n.dials[i]-n.dials[i-1] == confirm {
				answered++
			}
		}
		if answered != 1 {
			t.Errorf("got %d repetitions after %v, want 1", answered, confirm)
		}
		time.Sleep(20 * time.Second)
		if again := n.dialled(); again != got {
			t.Errorf("got %d more dials before Rejoin, want none", again-got)
		}
	})
}

func TestNamesAreLookedUpAtEveryAttempt(t *testing.T) {
	alone(t, []string{"seed:7946"}, func(n *network, _ chan struct{}) {
		n.change(func() { n.names["seed"], n.up["10.0.0.2:7946"] = []string{"10.0.0.9", "10.0.0.2"}, true })
		time.Sleep(lastRetry)
		n.dialled()
		if got := n.present(); !got["10.0.0.2:7946"] || n.ownDials != 0 {
			t.Errorf("got members %v and %d dials to ourselves, want the new address and none", got, n.ownDials)
		}
	})
}

func TestOneSilentSeedAmongAnsweringOnesIsTriedEveryRejoin(t *testing.T) {
	alone(t, []string{"seed:7946", "10.0.0.3:7946", "unknown:7946"}, func(n *network, _ chan struct{}) {
		n.change(func() { n.names["10.0.0.3"], n.members["10.0.0.1:7946"] = []string{"10.0.0.3"}, true })
		time.Sleep(10 * time.Second)
		before := n.dialled()
		time.Sleep(5 * time.Minute)
		if got := n.dialled() - before; got < 8 || got > 13 {
			t.Errorf("in five minutes: got %d dials, want one each 30 s within a fifth", got)
		}
	})
}

func TestAnAttemptDialsABoundedNumberOfAddresses(t *testing.T) {
	for _, size := range []int{maxTargets, maxTargets + 1, 200} {
		n := &network{names: map[string][]string{"seed": nil}, up: map[string]bool{}, members: map[string]bool{}}
		for i := range size {
			n.names["seed"] = append(n.names["seed"], netip.AddrFrom4([4]byte{10, 1, 0, byte(i)}).String())
		}
		j := &joiner{seeds: []string{"seed:7946", "seed:7946"}, join: n.join, lookup: n.lookup, present: n.present, log: slog.New(slog.DiscardHandler)}
		if got := j.attempt(t.Context()); got != silent || len(n.dials) != maxTargets {
			t.Errorf("%d addresses: got outcome %d and %d dials, want %d", size, got, len(n.dials), maxTargets)
		}
	}
}
