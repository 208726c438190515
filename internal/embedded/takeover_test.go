package embedded

import (
	"context"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// losing is a cluster whose second worker is lost when it is asked for a task of some kind for the n-th time: the task
// never arrives, and no answer of its comes any more.
type losing struct {
	*Cluster
	events chan coordinator.Event
	kind   wire.Kind
	after  int
	lost   bool
}

const losingWorker = "worker-2"

func (l *losing) Events() <-chan coordinator.Event { return l.events }

func (l *losing) Send(ctx context.Context, name string, t *wire.Task) error {
	does := func(t *wire.Task) bool { return t.Kind == l.kind }
	if name == losingWorker && (does(t) || slices.ContainsFunc(t.Strands, does)) {
		l.after--
	}
	if name == losingWorker && l.after < 0 {
		if !l.lost {
			l.lost = true
			l.events <- coordinator.WorkerLost{Name: name}
		}
		return nil
	}
	return l.Cluster.Send(ctx, name, t)
}

// forward passes on what the cluster says, until the context ends.
func (l *losing) forward(ctx context.Context) {
	for {
		select {
		case e := <-l.Cluster.Events():
			select {
			case l.events <- e:
			case <-ctx.Done():
				return
			}
		case <-ctx.Done():
			return
		}
	}
}

func TestWhoTakesPartitionsOverLoadsThemAndGivesTheSameBits(t *testing.T) {
	s := lognormal(9000)
	options := coordinator.FitOptions{K: 5, Init: kmeans.InitParallel, Runs: 2, Seed: 3}
	want := fitTable(t, s, 6, 1, 1, options)
	for _, fault := range []struct {
		kind  wire.Kind
		after int
	}{{wire.Statistics, 0}, {wire.Load, 0}, {wire.Seed, 0}, {wire.Seed, 4}, {wire.Iterate, 0}, {wire.Iterate, 3}, {wire.Score, 0}, {wire.Score, 1}, {wire.Label, 0}} {
		for abreast := 1; abreast <= options.Runs; abreast++ {
			options.Abreast = abreast
			after := fault.after / abreast // runs that share passes make as many fewer
			got, lost := fitLosing(t, s, fault.kind, after, options, worker.Config{})
			if !lost {
				t.Errorf("%s, %d, %d abreast: the worker was not lost: the fault fell nowhere", fault.kind, after, abreast)
			}
			if !same(got, want) {
				t.Errorf("%s, %d, %d abreast: got inertia %x after %d, want %x after %d", fault.kind, after, abreast, got.inertia, got.iterations,
					want.inertia, want.iterations)
			}
		}
	}
}

func fitLosing(t *testing.T, s *table, kind wire.Kind, after int, options coordinator.FitOptions, c worker.Config) (fitted, bool) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	m := &partition.Manifest{Rows: s.Rows()}
	for id := range int64(6) {
		m.Partitions = append(m.Partitions, partition.Partition{ID: int(id), First: id * 1500, Rows: 1500})
	}
	options.Input = &wire.Input{Spec: &feature.Spec{Numeric: []string{"x0", "x1", "x2", "x3"}, Scale: "standard", Missing: "fail"},
		BadRows: wire.BadRowsFail, Duplicates: wire.DuplicatesFail}
	options.MaxIterations, options.Labels = 25, true
	job, fit, err := coordinator.NewFit(coordinator.Config{Manifest: m, Workers: 3, Epoch: 1, Window: Window(3, 2)}, options)
	if err != nil {
		t.Fatal(err)
	}
	sink := &collected{segments: make(map[int64]int32)}
	c.Source, c.Manifest, c.Labels = s, m, sink
	cluster, err := Start(ctx, 3, 2, c)
	if err != nil {
		t.Fatal(err)
	}
	defer cluster.Close()
	l := &losing{Cluster: cluster, events: make(chan coordinator.Event, 64), kind: kind, after: after}
	forwarded := make(chan struct{})
	go func() {
		defer close(forwarded)
		l.forward(ctx)
	}()
	err = coordinator.Run(ctx, job, l, func(coordinator.Action) {})
	cancel()
	<-forwarded
	if err != nil {
		t.Fatalf("%s, %d: %v", kind, after, err)
	}
	return fittedOf(t, s, fit, sink), l.lost
}
