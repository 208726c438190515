package store

import (
	"context"
	"io"
	"os"
)

// OpenStream opens a pipe or a device at path. It waits for the other side of the pipe, but no longer than ctx, and so do the reads.
func OpenStream(ctx context.Context, path string) (io.ReadCloser, error) {
	type opened struct {
		file *os.File
		err  error
	}
	done := make(chan opened)
	// The system has no open that waits for a writer and can be given up. So one that nobody waits for any more stays behind,
	// for the rest of a process that has been told to end.
	go func() {
		file, err := os.Open(path)
		select {
		case done <- opened{file, err}:
		case <-ctx.Done():
			file.Close() // a nil file bears it
		}
	}()
	select {
	case o := <-done:
		if o.err != nil {
			return nil, o.err
		}
		return struct {
			io.Reader
			io.Closer
		}{Interruptible(ctx, o.file), o.file}, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// streamBytes is what one read of a stream takes at most: four times what a pipe of Linux holds.
const streamBytes = 256 << 10

// Interruptible reads r, and no read takes longer than ctx: for standard input, pipes and terminals, which may be silent forever.
// A read of r that nobody waits for any more stays behind. It is not safe for concurrent use.
func Interruptible(ctx context.Context, r io.Reader) io.Reader {
	return &interruptible{ctx: ctx, r: r, buf: make([]byte, streamBytes), done: make(chan result, 1)}
}

type interruptible struct {
	ctx  context.Context
	r    io.Reader
	buf  []byte // belongs to a goroutine while that reads
	left []byte // the part of buf that is not given out yet
	err  error  // that came after it; sticks
	done chan result
}

// result is what a Read has returned.
type result struct {
	n   int
	err error
}

// Read gives out what is there, or waits for more.
func (s *interruptible) Read(p []byte) (int, error) {
	for len(s.left) == 0 && s.err == nil {
		if s.err = s.ctx.Err(); s.err != nil {
			break
		}
		go func() {
			n, err := s.r.Read(s.buf)
			s.done <- result{n, err}
		}()
		select {
		case got := <-s.done:
			s.left, s.err = s.buf[:got.n], got.err
		case <-s.ctx.Done():
			s.err = s.ctx.Err() // and buf is never touched again
		}
	}
	if len(s.left) == 0 {
		return 0, s.err
	}
	n := copy(p, s.left)
	s.left = s.left[n:]
	return n, nil
}
