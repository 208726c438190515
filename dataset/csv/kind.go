package csv

import (
	"bytes"
	"context"
	"io"
	"math"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/number"
)

// sampleBytes bounds the sample of a file with very long records.
const sampleBytes = 64 << 20

// Tally counts what the cells of a column look like in a sample of rows. Tallies of several files add up.
type Tally struct {
	Present int64 // cells that are not one of the spellings of a missing value
	Numbers int64 // of those, finite numbers
	Bools   int64 // true or false
	Times   int64 // ISO dates or timestamps
}

// Add adds the counts of o.
func (t *Tally) Add(o Tally) {
	t.Present += o.Present
	t.Numbers += o.Numbers
	t.Bools += o.Bools
	t.Times += o.Times
}

// Kind is what the column holds: Number if more than half of the cells present are numbers, so that a few slips
// are reported as such; Bool or Time if all of them are; else Text, also if there are none.
func (t *Tally) Kind() dataset.Kind {
	switch {
	case 2*t.Numbers > t.Present:
		return dataset.Number
	case t.Present == 0:
		return dataset.Text
	case t.Bools == t.Present:
		return dataset.Bool
	case t.Times == t.Present:
		return dataset.Time
	}
	return dataset.Text
}

// See counts one more cell.
func (t *Tally) See(cell []byte) { t.see(cell) }

// Values are what a cell says as a number (1 and 0 for true and false), and as a time in microseconds since 1970-01-01 UTC;
// NaN and 0 where it says none.
func Values(cell []byte) (number float64, micros int64) {
	micros, _ = parseTime(cell)
	if yes, ok := parseBool(cell); ok {
		if yes {
			return 1, micros
		}
		return 0, micros
	}
	return finite(cell), micros
}

func finite(cell []byte) float64 {
	if x, what := number.Parse(cell); what == number.Finite {
		return x
	}
	return math.NaN()
}

func (t *Tally) see(cell []byte) {
	_, what := number.Parse(cell)
	if what == number.Missing {
		return
	}
	if what == number.Finite {
		t.Numbers++
	}
	if t.Bools == t.Present { // one cell that is none settles it
		if _, ok := parseBool(cell); ok {
			t.Bools++
		}
	}
	if t.Times == t.Present {
		if _, ok := parseTime(cell); ok {
			t.Times++
		}
	}
	t.Present++
}

// tally samples the first rows. Records with the wrong number of fields do not count.
func tally(ctx context.Context, src io.ReaderAt, l *layout, end int64, rows int) ([]Tally, error) {
	tallies := make([]Tally, len(l.schema.Columns))
	var s scanner
	var p splitter
	s.reset(src, l.data, min(end, l.data+sampleBytes), l.line, l.delim)
	for n := 0; n < rows; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err := s.next(); err == io.EOF {
			break
		} else if err != nil {
			return nil, err
		}
		if !s.quoted {
			if bytes.Count(s.record, []byte{l.delim})+1 != len(tallies) {
				continue
			}
			rest := s.record
			for i := range tallies {
				at := bytes.IndexByte(rest, l.delim)
				if at < 0 {
					at = len(rest)
				}
				tallies[i].see(rest[:at])
				rest = rest[min(at+1, len(rest)):]
			}
			continue
		}
		p.split(s.record, l.delim)
		if p.open >= 0 || p.trailer > 0 || len(p.cells) != len(tallies) {
			continue
		}
		for i := range tallies {
			tallies[i].see(p.at(s.record, i))
		}
	}
	return tallies, nil
}

// parseBool reads true or false in any case.
func parseBool(cell []byte) (value, ok bool) {
	cell = bytes.TrimSpace(cell)
	switch len(cell) { // of equal length no letter beyond ASCII is equal
	case len("true"):
		return true, bytes.EqualFold(cell, []byte("true"))
	case len("false"):
		return false, bytes.EqualFold(cell, []byte("false"))
	}
	return false, false
}
