package pipeline

import (
	"slices"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/progress"
)

// mostPasses is how many of the newest passes a load test keeps the times of: medians need no more, and a test of days over
// few rows has billions.
const mostPasses = 1 << 14

// gauge is the Reporter of a load test: it hands on what it hears, and keeps the time.
type gauge struct {
	progress.Reporter
	mu     sync.Mutex
	phase  string
	since  time.Time          // when the phase began
	spent  map[string]float64 // seconds by phase
	whole  map[string]phases  // those that came to their end
	last   time.Time          // the end of the last pass, or the begin of the phase
	times  []float64          // seconds of the newest passes, a ring of mostPasses
	passes int64              // in all
	total  float64            // seconds of all passes
	ends   int                // of fits
	moved  chan struct{}      // closed and replaced with each pass
}

// phases are some of the same name.
type phases struct {
	count   int
	seconds float64
}

func newGauge(r progress.Reporter) *gauge {
	return &gauge{Reporter: r, spent: make(map[string]float64), whole: make(map[string]phases), moved: make(chan struct{})}
}

// Phase implements progress.Reporter.
func (g *gauge) Phase(name string, total int64) {
	g.turn(name)
	g.Reporter.Phase(name, total)
}

// turn gives the time since the last turn to the phase before; "" ends the last one.
func (g *gauge) turn(to string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Now()
	took := now.Sub(g.since).Seconds()
	if g.phase != "" {
		g.spent[g.phase] += took
	}
	if g.phase != "" && to != "" && to != g.phase {
		w := g.whole[g.phase]
		g.whole[g.phase] = phases{w.count + 1, w.seconds + took}
	}
	if to == "" {
		g.ends++
	}
	g.phase, g.since, g.last = to, now, now
}

// mean is how long a phase took, of those that came to their end; 0 if none did.
func (g *gauge) mean(phase string) float64 {
	g.mu.Lock()
	defer g.mu.Unlock()
	w := g.whole[phase]
	return w.seconds / float64(max(w.count, 1))
}

// Iteration implements progress.Reporter.
func (g *gauge) Iteration(run, i int, inertia float64, moved, rows int64) {
	g.passed(time.Now())
	g.Reporter.Iteration(run, i, inertia, moved, rows)
}

func (g *gauge) passed(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	took := now.Sub(g.last).Seconds()
	g.last = now
	if len(g.times) < mostPasses {
		g.times = append(g.times, took)
	} else {
		g.times[g.passes%mostPasses] = took
	}
	g.passes++
	g.total += took
	close(g.moved)
	g.moved = make(chan struct{})
}

// count is how many passes have ended, and what is closed when another does.
func (g *gauge) count() (passes int64, another <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.passes, g.moved
}

// iterating says whether a pass is under way, and how many fits have ended before.
func (g *gauge) iterating() (yes bool, ends int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.phase == "iterate", g.ends
}

// LoadPass is how long passes took, in seconds.
type LoadPass struct {
	Count   int64   `json:"count"`
	Mean    float64 `json:"mean_seconds"`   // of all
	Median  float64 `json:"median_seconds"` // of the newest
	Fastest float64 `json:"fastest_seconds"`
	Slowest float64 `json:"slowest_seconds"`
}

// pass sums the passes up; the zero value where there were none.
func (g *gauge) pass() LoadPass {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.passes == 0 {
		return LoadPass{}
	}
	sorted := slices.Sorted(slices.Values(g.times))
	return LoadPass{g.passes, g.total / float64(g.passes), median(sorted), sorted[0], sorted[len(sorted)-1]}
}

// median is that of a sorted list; 0 of an empty one.
func median(sorted []float64) float64 {
	n := len(sorted)
	if n == 0 {
		return 0
	}
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

// seconds are those of the phases so far.
func (g *gauge) seconds() Seconds {
	g.turn("")
	g.mu.Lock()
	defer g.mu.Unlock()
	s := Seconds{Read: g.spent["read"], Seed: g.spent["seed"], Iterate: g.spent["iterate"], Write: g.spent["write"]}
	s.Total = s.Read + s.Seed + s.Iterate + s.Write
	return s
}
