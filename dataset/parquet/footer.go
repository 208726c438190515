package parquet

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/parquet-go/parquet-go/format"
)

// element is a node of the schema tree, which the file lists depth first.
type element struct {
	name       string
	leaf       bool // it has a physical type
	typ        format.Type
	length     int32 // of a fixed-length value, in bytes
	repetition format.FieldRepetitionType
	children   int32
	converted  int32 // the older annotation; -1 = none
	scale      int32
	precision  int32
	logical    logical
}

// logical is a LogicalType: a union, whose field number says which.
type logical struct {
	id       int16 // 0 = none
	unit     int16 // of times: 1 milliseconds, 2 microseconds, 3 nanoseconds
	bits     byte  // of integers
	unsigned bool
	scale    int32
}

// Field numbers of the LogicalType union.
const (
	logicalString    = 1
	logicalEnum      = 4
	logicalDecimal   = 5
	logicalDate      = 6
	logicalTime      = 7
	logicalTimestamp = 8
	logicalInteger   = 10
	logicalUUID      = 14
	logicalFloat16   = 15
)

// chunk is one column of one row group: where its pages lie.
type chunk struct {
	offset, size int64
	uncompressed int64
	values       int64 // nulls included
	typ          format.Type
	codec        format.CompressionCodec
	index        int64 // where the offset index lies, which says where pages begin; 0: there is none
	indexBytes   int32
}

// group is a row group with a chunk for each leaf of the schema.
type group struct {
	number int   // in the file, from 0
	first  int64 // row number in the file
	rows   int64
	chunks []chunk
}

// footer is the part of the metadata that reading needs.
type footer struct {
	schema []element
	rows   int64
	groups []group
	tags   map[string]string // those of ours
}

// Tags of ours begin with tagPrefix; a footer of other programs has others, some of them large, which nobody asks for.
const (
	tagPrefix = "coterie."
	maxTags   = 16
)

// tag reads a pair of a key and a value.
func (r *thriftReader) tag(f *footer) {
	var name, value []byte
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | binField:
			name = r.binary()
		case 2<<4 | binField:
			value = r.binary()
		default:
			r.skip(typ)
		}
	})
	if strings.HasPrefix(string(name), tagPrefix) && len(f.tags) < maxTags {
		if f.tags == nil {
			f.tags = make(map[string]string)
		}
		f.tags[string(name)] = string(value)
	}
}

// key pairs a field's number with the type that belongs to it, so that a field of another type is skipped.
func key(id int16, typ byte) int { return int(id)<<4 | int(typ) }

const (
	i8Field     = thriftByte
	i32Field    = thriftI32
	i64Field    = thriftI64
	binField    = thriftBinary
	listField   = thriftList
	structField = thriftStruct
)

// parseFooter decodes FileMetaData. Its memory is bounded by a small multiple of len(data): every element of a
// list takes several bytes of it.
func parseFooter(data []byte) (*footer, error) {
	r := &thriftReader{data: data}
	f := &footer{rows: -1}
	encrypted := false
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 2<<4 | listField:
			r.list(thriftStruct, func() { f.schema = append(f.schema, r.element()) })
		case 3<<4 | i64Field:
			f.rows = r.varint()
		case 4<<4 | listField:
			r.list(thriftStruct, func() { f.groups = append(f.groups, r.group()) })
		case 5<<4 | listField:
			r.list(thriftStruct, func() { r.tag(f) })
		case 8<<4 | structField:
			encrypted = true
			r.skip(typ)
		default:
			r.skip(typ)
		}
	})
	switch {
	case r.err != nil:
		return nil, r.err
	case encrypted:
		return nil, errors.New("encrypted Parquet is not supported")
	case len(f.schema) == 0:
		return nil, errors.New("the metadata has no schema")
	}
	return f, nil
}

func (r *thriftReader) element() element {
	e := element{converted: -1}
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i32Field:
			e.typ, e.leaf = format.Type(r.int32()), true
		case 2<<4 | i32Field:
			e.length = r.int32()
		case 3<<4 | i32Field:
			e.repetition = format.FieldRepetitionType(r.int32())
		case 4<<4 | binField:
			e.name = string(r.binary())
		case 5<<4 | i32Field:
			e.children = r.int32()
		case 6<<4 | i32Field:
			e.converted = r.int32()
		case 7<<4 | i32Field:
			e.scale = r.int32()
		case 8<<4 | i32Field:
			e.precision = r.int32()
		case 10<<4 | structField:
			e.logical = r.logical()
		default:
			r.skip(typ)
		}
	})
	return e
}

func (r *thriftReader) logical() logical {
	var l logical
	r.structure(func(id int16, typ byte) {
		l.id = id
		if typ != thriftStruct {
			r.skip(typ)
			return
		}
		r.structure(func(field int16, typ byte) {
			switch {
			case id == logicalDecimal && field == 1 && typ == thriftI32:
				l.scale = r.int32()
			case (id == logicalTime || id == logicalTimestamp) && field == 2 && typ == thriftStruct:
				r.structure(func(unit int16, typ byte) { l.unit = unit; r.skip(typ) })
			case id == logicalInteger && field == 1 && typ == thriftByte:
				l.bits = r.byte()
			case id == logicalInteger && field == 2:
				l.unsigned = typ == thriftFalse
				r.skip(typ)
			default:
				r.skip(typ)
			}
		})
	})
	return l
}

func (r *thriftReader) group() group {
	g := group{rows: -1}
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | listField:
			r.list(thriftStruct, func() { g.chunks = append(g.chunks, r.chunk()) })
		case 3<<4 | i64Field:
			g.rows = r.varint()
		default:
			r.skip(typ)
		}
	})
	return g
}

func (r *thriftReader) chunk() chunk {
	var c chunk
	var index int64
	var indexBytes int32
	found := false
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | binField:
			if len(r.binary()) > 0 {
				r.fail(errors.New("columns in other files are not supported"))
			}
		case 3<<4 | structField:
			c, found = r.chunkMeta(), true
		case 4<<4 | i64Field:
			index = r.varint()
		case 5<<4 | i32Field:
			indexBytes = r.int32()
		case 8<<4 | structField:
			r.fail(errors.New("encrypted Parquet is not supported"))
		default:
			r.skip(typ)
		}
	})
	if !found {
		r.fail(errors.New("a column chunk without metadata"))
	}
	c.index, c.indexBytes = index, indexBytes
	return c
}

func (r *thriftReader) chunkMeta() chunk {
	c := chunk{values: -1, size: -1}
	var data, dictionary int64
	r.structure(func(id int16, typ byte) {
		switch key(id, typ) {
		case 1<<4 | i32Field:
			c.typ = format.Type(r.int32())
		case 4<<4 | i32Field:
			c.codec = format.CompressionCodec(r.int32())
		case 5<<4 | i64Field:
			c.values = r.varint()
		case 6<<4 | i64Field:
			c.uncompressed = r.varint()
		case 7<<4 | i64Field:
			c.size = r.varint()
		case 9<<4 | i64Field:
			data = r.varint()
		case 11<<4 | i64Field:
			dictionary = r.varint()
		default:
			r.skip(typ)
		}
	})
	c.offset = data
	// Some writers leave the dictionary's offset at 0, or point it at the data.
	if dictionary > 0 && dictionary < data {
		c.offset = dictionary
	}
	return c
}

// check compares the numbers of the footer with each other and with the bytes before it: [4, end). It numbers the
// groups' rows and drops empty groups.
func (f *footer) check(end int64, leaves []leaf) error {
	if f.rows < 0 {
		return fmt.Errorf("the metadata gives %d rows", f.rows)
	}
	kept := f.groups[:0]
	total := int64(0)
	for i := range f.groups {
		g := &f.groups[i]
		if g.rows < 0 || g.rows > math.MaxInt64-total {
			return fmt.Errorf("row group %d gives %d rows", i, g.rows)
		}
		if len(g.chunks) != len(leaves) {
			return fmt.Errorf("row group %d has %d columns, the schema %d", i, len(g.chunks), len(leaves))
		}
		for j := range g.chunks {
			if c := &g.chunks[j]; c.index < int64(len(magic)) || c.indexBytes <= 0 || int64(c.indexBytes) > end-c.index {
				c.index = 0 // it is a help, and does without
			}
			if err := g.chunks[j].check(end, g.rows, &leaves[j]); err != nil {
				return fmt.Errorf("row group %d, column %s: %w", i, leaves[j].name, err)
			}
		}
		g.number, g.first = i, total
		if total += g.rows; g.rows > 0 {
			kept = append(kept, *g)
		}
	}
	if total != f.rows {
		return fmt.Errorf("the metadata gives %d rows, its row groups %d", f.rows, total)
	}
	f.groups = kept
	return nil
}

// minPage is the size of the smallest page header; a page holds at most 2^31-1 values.
const minPage = 12

func (c *chunk) check(end, rows int64, l *leaf) error {
	switch {
	case c.typ != l.typ:
		return fmt.Errorf("the type is %d, in the schema %d", c.typ, l.typ)
	case c.size < 0 || c.offset < 0 || c.uncompressed < 0:
		return fmt.Errorf("%d bytes at offset %d", c.size, c.offset)
	case c.values < 0 || l.flat && c.values != rows:
		return fmt.Errorf("%d values for %d rows", c.values, rows)
	case rows > 0 && l.flat && (c.offset < int64(len(magic)) || c.offset > end || c.size > end-c.offset):
		return fmt.Errorf("%d bytes at offset %d lie outside the file's data, which ends at %d", c.size, c.offset, end)
	case l.flat && rows>>31 > c.size/minPage:
		return fmt.Errorf("%d rows in %d bytes", rows, c.size)
	}
	return nil
}
