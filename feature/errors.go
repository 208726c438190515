package feature

import (
	"fmt"
	"strconv"
	"strings"
)

// NoRow is the Row of a ValueError that concerns a whole column.
const NoRow = -1

// ValueError is a value in the data that cannot be used. The caller knows the file, and adds it.
type ValueError struct {
	Row    int     // row within the Batch, or NoRow
	Column string  // the column's name; empty where the whole row is meant
	Value  float64 // the offending number; NaN for a missing one
	Text   string  // the offending text, for categorical columns
	Reason string  // what is wrong, without a final full stop
	Remedy string  // what to do next; may be empty
}

// Error renders "row 3, column age: +Inf: not a finite number (remove or correct it)".
func (e *ValueError) Error() string {
	var where []string
	if e.Row >= 0 {
		where = append(where, "row "+strconv.Itoa(e.Row))
	}
	if e.Column != "" {
		where = append(where, "column "+e.Column)
	}
	parts := make([]string, 0, 3)
	if len(where) > 0 {
		parts = append(parts, strings.Join(where, ", "))
	}
	parts = append(parts, e.Problem())
	text := strings.Join(parts, ": ")
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return text
}

// Problem is the value and the reason, without place and remedy.
func (e *ValueError) Problem() string {
	switch {
	case e.Text != "":
		return strconv.Quote(e.Text) + ": " + e.Reason
	case e.Value != e.Value || e.Row < 0 || e.Column == "":
		return e.Reason
	}
	return strconv.FormatFloat(e.Value, 'g', -1, 64) + ": " + e.Reason
}

// SpecError is a Spec, or a decoded Transform, that cannot be used, whatever the data are.
type SpecError struct {
	Field  string // "scale", "missing", "numeric", "log1p", "categorical", …
	Value  string // the offending value
	Reason string // what is wrong, without a final full stop
	Remedy string // what to do next; may be empty
}

// Error renders `scale "cubic": unknown (choose …)`.
func (e *SpecError) Error() string {
	text := fmt.Sprintf("%s %q: %s", e.Field, e.Value, e.Reason)
	if e.Remedy != "" {
		text += " (" + e.Remedy + ")"
	}
	return text
}

// The reasons and remedies that several places give.
const (
	reasonMissing   = "no value"
	remedyMissing   = "fill it in, or fit with --missing mean, median, indicator or drop"
	reasonInfinite  = "not a finite number"
	remedyInfinite  = "correct it or leave it empty"
	reasonLog1p     = "log1p needs values above -1"
	remedyLog1p     = "correct it, or take the column without log1p"
	reasonTooLarge  = "too large for float32: its squared distance would overflow"
	remedyTooLarge  = "scale or remove it"
	reasonTooClose  = "the values lie so close together that their squared distances vanish in float32"
	remedyTooClose  = "scale the columns (standard, minmax), or give them in smaller units"
	reasonZeroRow   = "a row of zeros has no direction"
	remedyZeroRow   = "remove it, or use the Euclidean metric"
	reasonNoRows    = "there are no rows"
	reasonNoValues  = "the column has no values at all"
	remedyNoValues  = "leave the column out"
	reasonLongText  = "too long for a category"
	reasonNotUTF8   = "not UTF-8 text"
	remedyNotUTF8   = "convert the file to UTF-8"
	remedyIDColumn  = "is it an id? Leave it out, or group its values first"
	remedyAllLoaded = "gather the statistics over all rows first"
)
