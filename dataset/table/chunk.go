package table

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math"
	"math/bits"
	"slices"

	"github.com/coterie-project/coterie/dataset"
	"github.com/klauspost/compress/s2"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

// chunk is one column of one row group, encoded: an optional dictionary page, then data pages of version 1, with snappy
// compression where that makes them smaller.
type chunk struct {
	bytes        []byte
	dataOffset   int64 // of the first data page within bytes
	dictionary   bool
	deltas       bool // integers are written as their differences
	stored       bool // nothing is compressed
	uncompressed int64
	nulls        int64
	pages        []format.PageLocation // of data, from the beginning of bytes
	err          error

	// Scratch, kept from group to group.
	page     []byte
	packed   []byte
	null     []bool
	indices  []uint32
	distinct []int32         // the dictionary of integers
	words    dataset.Strings // the dictionary of texts
}

const (
	maxDictRange = 1 << 16 // of the integers of a chunk: a table of that size finds a value's index
	maxDictWords = 1 << 12
)

// encode makes the chunk of one column.
func (k *chunk) encode(d *columnData, c *Column, rows int) {
	k.bytes, k.uncompressed, k.nulls, k.err = k.bytes[:0], 0, 0, nil
	k.dictionary, k.deltas, k.stored, k.pages = false, false, false, k.pages[:0]
	k.null = findNulls(k.null[:0], d, c)
	switch c.Type {
	case Int32, Date:
		k.dictionary = k.indexIntegers(d.i32)
	case Int64:
		k.deltas = deltasAreShort(d.i64)
	case Text:
		k.dictionary = k.indexTexts(&d.text)
	}
	if k.dictionary {
		k.writeDictionary(c.Type)
	}
	k.dataOffset = int64(len(k.bytes))
	for from := 0; from < rows && k.err == nil; {
		to, at := pageEnd(d, c, from, rows), len(k.bytes)
		k.writePage(d, c, from, to)
		k.pages = append(k.pages, format.PageLocation{Offset: int64(at), CompressedPageSize: int32(len(k.bytes) - at), FirstRowIndex: int64(from)})
		from = to
	}
}

// pageEnd cuts texts by size too: a page is decompressed whole.
func pageEnd(d *columnData, c *Column, from, rows int) int {
	to := min(from+pageRows, rows)
	if c.Type == Text {
		start := d.text.Offsets[from]
		for i := from + 1; i < to; i++ {
			if d.text.Offsets[i]-start >= pageText {
				return i
			}
		}
	}
	return to
}

// findNulls marks the missing values of a nullable column; an empty result means that there are none to tell apart.
func findNulls(null []bool, d *columnData, c *Column) []bool {
	if !c.Nullable {
		return null
	}
	switch c.Type {
	case Float32:
		for _, v := range d.f32 {
			null = append(null, v != v)
		}
	case Float64:
		for _, v := range d.f64 {
			null = append(null, v != v)
		}
	case Time:
		for _, v := range d.i64 {
			null = append(null, v == NoTime)
		}
	case Date:
		for _, v := range d.i32 {
			null = append(null, v == NoDate)
		}
	case Text:
		for i := range d.text.Len() {
			null = append(null, d.text.Offsets[i] == d.text.Offsets[i+1])
		}
	}
	return null
}

// optional says whether the column is written with definition levels.
func (c *Column) optional() bool {
	return c.Nullable && c.Type != Int32 && c.Type != Int64 && c.Type != Bool
}

// indexIntegers builds a dictionary, ascending, if the values lie close together; segments always do.
func (k *chunk) indexIntegers(values []int32) bool {
	low, high := k.rangeOf(values)
	if low > high || high-low >= maxDictRange {
		return false
	}
	index := make([]uint32, high-low+1) // 0 = absent, else 1 + index
	if len(k.null) == 0 {
		for _, v := range values {
			index[int64(v)-low] = 1
		}
	} else {
		for i, v := range values {
			if !k.null[i] {
				index[int64(v)-low] = 1
			}
		}
	}
	k.distinct = k.distinct[:0]
	for i := range index {
		if index[i] != 0 {
			k.distinct = append(k.distinct, int32(low+int64(i)))
			index[i] = uint32(len(k.distinct))
		}
	}
	// Beyond that the dictionary and its indices are no smaller than the values.
	if 2*len(k.distinct) > len(values) && len(k.distinct) > 1 {
		return false
	}
	k.indices = slices.Grow(k.indices[:0], len(values))[:len(values)]
	for i, v := range values {
		if len(k.null) == 0 || !k.null[i] {
			k.indices[i] = index[int64(v)-low] - 1
		} else {
			k.indices[i] = 0
		}
	}
	return true
}

// rangeOf is the least and the greatest value that is there; low is above high where none is.
func (k *chunk) rangeOf(values []int32) (low, high int64) {
	least, most := int32(math.MaxInt32), int32(math.MinInt32)
	if len(k.null) == 0 {
		for _, v := range values {
			least, most = min(least, v), max(most, v)
		}
		return int64(least), int64(most)
	}
	low, high = math.MaxInt32, math.MinInt32
	for i, v := range values {
		if !k.null[i] {
			low, high = min(low, int64(v)), max(high, int64(v))
		}
	}
	return low, high
}

// indexTexts builds a dictionary in the order of first appearance, and gives up where there are many texts.
func (k *chunk) indexTexts(text *dataset.Strings) bool {
	seen := make(map[string]uint32)
	k.words.Data, k.words.Offsets = k.words.Data[:0], append(k.words.Offsets[:0], 0)
	k.indices = k.indices[:0]
	for i := range text.Len() {
		if len(k.null) > 0 && k.null[i] {
			k.indices = append(k.indices, 0)
			continue
		}
		word := text.At(i)
		index, ok := seen[string(word)]
		if !ok {
			if len(seen) == maxDictWords || len(k.words.Data) > pageText {
				return false
			}
			index = uint32(len(seen))
			seen[string(word)] = index
			k.words.Data = append(k.words.Data, word...)
			k.words.Offsets = append(k.words.Offsets, len(k.words.Data))
		}
		k.indices = append(k.indices, index)
	}
	return len(seen) > 0 && (2*len(seen) <= text.Len() || len(seen) == 1)
}

func (k *chunk) dictionarySize(t Type) int {
	if t == Text {
		return k.words.Len()
	}
	return len(k.distinct)
}

func (k *chunk) writeDictionary(t Type) {
	k.page = k.page[:0]
	if t == Text {
		k.page = appendTexts(k.page, &k.words, 0, k.words.Len(), nil)
	} else {
		for _, v := range k.distinct {
			k.page = binary.LittleEndian.AppendUint32(k.page, uint32(v))
		}
	}
	header := format.PageHeader{Type: format.DictionaryPage}
	header.DictionaryPageHeader.Set(format.DictionaryPageHeader{
		NumValues: int32(k.dictionarySize(t)), Encoding: format.Plain,
	})
	k.finishPage(&header, k.page)
}

// writePage encodes rows [from, to) as a data page.
func (k *chunk) writePage(d *columnData, c *Column, from, to int) {
	k.page = k.page[:0]
	var null []bool
	if c.optional() {
		null = k.null[from:to]
		k.page = appendLevels(k.page, null)
	}
	nulls := int64(0)
	for _, n := range null {
		if n {
			nulls++
		}
	}
	k.nulls += nulls
	encoding, page := format.Plain, []byte(nil)
	switch {
	case k.dictionary:
		encoding = format.RLEDictionary
		k.page = k.appendIndices(k.page, k.indices[from:to], null, k.dictionarySize(c.Type))
	case k.deltas:
		encoding = format.DeltaBinaryPacked
		k.page = appendDeltas(k.page, d.i64[from:to])
	case !c.optional():
		page = plainBytes(d, c.Type, from, to)
	}
	if page == nil {
		if encoding == format.Plain {
			k.page = appendValues(k.page, d, c.Type, from, to, null)
		}
		page = k.page
	}
	header := format.PageHeader{Type: format.DataPage}
	header.DataPageHeader.Set(format.DataPageHeader{
		NumValues: int32(to - from), Encoding: encoding,
		DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE,
		Statistics: format.Statistics{NullCount: nulls},
	})
	k.finishPage(&header, page)
}

// worthPacking says whether compression has made a page smaller by a sixteenth at least. Measured numbers it does not, and
// readers and writers are spared the trouble.
func worthPacking(packed, page []byte) bool { return len(packed) <= len(page)-len(page)/16 }

// finishPage compresses the page and appends it with its header, which carries a checksum. A chunk without a
// dictionary whose first page becomes no smaller is not compressed.
func (k *chunk) finishPage(header *format.PageHeader, page []byte) {
	body := page
	if !k.stored {
		k.packed = s2.EncodeSnappy(k.packed[:cap(k.packed)], page)
		k.stored = len(k.bytes) == 0 && !k.dictionary && !worthPacking(k.packed, page)
	}
	if !k.stored {
		body = k.packed
	}
	if len(page) > math.MaxInt32 || len(body) > math.MaxInt32 {
		k.err = fmt.Errorf("table: a page of %d bytes", len(page))
		return
	}
	header.UncompressedPageSize, header.CompressedPageSize = int32(len(page)), int32(len(body))
	header.CRC = int32(crc32.ChecksumIEEE(body))
	head, err := thrift.Marshal(new(thrift.CompactProtocol), header)
	if err != nil {
		k.err = err
		return
	}
	k.bytes = append(append(k.bytes, head...), body...)
	k.uncompressed += int64(len(head) + len(page))
}

// appendLevels appends definition levels of one bit with their length before them.
func appendLevels(dst []byte, null []bool) []byte {
	start := len(dst)
	dst = append(dst, 0, 0, 0, 0)
	any := false
	for _, n := range null {
		any = any || n
	}
	if !any {
		dst = append(binary.AppendUvarint(dst, uint64(len(null))<<1), 1)
	} else {
		dst = binary.AppendUvarint(dst, uint64(len(null)+7)/8<<1|1)
		dst = appendBits(dst, len(null), func(i int) bool { return !null[i] })
	}
	binary.LittleEndian.PutUint32(dst[start:], uint32(len(dst)-start-4))
	return dst
}

// appendBits appends n bits, the first in the lowest place, in whole bytes.
func appendBits(dst []byte, n int, bit func(i int) bool) []byte {
	for i := 0; i < n; i += 8 {
		b := byte(0)
		for j := i; j < min(i+8, n); j++ {
			if bit(j) {
				b |= 1 << (j - i)
			}
		}
		dst = append(dst, b)
	}
	return dst
}

// appendIndices appends the indices of values that are not null: their width, then one bit-packed run (a
// run-length run where the width is 0). Snappy takes care of repetition.
func (k *chunk) appendIndices(dst []byte, indices []uint32, null []bool, size int) []byte {
	width := bits.Len(uint(size - 1))
	if null != nil {
		present := make([]uint32, 0, len(indices))
		for i, x := range indices {
			if !null[i] {
				present = append(present, x)
			}
		}
		indices = present
	}
	dst = append(dst, byte(width))
	if len(indices) == 0 {
		return dst
	}
	if width == 0 {
		return binary.AppendUvarint(dst, uint64(len(indices))<<1)
	}
	dst = binary.AppendUvarint(dst, uint64(len(indices)+7)/8<<1|1)
	if width <= 8 {
		whole := len(indices) &^ 7
		dst = appendEights(dst, indices[:whole], width)
		indices = indices[whole:]
	}
	acc, have := uint64(0), 0
	for _, x := range indices {
		acc |= uint64(x) << have
		for have += width; have >= 8; have -= 8 {
			dst = append(dst, byte(acc))
			acc >>= 8
		}
	}
	// Fill the last group of eight with zeros.
	pad := (8 - len(indices)%8) % 8 * width
	for have += pad; have > 0; have -= 8 {
		dst = append(dst, byte(acc))
		acc >>= 8
	}
	return dst
}

// appendEights packs a multiple of eight indices of up to eight bits: eight of them fill as many bytes as one has bits.
func appendEights(dst []byte, indices []uint32, width int) []byte {
	dst = slices.Grow(dst, len(indices)/8*width+8)
	at := len(dst)
	out := dst[:at+len(indices)/8*width+8] // the last step writes behind its bytes
	for ; len(indices) >= 8; indices = indices[8:] {
		x := (*[8]uint32)(indices)
		low := uint64(x[0]) | uint64(x[1])<<width | uint64(x[2])<<(2*width) | uint64(x[3])<<(3*width)
		high := uint64(x[4]) | uint64(x[5])<<width | uint64(x[6])<<(2*width) | uint64(x[7])<<(3*width)
		binary.LittleEndian.PutUint64(out[at:], low|high<<(4*width))
		at += width
	}
	return out[:at]
}

// appendValues appends the values that are not null in the PLAIN encoding.
func appendValues(dst []byte, d *columnData, t Type, from, to int, null []bool) []byte {
	switch t {
	case Int32, Date:
		return append32(dst, d.i32[from:to], null, func(v int32) uint32 { return uint32(v) })
	case Float32:
		return append32(dst, d.f32[from:to], null, math.Float32bits)
	case Int64, Time:
		return append64(dst, d.i64[from:to], null, func(v int64) uint64 { return uint64(v) })
	case Float64:
		return append64(dst, d.f64[from:to], null, math.Float64bits)
	case Bool:
		values := d.bits[from:to]
		return appendBits(dst, len(values), func(i int) bool { return values[i] })
	}
	return appendTexts(dst, &d.text, from, to, null)
}

func append32[T int32 | float32](dst []byte, values []T, null []bool, toBits func(T) uint32) []byte {
	for i, v := range values {
		if null == nil || !null[i] {
			dst = binary.LittleEndian.AppendUint32(dst, toBits(v))
		}
	}
	return dst
}

func append64[T int64 | float64](dst []byte, values []T, null []bool, toBits func(T) uint64) []byte {
	for i, v := range values {
		if null == nil || !null[i] {
			dst = binary.LittleEndian.AppendUint64(dst, toBits(v))
		}
	}
	return dst
}

func appendTexts(dst []byte, text *dataset.Strings, from, to int, null []bool) []byte {
	for i := from; i < to; i++ {
		if null == nil || !null[i-from] {
			cell := text.At(i)
			dst = binary.LittleEndian.AppendUint32(dst, uint32(len(cell)))
			dst = append(dst, cell...)
		}
	}
	return dst
}
