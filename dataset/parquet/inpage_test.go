package parquet_test

import (
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/parquet"
)

// runs is what a column of values and nulls looks like to a reader that may take values where they lie in a page: long runs of
// either, which levels tell in a few bytes, pages that end in the middle of a Block, and infinities, which must go.
func runs(i int) *float32 {
	v := float32(i)
	switch {
	case i < 20_000, i >= 60_000 && i < 60_100:
		return nil
	case i == 50_000:
		v = float32(math.Inf(1))
	}
	return &v
}

func TestValuesTakenFromThePageAreThoseOfTheRows(t *testing.T) {
	type optional struct {
		X *float32 `parquet:"x,optional,plain"`
	}
	type plain struct {
		X float32 `parquet:"x,plain"`
	}
	const rows = 120_000
	for _, version := range []int{1, 2} {
		for _, page := range []int{1000, 40_001, 1 << 20} {
			for _, nullable := range []bool{true, false} {
				name := fmt.Sprintf("version %d, pages of %d bytes, nullable %v", version, page, nullable)
				options := []library.WriterOption{library.DataPageVersion(version), library.PageBufferSize(page), library.Compression(&library.Snappy)}
				path := filepath.Join(t.TempDir(), "x.parquet")
				f, err := os.Create(path)
				if err != nil {
					t.Fatal(err)
				}
				if nullable {
					all := make([]optional, rows)
					for i := range all {
						all[i].X = runs(i)
					}
					err = writeAll(f, all, options)
				} else {
					all := make([]plain, rows)
					for i := range all {
						if v := runs(i); v != nil {
							all[i].X = *v
						}
					}
					err = writeAll(f, all, options)
				}
				if err != nil {
					t.Fatal(err)
				}
				for _, start := range []int64{0, 3, 19_999, 59_000} {
					wantRuns(t, name, path, start, nullable)
				}
			}
		}
	}
}

func writeAll[T any](f *os.File, rows []T, options []library.WriterOption) error {
	w := library.NewGenericWriter[T](f, options...)
	if _, err := w.Write(rows); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}

func wantRuns(t *testing.T, name, path string, start int64, nullable bool) {
	t.Helper()
	s, err := parquet.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	r, err := s.Read(t.Context(), start, s.Rows()-start, []dataset.Field{{Column: 0, As: dataset.AsNumber}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	row := int(start)
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for i := range b.Rows {
			got, want := b.Columns[0].Float32[i], runs(row)
			bad := want != nil && math.IsInf(float64(*want), 0)
			switch {
			case bad && (got == got || len(b.Bad) != 1 || b.Bad[0].Index != i), want == nil && nullable && got == got,
				want == nil && !nullable && got != 0, want != nil && !bad && got != *want:
				t.Fatalf("%s, from %d: row %d is %v, want %v", name, start, row, got, want)
			}
			row++
		}
	}
	if int64(row) != s.Rows() {
		t.Fatalf("%s: %d rows came", name, row)
	}
}
