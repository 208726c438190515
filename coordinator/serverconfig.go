package coordinator

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/coterie-project/coterie/internal/checkpoint"
)

// ServerConfig is what a coordinator's server works with. Fields of value 0 take the defaults.
type ServerConfig struct {
	Version string // of the program, for messages to people
	Store   *checkpoint.Store
	Epoch   uint64 // of this start; above that of every start before
	Log     *slog.Logger

	// Running is how many jobs run at once, each with an equal share of the workers' threads; others wait in a queue, in
	// the order of their submission. Default 4.
	Running int
	// Queue is how many jobs may wait; one more is refused. Default 1000.
	Queue int
	// Kept is how many jobs that have ended are remembered with their results. Default 100.
	Kept int
	// AnswerMemory is how many bytes of answers may be read and wait for their merging at once, over all jobs; further
	// answers wait at their workers. Default 1 GiB. A single answer above it takes all of it.
	AnswerMemory int64
	// Beat is how often workers say that they are alive. Default 1 s.
	Beat time.Duration
	// Missed is how many beats may be missed before a worker is suspected and its partitions go to others. Default 3.
	Missed int
	// Reconnect is for how long a worker whose connection has broken is waited for. Default 1 s.
	Reconnect time.Duration
	// Checkpoint is the longest time between two checkpoints of a job that gets on. Default 10 s.
	Checkpoint time.Duration
	// Orphan is for how long a job that is not detached goes on after nobody has followed it any more. Default 60 s.
	Orphan time.Duration
	// Straggler is how long a task takes at least before copies of it are given to idle workers. Default 2 s.
	Straggler time.Duration
}

func (c *ServerConfig) withDefaults() error {
	preset(&c.Running, 4)
	preset(&c.Queue, 1000)
	preset(&c.Kept, 100)
	preset(&c.AnswerMemory, 1<<30)
	preset(&c.Beat, time.Second)
	preset(&c.Missed, 3)
	preset(&c.Reconnect, time.Second)
	preset(&c.Checkpoint, CheckpointEvery)
	preset(&c.Orphan, time.Minute)
	preset(&c.Straggler, 2*time.Second)
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	switch {
	case c.Running < 1 || c.Queue < 1 || c.Kept < 1 || c.AnswerMemory < 1 || c.Missed < 1:
		return fmt.Errorf("coordinator: %d running, %d queued, %d kept, %d bytes, %d beats missed: all must be at least 1", c.Running,
			c.Queue, c.Kept, c.AnswerMemory, c.Missed)
	case c.Beat < 0 || c.Reconnect < 0 || c.Checkpoint < 0 || c.Orphan < 0 || c.Straggler < 0:
		return fmt.Errorf("coordinator: a negative time in the configuration")
	case c.Store == nil || c.Epoch == 0:
		return fmt.Errorf("coordinator: no store, or no epoch")
	}
	return nil
}

// preset gives a field that is not set its default.
func preset[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
