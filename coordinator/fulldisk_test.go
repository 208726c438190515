package coordinator

import (
	"slices"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// lacks is what a worker says of itself alone.
func lacks(name, what string) error {
	return &fault.Error{Kind: fault.Unavailable, Place: fault.In("/tiny/coterie-spill"), Problem: "on worker " + name + ": " + what, Remedy: "name another folder"}
}

// spillers runs a fit on workers that spill, of which some have a full disk, and some too little memory. It gives what the
// first were asked for after they had said so, and what was refused.
func (w *town) spillers(memory int64, full, small []string, names ...string) (late []Send, refused []Refused) {
	w.t.Helper()
	o := populationFit()
	o.Labels = false
	j, _, err := NewFit(Config{Manifest: w.manifest, Workers: len(names), Epoch: 1, Window: 1, Patient: true}, o)
	w.must(err)
	said := make(map[string]bool)
	take := func(actions []Action) {
		for _, a := range actions {
			switch a := a.(type) {
			case Refused:
				refused = append(refused, a)
			case Send:
				if said[a.Worker] {
					late = append(late, a)
				}
			}
		}
		w.take(actions)
	}
	for i, name := range names {
		take(j.Step(WorkerJoined{Worker: partition.Worker{Name: name, Memory: memory, Spills: true}, More: i < len(names)-1}))
	}
	for range 10_000 {
		if w.done {
			return late, refused
		}
		at := max(0, slices.IndexFunc(w.pending, func(s Send) bool { return slices.Contains(full, s.Worker) })) // they say so first
		s := w.pending[at]
		w.pending = slices.Delete(w.pending, at, at+1)
		a := w.answer(s)
		switch {
		case s.Task.Kind != wire.Load:
		case slices.Contains(full, s.Worker):
			said[s.Worker] = true
			a.Partial, a.Err, a.NoDisk = nil, lacks(s.Worker, "the disk is full"), true
		case slices.Contains(small, s.Worker):
			a.Partial, a.Err = nil, lacks(s.Worker, "too little memory")
		}
		take(j.Step(Answered{Answer: a}))
	}
	w.t.Fatal("the job does not end")
	return nil, nil
}

func TestWorkersWithAFullDiskLeaveTheirRowsToTheOthers(t *testing.T) {
	for _, full := range [][]string{{"c"}, {"a"}, {"a", "b", "c", "d"}} { // more than a partition may bring down
		w := newTown(t, 12)
		late, refused := w.spillers(1<<20, full, nil, "a", "b", "c", "d", "e")
		if w.ended != nil || len(refused) < len(full) || !refused[0].Failed {
			t.Errorf("%v full: got %v and %d refusals, want an end well and one of each at least", full, w.ended, len(refused))
		}
		for _, s := range late {
			t.Errorf("%s was asked for %v in a round of %s after its disk was full", s.Worker, s.Task.Partitions, s.Task.Kind)
		}
	}
}

func TestTheDiskThatWasFullFirstIsNamedFirst(t *testing.T) {
	for name, c := range map[string]struct {
		memory      int64
		full, small []string
		want        []string
	}{
		"all full":                       {1 << 20, []string{"a", "b", "c"}, nil, []string{"on worker a: the disk is full", "too little room", "on worker c: the disk is full"}},
		"the others lack memory":         {1 << 20, []string{"c"}, []string{"a", "b"}, []string{"on worker c: the disk is full", "too little room", "too little memory"}},
		"the others cannot be given all": {0, []string{"c"}, []string{"a", "b"}, []string{"on worker c: the disk is full", "too little room", "too little memory"}},
		"no disk is full":                {1 << 20, nil, []string{"a", "b", "c"}, []string{"on worker a: too little memory"}},
	} {
		w := newTown(t, 12)
		w.spillers(c.memory, c.full, c.small, "a", "b", "c")
		if w.ended == nil || fault.Code(w.ended) != int(fault.Unavailable) {
			t.Errorf("%s: got %v, want an error of what workers lack", name, w.ended)
			continue
		}
		rest := w.ended.Error()
		for _, part := range c.want {
			_, after, found := strings.Cut(rest, part)
			if !found {
				t.Errorf("%s: got %q, want %q in this order", name, w.ended, c.want)
			}
			rest = after
		}
		if strings.Contains(w.ended.Error(), "brought down") {
			t.Errorf("%s: got %q: no worker fell", name, w.ended)
		}
	}
}

func TestAWorkerThatComesBackIsTriedAgain(t *testing.T) {
	_, j := joined(t, 6, Config{Workers: 2, Patient: true}, "a", "b", "c")
	j.fills(&wire.Answer{Worker: "c", Covered: []int{4, 5}, Err: lacks("c", "the disk is full")})
	if got := j.capped([]partition.Worker{{Name: "a"}, {Name: "c"}}, 10); got[0].Memory != 0 || got[1].Memory != 1 {
		t.Errorf("got %v, want no room with c alone", got)
	}
	j.Step(WorkerLost{Name: "c", Left: true})
	j.Step(worker("c"))
	if got := j.capped([]partition.Worker{{Name: "c"}}, 10); got[0].Memory != 0 {
		t.Errorf("after it came back: got %v, want room", got)
	}
}

func TestAWorkerWithAFullDiskIsNeitherAnotherNorAskedForCopies(t *testing.T) {
	w, j := joined(t, 6, Config{Workers: 3, Patient: true}, "a", "b", "c", "d")
	j.fills(&wire.Answer{Worker: "c", Err: lacks("c", "the disk is full")})
	j.blame = map[int]grief{0: {workers: []string{"b", "d"}}}
	for turn := range 8 {
		if got := j.another(1, "a", turn); got != "b" && got != "d" {
			t.Errorf("turn %d: got %s, want one that has room", turn, got)
		}
		if got := j.another(0, "a", turn); got != "b" && got != "d" {
			t.Errorf("turn %d: got %s, want one that came to grief rather than one without room", turn, got)
		}
	}
	for _, name := range []string{"b", "c", "d"} {
		for slices.ContainsFunc(w.pending, func(s Send) bool { return s.Worker == name }) {
			w.take(j.Step(Answered{Answer: w.answer(w.of(name))}))
		}
	}
	copies := 0
	for _, a := range j.Step(Straggling{Worker: "a"}) {
		if s, ok := a.(Send); ok {
			copies++
			if s.Worker == "c" {
				t.Errorf("c is asked for copies of %v", s.Task.Partitions)
			}
		}
	}
	if copies == 0 {
		t.Error("nobody is asked for copies: this test shows nothing")
	}
}
