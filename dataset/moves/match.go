package moves

import (
	"bytes"
	"context"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// twice is an id that stands twice in a table; rows as their numbers.
type twice struct {
	id           string
	first, again int64
}

// prepare makes room for what is counted.
func (j *join) prepare() error {
	o := j.out
	highest := [sides]int{-1, -1, -1}
	for _, w := range j.workers {
		for side := range highest {
			highest[side] = max(highest[side], w.highest[side])
		}
		o.IntegerIDs = o.IntegerIDs && !w.texts
	}
	count := func(side int) int {
		if t := j.tables[side]; t.whose != "" {
			return t.segments
		}
		return highest[side] + 1
	}
	o.From, o.To = count(oldSide), count(newSide)
	if cells := int64(o.From) * int64(o.To); cells > MaxCells {
		return fault.Inputf(fault.In(firstName(j.tables[newSide].source)), "%d segments have become %d, which is more than a matrix of %d cells holds",
			o.From, o.To, MaxCells).Do("are these the labels of segments?")
	}
	o.Matrix, o.Arrived, o.Left = make([]int64, o.From*o.To), make([]int64, o.To), make([]int64, o.From)
	if j.tables[valueSide] != nil {
		o.FromWorth, o.ToWorth = make([]Worth, o.From), make([]Worth, o.To)
	}
	if j.options.Movers {
		o.pairs = make([]pairs, j.buckets)
	}
	return nil
}

func firstName(s dataset.Source) string {
	if names := s.Names(); len(names) > 0 {
		return names[0]
	}
	return ""
}

// matchAll joins the buckets, each in one thread.
func (j *join) matchAll(ctx context.Context) error {
	var next atomic.Int64
	var all sync.WaitGroup
	for range min(j.threads, j.buckets) {
		all.Go(func() {
			m := &matcher{join: j}
			for n := int(next.Add(1)) - 1; n < j.buckets && ctx.Err() == nil; n = int(next.Add(1)) - 1 {
				m.match(n)
			}
		})
	}
	all.Wait()
	if err := ctx.Err(); err != nil {
		return err
	}
	for side, t := range j.twice {
		if t == nil {
			continue
		}
		source := j.tables[side].source
		first, again := source.Locate(t.first), source.Locate(t.again)
		again.Column = source.Schema().Columns[j.tables[side].fields[0].Column].Name
		if first.File == again.File {
			first.File = ""
		}
		return fault.Inputf(again, "the id %q stands here and in %s", t.id, first).Do("keep one row for each customer")
	}
	return nil
}

// customer is one id of a bucket and the entries that have it, -1 where a table has none.
type customer struct {
	key  int64
	text bool
	at   [sides]int32
}

// matcher joins one bucket after another. Its buffers are used again.
type matcher struct {
	*join
	entries   [sides][]entry
	values    []float64
	text      []byte
	slots     []int32 // 1 + position in customers, 0 = free; open addressing
	customers []customer
	twice     [sides]*twice
}

// match joins bucket n.
func (m *matcher) match(n int) {
	m.gather(n)
	rows := 0
	for side := range m.entries {
		rows += len(m.entries[side])
	}
	size := 8
	for size < 2*rows {
		size *= 2
	}
	if len(m.slots) < size {
		m.slots = make([]int32, size)
	}
	slots := m.slots[:size]
	clear(slots)
	m.customers, m.twice = m.customers[:0], [sides]*twice{}
	for side := range m.entries {
		for i, e := range m.entries[side] {
			c := m.find(slots, e)
			if c.at[side] >= 0 {
				i = m.stoodBefore(side, int(c.at[side]), i)
			}
			c.at[side] = int32(i)
		}
	}
	m.count(n)
}

// gather brings together what the threads have read of a bucket, and lets go of it.
func (m *matcher) gather(n int) {
	m.values, m.text = m.values[:0], m.text[:0]
	if m.options.Movers {
		m.text = nil // the pairs keep it
	}
	for side := range m.entries {
		m.entries[side] = m.entries[side][:0]
		for _, w := range m.workers {
			if w.buckets[side] == nil {
				continue
			}
			b := &w.buckets[side][n]
			base, from := int64(len(m.text)), len(m.entries[side])
			for _, chunk := range b.full {
				m.entries[side] = append(m.entries[side], chunk...)
			}
			m.entries[side] = append(m.entries[side], b.tail...)
			if len(b.text) > 0 && base > 0 {
				moved := m.entries[side][from:]
				for i := range moved {
					if moved[i].text() {
						moved[i].key += base
					}
				}
			}
			m.values, m.text = append(m.values, b.values...), append(m.text, b.text...)
			*b = bucket{}
		}
	}
}

// find is the customer of an entry, a new one if need be.
func (m *matcher) find(slots []int32, e entry) *customer {
	var hash uint64
	if e.text() {
		hash = m.hasher.text(textAt(m.text, e.key))
	} else {
		hash = m.hasher.integer(e.key)
	}
	slot := int(hash) & (len(slots) - 1)
	for ; slots[slot] != 0; slot = (slot + 1) & (len(slots) - 1) {
		if c := &m.customers[slots[slot]-1]; m.same(c, e) {
			return c
		}
	}
	m.customers = append(m.customers, customer{e.key, e.text(), [sides]int32{-1, -1, -1}})
	slots[slot] = int32(len(m.customers))
	return &m.customers[len(m.customers)-1]
}

func (m *matcher) same(c *customer, e entry) bool {
	switch {
	case c.text != e.text():
		return false
	case c.text:
		return bytes.Equal(textAt(m.text, c.key), textAt(m.text, e.key))
	}
	return c.key == e.key
}

// stoodBefore notes that two entries of a table have one id, and gives the one whose row comes first. The pair that is told
// in the end is the one whose second row comes first, whatever the order of the entries.
func (m *matcher) stoodBefore(side, i, k int) int {
	if m.entries[side][k].row() < m.entries[side][i].row() {
		i, k = k, i
	}
	e, again := m.entries[side][i], m.entries[side][k].row()
	if t := m.twice[side]; t == nil || again < t.again {
		m.twice[side] = &twice{m.id(e), e.row(), again}
	}
	return i
}

// id is an entry's id as text.
func (m *matcher) id(e entry) string {
	if e.text() {
		return string(textAt(m.text, e.key))
	}
	var ids dataset.IDs
	ids.AppendInt(e.key)
	return string(ids.AppendTo(nil, 0))
}

// count adds a bucket to what is found. What can be done before is done before others have to wait.
func (m *matcher) count(n int) {
	o := m.out
	if m.options.Movers {
		o.pairs[n] = m.pair()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	for side, t := range m.twice {
		if all := m.join.twice[side]; t != nil && (all == nil || t.again < all.again) {
			m.join.twice[side] = t
		}
	}
	for i := range m.customers {
		c := &m.customers[i]
		from, to := m.segment(c, oldSide), m.segment(c, newSide)
		switch {
		case from >= 0 && to >= 0:
			o.Matrix[from*o.To+to]++
		case from >= 0:
			o.Left[from]++
		case to >= 0:
			o.Arrived[to]++
		default:
			continue // only the values know it
		}
		if o.FromWorth != nil {
			m.weigh(c, from, to)
		}
	}
}

// segment is the one that a customer has in a table; -1: it is not in the table.
func (m *matcher) segment(c *customer, side int) int {
	if c.at[side] < 0 {
		return -1
	}
	return m.entries[side][c.at[side]].segment()
}

// pair keeps the customers that both tables have.
func (m *matcher) pair() pairs {
	both := 0
	for i := range m.customers {
		if c := &m.customers[i]; c.at[oldSide] >= 0 && c.at[newSide] >= 0 {
			both++
		}
	}
	p := pairs{keys: make([]int64, 0, both), cells: make([]uint32, 0, both), text: m.text}
	if m.tables[valueSide] != nil {
		p.values = make([]float64, 0, both)
	}
	for i := range m.customers {
		if c := &m.customers[i]; c.at[oldSide] >= 0 && c.at[newSide] >= 0 {
			p.add(m, c)
		}
	}
	return p
}

// weigh adds a customer's value to its segments.
func (m *matcher) weigh(c *customer, from, to int) {
	o := m.out
	value, ok := m.value(c)
	if !ok {
		o.Unvalued++
		return
	}
	o.Valued++
	for _, w := range []struct {
		all     []Worth
		segment int
	}{{o.FromWorth, from}, {o.ToWorth, to}} {
		if w.segment >= 0 {
			w.all[w.segment].Sum.Add(value)
			w.all[w.segment].N++
		}
	}
}

// value is what a customer is worth, if that is known.
func (m *matcher) value(c *customer) (float64, bool) {
	at := c.at[valueSide]
	if at < 0 || m.values[at] != m.values[at] {
		return 0, false
	}
	return m.values[at], true
}
