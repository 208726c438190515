//go:build linux

package soak

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

// Config says what to do.
type Config struct {
	Binary   string        // the program
	Folder   string        // an empty folder on a disk, for all that comes up
	Duration time.Duration // of the loop; starting, and coming to rest at the end, come on top
	Seed     uint64        // of the order of the acts; their moments are the machine's
	Say      func(string)  // takes a line now and then
}

// What a soak is made of.
const (
	submitters = 2               // who have work to be done, at a time
	fallsEnd   = 1. / 4          // of the duration: after that the coordinator stays
	moments    = 20              // quiet moments, at most
	leastSpan  = 8 * time.Second // between two of them
	looks      = 700             // at all processes, at most
	leastLook  = time.Second     // between two of them
	longSoak   = 5 * time.Minute // from which on submitters are killed: their jobs end a minute later
)

// Run starts a cluster, lets it live through the duration and gives what has been seen. An error is one of the soak itself;
// what the cluster did wrong is among the report's problems.
func Run(ctx context.Context, c Config) (Report, error) {
	w, err := newWorld(ctx, c)
	defer w.close()
	if err != nil {
		return Report{}, err
	}
	for _, place := range places {
		if err := w.work(ctx, place, place); err != nil {
			return Report{}, err
		}
	}
	if err := w.serve(ctx); err != nil {
		return Report{}, err
	}
	w.began = time.Now()
	w.through(ctx)
	w.mu.Lock()
	defer w.mu.Unlock()
	report := Report{Rows: w.rows, Tally: w.tally, Problems: w.problems, Took: time.Since(w.began)}
	report.Tally["jobs ended"] = w.jobs
	return report, ctx.Err()
}

// through lets everything happen until the duration is over, with a quiet moment now and then and one at the end.
func (w *world) through(ctx context.Context) {
	loop, over := context.WithDeadline(ctx, w.began.Add(w.Duration))
	defer over()
	var all sync.WaitGroup
	for i := range submitters {
		all.Go(func() { w.submits(ctx, loop, uint64(i)) })
	}
	all.Go(func() { w.harms(ctx, loop) })
	traffic := w.traffic(ctx)
	looking, enough := context.WithCancel(ctx)
	var looker sync.WaitGroup
	looker.Go(func() {
		for ; looking.Err() == nil; pause(looking, max(leastLook, w.Duration/looks)) {
			w.sample(looking)
		}
	})
	for loop.Err() == nil {
		pause(loop, max(leastSpan, w.Duration/moments))
		if loop.Err() == nil {
			w.moments(ctx, func() { traffic.stop() }, func() { traffic = w.traffic(ctx) })
		}
	}
	all.Wait()
	w.moments(ctx, traffic.stop, func() {})
	if w.booked("quiet moments") < 2 { // on a machine that stalled; two are compared
		w.moments(ctx, func() {}, func() {})
	}
	enough()
	looker.Wait()
	spilled, err := w.figures(ctx, w.at(places[1]), "/metrics", "coterie_worker_spill_read_bytes_total ")
	if err != nil {
		w.fail(err)
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.tally["MiB read back from the disk by the worker with little memory"] = int(mebibytes(int64(spilled[0])))
}

// moments holds everybody, takes the quiet moment and lets go.
func (w *world) moments(ctx context.Context, hold, resume func()) {
	w.gate.Lock()
	defer w.gate.Unlock()
	hold()
	began := time.Now()
	w.fail(w.quiet(ctx))
	w.count("quiet moments")
	w.mu.Lock()
	said := fmt.Sprintf("%v: %d jobs, quiet after %v, %d problems", time.Since(w.began).Round(time.Second), w.jobs, time.Since(began).Round(time.Second), len(w.problems))
	w.mu.Unlock()
	w.Say(said)
	resume()
}

// submits does one submission after another until the loop is over; what is under way then is finished.
func (w *world) submits(ctx, loop context.Context, n uint64) {
	random := rand.New(rand.NewPCG(w.Seed, n))
	acts := w.submissions(ctx, w.Duration >= longSoak)
	for loop.Err() == nil {
		w.act(ctx, draw(random, acts), random)
	}
}

func (w *world) act(ctx context.Context, a act, random *rand.Rand) {
	w.gate.RLock()
	defer w.gate.RUnlock()
	w.fail(a.do(ctx, random))
}

// harms does one fault after another: each kind once, and then as chance has it.
func (w *world) harms(ctx, loop context.Context) {
	random := rand.New(rand.NewPCG(w.Seed, 1<<32))
	kinds := w.faults(true)
	random.Shuffle(len(kinds), func(i, j int) { kinds[i], kinds[j] = kinds[j], kinds[i] })
	for i := 0; loop.Err() == nil; i++ {
		first := time.Since(w.began).Seconds() < fallsEnd*w.Duration.Seconds()
		next := draw(random, w.faults(first))
		if i < len(kinds) {
			next = kinds[i]
		}
		w.act(ctx, next, random)
		pause(loop, time.Duration(500+random.IntN(3500))*time.Millisecond)
	}
}

// traffic is what goes on beside jobs until it is stopped.
type traffic struct{ stop func() }

func (w *world) traffic(ctx context.Context) traffic {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for i, do := range []func(context.Context, *rand.Rand){w.strangers, w.viewers, w.customers} {
		random := rand.New(rand.NewPCG(w.Seed, uint64(w.next())<<8+uint64(i)))
		all.Go(func() { do(ctx, random) })
	}
	return traffic{func() { cancel(); all.Wait() }}
}
