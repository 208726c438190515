package lookup

import (
	"strconv"
	"strings"
)

// NoRow is the Row of an Error that concerns no single row.
const NoRow = -1

// longest is how many bytes of a text from outside a message repeats.
const longest = 60

// Error is a question that cannot be answered. Whoever asked adds how the value was given.
type Error struct {
	Row     int    // within the Table, or NoRow
	Feature string // empty where the whole row is meant
	Problem string // what is wrong, without a final full stop
	Remedy  string // what to do next; may be empty
	Absent  bool   // a value is missing, and the model needs it
}

// Error renders "row 3: age: no value (…)".
func (e *Error) Error() string {
	var b strings.Builder
	if e.Row >= 0 {
		b.WriteString("row " + whole(e.Row) + ": ")
	}
	if e.Feature != "" {
		b.WriteString(shortened(e.Feature) + ": ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString(" (" + e.Remedy + ")")
	}
	return b.String()
}

func (e *Error) do(remedy string) *Error {
	e.Remedy = remedy
	return e
}

func whole(n int) string { return strconv.Itoa(n) }

// quoted is a text from outside for a message.
func quoted(text string) string { return strconv.Quote(shortened(text)) }

func shortened(text string) string {
	if len(text) <= longest {
		return text
	}
	return strings.ToValidUTF8(text[:longest], "") + "…"
}
