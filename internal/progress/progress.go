package progress

import (
	"fmt"
	"io"
	"time"
)

// Reporter is told what the work does. All methods are safe for concurrent use, cheap enough to call for every
// Block, and do nothing after Close.
type Reporter interface {
	// Phase opens the phase called name ("read", "seed", "iterate", "write") and ends the one before. total is the
	// number of rows of one pass through it; 0 if that is not known.
	Phase(name string, total int64)
	// Add counts rows done in the current pass.
	Add(rows int64)
	// Iteration says that update i (from 1) of a run (from 0) is done: the inertia of its pass, how many rows changed their
	// segment (-1 if that is not known) and how many rows the pass read. The next pass starts at no rows. Runs may take turns.
	Iteration(run, i int, inertia float64, moved int64, rows int64)
	// Note shows one sentence that the user should not miss.
	Note(text string)
	// Close ends the report, waits for every goroutine behind it and leaves the stream at the start of a line.
	Close()
}

// Kind is one of the ways to report.
type Kind string

// The kinds of reports.
const (
	Bar   Kind = "bar"
	Plain Kind = "plain"
	JSON  Kind = "json"
	None  Kind = "none"
)

// New opens a report of a kind on w. Errors of w are ignored: work does not fail because nobody listens. An unknown
// kind reports nothing. The caller closes the Reporter.
func New(kind Kind, w io.Writer) Reporter {
	switch kind {
	case Bar:
		return newBar(w)
	case Plain:
		return newLines(&plainSink{w: w}, plainFirst, plainEvery)
	case JSON:
		return newLines(&jsonSink{w: w}, jsonEvery, jsonEvery)
	default:
		return nobody{}
	}
}

// nobody is the Reporter of None.
type nobody struct{}

func (nobody) Phase(string, int64)                       {}
func (nobody) Add(int64)                                 {}
func (nobody) Iteration(int, int, float64, int64, int64) {}
func (nobody) Note(string)                               {}
func (nobody) Close()                                    {}

// Count renders n with thousands apart: 1,234,567.
func Count(n int64) string {
	s := fmt.Sprint(n)
	first := len(s) % 3
	if n < 0 {
		first = 1 + (len(s)-1)%3
	}
	out := make([]byte, 0, len(s)+len(s)/3)
	for i := range len(s) {
		if i >= first && (i-first)%3 == 0 && i > 0 && s[i-1] != '-' {
			out = append(out, ',')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// rate renders rows a second in at most four digits: 812 rows/s, 3.1k rows/s, 12.3M rows/s.
func rate(r float64) string {
	switch {
	case r >= 1e9:
		return fmt.Sprintf("%.1fG rows/s", r/1e9)
	case r >= 1e6:
		return fmt.Sprintf("%.1fM rows/s", r/1e6)
	case r >= 1e3:
		return fmt.Sprintf("%.1fk rows/s", r/1e3)
	default:
		return fmt.Sprintf("%.0f rows/s", r)
	}
}

// clock renders a duration as 4s, 1:05 or 2:03:04.
func clock(d time.Duration) string {
	s := int64(d.Round(time.Second) / time.Second)
	switch {
	case s < 60:
		return fmt.Sprintf("%ds", s)
	case s < 3600:
		return fmt.Sprintf("%d:%02d", s/60, s%60)
	default:
		return fmt.Sprintf("%d:%02d:%02d", s/3600, s/60%60, s%60)
	}
}
