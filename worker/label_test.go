package worker

import (
	"context"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// kept is a sink that keeps copies.
type kept map[int]Labels

func (k kept) Put(_ context.Context, l *Labels) error {
	k[l.Partition] = Labels{Segment: slices.Clone(l.Segment), Distance: slices.Clone(l.Distance)}
	return nil
}

func labelledBy(t *testing.T, e *Engine, c *kmeans.Centroids, id int) Labels {
	t.Helper()
	sink := make(kept)
	e.config.Labels = sink
	task := &wire.Task{Kind: wire.Label, Centroids: c, Partitions: []int{id}, Input: &wire.Input{Spec: &feature.Spec{}}}
	if _, err := e.Do(t.Context(), task); err != nil {
		t.Fatal(err)
	}
	return sink[id]
}

func score(t *testing.T, e *Engine, c *kmeans.Centroids, run int) {
	t.Helper()
	if _, err := e.Do(t.Context(), &wire.Task{Kind: wire.Score, Run: run, Centroids: c, Partitions: []int{0, 1, 2}}); err != nil {
		t.Fatal(err)
	}
}

func TestLabelsThatAPassHasLeftAreThoseThatAreComputed(t *testing.T) {
	other := &kmeans.Centroids{K: 3, D: 2, Values: []float32{90, 1, 2, 40, 30, 30}}
	e, c := holdingEngine(t, 2)
	fresh, _ := holdingEngine(t, 2)
	for _, runs := range [][]*kmeans.Centroids{{c}, {other, c}, {c, other}} {
		for run, centroids := range runs {
			score(t, e, centroids, run)
		}
		for id := range 3 {
			got, want := labelledBy(t, e, c, id), labelledBy(t, fresh, c, id)
			if !slices.Equal(got.Segment, want.Segment) || !slices.Equal(got.Distance, want.Distance) {
				t.Errorf("after %d passes: partition %d: the labels are not those of a worker that knows none", len(runs), id)
			}
		}
	}
}

func TestLabelsOfAPassAreTakenOnlyForItsCentroids(t *testing.T) {
	e, c := holdingEngine(t, 1)
	score(t, e, c, 0)
	track := e.held[1].tracks[0].Track
	right := track.Labels[7]
	track.Labels[7] = (right + 1) % 3 // a mark that only who takes the labels as they are can show
	if got := labelledBy(t, e, c, 1).Segment[7]; got != int32(track.Labels[7]) {
		t.Errorf("to the centroids of the pass: got %d, want the label that is known, %d", got, track.Labels[7])
	}
	moved := c.Clone()
	moved.Values[0]++
	fresh, _ := holdingEngine(t, 1)
	if got, want := labelledBy(t, e, moved, 1).Segment, labelledBy(t, fresh, moved, 1).Segment; !slices.Equal(got, want) {
		t.Error("to other centroids the labels of the pass were taken")
	}
	e.dissolve([]int{0})
	if got := labelledBy(t, e, c, 1).Segment[7]; got != int32(right) {
		t.Errorf("after the pass was forgotten: got %d, want %d", got, right)
	}
}

// busySink labels other partitions while it writes one, as another thread of the worker would, and holds that what it
// writes stays as it is meanwhile.
type busySink struct {
	t       *testing.T
	e       *Engine
	task    *wire.Task
	writing bool
	wrote   int
}

func (b *busySink) Put(ctx context.Context, l *Labels) error {
	if b.writing {
		return nil
	}
	b.writing = true
	defer func() { b.writing = false }()
	partition, segment, distance := l.Partition, slices.Clone(l.Segment), slices.Clone(l.Distance)
	others := *b.task
	others.Partitions = slices.DeleteFunc([]int{0, 1, 2}, func(id int) bool { return id == partition })
	if _, err := b.e.Do(ctx, &others); err != nil {
		return err
	}
	if l.Partition != partition || !slices.Equal(l.Segment, segment) || !slices.Equal(l.Distance, distance) {
		b.t.Errorf("partition %d: its labels were written over while they were written", partition)
	}
	b.wrote++
	return nil
}

func TestLabelsAreNotWrittenOverWhileTheyAreWritten(t *testing.T) {
	e, c := holdingEngine(t, 1)
	sink := &busySink{t: t, e: e, task: &wire.Task{Kind: wire.Label, Centroids: c, Partitions: []int{0, 1, 2}, Input: &wire.Input{Spec: &feature.Spec{}}}}
	e.config.Labels = sink
	if _, err := e.Do(t.Context(), sink.task); err != nil || sink.wrote != 3 {
		t.Errorf("%d partitions were written, %v, want 3", sink.wrote, err)
	}
}
