package worker

import (
	"context"
	"fmt"
	"slices"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// learnDropped finds out which rows of a task's partitions are left out for their ids, from those who have settled the
// ranges. What it learns stays true for the job, whatever the round and the epoch.
func (e *Engine) learnDropped(ctx context.Context, t *wire.Task) error {
	if len(t.Owners) == 0 || t.Input.ID == "" || t.Input.Duplicates == wire.DuplicatesFail {
		return nil
	}
	n := len(e.config.Manifest.Partitions)
	if len(t.Owners) != n {
		return fmt.Errorf("worker: owners of %d ranges of ids, where there are %d", len(t.Owners), n)
	}
	x := &e.exchange
	x.asking.Lock()
	defer x.asking.Unlock()
	missing := x.unknown(t.Partitions)
	if len(missing) == 0 {
		return nil
	}
	var left []int64
	var orphans []int
	for _, o := range e.byOwner(x.nearest(t.Owners, e.config.Self)) {
		got, err := e.askDropped(ctx, t.Epoch, o, missing)
		if err != nil {
			if err := e.alone(ctx, o.owner, err); err != nil {
				return err
			}
			orphans = append(orphans, o.list...)
			continue
		}
		left = append(left, got...)
	}
	if len(orphans) > 0 {
		got, err := e.settleAlone(ctx, t, orphans, missing)
		if err != nil {
			return err
		}
		left = append(left, got...)
	}
	x.learn(e.config.Manifest.Partitions, missing, left)
	return nil
}

// unknown are the partitions whose rows to leave out have not been asked for.
func (x *exchange) unknown(partitions []int) []int {
	x.mu.Lock()
	defer x.mu.Unlock()
	var missing []int
	for _, id := range partitions {
		if _, known := x.dropped[id]; !known {
			missing = append(missing, id)
		}
	}
	return missing
}

// nearest is the owners, with this engine in the place of all whose ranges it has settled too.
func (x *exchange) nearest(owners []string, self string) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	owners = slices.Clone(owners)
	for r := range owners {
		if x.settled[r] {
			owners[r] = self
		}
	}
	return owners
}

// askDropped asks one owner of ranges.
func (e *Engine) askDropped(ctx context.Context, epoch uint64, o owned, partitions []int) ([]int64, error) {
	var left []int64
	r := DroppedRequest{Job: e.config.Job, Epoch: epoch, Partitions: partitions, Ranges: o.list}
	check := answer{manifest: e.config.Manifest, partitions: partitions, last: -1}
	var err error
	visit := func(rows []int64) error {
		if err := check.rows(rows); err != nil {
			return err
		}
		left = append(left, rows...)
		return nil
	}
	switch {
	case o.owner == e.config.Self:
		err = e.Dropped(ctx, r, visit)
	case o.owner == "" || e.config.Peers == nil:
		err = ErrUnknownOwner
	default:
		err = e.config.Peers.Dropped(ctx, o.owner, r, visit)
	}
	return left, err
}

// settleAlone settles ranges whose owners are gone. Their ids have been forgotten everywhere, so all partitions are read
// again, once: afterwards this engine knows the ranges itself.
func (e *Engine) settleAlone(ctx context.Context, t *wire.Task, list, partitions []int) ([]int64, error) {
	slices.Sort(list)
	n := len(e.config.Manifest.Partitions)
	in, err := newRanges(list, n)
	if err != nil {
		return nil, err
	}
	everything := make([]int, n)
	for id := range everything {
		everything[id] = id
	}
	// Whatever t reads, the policies first and last have the ids handed in by reading nothing else.
	parts, err := e.readIDs(ctx, &wire.Task{Kind: wire.Keys, Input: t.Input}, everything, in)
	if err != nil {
		return nil, err
	}
	_, left, _ := dataset.Duplicates(parts, keeps(t.Input.Duplicates))
	e.exchange.settle(list, left)
	return e.askDropped(ctx, t.Epoch, owned{e.config.Self, list}, partitions)
}

// learn keeps what is left out of partitions.
func (x *exchange) learn(manifest []partition.Partition, partitions []int, left []int64) {
	left = union(nil, left)
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, id := range partitions {
		p := manifest[id]
		x.dropped[id] = slices.Clone(between(left, p.First, p.First+p.Rows))
	}
}

// leftOut is the rows of a partition that a task leaves out for their ids. They have been learnt before. Keys, which
// brings no owners, leaves out nothing, also where a coordinator that was started again repeats it.
func (e *Engine) leftOut(t *wire.Task, id int) []int64 {
	if len(t.Owners) == 0 {
		return nil
	}
	e.exchange.mu.Lock()
	defer e.exchange.mu.Unlock()
	return e.exchange.dropped[id]
}
