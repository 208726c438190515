package coordinator

import (
	"errors"
	"math"
	"slices"

	"github.com/coterie-project/coterie/partition"
)

// Place gives the workers their partitions as a job does that begins, of whose rowBytes spillable need not be held by workers
// that spill. They get more than they seem to have room for where there is no other way, which fit says: the error is of those that
// cannot spill.
func Place(m *partition.Manifest, workers []partition.Worker, rowBytes, spillable int64) (plan *partition.Plan, fit bool, err error) {
	plan, err = partition.Place(m, roomy(workers, rowBytes, spillable), rowBytes)
	if errors.Is(err, partition.ErrMemory) && slices.ContainsFunc(workers, spills) {
		plan, err = partition.Place(m, trusted(workers), rowBytes)
		return plan, false, err
	}
	return plan, true, err
}

func spills(w partition.Worker) bool { return w.Spills }

// roomy are the workers, where those that spill have as much memory as holds what cannot be spilled of as many rows: three
// quarters of what they have, since a partition on its way and buffers take some. These are figures for placement alone.
func roomy(workers []partition.Worker, rowBytes, spillable int64) []partition.Worker {
	workers = slices.Clone(workers)
	for i := range workers {
		if w := &workers[i]; w.Spills && w.Memory > 0 {
			rows := w.Memory / 4 * 3 / max(rowBytes-spillable, 1)
			w.Memory = max(w.Memory, min(rows, math.MaxInt64/max(rowBytes, 1))*rowBytes)
		}
	}
	return workers
}

// trusted are the workers, where those that spill take whatever they are given: they know best whether they can.
func trusted(workers []partition.Worker) []partition.Worker {
	workers = slices.Clone(workers)
	for i := range workers {
		if workers[i].Spills {
			workers[i].Memory = 0
		}
	}
	return workers
}
