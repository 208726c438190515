package table

import (
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// packing is the compression of a whole file: one stream, whose bytes depend on the rows alone.
type packing int

const (
	plain packing = iota
	gzipped
	zstandard
)

func (p packing) open(w io.Writer) (io.WriteCloser, error) {
	switch p {
	case gzipped:
		return gzip.NewWriterLevel(w, gzip.DefaultCompression)
	case zstandard:
		// One goroutine and a fixed window: the result does not depend on the machine.
		return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(4<<20))
	}
	return unpacked{w}, nil
}

type unpacked struct{ io.Writer }

func (unpacked) Close() error { return nil }
