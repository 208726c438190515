package secure

import (
	"context"
	"log/slog"
	"runtime/debug"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// rescueUnary ends the call of a handler that panics, and not the process with all its other calls.
func rescueUnary(ctx context.Context, request any, info *grpc.UnaryServerInfo, handler grpc.UnaryHandler) (reply any, err error) {
	defer rescue(ctx, info.FullMethod, &err)
	return handler(ctx, request)
}

// rescueStream is the same for streams.
func rescueStream(server any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handler grpc.StreamHandler) (err error) {
	defer rescue(stream.Context(), info.FullMethod, &err)
	return handler(server, stream)
}

// rescue is deferred: it turns a panic into an error. What the panic said stays in the log of this process, since it
// may quote data that the caller must not see. A panic in a goroutine of the handler's own is not caught.
func rescue(ctx context.Context, method string, err *error) {
	value := recover()
	if value == nil {
		return
	}
	slog.Error("a handler panicked, which is a bug", "method", method, "peer", address(ctx), "panic", value, "stack", string(debug.Stack()))
	*err = status.Errorf(codes.Internal, "%s: a bug ended this call; the log of the server has the details", method)
}
