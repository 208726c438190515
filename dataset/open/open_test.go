package open

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/gzip"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
)

// folderOf writes files into a fresh folder; a .gz is packed.
func folderOf(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, ".gz") {
			text = packed(text)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func packed(text string) string {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	io.WriteString(w, text)
	w.Close()
	return b.String()
}

func parquetFile(t *testing.T, path string, columns []table.Column, values ...any) {
	t.Helper()
	w, err := table.Create(path, columns, table.Options{})
	if err == nil {
		err = w.Write(&table.Batch{Rows: 2, Columns: values})
	}
	if err == nil {
		err = w.Commit()
	}
	if err != nil {
		t.Fatal(err)
	}
}

func sources(t *testing.T, o Options, data ...string) dataset.Source {
	t.Helper()
	s, err := Sources(context.Background(), data, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// rows renders the named columns of rows [first, end).
func rows(t *testing.T, s dataset.Source, first, end int64, as dataset.As, names ...string) []string {
	t.Helper()
	var fields []dataset.Field
	for _, name := range names {
		fields = append(fields, dataset.Field{Column: s.Schema().Index(name), As: as})
	}
	r, err := s.Read(context.Background(), first, end-first, fields)
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
		if b.First != first+int64(len(list)) {
			t.Fatalf("block at %d, want %d", b.First, first+int64(len(list)))
		}
		for i := range b.Rows {
			var cells []string
			for c := range b.Columns {
				switch v := &b.Columns[c]; {
				case v.Float64 != nil:
					cells = append(cells, fmt.Sprint("d", v.Float64[i]))
				case v.Float32 != nil:
					cells = append(cells, fmt.Sprint("f", v.Float32[i]))
				case v.Int64 != nil:
					cells = append(cells, fmt.Sprint("i", v.Int64[i]))
				default:
					cells = append(cells, string(v.Text.At(i)))
				}
			}
			list = append(list, strings.Join(cells, "|"))
		}
		for _, bad := range b.Bad {
			list[len(list)-b.Rows+bad.Index] = "!" + filepath.Base(bad.Place.File) + fmt.Sprint(":", bad.Place.Line)
		}
	}
}

func TestFilesJoinInOrderWithColumnsByName(t *testing.T) {
	dir := folderOf(t, map[string]string{
		"b.csv": "id,v\n1,10\n2,20\n", "a.csv.gz": "v;id\n30;3\n", "c.tsv": "v\tid\n", "d.CSV": "id,v\n4,x\n5,50\n", "notes.txt": "?", ".hidden.csv": "?", "_SUCCESS": "",
	})
	want := []string{"d3|d30", "d1|d10", "d2|d20", "!d.CSV:2", "d5|d50"}
	for name, data := range map[string][]string{
		"folder": {dir}, "glob": {filepath.Join(dir, "*")},
		"files": {filepath.Join(dir, "a.csv.gz"), filepath.Join(dir, "b.csv"), filepath.Join(dir, "c.tsv"), filepath.Join(dir, "d.CSV")},
	} {
		t.Run(name, func(t *testing.T) {
			s := sources(t, Options{}, data...)
			if diff := cmp.Diff(want, rows(t, s, 0, s.Rows(), dataset.AsNumber, "id", "v")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for first := range int64(len(want)) {
				for end := first; end <= int64(len(want)); end++ {
					if diff := cmp.Diff(want[first:end], rows(t, s, first, end, dataset.AsNumber, "id", "v")); diff != "" {
						t.Fatalf("rows %d to %d (-want +got):\n%s", first, end, diff)
					}
				}
			}
			if diff := cmp.Diff([]int64{0, 1, 3}, s.Cuts()); diff != "" {
				t.Errorf("cuts (-want +got):\n%s", diff)
			}
			if got := s.Locate(4); filepath.Base(got.File) != "d.CSV" || got.Line != 3 || got.Row != 1 {
				t.Errorf("row 4 is at %+v, want d.CSV line 3", got)
			}
			if got := s.Names(); len(got) != 4 || filepath.Base(got[0]) != "a.csv.gz" {
				t.Errorf("names %v", got)
			}
		})
	}
}

func TestPartitionedFoldersAreRead(t *testing.T) {
	dir := folderOf(t, map[string]string{"m=2/p.csv": "a\n2\n", "m=1/q.csv": "a\n1\n", "m=1/_tmp/r.csv": "a\n9\n", "_old/x.csv": "a\n9\n"})
	for _, data := range []string{dir, filepath.Join(dir, "m=*")} {
		s := sources(t, Options{}, data)
		if diff := cmp.Diff([]string{"d1", "d2"}, rows(t, s, 0, s.Rows(), dataset.AsNumber, "a")); diff != "" {
			t.Errorf("%s (-want +got):\n%s", data, diff)
		}
	}
}

func TestKindsAreSettledOverAllTextFiles(t *testing.T) {
	dir := folderOf(t, map[string]string{"1.csv": "n,t,e\nx,1,\n", "2.csv": "n,t,e\n1,b,\n2,c,\n3,d,\n", "3.csv": "n,t,e\n,,5\n"})
	s := sources(t, Options{}, dir)
	got := []dataset.Kind{}
	for _, c := range s.Schema().Columns {
		got = append(got, c.Kind)
	}
	if diff := cmp.Diff([]dataset.Kind{dataset.Number, dataset.Text, dataset.Number}, got); diff != "" {
		t.Errorf("kinds of n, t, e (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"!1.csv:2", "d1", "d2", "d3", "dNaN"}, rows(t, s, 0, 5, dataset.AsNumber, "n")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEveryFileReadsWithTheSettledKind(t *testing.T) {
	dir := folderOf(t, map[string]string{"1.csv": "n,day\n1,\n", "2.csv": "day,n\n2024-01-01,2\n"})
	s := sources(t, Options{}, dir)
	r, err := s.Read(context.Background(), 0, 2, []dataset.Field{{Column: 1, As: dataset.AsTime}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for n, want := range []int64{0, 1704067200000000} {
		b, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if v := &b.Columns[0]; len(v.Micros) != 1 || v.Micros[0] != want || (v.Missing != nil) != (n == 0) {
			t.Errorf("file %d holds %+v, want the time %d", n+1, v, want)
		}
	}
}

func TestFormatsMix(t *testing.T) {
	dir := t.TempDir()
	p, c := filepath.Join(dir, "1.parquet"), filepath.Join(dir, "2.csv")
	parquetFile(t, p, []table.Column{{Name: "id", Type: table.Int64}, {Name: "x", Type: table.Float32}}, []int64{7, 8}, []float32{0.5, 0.1})
	os.WriteFile(c, []byte("x,id\n1.5,009\n"), 0o644)
	alone := sources(t, Options{}, p)
	if diff := cmp.Diff([]string{"f0.5", "f0.1"}, rows(t, alone, 0, 2, dataset.AsNumber, "x")); diff != "" {
		t.Errorf("alone (-want +got):\n%s", diff)
	}
	s := sources(t, Options{}, p, c)
	if diff := cmp.Diff([]string{"7", "8", "009"}, rows(t, s, 0, 3, dataset.AsID, "id")); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"d0.5", "d0.10000000149011612", "d1.5"}, rows(t, s, 0, 3, dataset.AsNumber, "x")); diff != "" {
		t.Errorf("numbers (-want +got):\n%s", diff)
	}
	both := sources(t, Options{}, p, p)
	if diff := cmp.Diff([]string{"i8", "i7"}, rows(t, both, 1, 3, dataset.AsID, "id")); diff != "" {
		t.Errorf("two Parquet files (-want +got):\n%s", diff)
	}
}

func TestMadeData(t *testing.T) {
	s := sources(t, Options{}, "synth://blobs?rows=100&d=2", "synth://blobs?rows=50&d=2")
	if s.Rows() != 150 || s.Schema().Index("x1") < 0 {
		t.Errorf("%d rows of %v", s.Rows(), s.Schema().Columns)
	}
}

func TestStandardInput(t *testing.T) {
	dir := t.TempDir()
	p := filepath.Join(dir, "1.parquet")
	parquetFile(t, p, []table.Column{{Name: "a", Type: table.Float64}}, []float64{1, 2})
	stored, _ := os.ReadFile(p)
	spools := t.TempDir()
	for name, text := range map[string]string{"plain": "a\n1\n2\n", "gzip": packed("a\n1\n2\n"), "Parquet": string(stored)} {
		t.Run(name, func(t *testing.T) {
			s, err := Sources(context.Background(), []string{"-"}, Options{Stdin: strings.NewReader(text), SpoolDir: spools, SpoolMemory: 1})
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff([]string{"d1", "d2"}, rows(t, s, 0, 2, dataset.AsNumber, "a")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if names, place := s.Names(), s.Locate(1); names[0] != "-" || place.File != "standard input" {
				t.Errorf("called %v and %v", names, place)
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
			if left, _ := os.ReadDir(spools); len(left) > 0 {
				t.Errorf("left behind: %v", left)
			}
		})
	}
	for text, want := range map[string]string{"": "is empty", "a,a\n1,2\n": "standard input: line 1: two columns", "PAR1xx": "standard input: "} {
		_, err := Sources(context.Background(), []string{"-"}, Options{Stdin: strings.NewReader(text), SpoolDir: spools})
		if fault.Code(err) != 3 || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), spools) {
			t.Errorf("%q: got %v, want %q", text, err, want)
		}
	}
	if left, _ := os.ReadDir(spools); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWrongDataIsNamed(t *testing.T) {
	dir := folderOf(t, map[string]string{
		"a.csv": "x,y\n1,2\n", "b.csv": "x,z\n1,2\n", "more.csv": "y,x,w\n1,2,3\n", "none.csv": "x,y\n", "t.txt": "?", "bad.csv.gz": "", "twice/a.csv": "x\n1\n", "twice/a.csv.gz": "x\n1\n",
		"mixed/a.csv": "x\n1\n", "mixed/b.npy": "?", "dull/readme.md": "?", "empty/.keep": "",
	})
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		code int
		want string
		data []string
	}{
		{2, "no data", nil},
		{2, "empty", []string{""}},
		{2, "gs:// is not supported by this build", []string{"gs://bucket/x"}},
		{2, "S3://bucket/x: the scheme of objects is written in lower case (write s3://bucket/x)", []string{"S3://bucket/x"}},
		{2, "https:// is not supported", []string{"https://host/x.csv"}},
		{2, "named twice", []string{"-", "-"}},
		{3, at("no.csv") + ": does not exist", []string{at("no.csv")}},
		{3, "no file matches", []string{at("no*.csv2")}},
		{3, "supported are .csv", []string{at("t.txt")}},
		{3, "matches no data files", []string{at("t.tx?")}},
		{3, "holds no data files", []string{at("dull")}},
		{3, "holds no data files", []string{at("empty")}},
		{3, "look like the same data", []string{at("twice")}},
		{3, "different formats: a.csv and b.npy", []string{at("mixed")}},
		{3, at("b.csv") + ": column y: has no such column", []string{at("a.csv"), at("b.csv")}},
		{3, at("more.csv") + ": column w: has this column", []string{at("a.csv"), at("more.csv")}},
		{3, at("none.csv") + ": has no rows", []string{at("none.csv")}},
	} {
		_, err := Sources(context.Background(), c.data, Options{Stdin: strings.NewReader("")})
		if fault.Code(err) != c.code || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("%q: got %v (code %d), want code %d with %q", c.data, err, fault.Code(err), c.code, c.want)
		}
	}
}

func TestTypedFilesMustAgree(t *testing.T) {
	dir := t.TempDir()
	a, b := filepath.Join(dir, "a.parquet"), filepath.Join(dir, "b.parquet")
	parquetFile(t, a, []table.Column{{Name: "x", Type: table.Float64}}, []float64{1, 2})
	parquetFile(t, b, []table.Column{{Name: "x", Type: table.Text}}, []string{"p", "q"})
	_, err := Sources(context.Background(), []string{a, b}, Options{})
	if fault.Code(err) != 3 || !strings.Contains(err.Error(), b+": column x: holds text, but in "+a+" it holds numbers") {
		t.Errorf("got %v", err)
	}
}

func TestTheFirstBadFileIsReported(t *testing.T) {
	files := map[string]string{}
	for i := range 40 {
		files[fmt.Sprintf("f%02d.csv", i)] = "a\n1\n"
	}
	files["f07.csv"], files["f08.csv"], files["f30.csv"] = "a,a\n1,1\n", "", ""
	dir := folderOf(t, files)
	for range 20 {
		_, err := Sources(context.Background(), []string{dir}, Options{})
		if err == nil || !strings.Contains(err.Error(), "f07.csv") {
			t.Fatalf("got %v, want the error of f07.csv", err)
		}
	}
}

func TestAFolderThatContainsItselfEnds(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("needs symbolic links")
	}
	dir := t.TempDir()
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Skip(err)
	}
	if _, err := Sources(context.Background(), []string{dir}, Options{}); fault.Code(err) != 3 {
		t.Errorf("got %v, want an input error", err)
	}
}
