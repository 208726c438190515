package spill

import (
	"context"
	"sync"
	"sync/atomic"
)

// Piece is one thing to read: an extent, and what the caller knows it by.
type Piece struct {
	Extent Extent
	Index  int
}

// Stream reads pieces ahead. Who takes one gives its buffer back with Release. Close it.
type Stream struct {
	file    *File
	pieces  []Piece
	skip    func(index int) bool
	next    atomic.Int64
	ready   chan Filled
	buffers chan []byte
	ctx     context.Context
	cancel  context.CancelFunc
	wait    sync.WaitGroup
	once    sync.Once
	err     error
}

// Filled is a piece that was read.
type Filled struct {
	Index int
	Data  []byte
	room  []byte
}

// Readers is how many reads a Stream has under way at once: a disk of many channels is not busy with one, and which is ahead
// must not wait for its checksum.
const Readers = 3

// Stream begins to read pieces, in their order as far as several at once can keep it, into the given Buffers, each of which
// has room for every piece. Those that skip says are not read; it is asked from the goroutines that read, right before.
func (f *File) Stream(ctx context.Context, pieces []Piece, buffers [][]byte, skip func(index int) bool) *Stream {
	ctx, cancel := context.WithCancel(ctx)
	s := &Stream{file: f, pieces: pieces, skip: skip, ctx: ctx, cancel: cancel, ready: make(chan Filled, len(buffers)),
		buffers: make(chan []byte, len(buffers))}
	for _, b := range buffers {
		s.buffers <- b
	}
	for range min(Readers, len(buffers), max(len(pieces), 1)) {
		s.wait.Go(s.fill)
	}
	go func() {
		s.wait.Wait()
		close(s.ready)
	}()
	return s
}

// Ready delivers what was read, in any order, and is closed after the last piece, or when reading has failed.
func (s *Stream) Ready() <-chan Filled { return s.ready }

// Release gives the buffer of a piece back to the readers.
func (s *Stream) Release(f Filled) { s.buffers <- f.room }

// Close ends the reading, waits for it, and says what was wrong with it: the first error, or the context's. Nothing that was
// read may be used any more.
func (s *Stream) Close() error {
	outer := s.ctx.Err()
	s.cancel()
	for range s.ready { // until it is closed
	}
	if s.err != nil {
		return s.err
	}
	return outer
}

// fill is one reader.
func (s *Stream) fill() {
	for s.ctx.Err() == nil {
		i := s.next.Add(1) - 1
		if i >= int64(len(s.pieces)) {
			return
		}
		p := s.pieces[i]
		if s.skip != nil && s.skip(p.Index) {
			continue
		}
		var room []byte
		select {
		case room = <-s.buffers:
		case <-s.ctx.Done():
			return
		}
		data, err := s.file.Get(p.Extent, room)
		if err != nil {
			s.once.Do(func() { s.err = err })
			s.cancel()
			return
		}
		s.ready <- Filled{Index: p.Index, Data: data, room: room} // there is room for all buffers
	}
}
