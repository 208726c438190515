package roofline

import (
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/fault"
)

func TestThreadCountsGoFromOneToAll(t *testing.T) {
	cases := map[int][]int{-1: nil, 0: nil, 1: {1}, 2: {1, 2}, 3: {1, 2, 3}, 8: {1, 2, 3, 4, 5, 6, 7, 8}, 9: {1, 2, 4, 8, 9},
		16: {1, 2, 4, 8, 16}, 96: {1, 2, 4, 8, 16, 32, 64, 96}}
	for n, want := range cases {
		if diff := cmp.Diff(want, ThreadCounts(n)); diff != "" {
			t.Errorf("ThreadCounts(%d) (-want +got):\n%s", n, diff)
		}
	}
}

// tiny is the least that can be measured.
func tiny(threads ...int) *Config {
	return &Config{Threads: threads, Bytes: 8 * bufferUnit, Window: MinWindow, Repetitions: 1}
}

func TestAMeasurementOutOfBoundsIsRefused(t *testing.T) {
	most := runtime.GOMAXPROCS(0)
	cases := []struct {
		name   string
		change func(*Config)
		fails  bool
	}{
		{"as it is", func(*Config) {}, false},
		{"all threads", func(c *Config) { c.Threads = []int{most} }, false},
		{"no threads", func(c *Config) { c.Threads = nil }, true},
		{"zero threads", func(c *Config) { c.Threads = []int{1, 0} }, true},
		{"a thread too many", func(c *Config) { c.Threads = []int{most + 1} }, true},
		{"no memory", func(c *Config) { c.Bytes = 0 }, true},
		{"not a multiple", func(c *Config) { c.Bytes += 8 }, true},
		{"the most memory", func(c *Config) { c.Bytes = mostBytes }, false},
		{"more memory", func(c *Config) { c.Bytes = mostBytes + 8*bufferUnit }, true},
		{"the longest window", func(c *Config) { c.Window = MaxWindow }, false},
		{"a longer window", func(c *Config) { c.Window = MaxWindow + 1 }, true},
		{"a shorter window", func(c *Config) { c.Window = MinWindow - 1 }, true},
		{"the most repetitions", func(c *Config) { c.Repetitions = MaxRepetitions }, false},
		{"more repetitions", func(c *Config) { c.Repetitions = MaxRepetitions + 1 }, true},
		{"no repetition", func(c *Config) { c.Repetitions = 0 }, true},
	}
	for _, c := range cases {
		config := tiny(1)
		c.change(config)
		if err := config.validate(); (err != nil) != c.fails || err != nil && fault.Code(err) != int(fault.Usage) {
			t.Errorf("%s: got %v, want an error: %v", c.name, err, c.fails)
		}
	}
	if _, err := Measure(t.Context(), tiny()); err == nil {
		t.Error("Measure without threads: got no error")
	}
}

func TestEveryNumberOfThreadsIsMeasured(t *testing.T) {
	config := tiny(ThreadCounts(runtime.GOMAXPROCS(0))...)
	r, err := Measure(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	var multiply, read []string
	for _, l := range fmaLoops() {
		multiply = append(multiply, l.name)
	}
	for _, l := range readLoops() {
		read = append(read, l.name)
	}
	var threads []int
	for _, row := range r.Rows {
		threads = append(threads, row.Threads)
		if !positive(row.GFLOPSMedian) || row.GFLOPS < row.GFLOPSMedian || !positive(row.GBytesMedian) || row.GBytes < row.GBytesMedian {
			t.Errorf("got %+v, want positive rates, none above the best", row)
		}
		if !slices.Contains(multiply, row.GFLOPSLoop) || !slices.Contains(read, row.GBytesLoop) {
			t.Errorf("got loops %q and %q, want of %q and %q", row.GFLOPSLoop, row.GBytesLoop, multiply, read)
		}
	}
	if diff := cmp.Diff(config.Threads, threads); diff != "" {
		t.Errorf("threads (-want +got):\n%s", diff)
	}
	if r.Processor == "" || r.BytesPerThread != config.Bytes || r.Repetitions != 1 {
		t.Errorf("got %+v, want the processor's name and what was asked for", r)
	}
}

func TestACancelledMeasurementEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	config := tiny(1)
	config.Window, config.Repetitions = MaxWindow, MaxRepetitions
	if r, err := Measure(ctx, config); r != nil || !errors.Is(err, context.Canceled) {
		t.Errorf("got %v and %v, want context.Canceled", r, err)
	}
	measured := 0
	ctx, cancel = context.WithCancel(t.Context())
	_, err := config.series(ctx, 2, func(int) (sample, error) {
		measured++
		cancel()
		return sample{1, 1}, nil
	})
	if measured != 1 || !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled in the first repetition: got %d and %v, want 1 and context.Canceled", measured, err)
	}
}

func TestTheBestRepetitionOfTheBestLoopCounts(t *testing.T) {
	cases := []struct {
		rates [][]sample
		want  summary
	}{
		{[][]sample{{{3, 0.5}}}, summary{0, 3, 0.5, 3}},
		{[][]sample{{{5, 1}, {1, 1}, {4, 1}}, {{2, 1}, {7, 0.9}, {3, 1}, {1, 0}}}, summary{1, 7, 0.9, 2.5}},
		{[][]sample{{{9, 1}, {1, 0.2}}, {{9, 0.5}, {8, 1}}}, summary{0, 9, 1, 5}},
	}
	for _, c := range cases {
		if got := summarise(c.rates); got != c.want {
			t.Errorf("%v: got %+v, want %+v", c.rates, got, c.want)
		}
	}
}

// Two members that take turns have not worked at once.
func TestARateSpansTheFirstBeginAndTheLastEnd(t *testing.T) {
	at := func(ns int) time.Time { return time.Unix(0, 0).Add(time.Duration(ns)) }
	broken := errors.New("broken")
	cases := []struct {
		turns []turn
		want  sample
		err   error
	}{
		{[]turn{{at(10), at(20), 10, 100, nil}}, sample{10, 1}, nil},
		{[]turn{{at(10), at(20), 10, 100, nil}, {at(10), at(20), 5, 100, nil}}, sample{20, 0.5}, nil},
		{[]turn{{at(20), at(30), 9, 100, nil}, {at(10), at(20), 10, 100, nil}}, sample{10, 0.9}, nil},
		{[]turn{{at(10), at(40), 30, 0, nil}, {at(20), at(30), 10, 300, nil}}, sample{10, 1}, nil},
		{[]turn{{at(10), at(20), 10, 100, nil}, {at(10), at(20), 10, 100, broken}}, sample{}, broken},
	}
	for _, c := range cases {
		if got, err := together(c.turns); got != c.want || err != c.err {
			t.Errorf("%v: got %v and %v, want %v and %v", c.turns, got, err, c.want, c.err)
		}
	}
}

func TestTheTimeOfAThreadIsItsOwn(t *testing.T) {
	g := small(t, 1)
	s, err := g.multiply(1, MinWindow, &portableFMA)
	if err != nil || s.share <= 0 || s.share > 1 {
		t.Errorf("got %+v and %v, want a share above 0 and up to 1", s, err)
	}
}

func TestBuffersTakeAShareOfTheMemory(t *testing.T) {
	const mib, gib = int64(1 << 20), int64(1 << 30)
	cases := []struct {
		available int64
		threads   int
		want      int64 // 0: an error
	}{
		{64 * gib, 1, 512 * mib},
		{4 * gib, 2, 512 * mib},
		{4*gib - 1, 2, 508 * mib},
		{1024 * gib, 64, 256 * mib},
		{4096 * gib, 512, 64 * mib}, // more than 16 GiB in all, as less would lie in caches
		{256 * mib, 1, 64 * mib},
		{256*mib - 1, 1, 0},
		{1, 1, 0},
		{0, 2, 256 * mib}, // not known
		{64 * gib, 0, 512 * mib},
	}
	for _, c := range cases {
		got, err := bufferBytes(c.available, c.threads)
		if got != c.want || (err == nil) != (c.want > 0) || err != nil && fault.Code(err) != int(fault.Failed) {
			t.Errorf("%d bytes, %d threads: got %d and %v, want %d", c.available, c.threads, got, err, c.want)
		}
		if err == nil && got%(8*bufferUnit) != 0 {
			t.Errorf("%d bytes, %d threads: got %d, not a multiple of %d", c.available, c.threads, got, 8*bufferUnit)
		}
	}
}

func TestWhatTheFiguresAreNotIsSaid(t *testing.T) {
	quiet, busy := Row{Threads: 2, share: 0.95}, Row{Threads: 2, share: 0.949}
	cases := []struct {
		rows         []Row
		portable     bool
		bytes, cache int64
		want         []string // each note begins with
	}{
		{[]Row{quiet}, false, 512 << 20, 32 << 20, nil},
		{[]Row{quiet}, false, 512 << 20, 0, nil},
		{[]Row{quiet}, false, 128 << 20, 32 << 20, nil},
		{[]Row{quiet}, false, 124 << 20, 32 << 20, []string{"124 MiB a thread"}},
		{[]Row{quiet, busy}, false, 128 << 20, 32 << 20, []string{"the processor was busy"}},
		{[]Row{busy}, true, 64 << 20, 32 << 20, []string{"the processor was busy", "portable", "64 MiB a thread"}},
	}
	for _, c := range cases {
		got := notes(c.rows, c.portable, c.bytes, c.cache)
		if !slices.EqualFunc(got, c.want, strings.HasPrefix) {
			t.Errorf("%v: got %q, want %q", c, got, c.want)
		}
	}
}

func TestMembersBuffersDiffer(t *testing.T) {
	g := small(t, 2)
	for _, m := range g.members {
		for i, w := range m.words {
			if w != m.first+uint64(i) {
				t.Fatalf("member %d, word %d: got %d, want %d", m.number, i, w, m.first+uint64(i))
			}
		}
	}
	if a, b := g.members[0], g.members[1]; a.first+uint64(len(a.words)) != b.first {
		t.Errorf("got buffers from %d and %d, want one after the other", a.first, b.first)
	}
}
