package worker

import (
	"context"
	"maps"
	"slices"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// rawRows are partitions as the round of statistics has read them, kept until they are loaded: where their Points are nothing
// but scaled columns, these are made in the same memory, and no file is read or decoded twice. It is soft state like any
// other: a partition that is not here is read, and becomes the same. What is kept takes the memory that the Points will
// take, and is forgotten when a task shows that nobody will ask for it.
type rawRows struct {
	rooms map[int]*kmeans.Room
	bytes int64 // of the rooms, those that are being filled included
}

// canWait says whether the rows of a job, if nothing is wrong with them, are nothing but float32 columns. Weights are told by the
// statistics of jobs that load nothing, too, and directions depend on whole rows.
func canWait(in *wire.Input) bool {
	return len(in.Spec.Categorical) == 0 && in.Weight == "" && !in.Spec.Normalize
}

// room makes room for a partition's rows, nil where they cannot or must not be kept.
func (e *Engine) room(k *intake) *kmeans.Room {
	if !canWait(k.in) || len(k.dropped) > 0 {
		return nil
	}
	bytes := 4 * k.part.Rows * int64(len(k.in.Spec.Numeric))
	e.mu.Lock()
	e.forget(k.part.ID)
	if e.raw.bytes+bytes > e.config.Raw || e.config.Memory > 0 && e.memory.hot+e.raw.bytes+bytes > e.memory.now.Hot {
		e.mu.Unlock()
		return nil
	}
	e.raw.bytes += bytes
	e.mu.Unlock()
	room, err := kmeans.NewRoom(int(k.part.Rows), len(k.in.Spec.Numeric))
	if err != nil {
		e.giveBack(k)
		return nil
	}
	e.nodeOf(k.part.ID).Renew(room.Blocks())
	return room
}

// giveBack frees what room has reserved.
func (e *Engine) giveBack(k *intake) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.raw.bytes -= 4 * k.part.Rows * int64(len(k.in.Spec.Numeric))
}

// forget frees a partition's rows. The caller has mu.
func (e *Engine) forget(id int) (room *kmeans.Room) {
	if room = e.raw.rooms[id]; room != nil {
		delete(e.raw.rooms, id)
		e.raw.bytes -= 4 * int64(room.Rows()) * int64(room.Columns())
	}
	return room
}

// rawLimit frees rows that wait beyond what there is room for beside the Points in memory, the last ones first. The caller
// has mu.
func (e *Engine) rawLimit(most int64) {
	ids := slices.Sorted(maps.Keys(e.raw.rooms))
	for _, id := range slices.Backward(ids) {
		if e.memory.hot+e.raw.bytes <= most {
			return
		}
		e.forget(id)
	}
}

// forgetRaw frees the rows of partitions that this task shows to be of no use any more: after statistics, each partition is
// loaded at once, by one worker as a rule. Another task may ask for what is forgotten here; it is then read.
func (e *Engine) forgetRaw(t *wire.Task) {
	switch t.Kind {
	case wire.Keys, wire.Duplicates, wire.Statistics, wire.Quantiles:
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for id := range e.raw.rooms {
		if t.Kind != wire.Load || !slices.Contains(t.Partitions, id) {
			e.forget(id)
		}
	}
}

// fill takes a batch of rows; false where they are not all there, or not all float32.
func fill(room *kmeans.Room, b *rows) bool {
	return b.Skip == nil && !slices.ContainsFunc(b.Numeric32, func(x []float32) bool { return x == nil }) &&
		room.Append(b.Numeric32, b.Rows) == nil
}

// keepRaw keeps what has been read, if nothing of it is missing or wrong.
func (e *Engine) keepRaw(k *intake, room *kmeans.Room, failed error) {
	p := k.partial
	whole := failed == nil && p.Fault == nil && int64(room.Rows()) == k.part.Rows && p.Statistics.Rows() == k.part.Rows &&
		!slices.ContainsFunc(p.Statistics.Missing(), func(n int64) bool { return n > 0 })
	if !whole {
		e.giveBack(k)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.raw.rooms[k.part.ID] = room
}

// pointsOfRaw makes Points of rows that have waited, and reads their ids if they are wanted; nil where the partition has to be
// read. All that can be wrong with the rows has been looked for by the statistics, but for a value that the transform makes
// too large: then they are read again, which says where it is.
func (e *Engine) pointsOfRaw(ctx context.Context, t *wire.Task, k *intake, ids bool) (*kmeans.Points, *handed, error) {
	e.mu.Lock()
	room := e.forget(k.part.ID)
	e.mu.Unlock()
	ids = ids && k.in.ID != ""
	if room == nil || !canWait(k.in) || len(k.dropped) > 0 || ids && k.in.BadRows == wire.BadRowsQuarantine ||
		!t.Transform.InPlace() || len(t.Transform.Numeric) != room.Columns() || !t.Transform.ApplyBlocks(room.Blocks()) {
		return nil, nil, nil
	}
	grids := t.Transform.Grids()
	exponents := make([]int, len(grids))
	for i, g := range grids {
		exponents[i] = g.Exponent
	}
	points, err := room.Points(k.part.First, exponents)
	if err != nil {
		return nil, nil, err
	}
	if ids {
		h, err := e.idsAlone(ctx, k)
		return points, h, err
	}
	k.partial.Intake.Read += k.part.Rows
	k.partial.Intake.Kept += k.part.Rows
	if e.config.Read != nil && !k.again {
		e.config.Read(k.part.Rows)
	}
	return points, nil, nil
}

// idsAlone reads the ids of a partition whose other columns are known, for the same partial.
func (e *Engine) idsAlone(ctx context.Context, k *intake) (*handed, error) {
	alone, err := newIntake(k.source, k.in, k.part, nil, wants{ids: true})
	if err != nil {
		return nil, err
	}
	alone.partial, alone.again = k.partial, k.again
	h := newHanded(k.part.Rows)
	err = e.visit(ctx, alone, func(r *rows) error {
		h.take(r, nil)
		return nil
	})
	return h, err
}
