package coordinator

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/hostile"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func sweepOptions() FitOptions {
	o := populationFit()
	o.K, o.Sweep, o.Labels, o.Runs = 5, []int{1, 2, 3, 5}, false, 2
	return o
}

// figures are all that a sweep found.
func figures(t *testing.T, f *Fit, threads int) string {
	t.Helper()
	r, err := f.Sweep(t.Context(), threads)
	if err != nil {
		t.Fatal(err)
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(r.message())
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestEachKOfASweepIsItsFit also holds that it does not matter how many runs go through memory together.
func TestEachKOfASweepIsItsFit(t *testing.T) {
	var want string
	for _, abreast := range []int{0, 1, 3, 8} {
		o := sweepOptions()
		o.Abreast = abreast
		f := newTown(t, 3).runs(o)
		if len(f.sample) != int(f.totals.Rows) {
			t.Fatalf("a sample of %d rows of %d, want all", len(f.sample), f.totals.Rows)
		}
		got := figures(t, f, 1+abreast)
		if want == "" {
			want = got
		}
		if got != want {
			t.Errorf("%d abreast: other figures than with as many as memory holds", abreast)
		}
		for _, s := range f.sweep {
			o := sweepOptions()
			o.K, o.Sweep = s.k, nil
			fit := newTown(t, 3).runs(o).Result
			if !s.centroids.Equal(fit.Centroids) || s.inertia != fit.Inertia || s.iterations != fit.Iterations || s.converged != fit.Converged ||
				!slices.Equal(s.sums.Counts, fit.Counts) {
				t.Errorf("%d abreast, k = %d: got inertia %v after %d iterations, the fit has %v after %d", abreast, s.k, s.inertia, s.iterations, fit.Inertia, fit.Iterations)
			}
		}
	}
}

func TestASweepGivesTheSameBitsWhateverIsLostOrLate(t *testing.T) {
	want := figures(t, newTown(t, 5).runs(sweepOptions()), 1)
	for seed := range uint64(6) {
		w, r := newTown(t, 5), rand.New(rand.NewPCG(seed, 5))
		j, f, err := NewFit(Config{Manifest: w.manifest, Workers: 3, Epoch: 1, Window: 2}, sweepOptions())
		w.must(err)
		for i := range 3 {
			w.take(j.Step(WorkerJoined{Worker: partition.Worker{Name: string(rune('a' + i)), Weight: 1}}))
		}
		for alive := 3; !w.done; {
			if alive > 1 && r.IntN(60) == 0 {
				alive--
				lost := string(rune('a' + alive))
				w.pending = without(w.pending, lost)
				w.take(j.Step(WorkerLost{Name: lost}))
				continue
			}
			i := r.IntN(len(w.pending))
			s := w.pending[i]
			w.pending = append(w.pending[:i:i], w.pending[i+1:]...)
			w.take(j.Step(Answered{Answer: w.answer(s)}))
		}
		w.must(w.ended)
		if figures(t, f, 2) != want {
			t.Errorf("seed %d: other figures than without losses", seed)
		}
	}
}

// Runs end in any order; of equal ones the first counts all the same, for each k.
func TestOfEqualRunsOfAKTheEarliestCounts(t *testing.T) {
	o := sweepOptions()
	o.Runs, o.Abreast, o.Seed = 4, 3, 5
	w, later := newTown(t, 3), 0
	w.spoil = func(task *wire.Task, p *wire.Partial) {
		scored := func(task *wire.Task, p *wire.Partial) {
			if task.Kind == wire.Score {
				p.Inertia = new(exact.Bins)
				p.Inertia.AddSlice([]float32{5})
			}
		}
		scored(task, p)
		for i, s := range task.Strands {
			if scored(s, p.Strands[i]); s.Kind == wire.Score && task.Strands[0].Kind != wire.Score {
				later++
			}
		}
	}
	for i, s := range w.runs(o).sweep {
		if s.best != i*o.Runs {
			t.Errorf("k = %d: run %d counts, want %d", s.k, s.best, i*o.Runs)
		}
	}
	if later == 0 {
		t.Error("no later run ended first")
	}
}

func TestSweepsOutOfRangeAreRefused(t *testing.T) {
	many := make([]int, MaxSweep+1)
	for i := range many {
		many[i] = i + 1
	}
	for name, c := range map[string]struct {
		ok     bool
		change func(*FitOptions)
	}{
		"one":                     {true, func(o *FitOptions) { o.Sweep = []int{5} }},
		"as many as there may be": {true, func(o *FitOptions) { o.Sweep, o.K = many[:MaxSweep], MaxSweep }},
		"more":                    {false, func(o *FitOptions) { o.Sweep, o.K = many, MaxSweep+1 }},
		"the largest":             {true, func(o *FitOptions) { o.Sweep, o.K = []int{2, MaxSweepK}, MaxSweepK }},
		"above the largest":       {false, func(o *FitOptions) { o.Sweep, o.K = []int{2, MaxSweepK + 1}, MaxSweepK+1 }},
		"none":                    {false, func(o *FitOptions) { o.Sweep = []int{} }},
		"zero":                    {false, func(o *FitOptions) { o.Sweep = []int{0, 5} }},
		"twice the same":          {false, func(o *FitOptions) { o.Sweep = []int{5, 5} }},
		"descending":              {false, func(o *FitOptions) { o.Sweep = []int{3, 2, 5} }},
		"another largest":         {false, func(o *FitOptions) { o.K = 6 }},
		"labels":                  {false, func(o *FitOptions) { o.Labels = true }},
		"a state":                 {false, func(o *FitOptions) { o.Resume = &FitState{} }},
	} {
		o := sweepOptions()
		c.change(&o)
		if _, _, err := NewFit(Config{Manifest: newTown(t, 2).manifest, Workers: 1, Window: 1}, o); (err == nil) != c.ok {
			t.Errorf("%s: got %v, want taken = %v", name, err, c.ok)
		}
	}
}

func TestASampleIsBoundedInRowsAndInBytes(t *testing.T) {
	for _, c := range []struct {
		rows int64
		d    int
		want int64
	}{{1, 3, 1}, {ExactRows, 3, ExactRows}, {ExactRows + 1, 3, SampleRows}, {1 << 40, 3, SampleRows}, {ExactRows, sampleBytes / 4 / ExactRows, ExactRows},
		{ExactRows, sampleBytes/4/ExactRows + 1, SampleRows}, {1 << 40, sampleBytes / 4 / 100, 100}} {
		if got := sampleLimit(c.rows, c.d); got != c.want {
			t.Errorf("%d rows × %d: got a sample of %d, want %d", c.rows, c.d, got, c.want)
		}
	}
	var rows []kmeans.Drawn
	for i := range int64(100) {
		rows = append(rows, kmeans.Drawn{Row: i})
	}
	some, more := first(rows, 30, 7), first(rows, 60, 7)
	for i, r := range some {
		if !slices.ContainsFunc(more, func(o kmeans.Drawn) bool { return o.Row == r.Row }) || i > 0 && r.Row <= some[i-1].Row {
			t.Fatalf("row %d of a small sample is out of order, or not in a larger one", r.Row)
		}
	}
	if len(some) != 30 || len(more) != 60 || len(first(rows, 100, 7)) != 100 {
		t.Errorf("got %d, %d and %d rows, want 30, 60 and 100", len(some), len(more), len(first(rows, 100, 7)))
	}
}

func TestTheScoresOfASweepEndWithTheirContext(t *testing.T) {
	f := newTown(t, 2).runs(sweepOptions())
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := f.Sweep(ctx, 2); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
}

// TestACoordinatorThatStartsAgainBeginsASweepAnew, and comes to the same figures.
func TestACoordinatorThatStartsAgainBeginsASweepAnew(t *testing.T) {
	inVillage(t, nil, func(t *testing.T, v *village) {
		a, b := v.hand("a"), v.hand("b")
		reached, goOn := b.at(wire.Together)
		o := sweepOptions()
		spec := specOf(t, v.town, o)
		spec.MinWorkers = 2
		id, err := v.submit(spec, "", true)
		v.must(err)
		<-reached
		v.restart()
		goOn()
		a.stop()
		b.stop()
		a.join()
		b.join()
		if info := v.ends(id); info.State != jobDone {
			t.Fatalf("got %s (%s), want %s", info.State, info.Reason, jobDone)
		}
		data, err := v.server.config.Store.Result(id)
		v.must(err)
		got := &pb.JobResult{}
		v.must(proto.Unmarshal(data, got))
		want, err := newTown(t, len(v.manifest.Partitions)).runs(o).Sweep(t.Context(), 1)
		v.must(err)
		if !proto.Equal(got.Sweep, want.message().Sweep) {
			t.Errorf("got %v, want %v", got.Sweep, want.message().Sweep)
		}
	})
}

func resultOfSweep(t testing.TB) *pb.JobResult {
	c := &kmeans.Centroids{K: 1, D: 2, Values: []float32{1, 2}}
	r := &SweepResult{Rows: 9, Columns: 2, Sampled: 9, Candidates: []SweepCandidate{{Iterations: 3, Converged: true, Centroids: c}}}
	r.Candidates[0].K, r.Candidates[0].Inertia, r.Candidates[0].Smallest = 1, 2.5, 9
	return r.message()
}

func TestResultsOfSweepsThatMakeNoSenseAreRefused(t *testing.T) {
	good := resultOfSweep(t)
	got, err := SweepResultOf(good)
	if err != nil || !proto.Equal(got.message(), good) {
		t.Errorf("got %v, %v, want what was encoded", got, err)
	}
	for name, change := range map[string]func(*pb.JobResult){
		"none":               func(m *pb.JobResult) { m.Sweep = nil },
		"no candidates":      func(m *pb.JobResult) { m.Sweep.Candidates = nil },
		"too many":           func(m *pb.JobResult) { m.Sweep.Candidates = make([]*pb.SweepCandidate, MaxSweep+1) },
		"no centroids":       func(m *pb.JobResult) { m.Sweep.Candidates[0].Centroids = nil },
		"no number":          func(m *pb.JobResult) { m.Sweep.Candidates[0].DaviesBouldin = math.NaN() },
		"an infinite number": func(m *pb.JobResult) { m.Sweep.Candidates[0].Inertia = math.Inf(1) },
	} {
		m := proto.Clone(good).(*pb.JobResult)
		change(m)
		if _, err := SweepResultOf(m); !errors.Is(err, ErrSpec) {
			t.Errorf("%s: got %v, want %v", name, err, ErrSpec)
		}
	}
}

func FuzzSweepResult(f *testing.F) {
	data, err := proto.Marshal(resultOfSweep(f))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<16 {
			return
		}
		took := hostile.Allocated(func() {
			m := &pb.JobResult{}
			if proto.Unmarshal(data, m) == nil {
				_, _ = SweepResultOf(m)
			}
		})
		if most := uint64(4<<20 + 512*len(data)); took > most {
			t.Fatalf("%d bytes took %d of memory, want at most %d", len(data), took, most)
		}
	})
}

// spreadOf are the distances of Points to their centroids, by cluster, as a worker adds them.
func spreadOf(p *kmeans.Points, c *kmeans.Centroids, labels []uint16) []exact.Bins {
	spread, row := make([]exact.Bins, c.K), make([]float32, p.Columns())
	for i, j := range labels {
		square := 0.0
		for t, v := range p.At(i, row) {
			diff := float64(v) - float64(c.Row(int(j))[t])
			square += float64(diff * diff)
		}
		spread[j].Add(float32(math.Sqrt(square)))
	}
	return spread
}
