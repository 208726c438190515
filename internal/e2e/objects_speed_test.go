//go:build unix

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/object"
	"github.com/coterie-project/coterie/partition"
)

// benchVariable asks for measurements, which are no tests: they print a line of a table.
const benchVariable = "COTERIE_BENCH"

// What a plain reader of ranges gets from a real object store, and what reading the table from it comes to: on the same
// cores without a network, where the decoder's processor time counts against it, and behind links that are slower than the
// processors, as networks are. What decoding the same table from a file comes to is the first line's other limit.
func TestSpeedOfReadingFromAnObjectStore(t *testing.T) {
	if os.Getenv(benchVariable) == "" {
		t.Skipf("a measurement: set %s", benchVariable)
	}
	o := newObjects(t)
	ways := []struct{ name, url string }{
		{"none", o.url},
		{"2.5 Gbit/s", startLink(t, strings.TrimPrefix(o.url, "http://"), 2.5e9, firstByte)},
		{"1 Gbit/s", startLink(t, strings.TrimPrefix(o.url, "http://"), 1e9, firstByte)},
	}
	for _, table := range []struct{ file, rows, columns string }{
		{"u.parquet", "8000000", "8"},     // a partition is a row group
		{"wide.parquet", "3000000", "20"}, // a row group is several partitions
		{"u.npy", "8000000", "8"}, {"u.csv", "2000000", "8"}, {"u.csv.zst", "2000000", "8"},
	} {
		t.Run(table.file, func(t *testing.T) {
			local := filepath.Join(t.TempDir(), table.file)
			worked(t, nil, "synth", "uniform", "-n", table.rows, "-d", table.columns, "-o", local)
			name := object.Name{Bucket: "box", Key: table.file}
			info := put(t, o.store(o.url), name, local)
			for _, way := range ways {
				t.Run(way.name, func(t *testing.T) {
					s := o.store(way.url)
					t.Cleanup(object.Use(s))
					takes := turns{test: t, server: o.server, megabytes: float64(info.Size) / 1e6}
					for range 3 {
						takes.turn("plain", func() { plainly(t, s, info) })
						takes.turn("file", func() { decoded(t, local) })
						takes.turn("store", func() { decoded(t, name.String()) })
					}
					t.Logf("| %s, %.0f MB | %s | %s | %s | %s | %.0f %% |", table.file, takes.megabytes, way.name,
						takes.of("plain"), takes.of("file"), takes.of("store"), 100*takes.rate("store")/takes.rate("plain"))
				})
			}
		})
	}
}

// firstByte is how long after a request the first byte of an answer comes, of a usual object store.
const firstByte = 20 * time.Millisecond

// turns are measurements that take turns.
type turns struct {
	test      *testing.T
	server    int // its process
	megabytes float64
	took      map[string][]take
}

// take is one measurement.
type take struct{ wall, own, server float64 } // seconds: of the clock, of the processors for this process and the server

func (s *turns) turn(what string, read func()) {
	began, own, server := time.Now(), ownProcessor(s.test), processorOf(s.test, s.server)
	read()
	if s.took == nil {
		s.took = make(map[string][]take)
	}
	s.took[what] = append(s.took[what], take{time.Since(began).Seconds(), ownProcessor(s.test) - own, processorOf(s.test, s.server) - server})
}

// median is that of a figure of the takes.
func (s *turns) median(what string, figure func(take) float64) float64 {
	var list []float64
	for _, t := range s.took[what] {
		list = append(list, figure(t))
	}
	slices.Sort(list)
	return list[len(list)/2]
}

// rate is in MB/s of the object, whatever was read of it.
func (s *turns) rate(what string) float64 {
	return s.megabytes / s.median(what, func(t take) float64 { return t.wall })
}

// of is the rate, and the seconds of the processors for a gigabyte.
func (s *turns) of(what string) string {
	perGB := func(figure func(take) float64) float64 { return s.median(what, figure) * 1e3 / s.megabytes }
	return fmt.Sprintf("%.0f MB/s, %.2f + %.2f", s.rate(what), perGB(func(t take) float64 { return t.own }), perGB(func(t take) float64 { return t.server }))
}

// ownProcessor is the seconds that this process has had of the processors.
func ownProcessor(t *testing.T) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// processorOf is the same of another process, where the system tells (Linux does); else 0.
func processorOf(t *testing.T, pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	const ticks, user, system = 100, 11, 12 // a second; the positions behind the name, which is in brackets
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	sum := 0
	for _, at := range []int{user, system} {
		n, err := strconv.Atoi(fields[at])
		if err != nil {
			t.Fatal(err)
		}
		sum += n
	}
	return float64(sum) / ticks
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

// decoded reads the numbers of a table that a fit would take for features, with as many readers as there are cores, each of
// which takes partitions in turn.
func decoded(t *testing.T, path string) {
	source, err := open.Sources(t.Context(), []string{path}, open.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	var fields []dataset.Field
	for c, column := range source.Schema().Columns {
		if column.Kind == dataset.Number && column.Name != "id" {
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
