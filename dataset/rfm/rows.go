package rfm

import (
	"cmp"
	"context"
	"encoding/binary"
	"math"
	"slices"
	"sync"
	"sync/atomic"
)

// row is one customer of the result. As a record it is
//
//	length of the id 2 | id | first 8 | last 8 | frequency 8 | money 8 | items 8
type row struct {
	id          []byte
	first, last int64
	frequency   int64
	money       float64
	items       float64
}

const rowFixed = 2 + 5*8

func (r *row) append(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint16(dst, uint16(len(r.id)))
	dst = append(dst, r.id...)
	dst = appendInt64(appendInt64(appendInt64(dst, r.first), r.last), r.frequency)
	return appendInt64(appendInt64(dst, int64(math.Float64bits(r.money))), int64(math.Float64bits(r.items)))
}

// parse reads the record at the beginning of data, and gives its length. r.id points into data.
func (r *row) parse(data []byte) (int, error) {
	if len(data) < rowFixed {
		return 0, errRun("a customer is cut off")
	}
	length := int(binary.LittleEndian.Uint16(data))
	if length > maxText || len(data) < rowFixed+length {
		return 0, errRun("a customer is wrong")
	}
	at := data[2+length:]
	*r = row{id: data[2 : 2+length], first: int64At(at), last: int64At(at[8:]), frequency: int64At(at[16:]),
		money: math.Float64frombits(uint64(int64At(at[24:]))), items: math.Float64frombits(uint64(int64At(at[32:])))}
	return rowFixed + length, nil
}

// heap is rows in memory: records, and their places in the order of ids.
type heap struct {
	data   []byte
	places []place
}

// place is where a record begins; key is that of its id.
type place struct {
	key uint64
	at  uint32
}

const placeBytes = 16

func (h *heap) bytes() int64 { return int64(cap(h.data)) + placeBytes*int64(cap(h.places)) }

// idAt is the id of the record at a place.
func (h *heap) idAt(at uint32) []byte {
	n := binary.LittleEndian.Uint16(h.data[at:])
	return h.data[at+2 : at+2+uint32(n)]
}

// sort brings the places into the order of ids.
func (h *heap) sort(o idOrder) {
	slices.SortFunc(h.places, func(a, b place) int {
		if c := cmp.Compare(a.key, b.key); c != 0 {
			return c
		}
		return o.compare(h.idAt(a.at), h.idAt(b.at))
	})
}

// Bounds of a heap, which is sorted at once. The upper one keeps a place within 32 bits and the growth of a slice small.
const (
	leastHeap = 64 << 10
	mostHeap  = 16 << 20
	heapParts = 32 // of the memory that there is
)

// rows are the customers of the result as sorted runs, in memory as long as there is room, then on the disk.
type rows struct {
	order idOrder
	disk  *disk
	limit int64 // bytes of a heap
	// room is what may still be taken; shards give theirs to it as they are done.
	room atomic.Int64

	mu    sync.Mutex
	heaps []*heap
	runs  []sortedRun
}

func newRows(o idOrder, d *disk, memory int64) *rows {
	return &rows{order: o, disk: d, limit: min(max(memory/heapParts, leastHeap), mostHeap)}
}

// collector is one goroutine's way into rows.
type collector struct {
	rows   *rows
	heap   *heap
	writer runWriter
	seen   spelling
	count  int64
}

func (r *rows) collector() *collector {
	return &collector{rows: r, heap: &heap{}, writer: runWriter{disk: r.disk}, seen: anySpelling}
}

// add takes a customer.
func (c *collector) add(r *row) error {
	h, limit := c.heap, c.rows.limit
	more := int64(rowFixed+len(r.id)) + placeBytes
	if len(h.places) > 0 && int64(len(h.data))+placeBytes*int64(len(h.places))+more > limit {
		if err := c.seal(); err != nil {
			return err
		}
		h = c.heap
	}
	h.places = append(enlarged(h.places, 1), place{c.rows.order.key(r.id), uint32(len(h.data))})
	h.data = r.append(enlarged(h.data, rowFixed+len(r.id)))
	c.seen.see(r.id)
	c.count++
	return nil
}

// seal makes a run of the heap: in memory if there is room, else on the disk.
func (c *collector) seal() error {
	h, r := c.heap, c.rows
	if len(h.places) == 0 {
		return nil
	}
	h.sort(r.order)
	if size := h.bytes(); r.room.Add(-size) >= 0 {
		r.mu.Lock()
		r.heaps = append(r.heaps, h)
		r.mu.Unlock()
		c.heap = &heap{}
		return nil
	} else {
		r.room.Add(size)
	}
	for _, p := range h.places {
		n := rowFixed + int(binary.LittleEndian.Uint16(h.data[p.at:]))
		if err := c.writer.write(h.data[p.at : int(p.at)+n]); err != nil {
			return err
		}
	}
	h.data, h.places = h.data[:0], h.places[:0]
	done, err := c.writer.end()
	if err != nil {
		return err
	}
	r.mu.Lock()
	r.runs = append(r.runs, done)
	r.mu.Unlock()
	return nil
}

// each gives all rows in no order, after all collectors have sealed. In memory it takes them as they lie, which costs
// the fewest ways to it.
func (r *rows) each(ctx context.Context, do func(*row) error) error {
	for _, h := range r.heaps {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		var row row
		for data := h.data; len(data) > 0; {
			n, err := row.parse(data)
			if err != nil {
				return err
			}
			if err := do(&row); err != nil {
				return err
			}
			data = data[n:]
		}
	}
	for _, w := range r.walkers()[len(r.heaps):] {
		for n := 0; ; n++ {
			if n%4096 == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			if err := w.next(r.order); err != nil {
				return err
			}
			if w.done {
				break
			}
			if err := do(&w.row); err != nil {
				return err
			}
		}
	}
	return nil
}

// settle leaves as many runs on the disk as can be merged at once.
func (r *rows) settle(ctx context.Context) error {
	var err error
	r.runs, err = reduce(ctx, r.runs, func(runs []sortedRun) (sortedRun, error) {
		part := &rows{order: r.order, disk: r.disk, runs: runs}
		w, scratch := runWriter{disk: r.disk}, []byte(nil)
		err := part.sorted(ctx, true, func(row *row) error {
			scratch = row.append(scratch[:0])
			return w.write(scratch)
		})
		if err != nil {
			return sortedRun{}, err
		}
		return w.end()
	})
	return err
}

// walkers stand before all runs.
func (r *rows) walkers() []*walker {
	var list []*walker
	for _, h := range r.heaps {
		list = append(list, &walker{heap: h})
	}
	for _, run := range r.runs {
		list = append(list, &walker{runReader: runReader{disk: r.disk, run: run}})
	}
	return list
}

// sorted gives all rows in the order of ids; once says that the disk may forget them.
func (r *rows) sorted(ctx context.Context, once bool, do func(*row) error) error {
	var queue []*walker // a binary heap, the lowest id first
	for _, w := range r.walkers() {
		w.once = once
		if err := w.next(r.order); err != nil {
			return err
		}
		if !w.done {
			queue = append(queue, w)
		}
	}
	for i := len(queue)/2 - 1; i >= 0; i-- {
		r.order.sink(queue, i)
	}
	for n := 0; len(queue) > 0; n++ {
		if n%4096 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		w := queue[0]
		if err := do(&w.row); err != nil {
			return err
		}
		if err := w.next(r.order); err != nil {
			return err
		}
		if w.done {
			queue[0] = queue[len(queue)-1]
			queue = queue[:len(queue)-1]
		}
		r.order.sink(queue, 0)
	}
	return nil
}

// sink brings the walker at i to its place below.
func (o idOrder) sink(queue []*walker, i int) {
	for {
		least := i
		for _, child := range [...]int{2*i + 1, 2*i + 2} {
			if child < len(queue) && o.before(queue[child], queue[least]) {
				least = child
			}
		}
		if least == i {
			return
		}
		queue[i], queue[least] = queue[least], queue[i]
		i = least
	}
}

func (o idOrder) before(a, b *walker) bool {
	if a.key != b.key {
		return a.key < b.key
	}
	return o.compare(a.row.id, b.row.id) < 0
}

// walker walks one run, in memory or on the disk.
type walker struct {
	heap *heap // nil: on the disk
	at   int   // place of heap
	runReader
	row  row
	key  uint64
	used int // length of the row's record on the disk
	done bool
}

// next goes to the next row.
func (w *walker) next(o idOrder) error {
	if w.heap != nil {
		if w.done = w.at == len(w.heap.places); w.done {
			return nil
		}
		p := w.heap.places[w.at]
		w.at, w.key = w.at+1, p.key
		_, err := w.row.parse(w.heap.data[p.at:])
		return err
	}
	w.take(w.used)
	data, err := w.peek(maxRecord)
	if err != nil {
		return err
	}
	if w.done = len(data) == 0; w.done {
		return nil
	}
	w.used, err = w.row.parse(data)
	w.key = o.key(w.row.id)
	return err
}
