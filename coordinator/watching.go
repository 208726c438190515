package coordinator

import (
	"math"
	"slices"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/live"
)

const (
	// watchedPasses is how many of the last passes tell how fast a job is.
	watchedPasses = 5
	// trendPasses is over how many passes it is measured how fast a run comes to its end.
	trendPasses = 4
	// stalled is the factor of a pass from which on the end of a run is not in sight.
	stalled = 0.97
	// readWindow is the time over which rows that are read or written make a speed. Workers tell of them each second.
	readWindow = 8 * time.Second
	// readEntries bounds what is kept for it.
	readEntries = 64
)

// watch is what people may want to see of a job that is under way: curves, speed, and how long it may take. The zero value
// knows nothing. All of it is bounded, and nothing is decided by it.
type watch struct {
	mu    sync.Mutex
	rules watchRules
	phase Phase
	since time.Time // when the phase, or the pass over the rows, began
	pass  int64     // rows of a pass
	rows  int64     // read or written since then

	trails []*trail // at most live.MaxCurves, the one that got on last at the end
	moved  int64
	best   float64 // the lowest inertia of the runs that are over, of one k; 0: there is none
	passes []passed
	reads  []passed
	begun  int // runs that have iterated, the lowest first
	over   int // runs that are over
	ended  int // of these, those that were seen to end,
	done   int // and their iterations
	most   int // runs that were under way at a time

	checkpoint time.Time // when the last one was written
}

// watchRules are what a job was asked for.
type watchRules struct {
	runs, limit int
	k           []int // of a sweep several, each of which has an equal share of the runs
}

// clusters is the k of a run.
func (r *watchRules) clusters(run int) int {
	if len(r.k) == 0 || r.runs == 0 {
		return 0
	}
	return r.k[min(run*len(r.k)/r.runs, len(r.k)-1)]
}

// passed is rows that were done with at a time.
type passed struct {
	when time.Time
	rows int64
	runs []int // that took part in an assignment
}

// trail is how a run has gone.
type trail struct {
	live.Curve
	stride int        // points are kept of every stride-th iteration, and of the last
	apart  []distance // of the last passes of which it is known, how far from its end the run was
}

// distance is how far from its end a run was in an iteration: it is over at 1.
type distance struct {
	iteration int
	times     float64
}

// add appends an iteration. One that was made before, as after a restart from a checkpoint, drops what followed it.
func (t *trail) add(p live.Point, times float64) {
	at, _ := slices.BinarySearchFunc(t.Points, p.Iteration, func(p live.Point, i int) int { return p.Iteration - i })
	if at < len(t.Points) {
		t.Points, t.apart = t.Points[:at], nil
	}
	if n := len(t.Points); n > 1 && (t.Points[n-1].Iteration-1)%t.stride != 0 {
		t.Points = t.Points[:n-1]
	}
	t.Points = append(t.Points, p)
	for len(t.Points) > live.MaxPoints {
		t.stride *= 2
		first, last := t.Points[0].Iteration, p.Iteration
		t.Points = slices.DeleteFunc(t.Points, func(p live.Point) bool {
			return (p.Iteration-1)%t.stride != 0 && p.Iteration != first && p.Iteration != last
		})
	}
	if times > 0 {
		t.apart = append(t.apart, distance{p.Iteration, times})
	}
	if len(t.apart) > trendPasses+1 {
		t.apart = t.apart[1:]
	}
}

// left is how many passes the run still takes: about, by its way so far, or the most where that does not tell; and at most.
func (t *trail) left(limit int) (about, most float64) {
	if t.Over || len(t.Points) == 0 {
		return 0, 0
	}
	most = float64(max(limit-t.Points[len(t.Points)-1].Iteration, 0))
	about = math.Inf(1)
	if len(t.apart) == trendPasses+1 {
		from, to := t.apart[0], t.apart[trendPasses]
		factor := math.Pow(to.times/from.times, 1/float64(to.iteration-from.iteration))
		if factor < stalled {
			about = max(1, math.Ceil(math.Log(to.times)/-math.Log(factor)-1e-9))
		}
	}
	return min(about, most), most
}

// begin says what the job is asked for, and where it goes on; nil: it begins anew.
func (w *watch) begin(rules watchRules, from *FitState) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rules, w.phase, w.passes, w.reads = rules, "", nil, nil
	w.over, w.ended, w.done, w.most = 0, 0, 0, 0
	if from == nil {
		w.trails, w.begun, w.moved, w.best = nil, 0, -1, 0
		return
	}
	if from.Best != nil {
		w.best = from.Best.Inertia
	}
	w.over = from.Run + len(from.Over)
	w.begun = max(w.begun, w.over+len(from.States))
	for _, t := range w.trails {
		t.Over = t.Run < from.Run || slices.Contains(from.Over, t.Run)
	}
}

// turn notes a phase, or another pass over the rows in one.
func (w *watch) turn(p PhaseBegun, now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p.Phase != w.phase {
		w.passes, w.reads = nil, nil
	}
	w.phase, w.pass, w.since, w.rows = p.Phase, p.Rows, now, 0
}

// read notes rows that workers have read or written, and says how many of them are progress: what a lost worker had read is
// read again, and a pass has only so many rows.
func (w *watch) read(rows int64, now time.Time) (more int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if more = rows; w.pass > 0 {
		more = max(min(rows, w.pass-w.rows), 0)
	}
	w.rows += more
	w.reads = append(w.reads, passed{when: now, rows: rows})
	if len(w.reads) > readEntries {
		w.reads[1].rows += w.reads[0].rows
		w.reads = w.reads[1:]
	}
	return more
}

// iterated notes an iteration, with its inertia and how far from its end the run is.
func (w *watch) iterated(a *Iterated, inertia float64, now time.Time) {
	times := a.apart()
	w.mu.Lock()
	defer w.mu.Unlock()
	t := w.trail(a.Run)
	t.add(live.Point{Iteration: a.Iteration, Inertia: inertia, Moved: a.Moved}, times)
	w.moved = a.Moved
	if t.Over = a.Last; t.Over {
		w.over++
		w.ended++
		w.done += a.Iteration
		if w.best == 0 || inertia < w.best {
			w.best = inertia
		}
	}
	if w.phase == PhaseIterate { // the last ones of a batch come when the next is being seeded
		w.assigned(a.Run, a.Rows, now)
	}
}

// trail is that of a run, and the last in the list from now on.
func (w *watch) trail(run int) *trail {
	i := slices.IndexFunc(w.trails, func(t *trail) bool { return t.Run == run })
	if i < 0 {
		w.begun = max(w.begun, run+1)
		if len(w.trails) == live.MaxCurves {
			w.trails = w.trails[1:]
		}
		t := &trail{Curve: live.Curve{Run: run, K: w.rules.clusters(run)}, stride: 1}
		w.trails = append(w.trails, t)
		return t
	}
	t := w.trails[i]
	w.trails = append(slices.Delete(w.trails, i, i+1), t)
	return t
}

// assigned counts the rows of a pass. Runs that share it are told of one after the other: it is over when one of them comes
// again. However many they are, the rows count once.
func (w *watch) assigned(run int, rows int64, now time.Time) {
	if n := len(w.passes); n > 0 && !slices.Contains(w.passes[n-1].runs, run) {
		last := &w.passes[n-1]
		last.runs = append(last.runs, run)
		w.most = max(w.most, len(last.runs))
		return
	}
	w.most = max(w.most, 1)
	w.passes = append(w.passes, passed{when: now, rows: rows, runs: []int{run}})
	if len(w.passes) > watchedPasses+1 {
		w.passes = w.passes[1:]
	}
}

// saved notes a checkpoint.
func (w *watch) saved(now time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.checkpoint = now
}

// pace is what a pass takes, and how many rows a second go through it; 0 where that is not known yet.
func (w *watch) pace() (seconds, speed float64) {
	from, passes := w.since, w.passes
	if len(passes) > 1 { // the first pass of a phase also makes what later ones keep
		from, passes = passes[0].when, passes[1:]
	}
	if len(passes) == 0 {
		return 0, 0
	}
	took := passes[len(passes)-1].when.Sub(from).Seconds()
	rows := int64(0)
	for _, p := range passes {
		rows += p.rows
	}
	if took <= 0 {
		return 0, 0
	}
	return took / float64(len(passes)), float64(rows) / took
}

// reading is how many rows a second are read or written.
func (w *watch) reading(now time.Time) float64 {
	from := now.Add(-readWindow)
	if w.since.After(from) {
		from = w.since
	}
	rows := int64(0)
	for _, r := range w.reads {
		if r.when.After(from) {
			rows += r.rows
		}
	}
	if took := now.Sub(from).Seconds(); rows > 0 && took > 0 {
		return float64(rows) / took
	}
	return 0
}

// show fills in what is known of a job.
func (w *watch) show(j *live.Job, now time.Time, curved bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	j.K, j.Runs, j.RunsOver, j.Limit = w.rules.k, w.rules.runs, w.over, w.rules.limit
	if !w.checkpoint.IsZero() {
		at := w.checkpoint.UTC().Truncate(time.Millisecond)
		j.Checkpoint = &at
	}
	if w.best > 0 && w.rules.runs > 1 && len(w.rules.k) == 1 {
		j.Best = known(w.best)
	}
	if len(w.trails) > 0 && w.moved >= 0 {
		moved := w.moved
		j.Moved = &moved
	}
	for _, t := range w.trails {
		if curved {
			c := t.Curve
			c.Points = slices.Clone(c.Points)
			j.Curves = append(j.Curves, c)
		}
	}
	if j.State != jobRunning {
		return
	}
	switch w.phase {
	case PhaseRead, PhaseWrite:
		w.showPass(j, now)
	case PhaseIterate:
		w.showRuns(j)
	}
}

// showPass says how far a pass over the rows is. The time left is told of the last phase alone: others follow a reading.
func (w *watch) showPass(j *live.Job, now time.Time) {
	if w.pass <= 0 {
		return
	}
	j.Progress = share(float64(w.rows), float64(w.pass))
	j.Speed = rounded(w.reading(now))
	if w.phase == PhaseWrite && j.Speed > 0 {
		j.Left = known(math.Ceil(float64(max(w.pass-w.rows, 0)) / j.Speed))
	}
}

// showRuns says how far the runs are, and what they may still take: those under way share their passes, those that have
// not begun are taken to be like those that are over.
func (w *watch) showRuns(j *live.Job) {
	seconds, speed := w.pace()
	j.Speed = rounded(speed)
	var about, most, made float64
	for _, t := range w.trails {
		if !t.Over && len(t.Points) > 0 {
			a, m := t.left(w.rules.limit)
			about, most = max(about, a), max(most, m)
			made = max(made, float64(t.Points[len(t.Points)-1].Iteration))
		}
	}
	if made == 0 {
		return
	}
	typical := made + about
	if w.ended > 0 {
		typical = max(1, float64(w.done)/float64(w.ended))
	}
	abreast := max(w.most, 1)
	batches := math.Ceil(float64(max(w.rules.runs-w.begun, 0)) / float64(abreast))
	past := math.Ceil(float64(w.over)/float64(abreast)) * typical
	about, most = about+batches*typical, most+batches*float64(w.rules.limit)
	j.Progress = share(past+made, past+made+min(about, most)) // where no end is in sight, the limit's
	if seconds > 0 {
		if about < most {
			j.Left = known(math.Ceil(about * seconds))
		}
		j.AtMost = known(math.Ceil(most * seconds))
	}
}

// known is a number that JSON can hold.
func known(x float64) *float64 {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return nil
	}
	return &x
}

// share is a part of a whole to four digits, at most 1.
func share(part, whole float64) *float64 { return known(math.Round(min(1, part/whole)*1e4) / 1e4) }

// rounded is a speed to three digits: more of them are noise, and make every snapshot another one.
func rounded(x float64) float64 {
	if !(x > 0) || math.IsInf(x, 0) {
		return 0
	}
	unit := math.Pow(10, math.Floor(math.Log10(x))-2)
	return math.Round(x/unit) * unit
}
