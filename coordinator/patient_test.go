package coordinator

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

func worker(name string) WorkerJoined { return WorkerJoined{Worker: partition.Worker{Name: name}} }

func TestAPatientJobSendsNothingBelowItsWorkersAndTheRestOnceTheyAreBack(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 3, Patient: true}, "a", "b", "c")
	expectScript(t, "one below", j.Step(WorkerLost{Name: "b"}), "b lost, 0 moved, 2/3")
	expectScript(t, "an answer meanwhile", j.Step(Answered{Answer: w.covering(j, "a", 0, 1)}), "")
	expectScript(t, "an overlap meanwhile", j.Step(Answered{Answer: w.covering(j, "a", 1, 2)}), "refused a")
	expectScript(t, "a straggler meanwhile", j.Step(Straggling{Worker: "c"}), "")
	expectScript(t, "two below", j.Step(WorkerLost{Name: "c"}), "c lost, 0 moved, 1/3")
	expectScript(t, "one back", j.Step(worker("d")), "2/3")
	if got := j.ledger.AllMissing(); fmt.Sprint(got) != "[2 3 4 5]" {
		t.Errorf("missing: got %v, want [2 3 4 5]", got)
	}
	actions := j.Step(worker("e"))
	sent := make(map[int]bool)
	for _, a := range actions {
		if s, is := a.(Send); is {
			for _, id := range s.Task.Partitions {
				sent[id] = true
			}
		}
	}
	if w, is := actions[0].(Waiting); !is || w.Have < w.Need || fmt.Sprint(sent) != "map[2:true 3:true 4:true 5:true]" {
		t.Errorf("all back: got %v, want 3/3 and tasks for 2, 3, 4 and 5", inWords(actions))
	}
}

func TestARoundThatIsFullWhileTheJobWaitsIsFollowedOnceWorkersAreBack(t *testing.T) {
	w, j := joined(t, 2, Config{Workers: 2, Patient: true}, "a", "b")
	round := j.round
	expectScript(t, "lost", j.Step(WorkerLost{Name: "a"}), "a lost, 0 moved, 1/2")
	expectScript(t, "lost", j.Step(WorkerLost{Name: "b"}), "b lost, 0 moved, 0/2")
	w.take(j.Step(Answered{Answer: w.covering(j, "a", 0)}))
	w.pending = nil
	w.take(j.Step(Answered{Answer: w.covering(j, "b", 1)}))
	if j.round != round+1 || len(w.pending) != 0 || w.done {
		t.Fatalf("full without workers: round %d, %d tasks, ended %v; want the next round and no tasks", j.round, len(w.pending), w.ended)
	}
	w.take(j.Step(worker("c")))
	w.take(j.Step(worker("d")))
	if got := len(w.pending); got != 2 {
		t.Errorf("two workers back: got %d tasks, want 2", got)
	}
}

func TestTheWindowOfALabelRoundIsFilledAgainAfterAWait(t *testing.T) {
	const parts, window = 10, 3
	w := newTown(t, parts)
	j, _, err := NewLabel(Config{Manifest: w.manifest, Workers: 2, Patient: true, Epoch: 1, Window: window},
		LabelOptions{Input: testInput(), Centroids: &kmeans.Centroids{K: 1, D: 2, Values: []float32{0, 0}}})
	w.must(err)
	done := func(worker string, id int) {
		w.take(j.Step(Answered{Answer: &wire.Answer{Epoch: 1, Round: j.round, Worker: worker, Covered: []int{id}, Partial: &wire.Partial{}}}))
	}
	w.take(j.Step(worker("a")))
	w.take(j.Step(worker("b")))
	if got := len(w.pending); got != window {
		t.Fatalf("at first: %d tasks, want %d", got, window)
	}
	sent := w.pending
	w.pending = nil
	w.take(j.Step(WorkerLost{Name: "a"}))
	for _, s := range sent { // all that is under way is answered, and nothing is sent
		done(s.Worker, s.Task.Partitions[0])
	}
	if len(w.pending) != 0 {
		t.Fatalf("while the job waits: %d tasks, want none", len(w.pending))
	}
	w.take(j.Step(worker("c")))
	if got := len(w.pending); got != window {
		t.Fatalf("after the wait: %d tasks, want %d", got, window)
	}
	for !w.done {
		if len(w.pending) == 0 {
			t.Fatal("stuck")
		}
		s := w.pending[0]
		w.pending = w.pending[1:]
		for _, id := range s.Task.Partitions {
			done(s.Worker, id)
		}
	}
	w.must(w.ended)
}

func TestAJobThatIsNotPatientGoesOnWithThoseThatAreLeftAndFailsWithTheLast(t *testing.T) {
	_, j := joined(t, 6, Config{Workers: 3}, "a", "b", "c")
	expectScript(t, "one lost", j.Step(WorkerLost{Name: "b"}), "b lost, 2 moved, a:[2], c:[3]")
	expectScript(t, "two lost", j.Step(WorkerLost{Name: "c"}), "c lost, 3 moved, a:[3 4 5]")
	actions := j.Step(WorkerLost{Name: "a", Left: true})
	if f, is := actions[0].(Failed); !is || !errors.Is(f.Err, partition.ErrNoWorkers) {
		t.Errorf("the last lost: got %v, want %v", actions, partition.ErrNoWorkers)
	}
}

func TestAPartitionIsBlamedForWorkersThatAreLostOverIt(t *testing.T) {
	for _, c := range []struct {
		name   string
		kind   wire.Kind
		left   bool
		names  []string // of the workers that come one by one, and are lost
		losses int      // before the job fails; 0: it does not
	}{
		{"three while reading", wire.Statistics, false, []string{"a", "b", "c", "d"}, 3},
		{"in order", wire.Statistics, true, []string{"a", "b", "c", "d"}, 0},
		{"while several runs share a pass", wire.Together, false, []string{"a", "b", "c", "d"}, 0},
		{"the same ones again and again", wire.Statistics, false, []string{"a"}, griefLimit},
	} {
		w, j := joined(t, 2, Config{Workers: 1, Patient: true}, c.names[0])
		for j.task.Kind != c.kind {
			w.take(j.Step(Answered{Answer: w.answer(w.of(c.names[0]))}))
		}
		losses := 0
		for !w.done && losses < 2*griefLimit {
			w.take(j.Step(WorkerLost{Name: c.names[losses%len(c.names)], Left: c.left}))
			losses++
			w.take(j.Step(worker(c.names[losses%len(c.names)])))
		}
		if c.losses == 0 && w.done || c.losses != 0 && losses != c.losses {
			t.Errorf("%s: ended after %d losses (%v), want %d", c.name, losses, w.ended, c.losses)
			continue
		}
		var known *fault.Error
		if w.done && (!errors.As(w.ended, &known) || known.Kind != fault.Failed || !strings.Contains(known.Problem, "partition 0 (rows 0 to 49)") ||
			!strings.Contains(known.Problem, c.names[0])) {
			t.Errorf("%s: got %v, want partition 0 and the workers named", c.name, w.ended)
		}
	}
}

func TestAPartitionIsNotBlamedForWorkersThatHadNotBegunIt(t *testing.T) {
	w, j := joined(t, 2, Config{Workers: 1, Patient: true}, "a")
	for i := range 2 * griefLimit {
		name := string(rune('a' + i%5))
		begun := []int{1} // which it is not asked for alone, and not over and over
		if i > 0 {
			begun = []int{}
		}
		w.take(j.Step(WorkerLost{Name: name, Begun: begun}))
		w.take(j.Step(worker(string(rune('a' + (i+1)%5)))))
	}
	if w.done {
		t.Errorf("got %v, want a job that goes on", w.ended)
	}
}

func TestBlameBeginsAnewWithEachRound(t *testing.T) {
	w, j := joined(t, 2, Config{Workers: 1, Patient: true}, "a")
	lose := func(name, next string) {
		w.pending = nil
		w.take(j.Step(WorkerLost{Name: name}))
		w.take(j.Step(worker(next)))
	}
	lose("a", "b")
	lose("b", "c")
	w.take(j.Step(Answered{Answer: w.answer(w.of("c"))}))
	if j.task.Kind != wire.Load {
		t.Fatalf("got a round of %s, want one that reads too", j.task.Kind)
	}
	lose("c", "d")
	lose("d", "e")
	if w.done {
		t.Errorf("two losses in each of two rounds ended the job: %v", w.ended)
	}
}

func TestAnErrorOfAMachineIsTriedOnAnotherAndOneOfTheDataIsNot(t *testing.T) {
	disk := fault.Failedf(nil, "the disk is full")
	data := fault.Inputf(fault.In("x.csv"), "row 3 is torn")
	for _, c := range []struct {
		name    string
		err     error
		patient bool
		workers []string
		want    string
	}{
		{"a machine's", disk, true, []string{"a", "b", "c"}, "refused a, b:[0], c:[1]"},
		{"a machine's that is the only one", disk, true, []string{"a"}, "failed"},
		{"a machine's, in one process", disk, false, []string{"a", "b", "c"}, "failed"},
		{"bad data", data, true, []string{"a", "b", "c"}, "failed"},
		{"of a kind that is not known", errors.New("odd"), true, []string{"a", "b", "c"}, "refused a, b:[0], c:[1]"},
	} {
		_, j := joined(t, 6, Config{Workers: len(c.workers), Patient: c.patient}, c.workers...)
		a := &wire.Answer{Epoch: 5, Round: j.round, Worker: "a", Covered: []int{0, 1}, Err: c.err}
		actions := j.Step(Answered{Answer: a})
		expectScript(t, c.name, actions, c.want)
		if f, is := actions[0].(Failed); is && !errors.Is(f.Err, c.err) {
			t.Errorf("%s: got %v, want %v", c.name, f.Err, c.err)
		}
	}
}

func TestAnErrorOverWhatAnotherHasAnsweredMovesNothing(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 3, Patient: true}, "a", "b", "c")
	w.take(j.Step(Answered{Answer: w.covering(j, "b", 0, 1)}))
	a := &wire.Answer{Epoch: 5, Round: j.round, Worker: "a", Covered: []int{0, 1}, Err: fault.Failedf(nil, "the disk is full")}
	expectScript(t, "late error", j.Step(Answered{Answer: a}), "refused a")
	if j.plan.Owners[0] != "b" || j.plan.Owners[1] != "b" || len(j.blame) != 0 {
		t.Errorf("owners %v, blame %v: want 0 and 1 with b, who has answered, and none", j.plan.Owners[:2], j.blame)
	}
}

func TestThreeMachinesThatErrOverTheSamePartitionEndTheJob(t *testing.T) {
	w, j := joined(t, 4, Config{Workers: 4, Patient: true}, "a", "b", "c", "d")
	who := j.plan.Owners[0]
	cause := fault.Failedf(nil, "the disk is full")
	tried := []string{who}
	for range blameLimit {
		tried = append(tried, who)
		w.pending = nil
		w.take(j.Step(Answered{Answer: &wire.Answer{Epoch: 5, Round: j.round, Worker: who, Covered: []int{0}, Err: cause}}))
		who = j.plan.Owners[0]
	}
	if !errors.Is(w.ended, cause) || !strings.Contains(w.ended.Error(), "partition 0") {
		t.Errorf("after %v: got %v, want partition 0 named with the cause", tried, w.ended)
	}
}

func TestRowsThatNoMemoryHoldsEndTheJob(t *testing.T) {
	for _, memory := range []int64{1 << 10, 1 << 20} {
		w := newTown(t, 4)
		o := populationFit()
		o.Labels = false
		j, _, err := NewFit(Config{Manifest: w.manifest, Workers: 2, Epoch: 1, Window: 1, Patient: true}, o)
		w.must(err)
		for _, name := range []string{"a", "b"} {
			w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name, Memory: memory}}))
		}
		for !w.done {
			s := w.pending[0]
			w.pending = w.pending[1:]
			w.take(j.Step(Answered{Answer: w.answer(s)}))
		}
		var short *partition.MemoryError
		if large := memory == 1<<20; large != (w.ended == nil) || !large && (!errors.As(w.ended, &short) || j.task.Kind != wire.Statistics) {
			t.Errorf("%d bytes each: got %v after a round of %s, want an end well %v, or a MemoryError before rows are held", memory, w.ended, j.task.Kind, large)
		}
	}
}
