package secure

import (
	"context"
	"sync/atomic"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/stats"
	"google.golang.org/grpc/status"
)

// mostCode is the last code of gRPC. A handler that makes up others is counted under Unknown.
const mostCode = codes.Unauthenticated

// Failures count the calls of a server that failed, by their code: what was too large or too often is ResourceExhausted, what
// a role may not do PermissionDenied. A method that is in no service is not seen: it costs no more than the answer. The zero
// value is ready.
type Failures struct{ by [mostCode + 1]atomic.Int64 }

// Option is what a server is made with whose calls are counted.
func (f *Failures) Option() grpc.ServerOption { return grpc.StatsHandler(failureHandler{f}) }

// Each gives the codes that there were, and how often; those of who may not call, and of who calls too much, in any case.
func (f *Failures) Each(give func(code codes.Code, count int64)) {
	for code := range f.by {
		c, n := codes.Code(code), f.by[code].Load()
		if n > 0 || c == codes.PermissionDenied || c == codes.ResourceExhausted {
			give(c, n)
		}
	}
}

// failureHandler sees also what fails before a handler, or a guard, is asked.
type failureHandler struct{ to *Failures }

// HandleRPC implements stats.Handler.
func (h failureHandler) HandleRPC(_ context.Context, s stats.RPCStats) {
	end, ok := s.(*stats.End)
	if !ok || end.Error == nil {
		return
	}
	code := status.Code(end.Error)
	if code > mostCode {
		code = codes.Unknown
	}
	h.to.by[code].Add(1)
}

// The rest of stats.Handler.

func (failureHandler) TagRPC(ctx context.Context, _ *stats.RPCTagInfo) context.Context   { return ctx }
func (failureHandler) TagConn(ctx context.Context, _ *stats.ConnTagInfo) context.Context { return ctx }
func (failureHandler) HandleConn(context.Context, stats.ConnStats)                       {}
