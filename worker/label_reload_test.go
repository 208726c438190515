package worker

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// counted is a sink that counts rows.
type counted struct {
	mu   sync.Mutex
	rows int
}

func (c *counted) Put(_ context.Context, l *Labels) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rows += l.Rows
	return nil
}

// Label tasks run side by side, each on a thread, and the partitions of some of them have to be loaded first, which takes
// threads too.
func TestLabelsOfPartitionsThatAreTakenOverDoNotWaitForEachOther(t *testing.T) {
	const partitions = 8
	ids, rows := make([]string, 0, partitions*50), make([]int, 0, partitions)
	for i := range partitions * 50 {
		ids = append(ids, strconv.Itoa(i))
	}
	for range partitions {
		rows = append(rows, 50)
	}
	c := newCircle(t, peopleOf(ids...), cutAt(rows...), "w0")
	e := c.engines["w0"]
	e.tokens = make(chan struct{}, 1) // one thread
	sink := new(counted)
	e.config.Labels = sink
	in := peopleInput(wire.DuplicatesFail)
	owners := make([]string, partitions)
	for i := range owners {
		owners[i] = "w0"
	}
	p := c.do(t, t.Context(), wire.Task{Epoch: 1, Round: 1, Kind: wire.Statistics, Input: in}, owners)
	transform, err := feature.Fit(in.Spec, p.Statistics, nil)
	if err != nil {
		t.Fatal(err)
	}
	load := &wire.Task{Epoch: 1, Round: 2, Kind: wire.Load, Input: in, Transform: transform, K: 1}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	for turn := range 20 {
		e.mu.Lock()
		clear(e.held)
		e.mu.Unlock()
		sink.rows = 0
		var wait sync.WaitGroup
		for id := range partitions {
			task := &wire.Task{Epoch: 1, Round: uint64(3 + turn), Kind: wire.Label, Partitions: []int{id}, Input: in, Reload: load,
				Centroids: &kmeans.Centroids{K: 2, D: transform.Width(), Values: make([]float32, 2*transform.Width())}}
			wait.Go(func() {
				if _, err := e.Do(ctx, task); err != nil {
					t.Errorf("turn %d, partition %d: %v", turn, id, err)
				}
			})
		}
		done := make(chan struct{})
		go func() { wait.Wait(); close(done) }()
		select {
		case <-done:
		case <-ctx.Done():
			t.Fatalf("turn %d: the tasks wait for each other", turn)
		}
		if sink.rows != partitions*50 {
			t.Errorf("turn %d: %d rows were labelled, want %d", turn, sink.rows, partitions*50)
		}
	}
}
