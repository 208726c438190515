package rfm

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var plainHeader = []string{"customer", "invoice", "date", "quantity", "price"}

func run(t *testing.T, m *memory, o Options) *outcome {
	t.Helper()
	return finished(t, m, o)
}

// lines draws till lines with every way out, ties, and decimals of all lengths.
func lines(t *rapid.T) [][]string {
	ids := rapid.SampledFrom([][]string{
		{"1", "2", "10", "9", "", "NA"}, {"a", "B", "10", "9", "nan"}, {"01", "1", "2", " 2 "}, {"-3", "0", "5", "12"},
	}).Draw(t, "ids")
	n := rapid.IntRange(0, 60).Draw(t, "lines")
	cells := make([][]string, n)
	for i := range cells {
		day := rapid.IntRange(0, 40).Draw(t, "day")
		at := time.Date(2010, 12, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, day)
		at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 1, 43200, 86399}).Draw(t, "second")) * time.Second)
		cells[i] = []string{
			rapid.SampledFrom(ids).Draw(t, "id"),
			rapid.SampledFrom([]string{"536365", "536366", "C536367", "an-invoice-with-a-long-name", "an-invoice-with-a-long-namf"}).Draw(t, "invoice"),
			at.Format("2006-01-02 15:04:05"),
			rapid.SampledFrom([]string{"1", "6", "-6", "0", "1.5", "0.001", "12", "-0.25", "80995", "0.333333333333333333"}).Draw(t, "quantity"),
			rapid.SampledFrom([]string{"2.55", "0", "0.01", "-1", "3.39", "0.30000000000000004", "38970", "1e-7", "2.5500000000000003", "0.000000000000000001"}).Draw(t, "price"),
		}
	}
	return cells
}

func TestResultsEqualThoseOfTheTwin(t *testing.T) {
	folder := t.TempDir()
	rapid.Check(t, func(t *rapid.T) {
		cells := lines(t)
		o := Options{
			AsOf:    rapid.SampledFrom([]string{"", "2010-12-20", "2011-03-01"}).Draw(t, "as-of"),
			Window:  time.Duration(rapid.SampledFrom([]int{0, 1, 10, 400}).Draw(t, "window")) * 24 * time.Hour,
			Returns: rapid.SampledFrom([]string{"drop", "net"}).Draw(t, "returns"),
			Threads: rapid.IntRange(1, 4).Draw(t, "threads"),
			budget:  rapid.SampledFrom([]int64{0, 0, 0, 0, 1}).Draw(t, "budget"), // of 1, every customer is a run
			Spill:   folder,
		}
		rows, dropped, used, day := twin(cells, o.AsOf, o.Window, o.Returns == "net")
		r, err := Run(context.Background(), table(plainHeader, cells), o)
		if len(rows) == 0 && o.AsOf == "" {
			if fault.Code(err) != 3 {
				t.Fatalf("no line is left: got error %v, want one of kind Input", err)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		got := outcomeOf(t, r)
		if diff := cmp.Diff(rows, rowsOf(got), unexported); diff != "" {
			t.Fatalf("table (-want +got):\n%s", diff)
		}
		if got.RowsRead != int64(len(cells)) || got.RowsUsed != used || got.Customers != int64(len(rows)) || !got.AsOf.Equal(day) || got.Dropped != dropped {
			t.Fatalf("got %d read, %d used, %d customers, as of %v, %v; want %d, %d, %d, %v, %v", got.RowsRead, got.RowsUsed, got.Customers, got.AsOf,
				got.Dropped, len(cells), used, len(rows), day, dropped)
		}
		if r.RowsRead != r.RowsUsed+r.Dropped.Total() {
			t.Fatalf("%d rows read, %d used, %d dropped: some are lost", r.RowsRead, r.RowsUsed, r.Dropped.Total())
		}
	})
}

// many is a table large enough for several spans, with lognormal amounts.
func many(rows int) [][]string {
	rng := rand.New(rand.NewPCG(1, 2))
	cells := make([][]string, rows)
	for i := range cells {
		at := time.Date(2011, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(rng.Int64N(300*86400)) * time.Second)
		invoice := strconv.FormatInt(rng.Int64N(20000), 10)
		quantity := strconv.Itoa(1 + int(math.Exp(2*rng.NormFloat64())))
		if rng.IntN(50) == 0 {
			invoice, quantity = "C"+invoice, "-"+quantity
		}
		cells[i] = []string{
			strconv.Itoa(12000 + int(3000*rng.Float64()*rng.Float64())), invoice, at.Format("2006-01-02 15:04:05"),
			quantity, strconv.FormatFloat(math.Exp(3*rng.NormFloat64()), 'f', rng.IntN(9), 64),
		}
	}
	return cells
}

func TestOrderOfLinesAndThreadsChangeNothing(t *testing.T) {
	lines := 140_000
	if testing.Short() {
		lines = 35_000
	}
	cells := many(lines)
	base := func(threads int, returns string) *outcome {
		m := table(plainHeader, cells)
		m.block, m.cuts = 1000, int64(lines*33/140)
		return run(t, m, Options{Threads: threads, Returns: returns, Window: 200 * 24 * time.Hour})
	}
	for _, returns := range []string{"drop", "net"} {
		want := base(1, returns)
		for _, threads := range []int{2, 4, 9} {
			same(t, fmt.Sprintf("%s, %d threads (-1 thread)", returns, threads), want, base(threads, returns))
		}
		rand.New(rand.NewPCG(3, 4)).Shuffle(len(cells), func(i, j int) { cells[i], cells[j] = cells[j], cells[i] })
		same(t, returns+", shuffled lines (-before)", want, base(2, returns))
	}
}

func TestColumnsAreFoundByTheirCommonNames(t *testing.T) {
	for _, test := range []struct {
		header string
		o      Options
		want   Roles
		err    string
	}{
		{header: "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
			want: Roles{"CustomerID", "InvoiceNo", "InvoiceDate", "Quantity", "UnitPrice"}},
		{header: "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country",
			want: Roles{"Customer ID", "Invoice", "InvoiceDate", "Quantity", "Price"}},
		{header: "customer,invoice,date,quantity,price", want: Roles{"customer", "invoice", "date", "quantity", "price"}},
		{header: "customer_id,order_id,order_date,qty,unit_price", want: Roles{"customer_id", "order_id", "order_date", "qty", "unit_price"}},
		{header: "customer_id,order_id,date,amount", want: Roles{"customer_id", "order_id", "date", "", "amount"}},
		{header: "customer_id,order_id,date,quantity,amount", want: Roles{"customer_id", "order_id", "date", "quantity", "amount"}},
		{header: "customer_id,order_id,date,quantity,total", err: "3 till.csv: no column is called unitprice"},
		{header: "customer_id,order_id,date,price", err: "3 till.csv: no column is called quantity"},
		{header: "wer,order_id,date,quantity,price", err: "3 till.csv: no column is called customerid, customer, customerno or the like (name one of wer, "},
		{header: "WER,order_id,date,quantity,price", o: Options{Customer: "wer"}, want: Roles{"WER", "order_id", "date", "quantity", "price"}},
		{header: "customer,order_id,date,quantity,price", o: Options{Customer: "cust"}, err: "3 till.csv: --customer: there is no column \"cust\" (did you mean \"customer\"?)"},
		{header: "customer_id,CustomerID,order_id,date,quantity,price", err: `2 --customer could be column "customer_id" or column "CustomerID" (say which with --customer)`},
		{header: "customer,order_id,date,quantity,price", o: Options{Price: "quantity"}, err: `2 --quantity and --price both mean column "quantity"`},
	} {
		header := strings.Split(test.header, ",")
		row := make([]string, len(header))
		for i, name := range header {
			switch row[i] = "1"; {
			case strings.Contains(strings.ToLower(name), "date"):
				row[i] = "2011-01-02"
			}
		}
		r, err := Run(context.Background(), table(header, [][]string{row}), test.o)
		if test.err != "" {
			if got := fmt.Sprint(fault.Code(err), " ", err); !strings.HasPrefix(got, test.err) {
				t.Errorf("%s: got error %s, want %s…", test.header, got, test.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", test.header, err)
		} else if r.Roles != test.want {
			t.Errorf("%s: got %+v, want %+v", test.header, r.Roles, test.want)
		}
	}
}

func TestBadCellsAreNamed(t *testing.T) {
	good := []string{"7", "1", "2011-01-02", "1", "2.50"}
	for _, test := range []struct {
		column int
		cell   string
		want   string // "" if the line is no error
	}{
		{2, "soon", `till.csv: line 4, column date: "soon" is not a date year first (2010-12-31) (if that`},
		{2, "2011-02-29", `till.csv: line 4, column date: "2011-02-29" is not a date`},
		{2, "", "till.csv: line 4, column date: the cell is empty, but the line has a customer"},
		{3, "two", `till.csv: line 4, column quantity: "two" is not a number`},
		{3, "1e13", `till.csv: line 4, column quantity: "1e13" is too large`},
		{3, "NA", "till.csv: line 4, column quantity: the cell is empty"},
		{4, "2,50", `till.csv: line 4, column price: "2,50" is not a number (a decimal point is needed`},
		{4, "1.2345678901234567891", `till.csv: line 4, column price: "1.2345678901234567891" has more than 18 significant digits`},
		{4, "1e-19", `till.csv: line 4, column price: "1e-19" has more than 18 decimals`},
		{4, "inf", `till.csv: line 4, column price: "inf" is not a number`},
		{1, "", "till.csv: line 4, column invoice: the cell is empty"},
		{0, strings.Repeat("7", 5000), `till.csv: line 4, column customer: "`},
		{0, "", ""},
		{4, "2.5000000000000000000000000", ""},
	} {
		bad := append([]string{}, good...)
		bad[test.column] = test.cell
		later := []string{"7", "1", "x", "x", "x"}
		_, err := Run(context.Background(), table(plainHeader, [][]string{good, good, bad, good}), Options{})
		if test.want == "" {
			if err != nil {
				t.Errorf("%q: %v", test.cell, err)
			}
			continue
		}
		if fault.Code(err) != 3 || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q: got %v, want %s…", test.cell, err, test.want)
		}
		if _, err := Run(context.Background(), table(plainHeader, [][]string{good, good, bad, later}), Options{}); !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%q with another bad line after it: got %v, want %s…", test.cell, err, test.want)
		}
	}
}

func TestTheFirstBadLineIsReportedWhoeverMeetsIt(t *testing.T) {
	cells := many(160_000)
	cells[40_001] = []string{"1", "1", "2011-01-02 00:00:00", "x", "1"}
	for _, row := range []int{40_002, 70_000, 130_000, 159_999} {
		cells[row] = []string{"1", "1", "2011-01-02 00:00:00", "1", "y"}
	}
	for range 5 {
		m := table(plainHeader, cells)
		m.block, m.cuts = 1000, 33_000
		_, err := Run(context.Background(), m, Options{Threads: 8})
		want := `till.csv: line 40003, column quantity: "x" is not a number`
		if err == nil || err.Error() != want {
			t.Fatalf("got %v, want %s", err, want)
		}
	}
	m := table(plainHeader, many(100))
	m.bad = map[int64]string{3: "5 fields, 8 in the header"}
	_, err := Run(context.Background(), m, Options{})
	if want := "till.csv: line 5: 5 fields, 8 in the header"; err == nil || err.Error() != want {
		t.Fatalf("got %v, want %s", err, want)
	}
}

func TestOptionsAreChecked(t *testing.T) {
	cells := [][]string{{"7", "1", "2011-01-02", "1", "2.50"}}
	for _, test := range []struct {
		o    Options
		want string
	}{
		{Options{Returns: "keep"}, "--returns keep: it must be drop or net"},
		{Options{AsOf: "2011-02-30"}, "--as-of 2011-02-30: it must be a day"},
		{Options{Window: -1}, "--window -1ns: it must not be negative"},
		{Options{Threads: -1}, "--threads -1: it must be at least 1"},
		{Options{DateFormat: "%Q"}, "--date-format %Q: it has the unknown directive %Q (write it as for strptime: %Y-"},
		{Options{DateFormat: "%Y-%m"}, "--date-format %Y-%m: it does not give a full date"},
	} {
		_, err := Run(context.Background(), table(plainHeader, cells), test.o)
		if fault.Code(err) != 2 || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%+v: got %v, want %s…", test.o, err, test.want)
		}
	}
}

func TestParseWindow(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"": 0, "0": 0, "365d": 365 * 24 * time.Hour, "52w": 52 * 7 * 24 * time.Hour, "36h": 36 * time.Hour, "1h30m": 90 * time.Minute,
		"-1d": -1, "d": -1, "1.5d": -1, "ten": -1, "-3h": -1, "0d": -1, "999999999d": -1, "30": -1,
	} {
		got, err := ParseWindow(text)
		if want < 0 {
			if fault.Code(err) != 2 || !strings.Contains(err.Error(), text) {
				t.Errorf("%q: got %v, %v, want an error of kind Usage with the value", text, got, err)
			}
		} else if err != nil || got != want {
			t.Errorf("%q: got %v, %v, want %v", text, got, err, want)
		}
	}
}

func TestIDsAreKeptSortedAndRepaired(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"10 9 100", "9 10 100"}, {"10 9 09", "09 10 9"}, {"-1 5 -10", "-10 -1 5"}, {"b a B", "B a b"},
		{"17850.0 9.0", "9 17850"}, {"17850.0 9", "17850.0 9"}, {"1.0 01.0", "01.0 1.0"}, {"0 -0", "-0 0"},
		{"123456789012345678901 99 -123456789012345678901", "-123456789012345678901 99 123456789012345678901"},
	} {
		var cells [][]string
		for _, id := range strings.Fields(test.in) {
			cells = append(cells, []string{id, "1", "2011-01-02", "1", "2.50"})
		}
		var got []string
		for _, row := range rowsOf(run(t, table(plainHeader, cells), Options{})) {
			got = append(got, row.ID)
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%s: got %s, want %s", test.in, strings.Join(got, " "), test.want)
		}
	}
}

func TestTypedColumnsGiveTheSameAsText(t *testing.T) {
	cells := [][]string{
		{"12347", "537626", "2010-12-07 14:57:00", "12", "0.85"}, {"12347", "537626", "2010-12-07 14:57:00", "6", "2.1"},
		{"12346", "541431", "2011-01-18 10:01:00", "74215", "1.04"}, {"12346", "C541433", "2011-01-18 10:17:00", "-74215", "1.04"},
		{"", "1", "2011-01-18 10:17:00", "1", "1"},
	}
	want := run(t, table(plainHeader, cells), Options{Returns: "net"})
	m := table(plainHeader, cells)
	var ids, quantity []int64
	var price []float64
	var price32 []float32
	for _, c := range cells {
		id, _ := strconv.ParseInt(c[0], 10, 64)
		q, _ := strconv.ParseInt(c[3], 10, 64)
		p, _ := strconv.ParseFloat(c[4], 64)
		ids, quantity, price, price32 = append(ids, id), append(quantity, q), append(price, p), append(price32, float32(p))
	}
	m.typed[0] = dataset.Vector{Int64: ids, Missing: []bool{false, false, false, false, true}}
	m.schema.Columns[0] = dataset.Column{Name: "customer", Integer: true}
	m.schema.Columns[2] = dataset.Column{Name: "date", Kind: dataset.Time}
	m.typed[3] = dataset.Vector{Int64: quantity}
	m.schema.Columns[3] = dataset.Column{Name: "quantity", Integer: true}
	for _, v := range []dataset.Vector{{Float64: price}, {Float32: price32}} {
		m.typed[4] = v
		m.schema.Columns[4] = dataset.Column{Name: "price", Float32: v.Float32 != nil, Stored: v.Float64 != nil}
		same(t, fmt.Sprintf("float32 %v", v.Float32 != nil), want, run(t, m, Options{Returns: "net"}))
	}
}

func TestStoredTimesAreTakenAsTheyAre(t *testing.T) {
	at := func(text string) int64 {
		v, ok := parseDate([]byte(text), yearFirst)
		if !ok {
			t.Fatal(text)
		}
		return v
	}
	source := func(micros ...int64) *memory {
		m := table(plainHeader, nil)
		for i := range micros {
			m.cells = append(m.cells, []string{"7", strconv.Itoa(i), "", "1", "2.50"})
		}
		m.typed[2] = dataset.Vector{Micros: micros, Missing: make([]bool, len(micros))}
		m.schema.Columns[2] = dataset.Column{Name: "date", Kind: dataset.Time, Stored: true}
		return m
	}
	first, last := at("0001-01-01"), at("9999-12-31 23:59:59.999999")
	got := run(t, source(last, first), Options{})
	if v := got.Values; v[outFirst].Micros[0] != first || v[outLast].Micros[0] != last {
		t.Errorf("got %d to %d, want %d to %d", v[outFirst].Micros[0], v[outLast].Micros[0], first, last)
	}
	missing := source(first, first)
	missing.typed[2].Missing[1] = true
	for _, test := range []struct {
		m    *memory
		want string
	}{
		{source(first, last+1), `till.csv: line 3, column date: "10000-01-01`},
		{source(first, first-1), `till.csv: line 3, column date: "`},
		{missing, "till.csv: line 3, column date: the cell is empty"},
	} {
		if _, err := Run(context.Background(), test.m, Options{}); fault.Code(err) != 3 || !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("got %v, want %s…", err, test.want)
		}
	}
}

func TestCancellationsCanBeSwitchedOffOrRenamed(t *testing.T) {
	cells := [][]string{{"7", "C1", "2011-01-02", "1", "2.50"}, {"7", "X2", "2011-01-02", "1", "2.50"}, {"7", "3", "2011-01-02", "1", "2.50"}}
	for _, test := range []struct {
		o    Options
		want int64
	}{{Options{}, 2}, {Options{CancelledPrefix: "X"}, 2}, {Options{CancelledPrefix: "Y"}, 3}, {Options{NoCancellations: true}, 3}} {
		if got := run(t, table(plainHeader, cells), test.o).RowsUsed; got != test.want {
			t.Errorf("%+v: got %d rows used, want %d", test.o, got, test.want)
		}
	}
}

func TestProgressEndsAtAllRows(t *testing.T) {
	for _, window := range []time.Duration{0, 24 * time.Hour} {
		for _, rows := range []int{99, 100} {
			var seen []int64
			m := table(plainHeader, many(rows))
			run(t, m, Options{Window: window, Threads: 1, Progress: func(rows int64) { seen = append(seen, rows) }})
			for i := 1; i < len(seen); i++ {
				if seen[i] < seen[i-1] {
					t.Fatalf("window %v: progress goes back: %v", window, seen)
				}
			}
			if got := seen[len(seen)-1]; got != int64(rows) {
				t.Errorf("window %v: progress ends at %d, want %d", window, got, rows)
			}
		}
	}
}

func TestCancelledContextStops(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := Run(ctx, table(plainHeader, many(100)), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
}

func TestSumsBeyond128BitsAreAnError(t *testing.T) {
	var cells [][]string
	for i := range 400 {
		cells = append(cells, []string{"7", strconv.Itoa(i), "2011-01-02", "999999999999", "999999999999"})
	}
	_, err := Run(context.Background(), table(plainHeader, cells), Options{})
	if want := `till.csv: the sums of customer "7" are too large`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v, want %s…", err, want)
	}
}
