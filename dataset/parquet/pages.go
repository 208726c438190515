package parquet

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/parquet-go/parquet-go/format"
)

// pageHeader is a PageHeader with the one header inside it that its type asks for.
type pageHeader struct {
	typ          format.PageType
	uncompressed int32
	compressed   int32
	crc          uint32
	hasCRC       bool
	found        bool // the inner header that belongs to typ was there
	values       int32
	encoding     format.Encoding
	levels       format.Encoding // of definition levels, version 1
	levelBytes   int32           // version 2
	repeatBytes  int32
	plain        bool // version 2: not compressed
}

// parsePageHeader decodes the header at the start of data and gives its length.
func parsePageHeader(data []byte) (pageHeader, int, error) {
	r := &thriftReader{data: data}
	h := pageHeader{typ: -1}
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i32Field:
			h.typ = format.PageType(r.int32())
		case 2<<4 | i32Field:
			h.uncompressed = r.int32()
		case 3<<4 | i32Field:
			h.compressed = r.int32()
		case 4<<4 | i32Field:
			h.crc, h.hasCRC = uint32(r.int32()), true
		case 5<<4 | structField:
			r.pageV1(&h)
		case 7<<4 | structField:
			r.pageDictionary(&h)
		case 8<<4 | structField:
			r.pageV2(&h)
		default:
			r.skip(typ)
		}
	})
	return h, r.pos, r.err
}

func (r *thriftReader) pageV1(h *pageHeader) {
	h.found = h.typ == format.DataPage
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i32Field:
			h.values = r.int32()
		case 2<<4 | i32Field:
			h.encoding = format.Encoding(r.int32())
		case 3<<4 | i32Field:
			h.levels = format.Encoding(r.int32())
		default:
			r.skip(typ)
		}
	})
}

func (r *thriftReader) pageDictionary(h *pageHeader) {
	h.found = h.typ == format.DictionaryPage
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i32Field:
			h.values = r.int32()
		case 2<<4 | i32Field:
			h.encoding = format.Encoding(r.int32())
		default:
			r.skip(typ)
		}
	})
}

func (r *thriftReader) pageV2(h *pageHeader) {
	h.found = h.typ == format.DataPageV2
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i32Field:
			h.values = r.int32()
		case 4<<4 | i32Field:
			h.encoding = format.Encoding(r.int32())
		case 5<<4 | i32Field:
			h.levelBytes = r.int32()
		case 6<<4 | i32Field:
			h.repeatBytes = r.int32()
		case 7<<4 | thriftFalse:
			h.plain = true
		default:
			r.skip(typ)
		}
	})
}

func (h *pageHeader) isData() bool { return h.typ == format.DataPage || h.typ == format.DataPageV2 }

// check holds the header against the bytes that are left in the chunk.
func (h *pageHeader) check(left int64) error {
	switch {
	case h.compressed < 0 || int64(h.compressed) > left:
		return fmt.Errorf("a page of %d bytes where %d are left", h.compressed, left)
	case h.uncompressed < 0 || h.uncompressed > maxPage:
		return fmt.Errorf("a page of %d bytes after decompression; the limit is %d", h.uncompressed, maxPage)
	case h.values < 0:
		return fmt.Errorf("a page of %d values", h.values)
	case (h.isData() || h.typ == format.DictionaryPage) && !h.found:
		return fmt.Errorf("a page of type %d without its header", h.typ)
	case h.typ == format.DataPageV2 && (h.levelBytes < 0 || h.repeatBytes < 0 ||
		int64(h.levelBytes)+int64(h.repeatBytes) > int64(min(h.compressed, h.uncompressed))):
		return fmt.Errorf("levels of %d and %d bytes in a page of %d", h.repeatBytes, h.levelBytes, h.compressed)
	}
	return nil
}

// pages walks the pages of one chunk. It reads ahead, so that small pages do not cost a system call each, and
// keeps its buffers from chunk to chunk.
type pages struct {
	file     io.ReaderAt
	pos, end int64
	stop     int64  // nothing behind it is read ahead
	window   []byte // the file's bytes from windowAt
	windowAt int64
	least    int64 // bytes to read at a time
	head     pageHeader
}

const (
	readAhead = 64 << 10
	nextHead  = 1 << 10 // enough for most headers; read behind a page, in the hope that the next header is there
	maxHeader = 1 << 20 // headers may carry the smallest and largest value of the page
)

func (p *pages) reset(file io.ReaderAt, c *chunk) {
	p.file, p.pos, p.end, p.stop = file, c.offset, c.offset+c.size, c.offset+c.size
	p.window, p.windowAt, p.least = p.window[:0], c.offset, readAhead
}

// ensure gives the n bytes at pos, reading up to ahead bytes more. n lies inside the chunk, which lies inside
// the file.
func (p *pages) ensure(n, ahead int64) ([]byte, error) {
	from := p.pos - p.windowAt
	if from < 0 || from > int64(len(p.window)) {
		from, p.window = 0, p.window[:0]
	}
	if int64(len(p.window))-from >= n {
		return p.window[from : from+n], nil
	}
	kept := copy(p.window, p.window[from:])
	size := int(max(n, min(max(n+ahead, p.least), p.end-p.pos, p.stop-p.pos)))
	if cap(p.window) < size {
		grown := make([]byte, size, size+size/8)
		copy(grown, p.window[:kept])
		p.window = grown
	}
	p.window, p.windowAt = p.window[:size], p.pos
	got, err := p.file.ReadAt(p.window[kept:], p.pos+int64(kept))
	if kept+got < int(n) {
		p.window = p.window[:0]
		if err == io.EOF {
			err = errors.New("the file is shorter than before")
		}
		return nil, &ioError{err}
	}
	p.window = p.window[:kept+got]
	return p.window[:n], nil
}

// ioError is a read that failed, as opposed to bytes that are wrong.
type ioError struct{ err error }

func (e *ioError) Error() string { return "reading failed: " + e.err.Error() }
func (e *ioError) Unwrap() error { return e.err }

// next reads the header of the next page into head and stands at the page's bytes. At the chunk's end it gives io.EOF.
func (p *pages) next() error {
	left := p.end - p.pos
	if left == 0 {
		return io.EOF
	}
	have := min(max(int64(len(p.window))-(p.pos-p.windowAt), nextHead), left)
	if p.pos < p.stop {
		have = min(have, p.stop-p.pos)
	}
	for {
		data, err := p.ensure(have, 0)
		if err != nil {
			return err
		}
		head, n, err := parsePageHeader(data)
		if err == nil {
			p.head, p.pos = head, p.pos+int64(n)
			return head.check(p.end - p.pos)
		}
		if err != errShort || have >= min(left, maxHeader) {
			return fmt.Errorf("a damaged page header: %w", err)
		}
		have = min(max(4*have, readAhead), left, maxHeader)
	}
}

// skip passes over the bytes of the page. Behind a large page only a header is read, since the page behind it may
// be passed over too: a start in the middle of a large row group reads a kilobyte of each page before it.
func (p *pages) skip() {
	p.pos += int64(p.head.compressed)
	p.least = readAhead
	if p.head.compressed > readAhead {
		p.least = nextHead
	}
}

// body is the page's bytes as stored, valid until the next call.
func (p *pages) body() ([]byte, error) {
	data, err := p.ensure(int64(p.head.compressed), nextHead)
	if err != nil {
		return nil, err
	}
	p.pos += int64(p.head.compressed)
	p.least = readAhead
	if p.head.hasCRC && crc32.ChecksumIEEE(data) != p.head.crc {
		return nil, errors.New("the page's checksum does not match: the file is damaged")
	}
	return data, nil
}
