package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/coterie-project/coterie/dataset"
	"github.com/parquet-go/parquet-go/format"
)

// values decodes the values of one page, nulls left out, a piece at a time.
type values struct {
	encoding format.Encoding
	width    int    // bytes of a fixed-length value
	data     []byte // what is left, for PLAIN and the text of the delta encodings
	taken    int    // values taken, for the encodings that need to know
	count    int    // values of the page, for BYTE_STREAM_SPLIT
	indices  hybrid
	deltas   delta // integers, or lengths
	prefixes delta
	last     []byte // the last text, for DELTA_BYTE_ARRAY
}

// dictionary holds a chunk's distinct values, in the form of its physical type.
type dictionary struct {
	loaded bool
	w32    []uint32
	w64    []uint64
	text   dataset.Strings
}

func (d *dictionary) reset() {
	d.loaded = false
	d.w32, d.w64 = d.w32[:0], d.w64[:0]
	d.text.Data, d.text.Offsets = d.text.Data[:0], d.text.Offsets[:0]
}

func isDictionary(e format.Encoding) bool {
	return e == format.PlainDictionary || e == format.RLEDictionary
}

// open starts on a page's values. present is the number of values that are not null, or -1 where only decoding
// all levels would tell.
func (v *values) open(l *leaf, encoding format.Encoding, data []byte, present int) error {
	*v = values{encoding: encoding, width: l.width, data: data, count: present, last: v.last[:0]}
	var err error
	switch {
	case encoding == format.Plain:
	case isDictionary(encoding) && l.typ != format.Boolean:
		return v.openIndices()
	case encoding == format.RLE && l.typ == format.Boolean:
		if len(data) < 4 || uint64(binary.LittleEndian.Uint32(data)) > uint64(len(data)-4) {
			return errValues
		}
		v.indices, err = newHybrid(data[4:4+binary.LittleEndian.Uint32(data)], 1)
	case encoding == format.DeltaBinaryPacked && (l.typ == format.Int32 || l.typ == format.Int64):
		v.deltas, err = newDelta(data)
	case encoding == format.DeltaLengthByteArray && l.typ == format.ByteArray:
		v.deltas, err = newDelta(data)
		if err == nil {
			v.data, err = v.deltas.rest()
		}
	case encoding == format.DeltaByteArray && (l.typ == format.ByteArray || l.typ == format.FixedLenByteArray):
		return v.openPrefixes()
	case encoding == format.ByteStreamSplit && l.typ != format.Boolean && l.typ != format.ByteArray:
		// The planes are as long as the page says by its length, so that one of another length would be read askew.
		if present < 0 {
			v.count = len(data) / l.size()
		}
		if len(data) != v.count*l.size() {
			return errPlanes
		}
	default:
		return fmt.Errorf("the encoding %v of type %v is not supported", encoding, l.typ)
	}
	return err
}

// size is the width in bytes of a value of a fixed size.
func (l *leaf) size() int {
	switch l.typ {
	case format.Int32, format.Float:
		return 4
	case format.Int64, format.Double:
		return 8
	}
	return max(l.width, 1)
}

func (v *values) openIndices() error {
	if len(v.data) == 0 {
		v.indices = hybrid{} // a page of nulls only
		return nil
	}
	var err error
	v.indices, err = newHybrid(v.data[1:], uint(v.data[0]))
	return err
}

func (v *values) openPrefixes() error {
	var err error
	if v.prefixes, err = newDelta(v.data); err != nil {
		return err
	}
	rest, err := v.prefixes.rest()
	if err != nil {
		return err
	}
	if v.deltas, err = newDelta(rest); err != nil {
		return err
	}
	v.data, err = v.deltas.rest()
	return err
}

// take gives the next n bytes of the page.
func (v *values) take(n int) ([]byte, error) {
	if n < 0 || n > len(v.data) {
		return nil, errValues
	}
	b := v.data[:n]
	v.data = v.data[n:]
	return b, nil
}

// pieces is scratch space that the columns of a reader keep for themselves.
type pieces struct {
	index  []uint32
	deltas []int64
	more   []int64
}

// indices decodes dictionary indices and checks them against the dictionary's length.
func (s *pieces) indices(v *values, n, limit int) ([]uint32, error) {
	if cap(s.index) < n {
		s.index = make([]uint32, dataset.BlockRows)
	}
	index := s.index[:n]
	if err := v.indices.pull(index); err != nil {
		return nil, err
	}
	for _, i := range index {
		if int64(i) >= int64(limit) {
			return nil, fmt.Errorf("the value %d of a dictionary of %d", i, limit)
		}
	}
	return index, nil
}

func pullDeltas(buffer *[]int64, d *delta, n int) ([]int64, error) {
	if cap(*buffer) < n {
		*buffer = make([]int64, dataset.BlockRows)
	}
	return (*buffer)[:n], d.pull((*buffer)[:n])
}

// pull32 decodes the bits of 32-bit values. At most BlockRows values are asked for at a time.
func (v *values) pull32(dst []uint32, d *dictionary, s *pieces) error {
	switch v.encoding {
	case format.Plain:
		src, err := v.take(4 * len(dst))
		if err != nil {
			return err
		}
		load32(dst, src)
	case format.DeltaBinaryPacked:
		deltas, err := pullDeltas(&s.deltas, &v.deltas, len(dst))
		if err != nil {
			return err
		}
		for i, x := range deltas {
			dst[i] = uint32(x)
		}
	case format.ByteStreamSplit:
		src, err := v.planes(len(dst), 4)
		if err != nil {
			return err
		}
		for i := range dst {
			dst[i] = uint32(src[0][i]) | uint32(src[1][i])<<8 | uint32(src[2][i])<<16 | uint32(src[3][i])<<24
		}
	default:
		index, err := s.indices(v, len(dst), len(d.w32))
		if err != nil {
			return err
		}
		for i, x := range index {
			dst[i] = d.w32[x]
		}
	}
	return nil
}

// pull64 decodes the bits of 64-bit values.
func (v *values) pull64(dst []uint64, d *dictionary, s *pieces) error {
	switch v.encoding {
	case format.Plain:
		src, err := v.take(8 * len(dst))
		if err != nil {
			return err
		}
		load64(dst, src)
	case format.DeltaBinaryPacked:
		deltas, err := pullDeltas(&s.deltas, &v.deltas, len(dst))
		if err != nil {
			return err
		}
		for i, x := range deltas {
			dst[i] = uint64(x)
		}
	case format.ByteStreamSplit:
		src, err := v.planes(len(dst), 8)
		if err != nil {
			return err
		}
		for i := range dst {
			dst[i] = uint64(src[0][i]) | uint64(src[1][i])<<8 | uint64(src[2][i])<<16 | uint64(src[3][i])<<24 |
				uint64(src[4][i])<<32 | uint64(src[5][i])<<40 | uint64(src[6][i])<<48 | uint64(src[7][i])<<56
		}
	default:
		index, err := s.indices(v, len(dst), len(d.w64))
		if err != nil {
			return err
		}
		for i, x := range index {
			dst[i] = d.w64[x]
		}
	}
	return nil
}

// planes gives the next n bytes of each of the first 8 byte planes of a BYTE_STREAM_SPLIT page.
func (v *values) planes(n, width int) (p [8][]byte, err error) {
	if n > v.count-v.taken || v.count > len(v.data)/width {
		return p, errValues
	}
	for b := range width {
		at := b*v.count + v.taken
		p[b] = v.data[at : at+n]
	}
	v.taken += n
	return p, nil
}

// pullBool decodes truth values, one byte each.
func (v *values) pullBool(dst []byte, s *pieces) error {
	if v.encoding == format.RLE {
		bits, err := s.indices(v, len(dst), 2)
		if err != nil {
			return err
		}
		for i, b := range bits {
			dst[i] = byte(b)
		}
		return nil
	}
	if v.taken+len(dst) > 8*len(v.data) {
		return errValues
	}
	for i := range dst {
		at := v.taken + i
		dst[i] = v.data[at>>3] >> (at & 7) & 1
	}
	v.taken += len(dst)
	return nil
}

var errPlanes = errors.New("the page is not as long as the byte planes of its values are")

var errText = errors.New("more than 64 MiB of text in 8192 rows are not supported")

// maxBlockText bounds the text of one column of a Block: a dictionary may give a long value for every few bits.
const maxBlockText = 64 << 20
