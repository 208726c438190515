package soak

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Report is what has happened in a soak.
type Report struct {
	Rows     []Row
	Tally    map[string]int // what was done, how often
	Problems []string       // what should not have happened: other bits, commands that failed, files that were left
	Took     time.Duration
}

// Account is the report and its judgement as text, to read.
func Account(r Report, j Judgement) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%v, %d looks at processes\n\n", r.Took.Round(time.Second), len(r.Rows))
	for _, what := range slices.Sorted(maps.Keys(r.Tally)) {
		fmt.Fprintf(&b, "%8d  %s\n", r.Tally[what], what)
	}
	if j.Warm {
		fmt.Fprintf(&b, "\nfrom the first to the last quiet moment after the warm-up of %d jobs:\n", warmJobs)
	} else {
		fmt.Fprintf(&b, "\nfrom the first to the last quiet moment; too few jobs (%d are the warm-up) to say anything of live heap:\n", warmJobs)
	}
	fmt.Fprintf(&b, "%-12s %5s %7s %6s  %-13s %-13s %-19s %11s  %-15s\n", "process", "life", "moments", "jobs", "goroutines", "descriptors",
		"live heap, MiB", "bytes a job", "resident, MiB")
	for _, l := range j.Lines {
		fmt.Fprintf(&b, "%-12s %5d %7d %6d  %3d → %3d     %3d → %3d     %6.2f → %6.2f    %11.0f  peak %.0f, end %.0f\n", l.Process, l.Life, l.Moments, l.Jobs,
			l.Goroutines[0], l.Goroutines[1], l.Descriptors[0], l.Descriptors[1], mebibytes(l.Live[0]), mebibytes(l.Live[1]), l.Slope,
			mebibytes(l.PeakRSS), mebibytes(l.EndRSS))
	}
	fmt.Fprintf(&b, "\nthe coordinator's folder in quiet moments: at most %.1f MiB and %d jobs, at the end %.1f MiB\n",
		mebibytes(j.State[0]), j.Kept, mebibytes(j.State[1]))
	problems := slices.Concat(r.Problems, j.Problems)
	fmt.Fprintf(&b, "%d problems\n", len(problems))
	for _, p := range problems {
		fmt.Fprintf(&b, "  %s\n", p)
	}
	return b.String()
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }
