package loopback

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

// MaxWorkers bounds the workers of a cluster: they share this machine, and each is a process with memory of its own.
const MaxWorkers = 16

// LeastMemory is what a worker takes for --memory at least.
const LeastMemory = 64 << 20

// Fault is something that is done to a worker.
type Fault string

// The faults. Not every system has all of them: see Faults.
const (
	Kill      Fault = "SIGKILL" // it is gone at once
	Stop      Fault = "SIGSTOP" // it stands still, and its connections stay
	Terminate Fault = "SIGTERM" // it leaves in order
)

// Config says what to start.
type Config struct {
	Binary  string // the program
	Workers int    // 1 to MaxWorkers
	Threads int    // of each worker, at least 1
	Memory  int64  // bytes that each may take, at least LeastMemory; 0: as it likes
	Spill   string // folder for what does not fit; empty: the worker's own choice
}

// Cluster is a coordinator and workers, each a process. Close it. Its methods are not for several goroutines at once.
type Cluster struct {
	config   Config
	env      []string
	starter  *Starter
	folder   string // of the coordinator's state
	head     *process
	workers  []*process
	patience time.Duration // for those who are asked to leave
}

// loopbackAny is an address on this machine, at a port that is free.
const loopbackAny = "127.0.0.1:0"

// Start starts a coordinator and its workers, and returns once all have said that they can be reached. Where one cannot
// be started, or ctx ends, none is left behind.
func Start(ctx context.Context, config Config) (*Cluster, error) {
	if config.Workers < 1 || config.Workers > MaxWorkers || config.Threads < 1 {
		return nil, fmt.Errorf("loopback: %d workers of %d threads: 1 to %d workers of at least 1 are possible", config.Workers, config.Threads, MaxWorkers)
	}
	folder, err := os.MkdirTemp("", "coterie-loadtest-")
	if err != nil {
		return nil, fault.Failedf(err, "no folder for a coordinator can be made").Do("set TMPDIR to a folder that can be written")
	}
	c := &Cluster{config: config, env: environment(os.Environ()), starter: NewStarter(), folder: folder, workers: make([]*process, config.Workers),
		patience: leaveWait}
	if err := c.start(ctx); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// environment is what processes get of a process's environment: not the settings of coterie, which are for the command
// that starts them.
func environment(all []string) []string {
	var env []string
	for _, pair := range all {
		if !strings.HasPrefix(pair, "COTERIE_") {
			env = append(env, pair)
		}
	}
	return env
}

func (c *Cluster) start(ctx context.Context) (err error) {
	if c.head, err = c.starter.begin(ctx, "the coordinator", c.config.Binary, c.env, "coordinator", "--state", filepath.Join(c.folder, "state"),
		"--listen", loopbackAny, "--gossip", loopbackAny, "--http", loopbackAny); err != nil {
		return err
	}
	var wait sync.WaitGroup
	errs := make([]error, len(c.workers))
	for i := range c.workers {
		wait.Go(func() { c.workers[i], errs[i] = c.worker(ctx, i) })
	}
	wait.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// worker starts worker i.
func (c *Cluster) worker(ctx context.Context, i int) (*process, error) {
	args := []string{"worker", "--join", c.head.gossip, "--name", c.Name(i), "--threads", strconv.Itoa(c.config.Threads),
		"--listen", loopbackAny, "--gossip", loopbackAny, "--http", loopbackAny}
	if c.config.Memory > 0 {
		args = append(args, "--memory", strconv.FormatInt(c.config.Memory, 10))
	}
	if c.config.Spill != "" {
		args = append(args, "--spill", c.config.Spill)
	}
	return c.starter.begin(ctx, c.Name(i), c.config.Binary, c.env, args...)
}

// Address is the coordinator's, for --cluster.
func (c *Cluster) Address() string { return c.head.rpc }

// Name is what worker i is called, also by the coordinator.
func (c *Cluster) Name(i int) string { return fmt.Sprintf("w%d", i+1) }

// Workers is how many there are.
func (c *Cluster) Workers() int { return len(c.workers) }

// Names are what the workers are called, in order.
func (c *Cluster) Names() []string {
	names := make([]string, len(c.workers))
	for i := range names {
		names[i] = c.Name(i)
	}
	return names
}

// Do does something to worker i. A worker that is gone already is left as it is.
func (c *Cluster) Do(i int, f Fault) error {
	p := c.workers[i]
	if p.gone() {
		return nil
	}
	if err := p.signal(f); err != nil && !p.gone() {
		return fault.Failedf(err, "%s of %s", f, p.name)
	}
	return nil
}

// Mend undoes what was done to worker i: one that stands still goes on, and one that is gone is started anew.
func (c *Cluster) Mend(ctx context.Context, i int, f Fault) error {
	p := c.workers[i]
	if f == Stop && !p.gone() {
		if err := p.resume(); err != nil && !p.gone() {
			return fault.Failedf(err, "%s does not go on", p.name)
		}
		return nil
	}
	patient, cancel := context.WithTimeout(ctx, c.patience)
	defer cancel()
	p.leave(patient.Done())
	next, err := c.worker(ctx, i)
	if err != nil {
		return err
	}
	c.workers[i] = next
	return nil
}

// Close ends all processes: first they are asked to leave, and then, if they take too long, killed. Nothing is left behind.
// It may be called again.
func (c *Cluster) Close() {
	var here []*process
	for _, p := range append(c.workers, c.head) {
		if p != nil && !p.gone() {
			here = append(here, p)
			_ = p.resume() // one that stands still would not hear of it
			_ = p.signal(Terminate)
		}
	}
	patient, cancel := context.WithTimeout(context.Background(), c.patience)
	defer cancel()
	for _, p := range here {
		p.leave(patient.Done())
	}
	c.starter.Close()
	_ = os.RemoveAll(c.folder) // in the system's temporary folder, which is emptied by others too
}
