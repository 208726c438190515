package csv

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/coterie-project/coterie/dataset/number"
)

const (
	batchFields  = 4096          // fields found before they are parsed: they and their text stay in the nearest cache
	batchBytes   = 64 << 10      // of text that is looked at for them
	batchColumns = 1 << 16       // in wider tables each record is a batch of its own, and not worth it
	endsSpare    = blockBits + 8 // entries that a block may take, and those written behind them
	// alone is how many records are taken one by one after a batch in which nothing was regular, so that odd files do not
	// pay for two ways.
	alone = 16
)

// batch is a run of regular records: those that have as many fields as the header, no NUL, and no quotes but around
// whole fields. They are found by blocks of 64 bytes and parsed column by column; all other records are taken one by
// one by scanner and decoder, which also say what is wrong with them.
type batch struct {
	columns int
	most    int      // records
	ends    []uint32 // where in the scanner's buffer the byte before the first field is, and those behind each field
	rows    int
	quoted  bool // some field has quotes
	crlf    bool // some record ends in CR LF
}

func (t *batch) prepare(columns, rows int) {
	t.columns = columns
	if columns > batchColumns {
		return
	}
	t.most = min(rows, max(1, batchFields/columns))
	t.ends = make([]uint32, 1+t.most*columns+endsSpare)
}

// find looks for at most limit regular records from the scanner's place on, as far as its buffer goes.
func (t *batch) find(s *scanner, limit int) {
	t.rows, t.quoted, t.crlf = 0, false, false
	limit = min(limit, t.most)
	stop := min(s.filled, s.nulAt, s.pos+batchBytes)
	t.ends[0] = uint32(s.pos - 1)
	if t.findPlain(s, limit, stop) {
		return
	}
	var look [16]marks
	found := 1 // entries of ends
	entry := atRecord
	for at := s.pos; at+blockBits <= stop; {
		blocks := look[:min(len(look), (stop-at)/blockBits)]
		lookAll(blocks, s.buf[at:], s.delim)
		for i := range blocks {
			p, ok := blocks[i].parse(entry)
			if !ok || textBehindQuote(s.buf[at:s.filled], p.behind) || found+endsSpare > len(t.ends) {
				return
			}
			t.quoted = t.quoted || p.quotes
			entry = p.exit
			spill(t.ends[found:], p.ends, uint32(at))
			if !t.records(s, &p, found, at, limit) {
				return
			}
			found += bits.OnesCount64(p.ends)
			at += blockBits
		}
	}
}

// records takes the records that end in the block at byte at, whose ends begin with entry number found. It is false if one
// is not regular, or if limit is reached.
func (t *batch) records(s *scanner, p *parsed, found, at, limit int) bool {
	for newlines := p.ends & p.newline; newlines != 0; newlines &= newlines - 1 {
		i := bits.TrailingZeros64(newlines)
		if !t.record(s, found+int(below(p.ends, i)), at+i) || t.rows == limit {
			return false
		}
	}
	return true
}

// findPlain is find for records without quotes, of which every one must be regular. It is false if it is to be done the
// other way.
func (t *batch) findPlain(s *scanner, limit, stop int) bool {
	found, newlines := plainEnds(t.ends[1:], s.buf[s.pos:max(stop, s.pos)], s.pos, s.delim)
	if found < 0 || newlines == 0 || newlines != found/t.columns {
		return false
	}
	for t.rows < newlines {
		number := (t.rows + 1) * t.columns
		if end := int(t.ends[number]); s.buf[end] != '\n' || !t.record(s, number, end) {
			t.rows, t.crlf = 0, false
			return false
		}
	}
	t.rows = min(t.rows, limit)
	return true
}

// record takes the record that ends with the newline at byte end, which is entry number of ends. It is false if the
// record is not regular.
func (t *batch) record(s *scanner, number, end int) bool {
	if number != (t.rows+1)*t.columns {
		return false
	}
	cr := s.buf[end-1] == '\r'
	if t.columns == 1 { // a line may be blank
		start := int(t.ends[t.rows]) + 1
		if length := end - start; length == 0 || length == 1 && cr {
			return false
		}
	}
	t.crlf = t.crlf || cr
	t.rows++
	return true
}

// spill writes the places of the bits of x, plus base, to the front of dst, and up to seven others behind them. Eight at a time,
// since the number of fields in a block cannot be predicted.
func spill(dst []uint32, x uint64, base uint32) {
	for x != 0 {
		eight := (*[8]uint32)(dst)
		for i := range eight {
			eight[i] = base + uint32(bits.TrailingZeros64(x))
			x &= x - 1
		}
		dst = dst[8:]
	}
}

// textBehindQuote says whether a byte that stands behind a closing quote is anything but the CR of CR LF.
func textBehindQuote(b []byte, behind uint64) bool {
	for ; behind != 0; behind &= behind - 1 {
		if i := bits.TrailingZeros64(behind); b[i] != '\r' || i+1 == len(b) || b[i+1] != '\n' {
			return true
		}
	}
	return false
}

// field says where in buf the text of a field is, with the quotes it may have.
func (t *batch) field(buf []byte, row, column int) (from, to int) {
	at := row*t.columns + column
	from, to = int(t.ends[at])+1, int(t.ends[at+1])
	if column == t.columns-1 && to > from && buf[to-1] == '\r' {
		to--
	}
	return from, to
}

// decodeBatch parses the records of t as rows n and on. It returns how many it parsed: the one behind them, if there is
// one, has a bad cell.
func (d *decoder) decodeBatch(s *scanner, t *batch, n int) int {
	rows := t.rows
	for i := range d.targets {
		target := &d.targets[i]
		if target.plain != nil {
			rows = d.numbers(s, t, target, n, rows)
			continue
		}
		for row := range rows {
			from, to := t.field(s.buf, row, target.column)
			if !d.cell(target, d.unquoted(s.buf[from:to]), n+row) {
				rows = row
				break
			}
		}
	}
	if rows < t.rows {
		d.forget(n+rows, n+t.rows)
	}
	return rows
}

// numbers parses a column of the first rows records.
func (d *decoder) numbers(s *scanner, t *batch, target *target, n, rows int) int {
	ends, step, dst := t.ends[target.column:], t.columns, target.plain[n:n+rows]
	if t.quoted || t.crlf && target.column == t.columns-1 {
		ends, step = d.narrow(s, t, target.column, rows), 2
	}
	for row := 0; row < rows; row++ {
		row += number.Column(dst[row:], s.buf, ends[row*step:], step)
		if row == rows {
			break
		}
		from, to := int(ends[row*step])+1, int(ends[row*step+1])
		value, end, ok := number.Scan(s.buf[:to], from, s.delim)
		if ok && end == to {
			dst[row] = value
		} else if from, to := t.field(s.buf, row, target.column); !d.cell(target, d.unquoted(s.buf[from:to]), n+row) {
			return row
		}
	}
	return rows
}

// narrow gives the ends of a column without quotes and CR, each field's as a pair.
func (d *decoder) narrow(s *scanner, t *batch, column, rows int) []uint32 {
	d.pairs = slices.Grow(d.pairs[:0], 2*rows)
	for row := range rows {
		from, to := t.field(s.buf, row, column)
		if to > from && s.buf[from] == '"' {
			from, to = from+1, to-1
		}
		d.pairs = append(d.pairs, uint32(from-1), uint32(to))
	}
	return d.pairs
}

// unquoted is the text of a field of a batch.
func (d *decoder) unquoted(text []byte) []byte {
	if len(text) == 0 || text[0] != '"' {
		return text
	}
	text = text[1 : len(text)-1]
	if bytes.IndexByte(text, '"') < 0 {
		return text
	}
	p := &d.splitter
	p.cells, p.scratch = p.cells[:0], p.scratch[:0]
	p.unquote(text, 0, len(text))
	return p.at(text, 0)
}

// forget takes back what was stored for rows [from, to), which are parsed again one by one.
func (d *decoder) forget(from, to int) {
	for i := range d.builders {
		b := &d.builders[i]
		if b.gaps {
			clear(b.missing[from:to])
		}
		if b.shape == asText {
			b.data = b.data[:b.offsets[from]]
		}
	}
}

// skip steps over the first rows records of t and returns the bytes they took.
func (s *scanner) skip(t *batch, rows int) int {
	from := s.pos
	s.pos = int(t.ends[rows*t.columns]) + 1
	if t.quoted {
		s.line += int64(bytes.Count(s.buf[from:s.pos], newline))
		s.quoteAt = s.find('"', s.pos)
	} else {
		s.line += int64(rows)
	}
	return s.pos - from
}
