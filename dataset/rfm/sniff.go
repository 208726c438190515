package rfm

import (
	"bytes"
	"context"
	"errors"
	"io"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// chooseDates decides how the texts of the date column are read: by the given format, or by the form that the first
// of them have. A file's own timestamps are taken as they are, or, with a format, as ISO texts. They are asked for as text too, since a text file may take
// a column for timestamps, and would then refuse a line whose date nobody needs.
func (p *plan) chooseDates(ctx context.Context, format string) error {
	if column := &p.src.Schema().Columns[p.columns.date]; format == "" && column.Stored && column.Kind == dataset.Time {
		p.clock = true
		p.readAs(yearFirst) // the text of those that are out of range
		return nil
	}
	if format == "" {
		return p.sniffDates(ctx)
	}
	l, err := parseLayout(format)
	if err != nil {
		return fault.Usagef("--date-format %s: it %v", format, err).Do("write it as for strptime: %%Y-%%m-%%d %%H:%%M")
	}
	p.dates, p.dateForm = l.parse, "of the form "+format
	return nil
}

// readAs makes f the form of the date column.
func (p *plan) readAs(f form) {
	p.dates = func(text []byte) (int64, bool) { return parseDate(text, f) }
	p.dateForm = f.String()
}

// sniffDates reads the date column from the start until a text settles its form. That is the first text, or, with
// days and months as numbers, the first day above 12. A text in no known form settles nothing here: whether its line
// is needed is found when the lines are read.
func (p *plan) sniffDates(ctx context.Context) error {
	r, err := p.src.Read(ctx, 0, p.src.Rows(), []dataset.Field{{Column: p.columns.date, As: dataset.AsText}})
	if err != nil {
		return err
	}
	defer r.Close()
	s := sniffer{strange: -1, doubtful: -1}
	for {
		block, err := r.Next()
		if errors.Is(err, io.EOF) {
			return s.undecided(p)
		}
		if err != nil {
			return err
		}
		if s.see(block) {
			p.readAs(s.form)
			return nil
		}
	}
}

// sniffer remembers what the texts have said so far.
type sniffer struct {
	form     form
	last     []byte
	strange  int64 // the first row in no known form; -1: none
	doubtful int64 // the first row with two readings; -1: none
	text     string
	odd      string
	seen     bool
}

// see looks at a block's dates and tells whether the form is settled.
func (s *sniffer) see(block *dataset.Block) bool {
	cells := reader{vector: &block.Columns[0]}
	for i := range block.Rows {
		text, missing := cells.text(i)
		if missing || s.seen && bytes.Equal(text, s.last) {
			continue
		}
		s.last, s.seen = append(s.last[:0], text...), true
		at := look(text)
		row := block.First + int64(i)
		switch {
		case at.form == unknown:
			if s.strange < 0 {
				s.strange, s.odd = row, string(text)
			}
		case at.order == settled:
			s.form = at.form
			return true
		case at.order == ambiguous && s.doubtful < 0:
			s.doubtful, s.text = row, string(text)
		case s.form == unknown:
			s.form = dayFirst // either order; kept unless a later text tells
		}
	}
	return false
}

// undecided is the outcome where no text has settled the form.
func (s *sniffer) undecided(p *plan) error {
	switch {
	case s.doubtful >= 0:
		return fault.Inputf(p.place(s.doubtful, p.columns.date),
			"date %q could have the day first or the month first, and no date of the table tells which", s.text).
			Do("say which with --date-format, for instance %%d/%%m/%%Y or %%m/%%d/%%Y")
	case s.form == unknown && s.strange >= 0:
		return fault.Inputf(p.place(s.strange, p.columns.date), "date %q is in no form that is known", brief(s.odd)).
			Do("say its form with --date-format, for instance %%Y-%%m-%%d %%H:%%M")
	case s.form == unknown:
		s.form = yearFirst // no date at all: any form will do
	}
	p.readAs(s.form)
	return nil
}

// place is where a row's cell of a column lies.
func (p *plan) place(row int64, column int) fault.Place {
	at := p.src.Locate(row)
	if column >= 0 {
		at.Column = p.name(column)
	}
	return at
}

// brief cuts a cell for a message.
func brief(text string) string {
	const most = 60
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
