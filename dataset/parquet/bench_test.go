package parquet_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/table"
)

// BenchmarkRead reads 8 FLOAT columns of 10 million rows: a file of our own writer (snappy) or, to compare other
// codecs, the file that COTERIE_BENCH_PARQUET names.
func BenchmarkRead(b *testing.B) {
	path := os.Getenv("COTERIE_BENCH_PARQUET")
	if path == "" {
		path = filepath.Join(b.TempDir(), "x.parquet")
		writeFloats(b, path, 10_000_000/dataset.BlockRows*dataset.BlockRows)
	}
	s, err := parquet.Open(context.Background(), path)
	if err != nil {
		b.Fatal(err)
	}
	var fields []dataset.Field
	for i := range s.Schema().Columns {
		fields = append(fields, dataset.Field{Column: i, As: dataset.AsNumber})
	}
	b.SetBytes(s.Rows() * int64(len(fields)) * 4)
	b.ReportAllocs()
	for b.Loop() {
		r, err := s.Read(context.Background(), 0, s.Rows(), fields)
		if err != nil {
			b.Fatal(err)
		}
		for {
			if _, err := r.Next(); err == io.EOF {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
		r.Close()
	}
}

func writeFloats(b *testing.B, path string, rows int) {
	batch := table.Batch{Rows: dataset.BlockRows}
	var columns []table.Column
	r := rand.New(rand.NewPCG(1, 2))
	for c := range 8 {
		columns = append(columns, table.Column{Name: fmt.Sprint("x", c), Type: table.Float32})
		batch.Columns = append(batch.Columns, make([]float32, batch.Rows))
	}
	w, err := table.Create(path, columns, table.Options{})
	if err != nil {
		b.Fatal(err)
	}
	for range rows / dataset.BlockRows {
		for _, c := range batch.Columns {
			for i := range c.([]float32) {
				c.([]float32)[i] = float32(r.NormFloat64())
			}
		}
		if err := w.Write(&batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
}
