package main

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coterie-project/coterie/internal/cluster"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
)

// tellEvery is the shortest time between two lines of the log about peers that were turned away. Whoever knocks a
// thousand times a second is counted each time, and must not fill the disk.
const tellEvery = time.Second

// refusals count who was turned away: by the services for the certificate, and by the gossip for key or name.
type refusals struct {
	log    *slog.Logger
	gossip atomic.Pointer[cluster.Membership] // nil until it is open

	mu     sync.Mutex
	peers  int64
	told   time.Time
	untold int64 // since told
}

// notices are what an identity tells. It is told in handshakes, from many goroutines.
func (r *refusals) notices() secure.Notices {
	return secure.Notices{
		Broken: func(err error) {
			r.log.Warn("the TLS files have changed and cannot be used; the old ones stay in use", "error", err)
		},
		Rejected: r.rejected,
	}
}

func (r *refusals) rejected(method, peer, reason string) {
	now := time.Now()
	r.mu.Lock()
	r.peers++
	if now.Sub(r.told) < tellEvery {
		r.untold++
		r.mu.Unlock()
		return
	}
	untold := r.untold
	r.told, r.untold = now, 0
	r.mu.Unlock()
	if method == "" {
		method = "handshake"
	}
	r.log.Warn("peer refused", "peer", peer, "at", method, "reason", reason, "not_told_before", untold)
}

// gauges are added to those of the process.
func (r *refusals) gauges(to map[string]observe.Gauge) {
	to["peers_refused"] = observe.Gauge{Help: "Connections and calls refused for the certificate that was shown, or for its lack.", Value: func() float64 {
		r.mu.Lock()
		defer r.mu.Unlock()
		return float64(r.peers)
	}}
	to["gossip_members"] = observe.Gauge{Help: "Processes that gossip sees, this one among them.", Value: func() float64 {
		if m := r.gossip.Load(); m != nil {
			return float64(len(m.Members()))
		}
		return 0
	}}
	to["gossip_refused"] = observe.Gauge{Help: "Gossip that was not taken: of another cluster, with another key, or not to be read.", Value: func() float64 {
		if m := r.gossip.Load(); m != nil {
			return float64(m.Refused())
		}
		return 0
	}}
}
