package rfm

import (
	"context"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// Options say how to read till lines. The zero value finds the columns and the date form by itself.
type Options struct {
	// Customer, Invoice, Date, Quantity and Price name the columns. Empty: found among the common names, without
	// case, blanks and punctuation. A table without a quantity but with an amount for each line counts each line
	// as one item.
	Customer, Invoice, Date, Quantity, Price string

	// AsOf is the day, YYYY-MM-DD, at whose midnight (UTC) recency is counted; lines at or after it are outside the
	// window. Empty: the day after the last line that passes the first four tests.
	AsOf string
	// Window drops lines before as-of less Window; 0 is no limit. See ParseWindow.
	Window time.Duration

	// CancelledPrefix begins the invoice of a cancellation, case counts. Empty means "C".
	CancelledPrefix string
	// NoCancellations says that no invoice is a cancellation, whatever it begins with.
	NoCancellations bool
	// Returns is "drop" (also "") or "net".
	//
	// drop: cancelled lines and lines with a quantity of 0 or less are dropped, and counted as such.
	//
	// net: a cancelled line, and a line with a negative quantity, is a return. Its |quantity| is taken off items and
	// |quantity| × price off monetary, but it is neither a purchase nor an invoice: it changes no date, and does
	// not count in frequency. It passes the same tests of price and window. A customer with returns and no
	// purchase is left out, and its returns are counted as cancelled or nonpositive_quantity. Monetary can be
	// negative, where goods bought before the window come back within it.
	Returns string

	// DateFormat is the form of a text date in the words of strptime, such as %d/%m/%Y %H:%M. Empty: found from the
	// data; where day and month could change places throughout, that is an error.
	DateFormat string

	// Threads is the number of goroutines that read; 0 means one for each processor. The result does not depend
	// on it.
	Threads int
	// Memory is how many bytes all of it may take, the decoders' buffers among them, at least LeastMemory; 0 is no limit.
	// What does not fit goes to Spill. The result does not depend on it. The caller gives the same limit to the garbage
	// collector.
	Memory int64
	budget int64 // for tests: bytes for customers, less than LeastMemory leaves
	// Spill is the folder, which must be there, for what does not fit into Memory; empty is the temporary one, if that
	// lies on a disk. Nothing stays there.
	Spill string
	// Progress, if set, is told how much is done in rows, from 0 to the Source's Rows, never backwards, from one
	// goroutine at a time. Where the lines must be read twice each reading counts half.
	Progress func(rows int64)
}

// Result is one row for each customer, and what became of each line.
type Result struct {
	RowsRead  int64     // lines in the table
	RowsUsed  int64     // lines that count in some customer's row; RowsRead is RowsUsed plus Dropped.Total
	Customers int64     // rows of the table
	AsOf      time.Time // midnight UTC
	Dropped   Dropped
	Roles     Roles

	// SpilledRuns and SpilledBytes are how often and how much was written to Options.Spill.
	SpilledRuns, SpilledBytes int64

	rows     *rows
	disk     *disk
	scales   scales
	integers bool // all ids are whole numbers that fit 64 bits
}

// Dropped counts the lines that left, each under the first reason that applies, in this order. As JSON it is an
// object in the same order.
type Dropped struct {
	MissingCustomer     int64 `json:"missing_customer"`
	Cancelled           int64 `json:"cancelled"`
	NonpositiveQuantity int64 `json:"nonpositive_quantity"`
	NonpositivePrice    int64 `json:"nonpositive_price"`
	OutsideWindow       int64 `json:"outside_window"`
}

// Count is one reason with its lines.
type Count struct {
	Reason string
	Lines  int64
}

// Counts lists the reasons in the order of the tests.
func (d Dropped) Counts() []Count {
	return []Count{
		{"missing_customer", d.MissingCustomer}, {"cancelled", d.Cancelled}, {"nonpositive_quantity", d.NonpositiveQuantity},
		{"nonpositive_price", d.NonpositivePrice}, {"outside_window", d.OutsideWindow},
	}
}

// Total is the number of lines dropped.
func (d Dropped) Total() int64 {
	return d.MissingCustomer + d.Cancelled + d.NonpositiveQuantity + d.NonpositivePrice + d.OutsideWindow
}

func (d *Dropped) add(o Dropped) {
	d.MissingCustomer += o.MissingCustomer
	d.Cancelled += o.Cancelled
	d.NonpositiveQuantity += o.NonpositiveQuantity
	d.NonpositivePrice += o.NonpositivePrice
	d.OutsideWindow += o.OutsideWindow
}

// String is "3 missing_customer, 0 cancelled, …".
func (d Dropped) String() string {
	var parts []string
	for _, c := range d.Counts() {
		parts = append(parts, strconv.FormatInt(c.Lines, 10)+" "+c.Reason)
	}
	return strings.Join(parts, ", ")
}

// Run reads all lines of src and gives one row for each customer; the Result must be closed. It reads them once, or twice where a window hangs
// on an as-of day that the data must give. The result is a function of the set of lines: neither their order nor the
// number of threads or the memory changes it.
//
// Errors are of kind Usage for a bad option, and of kind Input, with file, line and column, for a column that is
// not there or a cell that is needed and cannot be read: always the first such line of the table. No line used at all
// is an error too, unless AsOf was given: then the result has no rows. Of kind Failed is a folder to spill to that is
// missing or full.
func Run(ctx context.Context, src dataset.Source, o Options) (*Result, error) {
	p, err := prepare(ctx, src, &o)
	if err != nil {
		return nil, err
	}
	if o.AsOf == "" && o.Window > 0 {
		p.passes = 2
		first, err := scan(ctx, p, nil)
		if err != nil {
			return nil, err
		}
		if first.used == 0 {
			return nil, p.nothingLeft(first)
		}
		p.setAsOf(nextMidnight(first.last))
	}
	d := &disk{folder: p.folder, why: p.noFolder, memory: o.Memory}
	r, err := p.run(ctx, newStore(p.budget, d))
	if err != nil {
		d.close() // of a file without a name, whose room is free in any case
		return nil, err
	}
	return r, nil
}

// run is Run once the window is known, or does not hang on the data.
func (p *plan) run(ctx context.Context, customers *store) (*Result, error) {
	done, err := scan(ctx, p, customers)
	if err != nil {
		return nil, err
	}
	if p.asOf == noLimit {
		if done.used == 0 {
			return nil, p.nothingLeft(done)
		}
		p.asOf = nextMidnight(done.last)
	}
	return finish(ctx, p, customers, done)
}

// plan is a run's options after their checks.
type plan struct {
	src      dataset.Source
	columns  columns
	dates    func(text []byte) (micros int64, ok bool)
	dateForm string // for messages
	clock    bool   // the dates are times as the file stores them
	prefix   []byte // nil: nothing is cancelled
	net      bool
	window   time.Duration
	asOf     int64 // microseconds; noLimit while it hangs on the data
	from     int64 // lines before it are outside
	openEnd  bool  // no as-of day was given
	threads  int
	budget   int64  // bytes for customers
	folder   string // to spill to; "": there is none, because
	noFolder string
	passes   int64
	progress progress
}

// The limits of a window without limits: any date lies between.
const (
	noLimit = int64(1) << 62
	noFrom  = -noLimit
)

// prepare checks the options and finds columns and date form.
func prepare(ctx context.Context, src dataset.Source, o *Options) (*plan, error) {
	p := &plan{src: src, asOf: noLimit, from: noFrom, passes: 1, window: o.Window, threads: o.Threads, openEnd: o.AsOf == ""}
	p.progress.tell = o.Progress
	switch o.Returns {
	case "", "drop":
	case "net":
		p.net = true
	default:
		return nil, fault.Usagef("--returns %s: it must be drop or net", o.Returns)
	}
	if o.Window < 0 {
		return nil, fault.Usagef("--window %s: it must not be negative", o.Window)
	}
	if o.Threads < 0 {
		return nil, fault.Usagef("--threads %d: it must be at least 1", o.Threads)
	}
	if p.threads == 0 {
		p.threads = runtime.GOMAXPROCS(0)
	}
	if err := p.settleMemory(o); err != nil {
		return nil, err
	}
	if !o.NoCancellations {
		p.prefix = []byte("C")
		if o.CancelledPrefix != "" {
			p.prefix = []byte(o.CancelledPrefix)
		}
	}
	if o.AsOf != "" {
		day, err := time.Parse(time.DateOnly, o.AsOf)
		if err != nil {
			return nil, fault.Usagef("--as-of %s: it must be a day of the calendar as YYYY-MM-DD", o.AsOf)
		}
		p.setAsOf(day.UnixMicro())
	}
	var err error
	if p.columns, err = findColumns(src, o); err != nil {
		return nil, err
	}
	return p, p.chooseDates(ctx, o.DateFormat)
}

// setAsOf fixes the as-of midnight and with it the window.
func (p *plan) setAsOf(micros int64) {
	p.asOf = micros
	if p.window > 0 {
		p.from = micros - p.window.Microseconds()
	}
}

// nextMidnight is the first midnight after a time, in microseconds UTC.
func nextMidnight(micros int64) int64 {
	return (floorDiv(micros, microsPerDay) + 1) * microsPerDay
}

// floorDiv rounds down, also before 1970; b > 0.
func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// nothingLeft is the error of a table in which every line was dropped, so that there is no as-of day either.
func (p *plan) nothingLeft(t tally) error {
	place := fault.In(strings.Join(p.src.Names(), ", "))
	if t.read == 0 {
		return fault.Inputf(place, "there are no lines to make customers of").Do("name a table with till lines")
	}
	return fault.Inputf(place, "none of %d lines is a purchase of a known customer: %s", t.read, t.dropped).
		Do("check the columns (customer %s, invoice %s, quantity %s, price %s) and --cancelled-prefix",
			p.name(p.columns.customer), p.name(p.columns.invoice), p.name(p.columns.quantity), p.name(p.columns.price))
}

// name is a column's name for messages.
func (p *plan) name(column int) string {
	if column < 0 {
		return "none"
	}
	return p.src.Schema().Columns[column].Name
}

// ParseWindow reads a length of time: a whole number of days or weeks, "365d" or "52w", or what time.ParseDuration
// reads, such as "36h". "" and "0" are no window. The error is of kind Usage and names the value.
func ParseWindow(text string) (time.Duration, error) {
	if text == "" || text == "0" {
		return 0, nil
	}
	bad := fault.Usagef("--window %s: it must be a positive length of time", text).Do("write days, weeks or hours: 365d, 52w, 36h")
	unit := time.Duration(0)
	switch text[len(text)-1] {
	case 'd':
		unit = 24 * time.Hour
	case 'w':
		unit = 7 * 24 * time.Hour
	default:
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return 0, bad
		}
		return d, nil
	}
	n, err := strconv.ParseInt(text[:len(text)-1], 10, 64)
	if err != nil || n <= 0 {
		return 0, bad
	}
	if n > int64(1<<63-1)/int64(unit) {
		return 0, fault.Usagef("--window %s: it is longer than 292 years", text).Do("leave --window out for no limit")
	}
	return time.Duration(n) * unit, nil
}
