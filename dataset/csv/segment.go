package csv

import "bytes"

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

// assumedEntry is the state behind the byte before a segment if that byte is outside quotes, which is nearly always
// so. Segments are scanned on that assumption, in any order; the few that turn out to be entered in another state
// are scanned again.
func assumedEntry(before, delim byte) state {
	switch before {
	case '\n':
		return atRecord
	case delim:
		return atField
	}
	return inField
}

// scanSegment scans b[:n]. b may hold one byte more, which is only looked at; if it does not, the data ends at n.
func scanSegment(b []byte, n int, entry state, delim byte) segment {
	if entry <= inField && bytes.IndexByte(b[:n], '"') < 0 {
		if g, ok := scanUnquoted(b[:n], entry, delim); ok {
			return g
		}
	}
	return scanAny(b, n, entry, delim)
}

// scanUnquoted counts the lines of a run without quotes and without blank lines: then every line is a record. ok
// is false if a line may be blank.
func scanUnquoted(b []byte, entry state, delim byte) (segment, bool) {
	newlines, clean := countLines(b, entry == atRecord)
	if !clean {
		return segment{}, false
	}
	last := len(b) - 1
	g := segment{entry: entry, newlines: newlines, rows: newlines, first: -1, last: -1, exit: assumedEntry(b[last], delim)}
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

// scanAny walks the grammar byte by byte. Quoted fields are short as a rule: leaping through them by bytes.IndexByte
// is slower.
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
