package csv

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/pinned"
)

// numericFile writes 8 columns of about 9 digits, or of as many as a float64 needs.
func numericFile(b *testing.B, rows int, form string) string {
	b.Helper()
	random := rand.New(rand.NewPCG(1, 2))
	var text bytes.Buffer
	text.WriteString("a,b,c,d,e,f,g,h\n")
	for range rows {
		for c := range 8 {
			if c > 0 {
				text.WriteByte(',')
			}
			switch form {
			case "quoted":
				fmt.Fprintf(&text, "\"%.5f\"", random.Float64()*1e4)
			case "float64":
				fmt.Fprint(&text, random.NormFloat64())
			default:
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

// BenchmarkIndex compares the walk of one scanner (serial) with segments on one goroutine and on two.
func BenchmarkIndex(b *testing.B) {
	for _, form := range []string{"plain", "quoted"} {
		path := numericFile(b, benchRows, form)
		for _, threads := range []int{0, 1, 2} {
			name := fmt.Sprintf("%s/threads=%d", form, threads)
			if threads == 0 {
				name = form + "/serial"
			}
			b.Run(name, func(b *testing.B) {
				for b.Loop() {
					benchIndex(b, path, threads)
				}
			})
		}
	}
}

func benchIndex(b *testing.B, path string, threads int) {
	file, err := pin(b.Context(), path, path, pinned.OpenLocal)
	if err != nil {
		b.Fatal(err)
	}
	src, closer, err := file.open(b.Context(), 0, file.size())
	if err != nil {
		b.Fatal(err)
	}
	defer closer.Close()
	b.SetBytes(file.size())
	l, err := sniff(path, src, file.size(), false)
	if err != nil {
		b.Fatal(err)
	}
	var rows int64
	if threads > 0 {
		var x index
		x, err = newIndexer(context.Background(), path, src, l, threads).finish(file.size())
		rows = x.rows
	} else {
		var s scanner
		s.reset(src, l.data, file.size(), l.line, l.delim)
		for err = s.next(); err == nil; err = s.next() {
			rows++
		}
	}
	if rows != benchRows || err != nil && err != io.EOF {
		b.Fatal(rows, err)
	}
}

// BenchmarkParse reads numbers; of all columns also on two goroutines, each of one half.
func BenchmarkParse(b *testing.B) {
	for _, form := range []string{"plain", "quoted", "float64"} {
		t, err := Open(context.Background(), numericFile(b, benchRows, form), Options{})
		if err != nil {
			b.Fatal(err)
		}
		for _, c := range []struct{ columns, threads int }{{1, 1}, {8, 1}, {8, 2}} {
			b.Run(fmt.Sprintf("%s/columns=%d/threads=%d", form, c.columns, c.threads), func(b *testing.B) {
				b.SetBytes(t.Bytes())
				b.ReportAllocs()
				for b.Loop() {
					var wait sync.WaitGroup
					share := t.Rows() / int64(c.threads)
					for i := range int64(c.threads) {
						wait.Go(func() { benchRead(b, t, i*share, share, c.columns) })
					}
					wait.Wait()
				}
			})
		}
	}
}

func benchRead(b *testing.B, t *Table, first, rows int64, columns int) {
	var fields []dataset.Field
	for i := range columns {
		fields = append(fields, dataset.Field{Column: i, As: dataset.AsNumber})
	}
	r, err := t.Read(context.Background(), first, rows, fields)
	if err != nil {
		b.Error(err)
		return
	}
	defer r.Close()
	for err == nil {
		_, err = r.Next()
	}
	if err != io.EOF {
		b.Error(err)
	}
}

// BenchmarkLocate finds rows one after the other, as it is done for those set aside.
func BenchmarkLocate(b *testing.B) {
	t, err := Open(context.Background(), numericFile(b, benchRows, "plain"), Options{})
	if err != nil {
		b.Fatal(err)
	}
	row := int64(0)
	for b.Loop() {
		if t.Locate(row).Line == 0 {
			b.Fatal("not found")
		}
		row = (row + 10) % benchRows
	}
}
