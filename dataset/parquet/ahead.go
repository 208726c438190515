package parquet

import (
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/parquet-go/parquet-go/format"
)

// announce says which bytes will be read: of this group, and, since one is read while the next is fetched, of the next.
func (r *reader) announce(at int) {
	if at < len(r.source.footer.groups) && r.source.footer.groups[at].first < r.end {
		r.file.Want(r.spans(&r.source.footer.groups[at]))
	}
}

// spans are the bytes of the columns in a group that is read from its beginning. Where it is not read to its end, they end
// where the pages of the last row should, if they are all of one size, and somewhat behind it.
func (r *reader) spans(g *group) []pinned.Span {
	share := 1.0
	if left := r.end - g.first; left < g.rows {
		share = float64(left) / float64(g.rows)
	}
	spans := make([]pinned.Span, len(r.fields))
	for i := range r.fields {
		c := &g.chunks[r.source.tree.leaf[r.fields[i].Column]]
		spans[i] = pinned.Span{From: c.offset, To: c.offset + c.part(share)}
	}
	return spans
}

// slack is read behind what a share of a chunk should take: pages are of about this size.
const slack = 1 << 20

func (c *chunk) part(share float64) int64 {
	if share >= 1 {
		return c.size
	}
	return min(c.size, int64(float64(c.size)*share)+slack)
}

// enter stands all columns at r.row in the middle of a group, and announces the rest of it.
func (r *reader) enter(g *group) error {
	spans := make([]pinned.Span, len(r.columns))
	for i := range r.columns {
		c := &r.columns[i]
		k := &g.chunks[r.source.tree.leaf[r.fields[i].Column]]
		err := r.guard(c, g.first, func() error {
			if err := c.jump(k, r.row-g.first, g.rows); err != nil {
				return err
			}
			return c.skip(r.row - g.first - (k.values - c.chunkLeft))
		})
		if err != nil {
			return err
		}
		share := float64(min(r.end, g.first+g.rows)-r.row) / float64(g.first+g.rows-r.row)
		rest := chunk{size: c.pages.end - c.pages.pos}
		spans[i] = pinned.Span{From: c.pages.pos, To: c.pages.pos + rest.part(share)}
	}
	r.file.Want(spans)
	return nil
}

const (
	jumpRows = 1 << 16 // fewer rows are passed over page by page: reading where pages begin costs about as much
	maxIndex = 8 << 20 // bytes of an index; a page takes some 10
)

// page is where one begins.
type page struct {
	offset int64
	size   int32
	first  int64 // row in the group
}

// jump goes to the page that holds the row of the group, if the file says where pages begin. What it says is held against the
// chunk, and against the header of the page: if it does not fit, the file is damaged. rows is the number in the group.
func (c *column) jump(k *chunk, row, rows int64) error {
	if row < jumpRows || k.index <= 0 || k.indexBytes <= 0 || k.indexBytes > maxIndex || k.values != rows {
		return nil
	}
	list, err := readIndex(c.pages.file, k)
	if err != nil {
		return err
	}
	if err := checkPages(list, k, rows); err != nil {
		return err
	}
	at := sort.Search(len(list), func(i int) bool { return list[i].first > row }) - 1
	if at == 0 {
		return nil
	}
	if err := c.passDictionary(list[0].offset); err != nil {
		return err
	}
	end := rows
	if at+1 < len(list) {
		end = list[at+1].first
	}
	c.pages.pos, c.chunkLeft = list[at].offset, rows-list[at].first
	if err := c.pages.next(); err != nil {
		return err
	}
	if h := &c.pages.head; !h.isData() || int64(h.values) != end-list[at].first {
		return fmt.Errorf("the index of pages gives %d rows to a page of %d values", end-list[at].first, h.values)
	}
	c.pages.pos = list[at].offset // its header is read again
	return nil
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
	if n, err := file.ReadAt(data, k.index); n < len(data) {
		if err == io.EOF {
			return nil, errors.New("the index of pages lies outside of the file")
		}
		return nil, &ioError{err}
	}
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
			p.size = r.int32()
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
		if p.offset < at || p.size < 0 || p.offset > k.offset+k.size-int64(p.size) || p.first <= row || p.first >= rows {
			return fmt.Errorf("page %d of the index: %d bytes at %d for the rows from %d", i, p.size, p.offset, p.first)
		}
		at, row = p.offset+int64(p.size), p.first
	}
	return nil
}
