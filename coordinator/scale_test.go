package coordinator

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// toll is what a metropolis took: events, and what the Job's steps allocated for them.
type toll struct {
	events, bytes, peak uint64
}

// each is the bytes for an event.
func (c toll) each() float64 { return float64(c.bytes) / float64(c.events) }

// live is a fit of so many iterations, from its first worker to its last label.
func (m *metropolis) live(workers, iterations int) (c toll) {
	m.begin(workers, iterations, workers)
	heap := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	var before, after runtime.MemStats
	m.run(func(events int, steps func()) {
		metrics.Read(heap)
		c.peak = max(c.peak, heap[0].Value.Uint64())
		runtime.ReadMemStats(&before)
		steps()
		runtime.ReadMemStats(&after)
		c.bytes += after.TotalAlloc - before.TotalAlloc
		c.events += uint64(events)
	})
	return c
}

// calmly is what the fit gives one worker that nothing befalls.
func calmly(t testing.TB, partitions, iterations int) FitResult {
	m := newMetropolis(t, partitions, 0, 0)
	m.labels = false
	m.begin(1, iterations, 1)
	m.run(func(_ int, steps func()) { steps() })
	return m.fit.Result
}

// The cost of an event is counted in bytes, since time tells nothing on a busy machine: what looks at every worker or every
// partition for an answer makes lists of them. The statements that are carried out are counted by make bench-scale.
func TestAnAnswerCostsTheSameInATownAndInAMetropolis(t *testing.T) {
	const iterations, workers = 3, 30
	small := newMetropolis(t, 100*workers, 0.02, 1).live(workers, iterations)
	m := newMetropolis(t, 1000*workers, 0.02, 2)
	large := m.live(10*workers, iterations)
	if large.events < 9*small.events || large.each() > 1.5*small.each() {
		t.Errorf("got %.0f bytes for each of %d events, want no more than about the %.0f for each of %d with a tenth of workers and partitions",
			large.each(), large.events, small.each(), small.events)
	}
	got, want := m.fit.Result, calmly(t, 1000*workers, iterations)
	if !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia || got.Iterations != iterations || want.Iterations != iterations {
		t.Errorf("got inertia %v after %d iterations, want %v after %d, and the same centroids", got.Inertia, got.Iterations, want.Inertia, want.Iterations)
	}
	for _, kind := range []string{"loss", "join", "straggling", "measured"} {
		if m.meter.events[kind] == 0 {
			t.Errorf("nothing came of the churn: no %s", kind)
		}
	}
	if m.refused == 0 {
		t.Error("no answer came twice or too late")
	}
}

func TestAServerTakesACityThroughAFit(t *testing.T) {
	const workers, partitions, iterations = 100, 1000, 3
	c := newCity(t, workers, partitions, iterations)
	defer c.halt()
	for !c.over() {
		c.round()
	}
	data, err := c.server.config.Store.Result(c.id)
	c.must(err)
	got := c.result(data)
	if want := calmly(t, partitions, iterations); !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia || got.Iterations != want.Iterations {
		t.Errorf("got inertia %v after %d iterations, want %v after %d, and the same centroids", got.Inertia, got.Iterations, want.Inertia, want.Iterations)
	}
	if n := len(c.server.Snapshot().Workers); n != workers {
		t.Errorf("%d workers are shown, want %d", n, workers)
	}
}
