package worker

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/wire"
)

// The errors of asking for ids. Whoever gets one of the first two from another worker finds out by reading.
var (
	ErrNoIDs      = errors.New("the ids of the partition are not kept here")
	ErrNotSettled = errors.New("the range of ids is not settled here")
	// ErrBadRequest is a question that no worker of the same job asks.
	ErrBadRequest = errors.New("wrong question about ids")
	// ErrBadAnswer is an answer that does not fit its question: no honest worker gives it.
	ErrBadAnswer = errors.New("wrong answer about ids")
)

// Peers is how an Engine asks the other workers of its job about ids. Any error but ErrBadAnswer means that the owner
// cannot say: it is unreachable, was started again, or has forgotten.
type Peers interface {
	// IDs walks the ids of the owner's partitions whose hashes fall into some ranges, in the order of their rows. What
	// visit is given is its own.
	IDs(ctx context.Context, owner string, r IDsRequest, visit func(IDPart) error) error
	// Dropped walks the rows of some partitions that are left out because the owner settled so, ascending.
	Dropped(ctx context.Context, owner string, r DroppedRequest, visit func(rows []int64) error) error
}

// IDsRequest asks for ids. The epoch is the asking task's, for the log: ids that were handed in under another are the
// same, since data is pinned.
type IDsRequest struct {
	Job        string
	Epoch      uint64
	Partitions []int // ascending
	Ranges     []int // of hashes, ascending
	Of         int   // how many ranges there are: as many as partitions
}

// DroppedRequest asks for the rows of Partitions that ids in Ranges leave out; both ascend.
type DroppedRequest struct {
	Job                string
	Epoch              uint64
	Partitions, Ranges []int
}

// IDPart is some ids of one partition: Rows are their global row numbers, ascending. It has at least one.
type IDPart struct {
	Partition int
	Rows      []int64
	IDs       *dataset.IDs
}

// A part is sent on once it has so many ids, or ids of so many bytes: about the size of a message that a network
// takes well.
const (
	partIDs   = 1 << 15
	partBytes = 1 << 19
)

// exchange is an Engine's share in finding equal ids. Nothing is waited for while mu is held, so that workers which
// ask each other cannot wait in a circle.
type exchange struct {
	asking sync.Mutex // who asks for dropped rows; the others will find its answers

	mu           sync.Mutex // guards all below
	epoch, round uint64     // the newest round seen, but for Duplicates
	handed       map[int]*handed
	settled      map[int]bool    // ranges that were settled here
	left         []int64         // rows that they leave out, ascending; replaced, never changed
	dropped      map[int][]int64 // by partition: the rows that all ranges leave out
}

// handed is the ids of one partition's rows that count, with the numbers of the rows.
type handed struct {
	ids  *dataset.IDs
	rows numbers
}

// newHanded has room for so many ids.
func newHanded(rows int64) *handed {
	h := &handed{ids: new(dataset.IDs)}
	h.ids.Grow(int(rows))
	return h
}

// take appends the ids of the rows that count.
func (h *handed) take(b *rows, keep []bool) {
	for i := range b.Rows {
		if b.Skip != nil && b.Skip[i] || keep != nil && !keep[i] {
			continue
		}
		h.ids.AppendVector(b.ids, i)
		h.rows.append(b.first + int64(i))
	}
}

// summary is what is told to the coordinator.
func (h *handed) summary(id int) wire.IDSummary {
	integers, plain := h.ids.Integers()
	s := wire.IDSummary{Partition: id, Count: int64(h.ids.Len()), Integers: plain, Ascending: plain}
	if !plain || len(integers) == 0 {
		return s
	}
	s.First, s.Last = integers[0], integers[len(integers)-1]
	for i := 1; i < len(integers) && s.Ascending; i++ {
		s.Ascending = integers[i-1] < integers[i]
	}
	return s
}

// pick hands on the ids that lie in some ranges.
func (h *handed) pick(partition int, in *ranges, visit func(IDPart) error) error {
	part := IDPart{Partition: partition, IDs: new(dataset.IDs)}
	for i := range h.ids.Len() {
		if !in.has(h.ids.Hash(i)) {
			continue
		}
		part.IDs.AppendFrom(h.ids, i)
		part.Rows = append(part.Rows, h.rows.at(i))
		if len(part.Rows) == partIDs || part.IDs.Bytes() >= partBytes {
			if err := visit(part); err != nil {
				return err
			}
			part = IDPart{Partition: partition, IDs: new(dataset.IDs)}
		}
	}
	if len(part.Rows) == 0 {
		return nil
	}
	return visit(part)
}

// numbers are row numbers, ascending. As long as each follows the one before they take no room.
type numbers struct {
	first int64
	count int
	list  []int64 // nil: first, first+1, …
}

func (n *numbers) append(row int64) {
	switch {
	case n.count == 0:
		n.first = row
	case n.list == nil && row != n.first+int64(n.count):
		n.list = make([]int64, n.count, 2*n.count)
		for i := range n.list {
			n.list[i] = n.first + int64(i)
		}
	}
	if n.list != nil {
		n.list = append(n.list, row)
	}
	n.count++
}

func (n *numbers) at(i int) int64 {
	if n.list != nil {
		return n.list[i]
	}
	return n.first + int64(i)
}

// ranges is a set of ranges of hashes: of P ranges, number r holds the hashes whose P-fold lies in [r,r+1)·2^64.
type ranges struct {
	in  []bool
	all bool
}

// newRanges refuses numbers that are out of order or bounds.
func newRanges(list []int, of int) (*ranges, error) {
	r := &ranges{in: make([]bool, of), all: len(list) == of}
	if err := ascend(list, of); err != nil {
		return nil, fmt.Errorf("%w: ranges %w", ErrBadRequest, err)
	}
	for _, n := range list {
		r.in[n] = true
	}
	return r, nil
}

func (r *ranges) has(hash uint64) bool {
	if r.all {
		return true
	}
	n, _ := bits.Mul64(hash, uint64(len(r.in)))
	return r.in[n]
}

// ascend says what is wrong with numbers that must ascend in [0,of).
func ascend(list []int, of int) error {
	last := -1
	for _, n := range list {
		if n <= last || n >= of {
			return fmt.Errorf("%d after %d, of %d", n, last, of)
		}
		last = n
	}
	return nil
}

// turn forgets what earlier rounds handed in, once a round begins that is not about it. False: t itself is of an
// earlier round.
func (x *exchange) turn(t *wire.Task) bool {
	if t.Kind == wire.Duplicates {
		return true
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if t.Epoch > x.epoch || t.Epoch == x.epoch && t.Round > x.round {
		x.epoch, x.round = t.Epoch, t.Round
		clear(x.handed)
	}
	return t.Epoch == x.epoch && t.Round == x.round
}

// handIn reports the ids of a partition, and keeps them where they are to be compared. Who loads a partition that it
// has taken over hands in nothing: the ids were compared long ago.
func (e *Engine) handIn(t *wire.Task, id int, h *handed, p *wire.Partial) {
	p.IDs = append(p.IDs, h.summary(id))
	fails := t.Input.Duplicates == wire.DuplicatesFail
	compared := t.Kind == wire.Keys || t.Kind == wire.Load && fails || t.Kind == wire.Label && fails && t.KeepIDs
	x := &e.exchange
	if !compared || !x.turn(t) {
		return
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.handed[id] = h
}

// kept finds ids that were handed in.
func (x *exchange) kept(partitions []int) ([]*handed, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	list := make([]*handed, len(partitions))
	for i, id := range partitions {
		if list[i] = x.handed[id]; list[i] == nil {
			return nil, fmt.Errorf("%w: %d", ErrNoIDs, id)
		}
	}
	return list, nil
}

// IDs answers a question for ids, as Peers.IDs says. It waits for no computation.
func (e *Engine) IDs(ctx context.Context, r IDsRequest, visit func(IDPart) error) error {
	n := len(e.config.Manifest.Partitions)
	if r.Of != n {
		return fmt.Errorf("%w: %d ranges, where there are %d", ErrBadRequest, r.Of, n)
	}
	if err := ascend(r.Partitions, n); err != nil {
		return fmt.Errorf("%w: partitions %w", ErrBadRequest, err)
	}
	in, err := newRanges(r.Ranges, n)
	if err != nil {
		return err
	}
	list, err := e.exchange.kept(r.Partitions)
	if err != nil {
		return err
	}
	for i, h := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := h.pick(r.Partitions[i], in, visit); err != nil {
			return err
		}
	}
	return nil
}

// settle keeps what was found about ranges.
func (x *exchange) settle(list []int, left []int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range list {
		x.settled[r] = true
	}
	x.left = union(x.left, left)
}

// union of ascending numbers, in a new slice.
func union(a, b []int64) []int64 {
	all := append(slices.Clone(a), b...)
	slices.Sort(all)
	return slices.Compact(all)
}

// Dropped answers a question for rows, as Peers.Dropped says. The answer may hold rows of ranges beyond those asked
// for that are settled here too: they are left out as well.
func (e *Engine) Dropped(ctx context.Context, r DroppedRequest, visit func(rows []int64) error) error {
	parts := e.config.Manifest.Partitions
	if err := errors.Join(ascend(r.Partitions, len(parts)), ascend(r.Ranges, len(parts))); err != nil {
		return fmt.Errorf("%w: partitions or ranges: %w", ErrBadRequest, err)
	}
	left, err := e.exchange.leftBy(r.Ranges)
	if err != nil {
		return err
	}
	for _, id := range r.Partitions {
		p := parts[id]
		for rows := range slices.Chunk(between(left, p.First, p.First+p.Rows), partIDs) {
			if err := errors.Join(ctx.Err(), visit(slices.Clone(rows))); err != nil {
				return err
			}
		}
	}
	return nil
}

func (x *exchange) leftBy(list []int) ([]int64, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, r := range list {
		if !x.settled[r] {
			return nil, fmt.Errorf("%w: %d", ErrNotSettled, r)
		}
	}
	return x.left, nil
}

// between is the part of ascending numbers in [lo,hi).
func between(numbers []int64, lo, hi int64) []int64 {
	from, _ := slices.BinarySearch(numbers, lo)
	to, _ := slices.BinarySearch(numbers, hi)
	return numbers[from:to]
}
