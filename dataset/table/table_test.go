package table_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	library "github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/npy"
	"github.com/coterie-project/coterie/dataset/parquet"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
)

// everyType is a column of each type, nullable where that means something.
var everyType = []table.Column{
	{Name: "i32", Type: table.Int32}, {Name: "i64", Type: table.Int64}, {Name: "f32", Type: table.Float32},
	{Name: "f64", Type: table.Float64}, {Name: "text", Type: table.Text}, {Name: "time", Type: table.Time},
	{Name: "date", Type: table.Date}, {Name: "bool", Type: table.Bool}, {Name: "word", Type: table.Text},
	{Name: "f32n", Type: table.Float32, Nullable: true}, {Name: "f64n", Type: table.Float64, Nullable: true},
	{Name: "textn", Type: table.Text, Nullable: true}, {Name: "timen", Type: table.Time, Nullable: true},
	{Name: "daten", Type: table.Date, Nullable: true}, {Name: "same", Type: table.Int32},
	{Name: "nothing", Type: table.Float64, Nullable: true}, {Name: "wide", Type: table.Int32},
}

// rowsOfEveryType makes rows of everyType, with missing values where they may be.
func rowsOfEveryType(n int) *table.Batch {
	r := rand.New(rand.NewPCG(7, 7))
	b := &table.Batch{Rows: n}
	missing := func() bool { return r.IntN(4) == 0 }
	gen := []func(i int) any{
		func(i int) any { return int32(r.IntN(50)) },
		func(i int) any { return int64(i) * 1_000_000_007 },
		func(i int) any { return float32(r.NormFloat64()) },
		func(i int) any { return r.NormFloat64() },
		func(i int) any { return fmt.Sprintf("text \"%d\", ü\n", i) },
		func(i int) any { return int64(i) * 86_399_999_999 },
		func(i int) any { return int32(i - n/2) },
		func(i int) any { return i%3 == 0 },
		func(i int) any { return []string{"red", "green", "", "blue"}[r.IntN(4)] },
		func(i int) any { return float32(maybe(missing(), math.NaN(), r.Float64())) },
		func(i int) any { return maybe(missing(), math.NaN(), r.Float64()) },
		func(i int) any { return maybe(missing(), "", fmt.Sprint("v", i)) },
		func(i int) any { return maybe(missing(), table.NoTime, int64(i)) },
		func(i int) any { return maybe(missing(), table.NoDate, int32(i%10)) },
		func(i int) any { return int32(7) },
		func(i int) any { return math.NaN() },
		func(i int) any { return int32(r.Uint32()) },
	}
	for c := range everyType {
		switch everyType[c].Type {
		case table.Int32, table.Date:
			b.Columns = append(b.Columns, fill[int32](n, gen[c]))
		case table.Int64, table.Time:
			b.Columns = append(b.Columns, fill[int64](n, gen[c]))
		case table.Float32:
			b.Columns = append(b.Columns, fill[float32](n, gen[c]))
		case table.Float64:
			b.Columns = append(b.Columns, fill[float64](n, gen[c]))
		case table.Text:
			b.Columns = append(b.Columns, fill[string](n, gen[c]))
		case table.Bool:
			b.Columns = append(b.Columns, fill[bool](n, gen[c]))
		}
	}
	return b
}

func maybe[T any](is bool, a, b T) T {
	if is {
		return a
	}
	return b
}

func fill[T any](n int, gen func(int) any) []T {
	out := make([]T, n)
	for i := range out {
		out[i] = gen(i).(T)
	}
	return out
}

// slice is rows [from, to) of a batch; texts change between their two forms, which must make no difference.
func slice(b *table.Batch, from, to int) *table.Batch {
	out := &table.Batch{Rows: to - from}
	for _, c := range b.Columns {
		switch v := c.(type) {
		case []int32:
			c = v[from:to]
		case []int64:
			c = v[from:to]
		case []float32:
			c = v[from:to]
		case []float64:
			c = v[from:to]
		case []bool:
			c = v[from:to]
		case []string:
			c = v[from:to]
			if from%2 == 1 {
				s := dataset.Strings{Offsets: []int{0}}
				for _, text := range v[from:to] {
					s.Data = append(s.Data, text...)
					s.Offsets = append(s.Offsets, len(s.Data))
				}
				c = s
			}
		}
		out.Columns = append(out.Columns, c)
	}
	return out
}

// write makes a file of the batch, cut into pieces of the given size, and gives its bytes.
func write(t testing.TB, path string, columns []table.Column, b *table.Batch, piece int) []byte {
	t.Helper()
	w, err := table.Create(path, columns, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for from := 0; from < b.Rows; from += piece {
		if err := w.Write(slice(b, from, min(from+piece, b.Rows))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// cells reads a file back as text, row by row; a missing value is "-".
func cells(t testing.TB, s dataset.Source) [][]string {
	t.Helper()
	var fields []dataset.Field
	for i := range s.Schema().Columns {
		fields = append(fields, dataset.Field{Column: i, As: dataset.AsText})
	}
	r, err := s.Read(context.Background(), 0, s.Rows(), fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out [][]string
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range b.Rows {
			row := make([]string, len(fields))
			for c := range b.Columns {
				v := &b.Columns[c]
				if row[c] = string(v.Text.At(i)); v.Missing != nil && v.Missing[i] {
					row[c] = "-"
				}
			}
			out = append(out, row)
		}
	}
}

func TestParquetGivesBackEveryType(t *testing.T) {
	const n = 3000
	b := rowsOfEveryType(n)
	folder := t.TempDir()
	write(t, filepath.Join(folder, "x.parquet"), everyType, b, 1000)
	s, err := parquet.Open(context.Background(), filepath.Join(folder, "x.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	csvBytes := write(t, filepath.Join(folder, "x.csv"), everyType, b, n)
	records, err := csv.NewReader(bytes.NewReader(csvBytes)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	got := cells(t, s)
	want := records[1:]
	// In CSV a missing value is an empty cell; a column that is not nullable keeps its empty texts in Parquet.
	for _, row := range want {
		for c := range row {
			if row[c] == "" && everyType[c].Nullable {
				row[c] = "-"
			}
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("CSV and Parquet differ:\n%s", diff[:min(len(diff), 2000)])
	}
}

// parquet-go reads our files with its own decoder: values, nulls, checksums.
func TestTheLibraryReadsOurParquet(t *testing.T) {
	const n = 70_000 // more than one page
	b := rowsOfEveryType(n)
	data := write(t, filepath.Join(t.TempDir(), "x.parquet"), everyType, b, 999)
	f, err := library.OpenFile(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	if f.NumRows() != n {
		t.Fatalf("got %d rows, want %d", f.NumRows(), n)
	}
	for c := range everyType {
		at := 0
		for _, g := range f.RowGroups() {
			pages := g.ColumnChunks()[c].Pages()
			for {
				p, err := pages.ReadPage()
				if err == io.EOF {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				values := make([]library.Value, p.NumValues())
				if k, err := p.Values().ReadValues(values); err != nil && err != io.EOF || k != len(values) {
					t.Fatalf("read %d of %d values: %v", k, len(values), err)
				}
				for _, v := range values {
					if got, want := fromLibrary(v), ours(b.Columns[c], everyType[c], at); got != want {
						t.Fatalf("column %s, row %d: got %s, want %s", everyType[c].Name, at, got, want)
					}
					at++
				}
			}
			pages.Close()
		}
		if at != n {
			t.Fatalf("column %s: got %d values, want %d", everyType[c].Name, at, n)
		}
	}
}

func fromLibrary(v library.Value) string {
	if v.IsNull() {
		return "null"
	}
	switch v.Kind() {
	case library.Float:
		return fmt.Sprint(v.Float())
	case library.Double:
		return fmt.Sprint(v.Double())
	case library.ByteArray:
		return string(v.ByteArray())
	}
	return v.String()
}

func ours(values any, c table.Column, i int) string {
	var text string
	null := false
	switch v := values.(type) {
	case []int32:
		text, null = fmt.Sprint(v[i]), v[i] == table.NoDate
	case []int64:
		text, null = fmt.Sprint(v[i]), v[i] == table.NoTime
	case []float32:
		text, null = fmt.Sprint(v[i]), v[i] != v[i]
	case []float64:
		text, null = fmt.Sprint(v[i]), v[i] != v[i]
	case []string:
		text, null = v[i], v[i] == ""
	case []bool:
		text = fmt.Sprint(v[i])
	}
	if null && c.Nullable {
		return "null"
	}
	return text
}

// More rows than a row group holds, in batches of any size, on any number of processors: one file.
func TestTheSameRowsGiveTheSameBytes(t *testing.T) {
	folder := t.TempDir()
	numeric := []table.Column{{Name: "a", Type: table.Float32}, {Name: "b", Type: table.Int32}}
	for _, c := range []struct {
		name    string
		columns []table.Column
		batch   *table.Batch
	}{
		{"x.csv", everyType, rowsOfEveryType(2000)},
		{"x.csv.gz", everyType, rowsOfEveryType(2000)},
		{"x.csv.zst", everyType, rowsOfEveryType(9000)},
		{"x.parquet", everyType, rowsOfEveryType(70_001)},
		{"x.npy", numeric, &table.Batch{Rows: 1000, Columns: []any{make([]float32, 1000), make([]int32, 1000)}}},
	} {
		path := filepath.Join(folder, c.name)
		want := write(t, path, c.columns, c.batch, c.batch.Rows)
		for _, piece := range []int{1, 97, 65_537} {
			if piece == 1 && c.batch.Rows > 5000 {
				continue
			}
			before := runtime.GOMAXPROCS(1 + piece%2*3)
			got := write(t, path, c.columns, c.batch, piece)
			runtime.GOMAXPROCS(before)
			if !bytes.Equal(got, want) {
				t.Errorf("%s: batches of %d rows give other bytes than one of %d", c.name, piece, c.batch.Rows)
			}
		}
	}
}

// A reader that begins in the middle of a large chunk goes by what the file says of its pages.
func TestChunksOfManyPagesSayWhereTheyLie(t *testing.T) {
	const n = 3*(1<<16) + 5
	columns := []table.Column{{Name: "x", Type: table.Float32}, {Name: "word", Type: table.Text, Nullable: true}}
	x, words := make([]float32, n), make([]string, n)
	for i := range n {
		x[i], words[i] = float32(i)/8, []string{"red", "", "blue"}[i/1000%3]
	}
	for rows, pages := range map[int]int{n: 4, 1 << 16: 0} {
		path := filepath.Join(t.TempDir(), "x.parquet")
		data := write(t, path, columns, &table.Batch{Rows: rows, Columns: []any{x[:rows], words[:rows]}}, rows)
		f, err := library.OpenFile(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range f.Metadata().RowGroups[0].Columns {
			var index format.OffsetIndex
			if c.OffsetIndexLength > 0 {
				if err := thrift.Unmarshal(new(thrift.CompactProtocol), data[c.OffsetIndexOffset:][:c.OffsetIndexLength], &index); err != nil {
					t.Fatal(err)
				}
			}
			if len(index.PageLocations) != pages {
				t.Fatalf("%d rows: the index of %v has %d pages, want %d", rows, c.MetaData.PathInSchema, len(index.PageLocations), pages)
			}
			end := c.MetaData.DataPageOffset
			for i, p := range index.PageLocations {
				if p.FirstRowIndex != int64(i)<<16 || p.Offset != end {
					t.Errorf("page %d of %v is at %d with row %d, want %d with row %d", i, c.MetaData.PathInSchema, p.Offset, p.FirstRowIndex, end, i<<16)
				}
				end = p.Offset + int64(p.CompressedPageSize)
			}
		}
		s, err := parquet.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		all := cells(t, s)
		for _, first := range []int64{1<<16 - 3, int64(rows) - 3} {
			r, err := s.Read(t.Context(), first, 3, []dataset.Field{{Column: 0}, {Column: 1, As: dataset.AsText}})
			if err != nil {
				t.Fatal(err)
			}
			b, err := r.Next()
			if err != nil {
				t.Fatal(err)
			}
			for i := range b.Rows {
				want := all[first+int64(i)]
				if got := fmt.Sprint(b.Columns[0].Float32[i]); got != fmt.Sprint(x[first+int64(i)]) || string(b.Columns[1].Text.At(i)) != strings.TrimPrefix(want[1], "-") {
					t.Errorf("row %d: got %s, want %s", first+int64(i), got, want)
				}
			}
			r.Close()
		}
	}
}

func TestRowGroupsAreFixed(t *testing.T) {
	const n = 2<<20 + 12345
	columns := []table.Column{{Name: "segment", Type: table.Int32}}
	segments := make([]int32, n)
	for i := range segments {
		segments[i] = int32(i % 13)
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	data := write(t, path, columns, &table.Batch{Rows: n, Columns: []any{segments}}, 100_003)
	s, err := parquet.Open(context.Background(), path)
	if err != nil {
		t.Fatal(err)
	}
	if want := []int64{0, 1 << 20, 2 << 20}; !slices.Equal(s.Cuts(), want) || s.Rows() != n {
		t.Errorf("got cuts %v of %d rows, want %v of %d", s.Cuts(), s.Rows(), want, n)
	}
	if len(data) > n {
		t.Errorf("13 segments take %d bytes for %d rows: the dictionary is not in use", len(data), n)
	}
}

func TestCSVQuotesAndNumbers(t *testing.T) {
	columns := []table.Column{{Name: "a,b", Type: table.Text}, {Name: "x", Type: table.Float64}, {Name: "y", Type: table.Float32}}
	b := &table.Batch{Rows: 4, Columns: []any{
		[]string{"plain", `say "hi"`, "two\nlines", " space"},
		[]float64{1, math.NaN(), 1e-7, 123456789.25}, []float32{0.1, 1e21, -0.5, 16777216},
	}}
	got := string(write(t, filepath.Join(t.TempDir(), "x.csv"), columns, b, 4))
	want := "\"a,b\",x,y\nplain,1,0.1\n\"say \"\"hi\"\"\",,1e+21\n\"two\nlines\",1e-7,-0.5\n\" space\",123456789.25,16777216\n"
	if got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	one := []table.Column{{Name: "only", Type: table.Text}}
	got = string(write(t, filepath.Join(t.TempDir(), "y.csv"), one, &table.Batch{Rows: 2, Columns: []any{[]string{"", "b"}}}, 2))
	if want := "only\n\"\"\nb\n"; got != want {
		t.Errorf("a lone empty cell: got %q, want %q", got, want)
	}
}

func TestCompressedCSVHoldsThePlainOne(t *testing.T) {
	folder := t.TempDir()
	b := rowsOfEveryType(10_000)
	want := write(t, filepath.Join(folder, "x.csv"), everyType, b, 1000)
	z, err := gzip.NewReader(bytes.NewReader(write(t, filepath.Join(folder, "x.csv.gz"), everyType, b, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
		t.Errorf("gzip: other content (%v)", err)
	}
	d, err := zstd.NewReader(bytes.NewReader(write(t, filepath.Join(folder, "x.csv.zst"), everyType, b, 1000)))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	if got, err := io.ReadAll(d); err != nil || !bytes.Equal(got, want) {
		t.Errorf("zstd: other content (%v)", err)
	}
}

func TestNPYGivesBackTheMatrix(t *testing.T) {
	folder := t.TempDir()
	for _, c := range []struct {
		name    string
		columns []table.Column
		values  []any
		float32 bool
	}{
		{"float32", []table.Column{{Name: "a", Type: table.Float32}, {Name: "b", Type: table.Int32}},
			[]any{[]float32{1.5, float32(math.NaN()), -2}, []int32{7, 8, 9}}, true},
		{"float64", []table.Column{{Name: "a", Type: table.Int64}, {Name: "b", Type: table.Bool}},
			[]any{[]int64{1, -1 << 53, 3}, []bool{true, false, true}}, false},
	} {
		b := &table.Batch{Rows: 3, Columns: c.values}
		path := filepath.Join(folder, c.name+".npy")
		unknown := write(t, path, c.columns, b, 2)
		s, err := npy.Open(context.Background(), path)
		if err != nil {
			t.Fatal(err)
		}
		var want [][]string
		for i := range 3 {
			want = append(want, []string{npyText(c.values[0], i), npyText(c.values[1], i)})
		}
		if diff := cmp.Diff(want, cells(t, s)); diff != "" {
			t.Errorf("%s:\n%s", c.name, diff)
		}
		if got := s.Schema().Columns[0].Float32; got != c.float32 {
			t.Errorf("%s: got float32 %v, want %v", c.name, got, c.float32)
		}
		w, err := table.Create(path, c.columns, table.Options{Rows: 3})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
		if err := w.Commit(); err != nil {
			t.Fatal(err)
		}
		if known, _ := os.ReadFile(path); !bytes.Equal(known, unknown) {
			t.Errorf("%s: knowing the number of rows changes the file", c.name)
		}
	}
}

func npyText(values any, i int) string {
	switch v := values.(type) {
	case []bool:
		return maybe(v[i], "1", "0")
	case []float32:
		if v[i] != v[i] {
			return "-"
		}
	}
	return ours(values, table.Column{}, i)
}

func TestCreateRefusesWhatItCannotWrite(t *testing.T) {
	folder := t.TempDir()
	text := []table.Column{{Name: "name", Type: table.Text}}
	for _, c := range []struct {
		path    string
		columns []table.Column
		code    int
		want    string
	}{
		{"labels.xlsx", text, 2, "unknown extension (end it in .csv, .csv.gz, .csv.zst, .parquet or .npy)"},
		{"labels", text, 2, "unknown extension"},
		{"labels.npy", text, 2, "cannot hold column name: an .npy file holds numbers only"},
		{"missing/labels.csv", text, 1, "missing"},
		{"missing/labels.parquet", text, 1, "missing"},
		{"twice.csv", append(text, text...), 2, "two columns called name"},
		{"none.csv", nil, 2, "no columns"},
	} {
		_, err := table.Create(filepath.Join(folder, c.path), c.columns, table.Options{})
		if fault.Code(err) != c.code || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v (code %d), want %q (code %d)", c.path, err, fault.Code(err), c.want, c.code)
		}
	}
	left(t, folder)
}

// left fails if a file lies in the folder.
func left(t *testing.T, folder string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		t.Errorf("%s is left", e.Name())
	}
}

func TestNothingIsLeftAfterAbortOrError(t *testing.T) {
	for _, name := range []string{"x.csv", "x.csv.gz", "x.csv.zst", "x.parquet", "x.npy"} {
		folder := t.TempDir()
		columns := []table.Column{{Name: "a", Type: table.Int64}, {Name: "b", Type: table.Float64}}
		good := &table.Batch{Rows: 1, Columns: []any{[]int64{1}, []float64{2}}}
		create := func(o table.Options) table.Writer {
			w, err := table.Create(filepath.Join(folder, name), columns, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Write(good); err != nil {
				t.Fatal(err)
			}
			return w
		}
		w := create(table.Options{})
		for _, bad := range []*table.Batch{
			{Rows: 1, Columns: []any{[]int64{1}}},
			{Rows: 1, Columns: []any{[]int64{1}, []float32{2}}},
			{Rows: 2, Columns: []any{[]int64{1, 2}, []float64{2}}},
		} {
			if err := w.Write(bad); err == nil {
				t.Errorf("%s: a batch of the wrong shape is written", name)
			}
		}
		if err := w.Abort(); err != nil {
			t.Error(err)
		}
		if err := w.Write(good); err == nil {
			t.Errorf("%s: written after Abort", name)
		}
		if err := w.Commit(); err == nil {
			t.Errorf("%s: committed after Abort", name)
		}
		left(t, folder)
	}
}

func TestIntegersThatAFloatWouldChangeAreRefused(t *testing.T) {
	folder := t.TempDir()
	w, err := table.Create(filepath.Join(folder, "x.npy"), []table.Column{{Name: "id", Type: table.Int64}}, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	err = w.Write(&table.Batch{Rows: 2, Columns: []any{[]int64{1, 1<<53 + 1}}})
	want := folder + "/x.npy: row 1, column id: the integer 9007199254740993 does not fit a float64 (write .parquet or .csv)"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := w.Commit(); err == nil {
		t.Error("committed after an error")
	}
	left(t, folder)
	w, err = table.Create(filepath.Join(folder, "y.npy"), []table.Column{{Name: "id", Type: table.Int64}}, table.Options{Rows: 5})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err == nil {
		t.Error("committed with fewer rows than announced")
	}
	left(t, folder)
}

func TestAMissingTimeNeedsANullableColumn(t *testing.T) {
	w, err := table.Create(filepath.Join(t.TempDir(), "x.parquet"), []table.Column{{Name: "seen", Type: table.Time}}, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(&table.Batch{Rows: 1, Columns: []any{[]int64{table.NoTime}}}); err == nil || !strings.Contains(err.Error(), "seen") {
		t.Errorf("got %v, want an error that names the column", err)
	}
}

func TestAnEmptyTableIsAFileWithoutRows(t *testing.T) {
	folder := t.TempDir()
	columns := []table.Column{{Name: "a", Type: table.Float64}}
	for _, name := range []string{"x.csv", "x.parquet", "x.npy"} {
		write(t, filepath.Join(folder, name), columns, &table.Batch{}, 1)
	}
	for name, open := range map[string]func(context.Context, string) (dataset.Source, error){
		"x.parquet": parquet.Open, "x.npy": npy.Open,
	} {
		s, err := open(context.Background(), filepath.Join(folder, name))
		if err != nil || s.Rows() != 0 || len(s.Cuts()) != 1 || len(cells(t, s)) != 0 {
			t.Errorf("%s: got %v, %v, want no rows", name, s, err)
		}
	}
}
