package soak

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Row is one look at one process.
type Row struct {
	At          time.Duration // since the beginning
	Process     string        // its place in the cluster: coordinator, w1, …, serve
	Life        int           // how often that place has been filled, from 1; another life is another process
	Quiet       bool          // no job was there, and no connection but what processes hold among themselves
	Jobs        int           // that had ended by then
	RSS         int64         // bytes
	Heap        int64         // bytes in use by the collector's account; 0: it did not answer
	Live        int64         // bytes alive after a collection; 0: not a quiet moment
	Goroutines  int           // 0: it did not answer
	Descriptors int
	Threads     int
	State       int64 // bytes of the coordinator's folder; 0: another process
	Kept        int   // jobs in the coordinator's folder; 0: another process
}

var header = []string{"second", "process", "life", "quiet", "jobs", "rss", "heap", "live_heap", "goroutines", "descriptors", "threads", "state_bytes", "state_jobs"}

// WriteRows writes the rows as CSV.
func WriteRows(w io.Writer, rows []Row) error {
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	for _, r := range rows {
		line := []string{strconv.FormatFloat(r.At.Seconds(), 'f', 1, 64), r.Process, strconv.Itoa(r.Life), strconv.FormatBool(r.Quiet)}
		for _, n := range []int64{int64(r.Jobs), r.RSS, r.Heap, r.Live, int64(r.Goroutines), int64(r.Descriptors), int64(r.Threads), r.State, int64(r.Kept)} {
			line = append(line, strconv.FormatInt(n, 10))
		}
		if err := out.Write(line); err != nil {
			return fmt.Errorf("soak: %w", err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("soak: %w", err)
	}
	return nil
}

// ReadRows reads what WriteRows has written.
func ReadRows(r io.Reader) ([]Row, error) {
	lines, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("soak: %w", err)
	}
	var rows []Row
	for i, line := range lines {
		if i == 0 {
			continue
		}
		row, err := parseRow(line)
		if err != nil {
			return nil, fmt.Errorf("soak: line %d: %w", i+1, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func parseRow(line []string) (Row, error) {
	if len(line) != len(header) {
		return Row{}, fmt.Errorf("%d columns, want %d", len(line), len(header))
	}
	second, err := strconv.ParseFloat(line[0], 64)
	if err != nil {
		return Row{}, err
	}
	var n [10]int64
	for i, at := range []int{2, 4, 5, 6, 7, 8, 9, 10, 11, 12} {
		if n[i], err = strconv.ParseInt(line[at], 10, 64); err != nil {
			return Row{}, err
		}
	}
	return Row{At: time.Duration(second * float64(time.Second)), Process: line[1], Life: int(n[0]), Quiet: line[3] == "true", Jobs: int(n[1]),
		RSS: n[2], Heap: n[3], Live: n[4], Goroutines: int(n[5]), Descriptors: int(n[6]), Threads: int(n[7]), State: n[8], Kept: int(n[9])}, nil
}
