package moves

import (
	"bytes"
	"cmp"
	"context"
	"math"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
)

// pairs are the customers of a bucket that both tables of labels have.
type pairs struct {
	keys   []int64
	cells  []uint32  // of the matrix; the top bit says that the id is text
	values []float64 // NaN: not known; nil: of nobody
	text   []byte
}

// textCell marks a cell of a customer whose id is text. MaxCells leaves the bit free.
const textCell = 1 << 31

func (p *pairs) add(m *matcher, c *customer) {
	cell := uint32(m.segment(c, oldSide)*m.out.To + m.segment(c, newSide))
	if c.text {
		cell |= textCell
	}
	p.keys, p.cells = append(p.keys, c.key), append(p.cells, cell)
	if p.values == nil {
		return
	}
	value, ok := m.value(c)
	if !ok {
		value = math.NaN()
	}
	p.values = append(p.values, value)
}

// Worths adds up the values of customers by group, 0 to groups − 1, given by cell of the matrix; −1: these do not count. It
// finds nothing without Values, and where movers were not asked for.
func (j *Joined) Worths(group []int32, groups int) []Worth {
	worth := make([]Worth, groups)
	for n := range j.pairs {
		p := &j.pairs[n]
		for i, value := range p.values {
			if g := group[p.cells[i]&^textCell]; g >= 0 && value == value {
				worth[g].Sum.Add(value)
				worth[g].N++
			}
		}
	}
	return worth
}

// Order is which customers count as movers, and in which order they come: by group, then the highest value first and
// unknown values last, then by rank, then by id, integers as numbers and before texts.
type Order struct {
	Group []int32 // by cell of the matrix; −1: these customers have not moved
	Rank  []int32 // by cell of the matrix
}

// Movers are customers who have moved, in an order that depends on nothing but who they are.
type Movers struct {
	joined *Joined
	list   []mover
}

// SortBytes is the memory that a mover takes while movers are sorted, in bytes.
const SortBytes = 24

// mover is one of them. The key is an id, or where its text begins in its bucket's.
type mover struct {
	value  float64
	key    int64
	cell   uint32
	bucket uint32
}

// Movers sorts who has moved, on all threads. It can be asked once, after Worths: the memory of the pairs is used for it. Its
// error is the context's.
func (j *Joined) Movers(ctx context.Context, o *Order, threads int) (*Movers, error) {
	m := &Movers{joined: j}
	groups := 0
	for _, g := range o.Group {
		groups = max(groups, int(g)+1)
	}
	starts := make([]int, groups+1)
	for n := range j.pairs {
		for _, c := range j.pairs[n].cells {
			if g := o.Group[c&^textCell]; g >= 0 {
				starts[g+1]++
			}
		}
	}
	for g := range groups {
		starts[g+1] += starts[g]
	}
	m.list = make([]mover, starts[groups])
	next := slices.Clone(starts)
	for n := range j.pairs {
		p := &j.pairs[n]
		for i, c := range p.cells {
			g := o.Group[c&^textCell]
			if g < 0 {
				continue
			}
			value := math.NaN()
			if p.values != nil {
				value = p.values[i]
			}
			m.list[next[g]] = mover{value, p.keys[i], c, uint32(n)}
			next[g]++
		}
		p.keys, p.cells, p.values = nil, nil, nil
	}
	return m, m.sort(ctx, o, starts, threads)
}

// sort orders each group, in one thread.
func (m *Movers) sort(ctx context.Context, o *Order, starts []int, threads int) error {
	var next atomic.Int64
	var all sync.WaitGroup
	groups := len(starts) - 1
	for range min(max(threads, 1), groups) {
		all.Go(func() {
			for g := int(next.Add(1)) - 1; g < groups && ctx.Err() == nil; g = int(next.Add(1)) - 1 {
				slices.SortFunc(m.list[starts[g]:starts[g+1]], func(a, b mover) int { return m.compare(o, &a, &b) })
			}
		})
	}
	all.Wait()
	return ctx.Err()
}

func (m *Movers) compare(o *Order, a, b *mover) int {
	if a.value != b.value {
		switch unknownA, unknownB := a.value != a.value, b.value != b.value; {
		case unknownA && unknownB:
		case unknownA:
			return 1
		case unknownB:
			return -1
		default:
			return cmp.Compare(b.value, a.value)
		}
	}
	if c := cmp.Compare(o.Rank[a.cell&^textCell], o.Rank[b.cell&^textCell]); c != 0 {
		return c
	}
	textA, textB := a.cell&textCell != 0, b.cell&textCell != 0
	switch {
	case textA && textB:
		return bytes.Compare(m.text(a), m.text(b))
	case textA:
		return 1
	case textB:
		return -1
	}
	return cmp.Compare(a.key, b.key)
}

func (m *Movers) text(x *mover) []byte { return textAt(m.joined.pairs[x.bucket].text, x.key) }

// Len is how many there are.
func (m *Movers) Len() int { return len(m.list) }

// At is mover i: the segments, and the value, NaN where it is not known.
func (m *Movers) At(i int) (from, to int, value float64) {
	x := &m.list[i]
	cell := int(x.cell &^ textCell)
	return cell / m.joined.To, cell % m.joined.To, x.value
}

// Integer is the id of mover i where IntegerIDs is true.
func (m *Movers) Integer(i int) int64 { return m.list[i].key }

// AppendID appends the id of mover i as text.
func (m *Movers) AppendID(dst []byte, i int) []byte {
	if x := &m.list[i]; x.cell&textCell != 0 {
		return append(dst, m.text(x)...)
	}
	return strconv.AppendInt(dst, m.list[i].key, 10)
}
