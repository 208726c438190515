package rfm

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/dataset/synth"
)

// TestOnlineRetailGivesThePublishedFigures reads the UCI "Online Retail" table (D. Chen, 2015) from the gzipped CSV
// file that COTERIE_RETAIL names, and is skipped without it.
func TestOnlineRetailGivesThePublishedFigures(t *testing.T) {
	src := retail(t)
	for _, threads := range []int{1, 2} {
		r := finished(t, src, Options{AsOf: "2011-12-10", Threads: threads})
		if want := (Dropped{135_080, 8_905, 0, 40, 0}); r.Dropped != want || r.RowsRead != 541_909 || r.RowsUsed != 397_884 || r.Customers != 4_338 {
			t.Errorf("got %d read, %d used, %d customers, %s", r.RowsRead, r.RowsUsed, r.Customers, r.Dropped)
		}
		var recency, frequency int64
		var money amount
		for i, row := range rowsOf(r) {
			recency += row.Recency
			frequency += row.Frequency
			at := decimalOf(t, row.Money)
			money, _ = money.add(at)
			if row.ID == "12347" && (row.Recency != 2 || row.Frequency != 7 || row.Money != 4310.00) {
				t.Errorf("customer 12347 at %d: got (%d, %d, %v), want (2, 7, 4310)", i, row.Recency, row.Frequency, row.Money)
			}
		}
		if recency != 399_354 || frequency != 18_532 || money.float64() != 8_911_407.904 {
			t.Errorf("sums: got %d, %d, %v, want 399354, 18532, 8911407.904", recency, frequency, money.float64())
		}
	}
	if r := finished(t, src, Options{}); !r.AsOf.Equal(time.Date(2011, 12, 10, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("as-of by default: got %v, want 2011-12-10", r.AsOf)
	}
}

// decimalOf is the decimal that prints as x.
func decimalOf(t *testing.T, x float64) amount {
	t.Helper()
	r := reader{}
	text, _ := r.float(x, 64)
	d, problem := parseDecimal(text)
	if problem != "" {
		t.Fatalf("%s %s", text, problem)
	}
	return product(d, decimal{mantissa: 1})
}

// retail opens the table of COTERIE_RETAIL.
func retail(t testing.TB) dataset.Source {
	name := os.Getenv("COTERIE_RETAIL")
	if name == "" {
		t.Skip("COTERIE_RETAIL names no file")
	}
	src, err := open.Sources(context.Background(), []string{name}, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { src.Close() })
	return src
}

func TestMadeTransactionsBecomeCustomers(t *testing.T) {
	src, err := synth.Open("synth://transactions?rows=100000&seed=4")
	if err != nil {
		t.Fatal(err)
	}
	var results []*outcome
	for _, threads := range []int{1, 2, 4} {
		results = append(results, finished(t, src, Options{Threads: threads, Returns: "net"}))
	}
	r := results[0]
	for _, other := range results[1:] {
		same(t, "threads", r, other)
	}
	if r.RowsRead != 100_000 || r.RowsUsed+r.Dropped.Total() != r.RowsRead || r.Customers < 500 || r.Dropped.MissingCustomer < 20_000 {
		t.Errorf("got %d read, %d used, %d customers, %s", r.RowsRead, r.RowsUsed, r.Customers, r.Dropped)
	}
	if want := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC); !r.AsOf.Equal(want) {
		t.Errorf("as-of: got %v, want %v", r.AsOf, want)
	}
}

func BenchmarkOnlineRetail(b *testing.B) {
	src := retail(b)
	for b.Loop() {
		r, err := Run(b.Context(), src, Options{Threads: 1})
		if err != nil {
			b.Fatal(err)
		}
		r.Close()
	}
	b.ReportMetric(float64(src.Rows())*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
