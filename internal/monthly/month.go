package monthly

import (
	"fmt"
	"strings"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

// Month is a calendar month, UTC.
type Month struct{ first time.Time }

const monthForm = "2006-01"

// ParseMonth reads YYYY-MM.
func ParseMonth(text string) (Month, error) {
	first, err := time.Parse(monthForm, text)
	if err != nil {
		return Month{}, fault.Usagef("--month: %q is not a month", text).Do("write it as 2026-01")
	}
	return Month{first}, nil
}

// MonthBefore is the last month that was over at a time.
func MonthBefore(t time.Time) Month {
	t = t.UTC()
	return Month{time.Date(t.Year(), t.Month()-1, 1, 0, 0, 0, 0, time.UTC)}
}

// String is YYYY-MM.
func (m Month) String() string { return m.first.Format(monthForm) }

// asOf is the day after the month.
func (m Month) asOf() string { return m.first.AddDate(0, 1, 0).Format(time.DateOnly) }

// before says whether m is earlier than o.
func (m Month) before(o Month) bool { return m.first.Before(o.first) }

// fill puts the month into a text: {month} is 2026-01, {year} 2026, {mm} 01, {as_of} 2026-02-01.
func (m Month) fill(text string) (string, error) {
	var b strings.Builder
	for rest := text; ; {
		before, after, found := strings.Cut(rest, "{")
		b.WriteString(before)
		if !found {
			return b.String(), nil
		}
		word, after, closed := strings.Cut(after, "}")
		value, known := map[string]string{"month": m.String(), "year": m.first.Format("2006"), "mm": m.first.Format("01"), "as_of": m.asOf()}[word]
		if !closed || !known {
			return "", fmt.Errorf("%q has a { that is not the beginning of {month}, {year}, {mm} or {as_of}", text)
		}
		b.WriteString(value)
		rest = after
	}
}
