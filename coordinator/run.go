package coordinator

import (
	"context"
	"fmt"

	"github.com/coterie-project/coterie/internal/wire"
)

// Transport joins a coordinator to its workers.
type Transport interface {
	// Events delivers what workers do: joining, answering, being lost. It is not closed while Run uses it.
	Events() <-chan Event
	// Send gives a task to a worker. An error means that the worker is lost.
	Send(ctx context.Context, worker string, t *wire.Task) error
}

// Run drives a job to its end: one goroutine, the caller's. observe is given every action that is not a Send, in
// order; it must return soon. The error is that of the Failed action, or the context's.
func Run(ctx context.Context, j *Job, t Transport, observe func(Action)) (err error) {
	spans := traced(ctx, t)
	defer func() { spans.end(err) }()
	t = spans
	for {
		var event Event
		select {
		case <-ctx.Done():
			event = Cancelled{Reason: ctx.Err()}
		case event = <-t.Events():
		}
		actions := j.Step(event)
		release(event)
		done, err := carryOut(ctx, j, t, actions, func(a Action) {
			spans.observe(a)
			observe(a)
		})
		if done {
			return err
		}
	}
}

func carryOut(ctx context.Context, j *Job, t Transport, actions []Action, observe func(Action)) (bool, error) {
	for len(actions) > 0 {
		action := actions[0]
		actions = actions[1:]
		switch action := action.(type) {
		case Send:
			err := t.Send(ctx, action.Worker, action.Task)
			switch {
			case err == nil:
			case ctx.Err() != nil: // not the worker's fault
				if !j.Ended() { // or else the end is among the actions
					actions = j.Step(Cancelled{Reason: ctx.Err()})
				}
			default:
				observe(Refused{Worker: action.Worker, Err: fmt.Errorf("send: %w", err)})
				actions = append(actions, j.Step(WorkerLost{Name: action.Worker, Begun: []int{}})...)
			}
		case Finished:
			observe(action)
			return true, nil
		case Failed:
			observe(action)
			return true, action.Err
		default:
			observe(action)
		}
	}
	return false, nil
}
