package pipeline

import (
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// exchange finds equal ids among the workers of this process. It implements worker.IDExchange.
type exchange struct {
	source   dataset.Source
	manifest *partition.Manifest
	column   string

	mu       sync.Mutex
	parts    map[int]part
	dropped  []int64
	integers bool // every id handed in so far is an integer
}

type part struct {
	ids  *dataset.IDs
	rows []int64
}

func newExchange(s dataset.Source, m *partition.Manifest, column string) *exchange {
	return &exchange{source: s, manifest: m, column: column, parts: make(map[int]part), integers: true}
}

// Put implements worker.IDExchange.
func (x *exchange) Put(id int, ids *dataset.IDs, rows []int64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.parts[id] = part{ids, rows}
	if _, ok := ids.Integers(); !ok && ids.Len() > 0 {
		x.integers = false
	}
	return nil
}

// Integers says whether all ids handed in are integers.
func (x *exchange) Integers() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.integers
}

// Resolve implements worker.IDExchange. The ids are forgotten: whoever needs them for labels has them.
func (x *exchange) Resolve(policy wire.DuplicateIDs) (int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var parts []dataset.IDPart
	for id := range x.manifest.Partitions {
		if p, ok := x.parts[id]; ok {
			parts = append(parts, dataset.IDPart{IDs: p.ids, Row: func(i int) int64 { return p.rows[i] }})
		}
	}
	keep := map[wire.DuplicateIDs]dataset.Keep{wire.DuplicatesFail: dataset.KeepAll, wire.DuplicatesFirst: dataset.KeepFirst,
		wire.DuplicatesLast: dataset.KeepLast}[policy]
	first, drop, count := dataset.Duplicates(parts, keep)
	clear(x.parts)
	if first != nil && policy == wire.DuplicatesFail {
		at := x.source.Locate(first.Again)
		at.Column = x.column
		return 0, fault.Inputf(at, "the id %s is there twice: first at %s", first.ID, brief(x.source.Locate(first.First), at)).
			Do("keep one of them with --duplicates first or last, or name another column with --id")
	}
	x.dropped = drop
	return count, nil
}

// brief is a place without its file where that of named is the same.
func brief(p, named fault.Place) string {
	if p.File == named.File {
		p.File = ""
	}
	return p.String()
}

// Dropped implements worker.IDExchange.
func (x *exchange) Dropped(id int) []int64 {
	x.mu.Lock()
	defer x.mu.Unlock()
	p := x.manifest.Partitions[id]
	return between(x.dropped, p.First, p.First+p.Rows)
}
