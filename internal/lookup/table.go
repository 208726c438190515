package lookup

import (
	"math"
	"strings"

	"github.com/coterie-project/coterie/internal/fault"
)

// Bounds of one question.
const (
	// MaxRows is how many rows one Table may have: at a microsecond each they take no noticeable time, and whoever has
	// more has a table for assign.
	MaxRows = 10_000
	// MaxCells is how many coordinates the rows of a Table may have after encoding: 4 bytes each, and 8 on the way.
	MaxCells = 1 << 22
	// MaxReasons is how many features the explanations of a Table may name: with a hundred bytes each an answer stays below
	// the 4 MiB that clients of gRPC take.
	MaxReasons = 1 << 15
	// mostNamed is how many features a message lists.
	mostNamed = 20
)

// Text is the value of one row in a column of text.
type Text struct {
	Value string
	Given bool // else it is missing
}

// Table is customers, column by column, in the units of the input. NewTable makes it for a model.
type Table struct {
	Rows    int
	Numbers [][]float64 // by numeric feature of the model, Rows long; NaN: missing. An ordered feature's are positions in its order
	Texts   [][]Text    // by categorical feature
	finder  *Finder
}

// NewTable is a Table of the Finder's model without rows.
func (f *Finder) NewTable() *Table {
	t := f.model.Transform
	return &Table{Numbers: make([][]float64, len(t.Numeric)), Texts: make([][]Text, len(t.Categorical)), finder: f}
}

// NewColumns is a Table of so many rows, whose columns are given by SetNumbers and SetTexts; in those that are not given
// everything is missing. The error is an *Error where the rows are too many.
func (f *Finder) NewColumns(rows int) (*Table, error) {
	if err := f.fits(rows); err != nil {
		return nil, err
	}
	t := f.NewTable()
	t.Rows = rows
	return t, nil
}

// fill makes the columns that were not given.
func (t *Table) fill() {
	for j := range t.Numbers {
		if t.Numbers[j] == nil {
			t.Numbers[j] = make([]float64, t.Rows)
			for i := range t.Numbers[j] {
				t.Numbers[j][i] = math.NaN()
			}
		}
	}
	for c := range t.Texts {
		if t.Texts[c] == nil {
			t.Texts[c] = make([]Text, t.Rows)
		}
	}
}

// SetNumbers gives a Table of NewColumns a column of numbers, which it keeps; NaN is a missing value. The error is an
// *Error where the feature is a text, was given already, or has not one value for each row.
func (t *Table) SetNumbers(name string, values []float64) error {
	c, err := t.column(name, len(values))
	if err != nil {
		return err
	}
	if c.Kind != Number {
		return (&Error{Row: NoRow, Feature: name, Problem: "its values are texts, not numbers"}).do("give it as a column of texts")
	}
	t.Numbers[c.index] = values
	return nil
}

// SetTexts is SetNumbers for an ordered or categorical feature; empty texts are as for SetText.
func (t *Table) SetTexts(name string, values []string) error {
	c, err := t.column(name, len(values))
	switch {
	case err != nil:
		return err
	case c.Kind == Number:
		return (&Error{Row: NoRow, Feature: name, Problem: "its values are numbers, not texts"}).do("give it as a column of numbers")
	case c.Kind == Categorical:
		t.Texts[c.index] = make([]Text, t.Rows)
	default:
		t.Numbers[c.index] = make([]float64, t.Rows)
		for i := range values {
			t.Numbers[c.index][i] = math.NaN()
		}
	}
	for i, text := range values {
		if err := t.SetText(c, i, text); err != nil {
			return err
		}
	}
	return nil
}

// column finds a feature that is to be given as a column.
func (t *Table) column(name string, values int) (Column, error) {
	c, err := t.finder.Column(name)
	if err != nil {
		return c, err
	}
	given := c.Kind == Categorical && t.Texts[c.index] != nil || c.Kind != Categorical && t.Numbers[c.index] != nil
	switch {
	case given:
		return c, &Error{Row: NoRow, Feature: name, Problem: "is there twice"}
	case values != t.Rows:
		return c, &Error{Row: NoRow, Feature: name, Problem: whole(values) + " values for " + whole(t.Rows) + " rows"}
	}
	return c, nil
}

// Add adds a row in which everything is missing. The error is an *Error where the Table is full.
func (t *Table) Add() error {
	if err := t.finder.fits(t.Rows + 1); err != nil {
		return err
	}
	for j := range t.Numbers {
		t.Numbers[j] = append(t.Numbers[j], math.NaN())
	}
	for c := range t.Texts {
		t.Texts[c] = append(t.Texts[c], Text{})
	}
	t.Rows++
	return nil
}

// fits is an *Error where so many rows are too many.
func (f *Finder) fits(rows int) error {
	if rows <= min(MaxRows, MaxCells/f.model.Width()) {
		return nil
	}
	e := &Error{Row: NoRow, Problem: "too many rows: at most " + whole(min(MaxRows, MaxCells/f.model.Width())) + " are answered at once"}
	return e.do("ask in several calls, or label a table with coterie assign")
}

// A Column is a feature as a question may give it.
type Column struct {
	Kind  Kind
	index int
	order map[string]float64
}

// Kind is what a feature's values are.
type Kind string

// The kinds.
const (
	Number      Kind = "number"
	Ordered     Kind = "ordered"     // a text that has its place in an order
	Categorical Kind = "categorical" // a text
)

// Column finds a feature of the model by name. The error is an *Error with the nearest name.
func (f *Finder) Column(name string) (Column, error) {
	if c, ok := f.columns[name]; ok {
		return c, nil
	}
	e := &Error{Row: NoRow, Feature: name, Problem: "the model has no feature " + quoted(name)}
	if near := fault.Nearest(shortened(name), f.features); near != "" {
		return Column{}, e.do("did you mean " + quoted(near) + "? Its features are " + f.listed())
	}
	return Column{}, e.do("its features are " + f.listed())
}

// listed names the features, or the first of many.
func (f *Finder) listed() string {
	if len(f.features) <= mostNamed {
		return strings.Join(f.features, ", ")
	}
	return strings.Join(f.features[:mostNamed], ", ") + " and " + whole(len(f.features)-mostNamed) + " more"
}

// SetNumber gives a row a number. NaN is a missing value; whether other values can be used is for Find to say.
func (t *Table) SetNumber(c Column, row int, x float64) { t.Numbers[c.index][row] = x }

// SetText gives a row a text of an ordered or categorical feature. An empty one is a missing value, unless it is a level of
// the model. The error is an *Error for a text that is not in the order; one that is no level is a customer like no
// other, as it is for assign.
func (t *Table) SetText(c Column, row int, text string) error {
	if c.Kind == Categorical {
		column := &t.finder.model.Transform.Categorical[c.index]
		t.Texts[c.index][row] = Text{text, text != "" || column.Find("") >= 0}
		return nil
	}
	if text == "" {
		return nil
	}
	x, ok := c.order[text]
	if !ok {
		column := &t.finder.model.Transform.Numeric[c.index]
		e := &Error{Row: row, Feature: column.Name, Problem: quoted(text) + " is not one of its values"}
		return e.do("they are, in order, " + strings.Join(column.Order[:min(mostNamed, len(column.Order))], ", "))
	}
	t.Numbers[c.index][row] = x
	return nil
}
