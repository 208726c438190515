package coordinator

import "time"

// unheardAfter is for how long gossip may miss a worker that answers before somebody is told. Gossip is late by seconds
// when a worker or a coordinator starts.
const unheardAfter = 5 * time.Second

// hearsay is what gossip says of a member that answers. It is told to people and decides nothing: a worker that works
// is not given up for it, but would not be found again if its connection broke.
type hearsay struct {
	missed time.Time // since when gossip has not seen the worker; zero while it does
	told   bool
}

// listen compares gossip with what is known. It is called often; the caller holds the mutex.
func (s *Server) listen(m *member, now time.Time) {
	if s.gossip == nil || !m.open || m.lost || m.draining {
		return
	}
	h := &m.hearsay
	switch {
	case s.gossip(m.hello.Boot):
		if h.told {
			s.config.Log.Info("gossip sees the worker again", "worker", m.name)
		}
		*h = hearsay{}
	case h.missed.IsZero():
		h.missed = now
	case !h.told && now.Sub(h.missed) > unheardAfter:
		h.told = true
		s.config.Log.Warn("gossip has lost a worker that answers; it keeps its work", "worker", m.name, "address", m.hello.Address)
	}
}
