package worker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// owned is numbers, of partitions or of ranges, that one worker has.
type owned struct {
	owner string
	list  []int
}

// byOwner groups all numbers by who has them. It begins with this engine and goes on in a circle, so that workers
// which ask at one time do not all ask the same one first.
func (e *Engine) byOwner(owners []string) []owned {
	at := make(map[string]int)
	var groups []owned
	for n, name := range owners {
		i, known := at[name]
		if !known {
			i = len(groups)
			at[name] = i
			groups = append(groups, owned{owner: name})
		}
		groups[i].list = append(groups[i].list, n)
	}
	turn := func(name string) int {
		if name < e.config.Self {
			return 1
		}
		return 0
	}
	slices.SortFunc(groups, func(a, b owned) int {
		return cmp.Or(turn(a.owner)-turn(b.owner), cmp.Compare(a.owner, b.owner))
	})
	return groups
}

// ErrUnknownOwner is a question to a worker that nobody can name any more.
var ErrUnknownOwner = errors.New("the worker that has the ids is gone")

// alone decides over an error of asking: nil means that this engine has to find out by itself.
func (e *Engine) alone(ctx context.Context, owner string, err error) error {
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, ErrBadAnswer):
		return fault.Failedf(err, "worker %s", owner)
	}
	if e.config.Lost != nil {
		e.config.Lost(owner, err)
	}
	return nil
}

// settle does a Duplicates round: the task's partitions are numbers of ranges of ids. Memory is bounded by the ids in
// these ranges.
func (e *Engine) settle(ctx context.Context, t *wire.Task) (*wire.Partial, error) {
	n := len(e.config.Manifest.Partitions)
	if len(t.Owners) != n {
		return nil, fmt.Errorf("worker: owners of %d partitions, where there are %d", len(t.Owners), n)
	}
	if err := ascend(t.Partitions, n); err != nil {
		return nil, fmt.Errorf("%w: ranges %w", ErrBadRequest, err)
	}
	var first *dataset.Duplicate
	var left []int64
	p := &wire.Partial{}
	for some := range slices.Chunk(t.Partitions, e.rangesAtOnce(len(t.Partitions))) {
		in, err := newRanges(some, n)
		if err != nil {
			return nil, err
		}
		parts, err := e.gather(ctx, t, in)
		if err != nil {
			return nil, err
		}
		found, out, count := dataset.Duplicates(parts, keeps(t.Input.Duplicates))
		if found != nil && (first == nil || found.Again < first.Again) {
			first = found
		}
		left, p.Dropped = append(left, out...), p.Dropped+count
	}
	if t.Input.Duplicates != wire.DuplicatesFail {
		e.exchange.settle(t.Partitions, left)
		return p, nil
	}
	if first != nil {
		p.Fault = &wire.RowFault{Row: first.Again, Err: twice(e.config.Source, t.Input.ID, first)}
	}
	return p, nil
}

// comparedBytes is what an id takes while equal ones are looked for, beside itself: its row's number and its place among the others.
const comparedBytes = 8 + 16

// rangesAtOnce is how many of so many ranges of ids are looked through at a time: as many as memory has room for, at least one.
func (e *Engine) rangesAtOnce(ranges int) int {
	if e.config.Memory <= 0 || ranges == 0 {
		return max(ranges, 1)
	}
	held, ids, size := e.exchange.bytes()
	e.mu.Lock()
	room := e.config.Memory - capacity.WorkerOverhead - e.memory.hot - e.raw.bytes - held
	e.mu.Unlock()
	each := int64(comparedBytes + idBytes)
	if ids > 0 {
		each = comparedBytes + size/ids
	}
	all := e.config.Manifest.Rows / int64(len(e.config.Manifest.Partitions)) * int64(ranges) * each
	room = max(room, e.config.Memory/settleShare)
	if all <= room {
		return ranges
	}
	return max(1, int(int64(ranges)*room/all))
}

// settleShare is which part of the memory equal ids may be looked for in, if there is less: to look through all ids again and
// again for a few of them would take for ever.
const settleShare = 16

// bytes is what the ids that were handed in take, how many they are, and how long they are together.
func (x *exchange) bytes() (held, ids, size int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, h := range x.handed {
		ids += int64(h.ids.Len())
		size += int64(h.ids.Bytes())
		held += int64(8 * len(h.rows.list))
	}
	return held + size, ids, size
}

func keeps(policy wire.DuplicateIDs) dataset.Keep {
	switch policy {
	case wire.DuplicatesFirst:
		return dataset.KeepFirst
	case wire.DuplicatesLast:
		return dataset.KeepLast
	}
	return dataset.KeepAll
}

// twice is the error about an id that stands twice. Only who has the data can say where its rows lie.
func twice(s dataset.Source, column string, d *dataset.Duplicate) error {
	at := s.Locate(d.Again)
	at.Column = column
	first := s.Locate(d.First)
	if first.File == at.File {
		first.File = ""
	}
	return fault.Inputf(at, "the id %s is there twice: first at %s", d.ID, first).
		Do("keep one of them with --duplicates first or last, or name another column with --id")
}

// gather collects all ids of the job that lie in some ranges, from who has them.
func (e *Engine) gather(ctx context.Context, t *wire.Task, in *ranges) ([]dataset.IDPart, error) {
	var parts []dataset.IDPart
	var orphans []int
	for _, o := range e.byOwner(t.Owners) {
		got, err := e.pull(ctx, t, o, in)
		if err != nil {
			if err := e.alone(ctx, o.owner, err); err != nil {
				return nil, err
			}
			orphans = append(orphans, o.list...)
			continue
		}
		parts = append(parts, got...)
	}
	how := t.Reload
	if how == nil {
		how = t
	}
	own, err := e.readIDs(ctx, how, orphans, in)
	return append(parts, own...), err
}

// pull asks one owner for its ids. Nothing is taken of an answer that was cut short.
func (e *Engine) pull(ctx context.Context, t *wire.Task, o owned, in *ranges) ([]dataset.IDPart, error) {
	var parts []dataset.IDPart
	if o.owner == e.config.Self && in.all {
		list, err := e.exchange.kept(o.list)
		for _, h := range list {
			parts = append(parts, h.part())
		}
		return parts, err
	}
	r := IDsRequest{Job: e.config.Job, Epoch: t.Epoch, Partitions: o.list, Of: len(in.in)}
	for n, wanted := range in.in {
		if wanted {
			r.Ranges = append(r.Ranges, n)
		}
	}
	check := answer{manifest: e.config.Manifest, partitions: o.list, last: -1}
	var err error
	visit := func(p IDPart) error {
		if err := check.part(&p, in); err != nil {
			return err
		}
		parts = append(parts, dataset.IDPart{IDs: p.IDs, Row: func(i int) int64 { return p.Rows[i] }})
		return nil
	}
	switch {
	case o.owner == e.config.Self:
		err = e.IDs(ctx, r, visit)
	case o.owner == "" || e.config.Peers == nil:
		err = ErrUnknownOwner
	default:
		err = e.config.Peers.IDs(ctx, o.owner, r, visit)
	}
	return parts, err
}

func (h *handed) part() dataset.IDPart { return dataset.IDPart{IDs: h.ids, Row: h.rows.at} }

// answer holds what another worker says against what it was asked: rows ascend, and lie in the partitions asked for,
// which bounds how many there can be.
type answer struct {
	manifest   *partition.Manifest
	partitions []int
	at         int // in partitions
	last       int64
}

func (a *answer) rows(list []int64) error {
	if len(list) == 0 {
		return fmt.Errorf("%w: an empty part", ErrBadAnswer)
	}
	for _, row := range list {
		if row <= a.last {
			return fmt.Errorf("%w: row %d after row %d", ErrBadAnswer, row, a.last)
		}
		for a.at < len(a.partitions) && row >= a.end() {
			a.at++
		}
		if a.at == len(a.partitions) || row < a.manifest.Partitions[a.partitions[a.at]].First {
			return fmt.Errorf("%w: row %d was not asked for", ErrBadAnswer, row)
		}
		a.last = row
	}
	return nil
}

func (a *answer) end() int64 {
	p := a.manifest.Partitions[a.partitions[a.at]]
	return p.First + p.Rows
}

// part is rows, with an id of the ranges asked for each.
func (a *answer) part(p *IDPart, in *ranges) error {
	if p.IDs == nil || p.IDs.Len() != len(p.Rows) {
		return fmt.Errorf("%w: not as many ids as rows", ErrBadAnswer)
	}
	if err := a.rows(p.Rows[:min(1, len(p.Rows))]); err != nil {
		return err
	}
	if p.Partition != a.partitions[a.at] || p.Rows[len(p.Rows)-1] >= a.end() {
		return fmt.Errorf("%w: rows from %d on are not of partition %d", ErrBadAnswer, p.Rows[0], p.Partition)
	}
	if len(p.Rows) > 1 {
		if err := a.rows(p.Rows[1:]); err != nil {
			return err
		}
	}
	for i := range p.Rows {
		if !in.has(p.IDs.Hash(i)) {
			return fmt.Errorf("%w: the id of row %d is not of the ranges asked for", ErrBadAnswer, p.Rows[i])
		}
	}
	return nil
}

// readIDs finds ids by reading the partitions: any worker can, though it takes longer than asking. how is the task that
// the ids were handed in for; rows count exactly where they did then.
func (e *Engine) readIDs(ctx context.Context, how *wire.Task, partitions []int, in *ranges) ([]dataset.IDPart, error) {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		failed error
		parts  []dataset.IDPart
	)
	for _, id := range partitions {
		if !e.acquire(ctx) {
			break
		}
		wait.Go(func() {
			defer e.release()
			got, err := e.readHanded(ctx, how, id, in)
			mu.Lock()
			defer mu.Unlock()
			if err != nil && failed == nil {
				failed = err
			}
			parts = append(parts, got...)
		})
	}
	wait.Wait()
	return parts, errors.Join(failed, ctx.Err())
}

// readHanded reads one partition's ids, and keeps those of some ranges.
func (e *Engine) readHanded(ctx context.Context, how *wire.Task, id int, in *ranges) ([]dataset.IDPart, error) {
	want := keyWants(how.Input)
	if how.Transform != nil {
		want = wants{features: true, weight: true, ids: true}
	}
	k, err := newIntake(e.config.Source, how.Input, e.config.Manifest.Partitions[id], nil, want)
	if err != nil {
		return nil, err
	}
	k.again = true
	var h *handed
	if how.Transform != nil {
		_, h, err = e.points(ctx, how, k, true)
	} else {
		h, err = e.keys(ctx, k)
	}
	switch {
	case err != nil:
		return nil, err
	case k.partial.Fault != nil:
		return nil, k.partial.Fault.Err
	}
	var parts []dataset.IDPart
	err = h.pick(id, in, func(p IDPart) error {
		parts = append(parts, dataset.IDPart{IDs: p.IDs, Row: func(i int) int64 { return p.Rows[i] }})
		return nil
	})
	return parts, err
}

// keyWants is what is read where only the ids matter: a row that is left out for a missing value does not count among
// the ids either.
func keyWants(in *wire.Input) wants {
	return wants{features: in.Spec.Missing == feature.Drop, ids: true}
}
