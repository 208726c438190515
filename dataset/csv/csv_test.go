package csv

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/spool"
	"github.com/coterie-project/coterie/internal/fault"
)

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t testing.TB, name, text string) *Table {
	t.Helper()
	table, err := Open(context.Background(), write(t, name, text), Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { table.Close() })
	return table
}

// read renders rows as text, one string a row, with bad rows as "!line: column: reason".
func read(t testing.TB, s dataset.Source, first, rows int64, as ...dataset.As) []string {
	t.Helper()
	fields := make([]dataset.Field, len(as))
	for i := range as {
		fields[i] = dataset.Field{Column: i, As: as[i]}
	}
	r, err := s.Read(context.Background(), first, rows, fields)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	list := []string{}
	for {
		b, err := r.Next()
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		if b.First != first+int64(len(list)) || b.Rows < 1 || b.Rows > dataset.BlockRows {
			t.Fatalf("block of %d rows at %d, want one at %d", b.Rows, b.First, first+int64(len(list)))
		}
		for i := range b.Rows {
			list = append(list, render(b, i))
		}
		for _, bad := range b.Bad {
			list[len(list)-b.Rows+bad.Index] = fmt.Sprintf("!%d: %s: %s", bad.Place.Line, bad.Place.Column, bad.Reason)
		}
	}
}

func render(b *dataset.Block, i int) string {
	cells := []string{}
	for c := range b.Columns {
		v := &b.Columns[c]
		switch {
		case v.Missing != nil && v.Missing[i]:
			cells = append(cells, "·")
		case v.Float64 != nil:
			cells = append(cells, fmt.Sprint(v.Float64[i]))
		case v.Micros != nil:
			cells = append(cells, fmt.Sprint(v.Micros[i]))
		default:
			cells = append(cells, string(v.Text.At(i)))
		}
	}
	return strings.Join(cells, "|")
}

func kinds(s dataset.Source) string {
	var list []string
	for _, c := range s.Schema().Columns {
		list = append(list, c.Name+":"+[]string{"number", "text", "bool", "time"}[c.Kind])
	}
	return strings.Join(list, " ")
}

func TestDialectsGiveTheSameRows(t *testing.T) {
	want := []string{"1|x, y", "2|say \"hi\"", "3|two\nlines", "NaN|·"}
	text := "id,name\n1,\"x, y\"\n2,\"say \"\"hi\"\"\"\n3,\"two\nlines\"\n,\n"
	swap := func(d string) string {
		s := strings.ReplaceAll(text, "x, y", "x\x00 y")
		return strings.ReplaceAll(strings.ReplaceAll(s, ",", d), "\x00", ",")
	}
	for name, text := range map[string]string{
		"comma": text, "semicolon": swap(";"), "tab": swap("\t"), "bar": swap("|"),
		"byte order mark":   "\xef\xbb\xbf" + text,
		"CRLF":              strings.ReplaceAll(strings.ReplaceAll(text, "\n", "\r\n"), "two\r\n", "two\n"),
		"no newline at end": strings.TrimSuffix(text, "\n"),
		"blank lines":       "\n\r\n" + strings.ReplaceAll(text, "\n2", "\n\n\r\n\n2") + "\n\r\n",
		"quoted numbers":    strings.NewReplacer("\n1", "\n\"1\"", "\n2", "\n\"2\"").Replace(text),
		"spaces":            strings.NewReplacer("\n1", "\n 1 ", "id,", " id ,").Replace(text),
	} {
		t.Run(name, func(t *testing.T) {
			table := open(t, "t.csv", text)
			if got := kinds(table); got != "id:number name:text" {
				t.Errorf("schema %q", got)
			}
			if diff := cmp.Diff(want, read(t, table, 0, table.Rows(), dataset.AsNumber, dataset.AsText)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestKindsOfColumns(t *testing.T) {
	for cells, want := range map[string]dataset.Kind{
		"1 2.5 -3e4": dataset.Number, "1 2 oops": dataset.Number, "1 oops": dataset.Text, "NA 1": dataset.Number, "007 8": dataset.Number,
		"NA None null": dataset.Text, "true FALSE True": dataset.Bool, "true 1": dataset.Text, "true nan": dataset.Bool,
		"2024-02-29 2024-03-01T10:11:12Z": dataset.Time, "2023-02-29": dataset.Text, "2024-01-01 x": dataset.Text,
		"01/02/2024": dataset.Text, "0x10 0x20": dataset.Text, "1_000": dataset.Text, "inf Infinity": dataset.Text,
	} {
		text := "c,d\n"
		for _, cell := range strings.Fields(cells) {
			text += cell + ",1\n"
		}
		if got := open(t, "t.csv", text).Schema().Columns[0].Kind; got != want {
			t.Errorf("%q is of kind %d, want %d", cells, got, want)
		}
	}
}

func TestOnlyTheSampleDecidesAboutKinds(t *testing.T) {
	path := write(t, "t.csv", "a\n1\n2\nx\ny\nz\n")
	table, err := Open(context.Background(), path, Options{SampleRows: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := kinds(table); got != "a:number" {
		t.Errorf("schema %q, want a number from the first three rows", got)
	}
}

func TestRepresentations(t *testing.T) {
	table := open(t, "t.csv", "id,ok,day\n007,TRUE,2024-01-01\n8,false,2024-01-01 00:00:01.5\n,,\n")
	for _, c := range []struct {
		as   []dataset.As
		want []string
	}{
		{[]dataset.As{dataset.AsID, dataset.AsText, dataset.AsText}, []string{"007|TRUE|2024-01-01", "8|false|2024-01-01 00:00:01.5", "·|·|·"}},
		{[]dataset.As{dataset.AsNumber, dataset.AsNumber, dataset.AsTime}, []string{"7|1|1704067200000000", "8|0|1704067201500000", "NaN|NaN|·"}},
	} {
		if diff := cmp.Diff(c.want, read(t, table, 0, 3, c.as...)); diff != "" {
			t.Errorf("as %v (-want +got):\n%s", c.as, diff)
		}
	}
}

func TestTheSameColumnTwice(t *testing.T) {
	table := open(t, "t.csv", "a,b\n1,x\n2,y\n")
	r, err := table.Read(context.Background(), 0, 2, []dataset.Field{{Column: 1, As: dataset.AsText}, {Column: 0, As: dataset.AsID}, {Column: 0, As: dataset.AsNumber}})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Next()
	if err != nil || render(b, 0) != "x|1|1" || render(b, 1) != "y|2|2" {
		t.Errorf("got %q %q %v", render(b, 0), render(b, 1), err)
	}
}

func TestBadRowsHavePlaceAndReason(t *testing.T) {
	for record, want := range map[string]string{
		"abc,t":     `!4: n: not a number: "abc"`,
		"1;2,t":     `!4: n: not a number: "1;2"`,
		"0x1p3,t":   `!4: n: not a number: "0x1p3"`,
		"1_0,t":     `!4: n: not a number: "1_0"`,
		"Inf,t":     `!4: n: not a finite number: "Inf"`,
		"1e400,t":   `!4: n: not a finite number: "1e400"`,
		"\"abc\",t": `!4: n: not a number: "abc"`,
		"1":         `!4: : has 1 field, the header has 2`,
		"1,t,u":     `!4: : has 3 fields, the header has 2`,
		"abc,t,u":   `!4: : has 3 fields, the header has 2`,
		"\"1\",t,u": `!4: : has 3 fields, the header has 2`,
		"1,a\x00b":  `!4: : contains a NUL byte`,
		"1,\"a\"b":  `!4: : has text after the closing quote of field 2`,
	} {
		table := open(t, "t.csv", "n,s\n1,\"a\nb\"\n"+record+"\n2,z\n")
		want := []string{"1|a\nb", want, "2|z"}
		if diff := cmp.Diff(want, read(t, table, 0, 3, dataset.AsNumber, dataset.AsText)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", record, diff)
		}
	}
}

func TestAnIDThatIsNotUTF8IsABadRow(t *testing.T) {
	table := open(t, "t.csv", "id,n\nü,1\nM\xfcller,2\n\"\xff\",3\nz,4\n")
	want := []string{"ü|1", `!3: id: not UTF-8 text: "M\xfcller"`, `!4: id: not UTF-8 text: "\xff"`, "z|4"}
	if diff := cmp.Diff(want, read(t, table, 0, 4, dataset.AsID, dataset.AsNumber)); diff != "" {
		t.Errorf("as ids (-want +got):\n%s", diff)
	}
	want = []string{"ü|1", "M\xfcller|2", "\xff|3", "z|4"} // a column of remarks may be read for other reasons
	if diff := cmp.Diff(want, read(t, table, 0, 4, dataset.AsText, dataset.AsNumber)); diff != "" {
		t.Errorf("as text (-want +got):\n%s", diff)
	}
}

func TestBadRowIsBlankAndRaw(t *testing.T) {
	table := open(t, "t.csv", "s,n,day\na,1,2024-01-01\nlost,x,2024-01-01\nb,2,2024-01-02\n")
	r, _ := table.Read(context.Background(), 0, 3, []dataset.Field{{Column: 0, As: dataset.AsText}, {Column: 1, As: dataset.AsNumber}, {Column: 2, As: dataset.AsTime}})
	b, err := r.Next()
	if err != nil || len(b.Bad) != 1 || b.Bad[0].Raw != "lost,x,2024-01-01" || b.Bad[0].Place.Row != 1 {
		t.Fatalf("got %+v %v", b, err)
	}
	if got := render(b, 1); got != "·|NaN|·" {
		t.Errorf("the bad row holds %q, want nothing", got)
	}
	if got := b.Columns[0].Text.At(1); len(got) != 0 {
		t.Errorf("the bad row keeps the text %q", got)
	}
	if got := render(b, 2); got != "b|2|1704153600000000" {
		t.Errorf("the row behind it holds %q", got)
	}
}

func TestBadFilesNameThePlace(t *testing.T) {
	for _, c := range []struct{ name, file, text, want string }{
		{"empty", "t.csv", "", "is empty"},
		{"only a mark", "t.csv", "\xef\xbb\xbf\n\n", "is empty"},
		{"unclosed quote", "t.csv", "a,b\n1,2\n3,\"x\n4,5\n", "line 3: a quote opens here and is never closed"},
		{"unclosed quote in a longer record", "t.csv", "a,b\n1,2\n\"x\ny\",\"x\n4,5\n", "line 4: a quote opens here and is never closed"},
		{"unclosed quote in the header", "t.csv", "a,\"b\n1,2\n", "line 1: a quote opens here and is never closed"},
		{"duplicate column", "t.csv", "a,b,a\n1,2,3\n", `line 1: two columns are called "a": number 1 and number 3`},
		{"UTF-16", "t.csv", "\xff\xfea\x00", "is UTF-16 text"},
		{"Latin-1 header", "t.csv", "a\xf1o,b\n1,2\n", "not UTF-8"},
		{"NUL in the header", "t.csv", "a\x00,b\n1,2\n", "the header contains a NUL byte"},
		{"old Mac", "t.csv", "a,b\r1,2\r3,4\r", "carriage returns only"},
		{"Parquet", "t.csv", "PAR1xxxx", "is a Parquet file"},
		{"gzip", "t.csv", "\x1f\x8bxx", "rename it to .csv.gz"},
		{"not gzip", "t.csv.gz", "a,b\n1,2\n", "is not gzip"},
		{"not zstd", "t.csv.zst", "a,b\n1,2\n", "is not zstd"},
		{"long record", "t.csv", "a,b\n1,2\n3,\"" + strings.Repeat("x\n", 9<<20) + "\"\n5,6\n", "line 3: a record is longer than 16 MiB"},
		{"long header", "t.csv", strings.Repeat("x", 17<<20), "line 1: a record is longer than 16 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := write(t, c.file, c.text)
			_, err := Open(context.Background(), path, Options{})
			if fault.Code(err) != int(fault.Input) || !strings.Contains(fmt.Sprint(err), c.want) || !strings.HasPrefix(err.Error(), path+": ") {
				t.Errorf("got %v, want an input error at %s with %q", err, path, c.want)
			}
		})
	}
	_, err := Open(context.Background(), filepath.Join(t.TempDir(), "no.csv"), Options{})
	if fault.Code(err) != 3 || !strings.Contains(err.Error(), "does not exist") {
		t.Errorf("got %v", err)
	}
}

func TestHeaderWithoutRowsIsATableOfNone(t *testing.T) {
	table := open(t, "t.csv", "a,b\n\n")
	if table.Rows() != 0 || len(table.Cuts()) != 1 || len(read(t, table, 0, 0, dataset.AsText)) != 0 {
		t.Errorf("%d rows, cuts %v", table.Rows(), table.Cuts())
	}
	if got := kinds(open(t, "u.csv", ",x\n1,2\n")); got != "column_1:number x:number" {
		t.Errorf("schema %q, want a name for the first column", got)
	}
}

func pack(t testing.TB, text []byte) map[string][]byte {
	var g, z bytes.Buffer
	for _, half := range [][]byte{text[:len(text)/2], text[len(text)/2:]} { // two members, two frames
		w := gzip.NewWriter(&g)
		w.Write(half)
		w.Close()
		e, err := zstd.NewWriter(&z)
		if err != nil {
			t.Fatal(err)
		}
		e.Write(half)
		e.Close()
	}
	return map[string][]byte{"t.csv.gz": g.Bytes(), "t.csv.zst": z.Bytes()}
}

// table of many mebibytes with quotes, blank lines and embedded newlines here and there.
func bigText(rows int) []byte {
	var b bytes.Buffer
	b.WriteString("id,value,note\n")
	for i := range rows {
		switch {
		case i%1000 == 7:
			fmt.Fprintf(&b, "%d,%d.25,\"a \"\"note\"\",\nwith a line\"\r\n\n", i, i*3)
		case i > rows/2 && i%3 == 0:
			fmt.Fprintf(&b, "\"%d\",\"%d.25\",\"plain\"\n", i, i*3)
		default:
			fmt.Fprintf(&b, "%d,%d.25,plain text to fill the line\n", i, i*3)
		}
	}
	return b.Bytes()
}

func checkBig(t *testing.T, table *Table, rows int) {
	t.Helper()
	if table.Rows() != int64(rows) {
		t.Fatalf("%d rows, want %d", table.Rows(), rows)
	}
	got := read(t, table, 0, table.Rows(), dataset.AsID, dataset.AsNumber)
	for i := range rows {
		if want := fmt.Sprintf("%d|%v", i, float64(i*3)+0.25); got[i] != want {
			t.Fatalf("row %d is %q, want %q", i, got[i], want)
		}
	}
}

func TestCompressedFilesAndStreams(t *testing.T) {
	const rows = 50_000
	text := bigText(rows)
	for name, packed := range pack(t, text) {
		t.Run(name, func(t *testing.T) {
			checkBig(t, open(t, name, string(packed)), rows)
			table, err := OpenStream(context.Background(), bytes.NewReader(packed), Options{Name: "in"})
			if err != nil {
				t.Fatal(err)
			}
			checkBig(t, table, rows)
			table.Close()
			for _, short := range []int{3, 30, len(packed) / 2, len(packed) - 1} {
				path := write(t, name, string(packed[:short]))
				if _, err := Open(context.Background(), path, Options{}); fault.Code(err) != 3 || !strings.Contains(err.Error(), "is truncated") {
					t.Errorf("%d of %d bytes: %v, want that it is truncated", short, len(packed), err)
				}
			}
			damaged := bytes.Clone(packed)
			damaged[len(damaged)/4] ^= 0x55
			if _, err := Open(context.Background(), write(t, name, string(damaged)), Options{}); fault.Code(err) != 3 {
				t.Errorf("damaged: %v, want an input error", err)
			}
		})
	}
	checkBig(t, open(t, "plain.csv", string(text)), rows)
}

func TestALongStreamIsIndexedWhileItComes(t *testing.T) {
	const rows = 550_000
	text := bigText(rows)
	if len(text) < maxRecord+4*sniffBytes {
		t.Fatalf("%d bytes are too few", len(text))
	}
	for _, memory := range []int64{2 << 20, 1 << 40} {
		dir := t.TempDir()
		table, err := OpenStream(context.Background(), bytes.NewReader(text), Options{Name: "in", SpoolDir: dir, Budget: spool.NewBudget(memory)})
		if err != nil {
			t.Fatal(err)
		}
		if got := read(t, table, rows-2, 2, dataset.AsID); table.Rows() != rows || got[1] != fmt.Sprint(rows-1) {
			t.Errorf("%d rows that end with %v", table.Rows(), got)
		}
		plain := open(t, "t.csv", string(text))
		if diff := cmp.Diff(plain.index, table.index, cmp.AllowUnexported(index{}, cut{})); diff != "" {
			t.Errorf("the index differs from that of a file (-file +stream):\n%s", diff)
		}
		table.Close()
	}
	bad := append(bytes.Clone(text), "1,\"2\n"...)
	if _, err := OpenStream(context.Background(), bytes.NewReader(bad), Options{Name: "in"}); fault.Code(err) != 3 {
		t.Errorf("got %v, want an input error", err)
	}
}

func TestPiecesGiveTheSameRows(t *testing.T) {
	const rows = 60_000
	table := open(t, "t.csv", string(bigText(rows)))
	as := []dataset.As{dataset.AsID, dataset.AsNumber, dataset.AsText}
	whole := read(t, table, 0, rows, as...)
	if cuts := table.Cuts(); len(cuts) < 3 || cuts[0] != 0 {
		t.Fatalf("cuts %v, want several from 0", cuts)
	}
	for _, size := range []int64{1, 977, 8192, 20011} {
		for first := int64(0); first < rows; first += max(size, 15013) {
			n := min(size, rows-first)
			if diff := cmp.Diff(whole[first:first+n], read(t, table, first, n, as...)); diff != "" {
				t.Fatalf("rows %d to %d (-want +got):\n%s", first, first+n, diff)
			}
		}
	}
	for _, cut := range table.Cuts() {
		if got := read(t, table, cut, 1, as...); got[0] != whole[cut] {
			t.Errorf("row %d is %q, want %q", cut, got[0], whole[cut])
		}
	}
	for _, row := range []int64{-1, rows - 3} {
		if _, err := table.Read(context.Background(), row, 4, nil); err == nil {
			t.Errorf("rows outside the table can be read at %d", row)
		}
	}
}

func TestLocateIsTheLineWhereARecordBegins(t *testing.T) {
	table := open(t, "t.csv", "a,b\n\n1,\"x\ny\"\n\r\n2,z\n3,w")
	for row, line := range []int64{3, 6, 7} {
		if got := table.Locate(int64(row)); got.Line != line || got.Row != int64(row) {
			t.Errorf("row %d is at %+v, want line %d", row, got, line)
		}
	}
	big := open(t, "big.csv", string(bigText(60_000)))
	if got, want := big.Locate(50_000).Line, int64(50_000+2+2*50); got != want {
		t.Errorf("row 50000 is on line %d, want %d", got, want)
	}
}

func TestRowsAreLocatedInAnyOrder(t *testing.T) {
	const rows = 60_000
	table := open(t, "big.csv", string(bigText(rows)))
	random := rand.New(rand.NewPCG(3, 4))
	var wait sync.WaitGroup
	for range 3 {
		first := random.Int64N(rows)
		wait.Go(func() {
			for i := range int64(300) {
				row := (first + i*i*7) % rows
				want := row + 2 + 2*((row+992)/1000) // two more lines behind each row 7, 1007, …
				if got := table.Locate(row).Line; got != want {
					t.Errorf("row %d is on line %d, want %d", row, got, want)
				}
			}
		})
	}
	wait.Wait()
	if n := len(table.located.last); n == 0 || n > len(table.Cuts()) {
		t.Errorf("%d places are remembered, want some, at most one for each of %d segments", n, len(table.Cuts()))
	}
	for i := range int64(2 * mostLocated) {
		table.located.remember(cut{row: i}, cut{row: i})
	}
	if n := len(table.located.last); n > mostLocated {
		t.Errorf("%d places are remembered, want at most %d", n, mostLocated)
	}
}

func TestAChangedFileIsAnError(t *testing.T) {
	text := strings.Repeat("1,2\n", 50_000)
	change := map[string]func(path string) error{
		"grown":    func(p string) error { return os.WriteFile(p, []byte("a,b\n"+text+text), 0o644) },
		"shrunk":   func(p string) error { return os.Truncate(p, 100) },
		"replaced": func(p string) error { os.Rename(p, p+".old"); return os.WriteFile(p, []byte("a,b\n"+text), 0o644) },
		"removed":  os.Remove,
		"replaced by one of the same size and time": func(p string) error {
			info, err := os.Stat(p)
			if err != nil {
				return err
			}
			os.Rename(p, p+".old")
			os.WriteFile(p, []byte("a,b\n"+text), 0o644)
			return os.Chtimes(p, time.Time{}, info.ModTime())
		},
	}
	for name, do := range change {
		t.Run(name, func(t *testing.T) {
			path := write(t, "t.csv", "a,b\n"+text)
			table, err := Open(context.Background(), path, Options{})
			if err != nil {
				t.Fatal(err)
			}
			r, err := table.Read(context.Background(), 0, table.Rows(), []dataset.Field{{Column: 0, As: dataset.AsNumber}})
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			if err := do(path); err != nil {
				t.Fatal(err)
			}
			for err == nil {
				_, err = r.Next()
			}
			if fault.Code(err) != 3 || !strings.Contains(err.Error(), "changed while it was read") {
				t.Errorf("the open Reader ends with %v", err)
			}
			if _, err := table.Read(context.Background(), 0, 1, nil); fault.Code(err) != 3 {
				t.Errorf("a new Reader gives %v", err)
			}
		})
	}
}

func TestReadersRunAtOnce(t *testing.T) {
	table := open(t, "t.csv", string(bigText(40_000)))
	want := read(t, table, 0, 40_000, dataset.AsID)
	done := make(chan bool)
	for part := range int64(4) {
		go func() {
			got := read(t, table, part*10_000, 10_000, dataset.AsID)
			done <- cmp.Equal(want[part*10_000:(part+1)*10_000], got)
		}()
	}
	for range 4 {
		if !<-done {
			t.Error("a Reader beside others gives other rows")
		}
	}
}

func TestWideTable(t *testing.T) {
	const columns = 100_000
	var b strings.Builder
	for i := range columns {
		fmt.Fprintf(&b, "c%d,", i)
	}
	b.WriteString("end\n")
	for row := range 3 {
		b.WriteString(strings.Repeat(fmt.Sprint(row, ","), columns) + "9\n")
	}
	table := open(t, "t.csv", b.String())
	fields := make([]dataset.Field, columns+1)
	for i := range fields {
		fields[i] = dataset.Field{Column: i, As: dataset.AsNumber}
	}
	r, err := table.Read(context.Background(), 0, 3, fields)
	if err != nil {
		t.Fatal(err)
	}
	for row := int64(0); row < 3; {
		block, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		for i := range block.Rows {
			if got := block.Columns[columns-1].Float64[i]; got != float64(row) {
				t.Errorf("row %d holds %v", row, got)
			}
			row++
		}
	}
}

func TestCancelledOpenAndRead(t *testing.T) {
	path := write(t, "t.csv", "a\n1\n2\n")
	table, _ := Open(context.Background(), path, Options{})
	ctx, cancel := context.WithCancel(context.Background())
	r, err := table.Read(ctx, 0, 2, nil)
	if err != nil {
		t.Fatal(err)
	}
	cancel()
	if _, err := r.Next(); !errors.Is(err, context.Canceled) {
		t.Errorf("Next gives %v", err)
	}
	if _, err := Open(ctx, path, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("Open gives %v", err)
	}
}

func TestRetailFile(t *testing.T) {
	path := os.Getenv("COTERIE_RETAIL")
	if path == "" {
		t.Skip("COTERIE_RETAIL names no file")
	}
	table, err := Open(context.Background(), path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	fields := []dataset.Field{}
	for i := range table.Schema().Columns {
		fields = append(fields, dataset.Field{Column: i, As: dataset.AsText})
	}
	r, err := table.Read(context.Background(), 0, table.Rows(), fields)
	if err != nil {
		t.Fatal(err)
	}
	rows, bad := int64(0), 0
	for {
		b, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		rows += int64(b.Rows)
		bad += len(b.Bad)
	}
	t.Logf("%s: %d rows, %d bad", kinds(table), rows, bad)
	if rows != 541909 || bad != 0 {
		t.Errorf("%d rows, %d bad; want 541909 and none", rows, bad)
	}
}

func TestMissingIsForEachBlock(t *testing.T) {
	var b strings.Builder
	b.WriteString("s,n\n")
	for i := range 3 * dataset.BlockRows {
		if i%dataset.BlockRows == 5*(i/dataset.BlockRows) && i < 2*dataset.BlockRows {
			b.WriteString(",1\n")
		} else {
			b.WriteString("x,1\n")
		}
	}
	table := open(t, "t.csv", b.String())
	r, err := table.Read(context.Background(), 0, table.Rows(), []dataset.Field{{Column: 0, As: dataset.AsText}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n := range 3 {
		block, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		missing := block.Columns[0].Missing
		if n == 2 {
			if missing != nil {
				t.Error("a block without gaps has Missing set")
			}
			continue
		}
		for i, got := range missing {
			if want := i == 5*n; got != want {
				t.Errorf("block %d, row %d: missing %v, want %v", n, i, got, want)
			}
		}
	}
}
