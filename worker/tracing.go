package worker

import (
	"cmp"
	"context"

	"github.com/coterie-project/coterie/internal/trace"
	"github.com/coterie-project/coterie/internal/wire"
)

// trace begins the span of a task, under the round that it belongs to. Of a round without one, which may be one of too many,
// tasks have none either.
func (e *Engine) trace(ctx context.Context, t *wire.Task, rows int64) (context.Context, *trace.Span) {
	if t.Trace == "" || !trace.On() {
		return ctx, nil
	}
	return trace.Start(trace.Remote(ctx, t.Trace), "task", trace.String("worker", cmp.Or(e.config.Name, e.config.Self)),
		trace.String("kind", string(t.Kind)), trace.Int("round", t.Round), trace.Int("epoch", t.Epoch), trace.Int("partitions", len(t.Partitions)),
		trace.Int("rows", rows))
}

// within does a part of a traced task in a span of its own.
func within(ctx context.Context, name string, t *wire.Task, do func(context.Context, *wire.Task) (*wire.Partial, error)) (*wire.Partial, error) {
	if t.Trace == "" {
		return do(ctx, t)
	}
	ctx, span := trace.Start(ctx, name, trace.Int("partitions", len(t.Partitions)))
	p, err := do(ctx, t)
	span.End(err)
	return p, err
}
