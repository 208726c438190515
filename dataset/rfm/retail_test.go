package rfm

import (
	"compress/gzip"
	"encoding/csv"
	"os"
	"testing"
	"time"
)

// TestOnlineRetailGivesThePublishedFigures reads the UCI "Online Retail" table (D. Chen, 2015) from the gzipped CSV
// file that COTERIE_RETAIL names, and is skipped without it.
func TestOnlineRetailGivesThePublishedFigures(t *testing.T) {
	m := retail(t)
	for _, threads := range []int{1, 2} {
		r := run(t, m, Options{AsOf: "2011-12-10", Threads: threads})
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
	if r := run(t, m, Options{}); !r.AsOf.Equal(time.Date(2011, 12, 10, 0, 0, 0, 0, time.UTC)) {
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

// retail reads the table of COTERIE_RETAIL into memory.
func retail(t testing.TB) *memory {
	name := os.Getenv("COTERIE_RETAIL")
	if name == "" {
		t.Skip("COTERIE_RETAIL names no file")
	}
	file, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	cells, err := csv.NewReader(unzipped).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	m := table(cells[0], cells[1:])
	m.block, m.cuts = 8192, 65536
	return m
}

func BenchmarkOnlineRetail(b *testing.B) {
	m := retail(b)
	for b.Loop() {
		if _, err := Run(b.Context(), m, Options{Threads: 1}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(m.Rows())*float64(b.N)/b.Elapsed().Seconds(), "lines/s")
}
