package rfm

import (
	"bytes"
	"errors"
	"math"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	decimaltext "github.com/coterie-project/coterie/dataset/table/decimal"
	"github.com/coterie-project/coterie/internal/fault"
)

// maxText is the longest customer id or invoice, in bytes.
const maxText = 4096

// worker is one goroutine's way from lines to the store.
type worker struct {
	tally
	plan   *plan
	store  *store
	writer runWriter // for what the store has to put on the disk
	fields []dataset.Field
	cells  [5]reader // in the order of the constants below
	group  group
	// The date of the line before: lines of one invoice share it.
	dateText   []byte
	dateMicros int64
	dateKnown  bool
}

// The order of worker.fields and worker.cells.
const (
	cellCustomer = iota
	cellInvoice
	cellDate
	cellPrice
	cellQuantity
)

func newWorker(p *plan, into *store) *worker {
	c := p.columns
	w := &worker{plan: p, store: into}
	if into != nil {
		w.writer.disk = into.disk
	}
	w.last = noFrom
	dates := dataset.AsText
	if p.clock {
		dates = dataset.AsTime
	}
	w.fields = []dataset.Field{
		{Column: c.customer, As: dataset.AsID}, {Column: c.invoice, As: dataset.AsID}, {Column: c.date, As: dates},
		{Column: c.price, As: asDecimal(p.src, c.price)},
	}
	if c.quantity >= 0 {
		w.fields = append(w.fields, dataset.Field{Column: c.quantity, As: asDecimal(p.src, c.quantity)})
	}
	return w
}

// asDecimal is the representation of a column that loses no digit: integers as they are, floats as stored, which mean
// the shortest decimal that is nearest to them, and everything else as text.
func asDecimal(src dataset.Source, column int) dataset.As {
	switch c := &src.Schema().Columns[column]; {
	case c.Integer:
		return dataset.AsID
	case c.Float32, c.Stored && c.Kind == dataset.Number:
		return dataset.AsNumber
	}
	return dataset.AsText
}

// attach points the cells at a block.
func (w *worker) attach(b *dataset.Block) {
	for i := range b.Columns {
		w.cells[i].vector = &b.Columns[i]
	}
}

// line puts one line through the tests, in their order, and books it. It reads no cell that the tests before have
// made unnecessary.
func (w *worker) line(row int64, i int) error {
	p := w.plan
	customer, missing := w.cells[cellCustomer].text(i)
	if missing {
		w.dropped.MissingCustomer++
		return nil
	}
	invoice, missing := w.cells[cellInvoice].text(i)
	if missing {
		return w.missing(row, p.columns.invoice)
	}
	if len(customer) > maxText {
		return w.tooLong(row, p.columns.customer, customer)
	}
	if len(invoice) > maxText {
		return w.tooLong(row, p.columns.invoice, invoice)
	}
	cancelled := p.prefix != nil && bytes.HasPrefix(invoice, p.prefix)
	if cancelled && !p.net {
		w.dropped.Cancelled++
		return nil
	}
	quantity, err := w.quantity(row, i)
	if err != nil {
		return err
	}
	if quantity.mantissa == 0 || quantity.negative && !p.net {
		w.dropped.NonpositiveQuantity++
		return nil
	}
	price, err := w.decimal(row, i, cellPrice, p.columns.price)
	if err != nil {
		return err
	}
	if !price.positive() {
		w.dropped.NonpositivePrice++
		return nil
	}
	micros, err := w.date(row, i)
	if err != nil {
		return err
	}
	if micros >= p.asOf || micros < p.from {
		w.dropped.OutsideWindow++
		return nil
	}
	w.used++
	w.last = max(w.last, micros)
	return w.book(customer, invoice, micros, quantity, price, cancelled)
}

// tooLong is the error of an id that no till writes.
func (w *worker) tooLong(row int64, column int, text []byte) error {
	return fault.Inputf(w.plan.place(row, column), "%q has %d bytes; at most %d are taken", brief(string(text)), len(text), maxText).
		Do("see whether the column is the right one, and the quotes of a text file are in order")
}

// missing is the error of an empty cell in a line that needs it.
func (w *worker) missing(row int64, column int) error {
	return fault.Inputf(w.plan.place(row, column), "the cell is empty, but the line has a customer").
		Do("fill the cell or remove the line")
}

// quantity is the line's, or 1 in a table of amounts.
func (w *worker) quantity(row int64, i int) (decimal, error) {
	if w.plan.columns.quantity < 0 {
		return decimal{mantissa: 1}, nil
	}
	return w.decimal(row, i, cellQuantity, w.plan.columns.quantity)
}

// decimal reads a quantity or a price.
func (w *worker) decimal(row int64, i, cell, column int) (decimal, error) {
	if d, ok := w.cells[cell].short(i); ok {
		return d, nil
	}
	text, missing := w.cells[cell].text(i)
	if missing {
		return decimal{}, w.missing(row, column)
	}
	d, problem := parseDecimal(text)
	if problem != "" {
		return d, fault.Inputf(w.plan.place(row, column), "%q %s", brief(string(text)), problem)
	}
	return d, nil
}

// date reads the line's date.
func (w *worker) date(row int64, i int) (int64, error) {
	if v := w.cells[cellDate].vector; v.Micros != nil && (v.Missing == nil || !v.Missing[i]) &&
		v.Micros[i] >= firstYear && v.Micros[i] < endOfYears {
		return v.Micros[i], nil
	}
	text, missing := w.cells[cellDate].text(i)
	if missing {
		return 0, w.missing(row, w.plan.columns.date)
	}
	if w.dateKnown && bytes.Equal(text, w.dateText) {
		return w.dateMicros, nil
	}
	micros, ok := w.plan.dates(text)
	if !ok {
		return 0, fault.Inputf(w.plan.place(row, w.plan.columns.date), "%q is not a date %s", brief(string(text)),
			w.plan.dateForm).Do("if that is not how the dates are written, say so with --date-format")
	}
	w.dateText, w.dateMicros, w.dateKnown = append(w.dateText[:0], text...), micros, true
	return micros, nil
}

// book adds a line that passed all tests to the open group, after closing it if the line belongs to another.
func (w *worker) book(customer, invoice []byte, micros int64, quantity, price decimal, cancelled bool) error {
	if w.store == nil {
		return nil
	}
	g := &w.group
	if g.lines == 0 || !bytes.Equal(g.invoice, invoice) || !bytes.Equal(g.customer, customer) {
		if err := w.flush(); err != nil {
			return err
		}
		g.customer, g.invoice = append(g.customer, customer...), append(g.invoice, invoice...)
	}
	items, money := units(quantity), product(quantity, price)
	switch {
	case cancelled:
		g.returned.cancelled++
	case quantity.negative:
		g.returned.negative++
	default:
		if g.purchases == 0 {
			g.first, g.last = micros, micros
		}
		g.first, g.last = min(g.first, micros), max(g.last, micros)
		g.purchases++
	}
	if cancelled || quantity.negative {
		items, money = items.Neg(), money.minus()
	}
	g.lines++
	var ok, fits bool
	g.items, ok = addChecked(g.items, items)
	g.money, fits = g.money.add(money)
	if !ok || !fits {
		return w.plan.tooLarge(&tooLargeError{g.customer})
	}
	return nil
}

// flush closes the open group.
func (w *worker) flush() error {
	g := &w.group
	if g.lines > 0 {
		if err := w.store.add(g, &w.writer); err != nil {
			return w.plan.tooLarge(err)
		}
	}
	*g = group{customer: g.customer[:0], invoice: g.invoice[:0]}
	return nil
}

// tooLarge says which customer it is, if that is what went wrong.
func (p *plan) tooLarge(err error) error {
	var large *tooLargeError
	if !errors.As(err, &large) {
		return err
	}
	return fault.Inputf(fault.In(p.src.Names()[0]), "the sums of customer %q are too large", brief(string(large.id))).
		Do("check the columns of quantity and price")
}

// reader gives one column's cells as text, whatever the file holds.
type reader struct {
	vector  *dataset.Vector
	scratch []byte
}

// text is cell i without surrounding blanks, valid until the next call; missing cells are those that the file marks
// and the texts "", NA, null and NaN in any case.
func (r *reader) text(i int) (text []byte, missing bool) {
	v := r.vector
	switch {
	case v.Missing != nil && v.Missing[i]:
		return nil, true
	case v.Int64 != nil:
		r.scratch = strconv.AppendInt(r.scratch[:0], v.Int64[i], 10)
		return r.scratch, false
	case v.Micros != nil:
		r.scratch = decimaltext.AppendTime(r.scratch[:0], v.Micros[i])
		return r.scratch, false
	case v.Float64 != nil:
		return r.float(v.Float64[i], 64)
	case v.Float32 != nil:
		return r.float(float64(v.Float32[i]), 32)
	}
	text = bytes.TrimSpace(v.Text.At(i))
	return text, missingText(text)
}

// float is the shortest decimal that means x.
func (r *reader) float(x float64, bits int) ([]byte, bool) {
	if math.IsNaN(x) {
		return nil, true
	}
	r.scratch = strconv.AppendFloat(r.scratch[:0], x, 'g', -1, bits)
	return r.scratch, false
}

// short is the decimal of a number that needs no text: a whole number, or a float64 with few decimals, as prices have.
// Of decimals with up to 15 digits each has a float64 of its own. So a whole number of cents below 10^15 whose quotient
// by 100, which is rounded once, gives the float64 is its shortest decimal.
func (r *reader) short(i int) (d decimal, ok bool) {
	v := r.vector
	switch {
	case v.Int64 != nil:
		if v.Missing != nil && v.Missing[i] || v.Int64[i] <= -shortWhole || v.Int64[i] >= shortWhole {
			return d, false
		}
		d = decimal{mantissa: uint64(max(v.Int64[i], -v.Int64[i])), negative: v.Int64[i] < 0}
		return d, true
	case v.Float64 != nil:
		x := math.Abs(v.Float64[i])
		if !(x < shortWhole) {
			return d, false
		}
		cents := math.Round(x * 100)
		if cents/100 != x {
			return d, false
		}
		d, _ = decimal{mantissa: uint64(cents), negative: v.Float64[i] < 0}.normalise(2)
		return d, true
	}
	return d, false
}

// shortWhole bounds the numbers of short: 10^12 is where decimal ends, and cents below it have 14 digits.
const shortWhole = 1e12

// missingText tells whether a cell's text means that there is no value.
func missingText(text []byte) bool {
	switch len(text) {
	case 0:
		return true
	case 2:
		return text[0]|0x20 == 'n' && text[1]|0x20 == 'a'
	case 3:
		return bytes.EqualFold(text, []byte("nan"))
	case 4:
		return bytes.EqualFold(text, []byte("null"))
	}
	return false
}
