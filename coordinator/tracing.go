package coordinator

import (
	"context"

	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
)

// tracedRounds is how many rounds of a job have spans. A fit over little data makes a thousand a second: a trace of all of
// them would say no more than one of the first, and would not be taken anywhere.
const tracedRounds = 1000

// tracing makes spans of what a job does, within that of its context: for each phase, and in it for each round, under which
// the tasks of workers find their place. Nil does nothing.
type tracing struct {
	Transport
	job          context.Context
	inPhase      context.Context
	phase, round *trace.Span
	name         Phase
	parent       string // what tasks are told
	rounds       int
}

// traced puts spans around a transport; where none are made, tasks only pass on what the context has from elsewhere.
func traced(ctx context.Context, t Transport) *tracing {
	return &tracing{Transport: t, job: ctx, inPhase: ctx, parent: trace.Parent(ctx)}
}

// Send implements Transport.
func (t *tracing) Send(ctx context.Context, worker string, task *wire.Task) error {
	task.Trace = t.parent
	return t.Transport.Send(ctx, worker, task)
}

// observe follows what the job does.
func (t *tracing) observe(a Action) {
	if !trace.On() {
		return
	}
	switch a := a.(type) {
	case PhaseBegun:
		if a.Phase != t.name || t.phase == nil {
			t.end(nil)
			t.name = a.Phase
			t.inPhase, t.phase = trace.Start(t.job, "phase "+string(a.Phase), trace.String("phase", string(a.Phase)), trace.Int("rows", a.Rows))
		}
	case Opened:
		t.open(a)
	case Reassigned:
		t.round.Event("partitions reassigned", trace.String("worker", a.From), trace.Int("partitions", a.Partitions))
	case Speculated:
		t.round.Event("partitions speculated", trace.String("worker", a.Slow), trace.Int("partitions", a.Partitions))
	case Refused:
		t.round.Event("answer refused", trace.String("worker", a.Worker), trace.String("error", a.Err.Error()))
	case Waiting:
		if a.Have < a.Need {
			t.round.Event("waiting for workers", trace.Int("workers", a.Have), trace.Int("need", a.Need))
		}
	}
}

// open ends the round before and begins another.
func (t *tracing) open(o Opened) {
	t.round.End(nil)
	t.round, t.parent = nil, ""
	if t.rounds++; t.rounds > tracedRounds {
		t.phase.Set(trace.Int("rounds_left_out", t.rounds-tracedRounds))
		return
	}
	within, round := trace.Start(t.inPhase, "round "+string(o.Kind), trace.String("kind", string(o.Kind)), trace.Int("round", o.Round),
		trace.Int("partitions", o.Partitions))
	if o.Iteration > 0 {
		round.Set(trace.Int("iteration", o.Iteration))
	}
	t.round, t.parent = round, trace.Parent(within)
}

// end ends what is under way.
func (t *tracing) end(err error) {
	t.round.End(err)
	t.phase.End(err)
	t.round, t.phase = nil, nil
}
