package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"testing"

	library "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/coterie-project/coterie/internal/hostile"
)

// sheet is a file of one column with one page, and before it perhaps one with a dictionary, whose bytes are anything.
type sheet struct {
	typ      format.Type
	encoding format.Encoding
	codec    format.CompressionCodec
	second   bool // of version 2
	optional bool
	width    int32 // of FIXED_LEN_BYTE_ARRAY
	levels   int   // bytes of levels, version 2
	values   int32
	size     int32 // said to be after decompression
	words    int32 // values of the dictionary; below 0: there is none
	dict     []byte
	body     []byte
}

// bytes is the file.
func (s *sheet) bytes(t testing.TB) []byte {
	t.Helper()
	file := bytes.NewBufferString(magic)
	protocol := new(thrift.CompactProtocol)
	add := func(h *format.PageHeader, body []byte) {
		data, err := thrift.Marshal(protocol, h)
		if err != nil {
			t.Fatal(err)
		}
		file.Write(data)
		file.Write(body)
	}
	column := format.ColumnMetaData{Type: s.typ, Encoding: []format.Encoding{s.encoding}, PathInSchema: []string{"x"}, Codec: s.codec, NumValues: int64(s.values)}
	if s.words >= 0 {
		column.DictionaryPageOffset = int64(file.Len())
		add(&format.PageHeader{Type: format.DictionaryPage, UncompressedPageSize: int32(len(s.dict)), CompressedPageSize: int32(len(s.dict)),
			DictionaryPageHeader: thrift.New(format.DictionaryPageHeader{NumValues: s.words, Encoding: format.Plain})}, s.dict)
	}
	column.DataPageOffset = int64(file.Len())
	head := format.PageHeader{UncompressedPageSize: s.size, CompressedPageSize: int32(len(s.body))}
	if s.second {
		head.Type = format.DataPageV2
		head.DataPageHeaderV2 = thrift.New(format.DataPageHeaderV2{NumValues: s.values, NumRows: s.values, Encoding: s.encoding, DefinitionLevelsByteLength: int32(s.levels),
			IsCompressed: thrift.New(s.codec != format.Uncompressed)})
	} else {
		head.DataPageHeader = thrift.New(format.DataPageHeader{NumValues: s.values, Encoding: s.encoding, DefinitionLevelEncoding: format.RLE, RepetitionLevelEncoding: format.RLE})
	}
	add(&head, s.body)
	column.TotalCompressedSize = int64(file.Len() - len(magic))
	column.TotalUncompressedSize = column.TotalCompressedSize
	repetition := format.Required
	if s.optional {
		repetition = format.Optional
	}
	footer, err := thrift.Marshal(protocol, &format.FileMetaData{Version: 1, NumRows: int64(s.values),
		Schema: []format.SchemaElement{{Name: "root", NumChildren: thrift.New(int32(1))},
			{Name: "x", Type: thrift.New(s.typ), TypeLength: thrift.New(s.width), RepetitionType: thrift.New(repetition)}},
		RowGroups: []format.RowGroup{{NumRows: int64(s.values), TotalByteSize: column.TotalUncompressedSize,
			Columns: []format.ColumnChunk{{MetaData: column}}}}})
	if err != nil {
		t.Fatal(err)
	}
	file.Write(footer)
	return append(binary.LittleEndian.AppendUint32(file.Bytes(), uint32(len(footer))), magic...)
}

// ours reads the column of a file in pieces of step rows; each value as the bits or bytes that it has, nil where there is none.
func ours(file []byte, step int) (values [][]byte, err error) {
	n := int(binary.LittleEndian.Uint32(file[len(file)-8:]))
	footer, err := parseFooter(file[len(file)-8-n : len(file)-8])
	if err != nil {
		return nil, err
	}
	tree, err := buildTree(footer.schema)
	if err != nil {
		return nil, err
	}
	if err := footer.check(int64(len(file)-8-n), tree.leaves); err != nil {
		return nil, err
	}
	if len(footer.groups) == 0 || tree.schema.Columns[0].Unusable != "" {
		return nil, io.EOF
	}
	c := &column{leaf: &tree.leaves[0]}
	c.open(bytes.NewReader(file), &footer.groups[0].chunks[0])
	for left := int(footer.rows); left > 0; left -= step {
		m := min(step, left)
		if err := c.read(m); err != nil {
			return nil, err
		}
		for i := range m {
			values = append(values, c.raw(i))
		}
	}
	return values, nil
}

// raw is the value at i of what was read last.
func (c *column) raw(i int) []byte {
	if c.anyNull && c.null[i] {
		return nil
	}
	switch c.leaf.typ {
	case format.Int32, format.Float:
		return binary.LittleEndian.AppendUint32([]byte{}, c.w32[i])
	case format.Int64, format.Double:
		return binary.LittleEndian.AppendUint64([]byte{}, c.w64[i])
	case format.Boolean:
		return []byte{c.bools[i]}
	}
	return append([]byte{}, c.text.At(i)...)
}

// theirs reads the same with the library, whose panics are refusals.
func theirs(file []byte) (values [][]byte, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r)
		}
	}()
	f, err := library.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil {
		return nil, err
	}
	pages := f.RowGroups()[0].ColumnChunks()[0].Pages()
	defer pages.Close()
	for {
		page, err := pages.ReadPage()
		if err == io.EOF {
			return values, nil
		}
		if err != nil {
			return nil, err
		}
		list := make([]library.Value, page.NumValues())
		if n, err := page.Values().ReadValues(list); n != len(list) {
			return nil, fmt.Errorf("%d values of %d: %v", n, len(list), err)
		}
		for _, v := range list {
			values = append(values, rawOf(v))
		}
	}
}

func rawOf(v library.Value) []byte {
	switch {
	case v.IsNull():
		return nil
	case v.Kind() == library.Boolean && v.Boolean():
		return []byte{1}
	case v.Kind() == library.Boolean:
		return []byte{0}
	case v.Kind() == library.Int32:
		return binary.LittleEndian.AppendUint32([]byte{}, uint32(v.Int32()))
	case v.Kind() == library.Float:
		return binary.LittleEndian.AppendUint32([]byte{}, math.Float32bits(v.Float()))
	case v.Kind() == library.Int64:
		return binary.LittleEndian.AppendUint64([]byte{}, uint64(v.Int64()))
	case v.Kind() == library.Double:
		return binary.LittleEndian.AppendUint64([]byte{}, math.Float64bits(v.Double()))
	case v.Kind() == library.Int96:
		x := v.Int96()
		b := binary.LittleEndian.AppendUint32([]byte{}, x[0])
		return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(b, x[1]), x[2])
	}
	return append([]byte{}, v.ByteArray()...)
}

// codecs are those that are read, and one that is not.
var codecs = []format.CompressionCodec{format.Uncompressed, format.Snappy, format.Gzip, format.Brotli, format.Zstd, format.Lz4Raw, format.Lz4}

// mostRows bounds the rows of a sheet: a few bytes may stand for billions.
const mostRows = 3000

// FuzzPages gives any bytes to every combination of a type, an encoding and a compression, as the body of a page. Where the
// library reads them too, it reads the same; in pieces of any size they are the same; and memory stays in proportion.
func FuzzPages(f *testing.F) {
	small := []byte{1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 5, 0, 0, 0, 6, 0, 0, 0}
	for typ := range uint8(8) {
		for encoding := range uint8(10) {
			f.Add(typ|8*(encoding%2), encoding, uint8(0), uint16(3), uint8(4), uint16(24), int8(3), small, small)
		}
	}
	delta := []byte{0x80, 1, 4, 3, 2, 2, 3, 0, 0, 0, 0x12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}
	for _, typ := range []uint8{1, 2, 6, 7} {
		for encoding := range uint8(10) {
			f.Add(typ, encoding, uint8(0), uint16(3), uint8(4), uint16(len(delta)), int8(-1), []byte{}, delta)
			f.Add(typ|16, encoding, uint8(0), uint16(3), uint8(2), uint16(len(delta)), int8(-1), []byte{}, append([]byte{6, 1}, delta...))
		}
	}
	for codec := range uint8(len(codecs)) {
		f.Add(uint8(1), uint8(0), codec, uint16(2), uint8(0), uint16(8), int8(-1), []byte{}, small)
	}
	f.Fuzz(func(t *testing.T, shape, encoding, codec uint8, rows uint16, levels uint8, size uint16, words int8, dict, body []byte) {
		s := &sheet{typ: format.Type(shape & 7), optional: shape&8 != 0, second: shape&16 != 0, width: 1 + int32(shape>>5), encoding: format.Encoding(encoding % 10),
			codec: codecs[int(codec)%len(codecs)], values: int32(1 + rows%mostRows), levels: int(levels), size: int32(size), words: int32(words), dict: dict, body: body}
		if s.codec == format.Uncompressed {
			s.size = int32(len(body))
		}
		file := s.bytes(t)
		var got [][]byte
		var err error
		// A window of a compression, and a dictionary's word or the last text for each row.
		hostile.Ceiling(t, len(file), 40<<20, 64*mostRows, func() { got, err = ours(file, 8192) })
		for _, step := range []int{1, 7} {
			again, failed := ours(file, step)
			if (failed == nil) != (err == nil) || err == nil && !equal(got, again) {
				t.Fatalf("%d rows at a time: %q, %v; all at once: %q, %v", step, again, failed, got, err)
			}
		}
		if err != nil {
			return
		}
		if s.encoding != format.Plain && s.encoding != format.ByteStreamSplit || s.optional {
			if !tame(dict) || !tame(body) {
				return
			}
		}
		want, refused := theirs(file)
		if refused == nil && !equal(got, want) {
			t.Fatalf("%v in %v with %v:\nours   %q\ntheirs %q", s.typ, s.encoding, s.codec, got, want)
		}
	})
}

// tame says that no number in the bytes can be a count of millions: the library makes room for as many values as it is told.
func tame(data []byte) bool {
	for i := 2; i < len(data); i++ {
		if data[i-2]&data[i-1]&data[i] >= 0x80 {
			return false
		}
	}
	return true
}

func equal(a, b [][]byte) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if (a[i] == nil) != (b[i] == nil) || !bytes.Equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

// A page of byte planes is laid out by its length: with another one than that of its values, other programs would read
// other numbers.
func TestBytePlanesOfAnotherLengthAreRefused(t *testing.T) {
	for _, c := range []struct {
		name     string
		bytes    int
		optional bool
		want     error
	}{
		{"of two values", 8, false, nil},
		{"with a byte more", 9, false, errPlanes},
		{"with a value more", 12, false, errPlanes},
		{"with a byte less", 7, false, errPlanes},
		{"of two values, which may be missing", 8, true, nil},
		{"with a byte more, where values may be missing", 9, true, errPlanes},
	} {
		s := &sheet{typ: format.Float, encoding: format.ByteStreamSplit, optional: c.optional, values: 2, words: -1, body: make([]byte, c.bytes)}
		if c.optional { // two levels of 1 in a run
			s.body = append([]byte{2, 0, 0, 0, 4, 1}, s.body...)
		}
		s.size = int32(len(s.body))
		values, err := ours(s.bytes(t), 8192)
		if !errors.Is(err, c.want) || err == nil && len(values) != 2 {
			t.Errorf("%s: got %q, %v, want %v", c.name, values, err, c.want)
		}
	}
}

// Levels are first looked at for a run that they are all of. A run that is damaged must not be passed over by that look.
func TestADamagedRunOfLevelsIsAnError(t *testing.T) {
	s := &sheet{typ: format.Int32, encoding: format.Plain, optional: true, second: true, values: 4, levels: 4, words: -1, body: append([]byte{2 * 24, 7, 3, 1}, make([]byte, 16)...)}
	s.size = int32(len(s.body))
	values, err := ours(s.bytes(t), 8192)
	if err == nil || !strings.Contains(err.Error(), "the value 7 needs more than 1 bits") {
		t.Errorf("got %q, %v, want the run of sevens refused", values, err)
	}
}
