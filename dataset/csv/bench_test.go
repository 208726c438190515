package csv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"github.com/coterie-project/coterie/dataset"
)

// numericFile writes 8 columns of about 9 digits.
func numericFile(b *testing.B, rows int, quoted bool) string {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	text.WriteString("a,b,c,d,e,f,g,h\n")
	for range rows {
		for c := range 8 {
			if c > 0 {
				text.WriteByte(',')
			}
			if quoted {
				fmt.Fprintf(&text, "\"%.5f\"", random.Float64()*1e4)
			} else {
				fmt.Fprintf(&text, "%.5f", random.Float64()*1e4)
			}
		}
		text.WriteByte('\n')
	}
	path := filepath.Join(b.TempDir(), "numbers.csv")
	if err := os.WriteFile(path, text.Bytes(), 0o644); err != nil {
		b.Fatal(err)
	}
	return path
}

const benchRows = 400_000

func BenchmarkIndex(b *testing.B) {
	for _, quoted := range []bool{false, true} {
		for _, threads := range []int{1, 2} {
			b.Run(fmt.Sprintf("quoted=%v/threads=%d", quoted, threads), func(b *testing.B) {
				path := numericFile(b, benchRows, quoted)
				for b.Loop() {
					file, err := pin(path, path, os.Open)
					if err != nil {
						b.Fatal(err)
					}
					src, closer, err := file.open()
					if err != nil {
						b.Fatal(err)
					}
					l, err := sniff(path, src, file.size(), false)
					if err != nil {
						b.Fatal(err)
					}
					x, err := newIndexer(context.Background(), path, src, l, threads).finish(file.size())
					if err != nil || x.rows != benchRows {
						b.Fatal(x.rows, err)
					}
					closer.Close()
					b.SetBytes(file.size())
				}
			})
		}
	}
}

func BenchmarkParse(b *testing.B) {
	for _, quoted := range []bool{false, true} {
		for _, columns := range []int{1, 8} {
			b.Run(fmt.Sprintf("quoted=%v/columns=%d", quoted, columns), func(b *testing.B) {
				t, err := Open(context.Background(), numericFile(b, benchRows, quoted), Options{})
				if err != nil {
					b.Fatal(err)
				}
				fields := []dataset.Field{}
				for i := range columns {
					fields = append(fields, dataset.Field{Column: i, As: dataset.AsNumber})
				}
				b.SetBytes(t.Bytes())
				b.ReportAllocs()
				for b.Loop() {
					r, err := t.Read(context.Background(), 0, t.Rows(), fields)
					if err != nil {
						b.Fatal(err)
					}
					for {
						if _, err = r.Next(); err != nil {
							break
						}
					}
					if err != io.EOF {
						b.Fatal(err)
					}
					r.Close()
				}
			})
		}
	}
}
