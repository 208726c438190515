package parquet

import (
	"errors"
	"fmt"
	"io"

	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/parquet-go/parquet-go/format"
)

// announce says which bytes will be read next: of the group that is opened, if they have not been announced before, and, since
// one is read while the next is fetched, of the next.
func (r *reader) announce(g *group, spans []pinned.Span) {
	if !r.ahead {
		r.file.Want(spans)
	}
	r.ahead = false
	if next := r.group + 1; next < len(r.source.footer.groups) && r.source.footer.groups[next].first < r.end {
		// What is wrong with it is an error when it is opened: the rows before it come first.
		if spans, _, err := r.spans(&r.source.footer.groups[next]); err == nil {
			r.file.Want(spans)
			r.ahead = true
		}
	}
}

// spans are the bytes of the columns that will be read of a group of an object, and, unless all of the group is read, the
// pages in which they lie, by column.
func (r *reader) spans(g *group) ([]pinned.Span, []known, error) {
	from, to := max(r.row-g.first, 0), min(r.end-g.first, g.rows)
	spans := make([]pinned.Span, len(r.fields))
	if from == 0 && to == g.rows {
		for i := range r.fields {
			k := r.chunk(g, i)
			spans[i] = pinned.Span{From: k.offset, To: k.offset + k.size}
		}
		return spans, nil, nil
	}
	maps, err := r.maps(g, to)
	if err != nil {
		return nil, nil, err
	}
	for i, n := range maps {
		k, last := r.chunk(g, i), n.list[n.holding(to-1)]
		spans[i] = pinned.Span{From: k.offset, To: last.offset + last.size}
		if at := n.holding(from); at > 0 {
			spans[i].From = n.list[at].offset
			spans = append(spans, pinned.Span{From: k.offset, To: n.list[0].offset}) // the dictionary
		}
	}
	return spans, maps, nil
}

// chunk is that of a field in a group.
func (r *reader) chunk(g *group, field int) *chunk {
	return &g.chunks[r.source.tree.leaf[r.fields[field].Column]]
}

// enterObject announces what is read of a group of an object, and stands all columns at r.row in it.
func (r *reader) enterObject(g *group) error {
	spans, maps, err := r.spans(g)
	if err != nil {
		return err
	}
	r.announce(g, spans)
	for i := range r.columns {
		c := &r.columns[i]
		c.pages.stop = spans[i].To
		if r.row == g.first {
			continue
		}
		err := r.guard(c, g.first, func() error { return c.startAt(maps[i], r.row-g.first, g.rows) })
		if err != nil {
			return err
		}
	}
	return nil
}

// enter stands all columns at r.row in the middle of a group of a file.
func (r *reader) enter(g *group) error {
	for i := range r.columns {
		c, k := &r.columns[i], r.chunk(g, i)
		err := r.guard(c, g.first, func() error {
			if err := c.jump(k, r.row-g.first, g.rows); err != nil {
				return err
			}
			return c.skip(r.row - g.first - (k.values - c.chunkLeft))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

const (
	jumpRows = 1 << 16 // fewer rows are passed over page by page: reading where pages begin costs about as much
	maxIndex = 8 << 20 // bytes of an index; a page takes some 10
)

// jump goes to the page that holds the row of the group, if the file says where pages begin. What it says is held against the
// chunk, and against the header of the page: if it does not fit, the file is damaged. rows is the number in the group.
func (c *column) jump(k *chunk, row, rows int64) error {
	if row < jumpRows || !k.indexed(rows) {
		return nil
	}
	list, err := readIndex(c.pages.file, k)
	if err != nil {
		return err
	}
	if err := checkPages(list, k, rows); err != nil {
		return err
	}
	n := known{list, rows}
	at := n.holding(row)
	if at == 0 {
		return nil
	}
	if err := c.passDictionary(list[0].offset); err != nil {
		return err
	}
	return c.standAt(n, at, rows)
}

// passDictionary remembers the dictionary before the first page with values, if there is one.
func (c *column) passDictionary(first int64) error {
	if c.pages.pos == first {
		return nil
	}
	if err := c.pages.next(); err != nil {
		return err
	}
	if c.pages.head.typ == format.DictionaryPage {
		c.passed = &passedDictionary{c.pages.pos, c.pages.head}
	}
	return nil
}

// readIndex reads where the pages of a chunk begin.
func readIndex(file io.ReaderAt, k *chunk) ([]page, error) {
	data := make([]byte, k.indexBytes)
	if err := readIndexBytes(file, data, k.index); err != nil {
		return nil, err
	}
	return parseIndex(data, k)
}

// readIndexBytes fills data with indexes of pages.
func readIndexBytes(file io.ReaderAt, data []byte, at int64) error {
	n, err := file.ReadAt(data, at)
	switch {
	case n == len(data):
		return nil
	case err == io.EOF:
		return errors.New("the index of pages lies outside of the file")
	}
	return &ioError{err}
}

func parseIndex(data []byte, k *chunk) ([]page, error) {
	r := &thriftReader{data: data}
	var list []page
	r.structure(func(id int16, typ byte) {
		if key(id, typ) != 1<<4|listField {
			r.skip(typ)
			return
		}
		r.list(thriftStruct, func() {
			if list = append(list, r.page()); int64(len(list)) > k.size/minPage {
				r.fail(errors.New("the index has more pages than the column has room for"))
			}
		})
	})
	return list, r.err
}

func (r *thriftReader) page() page {
	p := page{offset: -1, first: -1}
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i64Field:
			p.offset = r.varint()
		case 2<<4 | i32Field:
			p.size = int64(r.int32())
		case 3<<4 | i64Field:
			p.first = r.varint()
		default:
			r.skip(typ)
		}
	})
	return p
}

// checkPages holds an index against its chunk: pages follow one another, and so do their rows.
func checkPages(list []page, k *chunk, rows int64) error {
	if len(list) == 0 || list[0].first != 0 {
		return errors.New("the index of pages does not begin with row 0")
	}
	at, row := k.offset, int64(-1)
	for i, p := range list {
		if p.offset < at || p.size < 0 || p.offset > k.offset+k.size-p.size || p.first <= row || p.first >= rows {
			return fmt.Errorf("page %d of the index: %d bytes at %d for the rows from %d", i, p.size, p.offset, p.first)
		}
		at, row = p.offset+p.size, p.first
	}
	return nil
}
