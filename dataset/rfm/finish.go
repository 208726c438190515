package rfm

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// finish makes the result of a store that has seen all lines. It leaves the store empty.
func finish(ctx context.Context, p *plan, s *store, done tally) (*Result, error) {
	r := &Result{RowsRead: done.read, Roles: p.columns.roles(p.src.Schema()), AsOf: time.UnixMicro(p.asOf).UTC(), disk: s.disk}
	expected := anySpelling
	for i := range s.shards {
		expected.merge(s.shards[i].spelling)
	}
	gathered := newRows(expected.order(), s.disk, p.budget)
	seen, err := p.gather(ctx, s, gathered, &done, &r.Customers)
	if err != nil {
		return nil, p.tooLarge(err)
	}
	if r.Customers == 0 && p.openEnd {
		return nil, p.nothingLeft(done)
	}
	if o := seen.order(); o != gathered.order {
		// A customer without a purchase, who is not in the result, had an id of another spelling.
		if gathered, err = gathered.reordered(ctx, o, p.budget); err != nil {
			return nil, err
		}
	}
	if err := gathered.settle(ctx); err != nil {
		return nil, err
	}
	if r.scales, err = rank(ctx, gathered, r.Customers, p.asOf); err != nil {
		return nil, err
	}
	r.rows, r.integers = gathered, gathered.order.numbers && seen.fits
	r.RowsUsed, r.Dropped = done.used, done.dropped
	r.SpilledRuns, r.SpilledBytes = s.disk.runs.Load(), s.disk.bytes.Load()
	return r, nil
}

// gather moves the customers from the store into rows, shard by shard, with all threads. It counts those with a
// purchase. The returns of the others had nothing to be taken off: they are dropped after all.
func (p *plan) gather(ctx context.Context, s *store, to *rows, done *tally, count *int64) (spelling, error) {
	room := p.budget - int64(p.threads)*to.limit
	for i := range s.shards {
		room -= s.shards[i].bytes()
	}
	to.room.Store(room)
	gatherers := make([]*gatherer, min(p.threads, shardCount))
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var next atomic.Int64
	var wait sync.WaitGroup
	for i := range gatherers {
		g := &gatherer{collector: to.collector()}
		gatherers[i] = g
		wait.Go(func() {
			for at := next.Add(1) - 1; at < shardCount; at = next.Add(1) - 1 {
				if err := g.shard(ctx, &s.shards[at]); err != nil {
					cancel(err)
					return
				}
			}
			if err := g.seal(); err != nil {
				cancel(err)
			}
		})
	}
	wait.Wait()
	seen := anySpelling
	if ctx.Err() != nil {
		return seen, context.Cause(ctx)
	}
	for _, g := range gatherers {
		seen.merge(g.seen)
		*count += g.count
		done.used -= g.back.cancelled + g.back.negative
		done.dropped.Cancelled += g.back.cancelled
		done.dropped.NonpositiveQuantity += g.back.negative
	}
	return seen, nil
}

// gatherer is one goroutine of gather. It is the sink of merged runs.
type gatherer struct {
	*collector
	back      returned // by customers without a purchase
	customer  partial
	frequency int64
}

// shard takes a shard's customers and gives its memory back.
func (g *gatherer) shard(ctx context.Context, sh *shard) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	size := sh.bytes()
	if len(sh.runs) == 0 {
		for at := range sh.customers {
			g.customer, g.frequency = sh.partial(uint32(at)), sh.customers[at].frequency
			if err := g.end(); err != nil {
				return err
			}
		}
		sh.release()
		g.rows.room.Add(size)
		return nil
	}
	if err := sh.spill(&g.writer); err != nil {
		return err
	}
	sh.release()
	g.rows.room.Add(size)
	runs, err := reduce(ctx, sh.runs, func(runs []sortedRun) (sortedRun, error) {
		if err := mergeRuns(ctx, g.rows.disk, runs, &runSink{runWriter: &g.writer}); err != nil {
			return sortedRun{}, err
		}
		return g.writer.end()
	})
	if err != nil {
		return err
	}
	sh.runs = nil
	return mergeRuns(ctx, g.rows.disk, runs, g)
}

func (g *gatherer) head(p *partial) error {
	g.customer, g.frequency = *p, 0
	return nil
}

func (g *gatherer) key(invoiceKey) error {
	g.frequency++
	return nil
}

// end makes a row of the customer.
func (g *gatherer) end() error {
	c := &g.customer
	if !c.bought {
		g.back.cancelled += c.returned.cancelled
		g.back.negative += c.returned.negative
		return nil
	}
	return g.add(&row{id: c.id, first: c.first, last: c.last, frequency: g.frequency, money: c.money.float64(),
		items: decimalFloat(c.items, itemScale)})
}

// reordered is the rows in another order.
func (r *rows) reordered(ctx context.Context, o idOrder, memory int64) (*rows, error) {
	to := newRows(o, r.disk, memory)
	to.room.Store(r.room.Load())
	c := to.collector()
	if err := r.each(ctx, c.add); err != nil {
		return nil, err
	}
	return to, c.seal()
}
