//go:build unix

package e2e

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/partition"
)

// benchVariable asks for measurements, which are no tests: they print a line of a table.
const benchVariable = "COTERIE_BENCH"

// What a plain reader of ranges gets from a real object store on this machine, what decoding the same table from a file comes
// to, and what reading the table from the store comes to: at best the slower of the two.
func TestSpeedOfReadingFromAnObjectStore(t *testing.T) {
	if os.Getenv(benchVariable) == "" {
		t.Skipf("a measurement: set %s", benchVariable)
	}
	o := newObjects(t)
	s := o.store(o.url)
	t.Cleanup(object.Use(s))
	for _, extension := range []string{".parquet", ".npy", ".csv"} {
		rows := "8000000"
		if extension == ".csv" {
			rows = "2000000"
		}
		local := filepath.Join(t.TempDir(), "u"+extension)
		worked(t, nil, "synth", "uniform", "-n", rows, "-d", "8", "-o", local)
		name := object.Name{Bucket: "box", Key: "u" + extension}
		info := put(t, s, name, local)
		best := map[string]float64{}
		for range 3 { // turns, of which the best counts
			for what, read := range map[string]func(){
				"plain": func() { plainly(t, s, info) },
				"file":  func() { decoded(t, local) },
				"store": func() { decoded(t, name.String()) },
			} {
				began := time.Now()
				read()
				best[what] = max(best[what], float64(info.Size)/1e6/time.Since(began).Seconds())
			}
		}
		t.Logf("| %s, %d MB | %.0f MB/s | %.0f MB/s | %.0f MB/s | %.0f %% | %.0f %% |", extension[1:], info.Size/1e6, best["plain"], best["file"], best["store"],
			100*best["store"]/best["plain"], 100*best["store"]/min(best["plain"], best["file"]))
	}
}

// put copies a file into the store.
func put(t *testing.T, s object.Store, n object.Name, path string) object.Info {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	u, err := s.Create(t.Context(), n)
	if err == nil {
		_, err = io.Copy(u, f)
	}
	if err != nil {
		t.Fatal(err)
	}
	info, err := u.Commit(object.Condition{})
	if err != nil {
		t.Fatal(err)
	}
	return info
}

// plainly reads an object by ranges of 4 MiB, eight at a time, and does nothing with them.
func plainly(t *testing.T, s object.Store, info object.Info) {
	const piece = 4 << 20
	offsets := make(chan int64)
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			buffer := make([]byte, piece)
			for at := range offsets {
				if err := s.ReadAt(t.Context(), info, buffer[:min(piece, info.Size-at)], at); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for at := int64(0); at < info.Size; at += piece {
		offsets <- at
	}
	close(offsets)
	wait.Wait()
}

// decoded reads all numbers of a table, with as many readers as there are cores, each of which takes
// partitions in turn.
func decoded(t *testing.T, path string) {
	source, err := open.Sources(t.Context(), []string{path}, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var fields []dataset.Field
	for c, column := range source.Schema().Columns {
		if column.Kind == dataset.Number {
			fields = append(fields, dataset.Field{Column: c, As: dataset.AsNumber})
		}
	}
	manifest, err := partition.Cut(source.Rows(), len(fields), source.Cuts())
	if err != nil {
		t.Fatal(err)
	}
	parts := make(chan partition.Partition)
	var wait sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		wait.Go(func() {
			for p := range parts {
				if err := drain(t, source, p.First, p.Rows, fields); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for _, p := range manifest.Partitions {
		parts <- p
	}
	close(parts)
	wait.Wait()
}

func drain(t *testing.T, s dataset.Source, first, rows int64, fields []dataset.Field) error {
	r, err := s.Read(t.Context(), first, rows, fields)
	if err != nil {
		return err
	}
	defer r.Close()
	for {
		if _, err := r.Next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
