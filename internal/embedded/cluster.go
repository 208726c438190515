package embedded

import (
	"context"
	"fmt"
	"sync"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// Cluster is W workers in this process. Close it.
type Cluster struct {
	cancel context.CancelFunc
	wait   sync.WaitGroup
	events chan coordinator.Event
	tasks  map[string]chan *wire.Task
	// engines are the workers', closed with the cluster: their spill files are gone then.
	engines []*worker.Engine
}

// Window is how many partitions of a label round may be under way at once: enough that every thread has one in work
// and one waiting to be written.
func Window(workers, threads int) int { return 2 * max(workers, threads) }

// Start starts workers that share a source; threads is for all of them together, at least one each. config's
// Threads and Self are ignored; they ask each other about ids directly unless config brings other Peers. They share its Memory
// alike.
//
// The channels hold more than a job can have under way (a Window of partitions, or one task for each worker, twice
// over for tasks that are asked for again), so that neither side waits for the other while it is waited for.
func Start(ctx context.Context, workers, threads int, config worker.Config) (*Cluster, error) {
	if workers < 1 || threads < 1 {
		return nil, fmt.Errorf("embedded: %d workers with %d threads: at least 1 of each is needed", workers, threads)
	}
	ctx, cancel := context.WithCancel(ctx)
	room := 2*Window(workers, threads) + 2*workers
	c := &Cluster{cancel: cancel, events: make(chan coordinator.Event, room), tasks: make(map[string]chan *wire.Task)}
	all := make(peers, workers) // complete before anybody asks
	if config.Peers == nil {
		config.Peers = all
	}
	config.Memory, config.Shares = config.Memory/int64(workers), int64(workers)
	for i := range workers {
		config.Threads = threadsOf(i, workers, threads)
		config.Self = nameOf(i)
		engine, err := worker.NewEngine(config)
		if err != nil {
			cancel()
			return nil, err
		}
		all[config.Self] = engine
		c.engines = append(c.engines, engine)
	}
	for i := range workers {
		name := nameOf(i)
		engine := all[name]
		tasks := make(chan *wire.Task, room)
		joined := coordinator.WorkerJoined{Worker: partition.Worker{Name: name, Weight: threadsOf(i, workers, threads), Memory: config.Memory, Spills: true}}
		c.tasks[name] = tasks
		c.wait.Go(func() {
			l := &link{tasks: tasks, events: c.events}
			if l.tell(ctx, joined) == nil {
				// The only errors are the context's: the link has no others.
				_ = worker.Serve(ctx, worker.NewCore(name), engine, l)
			}
		})
	}
	return c, nil
}

func nameOf(i int) string { return fmt.Sprintf("worker-%d", i+1) }

// threadsOf is worker i's share of the threads.
func threadsOf(i, workers, threads int) int { return max(1, (threads+i)/workers) }

// Events implements coordinator.Transport.
func (c *Cluster) Events() <-chan coordinator.Event { return c.events }

// Send implements coordinator.Transport. A worker's loop takes tasks while it computes, so this does not wait for a
// computation.
func (c *Cluster) Send(ctx context.Context, name string, t *wire.Task) error {
	select {
	case c.tasks[name] <- t:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Close stops the workers and returns after the last has ended.
func (c *Cluster) Close() {
	c.cancel()
	c.wait.Wait()
	for _, e := range c.engines {
		_ = e.Close() // what is closed is thrown away
	}
}

// Spilled is how many bytes lie on the disk now, and how many were read from there so far.
func (c *Cluster) Spilled() (used, read int64) {
	for _, e := range c.engines {
		u, r := e.Spilled()
		used, read = used+u, read+r
	}
	return used, read
}

// link is a worker's end.
type link struct {
	tasks  chan *wire.Task
	events chan<- coordinator.Event
}

// Tasks implements worker.Link.
func (l *link) Tasks() <-chan *wire.Task { return l.tasks }

// Reply implements worker.Link.
func (l *link) Reply(ctx context.Context, a *wire.Answer) error {
	return l.tell(ctx, coordinator.Answered{Answer: a})
}

// Drop implements worker.Link: the coordinator keeps its own books.
func (l *link) Drop(*wire.Task) {}

func (l *link) tell(ctx context.Context, e coordinator.Event) error {
	select {
	case l.events <- e:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
