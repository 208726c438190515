package fault

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// Kind says who has to act on an error; its value is the exit code of the process.
type Kind int

// The kinds, each with its exit code.
const (
	Failed      Kind = 1   // the machine: a folder is missing, the disk is full, anything else
	Usage       Kind = 2   // the caller: an unknown flag, a bad value
	Input       Kind = 3   // the data or the model: unreadable, damaged or wrong
	Gate        Kind = 4   // a gate refused the result; nothing was replaced
	Unavailable Kind = 5   // the cluster cannot do it in time
	Interrupted Kind = 130 // a signal
)

// Place is where in the input an error lies. Zero fields are left out of the message.
type Place struct {
	File   string // as the caller named it
	Line   int64  // 1-based line in a text file, the header being line 1; 0 = not a text file
	Row    int64  // 0-based row number within the file; -1 = none
	Column string // the column's name
}

// NoRow is the Row of a Place that has none.
const NoRow int64 = -1

// String renders the place as "file: line 3, column age" (text) or "file: row 1, column age" (other formats).
func (p Place) String() string {
	var parts []string
	switch {
	case p.Line > 0:
		parts = append(parts, fmt.Sprintf("line %d", p.Line))
	case p.Row >= 0:
		parts = append(parts, fmt.Sprintf("row %d", p.Row))
	}
	if p.Column != "" {
		parts = append(parts, fmt.Sprintf("column %s", p.Column))
	}
	where := strings.Join(parts, ", ")
	switch {
	case p.File == "":
		return where
	case where == "":
		return p.File
	default:
		return p.File + ": " + where
	}
}

// Error is one problem with its place and the next step. Problem and Remedy are plain sentences without a
// final full stop.
type Error struct {
	Kind    Kind
	Place   Place
	Problem string // what is wrong, with the offending value
	Remedy  string // what to do next; may be empty
	Err     error  // the cause; may be nil
}

// Error renders "place: problem: cause (remedy)".
func (e *Error) Error() string {
	var b strings.Builder
	if where := e.Place.String(); where != "" {
		b.WriteString(where)
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Err != nil {
		if e.Problem != "" {
			b.WriteString(": ")
		}
		b.WriteString(e.Err.Error())
	}
	if e.Remedy != "" {
		b.WriteString(" (")
		b.WriteString(e.Remedy)
		b.WriteString(")")
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Usagef is a wrong call: the message names the flag and the value.
func Usagef(format string, args ...any) *Error {
	return &Error{Kind: Usage, Place: Place{Row: NoRow}, Problem: fmt.Sprintf(format, args...)}
}

// Inputf is bad input at a place.
func Inputf(at Place, format string, args ...any) *Error {
	return &Error{Kind: Input, Place: at, Problem: fmt.Sprintf(format, args...)}
}

// Failedf is a failure of the machine around an operation; cause may be nil.
func Failedf(cause error, format string, args ...any) *Error {
	return &Error{Kind: Failed, Place: Place{Row: NoRow}, Problem: fmt.Sprintf(format, args...), Err: cause}
}

// Do adds the next step to an error and returns it.
func (e *Error) Do(format string, args ...any) *Error {
	e.Remedy = fmt.Sprintf(format, args...)
	return e
}

// In is the place of a whole file.
func In(file string) Place { return Place{File: file, Row: NoRow} }

// Code is the exit code for err: 0 for nil, 130 for a cancelled context, the Kind of the first *Error in
// the chain, else 1.
func Code(err error) int {
	if err == nil {
		return 0
	}
	if errors.Is(err, context.Canceled) {
		return int(Interrupted)
	}
	var e *Error
	if errors.As(err, &e) {
		return int(e.Kind)
	}
	return int(Failed)
}
