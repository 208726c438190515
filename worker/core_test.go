package worker

import (
	"errors"
	"fmt"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
)

// script drives a Core by steps and describes what it does.
func describe(actions []Action) string {
	text := ""
	for _, a := range actions {
		switch a := a.(type) {
		case Compute:
			text += fmt.Sprintf("compute %v ", a.Task.Partitions)
		case Reply:
			text += fmt.Sprintf("reply %d.%d %v ", a.Answer.Epoch, a.Answer.Round, a.Answer.Covered)
			if a.Answer.Err != nil {
				text += a.Answer.Err.Error() + " "
			}
		case Dropped:
			text += "drop "
		}
	}
	return text
}

func task(epoch, round uint64, partitions ...int) *wire.Task {
	return &wire.Task{Epoch: epoch, Round: round, Partitions: partitions}
}

func TestCoreFollowsTheNewestRoundAndDropsTheRest(t *testing.T) {
	c := NewCore("w")
	for i, step := range []struct {
		e    Event
		want string
	}{
		{TaskArrived{task(1, 1, 0, 1)}, "compute [0 1] "},
		{TaskArrived{task(1, 1, 0, 1)}, "drop "},               // the same while it is computed
		{TaskArrived{task(1, 1, 2)}, "compute [2] "},           // more of the same round
		{Computed{Task: task(1, 1, 0, 1)}, "reply 1.1 [0 1] "}, // answered
		{TaskArrived{task(1, 1, 0, 1)}, "compute [0 1] "},      // asked again: computed again
		{TaskArrived{task(1, 2, 0)}, "compute [0] "},           // the next round
		{Computed{Task: task(1, 1, 2)}, "drop "},               // late
		{TaskArrived{task(1, 1, 2)}, "drop "},                  // a stale round
		{Computed{Task: task(1, 2, 0), Err: errors.New("x")}, "reply 1.2 [0] x "},
		{TaskArrived{task(2, 1, 0)}, "compute [0] "}, // a new coordinator begins again
		{TaskArrived{task(1, 9, 0)}, "drop "},        // the old one has no effect
		{Computed{Task: task(1, 2, 0)}, "drop "},
	} {
		if got := describe(c.Step(step.e)); got != step.want {
			t.Errorf("step %d: got %q, want %q", i, got, step.want)
		}
	}
}
