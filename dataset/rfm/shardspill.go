package rfm

import (
	"bytes"
	"cmp"
	"slices"
	"unsafe"
)

// What a shard's parts take, in bytes.
const (
	slotBytes     = 8
	customerBytes = int64(unsafe.Sizeof(customer{}))
	entryBytes    = int64(unsafe.Sizeof(invoiceEntry{}))
	besideBytes   = 64 // of an entry of the maps fine and returns, about

	leastSlots = 16 // of a hash table
)

// enlarged makes room for n more: by a quarter, since a doubled slice would leave half of the memory unused at worst.
func enlarged[T any](s []T, n int) []T {
	if cap(s)-len(s) >= n {
		return s
	}
	return append(make([]T, 0, len(s)+roomFor(len(s), n)), s...)
}

// roomFor is how much is added to a slice that is full.
func roomFor(length, n int) int { return max(length/4, n, leastSlots) }

// bytes is the memory that the shard has taken.
func (sh *shard) bytes() int64 {
	return slotBytes*int64(len(sh.slots)) + customerBytes*int64(cap(sh.customers)) + int64(cap(sh.ids)) +
		entryBytes*int64(len(sh.invoices.entries)) + besideBytes*int64(len(sh.fine)+len(sh.returns))
}

// growth is how much the next group may add to bytes: what is full grows by a good part at once.
func (sh *shard) growth(id int) int64 {
	var more int64
	if sh.slotsFull() {
		more += slotBytes * int64(max(leastSlots, len(sh.slots)))
	}
	if len(sh.customers) == cap(sh.customers) {
		more += customerBytes * int64(roomFor(len(sh.customers), 1))
	}
	if id > inlineID && cap(sh.ids)-len(sh.ids) < id {
		more += int64(roomFor(len(sh.ids), id))
	}
	if sh.invoices.full() {
		more += entryBytes * int64(max(leastSlots, len(sh.invoices.entries)))
	}
	if len(sh.fine)+len(sh.returns) > 0 {
		more += 2 * besideBytes
	}
	return more
}

// spill writes all customers as a run and empties the shard, which keeps the memory that it has filled.
func (sh *shard) spill(w *runWriter) error {
	if len(sh.customers) == 0 {
		return nil
	}
	if err := sh.write(&runSink{runWriter: w}); err != nil {
		return err
	}
	done, err := w.end()
	if err != nil {
		return err
	}
	sh.runs = append(sh.runs, done)
	sh.empty()
	return nil
}

// write gives the customers to a sink in the order of runs. It disorders the hash table of invoices.
func (sh *shard) write(to sink) error {
	order := make([]uint32, len(sh.customers))
	for i := range order {
		order[i] = uint32(i)
	}
	slices.SortFunc(order, func(a, b uint32) int {
		x, y := &sh.customers[a], &sh.customers[b]
		if c := cmp.Compare(x.hash, y.hash); c != 0 {
			return c
		}
		return bytes.Compare(sh.idOf(x), sh.idOf(y))
	})
	others := sh.invoices.sorted()
	starts := make([]uint32, len(sh.customers)+1) // of each customer in others
	for i := range others {
		starts[others[i].customer]++
	}
	for i := 1; i < len(starts); i++ {
		starts[i] += starts[i-1]
	}
	for _, at := range order {
		if err := sh.writeOne(at, others[starts[at]:starts[at+1]], to); err != nil {
			return err
		}
	}
	return nil
}

// writeOne gives one customer, and its invoices: the one in its record at its place among the others.
func (sh *shard) writeOne(at uint32, others []invoiceEntry, to sink) error {
	c := &sh.customers[at]
	p := sh.partial(at)
	if err := to.head(&p); err != nil {
		return err
	}
	own := p.bought
	for i := range others {
		if own && compareKeys(c.invoice, others[i].key) < 0 {
			own = false
			if err := to.key(c.invoice); err != nil {
				return err
			}
		}
		if err := to.key(others[i].key); err != nil {
			return err
		}
	}
	if own {
		if err := to.key(c.invoice); err != nil {
			return err
		}
	}
	return to.end()
}

// partial is a customer without its invoices.
func (sh *shard) partial(at uint32) partial {
	c := &sh.customers[at]
	return partial{hash: c.hash, id: sh.idOf(c), bought: c.frequency > 0, first: c.first, last: c.last, items: c.items,
		money: sh.amountOf(at), returned: sh.returns[at]}
}

// sorted moves the entries together and sorts them by customer and invoice: it is no hash table any more.
func (s *invoiceSet) sorted() []invoiceEntry {
	n := 0
	for _, e := range s.entries {
		if e.customer != 0 {
			s.entries[n] = e
			n++
		}
	}
	slices.SortFunc(s.entries[:n], func(a, b invoiceEntry) int {
		if c := cmp.Compare(a.customer, b.customer); c != 0 {
			return c
		}
		return compareKeys(a.key, b.key)
	})
	return s.entries[:n]
}

// empty forgets all customers. Memory of which less than half was in use goes back, so that lines of another kind, say with
// more invoices of fewer customers, find the room that they need.
func (sh *shard) empty() {
	if 2*len(sh.customers) < cap(sh.customers) {
		sh.customers, sh.ids, sh.slots = nil, nil, nil
	}
	if 4*sh.invoices.used < len(sh.invoices.entries) {
		sh.invoices.entries = nil
	}
	sh.customers, sh.ids, sh.invoices.used = sh.customers[:0], sh.ids[:0], 0
	clear(sh.slots)
	clear(sh.invoices.entries)
	sh.fine, sh.returns = nil, nil
}

// release gives the shard's memory back.
func (sh *shard) release() {
	sh.customers, sh.ids, sh.slots, sh.invoices = nil, nil, nil, invoiceSet{}
	sh.fine, sh.returns = nil, nil
}
