package open

import (
	"context"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/internal/object/objecttest"
)

// bucket makes a store of objects, the store of the process until the test ends.
func bucket(t testing.TB, objects map[string]string) *objecttest.Memory {
	t.Helper()
	m := &objecttest.Memory{}
	t.Cleanup(object.Use(m))
	for key, body := range objects {
		if _, err := m.Put(t.Context(), object.Name{Bucket: "bucket", Key: key}, []byte(body), object.Condition{}); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

// written is the bytes of a table in a format.
func written(t testing.TB, extension string, rows int) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x"+extension)
	w, err := table.Create(path, []table.Column{{Name: "x0", Type: table.Float32}, {Name: "x1", Type: table.Float32}}, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	a, b := make([]float32, rows), make([]float32, rows)
	for i := range a {
		a[i], b[i] = float32(i), -float32(i)/4
	}
	if err := w.Write(&table.Batch{Rows: rows, Columns: []any{a, b}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	body, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestAnObjectIsTheTableThatAFileOfItsBytesIs(t *testing.T) {
	for _, extension := range []string{".csv", ".csv.gz", ".csv.zst", ".parquet", ".npy"} {
		body := written(t, extension, 20_000)
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "x"+extension), []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		bucket(t, map[string]string{"data/x" + extension: body})
		file, remote := sources(t, Options{}, dir+"/x"+extension), sources(t, Options{}, "s3://bucket/data/x"+extension)
		if !slices.Equal(file.Cuts(), remote.Cuts()) || file.Bytes() != remote.Bytes() || fmt.Sprint(file.Schema()) != fmt.Sprint(remote.Schema()) {
			t.Errorf("%s: an object has other cuts, bytes or columns", extension)
		}
		for _, from := range []int64{0, 12_345} {
			if want, got := texts(t, file, from, 20_000-from, dataset.AsNumber), texts(t, remote, from, 20_000-from, dataset.AsNumber); !slices.Equal(want, got) {
				t.Errorf("%s: an object has other rows from %d", extension, from)
			}
		}
		if place := remote.Locate(19_999); place.File != "s3://bucket/data/x"+extension || place != func() fault.Place { p := file.Locate(19_999); p.File = place.File; return p }() {
			t.Errorf("%s: got %+v", extension, place)
		}
	}
}

func TestOnlyTheColumnsAskedForAreRead(t *testing.T) {
	body := written(t, ".parquet", 200_000)
	m := bucket(t, map[string]string{"x.parquet": body})
	s := sources(t, Options{}, "s3://bucket/x.parquet")
	opened := m.BytesRead()
	if opened > 66<<10 || m.Calls("Stat") != 1 {
		t.Errorf("to open it took %d bytes and %d looks", opened, m.Calls("Stat"))
	}
	r, err := s.Read(t.Context(), 0, s.Rows(), []dataset.Field{{Column: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	for {
		if _, err := r.Next(); err != nil {
			break
		}
	}
	if got := m.BytesRead() - opened; got > int64(len(body))*6/10 || got < int64(len(body))*3/10 {
		t.Errorf("one of two columns took %d bytes of %d", got, len(body))
	}
	if n := m.Calls("ReadAt"); n > 20 {
		t.Errorf("%d requests", n)
	}
}

func TestWhatNamesOfObjectsStandFor(t *testing.T) {
	csv := "x\n1\n"
	bucket(t, map[string]string{
		"data/b.csv": csv, "data/a.csv": csv, "data/_SUCCESS": "", "data/.c.csv": csv, "data/deep/z.csv": csv, "data/notes.txt": "?",
		"tx/dt=2/a.csv": csv, "tx/dt=1/b.csv": csv, "tx/dt=1/_tmp/c.csv": csv, "tx/_delta/a.csv": csv, "mixed/a.csv": csv, "mixed/b.npy": "?",
		"twice/a.csv": csv, "twice/a.csv.gz": "?", "out.csv/part-1.csv": csv, "out.csv/part-0.csv": csv, "a[1].csv": csv, "dull/readme.md": "?", "tx-other/a.csv": csv,
		"f1/a.csv": csv, "f2/a.npy": "?", "x.txt": "?", "mark/": "",
	})
	for _, c := range []struct {
		name, want string // of an error: its code and text
	}{
		{"data", "data/a.csv data/b.csv"}, {"data/", "data/a.csv data/b.csv"}, {"data/b.csv", "data/b.csv"}, {"data/deep", "data/deep/z.csv"},
		{"tx", "tx/dt=1/b.csv tx/dt=2/a.csv"}, {"out.csv", "out.csv/part-0.csv out.csv/part-1.csv"}, {"a[1].csv", "a[1].csv"},
		{"data/*.csv", "data/a.csv data/b.csv"}, {"tx/dt=*", "tx/dt=1/b.csv tx/dt=2/a.csv"}, {"tx/*/[a]*", "tx/dt=2/a.csv"}, {"d*/?.csv", "data/a.csv data/b.csv"},
		{"data/.c.csv", "data/.c.csv"}, {"tx/dt=1/*", "tx/dt=1/b.csv"},
		{"no", "3 does not exist"}, {"no.csv", "3 does not exist"}, {"no/", "3 holds no objects"}, {"no*", "3 no data file matches"}, {"x.txt", "3 is not a kind of file that is known"},
		{"dull", "3 holds no data files"}, {"mark", "3 holds no data files"}, {"mixed", "3 different formats: a.csv and b.npy"}, {"twice/", "3 look like the same data"},
		{"f?", "3 different formats"}, {"data/[", "2 syntax error"}, {"data/../x.csv", "2 a key has no \"..\""},
	} {
		items, err := finder{files: everywhere{}, ctx: t.Context()}.expand([]string{"s3://bucket/" + c.name})
		got := fault.Code(err)
		var keys []string
		for _, i := range items {
			keys = append(keys, strings.TrimPrefix(i.path, "s3://bucket/"))
		}
		switch {
		case err == nil && strings.Join(keys, " ") != c.want:
			t.Errorf("%s: got %s, want %s", c.name, strings.Join(keys, " "), c.want)
		case err != nil && (fmt.Sprint(got) != c.want[:1] || !strings.Contains(err.Error(), c.want[2:])):
			t.Errorf("%s: got %v (code %d), want %s", c.name, err, got, c.want)
		}
	}
}

func TestObjectsOutsideOfTheRootsAreDenied(t *testing.T) {
	m := bucket(t, map[string]string{"data/a.csv": "x\n1\n", "data2/a.csv": "x\n1\n", "data/sub/b.csv": "x\n1\n"})
	roots := []string{"s3://bucket/data/sub", "s3://bucket/data/", "s3://other/x", t.TempDir()}
	for _, name := range []string{"s3://bucket/data", "s3://bucket/data/", "s3://bucket/data/a.csv", "s3://bucket/data/*.csv", "s3://bucket/data/sub/*"} {
		sources(t, Options{Roots: roots}, name)
	}
	before := m.Calls("Stat") + m.Calls("List")
	for _, name := range []string{"s3://bucket", "s3://bucket/", "s3://bucket/data2/a.csv", "s3://bucket/data*", "s3://bucket/*/a.csv", "s3://foreign/data/a.csv", "s3://bucket/d", "s3://bucket/data?/a.csv", "/etc/passwd"} {
		for _, roots := range [][]string{roots, {"s3://bucket/data"}, {}} {
			_, err := Sources(t.Context(), []string{name}, Options{Roots: roots})
			if _, outside := err.(outsideError); !outside {
				t.Errorf("%s within %q: got %v", name, roots, err)
			}
		}
	}
	if after := m.Calls("Stat") + m.Calls("List"); after != before {
		t.Errorf("%d requests were made for what is denied", after-before)
	}
	sources(t, Options{Roots: []string{"s3://bucket"}}, "s3://bucket/data2/a.csv")
	for _, root := range []string{"s3://b", "s3://bucket/da*", "s3://bucket/../x"} {
		if _, err := ObjectRoot(root); fault.Code(err) != 2 || !strings.Contains(err.Error(), root) {
			t.Errorf("%s: got %v", root, err)
		}
	}
}

func TestObjectsAreHeldAgainstThePinsOfTheJob(t *testing.T) {
	for _, extension := range []string{".csv", ".parquet", ".npy"} {
		body := written(t, extension, 100)
		m := bucket(t, map[string]string{"x" + extension: body})
		name := "s3://bucket/x" + extension
		s := sources(t, Options{}, name)
		pins := dataset.PinsOf(s)
		if len(pins) != 1 || pins[0].Path != name || pins[0].Size != int64(len(body)) || pins[0].ETag == "" || pins[0].Modified != 0 {
			t.Fatalf("%s: pins %+v", extension, pins)
		}
		sources(t, Options{Pins: pins}, name)
		if _, err := m.Put(t.Context(), object.Name{Bucket: "bucket", Key: "x" + extension}, []byte(body), object.Condition{}); err != nil {
			t.Fatal(err)
		}
		_, err := Sources(t.Context(), []string{name}, Options{Pins: pins})
		if fault.Code(err) != 3 || !strings.Contains(err.Error(), name+": has changed since the job was made") || !strings.Contains(err.Error(), pins[0].ETag) {
			t.Errorf("%s: got %v", extension, err)
		}
		r, err := s.Read(t.Context(), 0, 100, []dataset.Field{{}})
		if err == nil {
			_, err = r.Next()
			r.Close()
		}
		if extension == ".csv" && err == nil {
			continue // what the index was made of is still in memory, and is the object that was opened
		}
		if fault.Code(err) != 3 || !strings.Contains(err.Error(), name+": has changed since it was opened") {
			t.Errorf("%s: read in the middle: got %v (code %d)", extension, err, fault.Code(err))
		}
	}
}

// listing is a store whose listing is made up page by page.
type listing struct {
	object.Store
	keys, told int
}

func (l *listing) List(_ context.Context, n object.Name, _ string, _ bool) iter.Seq2[object.Entry, error] {
	return func(yield func(object.Entry, error) bool) {
		for i := range l.keys {
			l.told++
			name := object.Name{Bucket: n.Bucket, Key: n.Key + "dt=" + strconv.Itoa(10_000+i/25) + "/part-" + strconv.Itoa(1_000_000+i) + ".parquet"}
			if !yield(object.Entry{Info: object.Info{Name: name, Size: 1, ETag: strings.Clone(`"0123456789abcdef0123456789abcdef"`)}}, nil) {
				return
			}
		}
	}
}

func (l *listing) Stat(_ context.Context, n object.Name) (object.Info, error) {
	return object.Info{}, object.Failure(fault.Input, n, object.ErrNotFound, "does not exist", "")
}

func TestAHundredThousandObjectsAreListedInBoundedMemory(t *testing.T) {
	const keys, ceiling = 100_000, 700 // bytes an object, with all that is made on the way and with what the listing itself makes
	l := &listing{keys: keys}
	t.Cleanup(object.Use(l))
	for _, name := range []string{"s3://bucket/tx", "s3://bucket/tx/dt=*/*.parquet"} {
		var before, after, kept runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		items, err := finder{files: everywhere{}, ctx: t.Context()}.expand([]string{name})
		runtime.ReadMemStats(&after)
		if err != nil || len(items) != keys {
			t.Fatalf("%s: %d items, %v", name, len(items), err)
		}
		runtime.GC()
		runtime.ReadMemStats(&kept)
		if got := int64(kept.HeapAlloc-before.HeapAlloc) / keys; got > ceiling {
			t.Errorf("%s: %d bytes an object are kept, more than %d", name, got, ceiling)
		}
		if got := int64(after.TotalAlloc-before.TotalAlloc) / keys; got > 3*ceiling {
			t.Errorf("%s: %d bytes an object were made on the way, more than %d", name, got, 3*ceiling)
		}
		runtime.KeepAlive(items)
	}
}

func TestTooManyObjectsAreRefusedWithoutListingAllOfThem(t *testing.T) {
	l := &listing{keys: 10 * maxObjects}
	t.Cleanup(object.Use(l))
	_, err := finder{files: everywhere{}, ctx: t.Context()}.expand([]string{"s3://bucket/tx"})
	if fault.Code(err) != 3 || !strings.Contains(err.Error(), fmt.Sprintf("s3://bucket/tx: holds more than %d data files", maxObjects)) {
		t.Errorf("got %v", err)
	}
	if l.told != maxObjects+1 {
		t.Errorf("%d were listed, want %d", l.told, maxObjects+1)
	}
}
