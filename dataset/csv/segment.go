package csv

import (
	"bytes"
	"math/bits"
)

// state is where a byte stands in the grammar of records.
type state uint8

const (
	atRecord   state = iota // a record or a blank line begins
	atField                 // a field begins: a quote opens
	inField                 // inside an unquoted field, or behind a closing quote: a quote is text
	inQuote                 // inside a quoted field
	afterQuote              // behind a quote inside a quoted field: it closes, unless another follows
)

// segment is what the index pass learns from a run of bytes, given the state in which the run is entered. Offsets
// are relative to the run; line counts are the newlines before a place.
type segment struct {
	entry, exit state
	newlines    int64
	rows        int64 // records that begin here
	first, last int   // where the first and the last of them begin; -1 if there are none
	firstLine   int64
	lastLine    int64
	opened      bool  // a quote opens here,
	openLine    int64 // the last one on this line
}

// entries are the states in which the grammar may be behind the byte before a segment, whatever came before that. The
// first is the usual one, outside quotes.
func entries(before, delim byte) []state {
	switch before {
	case '\n':
		return []state{atRecord, inQuote}
	case delim:
		return []state{atField, inQuote}
	case '"': // it closed, or is the first of a pair; it is text; or it opened, or is the second of a pair
		return []state{afterQuote, inField, inQuote}
	case '\r': // of a blank line, or text
		return []state{inField, inQuote, atRecord}
	}
	return []state{inField, inQuote}
}

// append adds h, which is what follows on g from byte at on.
func (g *segment) append(h *segment, at int) {
	if h.rows > 0 {
		if g.rows == 0 {
			g.first, g.firstLine = at+h.first, g.newlines+h.firstLine
		}
		g.last, g.lastLine = at+h.last, g.newlines+h.lastLine
	}
	if h.opened {
		g.opened, g.openLine = true, g.newlines+h.openLine
	}
	g.rows += h.rows
	g.newlines += h.newlines
	g.exit = h.exit
}

func emptySegment(s state) segment { return segment{entry: s, exit: s, first: -1, last: -1} }

// scanSegment scans b[:n] once for each state in which it may be entered. b may hold more than n bytes, of which one is
// looked at; if it does not, the data ends at n.
//
// The grammar forgets: entered in the wrong state it is soon in the right one again, as a rule at the next field that is
// quoted or has no quotes. So the walks go side by side until they meet, and what is behind that is scanned once.
// n is at least 1.
func scanSegment(b []byte, n int, from []state, delim byte) []segment {
	list := make([]segment, len(from))
	for i, s := range from {
		list[i] = emptySegment(s)
	}
	if bytes.IndexByte(b[:n], '"') < 0 {
		for i, s := range from {
			list[i] = scanQuoteless(b, n, s, delim)
		}
		return list
	}
	at := 0
	for at < n && !met(list) {
		step := min(blockBits, n-at)
		for i := range list {
			h := scanQuoted(b[at:], step, list[i].exit, delim)
			list[i].append(&h, at)
		}
		at += step
	}
	if at < n {
		rest := scanQuoted(b[at:], n-at, list[0].exit, delim)
		for i := range list {
			list[i].append(&rest, at)
		}
	}
	return list
}

// met says whether the walks are all in one state.
func met(list []segment) bool {
	for i := range list {
		if list[i].exit != list[0].exit {
			return false
		}
	}
	return true
}

// scanQuoteless scans a run without quotes.
func scanQuoteless(b []byte, n int, entry state, delim byte) segment {
	if entry == inQuote {
		g := emptySegment(entry)
		g.newlines = int64(bytes.Count(b[:n], newline))
		return g
	}
	plain := entry
	if entry == afterQuote { // of a pair it is not the first
		plain = inField
	}
	if g, ok := scanUnquoted(b[:n], plain, delim); ok {
		g.entry = entry
		return g
	}
	return scanQuoted(b, n, entry, delim)
}

// scanQuoted scans by blocks, and those that hold something odd byte by byte.
func scanQuoted(b []byte, n int, entry state, delim byte) segment {
	g := emptySegment(entry)
	at := 0
	var found [16]marks
	for at+blockBits <= n {
		blocks := found[:min(len(found), (n-at)/blockBits)]
		lookAll(blocks, b[at:], delim)
		for i := range blocks {
			p, ok := blocks[i].parse(g.exit)
			if ok && !blankCR(b[at:], p.starts) {
				g.add(&p, at)
			} else {
				h := scanAny(b[at:], blockBits, g.exit, delim)
				g.append(&h, at)
			}
			at += blockBits
		}
	}
	if at < n {
		h := scanAny(b[at:], n-at, g.exit, delim)
		g.append(&h, at)
	}
	return g
}

// blankCR says whether a line begins with CR, so that it may be blank.
func blankCR(b []byte, starts uint64) bool {
	for ; starts != 0; starts &= starts - 1 {
		if b[bits.TrailingZeros64(starts)] == '\r' {
			return true
		}
	}
	return false
}

// add counts a block that begins at byte at.
func (g *segment) add(p *parsed, at int) {
	if p.starts != 0 {
		if g.rows == 0 {
			first := bits.TrailingZeros64(p.starts)
			g.first, g.firstLine = at+first, g.newlines+below(p.newline, first)
		}
		last := bits.Len64(p.starts) - 1
		g.last, g.lastLine = at+last, g.newlines+below(p.newline, last)
		g.rows += int64(bits.OnesCount64(p.starts))
	}
	if p.opens != 0 {
		g.opened, g.openLine = true, g.newlines+below(p.newline, bits.Len64(p.opens)-1)
	}
	g.newlines += int64(bits.OnesCount64(p.newline))
	g.exit = p.exit
}

// scanUnquoted counts the lines of a run without quotes and without blank lines: then every line is a record. ok
// is false if a line may be blank.
func scanUnquoted(b []byte, entry state, delim byte) (segment, bool) {
	newlines, clean := countLines(b, entry == atRecord)
	if !clean {
		return segment{}, false
	}
	last := len(b) - 1
	g := segment{entry: entry, newlines: newlines, rows: newlines, first: -1, last: -1, exit: entries(b[last], delim)[0]}
	if b[last] == '\n' { // the record behind it begins in the next segment
		g.rows--
	}
	switch first := bytes.IndexByte(b, '\n') + 1; {
	case entry == atRecord:
		g.rows++
		g.first = 0
	case first > 0 && first <= last:
		g.first, g.firstLine = first, 1
	}
	if g.rows > 0 {
		g.last, g.lastLine = bytes.LastIndexByte(b[:last], '\n')+1, newlines
		if b[last] == '\n' {
			g.lastLine--
		}
	}
	return g, true
}

// countLines counts newlines, from line to line. clean is false if a line begins with LF or CR, so that it may be
// blank; lineStart says that b begins a line.
func countLines(b []byte, lineStart bool) (newlines int64, clean bool) {
	for {
		if lineStart && len(b) > 0 && (b[0] == '\n' || b[0] == '\r') {
			return newlines, false
		}
		i := bytes.IndexByte(b, '\n')
		if i < 0 {
			return newlines, true
		}
		b = b[i+1:]
		newlines++
		lineStart = true
	}
}

// scanAny walks the grammar byte by byte: the definition that the faster ways are held against.
func scanAny(b []byte, n int, entry state, delim byte) segment {
	g := segment{entry: entry, first: -1, last: -1}
	s := entry
	for i := 0; i < n; {
		switch s {
		case atRecord:
			switch {
			case b[i] == '\n':
				g.newlines++
				i++
			case b[i] == '\r' && (i+1 == len(b) || b[i+1] == '\n'): // a blank line in CRLF style
				i++
			default:
				if g.first < 0 {
					g.first, g.firstLine = i, g.newlines
				}
				g.last, g.lastLine = i, g.newlines
				g.rows++
				s = atField
			}
		case atField:
			s = inField
			if b[i] == '"' {
				g.opened, g.openLine = true, g.newlines
				s = inQuote
				i++
			}
		case inField:
			for i < n && b[i] != delim && b[i] != '\n' {
				i++
			}
			if i < n {
				s = atField
				if b[i] == '\n' {
					g.newlines++
					s = atRecord
				}
				i++
			}
		case inQuote:
			for i < n && b[i] != '"' {
				if b[i] == '\n' {
					g.newlines++
				}
				i++
			}
			if i < n {
				s = afterQuote
				i++
			}
		case afterQuote:
			s = inField
			if b[i] == '"' {
				s = inQuote
				i++
			}
		}
	}
	g.exit = s
	return g
}
