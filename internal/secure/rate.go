package secure

import (
	"container/list"
	"context"
	"net"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// buckets hold a token bucket for each peer: a call takes a token, and tokens come back at an even rate.
type buckets struct {
	rate, burst float64 // tokens a second, and at most
	most        int     // peers
	now         func() time.Time

	mu     sync.Mutex
	byPeer map[string]*list.Element
	recent *list.List // of *bucket, the one used last in front
}

type bucket struct {
	peer   string
	tokens float64
	at     time.Time // when tokens was right
}

func newBuckets(rate, burst float64, most int, now func() time.Time) *buckets {
	return &buckets{rate: rate, burst: burst, most: most, now: now, byPeer: make(map[string]*list.Element), recent: list.New()}
}

// take takes a token of peer; false if there is none.
func (b *buckets) take(peer string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	now := b.now()
	own := b.of(peer, now)
	// A clock that was set back gives nothing, and takes nothing.
	passed := max(now.Sub(own.at), 0)
	own.tokens = min(own.tokens+float64(passed.Seconds()*b.rate), b.burst)
	own.at = now
	if own.tokens < 1 {
		return false
	}
	own.tokens--
	return true
}

// of is the bucket of peer, which is full if it is new. It may take the place of another's.
func (b *buckets) of(peer string, now time.Time) *bucket {
	if e, ok := b.byPeer[peer]; ok {
		b.recent.MoveToFront(e)
		return e.Value.(*bucket)
	}
	if len(b.byPeer) == b.most {
		oldest := b.recent.Back()
		delete(b.byPeer, b.recent.Remove(oldest).(*bucket).peer)
	}
	own := &bucket{peer: peer, tokens: b.burst, at: now}
	b.byPeer[peer] = b.recent.PushFront(own)
	return own
}

// unary is the interceptor around take.
func (b *buckets) unary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (any, error) {
	if peer := machine(address(ctx)); !b.take(peer) {
		return nil, status.Errorf(codes.ResourceExhausted, "%s: more than %v calls a second from %s; wait a moment", info.FullMethod, b.rate, peer)
	}
	return handler(ctx, request)
}

// stream is the interceptor around take for streams.
func (b *buckets) stream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) error {
	if peer := machine(address(stream.Context())); !b.take(peer) {
		return status.Errorf(codes.ResourceExhausted, "%s: more than %v streams a second from %s; wait a moment", info.FullMethod, b.rate, peer)
	}
	return handler(server, stream)
}

// machine is the host of an address: whoever opens more connections gets no more calls.
func machine(address string) string {
	if host, _, err := net.SplitHostPort(address); err == nil {
		return host
	}
	return address
}
