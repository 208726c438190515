package parquet

import (
	"bytes"
	"context"
	"encoding/binary"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// drain opens data as a file and reads every usable column of it to the end, as text and as its own kind.
func drain(t testing.TB, path string, data []byte) error {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := Open(context.Background(), path)
	if err != nil {
		return err
	}
	defer s.Close()
	var fields []dataset.Field
	for i, c := range s.Schema().Columns {
		if c.Unusable == "" {
			fields = append(fields, dataset.Field{Column: i, As: dataset.AsText})
			if c.Kind != dataset.Time {
				fields = append(fields, dataset.Field{Column: i, As: dataset.AsID})
			}
		}
	}
	// A few bytes may stand for billions of equal rows: that is no damage, and here no use.
	rows := min(s.Rows(), 20_000)
	r, err := s.Read(context.Background(), s.Rows()-rows, rows, fields)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func TestTruncatedFilesAreRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	for _, file := range goldenFiles(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n := 0; n < len(data); n += 1 + n/50 {
			err := drain(t, path, data[:n])
			if fault.Code(err) != 3 || !strings.Contains(err.Error(), "x.parquet") {
				t.Fatalf("%s cut to %d bytes: got %v, want an input error that names the file", file, n, err)
			}
		}
	}
}

// Damage is found (code 3) or harmless; it never panics and never counts as a failure of the machine.
func TestDamagedFilesAreRefusedOrRead(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.parquet")
	random := rand.New(rand.NewPCG(1, 2))
	for _, file := range goldenFiles(t) {
		whole, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for range 40 {
			data := bytes.Clone(whole)
			for range 1 + random.IntN(3) {
				data[random.IntN(len(data))] ^= byte(1 + random.IntN(255))
			}
			if err := drain(t, path, data); err != nil {
				found++
				if fault.Code(err) != 3 {
					t.Fatalf("%s: got code %d, want 3: %v", file, fault.Code(err), err)
				}
			}
		}
		if found == 0 {
			t.Errorf("%s: no damage was found at all", file)
		}
	}
}

func TestPageChecksumsAreHeld(t *testing.T) {
	data, err := os.ReadFile("testdata/brotli_crc.parquet")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	data[300] ^= 1
	if err := drain(t, path, data); fault.Code(err) != 3 || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("got %v, want damage", err)
	}
}

func TestLyingSizesAllocateNothing(t *testing.T) {
	lie := func(footer []byte) []byte {
		b := append([]byte(magic), footer...)
		b = binary.LittleEndian.AppendUint32(b, uint32(len(footer)))
		return append(b, magic...)
	}
	huge := []byte{0xff, 0xff, 0xff, 0xff, 0x07}
	for name, data := range map[string][]byte{
		"footer length":  []byte("PAR1\xff\xff\xff\x2fPAR1"),
		"schema length":  lie(append([]byte{0x29, 0xfc}, huge...)),
		"group length":   lie(append([]byte{0x49, 0xfc}, huge...)),
		"binary length":  lie(append([]byte{0x68}, huge...)),
		"deeply nested":  lie(bytes.Repeat([]byte{0x1c}, 100_000)),
		"lists of lists": lie(append([]byte{0x19}, bytes.Repeat([]byte{0x19}, 100_000)...)),
	} {
		var err error
		used := hostile.Allocated(func() { err = drain(t, filepath.Join(t.TempDir(), "x.parquet"), data) })
		if fault.Code(err) != 3 {
			t.Errorf("%s: got %v, want an input error", name, err)
		}
		if limit := uint64(1<<20 + 20*len(data)); used > limit {
			t.Errorf("%s: %d bytes allocated, the limit is %d", name, used, limit)
		}
	}
}

// FuzzMetadata holds the footer's decoder to memory in proportion to its input.
func FuzzMetadata(f *testing.F) {
	for _, file := range goldenFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		n := int(binary.LittleEndian.Uint32(data[len(data)-8:]))
		f.Add(data[len(data)-8-n : len(data)-8])
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		used := hostile.Allocated(func() {
			footer, err := parseFooter(data)
			if err != nil {
				return
			}
			tree, err := buildTree(footer.schema)
			if err != nil {
				return
			}
			if footer.check(1<<40, tree.leaves) == nil {
				total := int64(0)
				for _, g := range footer.groups {
					if g.first != total || g.rows <= 0 {
						t.Fatalf("a group of %d rows at %d, want it at %d", g.rows, g.first, total)
					}
					total += g.rows
				}
				if total != footer.rows {
					t.Fatalf("groups of %d rows in a file of %d", total, footer.rows)
				}
			}
		})
		if limit := uint64(1<<20 + 400*len(data)); used > limit {
			t.Fatalf("%d bytes allocated for %d bytes of input", used, len(data))
		}
	})
}

// FuzzFile reads whole files: no panic gets out, and every error is the input's.
func FuzzFile(f *testing.F) {
	for _, file := range goldenFiles(f) {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	path := filepath.Join(f.TempDir(), "x.parquet")
	f.Fuzz(func(t *testing.T, data []byte) {
		var err error
		used := hostile.Allocated(func() { err = drain(t, path, data) })
		if err != nil && fault.Code(err) != 3 {
			t.Fatalf("code %d, want 3: %v", fault.Code(err), err)
		}
		// Each of the columns may decompress pages and repeat a dictionary's text up to its limits.
		if limit := uint64(1<<30 + 4000*len(data)); used > limit {
			t.Fatalf("%d bytes allocated for %d bytes of input", used, len(data))
		}
	})
}

func TestErrorsNameFileColumnAndRemedy(t *testing.T) {
	folder := t.TempDir()
	golden := open(t, "testdata/plain_v1.parquet")
	column := func(name string) int { return golden.Schema().Index(name) }
	read := func(f dataset.Field) error {
		_, err := golden.Read(context.Background(), 0, 1, []dataset.Field{f})
		return err
	}
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	openError := func(path string) error {
		_, err := Open(context.Background(), path)
		return err
	}
	twice, err := os.ReadFile("testdata/plain_v1.parquet")
	if err != nil {
		t.Fatal(err)
	}
	twice = bytes.ReplaceAll(twice, []byte("i32"), []byte("i64"))
	for _, c := range []struct {
		name string
		err  error
		want string
	}{
		{"nested", read(dataset.Field{Column: column("list")}),
			"testdata/plain_v1.parquet: column list: nested Parquet columns are not supported; flatten it"},
		{"time as number", read(dataset.Field{Column: column("date")}),
			"testdata/plain_v1.parquet: column date: holds times, not numbers (leave it out, or write it as a number)"},
		{"text file", openError(write("t.parquet", "a,b\n1,2\n3,4\n5,6\n")),
			folder + "/t.parquet: is truncated or not Parquet (copy or export it again)"},
		{"empty", openError(write("e.parquet", "")),
			folder + "/e.parquet: is truncated or not Parquet (copy or export it again)"},
		{"encrypted", openError(write("p.parquet", "PARE....\x04\x00\x00\x00PARE")),
			folder + "/p.parquet: encrypted Parquet is not supported (write it without encryption)"},
		{"missing", openError(folder + "/none.parquet"),
			folder + "/none.parquet: cannot be read: no such file or directory (check the path and its rights)"},
		{"duplicate", openError(write("d.parquet", string(twice))),
			folder + "/d.parquet: column i64: two columns have this name (rename one of them)"},
	} {
		if c.err == nil || c.err.Error() != c.want || fault.Code(c.err) != 3 {
			t.Errorf("%s:\ngot  %v (code %d)\nwant %s (code 3)", c.name, c.err, fault.Code(c.err), c.want)
		}
	}
}

func TestAChangedFileIsAnError(t *testing.T) {
	data, err := os.ReadFile("testdata/snappy_dict.parquet")
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.parquet")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, path)
	r, err := s.Read(context.Background(), 0, s.Rows(), []dataset.Field{{Column: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(path, later, later); err != nil {
		t.Fatal(err)
	}
	if _, err = r.Next(); fault.Code(err) != 3 || !strings.Contains(err.Error(), "has changed since") {
		t.Errorf("an open reader: got %v, want a change", err)
	}
	if _, err := s.Read(context.Background(), 0, 1, nil); fault.Code(err) != 3 {
		t.Errorf("a new reader: got %v, want a change", err)
	}
}

func TestAnotherFileOfTheSameSizeAndTimeIsAChange(t *testing.T) {
	data, err := os.ReadFile("testdata/snappy_dict.parquet")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	path, other := filepath.Join(folder, "x.parquet"), filepath.Join(folder, "y.parquet")
	when := time.Now()
	for _, p := range []string{path, other} {
		if err := os.WriteFile(p, data, 0o600); err != nil {
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
	if _, err := s.Read(context.Background(), 0, 1, nil); fault.Code(err) != 3 || !strings.Contains(err.Error(), "has changed since") {
		t.Errorf("got %v, want a change", err)
	}
}

func TestCancellingStopsAReader(t *testing.T) {
	s := open(t, "testdata/plain_v1.parquet")
	ctx, cancel := context.WithCancel(context.Background())
	r, err := s.Read(ctx, 0, s.Rows(), []dataset.Field{{Column: 2}})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cancel()
	if _, err := r.Next(); fault.Code(err) != 130 {
		t.Errorf("got %v, want the context's error", err)
	}
}
