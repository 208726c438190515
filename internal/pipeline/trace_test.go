package pipeline

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	oteltrace "go.opentelemetry.io/otel/trace"

	"github.com/coterie-project/coterie/internal/progress"
	"github.com/coterie-project/coterie/internal/trace"
)

// recorded keeps all spans that end while the test runs.
func recorded(t *testing.T) *tracetest.InMemoryExporter {
	t.Helper()
	exporter := tracetest.NewInMemoryExporter()
	t.Cleanup(trace.Use(sdk.NewTracerProvider(sdk.WithSyncer(exporter))))
	return exporter
}

// first calls back with the first iteration.
type first struct {
	progress.Reporter
	do func()
}

func (f first) Iteration(run, iteration int, inertia float64, moved, rows int64) {
	f.do()
	f.Reporter.Iteration(run, iteration, inertia, moved, rows)
}

// underOneRoot holds that spans are one trace with one root, and that each kind of span lies in the kind that it should. It
// gives the names of the workers that have tasks.
func underOneRoot(t *testing.T, spans tracetest.SpanStubs, above map[string][]string) []string {
	t.Helper()
	byID := make(map[oteltrace.SpanID]tracetest.SpanStub)
	for _, s := range spans {
		byID[s.SpanContext.SpanID()] = s
	}
	kindOf := func(s tracetest.SpanStub) string {
		kind, _, _ := strings.Cut(s.Name, " ")
		return kind
	}
	roots, seen := 0, make(map[string]bool)
	var workers []string
	for _, s := range spans {
		if s.SpanContext.TraceID() != spans[0].SpanContext.TraceID() {
			t.Errorf("%q is of another trace", s.Name)
		}
		kind := kindOf(s)
		seen[kind] = true
		parent, known := byID[s.Parent.SpanID()]
		switch {
		case !s.Parent.IsValid():
			roots++
		case !known:
			t.Errorf("%q lies in a span that is nowhere", s.Name)
		case above[kind] != nil && !slices.Contains(above[kind], kindOf(parent)):
			t.Errorf("%q lies in %q, want one of %v", s.Name, parent.Name, above[kind])
		}
		for _, a := range s.Attributes {
			if kind == "task" && a.Key == "worker" && !slices.Contains(workers, a.Value.AsString()) {
				workers = append(workers, a.Value.AsString())
			}
		}
	}
	if roots != 1 {
		t.Errorf("got %d roots, want 1", roots)
	}
	for kind := range above {
		if !seen[kind] {
			t.Errorf("there is no span %q", kind)
		}
	}
	slices.Sort(workers)
	return workers
}

// inner is what lies in what, from the job down.
var inner = map[string][]string{"phase": {"job"}, "round": {"phase"}, "task": {"round"}, "read": {"task"}, "compute": {"task"}}

func tracedFit(t *testing.T, cluster *Cluster, iterations int, report progress.Reporter) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	ctx, root := trace.Start(ctx, "command")
	r := FitRequest{Data: Data{Files: []string{"synth://uniform?rows=140000&d=32&seed=3"}}, K: 8, Init: "random", Runs: 1, MaxIter: iterations,
		Model: filepath.Join(t.TempDir(), "m.json"), Engine: Engine{Workers: 2, Threads: 2, Reporter: report, Cluster: cluster}}
	_, err := Fit(ctx, &r)
	root.End(err)
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnEmbeddedJobIsOneTrace(t *testing.T) {
	exporter := recorded(t)
	tracedFit(t, nil, 5, progress.New(progress.None, nil))
	above := map[string][]string{"job": {"command"}}
	for kind, in := range inner {
		above[kind] = in
	}
	if workers := underOneRoot(t, exporter.GetSpans(), above); len(workers) != 2 {
		t.Errorf("got tasks of %v, want those of two workers", workers)
	}
}

func TestAJobOnAClusterIsOneTraceAlsoWhenAWorkerIsLost(t *testing.T) {
	above := map[string][]string{"job": {"coterie.v1.Jobs/Submit"}, "coterie.v1.Jobs/Submit": {"command", "coterie.v1.Jobs/Submit"}}
	for kind, in := range inner {
		above[kind] = in
	}
	for range 10 { // until the loss falls into the job
		exporter := recorded(t)
		c := newCampThatKeeps(t, time.Minute)
		c.worker("w0", 1)
		_, stop := c.worker("w1", 1)
		for ready := 0; ready < 2; time.Sleep(5 * time.Millisecond) {
			status, err := c.server.Status(t.Context(), nil)
			c.must(err)
			ready = len(status.Workers)
		}
		var wait sync.WaitGroup
		lose := sync.OnceFunc(func() { wait.Go(stop) })
		tracedFit(t, c.cluster(1), 60, first{progress.New(progress.None, nil), lose})
		wait.Wait()
		c.close() // and with it every span
		spans := exporter.GetSpans()
		if got := fmt.Sprint(underOneRoot(t, spans, above)); got != "[w0 w1]" {
			t.Errorf("got tasks of %s, want those of both workers", got)
		}
		for _, s := range spans {
			for _, e := range s.Events {
				if e.Name == "partitions reassigned" {
					return
				}
			}
		}
	}
	t.Error("in ten jobs no partition was reassigned because of the worker that went")
}
