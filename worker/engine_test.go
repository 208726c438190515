package worker

import (
	"context"
	"errors"
	"math"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// holdingEngine is an Engine with three partitions of made points.
func holdingEngine(t *testing.T, threads int) (*Engine, *kmeans.Centroids) {
	t.Helper()
	e, err := NewEngine(Config{Threads: threads, Manifest: &partition.Manifest{}})
	if err != nil {
		t.Fatal(err)
	}
	for id := range 3 {
		values := make([]float32, 0, 12000)
		for i := range 6000 {
			values = append(values, float32((i*7+id*13)%101), float32((i*i+id)%53))
		}
		p, err := kmeans.PointsFromRows(values, 6000, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		e.held[id] = &holding{id: id, points: p}
	}
	return e, &kmeans.Centroids{K: 3, D: 2, Values: []float32{0, 0, 50, 20, 100, 50}}
}

func assignTo(t *testing.T, e *Engine, c *kmeans.Centroids, partitions ...int) *wire.Partial {
	t.Helper()
	p, err := e.Do(t.Context(), &wire.Task{Kind: wire.Iterate, Centroids: c, Partitions: partitions})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func equalSums(a, b *kmeans.Sums) bool {
	for i := range a.Values {
		if a.Values[i] != b.Values[i] || a.Counts[i/a.D] != b.Counts[i/a.D] {
			return false
		}
	}
	return true
}

func TestSumsAreTheSameWhateverWasAssignedBefore(t *testing.T) {
	other := &kmeans.Centroids{K: 3, D: 2, Values: []float32{90, 1, 2, 40, 30, 30}}
	for _, threads := range []int{1, 2, 5} {
		fresh, c := holdingEngine(t, threads)
		want := assignTo(t, fresh, c, 0, 1, 2)
		if !want.Fresh {
			t.Error("the first pass is not marked as one")
		}
		e, _ := holdingEngine(t, threads)
		assignTo(t, e, other, 0, 1, 2)
		assignTo(t, e, other, 1)       // dissolves the cohort of three
		assignTo(t, e, c, 1, 2)        // and another
		assignTo(t, e, other, 0, 1, 2) // together again
		got := assignTo(t, e, c, 0, 1, 2)
		if got.Fresh || !equalSums(got.Sums, want.Sums) {
			t.Errorf("%d threads: sums by movers: got %v, want %v", threads, got.Sums, want.Sums)
		}
		if again := assignTo(t, e, c, 0, 1, 2); again.Moved != 0 || !equalSums(again.Sums, want.Sums) {
			t.Errorf("%d threads: the same again: %d rows moved", threads, again.Moved)
		}
	}
}

func TestAnAnswerIsNotChangedByLaterPasses(t *testing.T) {
	e, c := holdingEngine(t, 2)
	first := assignTo(t, e, c, 0, 1, 2).Sums
	kept := first.Clone()
	assignTo(t, e, &kmeans.Centroids{K: 3, D: 2, Values: []float32{9, 9, 8, 8, 7, 7}}, 0, 1, 2)
	if !equalSums(first, kept) {
		t.Error("the sums of an answer changed after it was given")
	}
}

func TestATaskForAPartitionThatIsNotHeldIsAnError(t *testing.T) {
	e, c := holdingEngine(t, 1)
	_, err := e.Do(t.Context(), &wire.Task{Kind: wire.Iterate, Centroids: c, Partitions: []int{0, 7}})
	if !errors.Is(err, ErrNotHeld) {
		t.Errorf("got %v, want %v", err, ErrNotHeld)
	}
	if _, err := e.Do(t.Context(), &wire.Task{Kind: "dance"}); err == nil {
		t.Error("an unknown task: no error")
	}
	if _, err := NewEngine(Config{}); err == nil {
		t.Error("no threads: no error")
	}
}

func TestAPassThatWasCutShortLeavesNoHalfSums(t *testing.T) {
	for _, threads := range []int{1, 3} {
		fresh, c := holdingEngine(t, threads)
		want := assignTo(t, fresh, c, 0, 1, 2)
		e, _ := holdingEngine(t, threads)
		other := &kmeans.Centroids{K: 3, D: 2, Values: []float32{90, 1, 2, 40, 30, 30}}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := e.Do(ctx, &wire.Task{Kind: wire.Iterate, Centroids: other, Partitions: []int{0, 1, 2}}); !errors.Is(err, context.Canceled) {
			t.Fatalf("cancelled: got %v", err)
		}
		got := assignTo(t, e, c, 0, 1, 2)
		if !got.Fresh || !equalSums(got.Sums, want.Sums) {
			t.Errorf("%d threads: after a pass cut short: fresh %v, got %v, want %v", threads, got.Fresh, got.Sums, want.Sums)
		}
	}
}

func TestLabelsUnderCosineAreOneMinusCos(t *testing.T) {
	p, err := kmeans.PointsFromRows([]float32{1, 0, 0.6, 0.8}, 2, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	task := &wire.Task{Kind: wire.Label, Detail: true, Centroids: &kmeans.Centroids{K: 2, D: 2, Values: []float32{0, 1, 1, 0}}}
	for _, cosine := range []bool{true, false} {
		task.Input = &wire.Input{Spec: &feature.Spec{Normalize: cosine}}
		l, err := new(Engine).labelRows(t.Context(), task, &holding{points: p}, &wire.Partial{}, nil)
		if err != nil {
			t.Fatal(err)
		}
		first, second := 0.2, 0.4 // cos 0.8 to the nearest, 0.6 to the second
		if !cosine {
			first, second = math.Sqrt(0.4), math.Sqrt(0.8)
		}
		if math.Abs(float64(l.Distance[1])-first) > 1e-6 || math.Abs(float64(l.SecondDistance[1])-second) > 1e-6 || l.Segment[1] != 0 || l.Second[1] != 1 {
			t.Errorf("cosine %v: got %v and %v, want %v and %v", cosine, l.Distance[1], l.SecondDistance[1], first, second)
		}
	}
}

func TestSpansOfAPassAreForgottenWithTheirRows(t *testing.T) {
	e, c := holdingEngine(t, 2)
	want := assignTo(t, e, c, 0, 1, 2)
	if len(e.walked.list) != 3 || len(e.walked.spans) != 9 {
		t.Fatalf("%d spans of %d partitions are known, want 9 of 3", len(e.walked.spans), len(e.walked.list))
	}
	other := assignTo(t, e, c, 0, 2)
	if other.Sums.Counts[0] >= want.Sums.Counts[0] {
		t.Errorf("two of three partitions have %d rows in a cluster of %d", other.Sums.Counts[0], want.Sums.Counts[0])
	}
	e.mu.Lock()
	e.drop(1)
	e.mu.Unlock()
	if e.walked.list != nil || e.walked.spans != nil {
		t.Error("spans keep rows in memory that are not held any more")
	}
}
