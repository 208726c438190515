package pipeline

import (
	"cmp"
	"context"
	"math/rand/v2"
	"slices"
	"sync/atomic"
	"time"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/loopback"
	"github.com/coterie-project/coterie/internal/spill"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// Chaos asks for a cluster of processes on this machine whose workers are killed, stopped and sent away while they work.
type Chaos struct {
	Binary string // the program
	Faults int    // 1 to MaxFaults
	// Only, if not empty, are the kinds of faults to draw from; else all that this system has.
	Only []loopback.Fault
}

// MaxFaults bounds the faults of a load test: each may cost half a minute.
const MaxFaults = 64

// LeastChaos is how many workers chaos needs: somebody must be there to take over.
const LeastChaos = 2

// ChaosOutcome is what became of a fit that was disturbed.
type ChaosOutcome struct {
	Undisturbed string       `json:"undisturbed_digest"`
	Disturbed   string       `json:"disturbed_digest"` // empty if it did not come to its end
	Same        bool         `json:"same"`
	Fits        int          `json:"fits"` // disturbed ones
	Seconds     float64      `json:"seconds"`
	Faults      []ChaosFault `json:"faults"`
	Missed      int          `json:"missed"` // faults whose moment did not come: the fits were over
}

// ChaosFault is what was done to a worker, and how long the job took to get over it. Seconds are from the fault on.
type ChaosFault struct {
	Worker     string  `json:"worker"`
	Fault      string  `json:"fault"`
	Pass       int64   `json:"pass"`              // of the disturbed fits, under way when it fell
	Partitions int     `json:"partitions"`        // that changed hands or were given to others too
	Noticed    float64 `json:"noticed_seconds"`   // until partitions were given to others; 0: none were
	Recovered  float64 `json:"recovered_seconds"` // until a pass had ended after that; 0: the fits were over first, or no partition changed hands
}

// chaosLimit bounds the wait for a job to get over one fault. A worker that stands still is missed after some seconds.
const chaosLimit = time.Minute

// restPasses are let go by after a fault before the next, so that each is told from the one before.
const restPasses = 1

// chaos measures a cluster of processes, and then again while its workers fall.
func (t *loadTest) chaos(ctx context.Context) (*LoadOutcome, error) {
	workers := t.request.Engine.Workers
	memory := cmp.Or(t.engine.Memory, spill.Limit()) / int64(workers)
	if memory < loopback.LeastMemory && memory > 0 {
		return nil, fault.Usagef("--workers: %d are too many: each has %d MiB of memory, and needs %d", workers, memory>>20, loopback.LeastMemory>>20).Do("start fewer")
	}
	config := loopback.Config{Binary: t.request.Chaos.Binary, Workers: workers, Threads: max(t.engine.cores()/workers, 1),
		Memory: memory, Spill: t.engine.Spill}
	cluster, err := loopback.Start(ctx, config)
	if err != nil {
		return nil, err
	}
	defer cluster.Close()
	t.out.Where = WhereChaos
	t.engine.Cluster = &Cluster{Address: cluster.Address(), MinWorkers: workers, WorkerWait: crewWait}
	if err := t.assemble(ctx, workers); err != nil {
		return nil, err
	}
	outcome, err := t.run(ctx)
	if err != nil {
		return outcome, err
	}
	if err := t.oneOf(ctx, config); err != nil {
		return outcome, err
	}
	return outcome, t.disturb(ctx, cluster)
}

// oneOf measures one worker as the others are, in a cluster of its own. They have nothing to do meanwhile.
func (t *loadTest) oneOf(ctx context.Context, config loopback.Config) error {
	workers := config.Workers
	config.Workers = 1
	cluster, err := loopback.Start(ctx, config)
	if err != nil {
		return err
	}
	defer cluster.Close()
	engine := Engine{Cluster: &Cluster{Address: cluster.Address(), MinWorkers: 1, WorkerWait: crewWait}}
	if err := t.against(ctx, engine, workers, config.Threads); err != nil && ctx.Err() == nil {
		return err
	}
	t.out.Interrupted = t.out.Interrupted || ctx.Err() != nil
	return ctx.Err()
}

// assemble waits until all workers have joined.
func (t *loadTest) assemble(ctx context.Context, workers int) error {
	bounded, cancel := context.WithTimeout(ctx, crewWait)
	defer cancel()
	for {
		crew, err := clusterCrew(bounded, t.engine.Cluster)
		if err == nil && crew.workers == workers {
			return nil
		}
		if !pause(bounded, look/5) {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return fault.Failedf(err, "the cluster on this machine did not come together within %v", crewWait).Do("try again with fewer --workers")
		}
	}
}

// disturb repeats the fit while workers fall, and compares.
func (t *loadTest) disturb(ctx context.Context, cluster *loopback.Cluster) error {
	o, r := t.out, t.request
	o.Chaos = &ChaosOutcome{Undisturbed: o.Digest, Faults: []ChaosFault{}}
	t.gauge = newGauge(r.Engine.Reporter)
	t.engine.Reporter = t.gauge
	few := *t.engine.Cluster
	few.MinWorkers = 1 // one that falls between two fits must not keep the next waiting
	t.engine.Cluster = &few
	begun := time.Now()
	imp := &imp{cluster: cluster, gauge: t.gauge, at: t.engine.Cluster, pass: time.Duration(o.Pass.Median * float64(time.Second)),
		random: chaosDraws(r.Seed), kinds: r.Chaos.Only}
	if len(imp.kinds) == 0 {
		imp.kinds = loopback.Faults()
	}
	fits := max(1, r.Duration.Seconds()/max(o.Seconds.Total, 1e-3)) // that the time is expected to be enough for
	imp.draw(r.Chaos.Faults, int64(fits*float64(r.Iterations)))
	err := t.disturbed(ctx, imp)
	o.Chaos.Seconds = time.Since(begun).Seconds()
	o.Chaos.Faults = append(o.Chaos.Faults, imp.done...)
	o.Chaos.Missed = int(imp.left.Load())
	switch {
	case ctx.Err() != nil:
		o.Interrupted = true
		return ctx.Err()
	case err != nil:
		return err
	}
	return o.Chaos.verdict()
}

// verdict is an error where a disturbed fit has come to other bits.
func (c *ChaosOutcome) verdict() error {
	if c.Same {
		return nil
	}
	return fault.Failedf(nil, "the disturbed fit gave the digest %s, the undisturbed one %s", c.Disturbed, c.Undisturbed).
		Do("this must never happen: please report it, with the command and its --seed")
}

// disturbed makes fits beside the imp: until the time is over, and, since a fit may end before all moments for faults have
// come, until none is left, or there were more fits than faults.
func (t *loadTest) disturbed(ctx context.Context, imp *imp) error {
	o, r := t.out, t.request
	wicked, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- imp.run(wicked) }()
	until := time.Now().Add(r.Duration)
	var err error
	for err == nil && (o.Chaos.Fits == 0 || time.Now().Before(until) || imp.left.Load() > 0 && o.Chaos.Fits <= r.Chaos.Faults) {
		var outcome *FitOutcome
		outcome, err = Fit(ctx, t.fitRequest())
		t.gauge.turn("")
		if err == nil {
			o.Chaos.Fits++
			o.Chaos.Disturbed = outcome.Digest
			o.Chaos.Same = outcome.Digest == o.Chaos.Undisturbed
			if !o.Chaos.Same {
				break
			}
		}
	}
	stop()
	if wrong := <-ended; err == nil && ctx.Err() == nil {
		err = wrong
	}
	return err
}

// moment is when a fault falls: within the pass of that number, counted over all fits, and how far into it.
type moment struct {
	pass  int64
	share float64
}

// imp does the faults. Its fields are its goroutine's while it runs.
type imp struct {
	cluster *loopback.Cluster
	gauge   *gauge
	at      *Cluster
	pass    time.Duration // that an undisturbed one takes
	random  *rand.Rand
	kinds   []loopback.Fault
	plan    []moment     // that are still to come
	left    atomic.Int64 // how many
	done    []ChaosFault
}

// chaosDraws are those that decide about faults: other than the rows' own of the same seed.
func chaosDraws(seed uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, 0x6368616f73)) }

// draw decides when faults fall: spread over so many passes, the last of which ends too soon.
func (i *imp) draw(faults int, passes int64) {
	for range faults {
		i.plan = append(i.plan, moment{i.random.Int64N(max(passes-1, 1)), i.random.Float64()})
	}
	i.left.Store(int64(faults))
	slices.SortFunc(i.plan, func(a, b moment) int { return cmp.Compare(a.pass, b.pass) })
}

// run does one fault after the other until none is left or the context ends. What it has stopped goes on before it returns,
// and who has fallen is there again.
func (i *imp) run(ctx context.Context) error {
	for len(i.plan) > 0 {
		again, err := i.strike(ctx)
		if !again || err != nil {
			return err
		}
		i.await(ctx, i.passes()+restPasses)
	}
	return nil
}

// strike does the next fault to a worker that takes part in the passes. It is false where the context has ended before.
func (i *imp) strike(ctx context.Context) (bool, error) {
	next := i.plan[0]
	conn, err := i.at.Connect(ctx)
	if err != nil {
		return false, ended(ctx, err)
	}
	defer conn.Close()
	jobs := pb.NewJobsClient(conn)
	if !i.await(ctx, next.pass-1) {
		return false, nil
	}
	before := worked(ctx, jobs) // a pass before, so that all who take part are seen to have gone on
	if !i.await(ctx, next.pass) || !pause(ctx, time.Duration(next.share*float64(i.pass))) {
		return false, nil
	}
	numbers := working(ctx, jobs, i.cluster.Names(), before)
	if len(numbers) == 0 {
		return false, nil
	}
	i.plan = i.plan[1:]
	i.left.Add(-1)
	number, kind := numbers[i.random.IntN(len(numbers))], i.kinds[i.random.IntN(len(i.kinds))]
	return true, i.fell(ctx, jobs, number, kind)
}

// working are the numbers of the workers that have answered for rows since before: who has just come back may have nothing to
// do for some passes, and nothing comes of its fall. It waits until there is one, or the context ends.
func working(ctx context.Context, jobs pb.JobsClient, names []string, before map[string]uint64) (list []int) {
	for {
		now := worked(ctx, jobs)
		for number, name := range names {
			if now[name] > before[name] {
				list = append(list, number)
			}
		}
		if len(list) > 0 || !pause(ctx, poll) {
			return list
		}
	}
}

// worked is for how many rows each worker has answered in the iterations of the jobs of a cluster that is asked by nobody else.
func worked(ctx context.Context, jobs pb.JobsClient) map[string]uint64 {
	bounded, cancel := context.WithTimeout(ctx, noteWait)
	defer cancel()
	rows := make(map[string]uint64)
	reply, err := jobs.List(bounded, &pb.ListRequest{})
	if err != nil {
		return rows
	}
	for _, j := range reply.Jobs {
		show, _ := jobs.Show(bounded, &pb.ShowRequest{Job: j.Id})
		for _, w := range show.GetWork() {
			rows[w.Worker] += w.Rows
		}
	}
	return rows
}

func (i *imp) passes() int64 {
	n, _ := i.gauge.count()
	return n
}

// await waits until so many passes have ended while the next is under way, or says that the context has ended.
func (i *imp) await(ctx context.Context, passes int64) bool {
	for {
		n, another := i.gauge.count()
		if yes, _ := i.gauge.iterating(); yes && n >= passes {
			return true
		}
		select {
		case <-another:
		case <-time.After(look / 10): // the phase may have begun
		case <-ctx.Done():
			return false
		}
	}
}

// poll is the time between two questions whether the job has got over a fault.
const poll = 10 * time.Millisecond

// fell lets a worker fall, waits until the job is over it, and mends it.
func (i *imp) fell(ctx context.Context, jobs pb.JobsClient, number int, kind loopback.Fault) error {
	before := moved(ctx, jobs)
	f := ChaosFault{Worker: i.cluster.Name(number), Fault: string(kind), Pass: i.passes() + 1}
	begun := time.Now()
	if err := i.cluster.Do(number, kind); err != nil {
		return err
	}
	i.watch(ctx, &f, begun, func() int { return moved(ctx, jobs) - before })
	if f.Partitions == 0 {
		f.Recovered = 0 // it held nothing, or was back before anybody missed it: there was nothing to get over
	}
	i.done = append(i.done, f)
	if ctx.Err() != nil {
		return nil // the cluster is closed soon
	}
	return ended(ctx, i.cluster.Mend(ctx, number, kind))
}

// unmoved is how many passes end after a fault with no partition given to others where the worker held none.
const unmoved = 3

// watch notes when the job has got over a fault, until it has, or its fit is over. given is how many partitions went to
// others.
func (i *imp) watch(ctx context.Context, f *ChaosFault, begun time.Time, given func() int) {
	start := i.passes()
	_, fits := i.gauge.iterating()
	noticed := int64(-1) // passes that had ended by then
	for time.Since(begun) < chaosLimit && pause(ctx, poll) {
		since, n, passes := time.Since(begun).Seconds(), given(), i.passes()
		if f.Partitions = max(f.Partitions, n); n > 0 && noticed < 0 {
			f.Noticed, noticed = since, passes
		}
		if noticed >= 0 && passes > noticed || noticed < 0 && passes >= start+unmoved {
			f.Recovered = since
			return
		}
		if _, over := i.gauge.iterating(); over != fits {
			return
		}
	}
}

// ended is err, but nothing where the context has ended: then nobody waits for what went wrong.
func ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// moved is how many partitions have changed hands, or were given to others too, in all jobs of a cluster that is asked by
// nobody else.
func moved(ctx context.Context, jobs pb.JobsClient) (n int) {
	bounded, cancel := context.WithTimeout(ctx, noteWait)
	defer cancel()
	reply, err := jobs.List(bounded, &pb.ListRequest{})
	if err != nil {
		return 0
	}
	for _, j := range reply.Jobs {
		n += int(j.Reassigned + j.Speculated)
	}
	return n
}
