package rfm

import (
	"context"

	"github.com/coterie-project/coterie/dataset"
)

// Columns are the result's, in this order:
//
//	customer_id     integers if all are whole numbers that fit 64 bits, else text
//	recency_days    whole days from the last purchase to the as-of midnight, rounded down
//	frequency       distinct invoices
//	monetary        sum of quantity × price, the float64 nearest to the exact decimal
//	first_purchase  time of the first and of the
//	last_purchase   last purchase
//	tenure_days     whole days from the first purchase to the as-of midnight, rounded down
//	items           sum of quantities
//	average_basket  monetary / frequency
//	r_score, f_score, m_score
//	                1 + ⌊5 × share of customers strictly worse⌋, 1 to 5
func (r *Result) Columns() []dataset.Column {
	integer := func(name string) dataset.Column {
		return dataset.Column{Name: name, Kind: dataset.Number, Integer: true}
	}
	number := func(name string) dataset.Column { return dataset.Column{Name: name, Kind: dataset.Number} }
	moment := func(name string) dataset.Column { return dataset.Column{Name: name, Kind: dataset.Time} }
	id := integer("customer_id")
	if !r.integers {
		id = dataset.Column{Name: id.Name, Kind: dataset.Text}
	}
	return []dataset.Column{
		id, integer("recency_days"), integer("frequency"), number("monetary"), moment("first_purchase"),
		moment("last_purchase"), integer("tenure_days"), number("items"), number("average_basket"),
		integer("r_score"), integer("f_score"), integer("m_score"),
	}
}

// Rows gives all customers, in Blocks of up to dataset.BlockRows that are valid during the call. They are sorted by
// customer_id: as numbers if all ids are whole numbers without leading zeros, else bytewise. The vectors are Int64,
// Float64, Micros and Text as Columns says. It may be called again. Its errors are those of do, of the context, and of
// the folder that customers were spilled to.
func (r *Result) Rows(ctx context.Context, do func(*dataset.Block) error) error {
	b := newBatch(r)
	err := r.rows.sorted(ctx, false, func(row *row) error {
		if b.add(row); b.block.Rows < dataset.BlockRows {
			return nil
		}
		return b.give(do)
	})
	if err != nil {
		return err
	}
	return b.give(do)
}

// Close gives back what the result took of the disk.
func (r *Result) Close() error {
	r.rows = nil
	return r.disk.close()
}

// batch is rows of the result on their way out.
type batch struct {
	result *Result
	block  dataset.Block
	asOf   int64
}

// The columns of a batch, in the order of Columns.
const (
	outID = iota
	outRecency
	outFrequency
	outMonetary
	outFirst
	outLast
	outTenure
	outItems
	outBasket
	outScores  // three of them
	outColumns = outScores + 3
)

func newBatch(r *Result) *batch {
	b := &batch{result: r, asOf: r.AsOf.UnixMicro()}
	b.block.Columns = make([]dataset.Vector, outColumns)
	for i, c := range r.Columns() {
		switch v := &b.block.Columns[i]; {
		case c.Kind == dataset.Text:
			v.Text.Offsets = make([]int, 1, dataset.BlockRows+1)
		case c.Kind == dataset.Time:
			v.Micros = make([]int64, 0, dataset.BlockRows)
		case c.Integer:
			v.Int64 = make([]int64, 0, dataset.BlockRows)
		default:
			v.Float64 = make([]float64, 0, dataset.BlockRows)
		}
	}
	return b
}

// add appends a row.
func (b *batch) add(r *row) {
	c := b.block.Columns
	integer := func(at int, v int64) { c[at].Int64 = append(c[at].Int64, v) }
	number := func(at int, v float64) { c[at].Float64 = append(c[at].Float64, v) }
	order := b.result.rows.order
	if b.result.integers {
		v, _ := dataset.PlainInteger(order.text(r.id))
		integer(outID, v)
	} else {
		t := &c[outID].Text
		t.Data = append(t.Data, order.text(r.id)...)
		t.Offsets = append(t.Offsets, len(t.Data))
	}
	integer(outRecency, floorDiv(b.asOf-r.last, microsPerDay))
	integer(outFrequency, r.frequency)
	number(outMonetary, r.money)
	c[outFirst].Micros = append(c[outFirst].Micros, r.first)
	c[outLast].Micros = append(c[outLast].Micros, r.last)
	integer(outTenure, floorDiv(b.asOf-r.first, microsPerDay))
	number(outItems, r.items)
	number(outBasket, r.money/float64(r.frequency))
	for i, v := range r.values(b.asOf) {
		integer(outScores+i, b.result.scales[i].score(v))
	}
	b.block.Rows++
}

// give hands the rows on and begins anew.
func (b *batch) give(do func(*dataset.Block) error) error {
	if b.block.Rows == 0 {
		return nil
	}
	if err := do(&b.block); err != nil {
		return err
	}
	b.block.First += int64(b.block.Rows)
	b.block.Rows = 0
	for i := range b.block.Columns {
		v := &b.block.Columns[i]
		v.Int64, v.Micros, v.Float64 = v.Int64[:0], v.Micros[:0], v.Float64[:0]
		if v.Text.Offsets != nil {
			v.Text.Data, v.Text.Offsets = v.Text.Data[:0], v.Text.Offsets[:1]
		}
	}
	return nil
}
