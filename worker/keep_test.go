package worker

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
)

func TestAPassIsGivenUpInTheMiddle(t *testing.T) {
	for _, threads := range []int{1, 3} {
		e, _ := holdingEngine(t, threads)
		list, err := e.holdings([]int{0, 1, 2})
		if err != nil {
			t.Fatal(err)
		}
		spans := cut(list)
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan bool, len(spans))
		err = e.parallel(ctx, spans, func(*thread, int, span) {
			done <- true
			cancel()
		})
		// Each thread may have one span in work when the others hear of it.
		if !errors.Is(err, context.Canceled) || len(done) > threads {
			t.Errorf("%d threads: got %v after %d of %d spans, want it given up after one each", threads, err, len(done), len(spans))
		}
	}
}

// iterate does so many rounds of assignments, from the given one on.
func iterate(t *testing.T, e *Engine, first, rounds int, partitions ...int) {
	t.Helper()
	_, c := holdingEngine(t, 1)
	for round := first; round < first+rounds; round++ {
		for range 2 { // a task that is repeated is no other round
			task := &wire.Task{Kind: wire.Iterate, Epoch: 1, Round: uint64(round), Centroids: c, Partitions: partitions}
			if _, err := e.Do(t.Context(), task); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func heldBy(e *Engine) []int {
	ids, _ := e.Held()
	return ids
}

func TestAPartitionThatOthersHaveTakenOverIsForgotten(t *testing.T) {
	e, c := holdingEngine(t, 2)
	iterate(t, e, 1, 2, 0, 1, 2)
	iterate(t, e, 3, keepRounds, 0, 1)
	if got := heldBy(e); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("after %d rounds without it: got %v held, want all three", keepRounds, got)
	}
	// Other kinds of rounds do not ask for all that a worker has.
	for round := range uint64(2 * keepRounds) {
		task := &wire.Task{Kind: wire.Farthest, K: 3, Epoch: 1, Round: 20 + round, Centroids: c, Partitions: []int{0}}
		if _, err := e.Do(t.Context(), task); err != nil {
			t.Fatal(err)
		}
	}
	if got := heldBy(e); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("after rounds over a part: got %v held, want all three", got)
	}
	iterate(t, e, 40, 1, 0, 1)
	if got := heldBy(e); !slices.Equal(got, []int{0, 1}) {
		t.Errorf("after %d rounds without it: got %v held, want 0 and 1", keepRounds+1, got)
	}
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Iterate, Epoch: 1, Round: 50, Centroids: c, Partitions: []int{2}}); !errors.Is(err, ErrNotHeld) {
		t.Errorf("got %v, want %v", err, ErrNotHeld)
	}
}

func TestWhatIsAskedForInSeveralTasksOfARoundIsKept(t *testing.T) {
	e, c := holdingEngine(t, 1)
	fresh, _ := holdingEngine(t, 1)
	want := assignTo(t, fresh, c, 2)
	for round := range 4 * keepRounds {
		iterate(t, e, round+1, 1, 0, 1)
		iterate(t, e, round+1, 1, 2)
	}
	if got := heldBy(e); !slices.Equal(got, []int{0, 1, 2}) {
		t.Errorf("got %v held, want all three", got)
	}
	task := &wire.Task{Kind: wire.Iterate, Epoch: 1, Round: 100, Since: 4 * keepRounds, Centroids: c, Partitions: []int{2}}
	if got, err := e.Do(t.Context(), task); err != nil || got.Fresh || !equalSums(got.Sums, want.Sums) {
		t.Errorf("got %v, %v, want the sums of a full pass, from the movers", got, err)
	}
}
