package roofline

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
)

//go:generate sh -c "cd _asm && go run . -out ../roofline_amd64.s -stubs ../stubs_amd64.go -pkg roofline"

// Config says what is measured.
type Config struct {
	// Threads are the numbers of threads to measure with, each from 1 to GOMAXPROCS: more would take turns.
	Threads []int
	// Bytes each thread reads from, a multiple of 4 MiB. Where that is not far more than the caches hold, their speed is
	// measured and not memory's.
	Bytes int64
	// Window is how long one repetition of one loop takes; MinWindow to MaxWindow. Short windows are more often
	// undisturbed: of forty windows of 5 ms some were quiet on a machine where no window of 25 ms was.
	Window time.Duration
	// Repetitions of each loop, 1 to MaxRepetitions. The best counts.
	Repetitions int
}

// Bounds of a Config. A window must be long beside one call of a loop (up to 0.1 ms), and all of them together are
// what a person waits for.
const (
	MinWindow      = time.Millisecond
	MaxWindow      = time.Second
	MaxRepetitions = 1000
)

// What Default takes: eight loops at two numbers of threads take some three seconds.
const (
	defaultWindow      = 5 * time.Millisecond
	defaultRepetitions = 40
)

// Row is what a number of threads reached together. GFLOPS are 10⁹ float32 operations a second (a multiply-add is two),
// GBytes 10⁹ bytes read a second, both the best of all repetitions of all loops; the medians are those of the loop that
// was best.
type Row struct {
	Threads      int     `json:"threads"`
	GFLOPS       float64 `json:"gflops"`
	GFLOPSMedian float64 `json:"gflops_median"`
	GFLOPSLoop   string  `json:"gflops_loop"`
	GBytes       float64 `json:"gbytes_per_second"`
	GBytesMedian float64 `json:"gbytes_per_second_median"`
	GBytesLoop   string  `json:"gbytes_per_second_loop"`

	share float64 // the least part of the two best windows that a thread had a core for
}

// Report is a measurement.
type Report struct {
	Processor      string
	Rows           []Row // in the order of Config.Threads
	BytesPerThread int64
	Repetitions    int
	// Notes are sentences that the reader of the figures has to know; often none.
	Notes []string
}

// Default is a measurement of this machine with every number of threads (ThreadCounts).
func Default() (*Config, error) {
	threads := runtime.GOMAXPROCS(0)
	bytes, err := bufferBytes(availableMemory(), threads)
	if err != nil {
		return nil, err
	}
	return &Config{Threads: ThreadCounts(threads), Bytes: bytes, Window: defaultWindow, Repetitions: defaultRepetitions}, nil
}

// fewThreads is how many threads are measured one by one.
const fewThreads = 8

// ThreadCounts are the numbers from 1 to n; of more than eight, the powers of two and n.
func ThreadCounts(n int) []int {
	var counts []int
	for t := 1; t < n; t++ {
		if n <= fewThreads || t&(t-1) == 0 {
			counts = append(counts, t)
		}
	}
	if n >= 1 {
		counts = append(counts, n)
	}
	return counts
}

func (c *Config) validate() error {
	if len(c.Threads) == 0 {
		return fault.Usagef("no number of threads to measure with").Do("give at least one")
	}
	for _, t := range c.Threads {
		if most := runtime.GOMAXPROCS(0); t < 1 || t > most {
			return fault.Usagef("cannot measure with %d threads", t).Do("give 1 to %d", most)
		}
	}
	switch {
	case c.Bytes < 8*bufferUnit || c.Bytes%(8*bufferUnit) != 0 || c.Bytes > mostBytes:
		return fault.Usagef("cannot read from %d bytes", c.Bytes).Do("give a multiple of %d, up to %d", 8*bufferUnit, mostBytes)
	case c.Window < MinWindow || c.Window > MaxWindow:
		return fault.Usagef("cannot measure for %v", c.Window).Do("give %v to %v", MinWindow, MaxWindow)
	case c.Repetitions < 1 || c.Repetitions > MaxRepetitions:
		return fault.Usagef("cannot repeat %d times", c.Repetitions).Do("give 1 to %d", MaxRepetitions)
	}
	return nil
}

// Measure runs every loop of this processor with each number of threads. A loop that does not do what it should is an
// error, never a figure.
func Measure(ctx context.Context, c *Config) (*Report, error) {
	if err := c.validate(); err != nil {
		return nil, err
	}
	g := newGang(slices.Max(c.Threads))
	defer g.close()
	defer g.release()
	if err := g.acquire(ctx, int(c.Bytes/8)); err != nil {
		return nil, err
	}
	r := &Report{Processor: Processor(), BytesPerThread: c.Bytes, Repetitions: c.Repetitions}
	multiply, read := fmaLoops(), readLoops()
	for _, threads := range c.Threads {
		flops, err := c.series(ctx, len(multiply), func(i int) (sample, error) { return g.multiply(threads, c.Window, &multiply[i]) })
		if err != nil {
			return nil, err
		}
		bytes, err := c.series(ctx, len(read), func(i int) (sample, error) { return g.read(threads, c.Window, &read[i]) })
		if err != nil {
			return nil, err
		}
		r.Rows = append(r.Rows, Row{threads, flops.best, flops.median, multiply[flops.loop].name,
			bytes.best, bytes.median, read[bytes.loop].name, min(flops.share, bytes.share)})
	}
	r.Notes = notes(r.Rows, multiply[0].name == Portable, c.Bytes, lastCache())
	return r, nil
}

// summary is what a series of repetitions came to: the loop that was best, and its best rate with its share (sample), and
// its median.
type summary struct {
	loop                int
	best, share, median float64
}

// series measures loops in turn, again and again, so that a disturbance falls on all of them.
func (c *Config) series(ctx context.Context, loops int, measure func(loop int) (sample, error)) (summary, error) {
	rates := make([][]sample, loops)
	for range c.Repetitions {
		for i := range rates {
			if err := ctx.Err(); err != nil {
				return summary{}, err
			}
			rate, err := measure(i)
			if err != nil {
				return summary{}, err
			}
			rates[i] = append(rates[i], rate)
		}
	}
	return summarise(rates), nil
}

// summarise finds the loop with the highest rate; of equals the first.
func summarise(rates [][]sample) summary {
	var s summary
	for i, r := range rates {
		slices.SortFunc(r, func(a, b sample) int { return cmp.Compare(a.rate, b.rate) })
		if best := r[len(r)-1]; i == 0 || best.rate > s.best {
			s = summary{i, best.rate, best.share, (r[(len(r)-1)/2].rate + r[len(r)/2].rate) / 2}
		}
	}
	return s
}
