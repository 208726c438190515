package parquet

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/snappy"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/format"
	"github.com/pierrec/lz4/v4"
)

// maxPage is the largest page accepted, in bytes after decompression. Writers make pages of about 1 MiB.
const maxPage = 256 << 20

// maxWindow bounds the memory of a decoder beside its output.
const maxWindow = 64 << 20

var errSize = errors.New("the page is not as long after decompression as its header gives")

// zstdDecoders are shared by all readers. A decoder writes only into the capacity that it is given.
var zstdDecoders = sync.Pool{New: func() any {
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxMemory(maxPage), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return err
	}
	return d
}}

// decompress decodes src, which must give size bytes, reusing dst. It allocates what src could really hold, not
// what the header claims: formats with a bounded ratio are refused at once, others grow step by step.
func decompress(codec format.CompressionCodec, dst, src []byte, size int) ([]byte, error) {
	if size > maxPage {
		return dst, fmt.Errorf("a page of %d bytes; the limit is %d", size, maxPage)
	}
	if size == 0 {
		return dst[:0], nil
	}
	switch codec {
	case format.Snappy:
		return unsnappy(dst, src, size)
	case format.Gzip:
		z, err := gzip.NewReader(bytes.NewReader(src))
		if err != nil {
			return dst, err
		}
		return readAll(dst, z, len(src), size)
	case format.Brotli:
		return readAll(dst, brotli.NewReader(bytes.NewReader(src)), len(src), size)
	case format.Zstd:
		return unzstd(dst, src, size)
	case format.Lz4Raw:
		return unlz4(dst, src, size)
	}
	return dst, fmt.Errorf("the compression %v is not supported; write it with snappy, zstd, gzip or none", codec)
}

// atLeast is dst with a capacity of size, its contents unspecified.
func atLeast(dst []byte, size int) []byte {
	if cap(dst) < size {
		return make([]byte, size)
	}
	return dst[:size]
}

// unsnappy: a copy of 64 bytes takes 3, so nothing grows more than 22 times.
func unsnappy(dst, src []byte, size int) ([]byte, error) {
	if size/24 > len(src) {
		return dst, errSize
	}
	n, err := snappy.DecodedLen(src)
	if err != nil {
		return dst, err
	}
	if n != size {
		return dst, errSize
	}
	dst = atLeast(dst, size)
	return snappy.Decode(dst, src)
}

// unlz4: a length byte adds at most 255 bytes.
func unlz4(dst, src []byte, size int) ([]byte, error) {
	if size/256 > len(src) {
		return dst, errSize
	}
	dst = atLeast(dst, size)
	n, err := lz4.UncompressBlock(src, dst)
	if err == nil && n != size {
		err = errSize
	}
	return dst, err
}

// firstStep is the capacity to begin with when the ratio has no useful bound.
func firstStep(src, size int) int { return min(size, 32*src+(64<<10)) }

func unzstd(dst, src []byte, size int) ([]byte, error) {
	d, ok := zstdDecoders.Get().(*zstd.Decoder)
	if !ok {
		return dst, errors.New("no zstd decoder")
	}
	defer zstdDecoders.Put(d)
	for step := firstStep(len(src), size); ; step = min(size, 8*step) {
		dst = atLeast(dst, step)
		// The capacity is the limit: an earlier page's larger buffer must not hide a wrong size.
		out, err := d.DecodeAll(src, dst[:0:step])
		switch {
		case errors.Is(err, zstd.ErrDecoderSizeExceeded) && step < size:
			continue
		case err != nil:
			return dst, err
		case len(out) != size:
			return dst, errSize
		}
		return dst[:size], nil
	}
}

// readAll reads exactly size bytes from a decoder, growing the buffer as they come.
func readAll(dst []byte, r io.Reader, src, size int) ([]byte, error) {
	dst = atLeast(dst, firstStep(src, size))
	got := 0
	for {
		n, err := io.ReadFull(r, dst[got:])
		got += n
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			return dst, errSize
		}
		if err != nil {
			return dst, err
		}
		if got == size {
			break
		}
		grown := make([]byte, min(size, 8*got))
		copy(grown, dst[:got])
		dst = grown
	}
	if n, _ := r.Read(make([]byte, 1)); n != 0 {
		return dst, errSize
	}
	return dst, nil
}
