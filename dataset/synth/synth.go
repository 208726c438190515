package synth

import (
	"fmt"
	"math"
	"net/url"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

// Options say how much to make, and of what shape.
type Options struct {
	Rows int64  // at least 1
	Seed uint64 // other seeds give other rows
	// Customers is how many customers there are to buy in transactions, 1 to 2^50; 0 means one for 90 rows. With more, baskets are
	// smaller. Not all of them buy.
	Customers int64
	// D is the number of x columns of blobs, uniform and load, 1 to 10,000; 0 means 8.
	D int
	// Centers is the number of groups of blobs, 1 to 1,000,000, and at most 2^24 with D multiplied; 0 means 8.
	Centers int
	// Spread is the standard deviation of blobs around their centres, more than 0 and up to 1,000,000; 0 means 1. The
	// centres' coordinates have a standard deviation of 5. Only an address (see Open) can ask for a spread of 0.
	Spread float64
}

// The values that stand for an Options field of 0.
const (
	DefaultD       = 8
	DefaultCenters = 8
	DefaultSpread  = 1.0
)

// Limits on what can be asked for.
const (
	maxRows    = int64(1) << 50
	maxD       = 10_000
	maxCenters = 1_000_000
	maxTable   = 1 << 24 // centres × d, 64 MiB
	maxSpread  = 1e6
)

// parameters are the names that each kind understands, in the order of messages.
var parameters = map[string][]string{
	"customers":    {"rows", "seed"},
	"transactions": {"rows", "seed", "customers"},
	"blobs":        {"rows", "seed", "d", "centers", "spread"},
	"uniform":      {"rows", "seed", "d"},
	"load":         {"rows", "seed", "d"},
}

// Kinds lists the kinds of tables.
func Kinds() []string { return []string{"customers", "transactions", "blobs", "uniform", "load"} }

// Scheme begins the address of a made table.
const Scheme = "synth://"

// New makes a table of the kind. A field of o that the kind has no use for must be 0. Errors are of kind Usage and
// name the flag (KIND, -n, -d, --centers, --spread) and the value.
func New(kind string, o Options) (dataset.Source, error) {
	flag := map[string]string{"kind": "KIND", "rows": "-n", "customers": "--customers", "d": "-d", "centers": "--centers", "spread": "--spread"}
	r := request{kind: kind, Options: o, name: func(p string) string { return flag[p] }}
	if err := r.checkKind(); err != nil {
		return nil, err
	}
	for name, given := range map[string]bool{"customers": o.Customers != 0, "d": o.D != 0, "centers": o.Centers != 0, "spread": o.Spread != 0} {
		if given && !r.knows(name) {
			return nil, fault.Usagef("%s: %s has no such option", flag[name], kind).Do("leave it out")
		}
	}
	r.defaults(o.D == 0, o.Centers == 0, o.Spread == 0)
	address := fmt.Sprintf("%s%s?rows=%d&seed=%d", Scheme, kind, o.Rows, o.Seed)
	for _, p := range parameters[kind][2:] {
		if p == "customers" && o.Customers == 0 {
			continue
		}
		address += "&" + p + "=" + map[string]string{"customers": strconv.FormatInt(r.Customers, 10), "d": strconv.Itoa(r.D), "centers": strconv.Itoa(r.Centers),
			"spread": strconv.FormatFloat(r.Spread, 'g', -1, 64)}[p]
	}
	return r.open(address)
}

// Open makes the table of an address, synth://KIND?rows=…&seed=…&d=…&centers=…&spread=…. Rows must be given; it may be
// written as 1e6. The seed is 0 if left out; the others have the defaults of Options. Errors are of kind Usage and
// name the address, the parameter and the value.
func Open(uri string) (dataset.Source, error) {
	u, err := url.Parse(uri)
	if err != nil || !strings.HasPrefix(uri, Scheme) || u.User != nil || u.Fragment != "" || strings.Trim(u.Path, "/") != "" {
		return nil, fault.Usagef("%s: it must be %sKIND?rows=…&seed=…", uri, Scheme).Do("for instance %sblobs?rows=1000000&d=8", Scheme)
	}
	r := request{kind: u.Host, name: func(p string) string { return uri + ": " + p }}
	if err := r.checkKind(); err != nil {
		return nil, err
	}
	values, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return nil, fault.Usagef("%s: %v", uri, err)
	}
	for name, given := range values {
		if !r.knows(name) {
			return nil, fault.Usagef("%s: unknown parameter %s", uri, name).
				Do("%s knows %s", r.kind, strings.Join(parameters[r.kind], ", "))
		}
		if len(given) > 1 {
			return nil, fault.Usagef("%s: %s is given twice", uri, name)
		}
		if err := r.set(name, given[0]); err != nil {
			return nil, err
		}
	}
	if !values.Has("rows") {
		return nil, fault.Usagef("%s: rows is missing", uri).Do("say how many, for instance rows=1000000")
	}
	if values.Has("customers") && r.Customers == 0 { // which stands for those who do not ask
		return nil, fault.Usagef("%s 0: it must be from 1 to %d", r.name("customers"), maxRows)
	}
	r.defaults(!values.Has("d"), !values.Has("centers"), !values.Has("spread"))
	return r.open(uri)
}

// request is what is asked for, on its way to a Source.
type request struct {
	kind string
	Options
	name func(parameter string) string // what a message calls it
}

// checkKind refuses a kind that is not made here.
func (r *request) checkKind() error {
	if _, ok := parameters[r.kind]; ok {
		return nil
	}
	return fault.Usagef("%s %q is unknown", r.name("kind"), r.kind).Do("it must be one of %s", strings.Join(Kinds(), ", "))
}

// knows tells whether the kind has a use for a parameter.
func (r *request) knows(parameter string) bool {
	for _, p := range parameters[r.kind] {
		if p == parameter {
			return true
		}
	}
	return false
}

// defaults fills in what was not given.
func (r *request) defaults(d, centers, spread bool) {
	if d {
		r.D = DefaultD
	}
	if centers {
		r.Centers = DefaultCenters
	}
	if spread {
		r.Spread = DefaultSpread
	}
}

// set reads one parameter of an address.
func (r *request) set(name, text string) error {
	var err error
	switch name {
	case "rows":
		r.Rows, err = wholeNumber(text)
	case "seed":
		r.Seed, err = strconv.ParseUint(text, 10, 64)
	case "customers":
		r.Customers, err = wholeNumber(text)
	case "d":
		r.D, err = strconv.Atoi(text)
	case "centers":
		r.Centers, err = strconv.Atoi(text)
	case "spread":
		r.Spread, err = strconv.ParseFloat(text, 64)
	}
	if err != nil {
		return fault.Usagef("%s=%s: it is not a number that fits", r.name(name), text)
	}
	return nil
}

// wholeNumber reads 1000000 and 1e6.
func wholeNumber(text string) (int64, error) {
	v, err := strconv.ParseInt(text, 10, 64)
	if err == nil {
		return v, nil
	}
	x, err := strconv.ParseFloat(text, 64)
	if err != nil || x != math.Trunc(x) || math.Abs(x) > 1<<53 {
		return 0, strconv.ErrSyntax
	}
	return int64(x), nil
}

// check holds the limits.
func (r *request) check() error {
	outside := func(p string, value any, low, high any) error {
		return fault.Usagef("%s %v: it must be from %v to %v", r.name(p), value, low, high)
	}
	switch {
	case r.Rows < 1 || r.Rows > maxRows:
		return outside("rows", r.Rows, 1, maxRows)
	case r.Customers < 0 || r.Customers > maxRows:
		return outside("customers", r.Customers, 1, maxRows)
	case r.D < 1 || r.D > maxD:
		return outside("d", r.D, 1, maxD)
	case r.Centers < 1 || r.Centers > maxCenters:
		return outside("centers", r.Centers, 1, maxCenters)
	case !(r.Spread >= 0 && r.Spread <= maxSpread):
		return outside("spread", r.Spread, 0, maxSpread)
	case r.D*r.Centers > maxTable:
		return fault.Usagef("%s %d: with %d columns it must be at most %d", r.name("centers"), r.Centers, r.D, maxTable/r.D)
	}
	return nil
}

// open checks the request and makes the Source.
func (r *request) open(address string) (dataset.Source, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	s := &source{address: address, rows: r.Rows}
	switch r.kind {
	case "customers":
		s.maker = customers{r.Seed}
	case "transactions":
		s.maker = newTill(r.Seed, r.Rows, r.Customers)
	case "blobs":
		s.maker = newBlobs(r.Seed, r.D, r.Centers, r.Spread)
	case "uniform":
		s.maker = uniform{r.Seed, r.D}
	case "load":
		s.maker = newLoad(r.Seed, r.D)
	}
	s.schema.Columns = s.maker.columns()
	return s, nil
}
