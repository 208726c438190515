package table_test

import (
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/table"
)

// integers are columns whose neighbours lie near each other, or do not; short says that their file must be small.
var integers = map[string]struct {
	short bool
	value func(r *rand.Rand, i int) int64
}{
	"row numbers":     {true, func(_ *rand.Rand, i int) int64 { return int64(i) }},
	"one value":       {true, func(*rand.Rand, int) int64 { return math.MinInt64 }},
	"descending":      {true, func(_ *rand.Rand, i int) int64 { return math.MaxInt64 - 3*int64(i) }},
	"with gaps":       {true, func(r *rand.Rand, i int) int64 { return 1000*int64(i) + int64(r.IntN(500)) }},
	"wrapping":        {true, func(_ *rand.Rand, i int) int64 { return int64(uint64(i) * (1<<63 + 5)) }},
	"at the limit":    {true, func(_ *rand.Rand, i int) int64 { return int64(i%2) * (1<<15 - 1) }},
	"over the limit":  {false, func(_ *rand.Rand, i int) int64 { return int64(i%2) << 15 }},
	"anything":        {false, func(r *rand.Rand, _ int) int64 { return int64(r.Uint64()) }},
	"one far outlier": {false, func(_ *rand.Rand, i int) int64 { return int64(i) + int64(i/999)<<40 }},
}

func TestIntegersComeBackHoweverTheyAreWritten(t *testing.T) {
	columns := []table.Column{{Name: "id", Type: table.Int64}}
	for name, c := range integers {
		for _, n := range []int{1, 2, 3, 31, 33, 128, 129, 130, 65_535, 65_537, 140_000} {
			r := rand.New(rand.NewPCG(1, uint64(n)))
			values := make([]int64, n)
			for i := range values {
				values[i] = c.value(r, i)
			}
			path := filepath.Join(t.TempDir(), "x.parquet")
			write(t, path, columns, &table.Batch{Rows: n, Columns: []any{values}}, n)
			for i, got := range readInts(t, path) {
				if got != values[i] {
					t.Fatalf("%s, %d values: row %d is %d, want %d", name, n, i, got, values[i])
				}
			}
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			// Two bytes and a bit a value at most, beside the footer.
			if small := info.Size() < int64(n)*5/2+400; n > 1000 && small != c.short && name != "over the limit" && name != "one far outlier" {
				t.Errorf("%s: %d values take %d bytes", name, n, info.Size())
			}
		}
	}
}

func readInts(t *testing.T, path string) (values []int64) {
	t.Helper()
	s, err := parquet.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range cells(t, s) {
		v, err := strconv.ParseInt(row[0], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		values = append(values, v)
	}
	return values
}

func TestOnlyWhatBecomesSmallerIsCompressed(t *testing.T) {
	r := rand.New(rand.NewPCG(2, 2))
	const n = 70_000
	noise, steps, index := make([]float32, n), make([]float32, n), make([]int32, n)
	for i := range noise {
		noise[i], steps[i], index[i] = float32(r.NormFloat64()), float32(i/1000), int32(r.IntN(200))
	}
	for name, c := range map[string]struct {
		column table.Column
		values any
		least  int64
		most   int64
	}{
		"noise":   {table.Column{Name: "x", Type: table.Float32}, noise, 4 * n, 4*n + 600},
		"steps":   {table.Column{Name: "x", Type: table.Float32}, steps, 0, n},
		"indices": {table.Column{Name: "x", Type: table.Int32}, index, 0, n + 2000},
	} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		data := write(t, path, []table.Column{c.column}, &table.Batch{Rows: n, Columns: []any{c.values}}, n)
		if size := int64(len(data)); size < c.least || size > c.most {
			t.Errorf("%s: %d bytes, want %d to %d", name, size, c.least, c.most)
		}
		s, err := parquet.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		rows := 0
		reader, err := s.Read(t.Context(), 0, n, []dataset.Field{{Column: 0, As: dataset.AsNumber}})
		if err != nil {
			t.Fatal(err)
		}
		for b, err := reader.Next(); err == nil; b, err = reader.Next() {
			for i := range b.Rows {
				switch want := c.values.(type) {
				case []float32:
					if got := b.Columns[0].Float32[i]; got != want[rows] {
						t.Fatalf("%s: row %d is %v, want %v", name, rows, got, want[rows])
					}
				case []int32:
					if got := b.Columns[0].Float64[i]; got != float64(want[rows]) {
						t.Fatalf("%s: row %d is %v, want %v", name, rows, got, want[rows])
					}
				}
				rows++
			}
		}
		reader.Close()
		if rows != n {
			t.Errorf("%s: %d rows came back of %d", name, rows, n)
		}
	}
}
