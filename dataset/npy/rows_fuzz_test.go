package npy

import (
	"context"
	"encoding/binary"
	"io"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// FuzzFile reads whole files, by all kinds of values, and compares each number with what a plain reader finds at its place.
func FuzzFile(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.npy")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		if len(data) < 1<<10 {
			f.Add(data)
		}
	}
	path := filepath.Join(f.TempDir(), "x.npy")
	f.Fuzz(func(t *testing.T, data []byte) {
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		// A matrix without rows may have a million columns; each takes a name and a place in the schema.
		hostile.Ceiling(t, len(data), 512<<20, 1<<10, func() {
			s, err := Open(context.Background(), path)
			if err != nil {
				if fault.Code(err) != 3 {
					t.Fatalf("got %v, want an input error", err)
				}
				return
			}
			defer s.Close()
			if s.Rows() > 0 {
				compare(t, s.(*source), data)
			}
		})
	})
}

// compare reads the first and the last column of a file in every way.
func compare(t *testing.T, s *source, data []byte) {
	t.Helper()
	for _, c := range []int{0, len(s.schema.Columns) - 1} {
		r, err := s.Read(context.Background(), 0, s.Rows(), []dataset.Field{{Column: c}, {Column: c, As: dataset.AsID}, {Column: c, As: dataset.AsText}})
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		rows := int64(0)
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Rows {
				if s.header.dtype.kind == 'f' {
					checkFloat(t, s, b, i, data[s.at(rows+int64(i), c):])
				} else if len(b.Bad) == 0 {
					checkInteger(t, s, b, i, data[s.at(rows+int64(i), c):])
				}
			}
			rows += int64(b.Rows)
		}
		if rows != s.Rows() {
			t.Fatalf("%d rows of %d", rows, s.Rows())
		}
	}
}

// at is where the value of a row and a column begins.
func (s *source) at(row int64, column int) int64 {
	return s.header.data + (row*s.header.cols+int64(column))*int64(s.header.dtype.size)
}

func (d dtype) order() binary.ByteOrder {
	if d.big {
		return binary.BigEndian
	}
	return binary.LittleEndian
}

func checkFloat(t *testing.T, s *source, b *dataset.Block, i int, data []byte) {
	t.Helper()
	d := s.header.dtype
	want, got := 0.0, 0.0
	if d.size == 4 {
		want, got = float64(math.Float32frombits(d.order().Uint32(data))), float64(b.Columns[0].Float32[i])
	} else {
		want, got = math.Float64frombits(d.order().Uint64(data)), b.Columns[0].Float64[i]
	}
	if math.IsInf(want, 0) {
		want = math.NaN() // and a bad row
	}
	if got != want && (got == got || want == want) {
		t.Fatalf("row %d: got %v, want %v", i, got, want)
	}
	if text := string(b.Columns[2].Text.At(i)); want == want {
		if x, err := strconv.ParseFloat(text, 8*d.size); err != nil || x != want {
			t.Fatalf("row %d: got the text %q, want %v", i, text, want)
		}
	}
}

func checkInteger(t *testing.T, s *source, b *dataset.Block, i int, data []byte) {
	t.Helper()
	d := s.header.dtype
	var bits uint64
	switch d.size {
	case 1:
		bits = uint64(data[0])
	case 2:
		bits = uint64(d.order().Uint16(data))
	case 4:
		bits = uint64(d.order().Uint32(data))
	default:
		bits = d.order().Uint64(data)
	}
	signed := map[int]int64{1: int64(int8(bits)), 2: int64(int16(bits)), 4: int64(int32(bits)), 8: int64(bits)}[d.size]
	number, text := float64(signed), strconv.FormatInt(signed, 10)
	if d.kind == 'u' {
		signed, number, text = int64(bits), float64(bits), strconv.FormatUint(bits, 10)
	}
	if b.Columns[0].Float64[i] != number || b.Columns[1].Int64[i] != signed || string(b.Columns[2].Text.At(i)) != text {
		t.Fatalf("row %d: got %v, %d and %q, want %v", i, b.Columns[0].Float64[i], b.Columns[1].Int64[i], b.Columns[2].Text.At(i), text)
	}
}
