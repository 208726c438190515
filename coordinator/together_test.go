package coordinator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// labelling is a job of one round.
func labelling(w *town, workers, window int) *Job {
	j, _, err := NewLabel(Config{Manifest: w.manifest, Workers: workers, Epoch: 1, Window: window, Patient: true},
		LabelOptions{Input: testInput(), Centroids: &kmeans.Centroids{K: 1, D: 2, Values: []float32{0, 0}}})
	w.must(err)
	return j
}

// askedOf counts the partitions that each worker has been asked for.
func askedOf(w *town) map[string]int {
	asked := make(map[string]int)
	for _, s := range w.pending {
		asked[s.Worker] += len(s.Task.Partitions)
	}
	return asked
}

func TestWorkersThatAreThereTogetherShareTheFirstRound(t *testing.T) {
	for _, order := range [][]string{{"a", "b", "c"}, {"a", "a", "b", "c"}, {"c", "a", "b", "c"}} {
		for _, least := range []int{1, 3} {
			t.Run(fmt.Sprint(order, least), func(t *testing.T) {
				w := newTown(t, 12)
				j := labelling(w, least, 100)
				for i, name := range order {
					w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name}, More: i < len(order)-1}))
				}
				if got := askedOf(w); got["a"]+got["b"]+got["c"] != 12 || min(got["a"], got["b"], got["c"]) < 3 {
					t.Errorf("got %v partitions by worker, want 12, at least 3 for each", got)
				}
			})
		}
	}
}

// A labelling is a single round: who joins in the middle of it would have nothing to do otherwise.
func TestWhoJoinsTakesPartInTheRoundOfLabels(t *testing.T) {
	w := newTown(t, 40)
	j := labelling(w, 1, 4)
	w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "a"}}))
	w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "b"}}))
	took := make(map[string]int)
	var seen []int
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		took[s.Worker] += len(s.Task.Partitions)
		seen = append(seen, s.Task.Partitions...)
		w.take(j.Step(Answered{Answer: &wire.Answer{Epoch: 1, Round: s.Task.Round, Worker: s.Worker, Covered: s.Task.Partitions, Partial: &wire.Partial{}}}))
	}
	slices.Sort(seen)
	if w.ended != nil || len(seen) != 40 || len(slices.Compact(seen)) != 40 {
		t.Fatalf("got %v after %d partitions, want all 40 once", w.ended, len(seen))
	}
	if took["b"] < 10 {
		t.Errorf("got %v partitions by worker, want a good part of them for b", took)
	}
}
