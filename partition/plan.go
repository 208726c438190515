package partition

import (
	"errors"
	"slices"
)

// ErrNoWorkers is a plan asked for without anybody to carry it out.
var ErrNoWorkers = errors.New("no workers")

// Worker is what placement knows of one worker.
type Worker struct {
	Name   string
	Weight int // its share of the rows, in proportion; at least 1
}

// Plan gives each partition its owner.
type Plan struct {
	Owners []string // by partition id
}

// Place gives each worker a contiguous run of partitions, of rows in proportion to its weight: neighbouring rows on
// one worker are read and scanned in one go.
func Place(m *Manifest, workers []Worker) (*Plan, error) {
	if len(workers) == 0 {
		return nil, ErrNoWorkers
	}
	total := int64(0)
	for _, w := range workers {
		total += int64(max(w.Weight, 1))
	}
	plan := &Plan{Owners: make([]string, len(m.Partitions))}
	at, share := 0, int64(max(workers[0].Weight, 1))
	for i, p := range m.Partitions {
		// The owner is the worker whose share of the rows the partition's middle falls into.
		middle := p.First + p.Rows/2
		for at < len(workers)-1 && float64(middle)*float64(total) >= float64(share)*float64(m.Rows) {
			at++
			share += int64(max(workers[at].Weight, 1))
		}
		plan.Owners[i] = workers[at].Name
	}
	return plan, nil
}

// Of lists the partitions of one worker, ascending.
func (p *Plan) Of(worker string) []int {
	var ids []int
	for id, owner := range p.Owners {
		if owner == worker {
			ids = append(ids, id)
		}
	}
	return ids
}

// Reassign hands the partitions of a lost worker to the others, each to the one with the fewest so far, and lists
// those that moved.
func (p *Plan) Reassign(lost string, others []Worker) ([]int, error) {
	moved := p.Of(lost)
	if len(moved) == 0 {
		return nil, nil
	}
	if len(others) == 0 {
		return nil, ErrNoWorkers
	}
	held := make(map[string]int)
	for _, owner := range p.Owners {
		held[owner]++
	}
	for _, id := range moved {
		least := slices.MinFunc(others, func(a, b Worker) int {
			return held[a.Name]*max(b.Weight, 1) - held[b.Name]*max(a.Weight, 1)
		})
		p.Owners[id] = least.Name
		held[least.Name]++
	}
	return moved, nil
}
