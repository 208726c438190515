package coordinator

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

func TestTheWindowBoundsAndFillsWhatIsUnderWayAlsoAfterALoss(t *testing.T) {
	const window, parts = 4, 12
	w := newTown(t, parts)
	j, _, err := NewLabel(Config{Manifest: w.manifest, Workers: 3, Epoch: 1, Window: window},
		LabelOptions{Input: testInput(), Centroids: &kmeans.Centroids{K: 1, D: 2, Values: []float32{0, 0}}})
	w.must(err)
	for _, name := range []string{"a", "b", "c"} {
		w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name}}))
	}
	underWay := func() (n int) {
		for _, s := range w.pending {
			n += len(s.Task.Partitions)
		}
		return n
	}
	lost := w.pending[0].Worker
	w.pending = without(w.pending, lost)
	w.take(j.Step(WorkerLost{Name: lost}))
	seen, several := 0, false
	for !w.done {
		if got, want := underWay(), min(window, parts-seen); got != want {
			t.Fatalf("after %d answers: got %d partitions under way, want %d", seen, got, want)
		}
		s := w.pending[len(w.pending)-1]
		w.pending = w.pending[:len(w.pending)-1]
		several = several || len(s.Task.Partitions) > 1
		seen += len(s.Task.Partitions)
		w.take(j.Step(Answered{Answer: &wire.Answer{Epoch: 1, Round: s.Task.Round, Worker: s.Worker, Covered: s.Task.Partitions, Partial: &wire.Partial{}}}))
	}
	if w.ended != nil || seen != parts || !several {
		t.Errorf("got %v after %d partitions, some of them together: %v", w.ended, seen, several)
	}
}

func TestTheLastPassIsHeldAgainstTheDataToo(t *testing.T) {
	w := newTown(t, 4)
	w.spoil = func(task *wire.Task, p *wire.Partial) {
		if task.Kind == wire.Score {
			p.Sums.Counts[2]++
		}
	}
	j, _ := w.fit(2)
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		w.take(j.Step(Answered{Answer: w.answer(s)}))
	}
	if !errors.Is(w.ended, kmeans.ErrConservation) {
		t.Errorf("got %v, want %v", w.ended, kmeans.ErrConservation)
	}
}
