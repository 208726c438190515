package coordinator

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// population is workers that come and go, answer late, twice, in any order or not at all, err, and outlive their
// coordinator, around a Job; after every step it holds the Job's books against what it has seen itself.
type population struct {
	*town
	seed    uint64
	r       *rand.Rand
	config  Config
	options FitOptions
	job     *Job
	fit     *Fit

	present map[string]bool // as the job has been told
	flight  []Send          // tasks under way, also of workers that are lost
	told    []*wire.Answer  // answers given, to be repeated
	booked  map[uint64]map[int]bool
	grief   map[uint64]int // by round: losses and errors that the job may hold against a partition
	joins   int
	starts  int
	waited  bool
	copied  int // partitions given to a second worker
	again   int // errors that were tried elsewhere
}

const (
	populationParts  = 7
	populationWindow = 3
	populationRuns   = 3
)

func newPopulation(t *testing.T, seed uint64) *population {
	p := &population{town: newTown(t, populationParts), seed: seed, r: rand.New(rand.NewPCG(seed, 77))}
	p.config = Config{Manifest: p.manifest, Workers: 1 + p.r.IntN(3), Patient: true, Window: populationWindow}
	p.options = populationFit()
	p.options.Parts = p.r.IntN(2) == 0
	p.options.Abreast = 1 + p.r.IntN(populationRuns)
	p.start(nil)
	return p
}

func populationFit() FitOptions {
	return FitOptions{Input: testInput(), K: 3, Init: kmeans.InitParallel, Runs: populationRuns, MaxIterations: 12, Seed: 2, Labels: true}
}

// start begins a coordinator, the first or the next one.
func (p *population) start(state *FitState) {
	p.starts++
	if p.r.IntN(4) == 0 {
		p.options.Abreast = 1 + p.r.IntN(populationRuns) // on workers with more memory, or less
	}
	p.config.Epoch = uint64(p.starts)
	p.options.Resume = state
	p.present, p.booked, p.grief = make(map[string]bool), make(map[uint64]map[int]bool), make(map[uint64]int)
	var err error
	p.job, p.fit, err = NewFit(p.config, p.options)
	p.must(err)
	for range p.config.Workers {
		p.join("")
	}
}

// restart takes the coordinator away with what it has kept. Tasks and answers of its time stay under way.
func (p *population) restart() {
	state := p.fit.State()
	if state != nil {
		data, err := EncodeState(state)
		p.must(err)
		state, err = DecodeState(data)
		p.must(err)
	}
	p.start(state)
}

// join brings a worker, a new one where no name is given.
func (p *population) join(name string) {
	if name == "" {
		p.joins++
		name = fmt.Sprintf("w%d", p.joins)
	}
	held := p.r.Perm(populationParts)[:p.r.IntN(populationParts)]
	w := partition.Worker{Name: name, Weight: 1 + p.r.IntN(4)}
	p.present[name] = true
	p.step(WorkerJoined{Worker: w, Held: held})
}

// lose takes a worker away; left says in order.
func (p *population) lose(name string, left bool) {
	if !left && readsRows(p.job.task.Kind) {
		p.grief[p.job.round]++
	}
	delete(p.present, name)
	if p.r.IntN(2) == 0 { // what it was asked for is lost with it; otherwise it will still be answered
		p.flight = slices.DeleteFunc(p.flight, func(s Send) bool { return s.Worker == name })
	}
	p.step(WorkerLost{Name: name, Left: left})
}

// answer does one of the tasks under way.
func (p *population) answer(at int) {
	s := p.flight[at]
	p.flight = slices.Delete(p.flight, at, at+1)
	a := p.compute(s)
	p.told = append(p.told, a)
	p.reply(a)
}

// err answers one of the tasks with an error of the worker's machine.
func (p *population) err(at int) {
	s := p.flight[at]
	p.flight = slices.Delete(p.flight, at, at+1)
	if s.Task.Epoch == p.config.Epoch && s.Task.Round == p.job.round {
		p.grief[p.job.round]++
	}
	p.again++
	p.reply(&wire.Answer{Epoch: s.Task.Epoch, Round: s.Task.Round, Worker: s.Worker, Covered: s.Task.Partitions,
		Err: fault.Failedf(nil, "the disk of %s is full", s.Worker)})
}

// compute is what a worker that has just come makes of a task.
func (p *population) compute(s Send) *wire.Answer {
	a := &wire.Answer{Epoch: s.Task.Epoch, Round: s.Task.Round, Worker: s.Worker, Covered: slices.Clone(s.Task.Partitions), Partial: &wire.Partial{}}
	for _, id := range s.Task.Partitions {
		h := fnv.New64()
		fmt.Fprint(h, s.Task.Epoch, s.Task.Round, id)
		a.Digests = append(a.Digests, h.Sum64())
		if s.Task.Reload != nil {
			p.points[id] = p.load(s.Task.Reload, id)
		}
		switch s.Task.Kind {
		case wire.Label, wire.Prepare, wire.Commit:
		default:
			a.Partial.Merge(p.computeOne(s.Task, id))
		}
	}
	return a
}

// repeat hands in an answer like one before: a Partial that was merged belongs to the job.
func (p *population) repeat(a *wire.Answer) {
	copied := *a
	copied.Partial = &wire.Partial{}
	if a.Epoch == p.config.Epoch && a.Round == p.job.round {
		task := p.job.task
		task.Partitions = a.Covered
		copied.Partial = p.compute(Send{Worker: a.Worker, Task: &task}).Partial
	}
	p.reply(&copied)
}

// reply hands in an answer and notes, from what the job says of it, what must be booked now.
func (p *population) reply(a *wire.Answer) {
	round, epoch := p.job.round, p.config.Epoch
	actions := p.job.Step(Answered{Answer: a})
	refused := slices.ContainsFunc(actions, func(action Action) bool { _, is := action.(Refused); return is })
	current := a.Epoch == epoch && a.Round == round
	if !refused && !current {
		p.t.Fatalf("seed %d: the answer of epoch %d round %d was taken in %d and %d", p.seed, a.Epoch, a.Round, epoch, round)
	}
	if !refused && a.Err == nil {
		for _, id := range a.Covered {
			if p.booked[round] == nil {
				p.booked[round] = make(map[int]bool)
			}
			if p.booked[round][id] {
				p.t.Fatalf("seed %d: partition %d merged twice in round %d", p.seed, id, round)
			}
			p.booked[round][id] = true
		}
	}
	p.see(actions)
}

func (p *population) step(e Event) { p.see(p.job.Step(e)) }

// see carries actions out and checks the books.
func (p *population) see(actions []Action) {
	for _, a := range actions {
		switch a := a.(type) {
		case Send:
			if !p.present[a.Worker] {
				p.t.Fatalf("seed %d: a task for %s, which is not there", p.seed, a.Worker)
			}
			p.flight = append(p.flight, a)
		case Waiting:
			p.waited = p.waited || a.Have < a.Need && p.job.begun
		case Speculated:
			p.copied += a.Partitions
		}
	}
	p.take(actions)
	if !p.done {
		p.check()
	}
}

// check holds the job's books against each other and against what was seen.
func (p *population) check() {
	j := p.job
	fail := func(format string, args ...any) {
		p.t.Helper()
		p.t.Fatalf("seed %d, round %d (%s): %s", p.seed, j.round, j.task.Kind, fmt.Sprintf(format, args...))
	}
	count := make(map[int]int)
	for worker, ids := range j.asked {
		if len(ids) > 0 && !j.has(worker) {
			fail("answers are expected of %s, which is not there", worker)
		}
		for id := range ids {
			count[id]++
		}
	}
	for id := range populationParts {
		if count[id] != j.copies[id] {
			fail("partition %d: %d workers are asked, %d answers are expected", id, count[id], j.copies[id])
		}
		if count[id] > 2 {
			fail("partition %d has %d copies", id, count[id])
		}
	}
	under := 0
	for _, n := range j.copies {
		under += min(n, 1)
	}
	if under != j.under {
		fail("%d partitions are under way, the job counts %d", under, j.under)
	}
	if j.ledger == nil {
		return
	}
	if j.task.Kind == wire.Label && j.under > populationWindow {
		fail("%d partitions under way in a window of %d", j.under, populationWindow)
	}
	if j.under+len(j.queue) == 0 && !j.waiting {
		fail("nothing is under way")
	}
	for _, id := range j.ledger.AllMissing() {
		if p.booked[j.round][id] {
			fail("partition %d is booked and missing", id)
		}
		queued := slices.Contains(j.queue, id)
		if count[id] == 0 && !queued && (!j.waiting || !slices.Contains(j.dropped, id)) {
			fail("partition %d is asked of nobody", id)
		}
		if queued && j.under < populationWindow && !j.waiting {
			fail("the window has room, and partition %d is not sent", id)
		}
	}
}

// names are the workers that are there, sorted.
func (p *population) names() []string {
	var names []string
	for name := range p.present {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// trouble is one thing that happens.
func (p *population) trouble() {
	names, r := p.names(), p.r
	one := func() string { return names[r.IntN(len(names))] }
	calm := p.grief[p.job.round] >= blameLimit-1 // one more would be the partition's fault
	switch chance := r.IntN(100); {
	case chance < 6 && len(names) < 6:
		p.join("")
	case chance < 9 && p.joins > 0:
		p.join(fmt.Sprintf("w%d", 1+r.IntN(p.joins)))
	case chance < 15 && len(names) > 0:
		p.lose(one(), calm || r.IntN(3) == 0)
	case chance < 23 && len(p.told) > 0:
		p.repeat(p.told[r.IntN(len(p.told))])
	case chance < 31 && len(names) > 0:
		p.step(Straggling{Worker: one()})
	case chance < 33 && len(names) > 0:
		p.step(Measured{Worker: one(), Weight: 1 + r.IntN(1000)})
	case chance < 36 && len(names) > 1 && len(p.flight) > 0 && !calm:
		p.err(r.IntN(len(p.flight)))
	case chance < 37 && p.starts < 4:
		p.restart()
	case len(p.flight) > 0:
		p.answer(r.IntN(len(p.flight)))
	}
}

// rest lets the job come to its end without further trouble.
func (p *population) rest() {
	for len(p.present) < p.config.Workers {
		p.join("")
	}
	for steps := 0; !p.done; steps++ {
		if steps > 5000 || len(p.flight) == 0 {
			p.t.Fatalf("seed %d: no end after %d calm steps, %d tasks under way", p.seed, steps, len(p.flight))
		}
		p.answer(p.r.IntN(len(p.flight)))
	}
}

func TestAFitComesToTheSameBitsInAnyPopulation(t *testing.T) {
	quiet := newPopulation(t, 0)
	quiet.rest()
	want := quiet.fit.Result
	if quiet.ended != nil || want.Iterations < 3 {
		t.Fatalf("the calm fit: %v after %d iterations", quiet.ended, want.Iterations)
	}
	seeds := uint64(400)
	if testing.Short() {
		seeds = 60
	}
	var waited, copied, again, restarted int
	for seed := uint64(1); seed <= seeds; seed++ {
		p := newPopulation(t, seed)
		for range 50 + p.r.IntN(400) {
			if !p.done {
				p.trouble()
			}
		}
		p.rest()
		if p.ended != nil {
			t.Fatalf("seed %d: %v", seed, p.ended)
		}
		got := p.fit.Result
		if !got.Centroids.Equal(want.Centroids) || got.Inertia != want.Inertia || got.Iterations != want.Iterations || !slices.Equal(got.Counts, want.Counts) {
			t.Errorf("seed %d: got inertia %v after %d iterations, counts %v; want %v after %d, %v", seed, got.Inertia, got.Iterations, got.Counts,
				want.Inertia, want.Iterations, want.Counts)
		}
		copied, again, restarted = copied+p.copied, again+p.again, restarted+p.starts-1
		if p.waited {
			waited++
		}
	}
	if waited == 0 || copied == 0 || again == 0 || restarted == 0 {
		t.Errorf("the troubles did not come to pass: %d waits, %d copies, %d errors, %d restarts", waited, copied, again, restarted)
	}
	t.Logf("%d seeds: %d with a wait, %d partitions copied, %d errors, %d restarts", seeds, waited, copied, again, restarted)
}

func TestALabellingWritesEveryPartitionInAnyPopulation(t *testing.T) {
	centroids := &kmeans.Centroids{K: 1, D: 2, Values: []float32{0, 0}}
	for seed := range uint64(200) {
		p := &population{town: newTown(t, populationParts), seed: seed, r: rand.New(rand.NewPCG(seed, 78)), present: make(map[string]bool),
			booked: make(map[uint64]map[int]bool), grief: make(map[uint64]int), starts: 9}
		p.config = Config{Manifest: p.manifest, Workers: 1 + p.r.IntN(3), Patient: true, Window: populationWindow, Epoch: 1}
		var err error
		p.job, _, err = NewLabel(p.config, LabelOptions{Input: testInput(), Centroids: centroids, Parts: seed%2 == 0})
		p.must(err)
		for range p.config.Workers {
			p.join("")
		}
		for range 60 {
			if !p.done {
				p.trouble()
			}
		}
		p.rest()
		if p.ended != nil {
			t.Fatalf("seed %d: %v", seed, p.ended)
		}
		round := uint64(1)
		if seed%2 == 0 {
			round = 2
		}
		if got := len(p.booked[round]); got != populationParts {
			t.Errorf("seed %d: %d partitions labelled, want %d", seed, got, populationParts)
		}
	}
}
