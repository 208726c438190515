package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// Thrift's compact protocol, as far as Parquet's metadata uses it:
// https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
//
// The reader allocates nothing on the word of a length: strings are slices of the input, and lists are handed to
// the caller element by element, so what it builds grows only with bytes that were there.

const (
	thriftStop   = 0
	thriftTrue   = 1
	thriftFalse  = 2
	thriftByte   = 3
	thriftI16    = 4
	thriftI32    = 5
	thriftI64    = 6
	thriftDouble = 7
	thriftBinary = 8
	thriftList   = 9
	thriftSet    = 10
	thriftMap    = 11
	thriftStruct = 12

	// maxThriftDepth bounds the recursion; Parquet's own metadata is 6 structs deep.
	maxThriftDepth = 16
)

// errShort means that the metadata goes on after the bytes given.
var errShort = errors.New("the metadata ends too early")

// thriftReader is a cursor over bytes. The first error sticks; after it every read gives zero.
type thriftReader struct {
	data  []byte
	pos   int
	depth int
	err   error
}

func (r *thriftReader) fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

func (r *thriftReader) byte() byte {
	if r.err != nil || r.pos >= len(r.data) {
		r.fail(errShort)
		return 0
	}
	b := r.data[r.pos]
	r.pos++
	return b
}

func (r *thriftReader) uvarint() uint64 {
	if r.err != nil {
		return 0
	}
	v, n := binary.Uvarint(r.data[r.pos:])
	switch {
	case n == 0:
		r.fail(errShort)
		return 0
	case n < 0:
		r.fail(errors.New("an integer of more than 64 bits"))
		return 0
	}
	r.pos += n
	return v
}

func (r *thriftReader) varint() int64 {
	u := r.uvarint()
	return int64(u>>1) ^ -int64(u&1)
}

// int32 reads an integer that the format defines as 32 bits wide.
func (r *thriftReader) int32() int32 {
	v := r.varint()
	if int64(int32(v)) != v {
		r.fail(fmt.Errorf("the integer %d is wider than 32 bits", v))
		return 0
	}
	return int32(v)
}

// binary is a view of the input, not a copy.
func (r *thriftReader) binary() []byte {
	n := r.uvarint()
	if r.err == nil && n > uint64(len(r.data)-r.pos) {
		r.fail(errShort)
	}
	if r.err != nil {
		return nil
	}
	b := r.data[r.pos : r.pos+int(n)]
	r.pos += int(n)
	return b
}

// structure calls field for every field of a struct. The callback reads the value, or calls skip with the type.
// A bool's value is its type.
func (r *thriftReader) structure(field func(id int16, typ byte)) {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errors.New("metadata nested too deeply"))
	}
	defer func() { r.depth-- }()
	id := int16(0)
	for r.err == nil {
		b := r.byte()
		typ := b & 0x0f
		if b == thriftStop || r.err != nil {
			return
		}
		if delta := b >> 4; delta != 0 {
			id += int16(delta)
		} else {
			id = int16(r.varint())
		}
		field(id, typ)
	}
}

// list calls element once for each element and stops at the first error. The element type is checked first.
func (r *thriftReader) list(want byte, element func()) {
	n, typ := r.listHeader()
	if n > 0 && typ != want && r.err == nil {
		r.fail(fmt.Errorf("a list of type %d where one of type %d belongs", typ, want))
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		element()
	}
}

func (r *thriftReader) listHeader() (n uint64, typ byte) {
	b := r.byte()
	n, typ = uint64(b>>4), b&0x0f
	if n == 15 {
		n = r.uvarint()
	}
	// Every element takes a byte at least, so a longer list cannot be here.
	if r.err == nil && n > uint64(len(r.data)-r.pos) {
		r.fail(errShort)
	}
	return n, typ
}

// skip passes over a value of a type that is not needed.
func (r *thriftReader) skip(typ byte) {
	switch typ {
	case thriftTrue, thriftFalse:
	case thriftByte:
		r.byte()
	case thriftI16, thriftI32, thriftI64:
		r.uvarint()
	case thriftDouble:
		if len(r.data)-r.pos < 8 {
			r.fail(errShort)
			return
		}
		r.pos += 8
	case thriftBinary:
		r.binary()
	case thriftList, thriftSet:
		n, element := r.listHeader()
		r.skipMany(n, element)
	case thriftMap:
		r.skipMap()
	case thriftStruct:
		r.structure(func(_ int16, typ byte) { r.skip(typ) })
	default:
		r.fail(fmt.Errorf("the unknown metadata type %d", typ))
	}
}

func (r *thriftReader) skipMany(n uint64, typ byte) {
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errors.New("metadata nested too deeply"))
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skipElement(typ)
	}
	r.depth--
}

// skipElement is skip inside a container, where a bool takes a byte.
func (r *thriftReader) skipElement(typ byte) {
	if typ == thriftTrue || typ == thriftFalse {
		r.byte()
		return
	}
	r.skip(typ)
}

func (r *thriftReader) skipMap() {
	n := r.uvarint()
	if n == 0 || r.err != nil {
		return
	}
	if n > uint64(len(r.data)-r.pos) {
		r.fail(errShort)
		return
	}
	types := r.byte()
	if r.depth++; r.depth > maxThriftDepth {
		r.fail(errors.New("metadata nested too deeply"))
	}
	for i := uint64(0); i < n && r.err == nil; i++ {
		r.skipElement(types >> 4)
		r.skipElement(types & 0x0f)
	}
	r.depth--
}
