package partition

import (
	"errors"
	"fmt"
	"strings"
)

// ErrNoWorkers is a plan asked for without anybody to carry it out.
var ErrNoWorkers = errors.New("no workers")

// Worker is what placement knows of one worker.
type Worker struct {
	Name   string // not empty, and no other worker's
	Weight int    // its share of the rows, in proportion; less than 1 counts as 1, more than 2^32 as 2^32
	Memory int64  // bytes that partitions may take; 0 or less: not limited
	Spills bool   // Points that find no room there go to a disk, so that it need not hold all that a row takes
}

// Plan gives each partition its owner.
//
// Every worker has a quota of rows: its share by weight, at most what its memory holds; what one cannot take goes to
// the others. The quota says how many rows, something else says which.
//
// At first that is order: runs of neighbouring partitions, worker by worker in the order of their names, because
// neighbouring rows are read and scanned in one go, and nobody has loaded anything yet that would be lost. Rendezvous
// hashing from the start would scatter every worker's rows over all files for the sake of moves that may never come.
//
// Later it is what is loaded already. An owner keeps its partitions; what has lost its owner, or must go to one who has
// joined, goes by rendezvous hashing to those with room. So a worker that leaves moves its own partitions, and one that
// joins moves about its quota. Between two workers that stay nothing moves, except out of a memory that has become too
// small, or once one has so much too many and another so much too few (more than two partitions together) that weights
// must have changed, or many small differences have come together. A worker that holds nothing cannot be told from one
// that has just joined.
//
// Quotas alone (cut all rows afresh each time) would move half of everything when one joins; hashing alone would leave
// every worker some √n partitions off its share, and a round lasts as long as its slowest worker.
type Plan struct {
	// Owners is by partition id; "" = nobody. Once Rebalance has been called only it and Move may change them.
	Owners []string

	books *books // nil: they are still to be made
}

// Place makes a first plan: contiguous runs, each worker within one partition (the largest there is) of its quota
// unless memory forces more. rowBytes is what a row takes of a worker's Memory; with 0 memory does not count. The order
// of the workers does not matter.
//
// m is valid, see Validate. Errors: ErrNoWorkers; a *MemoryError; a worker without a name or named twice.
func Place(m *Manifest, workers []Worker, rowBytes int64) (*Plan, error) {
	s, err := plan(m, workers, rowBytes, nil)
	if err != nil {
		return nil, err
	}
	return &Plan{Owners: s.owners()}, nil
}

// Rebalance adapts the plan to the workers there are now and lists the partitions that changed hands, ascending.
// Nobody ends more than two partitions (the largest there is) away from its quota unless memory forces more; asked
// again, it moves nothing. If no owner is left at all, it places afresh. After an error the plan is as before; the
// errors are Place's, and one for a plan made for another number of partitions.
func (p *Plan) Rebalance(m *Manifest, workers []Worker, rowBytes int64) (moved []int, err error) {
	if len(p.Owners) != len(m.Partitions) {
		return nil, fmt.Errorf("partition: a plan of %d partitions for a data set of %d", len(p.Owners), len(m.Partitions))
	}
	if p.books == nil || p.books.m != m {
		p.books = newBooks(m, p.Owners)
	}
	p.books.settle(p.Owners)
	s, err := p.books.plan(workers, rowBytes)
	if err != nil {
		return nil, err
	}
	return p.books.take(s, p.Owners), nil
}

// plan is Place without owners and Rebalance with them.
func plan(m *Manifest, workers []Worker, rowBytes int64, owners []string) (*seats, error) {
	return newBooks(m, owners).plan(workers, rowBytes)
}

func (b *books) plan(workers []Worker, rowBytes int64) (*seats, error) {
	s, err := newSeats(b, workers, rowBytes)
	if err != nil {
		return nil, err
	}
	first := !s.seat(b)
	if first {
		s.deal()
	}
	s.evict()
	if !s.give() && !s.pack() {
		return nil, s.tooLittle(-1)
	}
	s.level(s.joining)
	if first || s.spread() > 2*s.largest {
		s.level(s.everybody)
	}
	return s, nil
}

// Move gives one of the plan's partitions to a worker, whatever its quota and memory: who has the rows loaded already
// is the better owner. A later Rebalance sees to it that it stays within reason.
func (p *Plan) Move(id int, to string) {
	if p.books != nil && !p.books.moved(id, p.Owners[id]) {
		p.books = nil
	}
	p.Owners[id] = to
}

// Of lists the partitions of one worker, ascending. It goes through all partitions: for many workers take ByOwner.
func (p *Plan) Of(worker string) []int {
	var ids []int
	for id, owner := range p.Owners {
		if owner == worker {
			ids = append(ids, id)
		}
	}
	return ids
}

// ByOwner lists the partitions of each worker that has any, ascending; those of nobody are under "".
func (p *Plan) ByOwner() map[string][]int {
	counts := make(map[string]int)
	for _, owner := range p.Owners {
		counts[owner]++
	}
	lists := make(map[string][]int, len(counts))
	for id, owner := range p.Owners {
		ids := lists[owner]
		if ids == nil {
			ids = make([]int, 0, counts[owner])
		}
		lists[owner] = append(ids, id)
	}
	return lists
}

// compareNames orders names that count up as people do: worker-2 before worker-10.
func compareNames(a, b string) int {
	if len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}
