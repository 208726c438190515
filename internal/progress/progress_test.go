package progress

import (
	"bufio"
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/vbauerster/mpb/v8"

	"github.com/coterie-project/coterie/internal/bubble"
)

// safeBuffer is a buffer that several goroutines may write.
type safeBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *safeBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *safeBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// events decodes a JSON report and fails on a line that is not one object.
func events(t *testing.T, text string) []map[string]any {
	t.Helper()
	var all []map[string]any
	lines := bufio.NewScanner(strings.NewReader(text))
	for lines.Scan() {
		var e map[string]any
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			t.Fatalf("line %q: %v", lines.Text(), err)
		}
		all = append(all, e)
	}
	return all
}

func TestJSONHasALineForEveryIteration(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out safeBuffer
		r := New(JSON, &out)
		r.Phase("iterate", 1000)
		for i := 1; i <= 500; i++ {
			time.Sleep(time.Millisecond)
			r.Add(1000)
			r.Iteration(0, i, 1/float64(i), int64(1000-i), 1000)
		}
		r.Close()
		iterations := 0
		for _, e := range events(t, out.String()) {
			if e["event"] != "iteration" {
				continue
			}
			iterations++
			want := map[string]any{"event": "iteration", "phase": "iterate", "run": 0.0, "iteration": float64(iterations),
				"inertia": 1 / float64(iterations), "moved": float64(1000 - iterations),
				"rows_per_second": 1e6, "seconds": float64(iterations) / 1000}
			if diff := cmp.Diff(want, e); diff != "" {
				t.Fatalf("iteration %d (-want +got):\n%s", iterations, diff)
			}
		}
		if iterations != 500 {
			t.Errorf("got %d iteration lines, want 500", iterations)
		}
	})
}

func TestJSONLeavesOutWhatIsNotKnown(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out safeBuffer
		r := New(JSON, &out)
		r.Phase("iterate", 0)
		r.Iteration(0, 1, math.NaN(), -1, 10)
		r.Iteration(0, 2, math.Inf(1), 0, 10)
		r.Close()
		want := []map[string]any{
			{"event": "phase", "phase": "iterate"},
			{"event": "iteration", "phase": "iterate", "run": 0.0, "iteration": 1.0, "seconds": 0.0},
			{"event": "iteration", "phase": "iterate", "run": 0.0, "iteration": 2.0, "moved": 0.0, "seconds": 0.0},
		}
		if diff := cmp.Diff(want, events(t, out.String())); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

// Runs that share a pass end it in the same moment, each after the time that the pass took.
func TestRunsThatTakeTurnsAreToldApart(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out, plain safeBuffer
		r, p := New(JSON, &out), New(Plain, &plain)
		for _, each := range []Reporter{r, p} {
			each.Phase("iterate", 1000)
		}
		for i := 1; i <= 3; i++ {
			time.Sleep(time.Second)
			for run := 4; run <= 5; run++ {
				for _, each := range []Reporter{r, p} {
					each.Iteration(run, i, 1, 0, 1000)
				}
			}
		}
		r.Close()
		p.Close()
		seen := 0
		for _, e := range events(t, out.String()) {
			if e["event"] != "iteration" {
				continue
			}
			want := map[string]any{"event": "iteration", "phase": "iterate", "run": float64(4 + seen%2), "iteration": float64(1 + seen/2),
				"inertia": 1.0, "moved": 0.0, "rows_per_second": 1000.0, "seconds": float64(1 + seen/2)}
			if diff := cmp.Diff(want, e); diff != "" {
				t.Errorf("line %d (-want +got):\n%s", seen, diff)
			}
			seen++
		}
		if line := "run 5, iteration "; seen != 6 || !strings.Contains(plain.String(), line) {
			t.Errorf("got %d lines, want 6, and of the plain report %q, want a line with %q", seen, plain.String(), line)
		}
	})
}

func TestJSONWritesAtMostTenOtherEventsInAnySecond(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out safeBuffer
		start := time.Now()
		var at []time.Duration
		r := New(JSON, writerFunc(func(p []byte) (int, error) {
			at = append(at, time.Since(start))
			return out.Write(p)
		}))
		for range 100 {
			r.Phase("seed", 10)
			r.Add(1)
			time.Sleep(30 * time.Millisecond)
		}
		r.Close()
		for i := range at {
			if i >= eventsPerSecond && at[i]-at[i-eventsPerSecond] < time.Second {
				t.Fatalf("events %d to %d lie within %v", i-eventsPerSecond, i, at[i]-at[i-eventsPerSecond])
			}
		}
		if len(at) < 30 {
			t.Errorf("got %d events in 3 s, want about 30", len(at))
		}
	})
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func TestPlainSaysNothingInAShortRunAndALineNowAndThenInALongOne(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		var out safeBuffer
		r := New(Plain, &out)
		r.Phase("read", 4000)
		time.Sleep(time.Second)
		if got := out.String(); got != "" {
			t.Errorf("after 1 s: got %q, want nothing", got)
		}
		r.Add(1000)
		time.Sleep(1500 * time.Millisecond) // 2.5 s: the first line
		r.Add(1000)
		time.Sleep(5 * time.Second) // 7.5 s: the second
		r.Phase("iterate", 4000)
		for i := 1; i <= 100; i++ {
			time.Sleep(49 * time.Millisecond)
			r.Iteration(0, i, 12.5, 1234, 4000)
		}
		r.Close()
		want := "read: 1,000 of 4,000 rows (25 %), 500 rows/s, 6s left\n" +
			"read: 2,000 of 4,000 rows (50 %), 286 rows/s, 7s left\n" +
			"read: ended after 8s\n" +
			"iterate: iteration 91, inertia 12.5, 1,234 rows moved, 81.6k rows/s, 5s so far\n" +
			"iterate: ended after 5s\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
}

func TestEveryKindIsSafeForConcurrentUseAndSilentAfterClose(t *testing.T) {
	for _, kind := range []Kind{Bar, Plain, JSON, None} {
		t.Run(string(kind), func(t *testing.T) {
			var out safeBuffer
			r := New(kind, &out)
			var all sync.WaitGroup
			for w := range 8 {
				all.Go(func() {
					for i := range 50 {
						if w == 0 {
							r.Phase("read", int64(100*(i%2)))
						}
						r.Add(8)
						r.Iteration(0, i+1, 1, -1, 8)
						r.Note("a note")
					}
				})
			}
			all.Wait()
			r.Close()
			before := out.String()
			r.Phase("late", 1)
			r.Add(1)
			r.Iteration(0, 1, 1, 1, 1)
			r.Note("late")
			r.Close()
			if after := out.String(); after != before {
				t.Errorf("written after Close: %q", after[len(before):])
			}
		})
	}
}

func TestBarShowsPhaseRowsAndIteration(t *testing.T) {
	var out safeBuffer
	b := newBar(&out, mpb.WithAutoRefresh(), mpb.WithRefreshRate(5*time.Millisecond), mpb.WithWidth(160))
	await := func(want ...string) {
		t.Helper()
		for range 2000 {
			missing := ""
			for _, w := range want {
				if !strings.Contains(out.String(), w) {
					missing = w
				}
			}
			if missing == "" {
				return
			}
			time.Sleep(5 * time.Millisecond)
		}
		t.Fatalf("the bar never showed all of %q in:\n%s", want, out.String())
	}
	b.Phase("read", 1000)
	b.Add(250)
	await("read", "250 of 1,000 rows (25 %)", " left", "[")
	b.Note("12 rows went to quarantine")
	await("12 rows went to quarantine\n")
	b.Phase("iterate", 1000)
	b.Add(1000) // a full pass does not end the bar
	b.Iteration(0, 3, 42.5, 17, 1000)
	await("iterate", "iteration 3", "inertia 42.5", "17 rows moved", "rows/s")
	b.Phase("write", 0)
	b.Add(5)
	await("write", "5 rows")
	b.Close()
}

func TestBarOfAPhaseNeverShowsTheNextOnesNumbers(t *testing.T) {
	var out safeBuffer
	b := newBar(&out, mpb.WithAutoRefresh(), mpb.WithRefreshRate(5*time.Millisecond), mpb.WithWidth(160))
	for range 20 {
		b.Phase("read", 1000)
		b.Add(1000)
		time.Sleep(10 * time.Millisecond)
	}
	b.Close()
	for _, line := range strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' || r == '\r' }) {
		if strings.Contains(line, "=]") && strings.Contains(line, "(0 %)") {
			t.Fatalf("got a full bar at 0 %%: %q", line)
		}
	}
	if !strings.Contains(out.String(), "=]") {
		t.Errorf("no full bar was drawn at all:\n%s", out.String())
	}
}

func TestNumbersAreWrittenForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d): got %q, want %q", n, got, want)
		}
	}
	for r, want := range map[float64]string{12: "12 rows/s", 3100: "3.1k rows/s", 12.3e6: "12.3M rows/s", 2.5e9: "2.5G rows/s"} {
		if got := rate(r); got != want {
			t.Errorf("rate(%g): got %q, want %q", r, got, want)
		}
	}
	for d, want := range map[time.Duration]string{4 * time.Second: "4s", 65 * time.Second: "1:05", 7384 * time.Second: "2:03:04"} {
		if got := clock(d); got != want {
			t.Errorf("clock(%v): got %q, want %q", d, got, want)
		}
	}
}
