package pinned

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
)

// The bounds of what is fetched ahead. A connection to an object store gives some 50 to 100 MB/s after some 20 to 50 ms of
// waiting: requests of 4 MiB spend most of their time on bytes, and eight of them for each reader fill a line of 10 Gb/s with
// two readers.
const (
	pieceBytes   = 4 << 20   // the largest request
	leastPiece   = 256 << 10 // the smallest one that a large span is cut into
	gapBytes     = 256 << 10 // what lies between two spans is fetched with them up to here: it costs less than a request
	handleBytes  = 32 << 20  // held by one handle; beyond it only what somebody waits for
	processBytes = 256 << 20 // held by all handles of the process, likewise
	mostRequests = 64        // in flight in the process
)

// requests has an element for each one in flight.
var requests = make(chan struct{}, mostRequests)

// room is the memory of all handles.
var room budget

type budget struct{ held atomic.Int64 }

// take takes n bytes if there are any.
func (b *budget) take(n int64) bool {
	if b.held.Add(n) <= processBytes {
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

func giveBack(b []byte) {
	room.held.Add(-int64(len(b)))
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

// plan cuts spans of an object of that size into requests. Where all of them fit into a handle's memory, near ones are
// joined; else they are read side by side, as the columns of a large row group are, and each is cut into so many pieces
// that all of them are held ahead.
func plan(spans []Span, size int64) *batch {
	list, total := distinct(spans, size)
	if total <= handleBytes {
		return batchOf(joined(list))
	}
	step := min(max(handleBytes/2/int64(len(list)), leastPiece), pieceBytes)
	var pieces []*piece
	for at := int64(0); len(list) > 0; at += step {
		list = slices.DeleteFunc(list, func(w wanted) bool { return w.From+at >= w.To })
		for _, w := range list {
			pieces = append(pieces, w.piece(w.From+at, min(w.From+at+step, w.To)))
		}
	}
	return batchOf(pieces)
}

func (w wanted) piece(from, to int64) *piece {
	return &piece{Span: Span{from, to}, left: w.times * (to - from)}
}

// joined makes pieces of spans that fit into memory, in the order of where they lie. Spans that overlap otherwise than by
// being the same stand in damaged files alone: what of them is in no piece is a request of its own.
func joined(list []wanted) []*piece {
	slices.SortStableFunc(list, func(a, b wanted) int { return cmp.Compare(a.From, b.From) })
	var pieces []*piece
	for _, w := range list {
		if n := len(pieces); n > 0 {
			last := pieces[n-1]
			if w.From < last.To {
				continue
			}
			if w.From-last.To <= gapBytes && w.To-last.From <= pieceBytes {
				last.left += w.times * (w.To - w.From)
				last.To = w.To
				continue
			}
		}
		for from := w.From; from < w.To; from += pieceBytes {
			pieces = append(pieces, w.piece(from, min(from+pieceBytes, w.To)))
		}
	}
	return pieces
}
