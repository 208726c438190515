package roofline

import (
	"sync/atomic"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

// turn is what one member did in a window.
type turn struct {
	begun, ended time.Time
	ran          time.Duration // of that, by the processor time of its thread
	work         float64
	err          error
}

// sample is what members did together in one window: work per nanosecond, and the least part of the window that one of
// them had a core for. Where others take their cores, threads run one after the other, and the rate is not that of all.
type sample struct{ rate, share float64 }

// race lets the first n members begin at the same moment and repeat step, which does some work and says how much, until
// each finds that its window is over. The rate is all their work divided by the time from the first begin to the last
// end: so what one does while another has not begun cannot make a rate that the machine does not have. check follows
// when a member's time is over.
func (g *gang) race(n int, window time.Duration, step func(*member) float64, check func(*member) error) (sample, error) {
	turns := make([]turn, n)
	var here atomic.Int64
	g.do(n, func(m *member) {
		t := &turns[m.number]
		// Nobody parks here: to be woken takes longer than begins may differ. There are no more members than
		// processors of the Go scheduler, so all of them come.
		for here.Add(1); here.Load() < int64(n); {
		}
		before, begun, ended, work := threadTime(), time.Now(), time.Time{}, 0.0
		for ended = begun; ended.Sub(begun) < window; ended = time.Now() {
			work += step(m)
		}
		*t = turn{begun, ended, threadTime() - before, work, check(m)}
	})
	return together(turns)
}

// together is what all turns come to from the first begin to the last end.
func together(turns []turn) (sample, error) {
	first, last, work, share := turns[0].begun, turns[0].ended, 0.0, 1.0
	for _, t := range turns {
		if t.err != nil {
			return sample{}, t.err
		}
		if t.begun.Before(first) {
			first = t.begun
		}
		if t.ended.After(last) {
			last = t.ended
		}
		work += t.work
		share = min(share, float64(t.ran)/float64(t.ended.Sub(t.begun)))
	}
	return sample{work / float64(last.Sub(first).Nanoseconds()), share}, nil
}

// multiply races n members with a loop, in operations of floating point per nanosecond.
func (g *gang) multiply(n int, window time.Duration, l *fmaLoop) (sample, error) {
	return g.race(n, window, func(m *member) float64 {
		l.run(fmaRounds, factorX, factorY, m.sums[:l.values])
		return float64(2 * l.values * fmaRounds)
	}, func(m *member) error {
		sums := m.sums[:l.values]
		defer clear(sums) // the next loop has to write its own
		return l.checkSums(fmaRounds, sums)
	})
}

// read races n members with a loop, in bytes per nanosecond. Each goes on where it was: so it does not meet what it has
// just read until it has been through the whole buffer.
func (g *gang) read(n int, window time.Duration, l *readLoop) (sample, error) {
	return g.race(n, window, func(m *member) float64 {
		if !l.fits(len(m.words), m.at) {
			m.at = 0
		}
		m.got += l.chunk(m.words, m.at)
		m.want += l.expected(m.first, len(m.words), m.at)
		m.at += l.chunkOf()
		return 8 * chunkWords
	}, func(m *member) error {
		got, want := m.got, m.want
		m.got, m.want = 0, 0
		if got != want {
			return fault.Failedf(nil, "the words that the loop %s read add up to %#x, not %#x: it has not read all of them", l.name, got, want)
		}
		return nil
	})
}

// start is what wallTime counts from.
var start = time.Now()

// wallTime stands in for a thread's own time where that is not known.
func wallTime() time.Duration { return time.Since(start) }
