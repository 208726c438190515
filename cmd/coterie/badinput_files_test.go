package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go"

	"github.com/coterie-project/coterie/dataset/table"
)

// gzipped is text as gzip has it.
func gzipped(t testing.TB, text string) string {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// zstandard is text as zstd has it.
func zstandard(t testing.TB, text string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	return string(w.EncodeAll([]byte(text), nil))
}

// numbers is n rows of an id and two columns that no compressor makes small.
func numbers(n int) (ids []int64, x, y []float64) {
	state := uint64(1)
	for i := range n {
		state = state*6364136223846793005 + 1442695040888963407
		ids = append(ids, int64(i+1))
		x = append(x, float64(state>>40))
		y = append(y, float64(state>>20&0xfffff))
	}
	return ids, x, y
}

func numbersText(n int) string {
	var b strings.Builder
	b.WriteString("id,x,y\n")
	ids, x, y := numbers(n)
	for i := range ids {
		fmt.Fprintf(&b, "%d,%v,%v\n", ids[i], int64(x[i]), int64(y[i]))
	}
	return b.String()
}

// parquetOf is n rows as a Parquet file.
func parquetOf(t testing.TB, n int) string {
	t.Helper()
	ids, x, y := numbers(n)
	path := filepath.Join(t.TempDir(), "a.parquet")
	writeTable(t, path, n, []table.Column{{Name: "id", Type: table.Int64}, {Name: "x", Type: table.Float64}, {Name: "y", Type: table.Float64}}, ids, x, y)
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func writeTable(t testing.TB, path string, rows int, columns []table.Column, values ...any) {
	t.Helper()
	w, err := table.Create(path, columns, table.Options{Rows: int64(rows)})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	if err := w.Write(&table.Batch{Rows: rows, Columns: values}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
}

// npyOf is an .npy file with this header dictionary and data.
func npyOf(header string, data []byte) string {
	header += strings.Repeat(" ", 63-(10+len(header))%64) + "\n"
	return "\x93NUMPY\x01\x00" + string(binary.LittleEndian.AppendUint16(nil, uint16(len(header)))) + header + string(data)
}

// doubles is n numbers as they lie in memory.
func doubles(values ...float64) []byte {
	var b []byte
	for _, v := range values {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// fitting is a bad input of a single file, fitted with k = 2.
func fitting(name, file, content string, say ...string) badInput {
	return badInput{name: name, files: map[string]string{file: content},
		args: []string{"fit", file, "-k", "2", "-o", "model.json", "--labels", "labels.parquet"}, say: append([]string{file + ": "}, say...)}
}

func TestPackedFilesThatAreDamaged(t *testing.T) {
	text := numbersText(3000)
	var cases []badInput
	for _, file := range []struct{ name, content, kind string }{
		{"a.csv.gz", gzipped(t, text), "gzip"}, {"a.csv.zst", zstandard(t, text), "zstd"}} {
		n := len(file.content)
		for _, keep := range []int{0, 1, 3, 7, 12, 100, n / 2, n - 9, n - 4, n - 1} {
			cases = append(cases, fitting(fmt.Sprintf("%s cut to %d of %d", file.name, keep, n), file.name, file.content[:keep]))
		}
		for _, at := range []int{0, n / 3, n - 2} {
			flipped := []byte(file.content)
			flipped[at] ^= 0x40
			cases = append(cases, fitting(fmt.Sprintf("%s with byte %d of %d changed", file.name, at, n), file.name, string(flipped)))
		}
		cases = append(cases,
			fitting("text called "+file.name, file.name, four, "not "+file.kind, ".csv"),
			fitting(file.name+" of nothing", file.name, map[string]string{"gzip": gzipped(t, ""), "zstd": zstandard(t, "")}[file.kind], "empty"),
			fitting(file.kind+" called csv", "a.csv", file.content, file.kind, file.name[len("a"):]),
			badInput{name: "bad value in " + file.name, files: map[string]string{file.name: map[string]string{"gzip": gzipped(t, "x,y\n1,2\n3,b\n4,5\n"),
				"zstd": zstandard(t, "x,y\n1,2\n3,b\n4,5\n")}[file.kind]}, args: []string{"fit", file.name, "-k", "2", "-o", "model.json"},
				say: []string{file.name + ": line 3, column y: ", `"b"`}})
	}
	runBad(t, cases)
}

func TestParquetFilesThatAreDamaged(t *testing.T) {
	whole := parquetOf(t, 1000)
	n := len(whole)
	footer := int(binary.LittleEndian.Uint32([]byte(whole[n-8:])))
	withLength := func(length uint32) string {
		return whole[:n-8] + string(binary.LittleEndian.AppendUint32(nil, length)) + "PAR1"
	}
	// The footer has counts of rows and values as a field of type i64: 1000 in zigzag is 0xd0 0x0f.
	from := n - 8 - footer
	lie := func(times int) string {
		return whole[:from] + strings.Replace(whole[from:], "\x16\xd0\x0f", "\x16\xd2\x0f", times)
	}
	if lie(1) == whole {
		t.Fatal("the footer's number of rows was not found")
	}
	cases := []badInput{
		fitting("footer longer than the file", "a.parquet", withLength(uint32(n)), "truncated"),
		fitting("footer of 4 GB", "a.parquet", withLength(math.MaxUint32), "truncated"),
		fitting("footer of nothing", "a.parquet", withLength(0)),
		fitting("footer cut short", "a.parquet", withLength(uint32(footer/2))),
		fitting("footer says one row more", "a.parquet", lie(1)),
		fitting("footer says one row more throughout", "a.parquet", lie(-1)),
		fitting("text called Parquet", "a.parquet", four, "Parquet"),
		fitting("empty Parquet", "a.parquet", ""),
		fitting("no magic at the end", "a.parquet", whole[:n-1]+"2"),
		fitting("no rows", "a.parquet", parquetOf(t, 0), "no rows"),
		fitting("Parquet called csv", "a.csv", whole, "Parquet", ".parquet"),
	}
	for _, keep := range []int{1, 4, 8, 12, n / 3, n - 1, n - 5, n - 8, n - footer, n - footer - 8} {
		cases = append(cases, fitting(fmt.Sprintf("cut to %d of %d", keep, n), "a.parquet", whole[:keep]))
	}
	for _, at := range []int{n / 4, n / 2, 3 * n / 4} {
		flipped := []byte(whole)
		flipped[at] ^= 0x04
		cases = append(cases, fitting(fmt.Sprintf("byte %d of %d changed", at, n), "a.parquet", string(flipped)))
	}
	runBad(t, cases)
}

func TestValuesInParquet(t *testing.T) {
	file := func(y ...float64) string {
		path := filepath.Join(t.TempDir(), "a.parquet")
		x, ids, text := make([]float64, len(y)), make([]int64, len(y)), make([]string, len(y))
		for i := range y {
			x[i], ids[i], text[i] = float64(i), int64(10+i%3), fmt.Sprint("t", i)
		}
		writeTable(t, path, len(y), []table.Column{{Name: "x", Type: table.Float64}, {Name: "y", Type: table.Float64, Nullable: true},
			{Name: "id", Type: table.Int64}, {Name: "name", Type: table.Text}}, x, y, ids, text)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
	here := "row 2, column y"
	cases := []badInput{
		fitting("infinite", "a.parquet", file(1, 2, math.Inf(1)), here, "Inf"),
		fitting("null", "a.parquet", file(1, 2, math.NaN()), here, "no value"),
		fitting("duplicate id", "a.parquet", file(1, 2, 3, 4), "row 3, column id", "10", "row 0"),
		{name: "too large", files: map[string]string{"a.parquet": file(1, 2, 1e39)}, say: []string{"a.parquet: " + here, "1e+39", "too large"},
			args: []string{"fit", "a.parquet", "-k", "2", "-o", "model.json", "--scale", "none"}},
		{name: "text as a feature", files: map[string]string{"a.parquet": file(1, 2, 3)}, say: []string{"a.parquet: ", "column name"},
			args: []string{"fit", "a.parquet", "-k", "2", "-o", "model.json", "--features", "x,name"}},
		{name: "column not found", files: map[string]string{"a.parquet": file(1, 2, 3)}, say: []string{"a.parquet: ", `"nam"`, `did you mean "name"?`},
			args: []string{"fit", "a.parquet", "-k", "2", "-o", "model.json", "--features", "nam"}},
	}
	runBad(t, cases)
}

func TestNestedParquetColumns(t *testing.T) {
	type address struct {
		Street string  `parquet:"street"`
		Lat    float64 `parquet:"lat"`
	}
	type customer struct {
		X       float64   `parquet:"x"`
		Address address   `parquet:"address"`
		Visits  []float64 `parquet:"visits,list"`
		Plain   []float64 `parquet:"plain"`
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[customer](&out)
	rows := []customer{{X: 1, Visits: []float64{1, 2}, Plain: []float64{1}}, {X: 2}, {X: 9}}
	if _, err := w.Write(rows); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	files := map[string]string{"a.parquet": out.String()}
	fit := []string{"fit", "a.parquet", "-k", "2", "-o", "model.json", "--features"}
	runBad(t, []badInput{
		{name: "struct", files: files, args: append(fit, "x,address"), say: []string{"a.parquet: ", "address", "nested"}, bare: true},
		{name: "list", files: files, args: append(fit, "visits"), say: []string{"a.parquet: ", "visits", "nested"}, bare: true},
		{name: "repeated", files: files, args: append(fit, "plain"), say: []string{"a.parquet: ", "plain", "nested"}, bare: true},
	})
	enter(t)
	write(t, "a.parquet", out.String())
	if got := coterie("fit", "a.parquet", "-k", "2", "-o", "model.json", "--json"); got.code != 0 || !strings.Contains(got.stdout, `"columns":1,`) {
		t.Errorf("got %+v, want the nested columns left alone", got)
	}
}

func TestMatricesThatAreDamaged(t *testing.T) {
	header := func(descr, shape string) string {
		return fmt.Sprintf("{'descr': %s, 'fortran_order': False, 'shape': %s, }", descr, shape)
	}
	six := doubles(1, 2, 3, 4, 5, 6)
	f8 := "'<f8'"
	runBad(t, []badInput{
		fitting("more rows than data", "a.npy", npyOf(header(f8, "(4, 2)"), six), "4"),
		fitting("fewer rows than data", "a.npy", npyOf(header(f8, "(2, 2)"), six)),
		fitting("rows beyond all memory", "a.npy", npyOf(header(f8, "(1152921504606846976, 2)"), six)),
		fitting("rows beyond int64", "a.npy", npyOf(header(f8, "(99999999999999999999999, 2)"), six)),
		fitting("columns beyond all memory", "a.npy", npyOf(header(f8, "(3, 4611686018427387904)"), six)),
		fitting("negative rows", "a.npy", npyOf(header(f8, "(-3, 2)"), six)),
		fitting("no rows", "a.npy", npyOf(header(f8, "(0, 2)"), nil), "no rows"),
		fitting("no columns", "a.npy", npyOf(header(f8, "(3, 0)"), nil)),
		fitting("a cube", "a.npy", npyOf(header(f8, "(1, 3, 2)"), six), "dimension"),
		fitting("objects", "a.npy", npyOf(header("'|O'", "(3, 2)"), six), "|O"),
		fitting("text", "a.npy", npyOf(header("'<U3'", "(3, 1)"), make([]byte, 36)), "<U3"),
		fitting("complex numbers", "a.npy", npyOf(header("'<c16'", "(3, 1)"), six), "<c16"),
		fitting("records", "a.npy", npyOf(header("[('a', '<f8'), ('b', '<f8')]", "(3,)"), six)),
		fitting("header that is none", "a.npy", npyOf("hello", six)),
		fitting("header longer than the file", "a.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff{'descr'"),
		fitting("unknown version", "a.npy", "\x93NUMPY\x09\x00"+npyOf(header(f8, "(3, 2)"), six)[8:], "9"),
		fitting("cut within the magic", "a.npy", "\x93NUM"),
		fitting("cut within the header", "a.npy", npyOf(header(f8, "(3, 2)"), six)[:50]),
		fitting("empty", "a.npy", ""),
		fitting("text called npy", "a.npy", four, ".npy"),
		fitting("infinite", "a.npy", npyOf(header(f8, "(3, 2)"), doubles(1, 2, 3, 4, math.Inf(-1), 6)), "row 2, column x0", "Inf"),
		fitting("missing", "a.npy", npyOf(header(f8, "(3, 2)"), doubles(1, 2, 3, math.NaN(), 5, 6)), "row 1, column x1", "no value"),
	})
}

func TestFilesThatCannotBeRead(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root reads everything")
	}
	lock := func(names ...string) func(t *testing.T) {
		return func(t *testing.T) {
			for _, name := range names {
				if err := os.Chmod(name, 0); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { os.Chmod(name, 0o700) })
			}
		}
	}
	runBad(t, []badInput{
		{name: "file", files: a(four), setup: lock("a.csv"), say: []string{"a.csv: ", "permission"}},
		{name: "packed", files: map[string]string{"a.csv.gz": gzipped(t, four)}, setup: lock("a.csv.gz"),
			args: []string{"fit", "a.csv.gz", "-k", "2", "-o", "model.json"}, say: []string{"a.csv.gz: ", "permission"}},
		{name: "parquet", files: map[string]string{"a.parquet": parquetOf(t, 5)}, setup: lock("a.parquet"),
			args: []string{"fit", "a.parquet", "-k", "2", "-o", "model.json"}, say: []string{"a.parquet: ", "permission"}},
		{name: "folder", setup: func(t *testing.T) { folder(t, "d", "a.csv"); lock("d")(t) },
			args: []string{"fit", "d", "-k", "2", "-o", "model.json"}, say: []string{"d: ", "permission"}},
		{name: "model", files: map[string]string{"a.csv": four, "m.json": "x"}, setup: lock("m.json"), args: assignA, say: []string{"m.json: ", "permission"}},
		{name: "no right to write", files: a(four), setup: func(t *testing.T) {
			folder(t, "d")
			if err := os.Chmod("d", 0o500); err != nil {
				t.Fatal(err)
			}
		}, args: []string{"fit", "a.csv", "-k", "2", "-o", "model.json", "--labels", "d/l.csv"}, code: 1, say: []string{"d/l.csv: ", "permission"}},
	})
}
