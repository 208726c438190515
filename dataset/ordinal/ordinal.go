package ordinal

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/coterie-project/coterie/dataset"
)

// Order is the values of a column of text, from the least to the greatest.
type Order struct {
	Column string
	Levels []string
}

// source is a Source some of whose columns of text are numbers.
type source struct {
	dataset.Source
	schema dataset.Schema
	orders map[int]*order // by column
}

// order is an Order as it is looked up.
type order struct {
	Order
	rank map[string]float64
}

// Wrap shows the columns of the orders as numbers: 0, 1, 2, … from the least value on, NaN where the text is missing or
// empty. Columns that the Source lacks, cannot read or holds as numbers stay as they are: numbers may have been made of
// them already where the Source comes from. The Source itself is given back where there is nothing to be done. Closing
// either closes both.
func Wrap(s dataset.Source, orders []Order) dataset.Source {
	schema := s.Schema()
	w := &source{Source: s, orders: make(map[int]*order)}
	w.schema.Columns = append(w.schema.Columns, schema.Columns...)
	for _, o := range orders {
		at := schema.Index(o.Column)
		if at < 0 || schema.Columns[at].Unusable != "" || schema.Columns[at].Kind == dataset.Number {
			continue
		}
		ranked := &order{Order: o, rank: make(map[string]float64, len(o.Levels))}
		for i, level := range o.Levels {
			ranked.rank[level] = float64(i)
		}
		w.orders[at] = ranked
		w.schema.Columns[at] = dataset.Column{Name: o.Column, Kind: dataset.Number}
	}
	if len(w.orders) == 0 {
		return s
	}
	return w
}

// Schema implements dataset.Source.
func (w *source) Schema() *dataset.Schema { return &w.schema }

// Pins are those of the files.
func (w *source) Pins() []dataset.Pin { return dataset.PinsOf(w.Source) }

// Read implements dataset.Source. A column of an order that is asked for as anything but numbers is what it is in the file.
func (w *source) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	asked := append([]dataset.Field(nil), fields...)
	r := &reader{source: w, orders: make([]*order, len(fields)), numbers: make([][]float64, len(fields))}
	some := false
	for i, f := range fields {
		if o := w.orders[f.Column]; o != nil && f.As == dataset.AsNumber {
			asked[i].As = dataset.AsText
			r.orders[i] = o
			some = true
		}
	}
	inner, err := w.Source.Read(ctx, first, rows, asked)
	if err != nil || !some {
		return inner, err
	}
	r.Reader = inner
	return r, nil
}

// reader puts numbers in the place of texts, Block by Block.
type reader struct {
	dataset.Reader
	source  *source
	orders  []*order    // by field; nil: it stays as it comes
	numbers [][]float64 // by field, used again
}

// Next implements dataset.Reader.
func (r *reader) Next() (*dataset.Block, error) {
	b, err := r.Reader.Next()
	if err != nil {
		return nil, err
	}
	bad := make(map[int]bool, len(b.Bad))
	for i := range b.Bad {
		bad[b.Bad[i].Index] = true
	}
	known := len(b.Bad)
	for i, o := range r.orders {
		if o == nil {
			continue
		}
		r.numbers[i] = r.numbers[i][:0]
		for row := range b.Rows {
			x, ok := o.number(&b.Columns[i], row)
			if !ok && !bad[row] {
				bad[row] = true
				at := r.source.Locate(b.First + int64(row))
				at.Column = o.Column
				b.Bad = append(b.Bad, dataset.BadRow{Index: row, Place: at, Reason: o.reason(b.Columns[i].Text.At(row))})
			}
			r.numbers[i] = append(r.numbers[i], x)
		}
		b.Columns[i] = dataset.Vector{Float64: r.numbers[i]}
	}
	if len(b.Bad) > known {
		b.SettleBad()
	}
	return b, nil
}

// number is what the text of a row stands for; ok is false where that is not known.
func (o *order) number(v *dataset.Vector, row int) (x float64, ok bool) {
	if v.Missing != nil && v.Missing[row] {
		return math.NaN(), true
	}
	text := v.Text.At(row)
	if len(text) == 0 {
		return math.NaN(), true
	}
	if x, ok = o.rank[string(text)]; !ok {
		return math.NaN(), false
	}
	return x, true
}

// Lengths of what a message says of a column, in values and of a text in bytes.
const (
	mostTold  = 12
	mostBytes = 60
)

// reason is why a text stands for no number.
func (o *order) reason(text []byte) string {
	told, more := o.Levels, ""
	if len(told) > mostTold {
		told, more = told[:mostTold], " < …"
	}
	return fmt.Sprintf("%q is not one of %s%s", clip(text), strings.Join(told, " < "), more)
}

func clip(text []byte) string {
	if len(text) > mostBytes {
		return strings.ToValidUTF8(string(text[:mostBytes]), "") + "…"
	}
	return string(text)
}
