package table_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
)

// BenchmarkLabels writes the file that assign writes: id, segment, distance.
func BenchmarkLabels(b *testing.B) {
	const rows = 10_000_000
	columns := []table.Column{{Name: "id", Type: table.Int64}, {Name: "segment", Type: table.Int32},
		{Name: "distance", Type: table.Float32}}
	batch := table.Batch{Rows: dataset.BlockRows}
	id, segment, distance := make([]int64, batch.Rows), make([]int32, batch.Rows), make([]float32, batch.Rows)
	batch.Columns = []any{id, segment, distance}
	r := rand.New(rand.NewPCG(1, 2))
	for i := range id {
		segment[i], distance[i] = int32(r.IntN(50)), r.Float32()*4
	}
	for _, ext := range []string{".parquet", ".csv", ".csv.gz", ".csv.zst", ".npy"} {
		b.Run(ext, func(b *testing.B) {
			for range b.N {
				w, err := table.Create(filepath.Join(b.TempDir(), "labels"+ext), columns, table.Options{Rows: rows / 8192 * 8192})
				if err != nil {
					b.Fatal(err)
				}
				for row := range rows / 8192 {
					for i := range id {
						id[i] = int64(row*8192 + i)
					}
					if err := w.Write(&batch); err != nil {
						b.Fatal(err)
					}
				}
				if err := w.Commit(); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(rows * 16)
			b.ReportMetric(float64(rows)*float64(b.N)/b.Elapsed().Seconds()/1e6, "Mrows/s")
		})
	}
}

// BenchmarkNumbers writes 8 columns of random floats.
func BenchmarkNumbers(b *testing.B) {
	const rows = 1 << 20
	for _, ext := range []string{".parquet", ".csv", ".npy"} {
		b.Run(ext, func(b *testing.B) {
			path := filepath.Join(b.TempDir(), "x"+ext)
			for range b.N {
				writeFloats(b, path, rows)
			}
			b.SetBytes(rows * 8 * 4)
		})
	}
}

func writeFloats(b *testing.B, path string, rows int) {
	batch := table.Batch{Rows: dataset.BlockRows}
	var columns []table.Column
	r := rand.New(rand.NewPCG(1, 2))
	for c := range 8 {
		columns = append(columns, table.Column{Name: fmt.Sprint("x", c), Type: table.Float32})
		x := make([]float32, batch.Rows)
		for i := range x {
			x[i] = float32(r.NormFloat64())
		}
		batch.Columns = append(batch.Columns, x)
	}
	w, err := table.Create(path, columns, table.Options{Rows: int64(rows)})
	if err != nil {
		b.Fatal(err)
	}
	for range rows / dataset.BlockRows {
		if err := w.Write(&batch); err != nil {
			b.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		b.Fatal(err)
	}
}
