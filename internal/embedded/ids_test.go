package embedded

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/worker"
)

// named is a table whose last column is ids.
type named struct {
	*table
	ids []string
}

func (s *named) Schema() *dataset.Schema {
	schema := s.table.Schema()
	schema.Columns = append(schema.Columns, dataset.Column{Name: "id", Kind: dataset.Text})
	return schema
}

func (s *named) Read(_ context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	numbers := slices.DeleteFunc(slices.Clone(fields), func(f dataset.Field) bool { return f.Column == len(s.columns) })
	return &namedReader{tableReader{s.table, first, first + rows, numbers}, s, fields}, nil
}

type namedReader struct {
	tableReader
	named  *named
	wanted []dataset.Field
}

func (r *namedReader) Next() (*dataset.Block, error) {
	b, err := r.tableReader.Next()
	for at, f := range r.wanted {
		if err != nil || f.Column < len(r.named.columns) {
			continue
		}
		text := dataset.Strings{Offsets: []int{0}}
		for _, id := range r.named.ids[b.First : b.First+int64(b.Rows)] {
			text.Data = append(text.Data, id...)
			text.Offsets = append(text.Offsets, len(text.Data))
		}
		b.Columns = slices.Insert(b.Columns, at, dataset.Vector{Text: text})
	}
	return b, err
}

// labelled keeps labels by id.
type labelled struct {
	mu       sync.Mutex
	segments map[string]int32
	integers bool
}

func (c *labelled) Put(_ context.Context, l *worker.Labels) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.integers = l.Integers
	for i := range l.Rows {
		c.segments[string(l.IDs.AppendTo(nil, i))] = l.Segment[i]
	}
	return nil
}

// nobody answers no question.
type nobody struct {
	mu    sync.Mutex
	asked int
}

var errNobody = errors.New("nobody is there")

func (n *nobody) ask() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	return errNobody
}

func (n *nobody) IDs(context.Context, string, worker.IDsRequest, func(worker.IDPart) error) error {
	return n.ask()
}
func (n *nobody) Dropped(context.Context, string, worker.DroppedRequest, func([]int64) error) error {
	return n.ask()
}

// fitNamed is what a fit of rows with ids gives: all of it, or the error.
type fitNamed struct {
	values   []float32
	inertia  float64
	left     int64
	segments map[string]int32
	integers bool
	err      string
}

func (f fitNamed) equal(o fitNamed) bool {
	return slices.Equal(f.values, o.values) && f.inertia == o.inertia && f.left == o.left && maps.Equal(f.segments, o.segments) &&
		f.integers == o.integers && f.err == o.err
}

// over runs a job, by way of something between it and the cluster where that is not nil.
type over func(ctx context.Context, c *Cluster) (coordinator.Transport, func())

func (s *named) fit(t *testing.T, policy wire.DuplicateIDs, workers int, peers worker.Peers, way over) fitNamed {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	in := &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1"}, Scale: feature.Robust, Missing: feature.Fail}, ID: "id",
		BadRows: wire.BadRowsFail, Duplicates: policy}
	m := evenly(s.Rows(), 5)
	job, fit, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: workers, Epoch: 1, Window: Window(workers, 2)},
		coordinator.FitOptions{Input: in, K: 3, Init: kmeans.InitParallel, Runs: 1, MaxIterations: 10, Seed: 2, Labels: true})
	if err != nil {
		t.Fatal(err)
	}
	sink := &labelled{segments: make(map[string]int32)}
	cluster, err := Start(ctx, workers, 2, worker.Config{Source: s, Manifest: m, Labels: sink, Peers: peers})
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	var transport coordinator.Transport = cluster
	if way != nil {
		through, ended := way(ctx, cluster)
		transport = through
		defer func() { cancel(); ended() }()
	}
	if err := coordinator.Run(ctx, job, transport, func(coordinator.Action) {}); err != nil {
		return fitNamed{err: err.Error()}
	}
	r := fit.Result
	return fitNamed{r.Centroids.Values, r.Inertia, r.Intake.Duplicates, sink.segments, sink.integers, ""}
}

// crowd has ids of which some stand twice, in other orders than their rows.
func crowd(rows int, form string) *named {
	s := &named{table: lognormal(rows)}
	s.columns = s.columns[:2]
	for i := range rows {
		s.ids = append(s.ids, fmt.Sprintf(form, (i*7919)%(rows-rows/20)))
	}
	return s
}

var policies = []wire.DuplicateIDs{wire.DuplicatesFail, wire.DuplicatesFirst, wire.DuplicatesLast}

func TestDuplicatesAreTheSameHoweverTheWorkIsDivided(t *testing.T) {
	for _, form := range []string{"%d", "%05d", "customer %d"} {
		s := crowd(2000, form)
		for _, policy := range policies {
			want := s.fit(t, policy, 1, nil, nil)
			if policy == wire.DuplicatesFail && want.err == "" || policy != wire.DuplicatesFail && (want.left == 0 || want.integers != (form == "%d")) {
				t.Fatalf("%s, %s: got %+v: no duplicates, or ids of the wrong kind", form, policy, want)
			}
			for workers := 2; workers <= 4; workers++ {
				if got := s.fit(t, policy, workers, nil, nil); !got.equal(want) {
					t.Errorf("%s, %s, %d workers: got %v left out, %q; want %v, %q", form, policy, workers, got.left, got.err, want.left, want.err)
				}
			}
			deaf := &nobody{}
			if got := s.fit(t, policy, 3, deaf, nil); !got.equal(want) || deaf.asked == 0 {
				t.Errorf("%s, %s, nobody answers %d questions: got %v left out, %q; want %v, %q", form, policy, deaf.asked, got.left, got.err, want.left, want.err)
			}
		}
	}
}

func TestAWorkerLostWhileIDsAreSettledChangesNothing(t *testing.T) {
	s := crowd(2000, "%d")
	for _, policy := range policies {
		want := s.fit(t, policy, 1, nil, nil)
		kinds := []wire.Kind{wire.Keys, wire.Duplicates, wire.Statistics, wire.Load, wire.Seed, wire.Label}
		if policy == wire.DuplicatesFail {
			kinds = []wire.Kind{wire.Load, wire.Duplicates}
		}
		for _, kind := range kinds {
			for _, deaf := range []bool{false, true} {
				var l *losing
				var peers worker.Peers
				if deaf {
					peers = &nobody{}
				}
				got := s.fit(t, policy, 3, peers, func(ctx context.Context, c *Cluster) (coordinator.Transport, func()) {
					l = &losing{Cluster: c, events: make(chan coordinator.Event, 64), kind: kind}
					forwarded := make(chan struct{})
					go func() {
						defer close(forwarded)
						l.forward(ctx)
					}()
					return l, func() { <-forwarded }
				})
				if !l.lost {
					t.Errorf("%s, %s: the worker was not lost: the fault fell nowhere", policy, kind)
				}
				if !got.equal(want) {
					t.Errorf("%s, %s, nobody answers %v: got %v left out, %q; want %v, %q", policy, kind, deaf, got.left, got.err, want.left, want.err)
				}
			}
		}
	}
}
