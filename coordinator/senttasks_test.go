package coordinator

import (
	"fmt"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestSentTasksAreFoundBySerialAndByWorker(t *testing.T) {
	var s sentTasks
	s.remove("a", func(*sentTask) bool { return true }) // of nothing
	for serial, worker := range []string{"a", "b", "a", "a", "b"} {
		s.add(&sentTask{worker: worker, ref: &pb.TaskRef{Serial: uint64(serial)}})
	}
	serials := func(worker string) (list []uint64) {
		for _, t := range s.byWorker[worker] {
			list = append(list, t.ref.Serial)
		}
		return list
	}
	for _, step := range []struct {
		worker string
		out    []uint64
		a, b   []uint64
	}{
		{"a", []uint64{2, 4}, []uint64{0, 3}, []uint64{1, 4}}, // 4 is b's
		{"b", []uint64{1, 4}, []uint64{0, 3}, nil},
		{"c", []uint64{0}, []uint64{0, 3}, nil},
		{"a", []uint64{0, 3}, nil, nil},
	} {
		s.remove(step.worker, func(t *sentTask) bool { return slices.Contains(step.out, t.ref.Serial) })
		if !slices.Equal(serials("a"), step.a) || !slices.Equal(serials("b"), step.b) || len(s.bySerial) != len(step.a)+len(step.b) {
			t.Errorf("%v of %s removed: got %v and %v, %d in all; want %v and %v", step.out, step.worker, serials("a"), serials("b"), len(s.bySerial),
				step.a, step.b)
		}
	}
	if len(s.byWorker) != 0 {
		t.Errorf("%d workers are kept that are asked for nothing", len(s.byWorker))
	}
}

func TestAnAnswerIsNewsOnce(t *testing.T) {
	var s sentTasks
	if !s.answer(7) {
		t.Error("an answer to what was never sent is for the job to judge")
	}
	s.add(&sentTask{worker: "a", ref: &pb.TaskRef{Serial: 7}})
	s.remove("a", func(*sentTask) bool { return true }) // given up: its answer may come all the same
	if !s.answer(7) || s.answer(7) || s.answer(7) {
		t.Error("want the first answer taken, and no other")
	}
	for range 1000 {
		s.answer(8)
	}
	if len(s.answered) != 1 {
		t.Errorf("%d serials are kept of 1 that was sent", len(s.answered))
	}
}

func TestAnotherWorkerIsOneWithoutGriefInTurn(t *testing.T) {
	j := &Job{blame: map[int]grief{1: {workers: []string{"w2", "gone", "w4"}}, 2: {workers: []string{"w0", "w1", "w2", "w3", "w4"}}}}
	for i := range 5 {
		j.workers = append(j.workers, partition.Worker{Name: fmt.Sprintf("w%d", i)})
	}
	for _, c := range []struct {
		id   int
		want []string
	}{
		{0, []string{"w0", "w2", "w3", "w4", "w0", "w2"}},
		{1, []string{"w0", "w3", "w0", "w3", "w0", "w3"}},
		{2, []string{"w0", "w2", "w3", "w4", "w0", "w2"}}, // all have come to grief
	} {
		var got []string
		for turn := range c.want {
			got = append(got, j.another(c.id, "w1", turn))
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("partition %d: got %v, want %v", c.id, got, c.want)
		}
	}
}

// What nobody is asked for any more is asked for again once, however it came to that, also after a time without workers.
func TestWhatManyReasonsDropIsAskedForOnce(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 2, Patient: true}, "a", "b", "c")
	expectScript(t, "b lost", j.Step(WorkerLost{Name: "b", Left: true}), "b lost, 3 moved, c:[3 4 5]")
	expectScript(t, "c lost", j.Step(WorkerLost{Name: "c", Left: true}), "c lost, 0 moved, 1/2")
	expectScript(t, "an answer while it waits", j.Step(Answered{Answer: w.covering(j, "a", 0)}), "")
	actions := j.Step(WorkerJoined{Worker: partition.Worker{Name: "d"}})
	asked := make(map[int]int)
	for _, a := range actions {
		if s, is := a.(Send); is {
			for _, id := range s.Task.Partitions {
				asked[id]++
			}
		}
	}
	if len(asked) != 3 || asked[3] != 1 || asked[4] != 1 || asked[5] != 1 || len(j.dropped) != 0 {
		t.Errorf("got %v asked and %v dropped, want 3, 4 and 5 once each: a has 1 and 2", asked, j.dropped)
	}
}
