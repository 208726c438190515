package parquet_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	library "github.com/parquet-go/parquet-go"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/table"
)

// create writes a table and opens it.
func create(t *testing.T, columns []table.Column, b *table.Batch) dataset.Source {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.parquet")
	w, err := table.Create(path, columns, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	s, err := parquet.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func first(t *testing.T, s dataset.Source, fields ...dataset.Field) *dataset.Block {
	t.Helper()
	r, err := s.Read(context.Background(), 0, s.Rows(), fields)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	b, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestFloat32KeepsItsBits(t *testing.T) {
	values := []float32{0, float32(math.Copysign(0, -1)), 1e-45, math.MaxFloat32, 0.1, math.Float32frombits(0x7fc12345)}
	s := create(t, []table.Column{{Name: "x", Type: table.Float32}}, &table.Batch{Rows: len(values), Columns: []any{values}})
	if !s.Schema().Columns[0].Float32 {
		t.Error("the column is not marked as float32")
	}
	got := first(t, s, dataset.Field{}).Columns[0].Float32
	for i := range values {
		if math.Float32bits(got[i]) != math.Float32bits(values[i]) {
			t.Errorf("row %d: got %x, want %x", i, math.Float32bits(got[i]), math.Float32bits(values[i]))
		}
	}
}

func TestBadRowsAreNamedOnceAndEmptied(t *testing.T) {
	inf := math.Inf(1)
	s := create(t, []table.Column{{Name: "a", Type: table.Float64}, {Name: "b", Type: table.Float32}, {Name: "c", Type: table.Text}},
		&table.Batch{Rows: 4, Columns: []any{
			[]float64{1, -inf, 3, 4}, []float32{float32(inf), float32(inf), 3, 4}, []string{"1", "2", "x\x00y", "4"},
		}})
	b := first(t, s, dataset.Field{Column: 0}, dataset.Field{Column: 1}, dataset.Field{Column: 2, As: dataset.AsText})
	var got []string
	for _, bad := range b.Bad {
		got = append(got, fmt.Sprintf("%d %s: %s", bad.Index, strings.TrimPrefix(bad.Place.String(), bad.Place.File), bad.Reason))
	}
	want := []string{"0 : row 0, column b: not a finite number: \"+Inf\"", "1 : row 1, column a: not a finite number: \"-Inf\"",
		"2 : row 2, column c: a NUL byte in a text"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	for i := range 3 {
		if x, y := b.Columns[0].Float64[i], b.Columns[1].Float32[i]; x == x || y == y {
			t.Errorf("row %d: got %v and %v, want NaN in a bad row", i, x, y)
		}
	}
	if text := string(b.Columns[2].Text.At(2)); text != "" {
		t.Errorf("row 2: got the text %q, want none", text)
	}
	if x, y := b.Columns[0].Float64[3], string(b.Columns[2].Text.At(3)); x != 4 || y != "4" {
		t.Errorf("row 3: got %v %q, want 4", x, y)
	}
}

func TestTextsAreNumbersWhereTheySaySo(t *testing.T) {
	s := create(t, []table.Column{{Name: "amount", Type: table.Text}},
		&table.Batch{Rows: 4, Columns: []any{[]string{"1.25", "", "abc", "NaN"}}})
	b := first(t, s, dataset.Field{})
	if v := b.Columns[0].Float64; v[0] != 1.25 || v[1] == v[1] || v[3] == v[3] {
		t.Errorf("got %v, want 1.25 and missing values", v)
	}
	if len(b.Bad) != 1 || b.Bad[0].Index != 2 || b.Bad[0].Reason != `not a number: "abc"` {
		t.Errorf("got %+v, want row 2", b.Bad)
	}
}

func TestIdsStayIntegers(t *testing.T) {
	ids := []int64{1, math.MaxInt64, math.MinInt64, 1<<53 + 1}
	s := create(t, []table.Column{{Name: "id", Type: table.Int64}}, &table.Batch{Rows: 4, Columns: []any{ids}})
	if got := first(t, s, dataset.Field{As: dataset.AsID}).Columns[0].Int64; !slices.Equal(got, ids) {
		t.Errorf("got %v, want %v", got, ids)
	}
}

// A file of parquet-go's own writer, with its defaults.
func TestFilesOfTheLibraryAreRead(t *testing.T) {
	type row struct {
		ID   int64    `parquet:"id"`
		X    float32  `parquet:"x"`
		Y    *float64 `parquet:"y"`
		Name string   `parquet:"name,dict,zstd"`
		Big  uint64   `parquet:"big,delta"`
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	var rows []row
	for i := range 20_000 {
		r := row{ID: int64(i), X: float32(i) / 3, Name: fmt.Sprint("n", i%7), Big: math.MaxUint64 - uint64(i)}
		if i%5 != 0 {
			y := float64(i) / 9
			r.Y = &y
		}
		rows = append(rows, r)
	}
	if err := library.WriteFile(path, rows); err != nil {
		t.Fatal(err)
	}
	s, err := parquet.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	fields := []dataset.Field{{Column: 0, As: dataset.AsID}, {Column: 1}, {Column: 2}, {Column: 3, As: dataset.AsText},
		{Column: 4, As: dataset.AsID}}
	r, err := s.Read(context.Background(), 7, s.Rows()-7, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	at := 7
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if len(b.Bad) != b.Rows || !strings.Contains(b.Bad[0].Reason, "above the largest signed") {
			t.Fatalf("ids beyond int64: got %d bad rows of %d", len(b.Bad), b.Rows)
		}
		for i := range b.Rows {
			want := rows[at]
			name := string(b.Columns[3].Text.At(i))
			if b.Columns[0].Int64[i] != want.ID || name != want.Name {
				t.Fatalf("row %d: got %d %q, want %d %q", at, b.Columns[0].Int64[i], name, want.ID, want.Name)
			}
			at++
		}
	}
	if at != len(rows) {
		t.Errorf("got %d rows, want %d", at, len(rows))
	}
	b := first(t, s, fields[1:3]...)
	for i := range b.Rows {
		y := b.Columns[1].Float64[i]
		if b.Columns[0].Float32[i] != rows[i].X || rows[i].Y == nil && y == y || rows[i].Y != nil && y != *rows[i].Y {
			t.Fatalf("row %d: got %v %v", i, b.Columns[0].Float32[i], y)
		}
	}
}

func TestReadersOfOneSourceRunTogether(t *testing.T) {
	const n = 100_000
	ids := make([]int64, n)
	for i := range ids {
		ids[i] = int64(i) * 3
	}
	s := create(t, []table.Column{{Name: "id", Type: table.Int64}}, &table.Batch{Rows: n, Columns: []any{ids}})
	var all sync.WaitGroup
	for part := range 8 {
		all.Go(func() {
			from := int64(part) * n / 8
			r, err := s.Read(context.Background(), from, n/8, []dataset.Field{{As: dataset.AsID}})
			if err != nil {
				t.Error(err)
				return
			}
			defer r.Close()
			at := from
			for {
				b, err := r.Next()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Error(err)
					return
				}
				if !slices.Equal(b.Columns[0].Int64, ids[at:at+int64(b.Rows)]) {
					t.Errorf("rows from %d differ", at)
				}
				at += int64(b.Rows)
			}
			if at != from+n/8 {
				t.Errorf("part %d ends at row %d, want %d", part, at, from+n/8)
			}
		})
	}
	all.Wait()
}
