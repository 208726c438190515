package sim

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/worker"
)

// drawn drives some seeds under faults of one kind.
func drawn(t *testing.T, kind Kind, seeds uint64) *Tally {
	t.Helper()
	tally := &Tally{Kinds: []Kind{kind}}
	for seed := range seeds {
		r, err := Run(DrawOf(seed, tally.Kinds), nil)
		if err != nil || r.Err != nil {
			t.Fatalf("seed %d: %v, %v", seed, err, r.Err)
		}
		tally.Add(r)
	}
	return tally
}

func TestWrongSumsEndAJobWithAnErrorAndNeverWithAResult(t *testing.T) {
	if tally := drawn(t, WrongSums, 20); tally.Caught < 5 {
		t.Errorf("%d faults fell, and %d jobs ended for them", tally.Faults, tally.Caught)
	}
}

func TestAJobWhoseLabelsCannotBeWrittenIsNeverDoneWithoutThem(t *testing.T) {
	if tally := drawn(t, LabelsUnwritten, 20); tally.Unwritten < 5 {
		t.Errorf("%d faults fell, and %d writings failed", tally.Faults, tally.Unwritten)
	}
}

func TestTheTableIsOfTheKindsThatWereAskedFor(t *testing.T) {
	tally := &Tally{Kinds: []Kind{PowerFailure, WorkerCrash}}
	if rows := strings.Count(tally.Table(), "\n"); rows != 4 {
		t.Errorf("%d lines, want a head of two and two kinds:\n%s", rows, tally.Table())
	}
	missing := tally.Missing()
	if len(missing) != 2*len(Phases()) || slices.ContainsFunc(missing, func(c Cell) bool { return c.Kind != PowerFailure && c.Kind != WorkerCrash }) {
		t.Errorf("not visited: %v", missing)
	}
}

// TestWrongSumsNeverHoldAgainstTheData: each way of being wrong is one that the data tell, and none is in column 0.
func TestWrongSumsNeverHoldAgainstTheData(t *testing.T) {
	for how := range 40 {
		right := kmeans.NewSums(2, 3, how >= 20)
		right.Counts[1] = 7
		p := &wire.Partial{Strands: []*wire.Partial{{}, {Sums: right}}}
		wrong, did := spoil(p, how)
		if !did || p.Strands[1].Sums != right {
			t.Fatalf("%d: spoilt %t, and what the worker knows has changed: %t", how, did, p.Strands[1].Sums != right)
		}
		totals := &kmeans.Totals{D: 3, Rows: 7, Sums: right.Values[:3]}
		if totals.Weight = right.Weight(1); right.Conserved(totals) != nil {
			t.Fatal("the right sums do not add up")
		}
		got := wrong.Strands[1].Sums
		if err := got.Conserved(totals); !errors.Is(err, kmeans.ErrConservation) || got.Values[3] != right.Values[3] {
			t.Errorf("%d: %v; column 0: %v", how, err, got.Values[3])
		}
	}
}

// TestEveryFieldOfLabelsIsHeldAgainstTheTwin changes one after the other.
func TestEveryFieldOfLabelsIsHeldAgainstTheTwin(t *testing.T) {
	made := func() *worker.Labels {
		return &worker.Labels{Partition: 1, Rows: 2, RowNumbers: []int64{4, 5}, Integers: true, Segment: []int32{0, 1}, Distance: []float32{1, 2},
			Second: []int32{1, 0}, SecondDistance: []float32{3, 4}}
	}
	twin := &outcome{labels: make(map[string]labelled)}
	if err := eachLabel(made(), func(key []byte, l labelled) { twin.labels[string(key)] = l }); err != nil {
		t.Fatal(err)
	}
	put := func(change func(*worker.Labels)) error {
		w := newWorld(Draw(1), twin, nil)
		w.labels.prepared = true
		b := made()
		change(b)
		w.labels.put(1, b)
		w.labels.put(1, b) // twice is no mistake
		return w.broken
	}
	if err := put(func(*worker.Labels) {}); err != nil {
		t.Errorf("nothing has changed: %v", err)
	}
	ids := &dataset.IDs{}
	ids.AppendInt(4)
	ids.AppendInt(5)
	for i, change := range []func(*worker.Labels){
		func(b *worker.Labels) { b.RowNumbers[0] = 6 }, func(b *worker.Labels) { b.IDs = ids }, func(b *worker.Labels) { b.Integers = false },
		func(b *worker.Labels) { b.Segment[1] = 0 }, func(b *worker.Labels) { b.Distance[1] = 3 }, func(b *worker.Labels) { b.Second[0] = 0 },
		func(b *worker.Labels) { b.SecondDistance[0] = 5 }, func(b *worker.Labels) { b.Second, b.SecondDistance = nil, nil },
		func(b *worker.Labels) { b.Rows = 1 }, func(b *worker.Labels) { b.Distance = b.Distance[:1] },
	} {
		if put(change) == nil {
			t.Errorf("change %d of a label breaks nothing", i)
		}
	}
}

// TestEveryFieldOfAResultIsEncoded changes one after the other.
func TestEveryFieldOfAResultIsEncoded(t *testing.T) {
	made := func() *coordinator.Fit {
		return &coordinator.Fit{Result: coordinator.FitResult{Centroids: &kmeans.Centroids{K: 1, D: 2, Values: []float32{1, 2}}, Counts: []int64{3},
			Bad: []wire.BadRow{{Row: 1}}, Sample: [][]float32{{1}, {2}}}}
	}
	want, err := resultOf(made(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for i, change := range []func(*coordinator.FitResult){
		func(r *coordinator.FitResult) { r.Centroids.Values[1] = 3 }, func(r *coordinator.FitResult) { r.Counts[0] = 4 },
		func(r *coordinator.FitResult) { r.Inertia = 1 }, func(r *coordinator.FitResult) { r.Iterations = 1 },
		func(r *coordinator.FitResult) { r.Converged = true }, func(r *coordinator.FitResult) { r.Intake.Imputed = 1 },
		func(r *coordinator.FitResult) { r.Intake.Unseen = []int64{1} }, func(r *coordinator.FitResult) { r.Bad[0].Row = 2 },
		func(r *coordinator.FitResult) { r.Bad[0].Place.File = "a" }, func(r *coordinator.FitResult) { r.Bad[0].Place.Line = 1 },
		func(r *coordinator.FitResult) { r.Bad[0].Place.Row = 1 }, func(r *coordinator.FitResult) { r.Bad[0].Place.Column = "a" },
		func(r *coordinator.FitResult) { r.Bad[0].Reason = "a" }, func(r *coordinator.FitResult) { r.Bad[0].Raw = "a" },
		func(r *coordinator.FitResult) { r.Sample[1][0] = 3 },
	} {
		fit := made()
		change(&fit.Result)
		if got, err := resultOf(fit, nil); err != nil || bytes.Equal(got, want) {
			t.Errorf("change %d leaves the result as it was: %v", i, err)
		}
	}
}
