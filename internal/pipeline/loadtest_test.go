package pipeline

import (
	"context"
	"errors"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/spill"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// loadOf is a small load test.
func loadOf(workers int) *LoadRequest {
	return &LoadRequest{Rows: 40_000, D: 6, K: 5, Iterations: 4, Seed: 3,
		Engine: Engine{Workers: workers, Threads: 2, Reporter: progress.New(progress.None, nil), Silent: true}}
}

// sound holds what is true of every report of fits that ended.
func sound(t *testing.T, r *LoadRequest, o *LoadOutcome) {
	t.Helper()
	rows, seconds := int64(0), 0.0
	for _, w := range o.Workers {
		rows, seconds = rows+w.Rows, seconds+w.Seconds
	}
	if len(o.Workers) == 0 || len(o.Workers) > o.WorkerCount || rows < r.Rows-int64(len(o.Workers)) || rows > r.Rows+int64(len(o.Workers)) || seconds <= 0 {
		t.Errorf("got %+v by worker, want times, and %d rows in each pass", o.Workers, r.Rows)
	}
	if o.Pass.Count != int64(o.Fits*r.Iterations) || o.Fits < 1 || !(o.Pass.Fastest <= o.Pass.Median && o.Pass.Median <= o.Pass.Slowest && o.Pass.Fastest > 0) {
		t.Errorf("got %+v of %d fits, want %d passes each", o.Pass, o.Fits, r.Iterations)
	}
	if s := o.Speed; math.Abs(s.Rows*o.Pass.Median/float64(r.Rows)-1) > 1e-9 || s.Distances != s.Rows*float64(r.K) || s.GFLOPS <= 0 || s.Made <= 0 {
		t.Errorf("got %+v for passes of %v s", s, o.Pass.Median)
	}
	in, out := capacity.PassBytes(o.WorkerCount, r.K, r.D)
	if n := o.Network; n.FormulaReceived != in || n.FormulaSent != out || n.Received <= 0 || n.Sent <= 0 || n.Received > 2*in+1000*int64(o.WorkerCount) {
		t.Errorf("got %+v, want %d and %d by the formula, and measured bytes of that order", n, in, out)
	}
	if s := o.Seconds; math.Abs(s.Read+s.Seed+s.Iterate+s.Write-s.Total) > 1e-9 || s.Iterate <= 0 {
		t.Errorf("got %+v, whose parts are not the whole", s)
	}
	if o.Slowest == nil || o.Slowest.Ratio < 1 || o.Memory.Formula < r.Rows*int64(4*r.D)/int64(o.WorkerCount) {
		t.Errorf("got the slowest %+v and memory %+v", o.Slowest, o.Memory)
	}
}

func TestALoadTestTellsItsFiguresAndFitsWhatAFitFits(t *testing.T) {
	r := loadOf(2)
	r.WhatIf = &WhatIf{Workers: 400, Network: 25e9 / 8, Rows: 1e10}
	before := runtime.GOMAXPROCS(0)
	o, err := LoadTest(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, r, o)
	if o.Where != WhereEmbedded || o.Fits != 1 || o.Interrupted || o.Scaling == nil || o.Scaling.From != FromSlice || o.Scaling.OneRows != 20_000 || o.Scaling.Efficiency <= 0 {
		t.Errorf("got %+v, and the scaling %+v; want one fit, held against a worker alone on half the rows", o, o.Scaling)
	}
	if m := o.CheckedBy; m == nil || m.Predicted <= 0 || m.Measured != o.Pass.Median {
		t.Errorf("got the model %+v, want it held against the passes", m)
	}
	w := o.WhatIf
	if w == nil || w.Rows != 1e10 || w.K != r.K || w.Columns != r.D || w.Iterations != r.Iterations || w.Cores != 400 || w.Pass <= 0 || w.Crossover <= 0 || w.Bottleneck == "" {
		t.Errorf("got %+v, want a prediction for 400 workers of one thread each", w)
	}
	fit, err := Fit(t.Context(), &FitRequest{Data: Data{Files: []string{"synth://load?rows=40000&d=6&seed=3"}}, K: 5, Init: "k-means-parallel", Runs: 1, MaxIter: 4,
		Seed: 3, Algorithm: "auto", Engine: loadOf(1).Engine})
	if err != nil {
		t.Fatal(err)
	}
	if fit.Digest != o.Digest {
		t.Errorf("got the digest %s, and a plain fit of the same rows has %s", o.Digest, fit.Digest)
	}
	runtime.GOMAXPROCS(before)
}

func TestALoadTestOfAClusterTellsWhatCrossedTheNetwork(t *testing.T) {
	c := newCamp(t)
	c.worker("w1", 1)
	c.worker("w2", 1)
	r := loadOf(0)
	r.Engine.Cluster = &Cluster{Address: c.address, MinWorkers: 1, WorkerWait: time.Minute}
	waitForWorkers(t, r.Engine.Cluster, 2)
	o, err := LoadTest(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	sound(t, r, o)
	if o.Where != WhereCluster || o.WorkerCount != 2 || !o.Network.Crossed || o.Scaling != nil || o.Busy <= 0 || o.Busy > 1 || o.Speed.Roofline != nil {
		t.Errorf("got %+v with scaling %+v, want two workers' share of busy time, which is no efficiency", o, o.Scaling)
	}
	here, err := LoadTest(t.Context(), loadOf(1))
	if err != nil {
		t.Fatal(err)
	}
	if here.Digest != o.Digest {
		t.Errorf("got the digest %s on a cluster and %s here", o.Digest, here.Digest)
	}
}

// waitForWorkers waits until so many are there.
func waitForWorkers(t *testing.T, c *Cluster, n int) {
	t.Helper()
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		crew, err := clusterCrew(t.Context(), c)
		if err == nil && crew.workers == n {
			return
		}
		if time.Since(began) > time.Minute {
			t.Fatalf("got %+v, %v, want %d workers", crew, err, n)
		}
	}
}

// stopper cancels in the middle of the iterations.
type stopper struct {
	progress.Reporter
	after  int
	cancel context.CancelFunc
}

func (s *stopper) Iteration(int, int, float64, int64, int64) {
	if s.after--; s.after == 0 {
		s.cancel()
	}
}

func TestAnInterruptedLoadTestTellsWhatItHas(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r := loadOf(2)
	r.Duration, r.WhatIf = time.Hour, &WhatIf{Workers: 8}
	r.Engine.Reporter = &stopper{r.Engine.Reporter, r.Iterations + 2, cancel} // within the second fit
	o, err := LoadTest(ctx, r)
	if !errors.Is(err, context.Canceled) || o == nil {
		t.Fatalf("got %+v, %v, want a report and that it was cancelled", o, err)
	}
	if !o.Interrupted || o.Fits != 1 || o.Digest == "" || o.Pass.Count < int64(r.Iterations)+2 || o.Scaling != nil || o.WhatIf == nil || o.Speed.Rows <= 0 {
		t.Errorf("got %+v, want one fit, the passes of the second, and a prediction", o)
	}
}

func TestATimeThatRunsOutEndsTheTestInOrder(t *testing.T) {
	r := loadOf(1)
	r.Duration = time.Nanosecond
	_, err := LoadTest(t.Context(), r)
	if fault.Code(err) != int(fault.Usage) || !strings.Contains(err.Error(), "--duration: 1ns leaves no time for one iteration") {
		t.Errorf("got %v, want it to name --duration and its value", err)
	}
}

func TestALoadTestRefusesWhatCannotEndWell(t *testing.T) {
	for want, change := range map[string]func(*LoadRequest){
		"--rows: 4 is below k = 5":                  func(r *LoadRequest) { r.Rows = 4 },
		"--rows: more rows than can be divided":     func(r *LoadRequest) { r.Rows = 1 << 49 },
		"--what-if: more rows than can be divided":  func(r *LoadRequest) { r.WhatIf = &WhatIf{Workers: 2, Rows: 1 << 49} },
		"--what-if: 40000 rows are below k = 50000": func(r *LoadRequest) { r.WhatIf = &WhatIf{Workers: 2, K: 50_000} },
	} {
		r := loadOf(1)
		change(r)
		o, err := LoadTest(t.Context(), r)
		if o != nil || err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, %v, want the error %q", o, err, want)
		}
	}
	if spill.Whole() > 0 { // or nobody knows
		r := loadOf(1)
		r.Rows, r.D, r.Engine.Memory = 1<<33, 1000, 1<<30
		if _, err := LoadTest(t.Context(), r); fault.Code(err) != int(fault.Usage) || !strings.Contains(err.Error(), "GiB, and there are 1 GiB of memory here and ") {
			t.Errorf("got %v for 32 TiB of rows, want the memory and the disk named", err)
		}
	}
	c := newCamp(t)
	r := loadOf(0)
	r.Engine.Cluster = &Cluster{Address: c.address}
	if _, err := LoadTest(t.Context(), r); fault.Code(err) != int(fault.Unavailable) || !strings.Contains(err.Error(), "has no workers") {
		t.Errorf("got %v of a cluster without workers", err)
	}
}

func TestAGaugeKeepsTheNewestPasses(t *testing.T) {
	g := newGauge(progress.New(progress.None, nil))
	g.Phase("iterate", 1)
	now := g.last
	for i := range mostPasses + 10 {
		took := time.Second
		if i < 10 {
			took = time.Hour
		}
		now = now.Add(took)
		g.passed(now)
		if i == 9 && g.pass().Median != 3600 {
			t.Errorf("got %+v of passes of an hour", g.pass())
		}
	}
	if p := g.pass(); p.Count != mostPasses+10 || p.Slowest != 1 || p.Median != 1 || len(g.times) != mostPasses {
		t.Errorf("got %+v of %d kept, want the count of all and the times of the newest %d", p, len(g.times), mostPasses)
	}
	if n, another := g.count(); n != mostPasses+10 {
		t.Errorf("got %d passes", n)
	} else {
		g.passed(now)
		<-another
	}
}

func TestMomentsOfFaultsFollowTheSeed(t *testing.T) {
	plan := func(seed uint64, faults int, passes int64) []moment {
		i := &imp{random: chaosDraws(seed)}
		i.draw(faults, passes)
		return i.plan
	}
	a, b, other := plan(1, 9, 40), plan(1, 9, 40), plan(2, 9, 40)
	same := true
	for i := range a {
		if a[i] != b[i] || a[i].pass < 0 || a[i].pass >= 39 || i > 0 && a[i].pass < a[i-1].pass {
			t.Errorf("got %v and %v, want the same moments, in order, before the last pass", a, b)
		}
		same = same && a[i] == other[i]
	}
	if same {
		t.Error("another seed gives the same moments")
	}
	if one := plan(1, 2, 1); one[0].pass != 0 || one[1].pass != 0 {
		t.Errorf("got %v for a fit of one pass", one)
	}
}

// books are a coordinator that knows what its workers have done, of which w2 goes on at the third look.
type books struct {
	pb.JobsClient
	looks uint64
}

func (b *books) List(context.Context, *pb.ListRequest, ...grpc.CallOption) (*pb.ListReply, error) {
	b.looks++
	return &pb.ListReply{Jobs: []*pb.JobInfo{{Id: "over"}, {Id: "now"}}}, nil
}

func (b *books) Show(_ context.Context, r *pb.ShowRequest, _ ...grpc.CallOption) (*pb.ShowReply, error) {
	if r.Job == "over" {
		return &pb.ShowReply{Work: []*pb.WorkerWork{{Worker: "w1", Rows: 10}, {Worker: "w3", Rows: 10}}}, nil
	}
	return &pb.ShowReply{Work: []*pb.WorkerWork{{Worker: "w2", Rows: b.looks / 3}}}, nil
}

func TestFaultsFallOnWorkersThatWork(t *testing.T) {
	b := &books{}
	got := working(t.Context(), b, []string{"w1", "w2", "w3"}, worked(t.Context(), b))
	if !slices.Equal(got, []int{1}) || b.looks != 3 {
		t.Errorf("got workers %v after %d looks, want the one that has done something since, as soon as it has", got, b.looks)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if got := working(ctx, b, []string{"w1"}, worked(t.Context(), b)); len(got) > 0 {
		t.Errorf("got %v of workers that do nothing", got)
	}
}

func TestOtherBitsUnderChaosAreAFailure(t *testing.T) {
	if err := (&ChaosOutcome{Undisturbed: "a", Disturbed: "a", Same: true}).verdict(); err != nil {
		t.Errorf("got %v for the same digests", err)
	}
	if err := (&ChaosOutcome{Undisturbed: "a", Disturbed: "b"}).verdict(); fault.Code(err) != int(fault.Failed) || !strings.Contains(err.Error(), "digest b") {
		t.Errorf("got %v for other digests, want a failure that names both", err)
	}
}
