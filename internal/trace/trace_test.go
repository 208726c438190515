package trace

import (
	"context"
	"strings"
	"testing"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"google.golang.org/grpc/metadata"

	"github.com/coterie-project/coterie/internal/hostile"
)

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

func TestWhatIsNoTraceparentIsIgnored(t *testing.T) {
	for text, want := range map[string]string{
		parent:                                   parent,
		strings.Replace(parent, "00-", "01-", 1): parent, // a later version that begins alike
		"":                                       "",
		"00":                                     "",
		strings.ToUpper(parent):                  "",
		parent + "-more":                         "",
		strings.Repeat("0", 1000):                "",
		"00-00000000000000000000000000000000-b7ad6b7169203331-01": "",
		"00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01": "",
		"ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01": "",
		"\xff\xfe": "",
	} {
		if got := Valid(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func FuzzRemote(f *testing.F) {
	f.Add(parent)
	f.Add(parent[:20])
	f.Fuzz(func(t *testing.T, text string) {
		hostile.Ceiling(t, len(text), 64<<10, 64, func() {
			ctx := Remote(context.Background(), text)
			if id := ID(ctx); id != "" && (len(id) != 32 || Valid(Parent(ctx)) != Parent(ctx)) {
				t.Errorf("%q: got the id %q and the parent %q", text, id, Parent(ctx))
			}
		})
	})
}

func TestACallIsUnderItsOwnSpanOrThatOfItsCaller(t *testing.T) {
	sent := metadata.NewIncomingContext(context.Background(), metadata.Pairs("traceparent", parent))
	if got := Incoming(sent); got != parent {
		t.Errorf("without a span here: got %q, want %q", got, parent)
	}
	twice := metadata.NewIncomingContext(context.Background(), metadata.Pairs("traceparent", parent, "traceparent", parent))
	for _, ctx := range []context.Context{context.Background(), twice, metadata.NewIncomingContext(context.Background(), metadata.Pairs("traceparent", "x"))} {
		if got := Incoming(ctx); got != "" {
			t.Errorf("got %q, want none", got)
		}
	}
	defer Use(sdk.NewTracerProvider())()
	ctx, span := Start(Remote(sent, parent), "call")
	defer span.End(nil)
	if got := Incoming(ctx); got == parent || ID(Remote(context.Background(), got)) != ID(ctx) {
		t.Errorf("with a span here: got %q, want it in the same trace", got)
	}
}

func TestWhereTracingIsOffNothingIsMade(t *testing.T) {
	ctx, span := Start(context.Background(), "nothing", Int("rows", 1))
	span.Set(String("a", "b"))
	span.Event("e")
	span.End(context.Canceled)
	if On() || span != nil || ctx != context.Background() || ServerOptions() != nil || DialOptions() != nil {
		t.Errorf("got a span %v, want none", span)
	}
}

func TestASpanThatNobodyWaitsForHasNotFailed(t *testing.T) {
	exporter := tracetest.NewInMemoryExporter()
	defer Use(sdk.NewTracerProvider(sdk.WithSyncer(exporter)))()
	_, span := Start(context.Background(), "late")
	span.End(context.Canceled)
	_, span = Start(context.Background(), "broken")
	span.End(context.DeadlineExceeded)
	got := exporter.GetSpans()
	if len(got) != 2 || got[0].Status.Description != "" || got[1].Status.Description == "" {
		t.Errorf("got %v, want the second alone to have failed", got)
	}
}

// BenchmarkOff is what a task costs where nobody traces: two spans and the look at the parent.
func BenchmarkOff(b *testing.B) {
	ctx := context.Background()
	for b.Loop() {
		in, task := Start(ctx, "task", String("worker", "w"), Int("rows", 5), Int("round", 7))
		_, part := Start(in, "compute", Int("partitions", 3))
		part.End(nil)
		task.End(nil)
	}
}

// BenchmarkOn is the same with spans that go nowhere.
func BenchmarkOn(b *testing.B) {
	defer Use(sdk.NewTracerProvider())()
	ctx := context.Background()
	for b.Loop() {
		in, task := Start(ctx, "task", String("worker", "w"), Int("rows", 5), Int("round", 7))
		_, part := Start(in, "compute", Int("partitions", 3))
		part.End(nil)
		task.End(nil)
	}
}
