package partition

import (
	"cmp"
	"container/heap"
	"slices"
)

// winner is the seat with the best bid for a partition among those, in order, that may have it; -1 if none may. Only they
// are hashed.
func (s *seats) winner(id int, among []int, may func(i int) bool) int {
	best, at := score{}, -1
	for _, i := range among {
		if !may(i) {
			continue
		}
		s.bids++
		u, weight := bid(s.list[i].hash, id), max(s.list[i].quota, 1)
		if at >= 0 && !(score{atLeast(u), weight}).beats(best) {
			continue
		}
		if b := (score{minusLog2(u), weight}); at < 0 || b.beats(best) {
			best, at = b, i
		}
	}
	return at
}

// give finds owners for the loose partitions. It is false if one fits nowhere; then some may still be loose.
//
// Those that fall shortest of their quotas are served first, down to a common level, and that fixes how many rows each
// gets; the bids say which. Were every seat with any room to bid for everything, luck would leave one with a large
// quota far behind, and who stays must not be taken from to make up for it.
func (s *seats) give() bool {
	rows := int64(0)
	short := make([]int64, len(s.list))
	for i := range s.list {
		short[i] = max(-s.list[i].over(), 0)
	}
	for _, id := range s.loose {
		rows += s.m.Partitions[id].Rows
	}
	level := waterline(short, rows)
	due := short
	var served []int // those with something due
	for i := range due {
		if due[i] = max(short[i]-level, 0); due[i] > 0 {
			served = append(served, i)
		}
	}
	for len(s.loose) > 0 {
		id := s.loose[0]
		r := s.m.Partitions[id].Rows
		i := s.winner(id, served, func(i int) bool { return r <= due[i] && s.fits(i, r) })
		if i < 0 { // whole partitions do not come out even: the last may go beyond what is due, each seat once
			i = s.winner(id, served, func(i int) bool { return s.fits(i, r) })
		}
		if i < 0 {
			i = s.leastOver(r)
		}
		if i < 0 {
			return false
		}
		s.put(i, id)
		if due[i] -= r; due[i] <= 0 {
			served = without(served, i)
		}
		s.loose = s.loose[1:]
	}
	return true
}

// without takes a number out of an ascending list, if it is in it, and with puts it in.
func without(list []int, i int) []int {
	if at, is := slices.BinarySearch(list, i); is {
		return slices.Delete(list, at, at+1)
	}
	return list
}

func with(list []int, i int) []int {
	if at, is := slices.BinarySearch(list, i); !is {
		return slices.Insert(list, at, i)
	}
	return list
}

// leastOver is, of the seats whose memory has room for so many rows, the one that would exceed its quota by least; -1
// if there is none.
func (s *seats) leastOver(rows int64) int {
	at := -1
	for i := range s.list {
		if s.fits(i, rows) && (at < 0 || s.list[i].over() < s.list[at].over()) {
			at = i
		}
	}
	return at
}

// level moves partitions to the chosen seats as long as one of them falls short of its quota and another has so much
// too many that the two together are more than the largest partition: each move brings the two closer to their quotas,
// so it ends. It takes from whoever has most too many. Where memory has no room for what should move, it moves less.
func (s *seats) level(chosen func(i int) bool) {
	for s.levelOnce(chosen) {
		// A seat that was stuck may find room now, where another has given something away.
	}
}

// levelOnce is level until all that could still give are stuck; it says whether it moved anything.
func (s *seats) levelOnce(chosen func(i int) bool) (moved bool) {
	stuck := make([]bool, len(s.list))
	var short []int // the chosen ones that fall short
	review := func(i int) {
		if s.list[i].over() < 0 && chosen(i) {
			short = with(short, i)
		} else {
			short = without(short, i)
		}
	}
	givers := make(givers, 0, len(s.list)+1)
	for i := range s.list {
		review(i)
		givers = append(givers, giver{s.list[i].over(), i})
	}
	heap.Init(&givers)
	for {
		from := givers.most(func(g giver) bool {
			return g.over == s.list[g.seat].over() && !stuck[g.seat] && len(s.list[g.seat].ids) > 0
		})
		if from < 0 {
			return moved
		}
		over, wanted, room := s.list[from].over(), false, int64(0)
		wants := func(i int) bool { return i != from && over-s.list[i].over() > s.largest }
		for _, i := range short {
			if wants(i) {
				wanted, room = true, max(room, s.list[i].capacity-s.list[i].held)
			}
		}
		if !wanted {
			return moved // nor from anybody who has less too many
		}
		at := s.lastWithin(from, room)
		if at < 0 {
			stuck[from] = true
			continue
		}
		id := s.take(from, at)
		to := s.winner(id, short, func(i int) bool { return wants(i) && s.fits(i, s.m.Partitions[id].Rows) })
		s.put(to, id)
		for _, i := range []int{from, to} {
			review(i)
			heap.Push(&givers, giver{s.list[i].over(), i})
		}
		moved = true
	}
}

// lastWithin is the place of the last of a seat's partitions that have at most so many rows; -1 if there is none. From
// a run it takes the end, so that the rest stays a run.
func (s *seats) lastWithin(i int, rows int64) int {
	ids := s.list[i].ids
	for at := len(ids) - 1; at >= 0; at-- {
		if s.m.Partitions[ids[at]].Rows <= rows {
			return at
		}
	}
	return -1
}

// spread is by how much the seat with most too many exceeds its quota and the one with most too few falls short, added
// up.
func (s *seats) spread() int64 {
	most, least := s.list[0].over(), s.list[0].over()
	for i := range s.list {
		most, least = max(most, s.list[i].over()), min(least, s.list[i].over())
	}
	return most - least
}

// pack is for memory so tight that partitions of unequal size must be moved to make them fit: the largest first, each
// into the smallest gap that holds it. It tries to leave what fits with its owner, and then without. It is false, and the
// seats are worth nothing, if that does not help; finding out for certain can take exponential time.
func (s *seats) pack() bool {
	order := make([]int, len(s.m.Partitions))
	for id := range order {
		order[id] = id
	}
	slices.SortStableFunc(order, func(a, b int) int { return cmp.Compare(s.m.Partitions[b].Rows, s.m.Partitions[a].Rows) })
	home := make([]int, len(order))
	for id := range home {
		home[id] = -1
	}
	for i := range s.list {
		for _, id := range s.list[i].ids {
			home[id] = i
		}
	}
	return s.packIn(order, home) || s.packIn(order, nil)
}

// packIn packs the partitions in the given order, at home where they have one and it has room.
func (s *seats) packIn(order, home []int) bool {
	s.loose = nil
	for i := range s.list {
		s.list[i].ids, s.list[i].held, s.list[i].shared = nil, 0, false
	}
	for _, id := range order {
		rows, at := s.m.Partitions[id].Rows, -1
		if home != nil {
			at = home[id]
		}
		if at < 0 || !s.fits(at, rows) {
			at = s.tightest(rows)
		}
		if at < 0 {
			return false
		}
		s.put(at, id)
	}
	return true
}

// tightest is, of the seats whose memory has room for so many rows, the one with the least room; -1 if there is none.
func (s *seats) tightest(rows int64) int {
	at := -1
	for i := range s.list {
		if s.fits(i, rows) && (at < 0 || s.list[i].capacity-s.list[i].held < s.list[at].capacity-s.list[at].held) {
			at = i
		}
	}
	return at
}
