package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/coterie-project/coterie/dataset"
	"github.com/parquet-go/parquet-go/format"
)

// column decodes one leaf of one row group after the other. It holds the raw values of the current Block.
type column struct {
	leaf       *leaf
	pages      pages
	codec      format.CompressionCodec
	chunkLeft  int64 // values of the chunk in pages not opened yet
	left       int   // values left in the open page
	hasLevels  bool  // the open page tells nulls apart
	levels     hybrid
	values     values
	dictionary dictionary
	passed     *passedDictionary // not loaded yet, since no page has needed it
	page       []byte            // the open page, decompressed
	dictBytes  []byte

	// The Block's values by physical type, nulls included (as zero or empty). w32 lies in own32 or in the page.
	w32     []uint32
	own32   []uint32
	w64     []uint64
	bools   []byte
	text    dataset.Strings
	null    []bool // valid where anyNull
	anyNull bool

	scratch pieces
	output  output // what convert.go makes of it
}

// errRest means that the chunk's pages hold fewer values than its metadata gives.
var errRest = errors.New("the column ends too early")

func (c *column) open(file io.ReaderAt, k *chunk) {
	c.pages.reset(file, k)
	c.codec, c.chunkLeft, c.left = k.codec, k.values, 0
	c.dictionary.reset()
	c.passed = nil
}

// passedDictionary is where a dictionary lies that was passed over on the way to a row in the middle: the pages there
// are often plain, the dictionary having grown too large.
type passedDictionary struct {
	at   int64
	head pageHeader
}

// read decodes the next n values, at most BlockRows.
func (c *column) read(n int) error {
	if c.left == 0 && n > 0 {
		if err := c.nextPage(0); err != nil {
			return err
		}
	}
	if c.inPage(n) {
		return nil
	}
	c.prepare(n)
	for at := 0; at < n; {
		if c.left == 0 {
			if err := c.nextPage(0); err != nil {
				return err
			}
			continue
		}
		m := min(c.left, n-at)
		if err := c.piece(at, m); err != nil {
			return err
		}
		at += m
		c.left -= m
	}
	return nil
}

// inPage takes the next n values where they lie in the open page, if all of them do, plain and none missing. They are good until
// another page is opened.
func (c *column) inPage(n int) bool {
	v := &c.values
	if n > c.left || v.encoding != format.Plain || c.leaf.typ != format.Float && c.leaf.typ != format.Int32 {
		return false
	}
	words := view32(v.data, n)
	if words == nil {
		return false
	}
	if c.hasLevels && !c.levels.skipConstant(n, 1) {
		return false
	}
	c.anyNull = false
	c.w32, v.data = words, v.data[4*n:]
	c.left -= n
	return true
}

// prepare sizes the buffers once: nothing grows with numbers from the file.
func (c *column) prepare(n int) {
	c.anyNull = false
	switch c.leaf.typ {
	case format.Int32, format.Float:
		c.own32 = sized(c.own32, n)
		c.w32 = c.own32
	case format.Int64, format.Double:
		c.w64 = sized(c.w64, n)
	case format.Boolean:
		c.bools = sized(c.bools, n)
	default:
		startText(&c.text)
	}
}

// sized is b with length n; its capacity is that of a whole Block.
func sized[T any](b []T, n int) []T {
	if cap(b) < n {
		b = make([]T, n, max(n, dataset.BlockRows))
	}
	return b[:n]
}

// skip passes over n values, over whole pages without decoding them.
func (c *column) skip(n int64) error {
	for n > 0 {
		if c.left == 0 {
			before := c.chunkLeft
			if err := c.nextPage(n); err != nil {
				return err
			}
			if c.left == 0 {
				n -= before - c.chunkLeft
			}
			continue
		}
		m := int(min(n, int64(c.left), dataset.BlockRows))
		c.prepare(m)
		if err := c.piece(0, m); err != nil {
			return err
		}
		c.left -= m
		n -= int64(m)
	}
	return nil
}

// nextPage opens the next page with values, unless it has at most skip values: such a page is passed over, which
// shows in chunkLeft. A dictionary on the way is loaded, or, while rows are passed over, remembered.
func (c *column) nextPage(skip int64) error {
	if c.chunkLeft <= 0 {
		return errRest
	}
	err := c.pages.next()
	if err == io.EOF {
		return errRest
	}
	if err != nil {
		return err
	}
	h := &c.pages.head
	switch {
	case h.typ == format.DictionaryPage && (c.dictionary.loaded || c.passed != nil):
		return errors.New("a second dictionary")
	case h.typ == format.DictionaryPage && skip > 0:
		c.passed = &passedDictionary{c.pages.pos, *h}
		c.pages.skip()
		return nil
	case h.typ == format.DictionaryPage:
		return c.loadDictionary(h)
	case !h.isData():
		c.pages.skip()
		return nil
	case int64(h.values) > c.chunkLeft:
		return fmt.Errorf("a page of %d values where %d are left", h.values, c.chunkLeft)
	}
	c.chunkLeft -= int64(h.values)
	if int64(h.values) <= skip || h.values == 0 {
		c.pages.skip()
		return nil
	}
	return c.openPage(h)
}

func (c *column) openPage(h *pageHeader) error {
	if isDictionary(h.encoding) && !c.dictionary.loaded {
		if err := c.goBackForDictionary(); err != nil {
			return err
		}
	}
	body, err := c.pages.body()
	if err != nil {
		return err
	}
	split := c.splitV1
	if h.typ == format.DataPageV2 {
		split = c.splitV2
	}
	data, err := split(h, body)
	if err != nil {
		return err
	}
	present := -1
	if !c.hasLevels {
		present = int(h.values)
	}
	if err := c.values.open(c.leaf, h.encoding, data, present); err != nil {
		return err
	}
	c.left = int(h.values)
	return nil
}

func (c *column) inflate(buffer *[]byte, body []byte, size int) ([]byte, error) {
	if c.codec == format.Uncompressed {
		if len(body) != size {
			return nil, errSize
		}
		return body, nil
	}
	var err error
	*buffer, err = decompress(c.codec, *buffer, body, size)
	return *buffer, err
}

// splitV1: levels and values are compressed together.
func (c *column) splitV1(h *pageHeader, body []byte) ([]byte, error) {
	data, err := c.inflate(&c.page, body, int(h.uncompressed))
	if err != nil {
		return nil, err
	}
	if c.hasLevels = c.leaf.optional; !c.hasLevels {
		return data, nil
	}
	if h.levels != format.RLE {
		return nil, fmt.Errorf("definition levels in the encoding %v are not supported", h.levels)
	}
	if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
		return nil, errValues
	}
	n := binary.LittleEndian.Uint32(data)
	c.levels, err = newHybrid(data[4:4+n], 1)
	return data[4+n:], err
}

// splitV2: levels stand uncompressed before the values.
func (c *column) splitV2(h *pageHeader, body []byte) ([]byte, error) {
	before := h.repeatBytes + h.levelBytes
	levels, body := body[h.repeatBytes:before], body[before:]
	size := int(h.uncompressed - before)
	data := body
	var err error
	if h.plain {
		if len(body) != size {
			return nil, errSize
		}
	} else if data, err = c.inflate(&c.page, body, size); err != nil {
		return nil, err
	}
	if c.hasLevels = c.leaf.optional; c.hasLevels {
		c.levels, err = newHybrid(levels, 1)
	}
	return data, err
}

// goBackForDictionary loads the dictionary that was passed over.
func (c *column) goBackForDictionary() error {
	if c.passed == nil {
		return errors.New("a page needs a dictionary that is not there")
	}
	here, head := c.pages.pos, c.pages.head
	c.pages.pos, c.pages.head = c.passed.at, c.passed.head
	err := c.loadDictionary(&c.pages.head)
	c.pages.pos, c.pages.head = here, head
	c.passed = nil
	return err
}

func (c *column) loadDictionary(h *pageHeader) error {
	if h.encoding != format.Plain && h.encoding != format.PlainDictionary {
		return fmt.Errorf("a dictionary in the encoding %v is not supported", h.encoding)
	}
	body, err := c.pages.body()
	if err != nil {
		return err
	}
	data, err := c.inflate(&c.dictBytes, body, int(h.uncompressed))
	if err != nil {
		return err
	}
	n := int(h.values)
	least := c.leaf.size()
	if c.leaf.typ == format.ByteArray {
		least = 4 // its length
	}
	if n > len(data)/least {
		return errValues
	}
	var v values
	if err := v.open(c.leaf, format.Plain, data, n); err != nil {
		return err
	}
	d := &c.dictionary
	d.loaded = true
	switch c.leaf.typ {
	case format.Int32, format.Float:
		d.w32 = slices.Grow(d.w32, n)[:n]
		return v.pull32(d.w32, nil, nil)
	case format.Int64, format.Double:
		d.w64 = slices.Grow(d.w64, n)[:n]
		return v.pull64(d.w64, nil, nil)
	case format.Boolean:
		return errors.New("a dictionary of booleans")
	}
	startText(&d.text)
	return v.pullText(&d.text, n, maxPage, nil, nil)
}

// piece decodes m values of the open page into the Block's rows [at, at+m).
func (c *column) piece(at, m int) error {
	present := m
	if c.hasLevels {
		var err error
		if present, err = c.nulls(at, m); err != nil {
			return err
		}
	} else if c.anyNull {
		clear(c.null[at : at+m])
	}
	if err := c.pull(at, m, present); err != nil {
		return err
	}
	if present < m {
		c.spread(at, m, present)
	}
	return nil
}

// nulls decodes m definition levels and gives the number of values that are there.
func (c *column) nulls(at, m int) (int, error) {
	if level, ok := c.levels.constant(m); ok && level == 1 {
		if c.anyNull {
			clear(c.null[at : at+m])
		}
		return m, nil
	} else if ok {
		c.startNulls(at)
		for i := range m {
			c.null[at+i] = true
		}
		return 0, nil
	}
	if cap(c.scratch.index) < m {
		c.scratch.index = make([]uint32, dataset.BlockRows)
	}
	levels := c.scratch.index[:m]
	if err := c.levels.pull(levels); err != nil {
		return 0, err
	}
	present := 0
	for _, l := range levels {
		present += int(l)
	}
	if present < m || c.anyNull {
		c.startNulls(at)
		for i, l := range levels {
			c.null[at+i] = l == 0
		}
	}
	return present, nil
}

// startNulls makes the null flags of the rows before at valid: there has been no null yet.
func (c *column) startNulls(at int) {
	if !c.anyNull {
		c.null = sized(c.null, dataset.BlockRows)
		clear(c.null[:at])
		c.anyNull = true
	}
}

// pull decodes the present values to the front of the rows [at, at+m).
func (c *column) pull(at, m, present int) error {
	if present == 0 && c.leaf.width == 0 && c.leaf.typ != format.ByteArray {
		return nil
	}
	switch c.leaf.typ {
	case format.Int32, format.Float:
		return c.values.pull32(c.w32[at:at+present], &c.dictionary, &c.scratch)
	case format.Int64, format.Double:
		return c.values.pull64(c.w64[at:at+present], &c.dictionary, &c.scratch)
	case format.Boolean:
		return c.values.pullBool(c.bools[at:at+present], &c.scratch)
	}
	if cap(c.text.Offsets) < at+m+1 {
		c.text.Offsets = slices.Grow(c.text.Offsets, dataset.BlockRows+1-at)
	}
	if present == 0 {
		return nil
	}
	return c.values.pullText(&c.text, present, maxBlockText, &c.dictionary, &c.scratch)
}

// spread moves values from the front of the rows to where they belong, from the last one on.
func (c *column) spread(at, m, present int) {
	null := c.null[at : at+m]
	switch c.leaf.typ {
	case format.Int32, format.Float:
		spread(c.w32[at:at+m], null, present)
	case format.Int64, format.Double:
		spread(c.w64[at:at+m], null, present)
	case format.Boolean:
		spread(c.bools[at:at+m], null, present)
	default:
		ends := c.text.Offsets[at : at+m+1]
		c.text.Offsets = c.text.Offsets[:at+m+1]
		for i := m - 1; i >= 0; i-- {
			ends[i+1] = ends[present]
			if !null[i] {
				present--
			}
		}
	}
}

func spread[T uint32 | uint64 | byte](w []T, null []bool, present int) {
	for i := len(w) - 1; i >= 0; i-- {
		if null[i] {
			w[i] = 0
			continue
		}
		present--
		w[i] = w[present]
	}
}
