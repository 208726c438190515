package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/feature"
)

// weights is a flag for factors of columns: A=2,B=0.5. A part with a comma stands in double quotes, and a name may have
// an equals sign: the last one counts. Given again, it adds to the list.
type weights struct {
	to  *[]feature.Weight
	set bool
}

// newWeights is a flag that sets *to.
func newWeights(to *[]feature.Weight) *weights { return &weights{to: to} }

func (w *weights) String() string { return strings.Join(w.GetSlice(), ",") }

// Type is what the help shows behind the flag.
func (w *weights) Type() string { return "A=2,B=0.5" }

// Set reads one list and adds it.
func (w *weights) Set(value string) error {
	parts, err := commaList(value)
	if err != nil || len(parts) == 0 {
		return refuse("is not a list such as A=2,B=0.5")
	}
	if !w.set {
		*w.to = nil
	}
	for _, part := range parts {
		if err := w.Append(part); err != nil {
			return err
		}
	}
	return nil
}

// Append adds the weight of one column, NAME=FACTOR.
func (w *weights) Append(part string) error {
	at := strings.LastIndexByte(part, '=')
	if at < 0 {
		return refuse("needs a weight for %q, such as %s=2", part, part)
	}
	name, text := strings.TrimSpace(part[:at]), strings.TrimSpace(part[at+1:])
	x, err := strconv.ParseFloat(text, 64)
	switch {
	case name == "":
		return refuse("has an empty name")
	case err != nil || math.IsNaN(x) || strings.ContainsAny(text, "xX_"):
		return refuse("gives %s the weight %q, which is not a number", name, text)
	case x == 0:
		return refuse("gives %s the weight 0: leave the column out of the features instead", name)
	case x < feature.LeastWeight || x > feature.MostWeight:
		return refuse("gives %s the weight %s: it must lie between %g and %g", name, text, feature.LeastWeight, feature.MostWeight)
	case slices.ContainsFunc(*w.to, func(o feature.Weight) bool { return o.Column == name }):
		return refuse("has %q twice", name)
	}
	w.set = true
	*w.to = append(*w.to, feature.Weight{Column: name, Factor: x})
	return nil
}

// Replace sets the whole list.
func (w *weights) Replace(list []string) error {
	*w.to = nil
	return appendAll(list, w.Append)
}

// GetSlice is the list as Append takes it.
func (w *weights) GetSlice() []string {
	var list []string
	for _, o := range *w.to {
		list = append(list, fmt.Sprintf("%s=%v", o.Column, o.Factor))
	}
	return list
}

// fold is a flag for which levels are rare: a number of rows, or a percentage of them.
type fold struct{ to *feature.Fold }

// newFold is a flag that sets *to.
func newFold(to *feature.Fold) *fold { return &fold{to: to} }

func (f *fold) String() string {
	switch {
	case f.to.Rows > 0:
		return strconv.FormatInt(f.to.Rows, 10)
	case f.to.Percent > 0:
		return strconv.FormatFloat(f.to.Percent, 'g', -1, 64) + "%"
	}
	return ""
}

// Type is what the help shows behind the flag.
func (f *fold) Type() string { return "N|N%" }

// Set takes a number of rows, at least 1, or a percentage above 0 and below 100.
func (f *fold) Set(value string) error {
	number, percent := strings.CutSuffix(strings.TrimSpace(value), "%")
	if percent {
		x, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
		if err != nil || !(x > 0 && x < 100) || strings.ContainsAny(number, "xX_") {
			return refuse("is not a share between 0%% and 100%%")
		}
		*f.to = feature.Fold{Percent: x}
		return nil
	}
	var rows int64
	if err := newWhole(&rows, 0, 1, math.MaxInt64).Set(number); err != nil {
		return refuse("is neither a number of rows such as 100 nor a share such as 1%%")
	}
	*f.to = feature.Fold{Rows: rows}
	return nil
}

// orders is a flag for the order of a column's texts: COL=least<…<greatest. Given again, or after a semicolon, it adds
// another column.
type orders struct {
	to  *[]feature.Order
	set bool
}

// newOrders is a flag that sets *to.
func newOrders(to *[]feature.Order) *orders { return &orders{to: to} }

func (o *orders) String() string { return strings.Join(o.GetSlice(), ";") }

// Type is what the help shows behind the flag.
func (o *orders) Type() string { return "COL=LOW<…<HIGH" }

// Set reads the orders of one or more columns and adds them.
func (o *orders) Set(value string) error {
	if !o.set {
		*o.to = nil
	}
	for _, part := range strings.Split(value, ";") {
		if err := o.Append(part); err != nil {
			return err
		}
	}
	return nil
}

// Append adds the order of one column.
func (o *orders) Append(part string) error {
	name, text, found := strings.Cut(part, "=")
	name = strings.TrimSpace(name)
	levels := strings.Split(text, "<")
	for i, level := range levels {
		levels[i] = strings.TrimSpace(level)
	}
	sorted := slices.Sorted(slices.Values(levels))
	switch {
	case !found || len(levels) < 2:
		return refuse("is not an order such as education=school<graduate<postgraduate")
	case name == "":
		return refuse("has an empty name")
	case slices.Contains(levels, ""):
		return refuse("has an empty value for %s", name)
	case len(slices.Compact(sorted)) < len(levels):
		return refuse("has a value of %s twice", name)
	case len(levels) > feature.MaxOrder:
		return refuse("has more than %d values for %s", feature.MaxOrder, name)
	case slices.ContainsFunc(*o.to, func(other feature.Order) bool { return other.Column == name }):
		return refuse("has %q twice", name)
	}
	o.set = true
	*o.to = append(*o.to, feature.Order{Column: name, Levels: levels})
	return nil
}

// Replace sets the whole list.
func (o *orders) Replace(list []string) error {
	*o.to = nil
	return appendAll(list, o.Append)
}

// GetSlice is the list as Append takes it.
func (o *orders) GetSlice() []string {
	var list []string
	for _, order := range *o.to {
		list = append(list, order.Column+"="+strings.Join(order.Levels, "<"))
	}
	return list
}
