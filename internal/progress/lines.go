package progress

import (
	"sync"
	"time"
)

// Times of the line reports. A log wants few lines, a program wants to see movement; both stay under ten a second.
const (
	plainFirst = 2 * time.Second
	plainEvery = 5 * time.Second
	jsonEvery  = 500 * time.Millisecond
)

// sink turns readings into lines. Calls are serialised.
type sink interface {
	phase(last, opened reading) // last.phase is "" at the first phase
	tick(reading)
	iteration(reading)
	note(phase, text string)
	close(last reading)
}

// lines is the Reporter that writes lines: at once for what happens, and from a ticker for what goes on.
type lines struct {
	meter meter
	mu    sync.Mutex // serialises out, and guards ended
	out   sink
	ended bool
	stop  chan struct{}
	done  sync.WaitGroup
}

func newLines(out sink, first, every time.Duration) *lines {
	l := &lines{out: out, stop: make(chan struct{})}
	l.done.Go(func() { l.run(first, every) })
	return l
}

// run ticks: once after first, then each every.
func (l *lines) run(first, every time.Duration) {
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-l.stop:
			return
		case <-timer.C:
			l.locked(func() {
				if r := l.meter.now(); r.phase != "" {
					l.out.tick(r)
				}
			})
			timer.Reset(every)
		}
	}
}

// locked runs f unless the report is closed.
func (l *lines) locked(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.ended {
		f()
	}
}

func (l *lines) Phase(name string, total int64) {
	l.locked(func() {
		last := l.meter.open(name, total)
		l.out.phase(last, l.meter.now())
	})
}

func (l *lines) Add(rows int64) { l.meter.add(rows) }

func (l *lines) Iteration(run, i int, inertia float64, moved, rows int64) {
	l.locked(func() { l.out.iteration(l.meter.iterate(run, i, inertia, moved, rows)) })
}

func (l *lines) Note(text string) {
	l.locked(func() { l.out.note(l.meter.now().phase, text) })
}

func (l *lines) Close() {
	l.mu.Lock()
	if !l.ended {
		l.ended = true
		l.out.close(l.meter.now())
		close(l.stop)
	}
	l.mu.Unlock()
	l.done.Wait()
}
