package spool

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/coterie-project/coterie/internal/fault"
)

// Compression says how a stream is packed.
type Compression int

// The compressions.
const (
	Plain Compression = iota
	Gzip
	Zstd
)

// maxWindow is the largest zstd window accepted: what `zstd --long=28` writes. More would let a few bytes of
// input ask for gigabytes of memory.
const maxWindow = 256 << 20

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
)

// Detect tells the compression from the first bytes of a stream; four are enough.
func Detect(head []byte) Compression {
	switch {
	case bytes.HasPrefix(head, gzipMagic):
		return Gzip
	case bytes.HasPrefix(head, zstdMagic):
		return Zstd
	}
	return Plain
}

// Decompress unpacks r. A gzip stream may have several members, a zstd stream several frames. Errors in the data
// are *fault.Error of Kind Input that name the file; errors of r itself pass through. Close frees the decoder, not r.
func Decompress(name string, r io.Reader, c Compression) (io.ReadCloser, error) {
	if c == Plain {
		return io.NopCloser(r), nil
	}
	source := &source{r: r}
	buffered := bufio.NewReaderSize(source, 256<<10)
	d := &decoder{name: name, source: source, compression: c}
	head, _ := buffered.Peek(4)
	if source.err != nil {
		return nil, source.err
	}
	if len(head) == 0 {
		return nil, fault.Inputf(fault.In(name), "is empty").Do("see what should have written it")
	}
	magic := gzipMagic
	if c == Zstd {
		magic = zstdMagic
	}
	// A head that is shorter than its magic is a truncated file, which the decoder will say.
	if !bytes.HasPrefix(head, magic) && !bytes.HasPrefix(magic, head) && !skippable(head, c) {
		e := fault.Inputf(fault.In(name), "is not %s, although its name says so", c)
		if got := Detect(head); got != Plain {
			return nil, e.Do("it is %s: rename it", got)
		}
		return nil, e.Do("rename it without that extension, or compress it")
	}
	if c == Gzip {
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, d.explain(err)
		}
		d.r, d.close = z, func() { z.Close() }
		return d, nil
	}
	z, err := zstd.NewReader(buffered, zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderMaxWindow(maxWindow))
	if err != nil {
		return nil, d.explain(err)
	}
	d.r, d.close = z, z.Close
	return d, nil
}

// skippable recognises a zstd stream that begins with a skippable frame, as parallel compressors write.
func skippable(head []byte, c Compression) bool {
	return c == Zstd && len(head) == 4 && head[0]&0xf0 == 0x50 && head[1] == 0x2a && head[2] == 0x4d && head[3] == 0x18
}

// String is the compression's name.
func (c Compression) String() string {
	switch c {
	case Gzip:
		return "gzip"
	case Zstd:
		return "zstd"
	}
	return "plain"
}

// source remembers an error of the stream below a decoder, so that a failing disk is not called a damaged file.
type source struct {
	r   io.Reader
	err error
}

func (s *source) Read(p []byte) (int, error) {
	n, err := s.r.Read(p)
	if err != nil && err != io.EOF {
		s.err = err
	}
	return n, err
}

type decoder struct {
	name        string
	source      *source
	compression Compression
	r           io.Reader
	close       func()
	read        int64
}

func (d *decoder) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	d.read += int64(n)
	if err != nil && err != io.EOF {
		return n, d.explain(err)
	}
	return n, err
}

func (d *decoder) Close() error {
	d.close()
	return nil
}

func (d *decoder) explain(err error) error {
	at := fault.In(d.name)
	switch {
	case d.source.err != nil:
		return d.source.err
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fault.Inputf(at, "is truncated: its %s data ends early, after %d decompressed bytes", d.compression, d.read).
			Do("copy or download it again")
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fault.Inputf(at, "needs a zstd window larger than %d MiB", maxWindow>>20).Do("compress it again without --ultra or --long above 28")
	case errors.Is(err, gzip.ErrHeader), errors.Is(err, zstd.ErrMagicMismatch):
		return fault.Inputf(at, "is damaged: after %d decompressed bytes there is something that is not %s", d.read, d.compression).
			Do("copy or download it again")
	}
	return &fault.Error{Kind: fault.Input, Place: at, Err: err, Remedy: "copy or download it again",
		Problem: "is damaged: its " + d.compression.String() + " data cannot be decompressed"}
}

// Fill copies r into s until its end, calling progress after each piece with the number of bytes there are. It
// stops between pieces when ctx ends or progress fails.
func (s *Spool) Fill(ctx context.Context, r io.Reader, progress func(size int64) error) error {
	buf := make([]byte, 256<<10)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if n > 0 {
			if _, err := s.Write(buf[:n]); err != nil {
				return err
			}
			if err := progress(s.Size()); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
