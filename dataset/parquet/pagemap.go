package parquet

import (
	"bytes"
	"cmp"
	"fmt"
	"io"
	"slices"
	"sort"
	"sync"

	"github.com/parquet-go/parquet-go/format"
)

// page is where one begins.
type page struct {
	offset int64
	size   int64 // with its header
	first  int64 // row in the group
}

// pageMaps are where the pages of an object's chunks lie, as far as somebody has asked: a file that is far away is asked for
// no byte that nobody needs, and several readers start in the middle of one large group. A local file needs none.
type pageMaps struct {
	mu    sync.Mutex
	maps  map[*chunk]*pageMap
	pages int // in all maps
}

// known are the pages of a chunk that hold its first rows.
type known struct {
	list []page
	rows int64 // in them
}

// mostPages is how many pages are remembered of a file, 24 bytes each. A terabyte of pages of a mebibyte has as many.
const mostPages = 1 << 20

// pageMap are the pages of a chunk from its beginning on.
type pageMap struct {
	mu sync.Mutex
	known
	begun  bool
	walker pages // stands behind the known ones
}

// of is the map of a chunk.
func (p *pageMaps) of(k *chunk) *pageMap {
	p.mu.Lock()
	defer p.mu.Unlock()
	m := p.maps[k]
	if m == nil {
		if p.maps == nil || p.pages > mostPages {
			p.maps, p.pages = make(map[*chunk]*pageMap), 0 // those in use stay with their readers
		}
		m = &pageMap{}
		p.maps[k] = m
	}
	return m
}

func (p *pageMaps) count(pages int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages += pages
}

// upTo are the pages that hold the rows before row, at least; those of no rows if not so many are known.
func (m *pageMap) upTo(row int64) known {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.rows < row {
		return known{}
	}
	return m.known
}

// learn finds out the pages before a row of the group: from the index of pages in data, if there is one, or else from their
// headers, which file gives. rows is the number in the group.
func (m *pageMap) learn(file io.ReaderAt, k *chunk, index []byte, row, rows int64) (err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.begun {
		m.walker.reset(file, k)
		m.walker.least = nextHead
		if index != nil {
			if m.list, err = parseIndex(index, k); err == nil {
				err = checkPages(m.list, k, rows)
			}
			if err != nil {
				m.list = nil
				return err
			}
			m.rows = rows
		}
		m.begun = true
	}
	m.walker.file = file
	for err == nil && m.rows < row {
		err = m.step(k)
	}
	m.walker.window = nil
	return err
}

// step goes to the next page.
func (m *pageMap) step(k *chunk) error {
	at := m.walker.pos
	switch err := m.walker.next(); {
	case err == io.EOF:
		return errRest
	case err != nil:
		return err
	}
	h := &m.walker.head
	if h.isData() && h.values > 0 {
		if left := k.values - m.rows; int64(h.values) > left {
			m.walker.pos = at // the next who asks is told the same
			return fmt.Errorf("a page of %d values where %d are left", h.values, left)
		}
		m.list = append(m.list, page{at, m.walker.pos - at + int64(h.compressed), m.rows})
		m.rows += int64(h.values)
	}
	m.walker.skip()
	return nil
}

// holding is the number of the page that holds a row.
func (n known) holding(row int64) int {
	return sort.Search(len(n.list), func(i int) bool { return n.list[i].first > row }) - 1
}

// maps makes sure that the pages before row end of a group are known for all columns, and gives them by column.
func (r *reader) maps(g *group, end int64) ([]known, error) {
	lists := make([]known, len(r.fields))
	var unknown []int
	for i := range r.fields {
		if lists[i] = r.source.pages.of(r.chunk(g, i)).upTo(end); lists[i].rows == 0 {
			unknown = append(unknown, i)
		}
	}
	if len(unknown) == 0 {
		return lists, nil
	}
	errs := make([]error, len(r.fields))
	indexes := r.indexes(g, unknown, errs)
	inParallel(len(unknown), func(n int) {
		i := unknown[n]
		errs[i] = r.guardIn(g, &r.columns[i], g.first, func() error {
			if errs[i] != nil {
				return errs[i]
			}
			k := r.chunk(g, i)
			m := r.source.pages.of(k)
			if err := m.learn(r.file, k, indexes[i], end, g.rows); err != nil {
				return err
			}
			lists[i] = m.upTo(end)
			r.source.pages.count(len(lists[i].list))
			return nil
		})
	})
	return lists, cmp.Or(errs...)
}

// indexes reads the indexes of pages of some columns, which as a rule lie side by side, in few requests.
func (r *reader) indexes(g *group, columns []int, errs []error) [][]byte {
	found := make([][]byte, len(r.fields))
	columns = slices.DeleteFunc(slices.Clone(columns), func(i int) bool { return !r.chunk(g, i).indexed(g.rows) })
	slices.SortFunc(columns, func(i, j int) int { return cmp.Compare(r.chunk(g, i).index, r.chunk(g, j).index) })
	var runs [][]int
	for _, i := range columns {
		k := r.chunk(g, i)
		if n := len(runs); n > 0 {
			first, last := r.chunk(g, runs[n-1][0]), r.chunk(g, runs[n-1][len(runs[n-1])-1])
			if k.index-last.index-int64(last.indexBytes) <= readAhead && k.index+int64(k.indexBytes)-first.index <= maxIndex {
				runs[n-1] = append(runs[n-1], i)
				continue
			}
		}
		runs = append(runs, []int{i})
	}
	inParallel(len(runs), func(n int) {
		run := runs[n]
		first, last := r.chunk(g, run[0]), r.chunk(g, run[len(run)-1])
		data := make([]byte, last.index+int64(last.indexBytes)-first.index)
		if err := readIndexBytes(r.file, data, first.index); err != nil {
			for _, i := range run {
				errs[i] = err
			}
			return
		}
		for _, i := range run {
			k := r.chunk(g, i)
			found[i] = bytes.Clone(data[k.index-first.index:][:k.indexBytes])
		}
	})
	return found
}

// indexed says whether the file says where the pages of a chunk begin, of a group of so many rows.
func (k *chunk) indexed(rows int64) bool {
	return k.index > 0 && k.indexBytes > 0 && k.indexBytes <= maxIndex && k.values == rows
}

// mostLookups is how many columns are looked up at the same time: each is a journey or more.
const mostLookups = 32

// inParallel does work for 0 to n-1.
func inParallel(n int, work func(i int)) {
	seats := make(chan struct{}, mostLookups)
	var all sync.WaitGroup
	for i := range n {
		seats <- struct{}{}
		all.Go(func() {
			defer func() { <-seats }()
			work(i)
		})
	}
	all.Wait()
}

// startAt stands a column, which is open, at a row of the group. The dictionary, where there is one, is read first: what was
// announced is read once.
func (c *column) startAt(n known, row, rows int64) error {
	stop := c.pages.stop
	if first := n.list[0].offset; first > c.pages.pos {
		c.pages.stop = first
		if err := c.pages.next(); err != nil {
			return err
		}
		if c.pages.head.typ == format.DictionaryPage {
			if err := c.loadDictionary(&c.pages.head); err != nil {
				return err
			}
		}
		c.pages.stop = stop
	}
	at := n.holding(row)
	if err := c.standAt(n, at, rows); err != nil {
		return err
	}
	return c.skip(row - n.list[at].first)
}

// standAt goes to a page, whose header must fit to what is known of it. rows is the number in the group.
func (c *column) standAt(n known, at int, rows int64) error {
	end := n.rows
	if at+1 < len(n.list) {
		end = n.list[at+1].first
	}
	c.pages.pos, c.chunkLeft = n.list[at].offset, rows-n.list[at].first
	if err := c.pages.next(); err != nil {
		return err
	}
	if h := &c.pages.head; !h.isData() || int64(h.values) != end-n.list[at].first {
		return fmt.Errorf("the index of pages gives %d rows to a page of %d values", end-n.list[at].first, h.values)
	}
	c.pages.pos = n.list[at].offset // its header is read again
	return nil
}
