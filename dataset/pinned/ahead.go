package pinned

import (
	"math"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/capacity"
)

// The bounds of what is fetched ahead. A connection to an object store gives some 50 to 100 MB/s after some 20 to 50 ms of
// waiting: requests of 4 MiB spend most of their time on bytes, and eight of them for each reader fill a line of 10 Gb/s with
// two readers.
const (
	pieceBytes   = 4 << 20   // the largest request
	leastPiece   = 256 << 10 // the smallest one that a large span is cut into
	gapBytes     = 256 << 10 // what lies between two spans is fetched with them up to here: it costs less than a request
	handleBytes  = 48 << 20  // held by one handle (a usual row group is in it); beyond it only what somebody waits for
	mostRequests = 64        // in flight in the process
)

// requests has an element for each one in flight.
var requests = make(chan struct{}, mostRequests)

// room is the memory of what is fetched ahead by all handles of the process (beyond it there is only what somebody waits for),
// spare that of what is kept to be read once more. Each is half of what a process may take for objects.
var room, spare budget

type budget struct{ held atomic.Int64 }

// most is how much each budget has at most, in bytes. The runtime knows the limit that the process keeps to.
func most() int64 {
	limit := debug.SetMemoryLimit(-1)
	if limit == math.MaxInt64 {
		limit = 0
	}
	return capacity.ObjectBytes(limit) / 2
}

// take takes n bytes if there are any.
func (b *budget) take(n int64) bool {
	if b.held.Add(n) <= most() {
		return true
	}
	b.held.Add(-n)
	return false
}

// force takes n bytes for one who waits.
func (b *budget) force(n int64) { b.held.Add(n) }

// full are buffers of pieceBytes that have been used.
var full = sync.Pool{New: func() any { b := make([]byte, pieceBytes); return &b }}

// buffer gives memory for a piece, for which room was taken.
func buffer(n int64) []byte {
	if n > pieceBytes/2 {
		return (*full.Get().(*[]byte))[:n]
	}
	return make([]byte, n)
}

// giveBack takes memory back that nobody reads any more.
func giveBack(b []byte) {
	if cap(b) == pieceBytes {
		b = b[:pieceBytes]
		full.Put(&b)
	}
}

// wanted is a span and how often it will be read.
type wanted struct {
	Span
	times int64
}

// distinct are the spans within an object of that size, in the order in which they were named, and the bytes of them.
func distinct(spans []Span, size int64) (list []wanted, total int64) {
	at := make(map[Span]int, len(spans))
	for _, s := range spans {
		s.From, s.To = max(s.From, 0), min(s.To, size)
		if i, known := at[s]; known {
			list[i].times++
		} else if s.From < s.To {
			at[s] = len(list)
			list = append(list, wanted{s, 1})
			total += s.To - s.From
		}
	}
	return list, total
}

// cut makes pieces of spans in the order of where they lie. Where all that is wanted fits into a handle's memory, near ones
// are joined, if what is between them is free; else they are read side by side, as the columns of a large row group are, and
// each is cut into so many pieces that all of them are held ahead.
func cut(spans []Span, together bool, free func(Span) bool) (pieces []*piece) {
	if !together {
		step := min(max(handleBytes/2/int64(max(len(spans), 1)), leastPiece), pieceBytes)
		for _, s := range spans {
			pieces = s.cut(pieces, step)
		}
		return pieces
	}
	for len(spans) > 0 {
		run, n := spans[0], 1
		for n < len(spans) && spans[n].From-run.To <= gapBytes && free(Span{run.To, spans[n].From}) {
			run.To = spans[n].To
			n++
		}
		pieces = run.cut(pieces, pieceBytes)
		spans = spans[n:]
	}
	return pieces
}

// cut appends pieces of a span that are of equal size, at most most bytes.
func (s Span) cut(pieces []*piece, most int64) []*piece {
	parts := (s.To - s.From + most - 1) / most
	size := (s.To - s.From + parts - 1) / parts
	for at := s.From; at < s.To; at += size {
		pieces = append(pieces, &piece{Span: Span{at, min(at+size, s.To)}})
	}
	return pieces
}
