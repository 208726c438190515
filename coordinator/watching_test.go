package coordinator

import (
	"math"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/live"
)

func TestACurveIsThinnedAndKeepsItsEnds(t *testing.T) {
	for _, n := range []int{1, live.MaxPoints, live.MaxPoints + 1, 5000} {
		r := &trail{stride: 1}
		for i := 1; i <= n; i++ {
			r.add(live.Point{Iteration: i, Inertia: float64(n - i)}, 1)
			if got := len(r.Points); got > live.MaxPoints || r.Points[0].Iteration != 1 || r.Points[got-1].Iteration != i {
				t.Fatalf("%d of %d: got %d points, %d to %d, want at most %d, 1 to %d", i, n, got, r.Points[0].Iteration, r.Points[got-1].Iteration, live.MaxPoints, i)
			}
		}
		if n > live.MaxPoints && len(r.Points) < live.MaxPoints/2 {
			t.Errorf("of %d iterations %d points are left, want at least %d", n, len(r.Points), live.MaxPoints/2)
		}
		if n <= live.MaxPoints && len(r.Points) != n {
			t.Errorf("of %d iterations %d points are left, want all", n, len(r.Points))
		}
	}
}

func TestIterationsThatAreMadeAgainReplaceThoseBefore(t *testing.T) {
	r := &trail{stride: 1}
	for _, i := range []int{1, 2, 3, 4, 5, 3, 4} {
		r.add(live.Point{Iteration: i}, 1)
	}
	if got := len(r.Points); got != 4 || r.Points[3].Iteration != 4 {
		t.Errorf("got %v, want 1 to 4", r.Points)
	}
}

// A run whose movers halve with each pass and are 64 now takes six more passes to come to one.
func TestTheEndOfARunIsForeseenFromItsWay(t *testing.T) {
	halving := []float64{1024, 512, 256, 128, 64}
	for _, c := range []struct {
		name        string
		apart       []float64
		limit       int
		about, most float64
	}{
		{"halving", halving, 300, 6, 295},
		{"the limit comes first", halving, 8, 3, 3},
		{"too early to say", halving[:4], 300, 296, 296},
		{"it does not get on", []float64{64, 64, 64, 64, 64}, 300, 295, 295},
		{"it goes astray", []float64{1, 2, 4, 8, 16}, 300, 295, 295},
		{"not known", []float64{0, 0, 0, 0, 0}, 300, 295, 295},
		{"there, but for the last pass", []float64{16, 8, 4, 2, 1}, 300, 1, 295},
		{"two of which it is not known", []float64{1024, 512, 0, 0, 64, 32, 16}, 300, 4, 293},
		{"beyond the limit", halving, 2, 0, 0},
	} {
		r := &trail{stride: 1}
		for i, a := range c.apart {
			r.add(live.Point{Iteration: i + 1}, a)
		}
		if about, most := r.left(c.limit); about != c.about || most != c.most {
			t.Errorf("%s: got about %v and at most %v passes, want %v and %v", c.name, about, most, c.about, c.most)
		}
	}
}

// iterates tells a watch of passes of which each takes a second, over a hundred rows for each of the runs.
func iterates(w *watch, from time.Time, passes, runs int, last bool) time.Time {
	now := from
	w.turn(PhaseBegun{Phase: PhaseIterate, Rows: 100}, from)
	for i := range passes {
		now = now.Add(time.Second)
		for run := range runs {
			a := &Iterated{Run: run, Iteration: i + 1, Rows: 100, Moved: int64(1024 >> i), Last: last && i == passes-1, fit: &Fit{}}
			w.iterated(a, 1, now)
		}
	}
	return now
}

func TestSpeedAndTimeLeft(t *testing.T) {
	from := time.Unix(1000, 0)
	for _, c := range []struct {
		name           string
		rules          watchRules
		passes, runs   int
		last           bool
		speed          float64
		left, most     float64 // −1: not told
		over, progress float64
	}{
		{"one run", watchRules{runs: 1, limit: 300}, 5, 1, false, 100, 6, 295, 0, 0.4545},
		{"two that share passes", watchRules{runs: 2, limit: 300}, 5, 2, false, 100, 6, 295, 0, 0.4545},
		{"two of six: two more batches of 11", watchRules{runs: 6, limit: 300}, 5, 2, false, 100, 28, 895, 0, 0.1515},
		{"too early: of the limit", watchRules{runs: 1, limit: 300}, 3, 1, false, 100, -1, 297, 0, 0.01},
		{"all over", watchRules{runs: 1, limit: 300}, 5, 1, true, 100, -1, -1, 1, -1},
	} {
		var w watch
		w.begin(c.rules, nil)
		now := iterates(&w, from, c.passes, c.runs, c.last)
		j := live.Job{State: jobRunning}
		w.show(&j, now, true)
		or := func(p *float64) float64 {
			if p == nil {
				return -1
			}
			return *p
		}
		if j.Speed != c.speed || or(j.Left) != c.left || or(j.AtMost) != c.most || float64(j.RunsOver) != c.over || or(j.Progress) != c.progress {
			t.Errorf("%s: got %v rows/s, %v left, at most %v, %d over, progress %v, want %v, %v, %v, %v, %v", c.name, j.Speed, or(j.Left), or(j.AtMost),
				j.RunsOver, or(j.Progress), c.speed, c.left, c.most, c.over, c.progress)
		}
		if len(j.Curves) != c.runs || len(j.Curves[0].Points) != c.passes {
			t.Errorf("%s: got curves %v, want %d of %d points", c.name, j.Curves, c.runs, c.passes)
		}
	}
}

func TestAReadingSaysHowFarItIs(t *testing.T) {
	var w watch
	now := time.Unix(1000, 0)
	w.begin(watchRules{}, nil)
	w.turn(PhaseBegun{Phase: PhaseWrite, Rows: 1000}, now)
	for range 4 {
		now = now.Add(time.Second)
		w.read(100, now)
	}
	j := live.Job{State: jobRunning}
	w.show(&j, now, true)
	if j.Speed != 100 || *j.Progress != 0.4 || *j.Left != 6 {
		t.Errorf("got %v rows/s, %v done, %v s left, want 100, 0.4, 6", j.Speed, *j.Progress, *j.Left)
	}
	for range 10 * readEntries { // more than is kept
		w.read(1, now)
	}
	if len(w.reads) > readEntries {
		t.Errorf("%d entries are kept, want at most %d", len(w.reads), readEntries)
	}
	w.show(&j, now, true)
	if *j.Progress != 1 {
		t.Errorf("got progress %v after more rows than there were, want 1", *j.Progress)
	}
}

func TestAWatchIsBounded(t *testing.T) {
	var w watch
	w.begin(watchRules{runs: 1000, limit: 10, k: []int{2, 3}}, nil)
	now := iterates(&w, time.Unix(1000, 0), 2, 1000, false)
	j := live.Job{State: jobRunning}
	w.show(&j, now, true)
	if len(j.Curves) != live.MaxCurves || len(w.passes) > watchedPasses+1 {
		t.Errorf("got %d curves, %d passes, want %d, at most %d", len(j.Curves), len(w.passes), live.MaxCurves, watchedPasses+1)
	}
	if first, last := j.Curves[0], j.Curves[live.MaxCurves-1]; first.Run != 1000-live.MaxCurves || last.Run != 999 || last.K != 3 {
		t.Errorf("got curves of runs %d to %d, want the last ones, of k = 3", first.Run, last.Run)
	}
}

func TestAJobThatIsResumedGoesOnWithItsCurves(t *testing.T) {
	var w watch
	w.begin(watchRules{runs: 3, limit: 10, k: []int{4}}, nil)
	now := iterates(&w, time.Unix(1000, 0), 3, 2, false)
	w.begin(watchRules{runs: 3, limit: 10, k: []int{4}}, &FitState{Run: 1, States: []RunState{{Run: 1}}, Best: &FitResult{Inertia: 3}})
	j := live.Job{State: jobRunning}
	w.show(&j, now, true)
	if len(j.Curves) != 2 || !j.Curves[0].Over || j.Curves[1].Over || j.RunsOver != 1 || j.Left != nil || *j.Best != 3 {
		t.Errorf("got %+v, want both curves, the first run over, and no guess yet", j)
	}
	w.begin(watchRules{runs: 3, limit: 10}, nil)
	anew := live.Job{State: jobRunning}
	w.show(&anew, now, true)
	if len(anew.Curves) != 0 || anew.RunsOver != 0 || anew.Best != nil || anew.Moved != nil {
		t.Errorf("got %+v of a job that begins anew, want nothing", anew)
	}
}

func TestSpeedsAreRoundedAndNothingIsInfinite(t *testing.T) {
	for _, c := range []struct{ x, want float64 }{{123456, 123000}, {1.2345, 1.23}, {0, 0}, {-1, 0}, {math.Inf(1), 0}, {math.NaN(), 0}} {
		if got := rounded(c.x); math.Abs(got-c.want) > 1e-9*c.want {
			t.Errorf("%v: got %v, want %v", c.x, got, c.want)
		}
	}
	if known(math.NaN()) != nil || known(math.Inf(-1)) != nil || *known(2) != 2 {
		t.Error("known gives what JSON cannot hold, or hides what it can")
	}
}
