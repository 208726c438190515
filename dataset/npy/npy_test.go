package npy

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
)

func open(t testing.TB, path string) dataset.Source {
	t.Helper()
	s, err := Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// numbers reads rows [first, first+rows) of all columns, row by row, and the bad rows.
func numbers(t testing.TB, s dataset.Source, as dataset.As, first, rows int64) (out [][]string, bad []string) {
	t.Helper()
	var fields []dataset.Field
	for i := range s.Schema().Columns {
		fields = append(fields, dataset.Field{Column: i, As: as})
	}
	r, err := s.Read(context.Background(), first, rows, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out, bad
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range b.Bad {
			bad = append(bad, fmt.Sprintf("%d %s: %s", x.Index, x.Place, x.Reason))
		}
		for i := range b.Rows {
			var row []string
			for c := range b.Columns {
				row = append(row, cell(&b.Columns[c], i))
			}
			out = append(out, row)
		}
	}
}

func cell(v *dataset.Vector, i int) string {
	switch {
	case v.Float32 != nil:
		return fmt.Sprint(v.Float32[i])
	case v.Float64 != nil:
		return fmt.Sprint(v.Float64[i])
	case v.Int64 != nil:
		return fmt.Sprint(v.Int64[i])
	case v.Missing != nil && v.Missing[i]:
		return "missing"
	}
	return string(v.Text.At(i))
}

// The files are written by NumPy.
func TestEveryTypeOfNumberIsRead(t *testing.T) {
	var f4, f8, ints [][]string
	for i := range 4 {
		var a, b []string
		for j := range 3 {
			v := float64(i*3 + j)
			a, b = append(a, fmt.Sprint(v/8)), append(b, fmt.Sprint(v/7))
		}
		f4, f8 = append(f4, a), append(f8, b)
	}
	ints = [][]string{{"1", "2", "3"}, {"-4", "5", "6"}, {"7", "100", "9"}, {"10", "11", "127"}}
	unsigned := [][]string{ints[0], {"4", "5", "6"}, ints[2], ints[3]}
	for file, want := range map[string][][]string{
		"f4": f4, "f4_big": f4, "version2": f4, "version3": f4, "f8": f8, "f8_big": f8,
		"i1": ints, "i2": ints, "big_i2": ints, "i4": ints, "i8": ints, "big_i8": ints,
		"u1": unsigned, "u4": unsigned, "u8": unsigned,
		"vector": {{"1.5"}, {"NaN"}, {"-2"}}, "empty": nil,
	} {
		s := open(t, "testdata/"+file+".npy")
		got, _ := numbers(t, s, dataset.AsNumber, 0, s.Rows())
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s:\n%s", file, diff)
		}
		if c := s.Schema().Columns[0]; c.Float32 != (len(want) > 0 && want[0][0] == "0" && want[0][1] == "0.125" || file == "empty") {
			t.Errorf("%s: Float32 is %v", file, c.Float32)
		}
		if c := s.Schema().Columns[0]; c.Integer {
			got, _ := numbers(t, s, dataset.AsID, 0, s.Rows())
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s as ids:\n%s", file, diff)
			}
		}
		for first := range s.Rows() {
			for rows := range s.Rows() - first + 1 {
				part, _ := numbers(t, s, dataset.AsNumber, first, rows)
				if len(part) != int(rows) || rows > 0 && !cmp.Equal(part, got[first:first+rows]) {
					t.Errorf("%s: rows %d+%d: got %v", file, first, rows, part)
				}
			}
		}
	}
	if got, _ := numbers(t, open(t, "testdata/vector.npy"), dataset.AsText, 0, 3); !cmp.Equal(got, [][]string{{"1.5"}, {"missing"}, {"-2"}}) {
		t.Errorf("vector as text: got %v", got)
	}
}

func TestInfiniteNumbersAreBadRows(t *testing.T) {
	got, bad := numbers(t, open(t, "testdata/inf.npy"), dataset.AsNumber, 0, 3)
	if want := [][]string{{"NaN", "NaN"}, {"NaN", "2"}, {"NaN", "NaN"}}; !cmp.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	want := []string{
		"0 testdata/inf.npy: row 0, column x1: not a finite number: \"+Inf\"",
		"2 testdata/inf.npy: row 2, column x0: not a finite number: \"-Inf\"",
	}
	if diff := cmp.Diff(want, bad); diff != "" {
		t.Error(diff)
	}
}

func TestOtherArraysAreRefusedWithWhatToSave(t *testing.T) {
	const save = " (save it with np.save(path, np.ascontiguousarray(a, dtype=np.float32)), a having rows and columns)"
	for file, want := range map[string]string{
		"fortran": "is in Fortran order" + save,
		"object":  `holds values of type "|O"` + save,
		"record":  "holds records (a structured type)" + save,
		"half":    `holds values of type "<f2"` + save,
		"complex": `holds values of type "<c8"` + save,
		"text":    `holds values of type "<U2"` + save,
		"cube":    "has 3 dimensions, not 2" + save,
		"scalar":  "has 0 dimensions, not 2" + save,
	} {
		path := "testdata/" + file + ".npy"
		_, err := Open(context.Background(), path)
		if err == nil || err.Error() != path+": "+want || fault.Code(err) != 3 {
			t.Errorf("%s:\ngot  %v\nwant %s: %s", file, err, path, want)
		}
	}
}

// file puts a header of version 1 before n bytes of data.
func file(dict string, n int) string {
	return "\x93NUMPY\x01\x00" + string([]byte{byte(len(dict)), byte(len(dict) >> 8)}) + dict + strings.Repeat("\x00", n)
}

func TestHeadersThatLieAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	for name, c := range map[string]struct{ data, want string }{
		"empty":      {"", "is truncated or not an .npy file"},
		"text":       {"a,b\n1,2\n3,4\n", "is truncated or not an .npy file"},
		"no header":  {"\x93NUMPY\x01\x00\xff\xff{", "is truncated or not an .npy file"},
		"long":       {"\x93NUMPY\x02\x00\xff\xff\xff\xff{", "a header of 4294967295 bytes"},
		"version":    {"\x93NUMPY\x09\x00\x01\x00{", "the .npy version 9.0 is unknown"},
		"too short":  {file("{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", 23), "the header gives 3×2 values of 4 bytes, the file has 23"},
		"overflow":   {file("{'descr': '<f8', 'fortran_order': False, 'shape': (4611686018427387904, 2147483647), }", 8), "the header gives 4611686018427387904×2147483647"},
		"wide":       {file("{'descr': '<f8', 'fortran_order': False, 'shape': (1, 9223372036854775807), }", 8), "9223372036854775807 columns"},
		"empty wide": {file("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 2147483647), }", 8), "has 2147483647 columns; the limit is 1048576"},
		"negative":   {file("{'descr': '<f8', 'fortran_order': False, 'shape': (-1, 2), }", 8), "no sound number"},
		"no columns": {file("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 0), }", 8), "has no columns"},
		"no shape":   {file("{'descr': '<f8', 'fortran_order': False, }", 8), "lacks descr"},
		"other key":  {file("{'descr': '<f8', 'evil': __import__('os'), }", 8), "unknown key"},
		"no end":     {file("{'descr': '<f8', ", 8), "cannot be read"},
	} {
		if err := os.WriteFile(path, []byte(c.data), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Open(context.Background(), path)
		if fault.Code(err) != 3 || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: got %v (code %d), want %s", name, err, fault.Code(err), c.want)
		}
	}
}

func TestAChangedFileIsAnError(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.npy")
	data := []byte(file("{'descr': '<f4', 'fortran_order': False, 'shape': (9000,), }", 36000))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	r, err := s.Read(context.Background(), 0, s.Rows(), []dataset.Field{{}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data[:20_000], 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); fault.Code(err) != 3 || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("an open reader: got %v, want a change", err)
	}
	if _, err := s.Read(context.Background(), 0, 1, nil); fault.Code(err) != 3 {
		t.Errorf("a new reader: got %v, want a change", err)
	}
}

func TestAnotherFileOfTheSameSizeAndTimeIsAChange(t *testing.T) {
	folder := t.TempDir()
	path, other := filepath.Join(folder, "x.npy"), filepath.Join(folder, "y.npy")
	when := time.Now()
	for _, p := range []string{path, other} {
		if err := os.WriteFile(p, []byte(file("{'descr': '<f4', 'fortran_order': False, 'shape': (9,), }", 36)), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(p, when, when); err != nil {
			t.Fatal(err)
		}
	}
	s := open(t, path)
	if err := os.Rename(other, path); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Read(context.Background(), 0, 1, nil); fault.Code(err) != 3 || !strings.Contains(err.Error(), "has changed") {
		t.Errorf("got %v, want a change", err)
	}
}

// FuzzHeader holds the header's parser to memory in proportion to its input, and its shape to the file.
func FuzzHeader(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.npy")
	for _, name := range files {
		data, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		h, err := parseHeader(data[:min(len(data), maxHeader+12)], int64(len(data)))
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > uint64(1<<16+8*len(data)) {
			t.Fatalf("%d bytes allocated for %d bytes of input", used, len(data))
		}
		if err != nil {
			return
		}
		need := float64(h.rows) * float64(h.cols) * float64(h.dtype.size)
		if h.rows < 0 || h.cols <= 0 || h.data < 10 || need > math.Max(0, float64(int64(len(data))-h.data)) {
			t.Fatalf("accepted %+v for %d bytes", h, len(data))
		}
	})
}
