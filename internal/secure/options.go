package secure

import (
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/keepalive"
)

// streamsPerCall is how many streams a peer may open for each unary call that it may make: an iteration over tiny data
// takes a millisecond, and each worker of a machine opens one or two streams in it.
const streamsPerCall = 20

// firstRetry is the wait after the first connection that failed; from there it grows up to Limits.Reconnect.
const firstRetry = 100 * time.Millisecond

// ServerOptions are what each of our servers is made with: its credentials, the guard over Table, the limits, and a
// net under handlers that panic. Rejected peers are told to the Notices of id. Limits that are not valid are a bug of
// the caller and panic.
func ServerOptions(id *Identity, l Limits) []grpc.ServerOption {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	l = l.filled()
	guardUnary, guardStream := Guard(Table(), id, id.reject)
	calls := newBuckets(l.Rate, l.Burst, l.Peers, time.Now)
	streams := newBuckets(l.Rate*streamsPerCall, l.Burst*streamsPerCall, l.Peers, time.Now)
	return []grpc.ServerOption{
		grpc.Creds(id.Server()),
		grpc.MaxRecvMsgSize(l.Message),
		grpc.MaxHeaderListSize(l.Header),
		grpc.MaxConcurrentStreams(l.Streams),
		grpc.ConnectionTimeout(l.Connect),
		grpc.InitialWindowSize(l.Window),
		grpc.InitialConnWindowSize(l.ConnWindow),
		grpc.KeepaliveParams(keepalive.ServerParameters{Time: l.Quiet, Timeout: l.Answer, MaxConnectionIdle: l.Idle}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: l.Ping, PermitWithoutStream: true}),
		// In this order: who may not call does not use up the calls of others behind the same address.
		grpc.ChainUnaryInterceptor(rescueUnary, guardUnary, calls.unary),
		grpc.ChainStreamInterceptor(rescueStream, guardStream, streams.stream),
	}
}

// DialOptions are what each of our connections is made with; the server has to have the role want. Limits that are
// not valid panic.
func DialOptions(id *Identity, want Role, l Limits) []grpc.DialOption {
	if err := l.Validate(); err != nil {
		panic(err)
	}
	l = l.filled()
	return []grpc.DialOption{
		grpc.WithTransportCredentials(id.Client(want)),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(l.Message)),
		grpc.WithMaxHeaderListSize(l.Header),
		grpc.WithInitialWindowSize(l.Window),
		grpc.WithInitialConnWindowSize(l.ConnWindow),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: l.Quiet, Timeout: l.Answer, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: firstRetry, Multiplier: 1.6, Jitter: 0.2, MaxDelay: l.Reconnect},
			MinConnectTimeout: l.Connect,
		}),
		// Whoever answers for the name server must not set the rules of retries and waits.
		grpc.WithDisableServiceConfig(),
	}
}
