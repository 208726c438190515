package coordinator

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// driven runs a fit to its end on one worker, and gives a checkpoint of each place that it advances to and the task that asks
// for labels, both as bytes.
func driven(w *town, o FitOptions) (list []kept, label []byte) {
	w.t.Helper()
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 1, Window: 3}, o)
	w.must(err)
	w.pending, w.done, w.ended = nil, false, nil
	take := func(actions []Action) {
		for _, a := range actions {
			if _, advanced := a.(Advanced); advanced {
				data, err := EncodeState(f.State())
				w.must(err)
				list = append(list, kept{stageOf(f.State()), data})
			}
		}
		w.take(actions)
	}
	take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "a"}}))
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		if s.Task.Kind == wire.Label {
			task := *s.Task
			task.Epoch, task.Round, task.Partitions = 0, 0, nil
			label, err = wire.EncodeTask(&task, nil)
			w.must(err)
		}
		take(j.Step(Answered{Answer: w.finished(s)}))
	}
	w.must(w.ended)
	return list, label
}

// What a fit has learnt while it loaded rows is not asked for again after a break: the labels depend on it.
func TestAFitThatGoesOnFromAnyStageAsksForTheSameLabels(t *testing.T) {
	for _, integers := range []bool{true, false} {
		w := newTown(t, populationParts)
		w.spoil = func(task *wire.Task, p *wire.Partial) {
			if task.Kind == wire.Load {
				p.IDs = []wire.IDSummary{{Partition: task.Partitions[0], Integers: integers}}
			}
		}
		list, want := driven(w, populationFit())
		if task, err := wire.DecodeTask(want); err != nil || task.Integers != integers {
			t.Fatalf("labels are asked for with %+v, %v, want ids that are integers: %v", task, err, integers)
		}
		for _, c := range list {
			state, err := DecodeState(c.data)
			w.must(err)
			o := populationFit()
			o.Resume = state
			_, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 2, Window: 3}, o)
			w.must(err)
			if again, err := EncodeState(f.State()); err != nil || !bytes.Equal(again, c.data) {
				t.Errorf("%s: a fit that has just gone on from a checkpoint would keep another one (%v)", c.stage, err)
			}
			if _, got := driven(w, o); !bytes.Equal(got, want) {
				t.Errorf("%s, ids that are integers %v: the fit that goes on asks for labels with another task", c.stage, integers)
			}
		}
	}
}

// unset are the fields of a value of this project's own that hold nothing, with those of what it holds.
func unset(v reflect.Value, name string) (list []string) {
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return []string{name}
		}
		return unset(v.Elem(), name)
	case reflect.Slice:
		if v.Len() == 0 {
			return []string{name}
		}
		return unset(v.Index(0), name+"[0]")
	case reflect.Struct:
		switch v.Interface().(type) {
		case FitState, RunState, FitResult, wire.Intake, wire.BadRow, fault.Place:
			for i := range v.NumField() {
				list = append(list, unset(v.Field(i), name+"."+v.Type().Field(i).Name)...)
			}
			return list
		}
	}
	if v.IsZero() {
		return []string{name}
	}
	return nil
}

// lost are the fields in which two states differ.
func lost(got, want *FitState) (list []string) {
	a, b := reflect.ValueOf(*got), reflect.ValueOf(*want)
	for i := range a.NumField() {
		if !reflect.DeepEqual(a.Field(i).Interface(), b.Field(i).Interface()) {
			list = append(list, fmt.Sprintf("%s: got %+v, want %+v", a.Type().Field(i).Name, a.Field(i), b.Field(i)))
		}
	}
	return list
}

// fullState is a state in which every field says something, and the fit that it could be of.
func fullState(w *town) (*FitState, FitOptions) {
	o := populationFit()
	list, _ := driven(w, o)
	o.Runs = 4
	var s, end *FitState
	for _, c := range list {
		state, err := DecodeState(c.data)
		w.must(err)
		switch c.stage {
		case "iterating":
			s = state
		case "before labels":
			end = state
		}
	}
	if s == nil || end == nil {
		w.t.Fatal("a fit that keeps no checkpoint while it iterates, or at its end")
	}
	s.Largest, s.Integers = 2.5, true
	s.Intake = wire.Intake{Read: 11, Kept: 4, Bad: 3, Missing: 2, Duplicates: 1, Imputed: 5, Unseen: []int64{6}}
	s.Bad = []wire.BadRow{{Row: 7, Place: fault.Place{File: "a.csv", Line: 9, Row: 7, Column: "a"}, Reason: "none", Raw: "x,y"}}
	s.Run, s.Over, s.BestRun, s.Best = 1, []int{3}, 3, end.Best
	s.Best.Transform, s.Best.Intake, s.Best.Bad, s.Best.Converged = s.Transform, s.Intake, s.Bad, true
	r := s.States[0]
	r.Run, r.Done, r.Converged = 1, 5, true
	other := r
	other.Run = 2
	s.States = []RunState{r, other}
	s.Sample = [][]float32{{1, 2}, {3, 4}}
	s.Best.Sample = s.Sample
	return s, o
}

func TestEveryFieldOfAStateIsKeptAndTakenUp(t *testing.T) {
	w := newTown(t, populationParts)
	want, o := fullState(w)
	if empty := unset(reflect.ValueOf(want), "FitState"); len(empty) > 0 {
		t.Fatalf("the test does not tell whether these are kept: %s", strings.Join(empty, ", "))
	}
	data, err := EncodeState(want)
	w.must(err)
	kept, err := DecodeState(data)
	w.must(err)
	for _, field := range lost(kept, want) {
		t.Errorf("in a checkpoint, %s", field)
	}
	o.Resume = kept
	_, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 2, Window: 3}, o)
	w.must(err)
	for _, field := range lost(f.State(), want) {
		t.Errorf("taken up, %s", field)
	}
	// Before the first run is over there is no best one, which has some of it too.
	want.Run, want.Over, want.Best, want.BestRun = 0, nil, nil, 0
	o.Resume = want
	_, f, err = NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 2, Window: 3}, o)
	w.must(err)
	for _, field := range lost(f.State(), want) {
		t.Errorf("taken up without a run that is over, %s", field)
	}
}
