package coordinator

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// kept is a checkpoint with the name of its stage.
type kept struct {
	stage string
	data  []byte
}

// stages are the checkpoints of a calm fit, one for each place that it advances to, and its result.
func stages(t testing.TB, abreast int) (*town, []kept, FitResult) {
	t.Helper()
	w := newTown(t, populationParts)
	o := populationFit()
	o.Abreast = abreast
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 1, Window: 3}, o)
	w.must(err)
	var list []kept
	take := func(actions []Action) {
		for _, a := range actions {
			if _, advanced := a.(Advanced); advanced {
				s := f.State()
				data, err := EncodeState(s)
				w.must(err)
				list = append(list, kept{stageOf(s), data})
			}
		}
		w.take(actions)
	}
	take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "a"}}))
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		take(j.Step(Answered{Answer: w.finished(s)}))
	}
	w.must(w.ended)
	return w, list, f.Result
}

func stageOf(s *FitState) string {
	switch {
	case s.Run == populationRuns:
		return "before labels"
	case len(s.States) == 0 && s.Run > 0:
		return "between runs"
	case len(s.States) == 0:
		return "loaded"
	case len(s.Over) > 0:
		return "a later one over"
	case slices.ContainsFunc(s.States, func(r RunState) bool { return r.Converged }):
		return "converged"
	case s.States[0].Done == 0:
		return "seeded"
	}
	return "iterating"
}

// finished is the answer to a task of any kind that a fit with labels sends.
func (w *town) finished(s Send) *wire.Answer {
	if k := s.Task.Kind; k == wire.Label || k == wire.Prepare || k == wire.Commit {
		return &wire.Answer{Epoch: s.Task.Epoch, Round: s.Task.Round, Worker: s.Worker, Covered: s.Task.Partitions, Partial: &wire.Partial{}}
	}
	return w.answer(s)
}

func TestAFitGoesOnFromEveryStageToTheSameBits(t *testing.T) {
	_, _, want := stages(t, 1)
	var seen []string
	for abreast := 1; abreast <= populationRuns; abreast++ {
		w, list, got := stages(t, abreast)
		if !same(got, want) {
			t.Fatalf("%d runs abreast: got inertia %v after %d iterations, want %v after %d", abreast, got.Inertia, got.Iterations, want.Inertia, want.Iterations)
		}
		for i, c := range list {
			if !slices.Contains(seen, c.stage) {
				seen = append(seen, c.stage)
			}
			state, err := DecodeState(c.data)
			w.must(err)
			if again, err := EncodeState(state); err != nil || !bytes.Equal(again, c.data) {
				t.Errorf("%s: encoding what was decoded gave other bytes (%v)", c.stage, err)
			}
			for then := 1; then <= populationRuns; then++ { // on other workers, it may be, with memory for more, or for less
				o := populationFit()
				o.Resume, o.Abreast = state, then
				if got := w.goOn(o); w.ended != nil || !same(got, want) {
					t.Errorf("checkpoint %d of %d runs abreast, %s, resumed with %d: got inertia %v after %d iterations (%v), want %v after %d", i, abreast,
						c.stage, then, got.Inertia, got.Iterations, w.ended, want.Inertia, want.Iterations)
				}
			}
		}
	}
	slices.Sort(seen)
	if all := []string{"a later one over", "before labels", "between runs", "converged", "iterating", "loaded", "seeded"}; !slices.Equal(seen, all) {
		t.Errorf("stages: got %v, want %v", seen, all)
	}
}

// same says whether two fits have found the same.
func same(a, b FitResult) bool {
	return a.Centroids.Equal(b.Centroids) && a.Inertia == b.Inertia && a.Iterations == b.Iterations && a.Converged == b.Converged &&
		slices.Equal(a.Counts, b.Counts)
}

// goOn runs a fit to its end on one worker.
func (w *town) goOn(o FitOptions) FitResult {
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 2, Window: 3}, o)
	w.must(err)
	w.pending, w.done, w.ended = nil, false, nil
	w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: "b"}}))
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		w.take(j.Step(Answered{Answer: w.finished(s)}))
	}
	return f.Result
}

func TestAStateOfAnotherJobIsRefused(t *testing.T) {
	w, list, _ := stages(t, populationRuns)
	first := func(stage string) *FitState {
		for _, c := range list {
			if c.stage == stage {
				s, err := DecodeState(c.data)
				w.must(err)
				return s
			}
		}
		t.Fatalf("no stage %s", stage)
		return nil
	}
	fewer := &partition.Manifest{Rows: 60, Partitions: []partition.Partition{{ID: 0, First: 0, Rows: 60}}}
	for name, change := range map[string]func(c *Config, o *FitOptions){
		"as it is": nil,
		"other k":  func(_ *Config, o *FitOptions) { o.K = 4 },
		"other columns": func(_ *Config, o *FitOptions) {
			spec := *o.Input.Spec
			spec.Numeric = []string{"a", "c"}
			o.Input.Spec = &spec
		},
		"fewer rows":      func(c *Config, _ *FitOptions) { c.Manifest = fewer },
		"fewer runs":      func(_ *Config, o *FitOptions) { o.Runs, o.Resume = 1, first("before labels") },
		"no transform":    func(_ *Config, o *FitOptions) { o.Resume.Transform = nil },
		"no totals":       func(_ *Config, o *FitOptions) { o.Resume.Totals = nil },
		"totals of more":  func(_ *Config, o *FitOptions) { o.Resume.Totals = kmeans.NewTotals(3) },
		"hardly any rows": func(_ *Config, o *FitOptions) { o.Resume.Totals.Rows = 2 },
		"centroids of more": func(_ *Config, o *FitOptions) {
			o.Resume.States[0].Centroids = &kmeans.Centroids{K: 3, D: 3, Values: make([]float32, 9)}
		},
		"centroids torn": func(_ *Config, o *FitOptions) {
			o.Resume.States[0].Centroids.Values = o.Resume.States[0].Centroids.Values[1:]
		},
		"sums that lost one":  func(_ *Config, o *FitOptions) { o.Resume.States[0].Sums.Counts[0]-- },
		"sums of more":        func(_ *Config, o *FitOptions) { o.Resume.States[0].Sums = kmeans.NewSums(3, 3, false) },
		"negative iterations": func(_ *Config, o *FitOptions) { o.Resume.States[0].Done = -1 },
		"a run without best":  func(_ *Config, o *FitOptions) { o.Resume.Run, o.Resume.States = 1, nil },
		"a run twice":         func(_ *Config, o *FitOptions) { o.Resume.States[1].Run = 0 },
		"a run beyond":        func(_ *Config, o *FitOptions) { o.Resume.States[1].Run = populationRuns },
		"a run over below the lowest": func(_ *Config, o *FitOptions) {
			o.Resume = first("a later one over")
			o.Resume.Over[0] = o.Resume.Run
		},
		"a run over beyond": func(_ *Config, o *FitOptions) {
			o.Resume = first("a later one over")
			o.Resume.Over[0] = populationRuns
		},
		"a run over and under way": func(_ *Config, o *FitOptions) {
			o.Resume = first("a later one over")
			o.Resume.States[0].Run = o.Resume.Over[0]
		},
		"a best of none that is over": func(_ *Config, o *FitOptions) {
			o.Resume = first("a later one over")
			o.Resume.BestRun = o.Resume.Run
		},
		"an end without best": func(_ *Config, o *FitOptions) {
			o.Resume = first("before labels")
			o.Resume.Best = nil
		},
		"a best before any": func(_ *Config, o *FitOptions) { o.Resume.Best = first("before labels").Best },
		"a best that is odd": func(_ *Config, o *FitOptions) {
			o.Resume = first("before labels")
			o.Resume.Best.Inertia = math.NaN()
		},
		"a best of fewer": func(_ *Config, o *FitOptions) {
			o.Resume = first("before labels")
			o.Resume.Best.Counts = o.Resume.Best.Counts[1:]
		},
	} {
		c, o := Config{Manifest: w.manifest, Workers: 1, Epoch: 2, Window: 3}, populationFit()
		o.Resume = first("iterating")
		want := ErrState
		if change == nil {
			want = nil
		} else {
			change(&c, &o)
		}
		if _, _, err := NewFit(c, o); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", name, err, want)
		}
	}
}

func TestDamagedStatesAreErrorsAndNeverPanic(t *testing.T) {
	w, list, _ := stages(t, 2)
	for _, c := range []kept{list[0], list[len(list)/2], list[len(list)-1]} {
		for n := range c.data {
			tryState(t, w, c.data[:n])
			for _, by := range []byte{0x01, 0x80 | byte(n)} {
				other := bytes.Clone(c.data)
				other[n] ^= by
				tryState(t, w, other)
			}
		}
	}
}

// tryState resumes a job from hostile bytes as far as they go.
func tryState(t *testing.T, w *town, data []byte) {
	t.Helper()
	var state *FitState
	var err error
	if took, most := hostile.Allocated(func() { state, err = DecodeState(data) }), uint64(1<<20+256*len(data)); took > most {
		t.Fatalf("%d bytes took %d of memory, want at most %d", len(data), took, most)
	}
	if err != nil {
		if !errors.Is(err, ErrState) {
			t.Fatalf("got %v, want %v", err, ErrState)
		}
		return
	}
	o := populationFit()
	o.Resume = state
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 1, Epoch: 2, Window: 1}, o)
	if err != nil {
		if !errors.Is(err, ErrState) {
			t.Fatalf("got %v, want %v", err, ErrState)
		}
		return
	}
	for _, a := range j.Step(WorkerJoined{Worker: partition.Worker{Name: "a"}}) {
		if s, is := a.(Send); is {
			if _, err := wire.EncodeTask(s.Task, nil); err != nil {
				t.Fatalf("a task that does not travel: %v", err)
			}
		}
	}
	if _, err := EncodeState(f.State()); err != nil {
		t.Fatal(err)
	}
	if f.have {
		if _, err := fitMessage(&f.Result); err != nil {
			t.Fatal(err)
		}
	}
}

func FuzzDecodeState(f *testing.F) {
	w, list, _ := stages(f, 2)
	for _, c := range list {
		f.Add(c.data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) < 1<<16 {
			tryState(t, w, data)
		}
	})
}

// specOf is the specification of a fit of a town.
func specOf(t testing.TB, w *town, o FitOptions) *pb.JobSpec {
	t.Helper()
	input, err := wire.EncodeInput(o.Input)
	w.must(err)
	spec := &pb.JobSpec{Protocol: wire.Protocol, Name: "fit", Data: &pb.DataSpec{Files: []string{"town.csv"}}, Input: input, Fit: FitSpec(&o, nil),
		MinWorkers: 1, WorkerWaitMillis: 60_000, Window: 3}
	if o.Labels {
		spec.Labels = &pb.LabelOutput{Submitter: true}
	}
	SetManifest(spec, w.manifest)
	return spec
}

func FuzzSpec(f *testing.F) {
	w, list, _ := stages(f, 2)
	fit := specOf(f, w, populationFit())
	withStart := proto.Clone(fit).(*pb.JobSpec)
	withStart.Fit.Start = givenStart().Message()
	keeping := proto.Clone(fit).(*pb.JobSpec)
	keeping.Fit.Start, keeping.Fit.KeepTransforms = &pb.Start{K: 3, Model: []byte("{}")}, true
	if data, err := proto.Marshal(keeping); err == nil {
		f.Add(data)
	}
	state, err := DecodeState(list[0].data)
	w.must(err)
	label := proto.Clone(fit).(*pb.JobSpec)
	label.Fit = nil
	label.Label, err = LabelSpec(&LabelOptions{Transform: state.Transform, Centroids: &kmeans.Centroids{K: 1, D: 2, Values: []float32{1, 2}}})
	w.must(err)
	for _, spec := range []*pb.JobSpec{fit, withStart, label} {
		w.must(checkSpec(spec))
		data, err := proto.Marshal(spec)
		w.must(err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		spec := &pb.JobSpec{}
		took := hostile.Allocated(func() {
			if proto.Unmarshal(data, spec) == nil {
				_ = checkSpec(spec)
				firstName(spec)
			}
		})
		if most := uint64(4<<20 + 512*len(data)); took > most {
			t.Fatalf("%d bytes took %d of memory, want at most %d", len(data), took, most)
		}
	})
}

func givenStart() *Start {
	return &Start{Name: "start.csv", K: 3, Numeric: [][]float64{{1, 2, 3}, {4, 5, 6}}}
}

func FuzzStart(f *testing.F) {
	w, list, _ := stages(f, 2)
	state, err := DecodeState(list[0].data)
	w.must(err)
	for _, s := range []*Start{givenStart(), {Model: []byte("{}")}, {K: 1, Numeric: [][]float64{{math.NaN()}, {math.Inf(1)}}}} {
		data, err := proto.Marshal(s.Message())
		w.must(err)
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		m := &pb.Start{}
		if len(data) > 1<<16 || proto.Unmarshal(data, m) != nil {
			return
		}
		took := hostile.Allocated(func() {
			s, err := startFrom(m, testInput().Spec)
			if err != nil {
				return
			}
			if c, err := s.Centroids(state.Transform); err == nil && c.D != state.Transform.Width() {
				t.Errorf("%d columns, want %d", c.D, state.Transform.Width())
			}
		})
		if most := uint64(4<<20 + 512*len(data)); took > most {
			t.Fatalf("%d bytes took %d of memory, want at most %d", len(data), took, most)
		}
	})
}

func TestASpecThatNoJobCanBeMadeOfIsRefused(t *testing.T) {
	w := newTown(t, 3)
	for name, change := range map[string]func(*pb.JobSpec){
		"another protocol":         func(s *pb.JobSpec) { s.Protocol++ },
		"no data":                  func(s *pb.JobSpec) { s.Data = nil },
		"no input":                 func(s *pb.JobSpec) { s.Input = nil },
		"nothing to do":            func(s *pb.JobSpec) { s.Fit = nil },
		"two things to do":         func(s *pb.JobSpec) { s.Label = &pb.LabelSpec{} },
		"no partitions":            func(s *pb.JobSpec) { s.PartitionRows = nil },
		"an empty partition":       func(s *pb.JobSpec) { s.PartitionRows[1] = 0 },
		"a negative partition":     func(s *pb.JobSpec) { s.PartitionRows[1] = -5 },
		"rows that do not add up":  func(s *pb.JobSpec) { s.Rows++ },
		"no clusters":              func(s *pb.JobSpec) { s.Fit.K = 0 },
		"too many clusters":        func(s *pb.JobSpec) { s.Fit.K = math.MaxUint32 },
		"no runs":                  func(s *pb.JobSpec) { s.Fit.Runs = 0 },
		"a tolerance of nothing":   func(s *pb.JobSpec) { s.Fit.Tolerance = math.NaN() },
		"labels that go nowhere":   func(s *pb.JobSpec) { s.Labels = nil },
		"a start of other columns": func(s *pb.JobSpec) { s.Fit.Start = &pb.Start{K: 3, Numeric: make([]byte, 24)} },
		"transforms of no model":   func(s *pb.JobSpec) { s.Fit.KeepTransforms = true },
		"transforms of rows":       func(s *pb.JobSpec) { s.Fit.Start, s.Fit.KeepTransforms = givenStart().Message(), true },
		"transforms of no file": func(s *pb.JobSpec) {
			s.Fit.Start, s.Fit.KeepTransforms = &pb.Start{K: 3, Model: []byte("{}")}, true
		},
		"an input of other words": func(s *pb.JobSpec) { s.Input.BadRows = "shrug" },
	} {
		spec := specOf(t, w, populationFit())
		w.must(checkSpec(spec))
		change(spec)
		if err := checkSpec(spec); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	empty := specOf(t, w, populationFit())
	data, err := json.Marshal(testInput().Spec)
	w.must(err)
	empty.Input.Spec = bytes.Replace(data, []byte(`"a"`), []byte(`""`), 1)
	if checkSpec(empty) == nil {
		t.Error("a column without a name is taken")
	}
}
