package coordinator

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"testing"
	"testing/synctest"

	"github.com/coterie-project/coterie/internal/bubble"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestTheGateLetsInInOrderUpToItsBound(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		g := newGate(10)
		var order []string
		releases := make(map[string]func())
		enter := func(name string, bytes int64) {
			go func() {
				release, err := g.acquire(t.Context(), bytes)
				if err != nil {
					t.Error(err)
				}
				order, releases[name] = append(order, name), release
			}()
			synctest.Wait()
		}
		expect := func(what string, held int64, want ...string) {
			t.Helper()
			synctest.Wait()
			if !slices.Equal(order, want) || g.held() != held {
				t.Errorf("%s: got %v and %d bytes held, want %v and %d", what, order, g.held(), want, held)
			}
		}
		enter("a", 4)
		enter("b", 6)
		expect("full", 10, "a", "b")
		enter("large", 1<<40) // more than there is: all of it
		enter("small", 7)
		enter("next", 5)
		releases["a"]()
		expect("small ones do not pass a large one by", 6, "a", "b")
		releases["b"]()
		expect("the large one alone", 10, "a", "b", "large")
		releases["large"]()
		expect("one behind it", 7, "a", "b", "large", "small")
		releases["large"]() // a second time it does nothing
		expect("a second release", 7, "a", "b", "large", "small")
		releases["small"]()
		expect("the last", 5, "a", "b", "large", "small", "next")
		releases["next"]()
		enter("negative", -5)
		expect("a negative size is none", 0, "a", "b", "large", "small", "next", "negative")
	})
}

func TestWhoGivesUpWaitingAtTheGateHoldsNothing(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		g := newGate(10)
		release, err := g.acquire(t.Context(), 8)
		if err != nil {
			t.Fatal(err)
		}
		var entered []int
		wait := func(ctx context.Context, id int, bytes int64) {
			go func() {
				if _, err := g.acquire(ctx, bytes); err == nil {
					entered = append(entered, id)
				}
			}()
			synctest.Wait()
		}
		first, giveUp := context.WithCancel(t.Context())
		wait(first, 1, 9)
		wait(t.Context(), 2, 2)
		if len(entered) != 0 {
			t.Fatalf("got %v let in before the one in front", entered)
		}
		giveUp()
		synctest.Wait()
		if !slices.Equal(entered, []int{2}) || g.held() != 10 {
			t.Errorf("after the first gave up: got %v in and %d held, want the second and 10", entered, g.held())
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		wait(gone, 3, 1)
		release()
		synctest.Wait()
		if g.held() != 2 || len(g.queue) != 0 {
			t.Errorf("got %d held and %d waiting, want 2 and none", g.held(), len(g.queue))
		}
	})
}

func TestTheGateLosesNothingWhereAReleaseMeetsACancellation(t *testing.T) {
	for range 200 {
		g := newGate(3)
		if _, err := g.acquire(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			if second, err := g.acquire(ctx, 2); err == nil {
				second()
			}
		}()
		for waiting := 0; waiting == 0; {
			g.mu.Lock()
			waiting = len(g.queue)
			g.mu.Unlock()
		}
		g.mu.Lock()
		cancel() // the waiter gives up, and before it can say so it is let in
		for range 10 {
			runtime.Gosched()
		}
		g.free = 3 // what the first took is given back
		g.admit()
		g.mu.Unlock()
		<-done
		if held := g.held(); held != 0 {
			t.Fatalf("%d bytes are held by nobody", held)
		}
	}
}

func TestTheMailboxDeliversInOrderWithoutMakingTheSenderWait(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newMailbox()
		for i := range 100 {
			m.post(Straggling{Worker: fmt.Sprint(i)})
		}
		ctx, cancel := context.WithCancel(t.Context())
		go m.pump(ctx)
		for i := range 200 {
			if i == 50 {
				for late := range 100 {
					m.post(Straggling{Worker: fmt.Sprint(100 + late)})
				}
			}
			if got := (<-m.out).(Straggling).Worker; got != fmt.Sprint(i) {
				t.Fatalf("event %d: got %s", i, got)
			}
		}
		cancel()
	})
}

func TestTheMailboxGivesBackWhatNobodyTakes(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		m := newMailbox()
		released := make(map[int]int)
		post := func(i int) { m.post(Answered{release: func() { released[i]++ }}) }
		for i := range 5 {
			post(i)
		}
		ctx, cancel := context.WithCancel(t.Context())
		go m.pump(ctx)
		taken := (<-m.out).(Answered) // from here on it is the taker's
		post(5)
		synctest.Wait()
		cancel()
		synctest.Wait()
		post(6) // after the end
		m.post(WorkerLost{Name: "a"})
		m.post(Answered{})
		if len(released) != 6 || released[0] != 0 || len(m.items) != 0 {
			t.Errorf("released %v, %d kept; want 1 to 6 once, and none", released, len(m.items))
		}
		for i, n := range released {
			if n != 1 {
				t.Errorf("answer %d released %d times", i, n)
			}
		}
		taken.release()
	})
}

// note is an event of a log that says which it is.
func noteEvent(i int) *pb.JobEvent {
	return &pb.JobEvent{Event: &pb.JobEvent_Note{Note: fmt.Sprint(i)}}
}

func TestFollowersOfALogSeeEverythingInOrderAndTheEnd(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newEventLog()
		const n = 500
		follow := func() <-chan []string {
			seen := make(chan []string, 1)
			go func() {
				var list []string
				for at := 0; ; {
					events, after, done, err := l.next(t.Context(), at)
					if err != nil {
						t.Error(err)
					}
					for _, e := range events {
						list = append(list, e.GetNote())
					}
					if at = after; done {
						seen <- list
						return
					}
				}
			}()
			return seen
		}
		early := follow()
		for i := range n {
			l.add(noteEvent(i), false)
			if i%50 == 0 {
				synctest.Wait()
			}
		}
		middle := follow()
		l.add(noteEvent(n), true)
		l.add(noteEvent(n+1), false) // nothing follows the end
		late := follow()
		for name, seen := range map[string]<-chan []string{"early": early, "in the middle": middle, "late": late} {
			if got := <-seen; len(got) != n+1 || got[0] != "0" || got[n] != fmt.Sprint(n) {
				t.Errorf("%s: got %d events, %v … %v, want all %d", name, len(got), got[0], got[len(got)-1], n+1)
			}
		}
	})
}

func TestWhoIsFarBehindALogMissesTheOldestOnly(t *testing.T) {
	l := newEventLog()
	const n = 3 * logLength
	for i := range n {
		l.add(noteEvent(i), i == n-1)
		if len(l.events) > logLength {
			t.Fatalf("%d events are kept, want at most %d", len(l.events), logLength)
		}
	}
	for _, at := range []int{0, 1, n - logLength/2, n - 1} {
		events, after, done, err := l.next(t.Context(), at)
		if err != nil || !done || after != n || len(events) == 0 || events[len(events)-1].GetNote() != fmt.Sprint(n-1) {
			t.Errorf("from %d: got %d events up to %d, done %v (%v), want the end", at, len(events), after, done, err)
			continue
		}
		if first := events[0].GetNote(); at >= l.first && first != fmt.Sprint(at) || at < l.first && len(events) < logLength/2 {
			t.Errorf("from %d: got %d events from %s on", at, len(events), first)
		}
	}
	if events, _, done, err := l.next(t.Context(), n); len(events) != 0 || !done || err != nil {
		t.Errorf("behind the end: got %d events, done %v, %v", len(events), done, err)
	}
}

func TestAFollowerOfALogStopsWaitingWithItsContext(t *testing.T) {
	l := newEventLog()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, done, err := l.next(ctx, 0); done || err == nil {
		t.Errorf("got done %v, %v, want the context's error", done, err)
	}
}
