package csv

import (
	"bytes"
	"errors"
	"io"

	"github.com/coterie-project/coterie/dataset/number"
	"github.com/coterie-project/coterie/internal/fault"
)

// maxRecord is the longest record in bytes. It bounds a Reader's memory, and it ends the search when a quote is
// never closed.
const maxRecord = 16 << 20

const scanBuffer = 256 << 10 // small enough to stay in the second-level cache between filling and parsing

const lead = number.Lead

// errTooLong is a record over maxRecord; the caller knows the place.
var errTooLong = errors.New("record too long")

// scanner walks the records of src from an offset where one may start. It does not know what fields mean.
type scanner struct {
	src   io.ReaderAt
	end   int64 // offset where the data ends
	delim byte

	buf     []byte // begins with lead bytes of nothing
	base    int64  // offset of buf[0]
	pos     int    // the next record starts here
	filled  int    // buf[pos:filled] holds data
	quoteAt int    // first quote at or after pos, or filled; so that most records need not be searched for one
	nulAt   int    // likewise for NUL bytes
	line    int64  // line of pos

	// The record that next found; valid until the next call.
	record     []byte // without its line ending
	recordLine int64
	offset     int64 // of its first byte
	quoted     bool  // holds a quote somewhere
	nul        bool  // holds a NUL byte
}

func (s *scanner) reset(src io.ReaderAt, offset, end, line int64, delim byte) {
	if s.buf == nil {
		s.buf = make([]byte, lead+max(64, min(scanBuffer, end-offset)))
	}
	*s = scanner{src: src, end: end, delim: delim, buf: s.buf, base: offset - lead, line: line, pos: lead, filled: lead, quoteAt: lead, nulAt: lead}
}

// next finds the next record that is not a blank line. It returns io.EOF after the last one.
func (s *scanner) next() error {
	for {
		length := bytes.IndexByte(s.buf[s.pos:s.filled], '\n')
		quoted := s.quoteAt < s.pos+length || (length < 0 && s.quoteAt < s.filled)
		if quoted {
			length = endOfRecord(s.buf[s.pos:s.filled], s.delim)
		}
		if length < 0 && s.base+int64(s.filled) < s.end {
			if err := s.fill(); err != nil {
				return err
			}
			continue
		}
		step := length + 1
		if length < 0 {
			if s.pos == s.filled {
				return io.EOF
			}
			length = s.filled - s.pos
			step = length
		}
		if length > maxRecord {
			s.recordLine, s.offset = s.line, s.base+int64(s.pos)
			return errTooLong
		}
		s.take(length, step, quoted)
		if len(s.record) > 0 {
			return nil
		}
	}
}

// take makes buf[pos:pos+length] the record and steps over it.
func (s *scanner) take(length, step int, quoted bool) {
	record := s.buf[s.pos : s.pos+length]
	if length > 0 && record[length-1] == '\r' {
		record = record[:length-1]
	}
	s.record, s.recordLine, s.quoted = record, s.line, quoted
	s.offset = s.base + int64(s.pos)
	s.line++
	if quoted {
		s.line += int64(bytes.Count(s.buf[s.pos:s.pos+length], newline))
	}
	s.pos += step
	s.nul = s.nulAt < s.pos
	if quoted {
		s.quoteAt = s.find('"', s.pos)
	}
	if s.nul {
		s.nulAt = s.find(0, s.pos)
	}
}

var newline = []byte{'\n'}

func (s *scanner) find(c byte, from int) int {
	if i := bytes.IndexByte(s.buf[from:s.filled], c); i >= 0 {
		return from + i
	}
	return s.filled
}

// fill moves what is left to the front of the buffer, which grows if it is full, and reads more behind it.
func (s *scanner) fill() error {
	s.filled = lead + copy(s.buf[lead:], s.buf[s.pos:s.filled])
	s.base += int64(s.pos - lead)
	s.pos = lead
	if s.filled-lead > maxRecord {
		s.recordLine, s.offset = s.line, s.base+lead
		return errTooLong
	}
	if s.filled > len(s.buf)/2 {
		grown := make([]byte, 2*len(s.buf))
		copy(grown, s.buf[:s.filled])
		s.buf = grown
	}
	want := int(min(int64(len(s.buf)-s.filled), s.end-s.base-int64(s.filled)))
	n, err := s.src.ReadAt(s.buf[s.filled:s.filled+want], s.base+int64(s.filled))
	s.filled += n
	s.quoteAt, s.nulAt = s.find('"', lead), s.find(0, lead)
	if n == want {
		return nil
	}
	if err == nil || err == io.EOF {
		return io.ErrUnexpectedEOF // the file shrank
	}
	return err
}

// endOfRecord is the index of the newline that ends the record which b begins with, or -1 if it is not in b.
func endOfRecord(b []byte, delim byte) int {
	i := 0
	for {
		if i < len(b) && b[i] == '"' {
			after := closingQuote(b, i+1)
			if after < 0 {
				return -1
			}
			i = after
		}
		for i < len(b) && b[i] != delim && b[i] != '\n' {
			i++
		}
		if i >= len(b) {
			return -1
		}
		if b[i] == '\n' {
			return i
		}
		i++
	}
}

// closingQuote is the index after the quote that closes a quoted field whose text begins at i, or -1.
func closingQuote(b []byte, i int) int {
	for {
		j := bytes.IndexByte(b[i:], '"')
		if j < 0 {
			return -1
		}
		i += j + 1
		if i >= len(b) || b[i] != '"' {
			return i
		}
		i++
	}
}

// cell is one field of a record: record[from:to], or, where it had doubled quotes, scratch[from:to].
type cell struct {
	from, to int
	scratch  bool
}

// splitter cuts a record that holds quotes into cells.
type splitter struct {
	cells   []cell
	scratch []byte // unquoted text of cells that had doubled quotes
	trailer int    // 1-based number of the first field with text after its closing quote, else 0
	open    int    // offset in the record of a quote that nothing closes, else -1
}

func (p *splitter) split(record []byte, delim byte) {
	p.cells, p.scratch, p.trailer, p.open = p.cells[:0], p.scratch[:0], 0, -1
	for i := 0; ; i++ {
		if i < len(record) && record[i] == '"' {
			after := closingQuote(record, i+1)
			if after < 0 {
				p.open = i
				return
			}
			p.unquote(record, i+1, after-1)
			i = after
			if i < len(record) && record[i] != delim && p.trailer == 0 {
				p.trailer = len(p.cells)
			}
			i = nextDelim(record, i, delim)
		} else {
			from := i
			i = nextDelim(record, i, delim)
			p.cells = append(p.cells, cell{from: from, to: i})
		}
		if i >= len(record) {
			return
		}
	}
}

func nextDelim(b []byte, i int, delim byte) int {
	for i < len(b) && b[i] != delim {
		i++
	}
	return i
}

// unquote adds the quoted cell whose text, with quotes doubled, is record[from:to].
func (p *splitter) unquote(record []byte, from, to int) {
	text := record[from:to]
	i := bytes.IndexByte(text, '"')
	if i < 0 {
		p.cells = append(p.cells, cell{from: from, to: to})
		return
	}
	start := len(p.scratch)
	for i >= 0 {
		p.scratch = append(p.scratch, text[:i+1]...)
		text = text[i+2:]
		i = bytes.IndexByte(text, '"')
	}
	p.scratch = append(p.scratch, text...)
	p.cells = append(p.cells, cell{from: start, to: len(p.scratch), scratch: true})
}

// at is the text of cell i.
func (p *splitter) at(record []byte, i int) []byte {
	c := p.cells[i]
	if c.scratch {
		return p.scratch[c.from:c.to]
	}
	return record[c.from:c.to]
}

// tooLong is the error for a record over maxRecord.
func tooLong(name string, line int64) error {
	return fault.Inputf(fault.Place{File: name, Line: line, Row: fault.NoRow}, "a record is longer than %d MiB", maxRecord>>20).
		Do("is a quote in this line never closed?")
}
