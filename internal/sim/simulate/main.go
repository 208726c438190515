package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/coterie-project/coterie/internal/sim"
)

func main() {
	runs := flag.Int("runs", 1000, "how many seeds to run")
	seed := flag.Uint64("seed", 1, "the first seed")
	jobs := flag.Int("jobs", 2, "how many runs at a time")
	faults := flag.String("faults", "", "kinds of faults to inject, with commas; empty: all")
	replay := flag.String("replay", "", "a seed, or a file with a script: print it and what happens")
	shrink := flag.String("shrink", "", "a seed, or a file with a script, that breaks something: print a shorter script")
	flag.Parse()
	if flag.NArg() > 0 || *runs < 1 || *jobs < 1 || *jobs > 256 {
		fmt.Fprintln(os.Stderr, "simulate: --runs and --jobs (at most 256) are at least 1, and there are no other arguments")
		os.Exit(2)
	}
	kinds, err := kindsOf(*faults)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		os.Exit(2)
	}
	switch {
	case *replay != "":
		os.Exit(replayOne(*replay, kinds))
	case *shrink != "":
		os.Exit(shrinkOne(*shrink, kinds))
	}
	os.Exit(runAll(*runs, *seed, *jobs, kinds))
}

func kindsOf(list string) (kinds []sim.Kind, err error) {
	if list == "" {
		return nil, nil
	}
	known := make(map[string]bool)
	for _, f := range sim.Faults() {
		known[string(f.Kind)] = true
	}
	for _, word := range strings.Split(list, ",") {
		if !known[word] {
			return nil, fmt.Errorf("--faults %s: there is no such kind (see sim.Faults)", word)
		}
		kinds = append(kinds, sim.Kind(word))
	}
	return kinds, nil
}

// scriptOf is a seed's script, or that of a file.
func scriptOf(arg string, kinds []sim.Kind) (*sim.Script, error) {
	if seed, err := strconv.ParseUint(arg, 10, 64); err == nil {
		return sim.DrawOf(seed, kinds), nil
	}
	text, err := os.ReadFile(arg)
	if err != nil {
		return nil, err
	}
	return sim.Parse(text)
}

func replayOne(arg string, kinds []sim.Kind) int {
	s, err := scriptOf(arg, kinds)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		return 2
	}
	fmt.Println(s)
	r, err := sim.Run(s, func(line string) { fmt.Println(line) })
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		return 2
	}
	fmt.Printf("%d events, %d faults, %.1f s of virtual time, trace %016x\n", r.Events, r.Faults, r.Took.Seconds(), r.Hash)
	if r.Err != nil {
		fmt.Println("broken:", r.Err)
		return 1
	}
	return 0
}

func shrinkOne(arg string, kinds []sim.Kind) int {
	s, err := scriptOf(arg, kinds)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		return 2
	}
	short, runs := sim.Shrink(s)
	if short == nil {
		fmt.Println("# nothing is broken by this script")
		return 0
	}
	r, err := sim.Run(short, nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, "simulate:", err)
		return 2
	}
	fmt.Printf("# after %d runs: %v\n%v", runs, r.Err, short)
	return 1
}

func runAll(runs int, first uint64, jobs int, kinds []sim.Kind) int {
	var (
		wait   sync.WaitGroup
		mu     sync.Mutex
		next   atomic.Int64
		tally  = sim.Tally{Kinds: kinds}
		broken bool
		began  = time.Now()
	)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM) // what was done until then is reported
	defer stop()
	for range jobs {
		wait.Go(func() {
			for {
				i := next.Add(1) - 1
				mu.Lock()
				stop := broken
				mu.Unlock()
				if stop || i >= int64(runs) || ctx.Err() != nil {
					return
				}
				seed := first + uint64(i)
				r, err := sim.Run(sim.DrawOf(seed, kinds), nil)
				mu.Lock()
				switch {
				case err != nil:
					broken = true
					fmt.Printf("seed %d cannot be run: %v\n", seed, err)
				case r.Err != nil:
					broken = true
					fmt.Printf("seed %d: %v\nreplay with: go run ./internal/sim/simulate --replay %d\n", seed, r.Err, seed)
				default:
					tally.Add(r)
				}
				mu.Unlock()
			}
		})
	}
	wait.Wait()
	missing := report(&tally, first, time.Since(began), jobs)
	return exitCode(broken, missing, tally.Runs, kinds)
}

// enough is how many runs under faults of all kinds must have visited every cell of the table.
const enough = 1000

// exitCode is 1 where something is broken, or where cells of the table were not visited that so many runs must visit: fewer
// runs, or faults of some kinds alone, show that it works and nothing of the table.
func exitCode(broken, missing bool, runs int, kinds []sim.Kind) int {
	if broken || missing && runs >= enough && len(kinds) == 0 {
		return 1
	}
	return 0
}

// report prints what came of the runs, and says whether cells of the table were not visited.
func report(t *sim.Tally, first uint64, took time.Duration, jobs int) (missing bool) {
	workers, partitions, faults := t.Medians()
	fmt.Printf("%d runs of distinct seeds from %d on, %d events, %d faults in %.0f s (%d at a time)\n", t.Runs, first, t.Events, t.Faults, took.Seconds(), jobs)
	fmt.Printf("median run: %d workers, %d partitions, %d faults; %d starts of coordinators, %d resumed jobs\n", workers, partitions, faults, t.Starts, t.Resumed)
	fmt.Printf("%d runs of jobs ended because sums did not add up, %d writings of labels failed\n\n", t.Caught, t.Unwritten)
	fmt.Print(t.Table())
	cells := t.Missing()
	if len(cells) > 0 {
		fmt.Printf("\n%d cells not visited (from %d runs under all kinds on that is an error):\n", len(cells), enough)
	}
	for i := 0; i < len(cells); { // a line for each kind
		kind := cells[i].Kind
		fmt.Printf("  %s:", kind)
		for ; i < len(cells) && cells[i].Kind == kind; i++ {
			fmt.Printf(" %s", cells[i].Phase)
		}
		fmt.Println()
	}
	return len(cells) > 0
}
