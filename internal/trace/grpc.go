package trace

import (
	"strings"

	"go.opentelemetry.io/contrib/instrumentation/google.golang.org/grpc/otelgrpc"
	"go.opentelemetry.io/otel/metric/noop"
	"google.golang.org/grpc"
	"google.golang.org/grpc/stats"
)

// calls are those that have spans. What rides on long streams or comes with each round has spans of its own (see package
// coordinator), and who follows a job waits for just the job.
var calls = map[string]bool{
	"coterie.v1.Jobs/Describe":     true,
	"coterie.v1.Jobs/Submit":       true,
	"coterie.v1.Jobs/Result":       true,
	"coterie.v1.Exchange/Describe": true,
}

func options(p *provided) []otelgrpc.Option {
	return []otelgrpc.Option{otelgrpc.WithTracerProvider(p.provider), otelgrpc.WithPropagators(format), otelgrpc.WithMeterProvider(noop.NewMeterProvider()),
		otelgrpc.WithFilter(func(i *stats.RPCTagInfo) bool { return calls[strings.TrimPrefix(i.FullMethodName, "/")] })}
}

// ServerOptions let the trace of who calls go on in a server; none while tracing is off.
func ServerOptions() []grpc.ServerOption {
	if p := current.Load(); p != nil {
		return []grpc.ServerOption{grpc.StatsHandler(otelgrpc.NewServerHandler(options(p)...))}
	}
	return nil
}

// DialOptions let a trace go on behind a connection; none while tracing is off.
func DialOptions() []grpc.DialOption {
	if p := current.Load(); p != nil {
		return []grpc.DialOption{grpc.WithStatsHandler(otelgrpc.NewClientHandler(options(p)...))}
	}
	return nil
}
