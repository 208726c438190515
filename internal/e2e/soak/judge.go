package soak

import (
	"fmt"
	"slices"
	"strings"
)

// What may be in use more at the end than at the beginning. Each is far below what one leak for every ten jobs would come
// to in an hour, and above what chance does: a connection that is being renewed, a timer's goroutine.
const (
	// warmJobs is after how many jobs the cluster is taken to be warm: the coordinator remembers the last hundred, and
	// what they take is no leak.
	warmJobs = 120
	// slackCount is how many goroutines, or descriptors, may be there more than after the warm-up.
	slackCount = 8
	// coldSlack is the same where the soak has ended before the cluster was warm: each worker opens one more connection
	// with its first job, of three goroutines at the coordinator.
	coldSlack = 24
	// slopeBound is how many bytes of live heap may be there more for each job that has ended.
	slopeBound = 1 << 10
	// slopeJobs is over how many jobs a slope is judged at least: over fewer, noise of some 200 KB is a slope.
	slopeJobs = 500
	// keptBound is how many jobs the coordinator's folder may hold in a quiet moment: the hundred it remembers, and some
	// that are on their way out.
	keptBound = 104
	// longLife is the share of the quiet moments after the warm-up that a process must have seen to be judged.
	longLife = 2. / 3
)

// Line is what is judged of one process: from the first to the last quiet moment after the warm-up.
type Line struct {
	Process                 string
	Life                    int
	Moments, Jobs           int    // quiet moments, and jobs that ended between the first and the last
	Goroutines, Descriptors [2]int // in the first three, the most; in the last three, the least
	Live                    [2]int64
	Slope                   float64 // bytes of live heap for a job, by least squares
	PeakRSS, EndRSS         int64   // bytes, at any moment of this life
	PeakGoroutines          int
	PeakDescriptors         int
}

// Judgement is what a soak has come to.
type Judgement struct {
	Warm     bool     // the warm-up was over before the end
	Lines    []Line   // the processes that have lived long enough, by name
	Problems []string // what has grown; empty: nothing
	State    [2]int64 // most and last bytes of the coordinator's folder in quiet moments
	Kept     int      // the most jobs in that folder in a quiet moment
}

// Judge looks at the quiet moments. A soak that is too short to be warm is held to the counts of its first, with more slack.
func Judge(rows []Row) Judgement {
	var j Judgement
	var moments []Row
	for _, r := range rows {
		if r.Quiet {
			moments = append(moments, r)
		}
		if r.Quiet && r.State > 0 {
			j.State = [2]int64{max(j.State[0], r.State), r.State}
			j.Kept = max(j.Kept, r.Kept)
		}
	}
	if j.Kept > keptBound {
		j.Problems = append(j.Problems, fmt.Sprintf("the coordinator's folder held %d jobs in a quiet moment, more than %d", j.Kept, keptBound))
	}
	j.Warm = slices.ContainsFunc(moments, func(r Row) bool { return r.Jobs >= warmJobs })
	if j.Warm {
		moments = slices.DeleteFunc(moments, func(r Row) bool { return r.Jobs < warmJobs })
	}
	most := 0
	lives := make(map[life][]Row)
	for _, r := range moments {
		k := life{r.Process, r.Life}
		lives[k] = append(lives[k], r)
		most = max(most, len(lives[k]))
	}
	for k, seen := range lives {
		if len(seen) >= 2 && float64(len(seen)) >= longLife*float64(most) {
			line := lineOf(k, seen, rows)
			j.Lines = append(j.Lines, line)
		}
	}
	slices.SortFunc(j.Lines, func(a, b Line) int { return compareNames(a.Process, b.Process) })
	slack := slackCount
	if !j.Warm {
		slack = coldSlack
	}
	for _, l := range j.Lines {
		j.Problems = append(j.Problems, l.problems(slack)...)
	}
	if len(j.Lines) == 0 {
		j.Problems = append(j.Problems, "no process has seen two quiet moments after the warm-up: the soak was too short for a judgement")
	}
	return j
}

type life struct {
	process string
	n       int
}

func lineOf(k life, seen, all []Row) Line {
	few := min(3, len(seen)/2)
	early, late := seen[:few], seen[len(seen)-few:]
	l := Line{Process: k.process, Life: k.n, Moments: len(seen), Jobs: seen[len(seen)-1].Jobs - seen[0].Jobs}
	l.Goroutines = [2]int{most(early, goroutines), least(late, goroutines)}
	l.Descriptors = [2]int{most(early, descriptors), least(late, descriptors)}
	l.Live = [2]int64{seen[0].Live, seen[len(seen)-1].Live}
	l.Slope = slope(seen)
	for _, r := range all {
		if r.Process == k.process && r.Life == k.n {
			l.PeakRSS, l.EndRSS = max(l.PeakRSS, r.RSS), r.RSS
			l.PeakGoroutines, l.PeakDescriptors = max(l.PeakGoroutines, r.Goroutines), max(l.PeakDescriptors, r.Descriptors)
		}
	}
	return l
}

func goroutines(r Row) int  { return r.Goroutines }
func descriptors(r Row) int { return r.Descriptors }

func most(rows []Row, of func(Row) int) int {
	return of(slices.MaxFunc(rows, func(a, b Row) int { return of(a) - of(b) }))
}

func least(rows []Row, of func(Row) int) int {
	return of(slices.MinFunc(rows, func(a, b Row) int { return of(a) - of(b) }))
}

// slope is that of the line of least squares through live heap over jobs; 0 where all have the same number of jobs.
func slope(rows []Row) float64 {
	var x, y float64
	for _, r := range rows {
		x += float64(r.Jobs) / float64(len(rows))
		y += float64(r.Live) / float64(len(rows))
	}
	var xx, xy float64
	for _, r := range rows {
		dx, dy := float64(r.Jobs)-x, float64(r.Live)-y
		xx += float64(dx * dx)
		xy += float64(dx * dy)
	}
	if xx == 0 {
		return 0
	}
	return xy / xx
}

func (l Line) problems(slack int) []string {
	var p []string
	count := func(what string, of [2]int) {
		if of[1] > of[0]+slack {
			p = append(p, fmt.Sprintf("%s: %d %s after the warm-up, %d at the end, more than %d above", l.Process, of[0], what, of[1], slack))
		}
	}
	count("goroutines", l.Goroutines)
	count("descriptors", l.Descriptors)
	if l.Jobs >= slopeJobs && l.Slope > slopeBound {
		p = append(p, fmt.Sprintf("%s: live heap grows by %.0f bytes a job over %d jobs, more than %d", l.Process, l.Slope, l.Jobs, slopeBound))
	}
	return p
}

// compareNames puts the coordinator first and the server last.
func compareNames(a, b string) int {
	rank := func(name string) int {
		switch name {
		case headName:
			return 0
		case serverName:
			return 2
		}
		return 1
	}
	if d := rank(a) - rank(b); d != 0 {
		return d
	}
	return strings.Compare(a, b)
}

// The places that are no worker's.
const (
	headName   = "coordinator"
	serverName = "serve"
)
