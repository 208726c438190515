package wire

import (
	"encoding/binary"
	"fmt"
	"sync"
	"unicode/utf8"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Packing is how the integers of sums are compressed. The high bytes of most sums are alike, so bytes are sorted by
// their place first: all lowest bytes, then the next ones, and so on.
type Packing string

// The packings.
const (
	PackNone Packing = ""     // integers one after the other, to be added as they are: on a fast network
	PackS2   Packing = "s2"   // little work
	PackZstd Packing = "zstd" // less bytes: on a slow network
)

// window is the zstd window of what is written and the largest that is read. Planes repeat themselves within much less,
// and a window costs the reader its size.
const window = 1 << 20

// EncodeSums encodes sums in the smallest width that holds them.
func EncodeSums(s *kmeans.Sums, packing Packing) (*pb.Sums, error) {
	if s.K < 1 || s.K > kmeans.MaxClusters || s.K*s.D > maxCells {
		return nil, wrong("sums", "%d×%d are too many to send", s.K, s.D)
	}
	return encodePacked(s.Pack(), packing)
}

func encodePacked(p *kmeans.PackedSums, packing Packing) (*pb.Sums, error) {
	m := &pb.Sums{K: uint32(p.K), D: uint32(p.D), Counts: p.Counts, Width: uint32(p.Width), Weights: p.Weights, Values: p.Values,
		Packing: string(packing)}
	if packing == PackNone {
		return m, nil
	}
	for _, field := range []*[]byte{&m.Weights, &m.Values} {
		if len(*field) == 0 {
			continue
		}
		planes := make([]byte, len(*field))
		split(planes, *field, p.Width)
		switch packing {
		case PackS2:
			*field = s2.Encode(nil, planes)
		case PackZstd:
			e, err := encoder()
			if err != nil {
				return nil, err
			}
			*field = e.EncodeAll(planes, nil)
		default:
			return nil, wrong("sums.packing", "%q is unknown", packing)
		}
	}
	return m, nil
}

// encoder is shared: its tables are large, and EncodeAll may be called by many.
var encoder = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithAllLitEntropyCompression(true), zstd.WithWindowSize(window))
})

// cutFields takes the messages of one number out of an encoded Partial that checkRepeats has passed; rest is the Partial
// without them. Sums, and the strands that have some, are nearly all of an answer, and the largest there are: the library
// would copy them.
func cutFields(data []byte, field protowire.Number) (cut [][]byte, rest []byte) {
	rest = data[:0:0]
	from := 0
	for at := 0; at < len(data); {
		number, kind, n := protowire.ConsumeTag(data[at:])
		end := at + n
		end += protowire.ConsumeFieldValue(number, kind, data[end:])
		if number == field && kind == protowire.BytesType {
			value, _ := protowire.ConsumeBytes(data[at+n:])
			cut = append(cut, value[:len(value):len(value)])
			rest = append(rest, data[from:at]...)
			from = end
		}
		at = end
	}
	if cut == nil {
		return nil, data
	}
	return cut, append(rest, data[from:]...)
}

// readSums reads encoded sums as the library does, but its bytes are those of data. Fields of later versions are passed
// over.
func readSums(data []byte) (*pb.Sums, error) {
	m := new(pb.Sums)
	for len(data) > 0 {
		number, kind, n := protowire.ConsumeTag(data)
		if n < 0 || !number.IsValid() {
			return nil, wrong("sums", "no field begins %d bytes before their end", len(data))
		}
		data = data[n:]
		switch kind {
		case protowire.VarintType:
			var v uint64
			if v, n = protowire.ConsumeVarint(data); n >= 0 {
				setNumber(m, number, uint32(v))
			}
		case protowire.BytesType:
			var v []byte
			if v, n = protowire.ConsumeBytes(data); n >= 0 {
				setBytes(m, number, v)
			}
			if number == packingField && !utf8.Valid(v) {
				return nil, wrong("sums.packing", "it is not UTF-8")
			}
		default:
			n = protowire.ConsumeFieldValue(number, kind, data)
		}
		if n < 0 {
			return nil, fmt.Errorf("%w: sums: %w", ErrFormat, protowire.ParseError(n))
		}
		data = data[n:]
	}
	return m, nil
}

// packingField is the number of the one field that is text.
const packingField = 7

func setNumber(m *pb.Sums, number protowire.Number, v uint32) {
	switch number {
	case 1:
		m.K = v
	case 2:
		m.D = v
	case 4:
		m.Width = v
	}
}

func setBytes(m *pb.Sums, number protowire.Number, v []byte) {
	switch number {
	case 3:
		m.Counts = v
	case 5:
		m.Weights = v
	case 6:
		m.Values = v
	case packingField:
		m.Packing = string(v)
	}
}

// DecodeSums reads sums of k×d, weighted or not. The error is ErrFormat.
func DecodeSums(m *pb.Sums, k, d int) (*kmeans.Sums, error) {
	c := Context{K: k, D: d, Weighted: len(m.GetWeights()) > 0}
	if err := c.validate(); err != nil {
		return nil, err
	}
	p, err := decodePacked(m, &c)
	if err != nil {
		return nil, err
	}
	return p.Unpack()
}

// decodePacked reads sums as they are to be added. What they take is known before any of it is allocated.
func decodePacked(m *pb.Sums, c *Context) (*kmeans.PackedSums, error) {
	if c.K < 1 || int64(m.GetK()) != int64(c.K) || int64(m.GetD()) != int64(c.D) {
		return nil, wrong("sums", "%d×%d where %d×%d were asked for", m.GetK(), m.GetD(), c.K, c.D)
	}
	if m.Width < 1 || m.Width > 16 {
		return nil, wrong("sums.width", "%d", m.Width)
	}
	p := &kmeans.PackedSums{K: c.K, D: c.D, Width: int(m.Width), Counts: m.Counts}
	weights := 0
	if c.Weighted {
		weights = c.K * p.Width
	}
	var err error
	if p.Weights, err = unpack("sums.weights", m.Weights, Packing(m.Packing), weights, p.Width); err != nil {
		return nil, err
	}
	if p.Values, err = unpack("sums.values", m.Values, Packing(m.Packing), c.K*c.D*p.Width, p.Width); err != nil {
		return nil, err
	}
	if err := p.Validate(); err != nil {
		return nil, fmt.Errorf("%w: sums: %w", ErrFormat, err)
	}
	for j := range p.K {
		if n := int64(binary.LittleEndian.Uint64(p.Counts[8*j:])); n < 0 {
			return nil, wrong("sums.counts", "%d rows in cluster %d", n, j)
		}
	}
	return p, nil
}

// unpack gives the size bytes that a field stands for.
func unpack(field string, data []byte, packing Packing, size, width int) ([]byte, error) {
	if packing == PackNone || size == 0 {
		if len(data) != size {
			return nil, wrong(field, "%d bytes where %d are needed", len(data), size)
		}
		return data, nil
	}
	planes, err := decompress(data, packing, size)
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, field, err)
	}
	if len(planes) != size {
		return nil, wrong(field, "%d bytes once unpacked, where %d are needed", len(planes), size)
	}
	data = make([]byte, size)
	join(data, planes, width)
	return data, nil
}

// decompress never gives nor takes more than size bytes, and what a window needs.
func decompress(data []byte, packing Packing, size int) ([]byte, error) {
	switch packing {
	case PackS2:
		switch n, err := s2.DecodedLen(data); {
		case err != nil:
			return nil, err
		case n != size:
			return nil, fmt.Errorf("%d bytes once unpacked", n)
		}
		return s2.Decode(make([]byte, size), data)
	case PackZstd:
		d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(uint64(max(size, window))),
			zstd.WithDecoderMaxWindow(window), zstd.WithDecodeAllCapLimit(true))
		if err != nil {
			return nil, err
		}
		defer d.Close()
		return d.DecodeAll(data, make([]byte, 0, size))
	}
	return nil, fmt.Errorf("packing %q is unknown", packing)
}

// planeBlock is how many integers are taken apart at a time: all their bytes stay in the first-level cache.
const planeBlock = 1024

// split sorts the bytes of integers into planes; dst and src are equally long.
func split(dst, src []byte, width int) {
	n := len(src) / width
	for lo := 0; lo < n; lo += planeBlock {
		hi := min(lo+planeBlock, n)
		for b := range width {
			plane := dst[b*n+lo : b*n+hi]
			for i, at := 0, lo*width+b; i < len(plane); i, at = i+1, at+width {
				plane[i] = src[at]
			}
		}
	}
}

// join undoes split.
func join(dst, src []byte, width int) {
	n := len(src) / width
	for lo := 0; lo < n; lo += planeBlock {
		hi := min(lo+planeBlock, n)
		for b := range width {
			at := lo*width + b
			for _, v := range src[b*n+lo : b*n+hi] {
				dst[at] = v
				at += width
			}
		}
	}
}
