package partition

import "slices"

// books are who holds what in the plan's Owners, kept from one Rebalance to the next: so that one that changes little costs
// what changes, and a look at each worker, but not one at each partition.
type books struct {
	m       *Manifest
	largest int64 // rows of the largest partition
	biggest int   // the first one that has so many; -1: there is none
	held    map[string]holder
	moves   []move // by hand, since the last Rebalance
}

// holder is the partitions of one owner, ascending, at least one, and their rows. The list is replaced and never changed.
type holder struct {
	ids  []int
	rows int64
}

// move is a partition that somebody had before.
type move struct {
	id   int
	from string
}

// manyMoves is the share of all partitions from which on books are made anew rather than corrected.
const manyMoves = 16

// newBooks looks at each partition. Without owners nobody holds anything.
func newBooks(m *Manifest, owners []string) *books {
	b := &books{m: m, biggest: -1, held: make(map[string]holder)}
	for id, p := range m.Partitions {
		if p.Rows > b.largest {
			b.largest, b.biggest = p.Rows, id
		}
	}
	if len(owners) > 0 {
		for name, ids := range (&Plan{Owners: owners}).ByOwner() {
			b.note(name, ids)
		}
	}
	return b
}

// note writes down what somebody holds: ascending partitions, which are the books' own from now on.
func (b *books) note(name string, ids []int) {
	if len(ids) == 0 {
		delete(b.held, name)
		return
	}
	h := holder{ids: ids}
	for _, id := range ids {
		h.rows += b.m.Partitions[id].Rows
	}
	b.held[name] = h
}

// moved notes a move by hand; false says that there have been so many that the books are worth nothing any more.
func (b *books) moved(id int, from string) bool {
	b.moves = append(b.moves, move{id, from})
	return len(b.moves) <= len(b.m.Partitions)/manyMoves
}

// settle brings the books up to date with the moves by hand.
func (b *books) settle(owners []string) {
	gained := make(map[string][]int) // by all who gained or lost
	for _, m := range b.moves {
		if _, known := gained[m.from]; !known {
			gained[m.from] = nil
		}
		to := owners[m.id]
		gained[to] = append(gained[to], m.id)
	}
	for name, ids := range gained {
		for _, id := range b.held[name].ids {
			if owners[id] == name {
				ids = append(ids, id)
			}
		}
		slices.Sort(ids)
		b.note(name, slices.Compact(ids))
	}
	b.moves = nil
}

// take carries a new placement over into the books and the owners, and lists what changed hands, ascending.
func (b *books) take(s *seats, owners []string) (moved []int) {
	for _, name := range s.gone {
		delete(b.held, name)
	}
	for i := range s.list {
		w := &s.list[i]
		if w.shared { // nothing has come or gone
			continue
		}
		for _, id := range w.ids {
			if owners[id] != w.name {
				owners[id] = w.name
				moved = append(moved, id)
			}
		}
		slices.Sort(w.ids)
		b.note(w.name, w.ids)
	}
	slices.Sort(moved)
	return moved
}
