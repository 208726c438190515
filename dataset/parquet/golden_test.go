package parquet

import (
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/dataset"
)

// expected is one column of testdata/values.json.gz: what the writer of the golden files put in, null included.
type expected struct {
	Number []*float64 `json:"number"`
	Text   []*string  `json:"text"`
	Micros []*int64   `json:"micros"`
}

func loadExpected(t *testing.T) map[string]expected {
	t.Helper()
	f, err := os.Open("testdata/values.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]expected
	if err := json.NewDecoder(z).Decode(&all); err != nil {
		t.Fatal(err)
	}
	return all
}

func open(t testing.TB, path string) dataset.Source {
	t.Helper()
	s, err := Open(context.Background(), path)
	if err != nil {
		t.Fatalf("Open(%s): %v", path, err)
	}
	return s
}

// collect reads a range of one column and renders every row: numbers and ids by their bits, so that nothing is lost.
func collect(t testing.TB, s dataset.Source, f dataset.Field, first, rows int64) []string {
	t.Helper()
	r, err := s.Read(context.Background(), first, rows, []dataset.Field{f})
	if err != nil {
		t.Fatalf("Read: %v", err)
	}
	defer r.Close()
	var out []string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatalf("Next: %v", err)
		}
		if len(b.Bad) > 0 {
			t.Fatalf("bad row %+v", b.Bad[0])
		}
		if b.First != first+int64(len(out)) {
			t.Fatalf("a block begins at row %d, want %d", b.First, first+int64(len(out)))
		}
		for i := range b.Rows {
			out = append(out, render(&b.Columns[0], i))
		}
	}
}

func render(v *dataset.Vector, i int) string {
	switch {
	case v.Missing != nil && v.Missing[i]:
		return "missing"
	case v.Float32 != nil:
		return bitsOf(float64(v.Float32[i]))
	case v.Float64 != nil:
		return bitsOf(v.Float64[i])
	case v.Int64 != nil:
		return fmt.Sprint(v.Int64[i])
	case v.Micros != nil:
		return fmt.Sprint(v.Micros[i])
	}
	return string(v.Text.At(i))
}

func bitsOf(v float64) string {
	if math.IsNaN(v) {
		return "missing"
	}
	return fmt.Sprintf("%x", math.Float64bits(v))
}

func renderAll[T any](in []*T, show func(T) string) []string {
	out := make([]string, len(in))
	for i, p := range in {
		out[i] = "missing"
		if p != nil {
			out[i] = show(*p)
		}
	}
	return out
}

func compare(t *testing.T, name string, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: got %d rows, want %d", name, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s: row %d: got %q, want %q", name, i, got[i], want[i])
			return
		}
	}
}

func goldenFiles(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.parquet")
	if err != nil || len(files) < 5 {
		t.Fatalf("golden files: %v, %v", files, err)
	}
	return files
}

// The golden files are written by Arrow's C++ writer: every type in every encoding, page version and codec.
func TestGoldenFilesReadAsTheirWriterMeant(t *testing.T) {
	want := loadExpected(t)
	for _, file := range goldenFiles(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			s := open(t, file)
			for i, c := range s.Schema().Columns {
				if c.Name == "list" || c.Name == "struct" {
					if c.Unusable == "" {
						t.Errorf("%s is not marked as unusable", c.Name)
					}
					continue
				}
				if c.Unusable != "" {
					t.Errorf("%s: unusable: %s", c.Name, c.Unusable)
					continue
				}
				w := want[c.Name]
				if w.Number != nil {
					got := collect(t, s, dataset.Field{Column: i, As: dataset.AsNumber}, 0, s.Rows())
					compare(t, c.Name+" as bitsOf", got, renderAll(w.Number, bitsOf))
				}
				if w.Text != nil {
					got := collect(t, s, dataset.Field{Column: i, As: dataset.AsText}, 0, s.Rows())
					compare(t, c.Name+" as text", got, renderAll(w.Text, func(s string) string { return s }))
					got = collect(t, s, dataset.Field{Column: i, As: dataset.AsID}, 0, s.Rows())
					compare(t, c.Name+" as id", got, renderAll(w.Text, func(s string) string { return s }))
				}
				if w.Micros != nil {
					got := collect(t, s, dataset.Field{Column: i, As: dataset.AsTime}, 0, s.Rows())
					compare(t, c.Name+" as time", got, renderAll(w.Micros, func(v int64) string { return fmt.Sprint(v) }))
				}
			}
		})
	}
}

func TestAnyRangeReadsTheSameRows(t *testing.T) {
	for _, file := range goldenFiles(t) {
		s := open(t, file)
		for i, c := range s.Schema().Columns {
			if c.Unusable != "" {
				continue
			}
			f := dataset.Field{Column: i, As: dataset.AsText}
			whole := collect(t, s, f, 0, s.Rows())
			for first := int64(0); first <= s.Rows(); first += 37 {
				rows := min(53, s.Rows()-first)
				got := collect(t, s, f, first, rows)
				if g, w := strings.Join(got, "|"), strings.Join(whole[first:first+rows], "|"); g != w {
					t.Fatalf("%s, column %s, rows %d+%d:\ngot  %s\nwant %s", file, c.Name, first, rows, g, w)
				}
			}
		}
	}
}
