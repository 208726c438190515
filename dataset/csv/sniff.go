package csv

import (
	"bytes"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

const (
	sniffBytes   = 1 << 20 // what is looked at to find the delimiter
	sniffRecords = 100
	maxColumns   = 1 << 20
)

var candidates = []byte{',', ';', '\t', '|'}

// layout is what the beginning of a file says about the rest.
type layout struct {
	delim  byte
	schema dataset.Schema // kinds not known yet
	data   int64          // offset behind the header
	line   int64          // line of data
}

// sniff reads the header. src holds size bytes so far; tabs says that the file calls itself tab-separated.
func sniff(name string, src io.ReaderAt, size int64, tabs bool) (layout, error) {
	head := make([]byte, min(size, sniffBytes))
	if n, err := src.ReadAt(head, 0); n < len(head) {
		return layout{}, unreadable(name, err)
	}
	if err := notCSV(name, head); err != nil {
		return layout{}, err
	}
	start := int64(0)
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		start, head = 3, head[3:]
	}
	l := layout{delim: findDelimiter(head, tabs)}
	var s scanner
	s.reset(src, start, size, 1, l.delim)
	switch err := s.next(); {
	case err == io.EOF:
		return layout{}, fault.Inputf(fault.In(name), "is empty").Do("the first line must hold the names of the columns")
	case err == errTooLong:
		return layout{}, tooLong(name, s.recordLine)
	case err != nil:
		return layout{}, unreadable(name, err)
	}
	l.data, l.line = s.base+int64(s.pos), s.line
	var p splitter
	p.split(s.record, l.delim)
	at := fault.Place{File: name, Line: s.recordLine, Row: fault.NoRow}
	switch {
	case s.nul:
		return layout{}, fault.Inputf(at, "the header contains a NUL byte").Do("is this a text file in UTF-8?")
	case p.open >= 0:
		return layout{}, unclosed(name, s.recordLine+int64(bytes.Count(s.record[:p.open], newline)))
	case p.trailer > 0:
		return layout{}, fault.Inputf(at, "the header has text after the closing quote of field %d", p.trailer)
	case len(p.cells) > maxColumns:
		return layout{}, fault.Inputf(at, "has %d columns, more than %d", len(p.cells), maxColumns)
	}
	columns, err := header(at, &p, s.record)
	l.schema.Columns = columns
	return l, err
}

// header turns the first record into columns. A name that is empty (spreadsheets and data frames write such index
// columns) becomes column_1, counted from 1.
func header(at fault.Place, p *splitter, record []byte) ([]dataset.Column, error) {
	columns := make([]dataset.Column, len(p.cells))
	seen := make(map[string]int, len(p.cells))
	for i := range columns {
		name := strings.TrimSpace(string(p.at(record, i)))
		if name == "" {
			name = "column_" + strconv.Itoa(i+1)
		}
		if !utf8.ValidString(name) {
			return nil, fault.Inputf(at, "the name of column %d is not UTF-8: %q", i+1, name).
				Do("convert the file, for example with iconv -f latin1 -t utf-8")
		}
		if before, twice := seen[name]; twice {
			return nil, fault.Inputf(at, "two columns are called %q: number %d and number %d", name, before+1, i+1).Do("rename one of them")
		}
		seen[name] = i
		columns[i] = dataset.Column{Name: name, Kind: dataset.Text}
	}
	return columns, nil
}

// notCSV recognises files that are something else under the wrong name.
func notCSV(name string, head []byte) error {
	at := fault.In(name)
	for _, other := range []struct{ magic, what, remedy string }{
		{"\xff\xfe", "UTF-16 text", "save it as UTF-8"},
		{"\xfe\xff", "UTF-16 text", "save it as UTF-8"},
		{"\x1f\x8b", "gzip-compressed", "rename it to .csv.gz"},
		{"\x28\xb5\x2f\xfd", "zstd-compressed", "rename it to .csv.zst"},
		{"PAR1", "a Parquet file", "rename it to .parquet"},
		{"\x93NUMPY", "a NumPy file", "rename it to .npy"},
		{"PK\x03\x04", "a spreadsheet or a zip archive", "save it as CSV"},
	} {
		if bytes.HasPrefix(head, []byte(other.magic)) {
			return fault.Inputf(at, "is %s, not CSV", other.what).Do("%s", other.remedy)
		}
	}
	first := bytes.IndexByte(head, '\n')
	if first < 0 && bytes.IndexByte(head, '\r') >= 0 && bytes.IndexByte(bytes.TrimRight(head, "\r"), '\r') >= 0 {
		return fault.Inputf(at, "its lines end in carriage returns only").Do("save it with line feeds, for example with tr '\\r' '\\n'")
	}
	return nil
}

// findDelimiter takes the candidate for which most of the first records have as many fields as the header; among
// equals the one that gives more fields, then the earlier one. A header of one field decides for none of them.
func findDelimiter(head []byte, tabs bool) byte {
	order := candidates
	if tabs {
		order = []byte{'\t', ',', ';', '|'}
	}
	best := order[0]
	var bestFields, bestAlike, bestRecords int
	for _, delim := range order {
		fields, alike, records := tryDelimiter(head, delim)
		if fields < 2 {
			continue
		}
		now, before := alike*bestRecords, bestAlike*records // compares alike/records without a division
		if bestFields == 0 || now > before || (now == before && fields > bestFields) {
			best, bestFields, bestAlike, bestRecords = delim, fields, alike, records
		}
	}
	return best
}

// tryDelimiter counts the fields of the first record, and how many of the first records have as many.
func tryDelimiter(head []byte, delim byte) (fields, alike, records int) {
	var p splitter
	for len(head) > 0 && records < sniffRecords {
		end := endOfRecord(head, delim)
		if end < 0 && records > 0 {
			return fields, alike, records // cut off by the sniffed length, or the last line
		}
		record := head
		head = nil
		if end >= 0 {
			record, head = record[:end], record[end+1:]
		}
		record = bytes.TrimSuffix(record, []byte{'\r'})
		if len(record) == 0 {
			continue
		}
		p.split(record, delim)
		if records == 0 {
			fields = len(p.cells)
		}
		if len(p.cells) == fields && p.open < 0 && p.trailer == 0 {
			alike++
		}
		records++
	}
	return fields, alike, records
}

func unclosed(name string, line int64) error {
	return fault.Inputf(fault.Place{File: name, Line: line, Row: fault.NoRow}, "a quote opens here and is never closed").
		Do("close it, or double it if it is part of the text")
}
