package csv

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/number"
)

// shape is how a column's cells are kept.
type shape uint8

const (
	asNumber shape = iota
	asFlag         // a Bool column asked for as a number: 1 and 0
	asText
	asMicros
)

// builder collects one column of a Block. Its buffers live as long as the Reader.
type builder struct {
	shape   shape
	id      bool // text that must be UTF-8, or no reader of a Parquet file of labels could decode it
	numbers []float64
	micros  []int64
	data    []byte
	offsets []int
	missing []bool // all false unless gaps
	gaps    bool
}

// target is a column of the file that somebody asked for, perhaps more than once.
type target struct {
	column   int
	builders []*builder
	plain    []float64 // the values, where the column is asked for once, as a number: the fast path
}

// decoder parses the asked columns of records into builders.
type decoder struct {
	layout   *layout
	columns  int
	rows     int
	targets  []target // ascending column
	builders []builder
	splitter splitter
	pairs    []uint32 // scratch of narrow
	// Why the last record was refused, where it was for a cell.
	badColumn int
	badReason string
}

func (d *decoder) prepare(l *layout, fields []dataset.Field, rows int) {
	d.layout, d.columns, d.rows = l, len(l.schema.Columns), rows
	d.builders = make([]builder, len(fields))
	byColumn := make([][]*builder, d.columns)
	for i, f := range fields {
		b := &d.builders[i]
		b.id = f.As == dataset.AsID
		kind := l.schema.Columns[f.Column].Kind
		switch {
		case f.As == dataset.AsNumber && kind == dataset.Bool:
			b.shape = asFlag
		case f.As == dataset.AsNumber:
			b.shape = asNumber
		case f.As == dataset.AsTime && kind == dataset.Time:
			b.shape = asMicros
		default:
			b.shape = asText
		}
		switch b.shape {
		case asNumber, asFlag:
			b.numbers = make([]float64, rows)
		case asMicros:
			b.micros = make([]int64, rows)
		case asText:
			b.offsets = make([]int, rows+1)
		}
		byColumn[f.Column] = append(byColumn[f.Column], b)
	}
	for column, builders := range byColumn {
		if len(builders) == 0 {
			continue
		}
		t := target{column: column, builders: builders}
		if len(builders) == 1 && builders[0].shape == asNumber {
			t.plain = builders[0].numbers
		}
		d.targets = append(d.targets, t)
	}
}

// begin empties the builders for a new Block.
func (d *decoder) begin() {
	for i := range d.builders {
		b := &d.builders[i]
		b.data = b.data[:0]
		if b.gaps {
			clear(b.missing)
			b.gaps = false
		}
	}
}

// finish points the Block's vectors at the first n rows of the builders.
func (d *decoder) finish(n int, columns []dataset.Vector) {
	for i := range d.builders {
		b := &d.builders[i]
		v := dataset.Vector{}
		switch b.shape {
		case asNumber, asFlag:
			v.Float64 = b.numbers[:n]
		case asMicros:
			v.Micros = b.micros[:n]
		case asText:
			v.Text = dataset.Strings{Data: b.data, Offsets: b.offsets[:n+1]}
		}
		if b.gaps {
			v.Missing = b.missing[:n]
		}
		columns[i] = v
	}
}

// decode parses the record of s as row n. It is false if the record is bad; diagnose then says why, and blank
// clears what was written.
func (d *decoder) decode(s *scanner, n int) bool {
	d.badReason = ""
	if s.nul {
		return false
	}
	if s.quoted {
		return d.decodeQuoted(s.record, n)
	}
	return d.decodePlain(s.record, n)
}

// decodePlain parses a record without quotes in one walk from field to field.
func (d *decoder) decodePlain(record []byte, n int) bool {
	delim := d.layout.delim
	pos, column := 0, 0 // column begins at pos
	for i := range d.targets {
		t := &d.targets[i]
		for column < t.column {
			skip := bytes.IndexByte(record[pos:], delim)
			if skip < 0 {
				return false
			}
			pos += skip + 1
			column++
		}
		end, done := 0, false
		if t.plain != nil {
			t.plain[n], end, done = number.Scan(record, pos, delim)
		}
		if !done {
			if end = bytes.IndexByte(record[pos:], delim); end < 0 {
				end = len(record)
			} else {
				end += pos
			}
			if !d.cell(t, record[pos:end], n) {
				return false
			}
		}
		column++
		if end == len(record) {
			return i == len(d.targets)-1 && column == d.columns
		}
		pos = end + 1
	}
	return column+bytes.Count(record[pos:], []byte{delim})+1 == d.columns
}

func (d *decoder) decodeQuoted(record []byte, n int) bool {
	p := &d.splitter
	p.split(record, d.layout.delim)
	if p.open >= 0 || p.trailer > 0 || len(p.cells) != d.columns {
		return false
	}
	for i := range d.targets {
		t := &d.targets[i]
		if !d.cell(t, p.at(record, t.column), n) {
			return false
		}
	}
	return true
}

// cell stores one field wherever it was asked for.
func (d *decoder) cell(t *target, text []byte, n int) bool {
	for _, b := range t.builders {
		reason := ""
		switch b.shape {
		case asText:
			b.data = append(b.data, text...)
			b.offsets[n+1] = len(b.data)
			if len(text) == 0 {
				b.mark(n, d.rows)
			} else if b.id && !utf8.Valid(text) {
				reason = "not UTF-8 text"
			}
		case asNumber:
			value, what := number.Parse(text)
			b.numbers[n] = value
			if what == number.NotNumber {
				reason = "not a number"
			} else if what == number.NotFinite {
				reason = "not a finite number"
			}
		case asFlag:
			reason = b.flag(text, n)
		case asMicros:
			micros, ok := parseTime(text)
			b.micros[n] = micros
			if !ok {
				if number.IsMissingName(bytes.TrimSpace(text)) {
					b.mark(n, d.rows)
				} else {
					reason = "not a date"
				}
			}
		}
		if reason != "" {
			d.badColumn, d.badReason = t.column, reason+": "+shorten(text)
			return false
		}
	}
	return true
}

// flag stores true as 1, false as 0 and numbers as they are.
func (b *builder) flag(text []byte, n int) (reason string) {
	if value, ok := parseBool(text); ok {
		b.numbers[n] = 0
		if value {
			b.numbers[n] = 1
		}
		return ""
	}
	value, what := number.Parse(text)
	b.numbers[n] = value
	if what == number.NotNumber || what == number.NotFinite {
		return "neither true nor false"
	}
	return ""
}

func (b *builder) mark(n, rows int) {
	if b.missing == nil {
		b.missing = make([]bool, rows)
	}
	b.missing[n], b.gaps = true, true
}

// blank makes row n NaN, zero or empty in all columns.
func (d *decoder) blank(n int) {
	for i := range d.builders {
		b := &d.builders[i]
		switch b.shape {
		case asNumber, asFlag:
			b.numbers[n] = math.NaN()
			continue
		case asMicros:
			b.micros[n] = 0
		case asText:
			b.data = b.data[:b.offsets[n]]
			b.offsets[n+1] = len(b.data)
		}
		b.mark(n, d.rows)
	}
}

// diagnose says why decode refused the record of s: the record as a whole before its cells.
func (d *decoder) diagnose(s *scanner) (column, reason string) {
	if s.nul {
		return "", "contains a NUL byte"
	}
	fields := bytes.Count(s.record, []byte{d.layout.delim}) + 1
	if s.quoted {
		p := &d.splitter
		p.split(s.record, d.layout.delim)
		if p.open >= 0 {
			return "", "a quote is never closed"
		}
		if p.trailer > 0 {
			return "", fmt.Sprintf("has text after the closing quote of field %d", p.trailer)
		}
		fields = len(p.cells)
	}
	if fields != d.columns {
		plural := "s"
		if fields == 1 {
			plural = ""
		}
		return "", fmt.Sprintf("has %d field%s, the header has %d", fields, plural, d.columns)
	}
	return d.layout.schema.Columns[d.badColumn].Name, d.badReason
}

// shorten quotes a cell for a message.
func shorten(cell []byte) string {
	const most = 60
	if len(cell) > most {
		return fmt.Sprintf("%q…", strings.ToValidUTF8(string(cell[:most]), ""))
	}
	return fmt.Sprintf("%q", cell)
}
