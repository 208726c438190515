package sim

import "time"

// network is what lies between a worker and the coordinator, and between workers.
type network struct {
	w     *world
	lossy time.Duration // until when messages are lost now and then
	twice time.Duration // … come twice
	mixed time.Duration // … overtake each other
	peers time.Duration // … do not pass between workers at all
}

// line is a worker's way to the coordinator and back. Its times say until when it is disturbed.
type line struct {
	up, down time.Duration // cut
	slow     time.Duration
	broken   int // how often the connection has broken: what was on its way then is lost
}

// send carries a message over a worker's line. arrive is called once, twice or never.
func (n *network) send(l *line, up bool, arrive func()) {
	w := n.w
	copies := 1
	if w.now < n.twice && w.rand.IntN(2) == 0 {
		copies = 2
	}
	if w.now < n.lossy && w.rand.IntN(4) == 0 {
		copies = 0
	}
	connection := l.broken
	for i := range copies {
		delay := w.between(200*time.Microsecond, 3*time.Millisecond)
		if w.now < l.slow {
			delay += w.between(300*time.Millisecond, 2*time.Second)
		}
		if w.now < n.mixed || i > 0 {
			delay += w.between(0, 4*time.Second)
		}
		w.after(delay, "message", func() {
			cut := l.down
			if up {
				cut = l.up
			}
			if w.now < cut || connection != l.broken && i == 0 {
				return
			}
			arrive()
		})
	}
}
