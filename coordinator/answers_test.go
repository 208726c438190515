package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// joined is a fit over some partitions whose first round is out to workers of these names.
func joined(t *testing.T, partitions int, c Config, names ...string) (*town, *Job) {
	t.Helper()
	w := newTown(t, partitions)
	w.manifest.Rows = 50 * int64(partitions) // partitions of equal size, so that everybody owns as many
	for id := range w.manifest.Partitions {
		w.manifest.Partitions[id].First, w.manifest.Partitions[id].Rows = 50*int64(id), 50
	}
	c.Manifest, c.Epoch, c.Window = w.manifest, 5, 2
	c.Workers = max(c.Workers, 1)
	o := populationFit()
	j, _, err := NewFit(c, o)
	w.must(err)
	for _, name := range names {
		w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name}}))
	}
	return w, j
}

// of is the task under way at a worker.
func (w *town) of(name string) Send {
	w.t.Helper()
	for i, s := range w.pending {
		if s.Worker == name {
			w.pending = slices.Delete(w.pending, i, i+1)
			return s
		}
	}
	w.t.Fatalf("%s was asked for nothing", name)
	return Send{}
}

// covering is an answer of a worker to the round under way over some partitions.
func (w *town) covering(j *Job, worker string, ids ...int) *wire.Answer {
	task := j.task
	task.Partitions = ids
	return w.answer(Send{Worker: worker, Task: &task})
}

// inWords says what a job does, in one line.
func inWords(actions []Action) string {
	var words []string
	for _, a := range actions {
		switch a := a.(type) {
		case Send:
			words = append(words, fmt.Sprintf("%s:%v", a.Worker, a.Task.Partitions))
		case Refused:
			words = append(words, "refused "+a.Worker)
		case Reassigned:
			words = append(words, fmt.Sprintf("%s lost, %d moved", a.From, a.Partitions))
		case Speculated:
			words = append(words, fmt.Sprintf("%s slow, %d to %v", a.Slow, a.Partitions, a.Idle))
		case Waiting:
			words = append(words, fmt.Sprintf("%d/%d", a.Have, a.Need))
		case Failed:
			words = append(words, "failed")
		case PhaseBegun:
			words = append(words, string(a.Phase))
		}
	}
	return strings.Join(words, ", ")
}

func expectScript(t *testing.T, what string, actions []Action, want string) {
	t.Helper()
	if got := inWords(actions); got != want {
		t.Fatalf("%s: got %q, want %q", what, got, want)
	}
}

func TestAnswersOfAnotherEpochOrRoundAreRefused(t *testing.T) {
	w, j := joined(t, 4, Config{Workers: 2}, "a", "b")
	for name, change := range map[string]func(*wire.Answer){
		"the epoch before": func(a *wire.Answer) { a.Epoch-- },
		"the epoch after":  func(a *wire.Answer) { a.Epoch++ },
		"the round before": func(a *wire.Answer) { a.Round-- },
		"the round after":  func(a *wire.Answer) { a.Round++ },
	} {
		a := w.covering(j, "a", 0, 1)
		change(a)
		actions := j.Step(Answered{Answer: a})
		if r, is := actions[0].(Refused); len(actions) != 1 || !is || !errors.Is(r.Err, ErrStale) {
			t.Errorf("%s: got %v, want one refusal: %v", name, actions, ErrStale)
		}
		if got := j.ledger.AllMissing(); len(got) != 4 || j.copies[0] != 1 {
			t.Errorf("%s: missing %v with %d copies of 0, want all four and 1", name, got, j.copies[0])
		}
	}
}

func TestAnOverlappingAnswerIsRefusedWholeAndOnlyTheRestIsAskedAgain(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 3}, "a", "b", "c")
	expectScript(t, "b booked", j.Step(Answered{Answer: w.covering(j, "b", 2, 3)}), "")
	// a has done what it was asked for and one of b's: 0 and 1 are wanted still, 4 and 5 are outstanding with c.
	expectScript(t, "overlap", j.Step(Answered{Answer: w.covering(j, "a", 0, 1, 2)}), "refused a, a:[0 1]")
	expectScript(t, "the same again", j.Step(Answered{Answer: w.covering(j, "a", 2)}), "refused a")
	expectScript(t, "the rest of a", j.Step(Answered{Answer: w.covering(j, "a", 0, 1)}), "")
	if got := j.ledger.AllMissing(); !slices.Equal(got, []int{4, 5}) {
		t.Errorf("missing: got %v, want [4 5]", got)
	}
}

func TestAnAnswerOverUnknownPartitionsIsTriedElsewhere(t *testing.T) {
	for _, id := range []int{-1, 6, 1 << 40} {
		w, j := joined(t, 6, Config{Workers: 3, Patient: true}, "a", "b", "c")
		a := &wire.Answer{Epoch: 5, Round: j.round, Worker: "a", Covered: []int{0, 1, id}, Partial: w.covering(j, "a", 0).Partial}
		expectScript(t, fmt.Sprint(id), j.Step(Answered{Answer: a}), "refused a, b:[0], c:[1]")
		a = &wire.Answer{Epoch: 5, Round: j.round, Worker: "b", Covered: []int{id}, Err: fault.Failedf(nil, "no")}
		expectScript(t, fmt.Sprint(id), j.Step(Answered{Answer: a}), "refused b")
	}
}

func TestDigestsThatDisagreeStopTheJobAndNameBothMachines(t *testing.T) {
	for name, c := range map[string]struct {
		digests []uint64
		want    string
	}{
		"equal":      {[]uint64{10, 11}, "refused b"},
		"none":       {nil, "refused b"},
		"one is not": {[]uint64{10, 12}, "refused b, failed"},
	} {
		w, j := joined(t, 6, Config{Workers: 3}, "a", "b", "c")
		first := w.covering(j, "a", 0, 1)
		first.Digests = []uint64{10, 11}
		expectScript(t, name, j.Step(Answered{Answer: first}), "")
		second := w.covering(j, "b", 0, 1)
		second.Digests = c.digests
		actions := j.Step(Answered{Answer: second})
		expectScript(t, name, actions, c.want)
		if len(actions) < 2 {
			continue
		}
		var differ *DisagreeError
		if err := actions[1].(Failed).Err; !errors.As(err, &differ) || differ.Workers != [2]string{"a", "b"} || differ.Partition != 1 || differ.Round != j.round {
			t.Errorf("%s: got %v, want partition 1 of a and b", name, err)
		}
	}
}

func TestAnAnswerOfALostWorkerThatComesInTimeIsBooked(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 3}, "a", "b", "c")
	expectScript(t, "b lost", j.Step(WorkerLost{Name: "b"}), "b lost, 2 moved, a:[2], c:[3]")
	expectScript(t, "b's answer", j.Step(Answered{Answer: w.covering(j, "b", 2, 3)}), "")
	expectScript(t, "a's of b's", j.Step(Answered{Answer: w.covering(j, "a", 2)}), "refused a")
	for _, id := range []int{2, 3} {
		if got := j.plan.Owners[id]; got == "b" {
			t.Errorf("partition %d is given to a worker that is lost", id)
		}
	}
}

func TestAWorkerThatJoinsInMidRoundIsUsedFromTheNext(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 2}, "a", "b")
	first := []Send{w.of("a"), w.of("b")}
	expectScript(t, "joined", j.Step(WorkerJoined{Worker: partition.Worker{Name: "c"}}), "")
	expectScript(t, "joined twice", j.Step(WorkerJoined{Worker: partition.Worker{Name: "c"}}), "")
	w.take(j.Step(Answered{Answer: w.answer(first[0])}))
	w.take(j.Step(Answered{Answer: w.answer(first[1])}))
	given := make(map[string]int)
	for _, s := range w.pending {
		given[s.Worker] += len(s.Task.Partitions)
	}
	if len(given) != 3 || given["c"] == 0 {
		t.Errorf("partitions by worker in the next round: got %v, want some for each of a, b and c", given)
	}
}

func TestAWorkerThatReturnsIsUsedFromTheNextRound(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 2}, "a", "b")
	w.pending = without(w.pending, "b")
	w.take(j.Step(WorkerLost{Name: "b"}))
	expectScript(t, "back", j.Step(WorkerJoined{Worker: partition.Worker{Name: "b"}}), "")
	round := j.round
	for j.round == round {
		w.take(j.Step(Answered{Answer: w.answer(w.of("a"))}))
	}
	if s := w.of("b"); len(s.Task.Partitions) == 0 {
		t.Error("the worker that is back was asked for nothing")
	}
}

func TestAJobCountsItsRoundsOnFromThoseBefore(t *testing.T) {
	w, j := joined(t, 2, Config{After: 41}, "a")
	s := w.of("a")
	if s.Task.Round != 42 {
		t.Errorf("the first round: got %d, want 42", s.Task.Round)
	}
	a := w.covering(j, "a", 0, 1)
	a.Round = 1
	expectScript(t, "an answer to the run before", j.Step(Answered{Answer: a}), "refused a")
}

func TestSpeculationGivesCopiesOfWhatIsOwedToTheIdle(t *testing.T) {
	w, j := joined(t, 9, Config{Workers: 3}, "a", "b", "c")
	expectScript(t, "nobody idle", j.Step(Straggling{Worker: "b"}), "")
	expectScript(t, "a done", j.Step(Answered{Answer: w.covering(j, "a", j.plan.Of("a")...)}), "")
	owed := j.plan.Of("b")
	expectScript(t, "one idle", j.Step(Straggling{Worker: "b"}), fmt.Sprintf("b slow, %d to [a], a:%v", len(owed), owed))
	expectScript(t, "a second time", j.Step(Straggling{Worker: "b"}), "")
	expectScript(t, "the copy is slow too", j.Step(Straggling{Worker: "a"}), "")
	expectScript(t, "the copy first", j.Step(Answered{Answer: w.covering(j, "a", owed...)}), "")
	for _, id := range owed {
		if got := j.plan.Owners[id]; got != "a" {
			t.Errorf("partition %d belongs to %s, want a, which answered first", id, got)
		}
	}
	expectScript(t, "the slow one's own", j.Step(Answered{Answer: w.covering(j, "b", owed...)}), "refused b")
	if j.ended || len(j.asked["b"]) != 0 {
		t.Errorf("after the late answer: ended %v, %v expected of b; want a job that goes on and nothing", j.ended, j.asked["b"])
	}
}

func TestSpeculationIsSpreadOverAllThatAreIdle(t *testing.T) {
	w, j := joined(t, 8, Config{Workers: 4}, "a", "b", "c", "d")
	for _, name := range []string{"a", "b", "c"} {
		expectScript(t, name, j.Step(Answered{Answer: w.covering(j, name, j.plan.Of(name)...)}), "")
	}
	owed := j.plan.Of("d")
	if len(owed) != 2 {
		t.Fatalf("d owns %v, want two", owed)
	}
	expectScript(t, "two over three", j.Step(Straggling{Worker: "d"}), fmt.Sprintf("d slow, 2 to [a b c], b:[%d], c:[%d]", owed[0], owed[1]))
	expectScript(t, "the slow one is lost", j.Step(WorkerLost{Name: "d"}), fmt.Sprintf("d lost, %d moved", 2))
}

func TestWhatAnotherHasAnsweredIsNotCopied(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 3}, "a", "b", "c")
	w.take(j.Step(Answered{Answer: w.covering(j, "a", 0, 1)}))
	w.take(j.Step(Answered{Answer: w.covering(j, "a", 2)})) // b's first
	expectScript(t, "the rest of b", j.Step(Straggling{Worker: "b"}), "b slow, 1 to [a], a:[3]")
}
