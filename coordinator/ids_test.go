package coordinator

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// run of integers that ascend.
func ascending(id int, count, first, last int64) wire.IDSummary {
	return wire.IDSummary{Partition: id, Count: count, Integers: true, Ascending: true, First: first, Last: last}
}

func TestIDsThatAscendOverAllPartitionsAreNotCompared(t *testing.T) {
	empty := func(id int) wire.IDSummary { return ascending(id, 0, 0, 0) }
	for _, c := range []struct {
		name string
		ids  []wire.IDSummary
		want bool
	}{
		{"no partition", nil, true},
		{"one", []wire.IDSummary{ascending(0, 3, 1, 9)}, true},
		{"two, one after the other", []wire.IDSummary{ascending(0, 3, 1, 9), ascending(1, 2, 10, 11)}, true},
		{"below zero", []wire.IDSummary{ascending(0, 3, -9, -5), ascending(1, 2, -4, 11)}, true},
		{"empty ones between", []wire.IDSummary{empty(0), ascending(1, 3, 5, 9), empty(2), ascending(3, 2, 10, 11), empty(4)}, true},
		{"touching", []wire.IDSummary{ascending(0, 3, 1, 9), ascending(1, 2, 9, 11)}, false},
		{"touching over an empty one", []wire.IDSummary{ascending(0, 3, 1, 9), empty(1), ascending(2, 2, 9, 11)}, false},
		{"overlapping", []wire.IDSummary{ascending(0, 3, 5, 9), ascending(1, 2, 1, 3)}, false},
		{"not ascending", []wire.IDSummary{ascending(0, 3, 1, 9), {Partition: 1, Count: 3, Integers: true, First: 10, Last: 20}}, false},
		{"text", []wire.IDSummary{ascending(0, 3, 1, 9), {Partition: 1, Count: 3}}, false},
		{"one is missing", []wire.IDSummary{ascending(0, 3, 1, 9), ascending(2, 2, 10, 11), ascending(3, 1, 12, 12)}, false},
		{"one is told twice", []wire.IDSummary{ascending(0, 3, 1, 9), ascending(0, 3, 10, 11)}, false},
	} {
		if got := apart(c.ids, len(c.ids)); got != c.want {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	if apart([]wire.IDSummary{ascending(0, 1, 1, 1)}, 2) {
		t.Error("one of two partitions: taken for all")
	}
}

// script answers the rounds of a job as told, and keeps its tasks by kind.
type script struct {
	*town
	kinds []wire.Kind
	tasks map[wire.Kind]*wire.Task
	// dropped is what the round of duplicates finds.
	dropped int64
	ids     func(id int) wire.IDSummary
	// before is called when a round of the kind is about to be answered.
	before map[wire.Kind]func()
}

func (s *script) run(j *Job) {
	s.tasks = make(map[wire.Kind]*wire.Task)
	for !s.done && len(s.pending) > 0 {
		send := s.pending[0]
		if task := send.Task; s.tasks[task.Kind] == nil {
			s.tasks[task.Kind] = task
			s.kinds = append(s.kinds, task.Kind)
			if act := s.before[task.Kind]; act != nil {
				act()
				continue // what is pending may have changed
			}
		}
		s.pending = s.pending[1:]
		s.take(j.Step(Answered{Answer: &wire.Answer{Epoch: 1, Round: send.Task.Round, Worker: send.Worker, Covered: send.Task.Partitions,
			Partial: s.partial(send.Task)}}))
	}
}

func (s *script) partial(task *wire.Task) *wire.Partial {
	p := &wire.Partial{}
	switch task.Kind {
	case wire.Duplicates:
		p.Dropped = s.dropped
		return p
	case wire.Keys, wire.Label:
	default:
		p = s.compute(task)
	}
	for _, id := range task.Partitions {
		p.IDs = append(p.IDs, s.ids(id))
	}
	return p
}

func withIDs(policy wire.DuplicateIDs) *wire.Input {
	in := testInput()
	in.ID, in.Duplicates = "id", policy
	return in
}

func apartIDs(id int) wire.IDSummary { return ascending(id, 5, int64(10*id), int64(10*id+9)) }
func textIDs(id int) wire.IDSummary  { return wire.IDSummary{Partition: id, Count: 5} }
func mixedUp(id int) wire.IDSummary  { return ascending(id, 5, int64(-10*id), int64(-10*id+9)) }

func (s *script) fit(policy wire.DuplicateIDs) {
	j, _, err := NewFit(Config{Manifest: s.manifest, Workers: 2, Epoch: 1, Window: 2},
		FitOptions{Input: withIDs(policy), K: 3, Init: kmeans.InitParallel, Runs: 1, MaxIterations: 5, Seed: 9, Labels: true})
	s.must(err)
	for _, name := range []string{"a", "b"} {
		s.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name, Weight: 1}}))
	}
	s.run(j)
	if s.ended != nil || !s.done {
		s.t.Fatalf("ended %v: %v", s.done, s.ended)
	}
}

// first are the kinds of a job's first rounds.
func (s *script) first(n int) []wire.Kind { return s.kinds[:min(n, len(s.kinds))] }

func TestAFitComparesIDsOnlyWhereItMust(t *testing.T) {
	keys := []wire.Kind{wire.Keys, wire.Duplicates, wire.Statistics, wire.Load, wire.Seed}
	keysAlone := []wire.Kind{wire.Keys, wire.Statistics, wire.Load, wire.Seed}
	load := []wire.Kind{wire.Statistics, wire.Load, wire.Duplicates, wire.Seed}
	loadAlone := []wire.Kind{wire.Statistics, wire.Load, wire.Seed}
	for _, c := range []struct {
		name     string
		policy   wire.DuplicateIDs
		ids      func(id int) wire.IDSummary
		dropped  int64
		want     []wire.Kind
		integers bool
		owned    bool
	}{
		{"first, apart", wire.DuplicatesFirst, apartIDs, 0, keysAlone, true, false},
		{"first, mixed up, none twice", wire.DuplicatesFirst, mixedUp, 0, keys, true, false},
		{"last, text, some twice", wire.DuplicatesLast, textIDs, 3, keys, false, true},
		{"fail, apart", wire.DuplicatesFail, apartIDs, 0, loadAlone, true, false},
		{"fail, mixed up", wire.DuplicatesFail, mixedUp, 0, load, true, false},
		{"fail, text", wire.DuplicatesFail, textIDs, 0, load, false, false},
	} {
		s := &script{town: newTown(t, 4), ids: c.ids, dropped: c.dropped}
		s.fit(c.policy)
		if diff := cmp.Diff(c.want, s.first(len(c.want))); diff != "" {
			t.Errorf("%s: rounds (-want +got):\n%s", c.name, diff)
		}
		if got := s.tasks[wire.Label].Integers; got != c.integers {
			t.Errorf("%s: integers: got %v, want %v", c.name, got, c.integers)
		}
		for _, task := range []*wire.Task{s.tasks[wire.Statistics], s.tasks[wire.Load], s.tasks[wire.Seed].Reload} {
			if owned := len(task.Owners) == 4; owned != c.owned {
				t.Errorf("%s: %s is told the owners %q, want them: %v", c.name, task.Kind, task.Owners, c.owned)
			}
		}
		if d := s.tasks[wire.Duplicates]; d != nil && (len(d.Owners) != 4 || (d.Reload != nil) != (c.policy == wire.DuplicatesFail)) {
			t.Errorf("%s: duplicates with the owners %q and to be read like %+v", c.name, d.Owners, d.Reload)
		}
	}
}

func TestOwnersAreThoseWhoAnsweredAndAreStillThere(t *testing.T) {
	var j *Job
	s := &script{town: newTown(t, 4), ids: textIDs, dropped: 1}
	lose := func() {
		s.pending = without(s.pending, "b")
		s.take(j.Step(WorkerLost{Name: "b"}))
	}
	s.before = map[wire.Kind]func(){wire.Duplicates: lose}
	var err error
	j, _, err = NewFit(Config{Manifest: s.manifest, Workers: 2, Epoch: 1, Window: 2},
		FitOptions{Input: withIDs(wire.DuplicatesFirst), K: 3, Init: kmeans.InitParallel, Runs: 1, MaxIterations: 5})
	s.must(err)
	for _, name := range []string{"a", "b"} {
		s.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name, Weight: 1}}))
	}
	s.run(j)
	seen := map[string]int{}
	for _, name := range s.tasks[wire.Duplicates].Owners {
		seen[name]++
	}
	if seen["a"] == 0 || seen["b"] == 0 || seen[""] > 0 {
		t.Errorf("duplicates: owners %q, want both workers", s.tasks[wire.Duplicates].Owners)
	}
	if diff := cmp.Diff([]string{"a", "a", "a", "a"}, s.tasks[wire.Statistics].Owners); diff != "" {
		t.Errorf("who settled after b was lost (-want +got):\n%s", diff)
	}
	j.answeredBy = []string{"a", "b", "a", "b"}
	if diff := cmp.Diff([]string{"a", "", "a", ""}, j.answerers()); diff != "" {
		t.Errorf("who is still there (-want +got):\n%s", diff)
	}
}

func TestLabellingComparesIDsOnce(t *testing.T) {
	before := []wire.Kind{wire.Keys, wire.Duplicates, wire.Label}
	after := []wire.Kind{wire.Label, wire.Duplicates}
	for _, c := range []struct {
		name           string
		policy         wire.DuplicateIDs
		keys, certain  bool
		ids            func(id int) wire.IDSummary
		want           []wire.Kind
		keep, integers bool
	}{
		{"fail, while labelling", wire.DuplicatesFail, false, false, mixedUp, after, true, false},
		{"fail, while labelling, apart", wire.DuplicatesFail, false, false, apartIDs, after[:1], true, false},
		{"fail, integers by their column", wire.DuplicatesFail, false, true, mixedUp, after, true, true},
		{"fail, before", wire.DuplicatesFail, true, false, mixedUp, before, false, true},
		{"fail, before, text", wire.DuplicatesFail, true, false, textIDs, before, false, false},
		{"first", wire.DuplicatesFirst, false, false, textIDs, before, false, false},
		{"first, integers", wire.DuplicatesFirst, true, false, mixedUp, before, false, true},
	} {
		s := &script{town: newTown(t, 4), ids: c.ids}
		j, _, err := NewLabel(Config{Manifest: s.manifest, Workers: 2, Epoch: 1, Window: 2},
			LabelOptions{Input: withIDs(c.policy), Centroids: &kmeans.Centroids{K: 1, D: 2, Values: []float32{0, 0}}, Keys: c.keys, Integers: c.certain})
		s.must(err)
		for _, name := range []string{"a", "b"} {
			s.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name, Weight: 1}}))
		}
		s.run(j)
		if diff := cmp.Diff(c.want, s.kinds); diff != "" || !s.done || s.ended != nil {
			t.Errorf("%s: ended %v (%v), rounds (-want +got):\n%s", c.name, s.done, s.ended, diff)
		}
		if task := s.tasks[wire.Label]; task.KeepIDs != c.keep || task.Integers != c.integers {
			t.Errorf("%s: ids kept %v, integers %v; want %v, %v", c.name, task.KeepIDs, task.Integers, c.keep, c.integers)
		}
	}
}
