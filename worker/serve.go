package worker

import (
	"context"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/wire"
)

// Link is a worker's line to its coordinator. Reply must not wait for long.
type Link interface {
	// Tasks delivers tasks until it is closed.
	Tasks() <-chan *wire.Task
	Reply(ctx context.Context, a *wire.Answer) error
	// Drop says that a task that was delivered will have no reply.
	Drop(t *wire.Task)
}

// Serve runs a worker until the context ends or the link closes: one goroutine steps the Core, and each computation
// has its own. What is being computed for a round that is over is given up, so that a slow worker does not stay behind.
// It returns after all of them have ended.
func Serve(ctx context.Context, core *Core, engine *Engine, link Link) error {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	computed := make(chan Computed)
	defer wait.Wait()
	defer cancel()
	var current [2]uint64 // epoch and round of what is being computed
	round, giveUp := context.WithCancel(ctx)
	defer func() { giveUp() }()
	act := func(actions []Action) error {
		for _, action := range actions {
			switch action := action.(type) {
			case Compute:
				if now := [2]uint64{action.Task.Epoch, action.Task.Round}; now != current {
					giveUp()
					current = now
					round, giveUp = context.WithCancel(ctx)
				}
				computing := round
				wait.Go(func() {
					began := time.Now()
					p, err := engine.Do(computing, action.Task)
					select {
					case computed <- Computed{Task: action.Task, Partial: p, Err: err, Took: time.Since(began)}:
					case <-ctx.Done():
					}
				})
			case Reply:
				if err := link.Reply(ctx, action.Answer); err != nil {
					return err
				}
			case Dropped:
				link.Drop(action.Task)
			}
		}
		return nil
	}
	for {
		var actions []Action
		select {
		case <-ctx.Done():
			return ctx.Err()
		case task, open := <-link.Tasks():
			if !open {
				return nil
			}
			actions = core.Step(TaskArrived{Task: task})
		case done := <-computed:
			actions = core.Step(done)
		}
		if err := act(actions); err != nil {
			return err
		}
	}
}
