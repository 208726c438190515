package main

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc/codes"

	"github.com/coterie-project/coterie/internal/cluster"
	"github.com/coterie-project/coterie/internal/observe"
	"github.com/coterie-project/coterie/internal/secure"
)

// tellEvery is the shortest time between two lines of the log about peers that were turned away. Whoever knocks a
// thousand times a second is counted each time, and must not fill the disk.
const tellEvery = time.Second

// refusals count who was turned away: by the services for the certificate or for what was asked, by the gossip for key or
// name, and by either port for want of room.
type refusals struct {
	log    *slog.Logger
	gossip atomic.Pointer[cluster.Membership] // nil until it is open
	rpc    atomic.Pointer[secure.Bounded]     // likewise
	http   atomic.Pointer[observe.Server]     // likewise
	failed secure.Failures

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

// turnedAway is how many peers were, for their certificates.
func (r *refusals) turnedAway() int64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.peers
}

// report shows monitoring how many there were, and whom gossip sees.
func (r *refusals) report(to observe.Sink) {
	to.Value("peers_refused_total", float64(r.turnedAway()))
	r.failed.Each(func(code codes.Code, n int64) { to.Value("calls_failed_total", float64(n), code.String()) })
	if rpc := r.rpc.Load(); rpc != nil {
		room(to, "grpc", rpc)
	}
	if http := r.http.Load(); http != nil {
		room(to, "http", http)
	}
	members, refused := 0, uint64(0)
	if m := r.gossip.Load(); m != nil {
		members, refused = len(m.Members()), m.Refused()
	}
	to.Value("gossip_members", float64(members))
	to.Value("gossip_refused_total", float64(refused))
}

// room shows what of a port's room is taken.
func room(to observe.Sink, api string, of interface{ Connections() (int, int64) }) {
	open, refused := of.Connections()
	to.Value("connections", float64(open), api)
	to.Value("connections_refused_total", float64(refused), api)
}
