package parquet_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/pinned"
	"github.com/coterie-project/coterie/internal/fault"
)

// counting counts the bytes that are read of a file.
type counting struct {
	pinned.Handle
	bytes *atomic.Int64
}

func (c counting) ReadAt(b []byte, at int64) (int, error) {
	c.bytes.Add(int64(len(b)))
	return c.Handle.ReadAt(b, at)
}

type tall struct {
	X float64  `parquet:"x,plain"`
	D int64    `parquet:"d,dict"`
	N *float32 `parquet:"n,optional,plain"`
}

// tallFile is one row group of many pages.
func tallFile(t *testing.T, rows int, options ...library.WriterOption) string {
	t.Helper()
	all := make([]tall, rows)
	for i := range all {
		all[i] = tall{X: float64(i) / 8, D: int64(i / 1000)}
		if i%7 != 0 {
			v := float32(i)
			all[i].N = &v
		}
	}
	path := filepath.Join(t.TempDir(), "tall.parquet")
	f, err := os.Create(path)
	if err == nil {
		err = writeAll(f, all, append(options, library.PageBufferSize(20_000)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func readTall(s dataset.Source, first, rows int64) ([]string, error) {
	r, err := s.Read(context.Background(), first, rows, []dataset.Field{{Column: 0}, {Column: 1, As: dataset.AsID}, {Column: 2}})
	if err != nil {
		return nil, err
	}
	defer r.Close()
	var list []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return list, nil
		}
		if err != nil {
			return nil, err
		}
		for i := range b.Rows {
			list = append(list, fmt.Sprint(b.Columns[0].Float64[i], b.Columns[1].Int64[i], b.Columns[2].Float32[i]))
		}
	}
}

func TestAReaderThatBeginsInAHugeGroupJumpsToItsPages(t *testing.T) {
	const rows = 300_000
	for _, version := range []int{1, 2} {
		path := tallFile(t, rows, library.DataPageVersion(version))
		var count atomic.Int64
		s, err := parquet.OpenWith(t.Context(), path, func(ctx context.Context, path string) (pinned.Handle, error) {
			h, err := pinned.OpenLocal(ctx, path)
			return counting{h, &count}, err
		})
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Cuts()) != 1 {
			t.Fatalf("the file has %d groups", len(s.Cuts()))
		}
		for _, first := range []int64{1, 65_535, 65_536, 100_000, 262_144, rows - 1} {
			count.Store(0)
			got, err := readTall(s, first, min(rows-first, 3000))
			if err != nil {
				t.Fatal(err)
			}
			for i, g := range got {
				row := first + int64(i)
				n := fmt.Sprint(float32(row))
				if row%7 == 0 {
					n = "NaN"
				}
				if want := fmt.Sprint(float64(row)/8, row/1000, " ", n); strings.ReplaceAll(want, "  ", " ") != g {
					t.Fatalf("version %d, row %d: got %s, want %s", version, row, g, want)
				}
			}
			if n := count.Load(); first > 1<<16 && n > 1<<20 {
				t.Errorf("version %d, from row %d: %d bytes were read", version, first, n)
			}
		}
	}
}

func TestAnIndexOfPagesThatDoesNotFitIsDamage(t *testing.T) {
	path := tallFile(t, 200_000)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	end := bytes.LastIndex(whole, []byte("PAR1"))
	data := end - 4 - int(uint32(whole[end-4])|uint32(whole[end-3])<<8|uint32(whole[end-2])<<16)
	refused := 0
	for at := data - 1; at > data-6000 && at > 4; at -= 97 { // the indexes lie before the footer
		changed := bytes.Clone(whole)
		changed[at] ^= 0x15
		if err := os.WriteFile(path, changed, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := parquet.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := readTall(s, 150_000, 2)
		switch {
		case err == nil && (len(got) != 2 || !strings.HasPrefix(got[0], "18750 150 ") || !strings.HasPrefix(got[1], "18750.125 150 150001")):
			t.Fatalf("byte %d: got %q", at, got)
		case err != nil && fault.Code(err) != 3:
			t.Fatalf("byte %d: got %v (code %d)", at, err, fault.Code(err))
		case err != nil:
			refused++
		}
	}
	if refused == 0 {
		t.Error("no change of the index was seen: does the file have one?")
	}
}
