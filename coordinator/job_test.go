package coordinator

import (
	"context"
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// town is a world for a Job without workers: rows in memory, tasks done when the test says so, answers lost, repeated
// and reordered at will.
type town struct {
	t        testing.TB
	rows     [][]float64
	manifest *partition.Manifest
	points   map[int]*kmeans.Points
	pending  []Send
	ended    error
	done     bool
	refused  int
	// spoil changes a Partial before it is answered.
	spoil func(*wire.Task, *wire.Partial)
}

func newTown(t testing.TB, partitions int) *town {
	w := &town{t: t, points: make(map[int]*kmeans.Points), manifest: &partition.Manifest{}}
	r := rand.New(rand.NewPCG(1, 2))
	for id := range partitions {
		n := int64(50 + 10*id)
		w.manifest.Partitions = append(w.manifest.Partitions, partition.Partition{ID: id, First: w.manifest.Rows, Rows: n})
		w.manifest.Rows += n
	}
	for i := range w.manifest.Rows {
		w.rows = append(w.rows, []float64{10*float64(i%4) + r.NormFloat64(), 5*float64(i%3) + r.NormFloat64()})
	}
	return w
}

func testInput() *wire.Input {
	return &wire.Input{Spec: &feature.Spec{Numeric: []string{"a", "b"}, Scale: "standard", Missing: "fail"}, BadRows: wire.BadRowsFail,
		Duplicates: wire.DuplicatesFail}
}

func (w *town) batch(id int) *feature.Batch {
	p := w.manifest.Partitions[id]
	b := &feature.Batch{Rows: int(p.Rows), Numeric: make([][]float64, 2)}
	for _, row := range w.rows[p.First : p.First+p.Rows] {
		b.Numeric[0] = append(b.Numeric[0], row[0])
		b.Numeric[1] = append(b.Numeric[1], row[1])
	}
	return b
}

// compute does a task from nothing but the task and the rows: a worker that has just come.
func (w *town) compute(task *wire.Task) *wire.Partial {
	whole := &wire.Partial{}
	for _, id := range task.Partitions {
		whole.Merge(w.computeOne(task, id))
	}
	if w.spoil != nil {
		w.spoil(task, whole)
	}
	return whole
}

func (w *town) computeOne(task *wire.Task, id int) *wire.Partial {
	p := &wire.Partial{}
	switch task.Kind {
	case wire.Together:
		for _, s := range task.Strands {
			p.Strands = append(p.Strands, w.computeOne(s, id))
		}
	case wire.Statistics:
		p.Statistics = feature.NewStatistics(task.Input.Spec)
		w.must(p.Statistics.Add(w.batch(id)))
		p.Intake.Kept = w.manifest.Partitions[id].Rows
	case wire.Load:
		p.Totals, p.Distinct = kmeans.NewTotals(2), kmeans.NewDistinct(task.K)
		w.points[id] = w.load(task, id)
		p.Totals.Add(w.points[id])
		p.Distinct.Add(w.points[id])
	case wire.Seed:
		state := kmeans.NewSeedState(w.points[id])
		round := kmeans.NewSeedRound(task.Seed, []int{0})
		p.Seed = kmeans.NewSeedPartial(task.Seed)
		round.Do(w.points[id], state, 0, w.points[id].Rows(), p.Seed, new(kmeans.Scratch))
	case wire.Iterate, wire.Score:
		points := w.points[id]
		acc := kmeans.NewAccumulator(task.Centroids.K, 2, false)
		p.Sums, p.Inertia = kmeans.NewSums(task.Centroids.K, 2, false), new(exact.Bins)
		labels := make([]uint16, points.Rows())
		kmeans.NewAssigner(task.Centroids).Score(points, 0, points.Rows(), labels, true, acc, p.Inertia, new(kmeans.Scratch))
		if task.Spread {
			p.Spread = spreadOf(points, task.Centroids, labels)
		}
		p.Moved = acc.Drain(p.Sums)
	default:
		w.t.Fatalf("unexpected task %s", task.Kind)
	}
	return p
}

func (w *town) load(task *wire.Task, id int) *kmeans.Points {
	b := w.batch(id)
	out := [][]float32{make([]float32, b.Rows), make([]float32, b.Rows)}
	_, err := task.Transform.Apply(b, out, nil)
	w.must(err)
	grids := task.Transform.Grids()
	part := w.manifest.Partitions[id]
	points, err := kmeans.NewPoints(b.Rows, 2, part.First, []int{grids[0].Exponent, grids[1].Exponent})
	w.must(err)
	w.must(points.Append(out, b.Rows, part.First, nil, nil))
	return points
}

func (w *town) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

// take carries out what a Job asks for.
func (w *town) take(actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case Send:
			w.pending = append(w.pending, a)
		case Failed:
			w.ended, w.done = a.Err, true
		case Finished:
			w.done = true
		case Refused:
			w.refused++
		}
	}
}

func (w *town) answer(s Send) *wire.Answer {
	return &wire.Answer{Epoch: s.Task.Epoch, Round: s.Task.Round, Worker: s.Worker, Covered: s.Task.Partitions, Partial: w.compute(s.Task)}
}

func (w *town) fit(workers int) (*Job, *Fit) {
	j, f, err := NewFit(Config{Manifest: w.manifest, Workers: workers, Epoch: 1, Window: 2},
		FitOptions{Input: testInput(), K: 3, Init: kmeans.InitParallel, Runs: 2, MaxIterations: 50, Seed: 9})
	w.must(err)
	for i := range workers {
		w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: string(rune('a' + i)), Weight: 1}}))
	}
	return j, f
}

// calm runs a job without any trouble.
func calm(t *testing.T, partitions, workers int) *Fit {
	w := newTown(t, partitions)
	j, f := w.fit(workers)
	for !w.done {
		s := w.pending[0]
		w.pending = w.pending[1:]
		w.take(j.Step(Answered{Answer: w.answer(s)}))
	}
	w.must(w.ended)
	return f
}

func TestJobGivesTheSameBitsWhateverIsLostRepeatedOrLate(t *testing.T) {
	want := calm(t, 7, 1).Result
	for seed := range uint64(60) {
		w := newTown(t, 7)
		r := rand.New(rand.NewPCG(seed, 3))
		workers := 2 + r.IntN(3)
		j, f := w.fit(workers)
		alive := workers
		var sent []*wire.Answer
		for steps := 0; !w.done; steps++ {
			if steps > 20000 {
				t.Fatalf("seed %d: no end after %d steps, %d tasks pending", seed, steps, len(w.pending))
			}
			switch chance := r.IntN(20); {
			case chance == 0 && len(sent) > 0: // an old answer again
				old := *sent[r.IntN(len(sent))]
				w.take(j.Step(Answered{Answer: &old}))
			case chance == 1 && alive > 1: // a worker is lost, with what it was asked for
				alive--
				lost := string(rune('a' + alive))
				w.pending = without(w.pending, lost)
				w.take(j.Step(WorkerLost{Name: lost}))
			case len(w.pending) > 0:
				i := r.IntN(len(w.pending))
				s := w.pending[i]
				w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
				a := w.answer(s)
				repeated := *a
				repeated.Partial = w.compute(s.Task)
				sent = append(sent, &repeated)
				w.take(j.Step(Answered{Answer: a}))
			}
		}
		if w.ended != nil {
			t.Fatalf("seed %d: %v", seed, w.ended)
		}
		got := f.Result
		if !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia || got.Iterations != want.Iterations {
			t.Errorf("seed %d: got inertia %v after %d iterations, want %v after %d", seed, got.Inertia, got.Iterations, want.Inertia, want.Iterations)
		}
	}
}

func without(list []Send, worker string) []Send {
	var kept []Send
	for _, s := range list {
		if s.Worker != worker {
			kept = append(kept, s)
		}
	}
	return kept
}

func TestJobStopsWhenRowsAreLostOrCountedTwice(t *testing.T) {
	for name, spoil := range map[string]func(*kmeans.Sums){
		"a row lost":          func(s *kmeans.Sums) { s.Counts[0]-- },
		"a row counted twice": func(s *kmeans.Sums) { s.Counts[1]++ },
		"a sum off by one":    func(s *kmeans.Sums) { s.Values[3] = s.Values[3].Add(exact.FromInt64(1)) },
	} {
		w := newTown(t, 4)
		w.spoil = func(task *wire.Task, p *wire.Partial) {
			if task.Kind == wire.Together && task.Strands[1].Kind == wire.Iterate {
				spoil(p.Strands[1].Sums)
			}
		}
		j, _ := w.fit(2)
		for !w.done {
			s := w.pending[0]
			w.pending = w.pending[1:]
			w.take(j.Step(Answered{Answer: w.answer(s)}))
		}
		if !errors.Is(w.ended, kmeans.ErrConservation) {
			t.Errorf("%s: got %v, want %v", name, w.ended, kmeans.ErrConservation)
		}
	}
}

func TestJobEndsWhenNobodyIsLeft(t *testing.T) {
	w := newTown(t, 4)
	j, _ := w.fit(2)
	w.take(j.Step(WorkerLost{Name: "a"}))
	w.take(j.Step(WorkerLost{Name: "b"}))
	if !errors.Is(w.ended, partition.ErrNoWorkers) {
		t.Errorf("got %v, want %v", w.ended, partition.ErrNoWorkers)
	}
	if actions := j.Step(Cancelled{errors.New("late")}); actions != nil {
		t.Errorf("after the end: got %v, want nothing", actions)
	}
}

func TestAnErrorOfALostWorkerDoesNotEndTheJob(t *testing.T) {
	w := newTown(t, 4)
	j, _ := w.fit(2)
	of := func(worker string) *wire.Answer {
		for _, s := range w.pending {
			if s.Worker == worker {
				return &wire.Answer{Epoch: 1, Round: s.Task.Round, Worker: worker, Covered: s.Task.Partitions, Err: errors.New("disk gone")}
			}
		}
		t.Fatalf("worker %s was asked for nothing", worker)
		return nil
	}
	w.take(j.Step(WorkerLost{Name: "b"}))
	w.take(j.Step(Answered{Answer: of("b")}))
	if w.done || w.refused != 1 {
		t.Fatalf("after the error of a lost worker: ended %v (%v), %d answers refused, want 1 and a job that goes on", w.done, w.ended, w.refused)
	}
	w.take(j.Step(Answered{Answer: of("a")}))
	if !w.done || w.ended == nil {
		t.Error("the error of a worker that is there did not end the job")
	}
}

// broken is a Transport whose every Send fails, the third one for the context's sake.
type broken struct {
	events chan Event
	cancel context.CancelFunc
	sends  int
}

func (b *broken) Events() <-chan Event { return b.events }
func (b *broken) Send(context.Context, string, *wire.Task) error {
	if b.sends++; b.sends == 3 {
		b.cancel()
	}
	return errors.New("line cut")
}

func TestRunEndsWhereTheLastWorkerAndTheContextAreLostTogether(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	w := newTown(t, 4)
	j, _, err := NewFit(Config{Manifest: w.manifest, Workers: 2, Epoch: 1, Window: 2},
		FitOptions{Input: testInput(), K: 3, Init: kmeans.InitParallel, Runs: 1, MaxIterations: 5})
	w.must(err)
	b := &broken{events: make(chan Event, 2), cancel: cancel}
	b.events <- WorkerJoined{Worker: partition.Worker{Name: "a"}}
	b.events <- WorkerJoined{Worker: partition.Worker{Name: "b"}}
	ended := make(chan error, 1)
	go func() { ended <- Run(ctx, j, b, func(Action) {}) }()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("no error")
		}
	case <-time.After(20 * time.Second):
		t.Fatal("Run goes on after the job has ended")
	}
}

func TestJobEndsWithTheReasonOfItsCancelling(t *testing.T) {
	w := newTown(t, 4)
	j, _ := w.fit(1)
	reason := errors.New("enough")
	w.take(j.Step(Cancelled{reason}))
	if !errors.Is(w.ended, reason) || !j.Ended() {
		t.Errorf("got %v, ended %v", w.ended, j.Ended())
	}
}
