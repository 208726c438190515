package trace

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// flushWait is how long the last spans may take to be handed on when a process ends. They are worth a moment, and not more.
const flushWait = 3 * time.Second

// sayEvery is the shortest time between two complaints about an exporter: one that is away for days must not fill a log.
const sayEvery = time.Minute

// Options are what Setup works with.
type Options struct {
	Service string // OTEL_SERVICE_NAME beats it
	Version string
	// Lookup gives a variable of the environment; empty: not set.
	Lookup func(name string) string
	// Problem is told, now and then, why spans are lost. It may be called from any goroutine.
	Problem func(error)
}

var lost atomic.Int64

// Lost is how often this process could not hand spans on.
func Lost() int64 { return lost.Load() }

// Setup makes spans and sends them to where the environment says: OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT), by
// OTEL_EXPORTER_OTLP_PROTOCOL (http/protobuf, which is the default, or grpc), under OTEL_SERVICE_NAME, as many as
// OTEL_TRACES_SAMPLER says; OTEL_EXPORTER_OTLP_HEADERS, …_CERTIFICATE, …_TIMEOUT, OTEL_RESOURCE_ATTRIBUTES, OTEL_BSP_… and
// OTEL_SPAN_… are those of OpenTelemetry. Without an endpoint, with OTEL_SDK_DISABLED=true or OTEL_TRACES_EXPORTER=none
// nothing is made. end hands on what is left, within flushWait, and switches tracing off. What the environment has wrong is
// told to Problem and costs the traces, never the work: end is never nil.
func Setup(ctx context.Context, o Options) (end func()) {
	protocol, endpoint, wanted := choose(o.Lookup)
	if !wanted {
		return func() {}
	}
	exporter, err := exporterOf(ctx, protocol, endpoint)
	if err != nil {
		lost.Add(1)
		o.Problem(fmt.Errorf("no traces are sent: %w", err))
		return func() {}
	}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(o.Problem)) // what the library finds wrong, such as a sampler that it does not know
	provider := sdk.NewTracerProvider(sdk.WithBatcher(&counted{SpanExporter: exporter, problem: o.Problem}), sdk.WithResource(resourceOf(o)))
	restore := Use(provider)
	return func() {
		restore()
		ctx, cancel := context.WithTimeout(context.Background(), flushWait)
		defer cancel()
		if err := provider.Shutdown(ctx); err != nil && ctx.Err() != nil {
			lost.Add(1) // what the exporter itself could not do is counted there
		}
	}
}

// choose says by which protocol spans are to be sent, and where to, and whether they are at all.
func choose(lookup func(string) string) (protocol, endpoint string, wanted bool) {
	first := func(names ...string) string {
		for _, name := range names {
			if value := strings.TrimSpace(lookup(name)); value != "" {
				return value
			}
		}
		return ""
	}
	endpoint = first("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
	if endpoint == "" || strings.EqualFold(first("OTEL_SDK_DISABLED"), "true") || strings.EqualFold(first("OTEL_TRACES_EXPORTER"), "none") {
		return "", "", false
	}
	protocol = first("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
	if protocol == "" {
		protocol = "http/protobuf"
	}
	return protocol, endpoint, true
}

// exporterOf makes an exporter, which reads the environment itself. It would take another endpoint for one that is no URL.
func exporterOf(ctx context.Context, protocol, endpoint string) (*otlptrace.Exporter, error) {
	if u, err := url.Parse(endpoint); err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_ENDPOINT: %q is no URL with http or https", endpoint)
	}
	switch protocol {
	case "grpc":
		return otlptracegrpc.New(ctx)
	case "http/protobuf":
		return otlptracehttp.New(ctx)
	}
	return nil, fmt.Errorf("OTEL_EXPORTER_OTLP_PROTOCOL: %q is neither grpc nor http/protobuf", protocol)
}

// resourceOf says whose spans they are. What of the environment cannot be read is left out.
func resourceOf(o Options) *resource.Resource {
	ours := resource.NewSchemaless(attribute.String("service.name", o.Service), attribute.String("service.version", o.Version))
	said, err := resource.New(context.Background(), resource.WithFromEnv(), resource.WithTelemetrySDK(), resource.WithHost(), resource.WithProcessPID())
	if err != nil {
		o.Problem(fmt.Errorf("OTEL_RESOURCE_ATTRIBUTES: %w", err))
	}
	merged, err := resource.Merge(ours, said)
	if err != nil {
		return ours
	}
	return merged
}

// counted is an exporter whose failures are counted, and told of now and then.
type counted struct {
	sdk.SpanExporter
	problem func(error)

	mu   sync.Mutex
	said time.Time
}

// ExportSpans implements sdk.SpanExporter. The error goes no further: the library would print it.
func (c *counted) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := c.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	lost.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	if now := time.Now(); now.Sub(c.said) > sayEvery {
		c.said = now
		c.problem(fmt.Errorf("%d spans were not sent: %w", len(spans), err))
	}
	return nil
}
