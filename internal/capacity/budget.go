package capacity

import (
	"math"
	"slices"
	"sync"
)

// Budget is memory that several jobs share, each of which can spill: each keeps the least that it can do with, and what is left
// goes to all alike, as far as they need it. A job hears of a change when it divides the next time, which it does with each
// round; until then the others' may be more than is left.
type Budget struct {
	total int64

	mu    sync.Mutex
	needs map[int]need // by job, numbered as they came
	next  int
}

// need is what a job cannot do without, and what it takes at most.
type need struct{ least, most int64 }

// NewBudget is a Budget of so many bytes.
func NewBudget(total int64) *Budget { return &Budget{total: total, needs: make(map[int]need)} }

// Join gives a job its way to divide, in the place of Divide, and a way out. The limit that it is called with must be the
// budget's; so is that of the Division, whose Least counts what the others cannot do without.
func (b *Budget) Join() (divide func(limit int64, h Holding) Division, leave func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	id := b.next
	b.next++
	divide = func(_ int64, h Holding) Division {
		share := b.share(id, h)
		d := Divide(max(share, 1), h)
		d.Limit, d.Least = b.total, d.Least+b.total-share
		return d
	}
	leave = func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		delete(b.needs, id)
	}
	return divide, leave
}

// share notes what a job is to hold, and gives what it may take of the budget.
func (b *Budget) share(id int, h Holding) int64 {
	all := Divide(0, h)
	spilling := Divide(1, h)
	b.mu.Lock()
	defer b.mu.Unlock()
	b.needs[id] = need{least: min(spilling.Least, all.Least), most: all.Least}
	if len(b.needs) == 1 {
		return b.total
	}
	left := b.total
	for _, n := range b.needs {
		left -= n.least
	}
	if left <= 0 {
		return left + b.needs[id].least // what the others cannot do without is theirs
	}
	more := level(b.needs, left)
	taken := int64(0)
	for other, n := range b.needs {
		if other != id {
			taken += n.least + min(more, n.most-n.least)
		}
	}
	return b.total - taken
}

// level is up to how much more than its least each job gets, so that they take what is left and no more.
func level(needs map[int]need, left int64) int64 {
	var rests []int64
	for _, n := range needs {
		rests = append(rests, n.most-n.least)
	}
	slices.Sort(rests)
	for i, rest := range rests {
		if equal := left / int64(len(rests)-i); rest >= equal {
			return equal
		}
		left -= rest
	}
	return math.MaxInt64 // all have what they need
}
