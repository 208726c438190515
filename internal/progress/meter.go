package progress

import (
	"sync"
	"time"
)

// meter keeps what the last calls said. Every Reporter that shows anything is a meter and a way to draw it.
type meter struct {
	mu        sync.Mutex
	phase     string
	total     int64 // rows of a pass; 0 = unknown
	done      int64 // rows of the current pass
	opened    time.Time
	passed    map[int]time.Time // by run: start of the pass under way; those that are not there began with the phase
	run       int               // of the last iteration
	iteration int               // 0 = none yet in this phase
	inertia   float64
	moved     int64   // -1 = unknown
	speed     float64 // rows a second of the last iteration; 0 = unknown
}

// reading is what a meter showed at one moment.
type reading struct {
	phase     string
	total     int64
	done      int64
	elapsed   time.Duration // of the phase
	run       int           // 0 = the first, or the only one
	iteration int
	inertia   float64
	moved     int64
	speed     float64 // rows a second; 0 = unknown
}

// open starts a phase and returns the last reading of the one before (phase "" if there was none).
func (m *meter) open(name string, total int64) reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	last := m.read()
	now := time.Now()
	m.phase, m.total, m.done = name, max(total, 0), 0
	m.opened, m.passed = now, nil
	m.run, m.iteration, m.inertia, m.moved, m.speed = 0, 0, 0, -1, 0
	return last
}

// add counts rows of the current pass.
func (m *meter) add(rows int64) {
	m.mu.Lock()
	m.done += rows
	m.mu.Unlock()
}

// iterate ends a pass of a run and returns the reading at its end, with the speed of that pass. Runs that share passes
// end them in the same moment.
func (m *meter) iterate(run, i int, inertia float64, moved, rows int64) reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := time.Now()
	began, known := m.passed[run]
	if !known {
		began = m.opened
	}
	m.speed = 0
	if span := now.Sub(began).Seconds(); span > 0 && rows > 0 {
		m.speed = float64(rows) / span
	}
	m.run, m.iteration, m.inertia, m.moved = run, i, inertia, moved
	m.done = 0
	if m.passed == nil {
		m.passed = make(map[int]time.Time)
	}
	m.passed[run] = now
	return m.read()
}

// now is the present reading.
func (m *meter) now() reading {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.read()
}

// read is now for a caller that holds the lock. Between iterations the speed is that of the last whole pass, since
// the first moments of a pass say little.
func (m *meter) read() reading {
	r := reading{phase: m.phase, total: m.total, done: m.done, run: m.run, iteration: m.iteration,
		inertia: m.inertia, moved: m.moved, speed: m.speed}
	if m.phase == "" {
		return r
	}
	r.elapsed = time.Since(m.opened)
	if m.iteration == 0 && r.elapsed > 0 {
		r.speed = float64(m.done) / r.elapsed.Seconds()
	}
	return r
}

// left is the time that the rest of the pass will take at the present speed; ok is false where that is not known:
// without a total, before the first rows, and in a phase that makes pass after pass.
func (r reading) left() (d time.Duration, ok bool) {
	if r.total <= 0 || r.speed <= 0 || r.iteration > 0 || r.done <= 0 {
		return 0, false
	}
	return time.Duration(float64(max(r.total-r.done, 0)) / r.speed * float64(time.Second)), true
}
