package trace

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	spans "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/grpc"
	"google.golang.org/protobuf/proto"
)

// receiver takes spans over OTLP.
type receiver struct {
	collector.UnimplementedTraceServiceServer
	mu    sync.Mutex
	spans []*spans.ResourceSpans
	head  http.Header
}

// Export implements collector.TraceServiceServer.
func (r *receiver) Export(_ context.Context, req *collector.ExportTraceServiceRequest) (*collector.ExportTraceServiceResponse, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.spans = append(r.spans, req.ResourceSpans...)
	return &collector.ExportTraceServiceResponse{}, nil
}

// ServeHTTP takes what OTLP over HTTP sends.
func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, err := io.ReadAll(q.Body)
	message := &collector.ExportTraceServiceRequest{}
	if err == nil {
		err = proto.Unmarshal(body, message)
	}
	if err != nil || q.URL.Path != "/v1/traces" {
		http.Error(w, "no", http.StatusBadRequest)
		return
	}
	r.mu.Lock()
	r.head = q.Header
	r.mu.Unlock()
	r.Export(q.Context(), message)
}

// seen are the names of the spans that came, and the service that they are of.
func (r *receiver) seen() (names []string, service string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, of := range r.spans {
		for _, a := range of.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, scope := range of.ScopeSpans {
			for _, s := range scope.Spans {
				names = append(names, s.Name)
			}
		}
	}
	return names, service
}

// begin sets tracing up with an environment of its own.
func begin(t *testing.T, env map[string]string) (end func(), problems func() []error) {
	t.Helper()
	for _, name := range []string{"OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_SERVICE_NAME", "OTEL_TRACES_SAMPLER", "OTEL_EXPORTER_OTLP_HEADERS",
		"OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"} {
		t.Setenv(name, env[name])
		if env[name] == "" {
			os.Unsetenv(name)
		}
	}
	var mu sync.Mutex
	var said []error
	end = Setup(t.Context(), Options{Service: "coterie-test", Version: "1", Lookup: os.Getenv, Problem: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		said = append(said, err)
	}})
	return end, func() []error {
		mu.Lock()
		defer mu.Unlock()
		return said
	}
}

// work makes two spans, one in the other.
func work() (id string) {
	ctx, outer := Start(context.Background(), "outer", String("job", "job-x"))
	_, inner := Start(ctx, "inner", Int("rows", 5))
	inner.End(errors.New("no luck"))
	outer.End(nil)
	return ID(ctx)
}

func TestTheEnvironmentSaysWhereSpansGo(t *testing.T) {
	r := &receiver{}
	web := httptest.NewServer(r)
	defer web.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	g := grpc.NewServer()
	collector.RegisterTraceServiceServer(g, r)
	var wait sync.WaitGroup
	wait.Go(func() { g.Serve(listener) })
	defer wait.Wait()
	defer g.Stop()
	rpc := "http://" + listener.Addr().String()
	cases := []struct {
		name    string
		env     map[string]string
		spans   int
		service string
	}{
		{"HTTP by default", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": web.URL, "OTEL_EXPORTER_OTLP_HEADERS": "who=us"}, 2, "coterie-test"},
		{"gRPC", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": rpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SERVICE_NAME": "mine"}, 2, "mine"},
		{"an endpoint for traces alone", map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": web.URL + "/v1/traces"}, 2, "coterie-test"},
		{"a protocol for traces alone", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": rpc, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
			"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, 2, "coterie-test"},
		{"none sampled", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": web.URL, "OTEL_TRACES_SAMPLER": "always_off"}, 0, ""},
		{"switched off", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": web.URL, "OTEL_SDK_DISABLED": "TRUE"}, 0, ""},
		{"no exporter", map[string]string{"OTEL_EXPORTER_OTLP_ENDPOINT": web.URL, "OTEL_TRACES_EXPORTER": "none"}, 0, ""},
		{"no endpoint", map[string]string{"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, 0, ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			r.spans = nil
			end, problems := begin(t, c.env)
			work()
			end()
			names, service := r.seen()
			if len(names) != c.spans || service != c.service || len(problems()) > 0 || On() {
				t.Errorf("got spans %v of %q, problems %v, on afterwards: %v, want %d of %q", names, service, problems(), On(), c.spans, c.service)
			}
		})
	}
	if got := r.head.Get("User-Agent"); got == "" {
		t.Error("no request over HTTP was seen")
	}
}

func TestWhatCannotTakeSpansCostsThemAndNothingElse(t *testing.T) {
	over := make(chan struct{})
	hangs := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, _ *http.Request) { <-over }))
	defer hangs.Close()
	defer close(over)
	refuses := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusForbidden) }))
	defer refuses.Close()
	for name, env := range map[string]map[string]string{
		"an unknown protocol":   {"OTEL_EXPORTER_OTLP_ENDPOINT": refuses.URL, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
		"who refuses":           {"OTEL_EXPORTER_OTLP_ENDPOINT": refuses.URL},
		"who does not answer":   {"OTEL_EXPORTER_OTLP_ENDPOINT": hangs.URL},
		"an address that is no": {"OTEL_EXPORTER_OTLP_ENDPOINT": "::no::"},
		"an unknown sampler":    {"OTEL_EXPORTER_OTLP_ENDPOINT": refuses.URL, "OTEL_TRACES_SAMPLER": "sometimes"},
	} {
		t.Run(name, func(t *testing.T) {
			before := Lost()
			end, problems := begin(t, env)
			work()
			began := time.Now()
			end()
			if took := time.Since(began); took > 10*flushWait {
				t.Errorf("the end took %v, want about %v at most", took, flushWait)
			}
			if said := problems(); Lost() == before && len(said) == 0 {
				t.Error("got no word of what was lost")
			} else if len(said) > 0 && strings.Contains(said[0].Error(), "\n") {
				t.Errorf("got %q, want one line", said[0])
			}
		})
	}
}
