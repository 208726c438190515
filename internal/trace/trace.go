package trace

import (
	"context"
	"errors"
	"sync/atomic"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"
)

// scope is the name that spans are made under.
const scope = "github.com/coterie-project/coterie"

// maxParent is the longest traceparent that is looked at: that of version 00 has 55 bytes, later ones may add to it.
const maxParent = 128

// provided is where spans are made.
type provided struct {
	provider trace.TracerProvider
	tracer   trace.Tracer
}

var current atomic.Pointer[provided] // nil: tracing is off

// Use makes spans with provider from now on, and returns how to take that back. It is for Setup and for tests.
func Use(provider trace.TracerProvider) (restore func()) {
	before := current.Swap(&provided{provider, provider.Tracer(scope)})
	return func() { current.Store(before) }
}

// On says whether spans are made.
func On() bool { return current.Load() != nil }

// Span is a stretch of time. A nil Span does nothing.
type Span struct{ span trace.Span }

// Attribute is something known of a span.
type Attribute = attribute.KeyValue

// String and Int make attributes.
func String(key, value string) Attribute { return attribute.String(key, value) }

// Int makes an attribute of a number.
func Int[N int | int64 | uint64](key string, value N) Attribute {
	return attribute.Int64(key, int64(value))
}

// Start begins a span within that of ctx. The context given back is for what belongs to it.
func Start(ctx context.Context, name string, attributes ...Attribute) (context.Context, *Span) {
	p := current.Load()
	if p == nil {
		return ctx, nil
	}
	ctx, span := p.tracer.Start(ctx, name, trace.WithAttributes(attributes...))
	return ctx, &Span{span}
}

// Set adds what has become known.
func (s *Span) Set(attributes ...Attribute) {
	if s != nil {
		s.span.SetAttributes(attributes...)
	}
}

// Event marks a moment in the span.
func (s *Span) Event(name string, attributes ...Attribute) {
	if s != nil {
		s.span.AddEvent(name, trace.WithAttributes(attributes...))
	}
}

// End ends the span; an error says that what it stands for failed. That nobody waits for it any more is not a failure.
func (s *Span) End(err error) {
	switch {
	case s == nil:
		return
	case errors.Is(err, context.Canceled):
		s.span.SetAttributes(attribute.Bool("cancelled", true))
	case err != nil:
		s.span.SetStatus(codes.Error, err.Error())
	}
	s.span.End()
}

// format is how traces travel.
var format propagation.TraceContext

// Parent is the traceparent of the span of ctx; empty if there is none. State of vendors does not travel.
func Parent(ctx context.Context) string {
	carrier := propagation.MapCarrier{}
	format.Inject(ctx, carrier)
	return carrier[parentKey]
}

const parentKey = "traceparent"

// Remote gives a context within a span of another process. What is no traceparent is ignored.
func Remote(ctx context.Context, parent string) context.Context {
	if len(parent) == 0 || len(parent) > maxParent {
		return ctx
	}
	return format.Extract(ctx, propagation.MapCarrier{parentKey: parent})
}

// Valid gives parent back if it is a traceparent, in its shortest form, and empty otherwise.
func Valid(parent string) string { return Parent(Remote(context.Background(), parent)) }

// ID is the id of the trace that ctx belongs to, in 32 hex digits; empty if it belongs to none.
func ID(ctx context.Context) string {
	if c := trace.SpanContextFromContext(ctx); c.HasTraceID() {
		return c.TraceID().String()
	}
	return ""
}

// Incoming is the traceparent that a call was made under: of its span here, or, where this process makes none, what the
// caller sent.
func Incoming(ctx context.Context) string {
	if parent := Parent(ctx); parent != "" {
		return parent
	}
	if md, ok := metadata.FromIncomingContext(ctx); ok {
		if sent := md.Get(parentKey); len(sent) == 1 {
			return Valid(sent[0])
		}
	}
	return ""
}
