package synth

import (
	"math"
	"math/bits"
	"strconv"
	"time"

	"github.com/coterie-project/coterie/dataset"
)

// The shop. Its last day is fixed, so that a table means the same next year.
const (
	rollLines       = 512 // lines made together, see till
	firstInvoice    = 500_000
	firstCustomer   = 10_001
	linesPerBuyer   = 90
	openingHour     = 8
	minutesOpen     = 10 * 60 // a day
	daysOpen        = 365
	cancellations   = 0.155 // share of invoices, most with few lines: 2 % of lines
	withoutCustomer = 0.235 // share of invoices; more of their lines
	wholesale       = 0.12  // share of customers that buy large quantities
	freeLines       = 0.004 // share of lines with a price of 0
)

var (
	firstDay = time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC)
	packs    = [...]int64{1, 1, 1, 2, 2, 3, 4, 6, 6, 8, 10, 12, 12, 24}
)

// till is lines as a till writes them, in the order of time: invoices of several lines, some without a customer, some
// that take goods back.
//
// Lines hang together, yet line 10^12 must be as near as line 0. So the till's paper comes in rolls of 512 lines, and
// a roll is made whole from its own key: invoices follow each other until it is full, and none goes over its end.
// Customers and articles have keys of their own. The number of rows enters into the dates, which spread over the
// year, and into the number of customers.
type till struct {
	seed      uint64
	rows      int64
	buyers    uint64
	basket    float64 // on the lines of an invoice, at most 1
	catalogue []article
}

// newTill is a till for so many customers; 0 leaves it to the rows. Where there are fewer rows for each customer than a
// till has by itself, baskets become smaller in proportion, so that there are as many invoices for each.
func newTill(seed uint64, rows, customers int64) *till {
	t := &till{seed: seed, rows: rows, buyers: uint64(max(1, rows/linesPerBuyer)), basket: 1, catalogue: catalogue(seed)}
	if customers > 0 {
		t.buyers = uint64(customers)
		t.basket = min(1, float64(rows)/(linesPerBuyer*float64(customers)))
	}
	return t
}

// The columns of transactions.
const (
	buyerID = iota
	invoiceNo
	invoiceDate
	quantity
	unitPrice
	stockCode
	description
	country
)

func (*till) columns() []dataset.Column {
	text := func(name string) dataset.Column { return dataset.Column{Name: name, Kind: dataset.Text} }
	return []dataset.Column{
		buyerID: text("customer"), invoiceNo: text("invoice"),
		invoiceDate: {Name: "date", Kind: dataset.Time},
		quantity:    {Name: "quantity", Kind: dataset.Number, Integer: true},
		unitPrice:   {Name: "price", Kind: dataset.Number},
		stockCode:   text("stock_code"), description: text("description"), country: text("country"),
	}
}

func (*till) rowBytes() int64 { return 90 }
func (t *till) open() filler  { return &tillFiller{till: t, number: -1} }

// line is one row of transactions.
type line struct {
	invoice  int32 // index into roll.invoices
	article  int32
	quantity int64
	price    float64
}

// invoice is what its lines share.
type invoice struct {
	number   []byte
	micros   int64
	customer []byte // empty: not known
	country  int
	scale    float64 // on quantities
	first    int     // its lines in the roll
	lines    int
}

// roll is one piece of the till's paper.
type roll struct {
	invoices []invoice
	lines    []line
}

// tillFiller makes rolls and reads rows off them.
type tillFiller struct {
	*till
	number int64 // of the roll in memory; -1: none
	roll   roll
}

func (f *tillFiller) fill(first int64, n int, wanted []bool, into []dataset.Vector) {
	for _, c := range [...]int{invoiceNo, stockCode, description, buyerID, country} {
		restart(&into[c].Text)
	}
	into[quantity].Int64 = resize(into[quantity].Int64, n)
	into[invoiceDate].Micros = resize(into[invoiceDate].Micros, n)
	into[unitPrice].Float64 = resize(into[unitPrice].Float64, n)
	into[buyerID].Missing = resize(into[buyerID].Missing, n)
	for i := range n {
		row := first + int64(i)
		if number := row / rollLines; number != f.number {
			f.make(number)
		}
		l := &f.roll.lines[row%rollLines]
		v := &f.roll.invoices[l.invoice]
		a := &f.catalogue[l.article]
		into[quantity].Int64[i] = l.quantity
		into[invoiceDate].Micros[i] = v.micros
		into[unitPrice].Float64[i] = l.price
		into[buyerID].Missing[i] = len(v.customer) == 0
		putBytes(&into[invoiceNo].Text, v.number)
		putBytes(&into[buyerID].Text, v.customer)
		put(&into[stockCode].Text, a.code)
		put(&into[country].Text, countries[v.country].name)
		if wanted[description] {
			put(&into[description].Text, a.description)
		}
	}
}

func putBytes(s *dataset.Strings, text []byte) {
	s.Data = append(s.Data, text...)
	s.Offsets = append(s.Offsets, len(s.Data))
}

// make fills the roll with the given number.
func (f *tillFiller) make(number int64) {
	s := keyed(f.seed, purposeTill, uint64(number))
	f.number = number
	f.roll.lines, f.roll.invoices = f.roll.lines[:0], f.roll.invoices[:0]
	for len(f.roll.lines) < rollLines {
		at := int32(len(f.roll.invoices))
		id := firstInvoice + number*rollLines + int64(at)
		moment := f.moment(number*rollLines + int64(len(f.roll.lines)))
		if s.unit() < cancellations && at > 0 {
			f.cancel(&s, id, moment)
			continue
		}
		v := f.buy(&s, moment)
		v.number, v.first = strconv.AppendInt(nil, id, 10), len(f.roll.lines)
		v.micros = f.micros(moment)
		v.lines = min(rollLines-v.first, int(clamp(math.Floor(f.basket*s.lognormal(2.5, 0.9)), 1, 150)))
		f.roll.invoices = append(f.roll.invoices, v)
		for range v.lines {
			f.roll.lines = append(f.roll.lines, f.line(&s, at, v.scale))
		}
	}
}

// line draws one line. Few articles sell often: the rank is the square of a uniform number.
func (f *tillFiller) line(s *stream, at int32, scale float64) line {
	u := s.unit()
	l := line{invoice: at, article: int32(float64(u*u) * catalogueSize)}
	l.price = f.catalogue[l.article].price
	if s.unit() < freeLines {
		l.price = 0
	}
	l.quantity = int64(max(1, math.Floor(float64(packs[s.below(uint64(len(packs)))])*scale)))
	return l
}

// cancel takes back up to three lines of an earlier invoice of the roll.
func (f *tillFiller) cancel(s *stream, id int64, moment float64) {
	which := s.below(uint64(len(f.roll.invoices)))
	for f.roll.invoices[which].number[0] == 'C' { // the first of a roll is a sale
		which--
	}
	of := f.roll.invoices[which]
	from := of.first + int(s.below(uint64(of.lines)))
	n := min(1+int(s.below(3)), of.first+of.lines-from, rollLines-len(f.roll.lines))
	v := of
	v.number = strconv.AppendInt([]byte("C"), id, 10)
	v.micros, v.first, v.lines = f.micros(moment), len(f.roll.lines), n
	at := int32(len(f.roll.invoices))
	for _, l := range f.roll.lines[from : from+n] {
		back := 1 + int64(s.below(uint64(l.quantity)))
		f.roll.lines = append(f.roll.lines, line{at, l.article, -back, l.price})
	}
	f.roll.invoices = append(f.roll.invoices, v)
}

// moment is the time of a row as a share of the year: later months are busier, by two thirds at the end.
func (t *till) moment(row int64) float64 {
	x := float64(min(row, t.rows-1)) / float64(t.rows)
	return x * (1.25 - float64(0.25*x))
}

// micros is a moment in opening hours, to the minute.
func (t *till) micros(moment float64) int64 {
	minute := int64(moment * (daysOpen * minutesOpen))
	return firstDay.UnixMicro() + (minute/minutesOpen*24*60+openingHour*60+minute%minutesOpen)*60e6
}

// buy draws who buys at a moment: customers by rank, a few of them very often, and only those who are customers
// then. Some come in the course of the year, some leave.
func (t *till) buy(s *stream, moment float64) invoice {
	var v invoice
	for range 8 {
		u := s.unit()
		rank := min(uint64(float64(u*u)*float64(t.buyers)), t.buyers-1)
		b := keyed(t.seed, purposeBuyer, rank)
		from, until := 0.0, 2.0
		if b.unit() > 0.45 {
			from = b.unit() * 0.95
		}
		if b.unit() > 0.65 {
			until = from + float64((1-from)*b.unit())
		}
		v.scale = b.lognormal(-0.2, 0.4)
		if b.unit() < wholesale {
			v.scale = b.lognormal(1.8, 0.8)
		}
		v.country = pick(b.unit(), len(countries), func(i int) float64 { return countries[i].share })
		v.customer = strconv.AppendUint(v.customer[:0], t.customerID(rank), 10)
		if moment >= from && moment <= until {
			break
		}
	}
	if s.unit() < withoutCustomer {
		v.customer = nil
	}
	return v
}

// customerID shuffles the ranks, so that a low number is not a good customer: rank·P + 1 modulo the number of
// customers is a permutation, since P is prime and does not divide it.
func (t *till) customerID(rank uint64) uint64 {
	p := uint64(2_654_435_761)
	if t.buyers%p == 0 {
		p = 1
	}
	hi, lo := bits.Mul64(rank, p)
	_, rest := bits.Div64(hi%t.buyers, lo, t.buyers)
	return firstCustomer + (rest+1)%t.buyers
}
