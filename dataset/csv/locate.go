package csv

import (
	"context"
	"sync"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

const (
	locateBuffer = 16 << 10    // what is read at a time to find a row: the next one asked for is near, as a rule
	mostLocated  = 256         // places remembered; more goroutines than that do not read one table
	locateWait   = time.Minute // for an object: a message without its line is better than one that never comes
)

// located remembers for segments which row was last found there, so that rows which are asked for in order, as those set
// aside are, cost a walk to the next and not one from the segment's beginning. It is safe for concurrent use.
type located struct {
	mu   sync.Mutex
	last map[int64]cut // by the row of the segment's cut
}

// near is the last place at or before row that is known in the segment of from.
func (l *located) near(from cut, row int64) cut {
	l.mu.Lock()
	defer l.mu.Unlock()
	if known, ok := l.last[from.row]; ok && known.row <= row {
		return known
	}
	return from
}

func (l *located) remember(from, found cut) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.last == nil || len(l.last) >= mostLocated {
		l.last = make(map[int64]cut)
	}
	l.last[from.row] = found
}

// Locate finds the line on which a row begins, by walking to it from the nearest place that is known.
func (t *Table) Locate(row int64) fault.Place {
	place := fault.Place{File: t.name, Row: row}
	if row < 0 || row >= t.index.rows {
		return place
	}
	ctx, cancel := context.WithTimeout(context.Background(), locateWait)
	defer cancel()
	segment := t.index.before(row)
	src, closer, err := t.content.open(ctx, segment.offset, t.index.behind(row))
	if err != nil {
		return place
	}
	defer closer.Close()
	from := t.located.near(segment, row)
	s := scanner{buf: make([]byte, lead+locateBuffer)}
	s.reset(src, from.offset, t.index.end, from.line, t.layout.delim)
	for at := from.row; at <= row; at++ {
		if s.next() != nil {
			return place
		}
	}
	t.located.remember(segment, cut{row: row, offset: s.offset, line: s.recordLine})
	place.Line = s.recordLine
	return place
}
