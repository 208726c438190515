package coordinator

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/modelcheck"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// tally is a program of so many rounds that looks whether each has merged every partition once, and the answers of no
// other iteration: a worker's Partial for iteration i counts i for each partition, in a digit of its own.
type tally struct{ done, iterations int }

func (c tally) start(j *Job) []Action { return c.then(j) }

// then opens the iteration after those that are done, or ends.
func (c tally) then(j *Job) []Action {
	done := c.done + int(j.round-j.config.After)
	if done == c.iterations {
		return j.finish()
	}
	return j.open(wire.Task{Kind: wire.Iterate}, j.everything(), c.merged(j))
}

func (c tally) merged(j *Job) func(*wire.Partial) []Action {
	return func(p *wire.Partial) []Action {
		whole := digits(len(j.config.Manifest.Partitions), 1<<len(j.config.Manifest.Partitions)-1)
		if iteration := int64(c.done) + int64(j.round-j.config.After); p.Intake.Read != whole || p.Intake.Kept != iteration*whole {
			return j.fail(fmt.Errorf("iteration %d has merged %x, with iterations %x", iteration, p.Intake.Read, p.Intake.Kept))
		}
		return c.then(j)
	}
}

// digits has a hexadecimal 1 for each partition of a set.
func digits(partitions int, over modelcheck.Set) (n int64) {
	for p := range partitions {
		if over.Has(p) {
			n |= 1 << (4 * p)
		}
	}
	return n
}

// twins are the model and the real Jobs of its coordinators, which have seen the same.
type twins struct {
	model modelcheck.State
	jobs  [modelcheck.MaxLives]*Job
}

// twinKey tells twins apart: by the model, and by what Jobs know beyond it.
type twinKey struct {
	model  modelcheck.State
	hidden [modelcheck.MaxLives]struct {
		owners       [modelcheck.MaxPartitions]byte
		dropped      modelcheck.Set
		stale, begun bool
	}
}

func keyOf(s twins) twinKey {
	k := twinKey{model: s.model}
	for i, j := range s.jobs {
		if j == nil {
			continue
		}
		h := &k.hidden[i]
		h.stale, h.begun = j.stale, j.begun
		for _, id := range j.dropped {
			h.dropped |= 1 << id
		}
		if j.plan != nil {
			for id, owner := range j.plan.Owners {
				h.owners[id] = owner[0]
			}
		}
	}
	return k
}

// jobFields are those that cloneJob knows of: a new one may have to be copied.
const jobFields = 26

// cloneJob makes a Job of a tally that goes its own way.
func cloneJob(j *Job) *Job {
	c := *j
	c.workers, c.queue, c.copies, c.dropped = slices.Clone(j.workers), slices.Clone(j.queue), slices.Clone(j.copies), slices.Clone(j.dropped)
	c.found, c.answeredBy, c.blame, c.noDisk = slices.Clone(j.found), slices.Clone(j.answeredBy), maps.Clone(j.blame), slices.Clone(j.noDisk)
	if j.plan != nil {
		c.plan = &partition.Plan{Owners: slices.Clone(j.plan.Owners)}
	}
	c.asked = make(map[string]map[int]bool, len(j.asked))
	for worker, ids := range j.asked {
		c.asked[worker] = maps.Clone(ids)
	}
	if j.ledger != nil {
		l, merged := *j.ledger, *j.merged
		l.entries = slices.Clone(l.entries)
		c.ledger, c.merged, c.onMerge = &l, &merged, j.program.(tally).merged(&c)
	}
	return &c
}

func workerName(w int) string { return string(rune('a' + w)) }

// refinement walks through the model with real Jobs.
type refinement struct {
	modelcheck.Config
	manifest *partition.Manifest
	booked   map[string]int // answers that were booked, or refused, and why
}

func newRefinement(c modelcheck.Config) *refinement {
	r := &refinement{Config: c, manifest: &partition.Manifest{}, booked: make(map[string]int)}
	for id := range c.Partitions {
		r.manifest.Partitions = append(r.manifest.Partitions, partition.Partition{ID: id, First: r.manifest.Rows, Rows: 10})
		r.manifest.Rows += 10
	}
	return r
}

// begin makes the Job of a life.
func (r *refinement) begin(s *twins, life int) error {
	l := s.model.Lives[life]
	j, err := newJob(Config{Manifest: r.manifest, Workers: r.Need, Patient: true, Window: 1, Epoch: uint64(l.Epoch), After: uint64(l.After)},
		tally{int(l.Start), r.Iterations})
	s.jobs[life] = j
	return err
}

// event is what a Job is told of an event of the model.
func (r *refinement) event(s *modelcheck.State, e modelcheck.Event) Event {
	switch e.Kind {
	case modelcheck.Joins:
		return WorkerJoined{Worker: partition.Worker{Name: workerName(e.Worker)}}
	case modelcheck.Lost:
		return WorkerLost{Name: workerName(e.Worker)}
	case modelcheck.Slow:
		return Straggling{Worker: workerName(e.Worker)}
	case modelcheck.Given, modelcheck.Repeated:
		m := e.Message
		of := s.Lives[m.Life]
		a := &wire.Answer{Epoch: uint64(of.Epoch), Round: uint64(of.After) + uint64(m.Round), Worker: workerName(m.Worker), Covered: m.Over.Members(),
			Partial: &wire.Partial{}}
		a.Partial.Intake.Read = digits(r.Partitions, m.Over)
		a.Partial.Intake.Kept = int64(int(of.Start)+m.Round) * a.Partial.Intake.Read
		return Answered{Answer: a}
	}
	return nil
}

// next is Next of the model, with the Jobs beside it.
func (r *refinement) next(s twins, visit func(e modelcheck.Event, next twins, broken error)) {
	r.Events(&s.model, func(e modelcheck.Event) {
		then := s
		result, err := r.Apply(&then.model, e)
		if err != nil {
			visit(e, then, fmt.Errorf("the model itself: %w", err))
			return
		}
		event := r.event(&s.model, e)
		switch {
		case event != nil:
			j := cloneJob(s.jobs[e.Life])
			then.jobs[e.Life] = j
			ended := j.Ended()
			actions := j.Step(event)
			if !ended {
				err = r.compare(&then, e, result, actions)
			}
		case e.Kind == modelcheck.Restarts || e.Kind == modelcheck.Resumes || e.Kind == modelcheck.TakesOver:
			err = r.begin(&then, e.Life)
		}
		for life := range then.jobs {
			if !then.model.Lives[life].Alive {
				then.jobs[life] = nil
			}
		}
		if err != nil || then.model != s.model && r.Fits(&then.model) {
			visit(e, then, err)
		}
	})
}

// compare holds what a Job has done of an event against the model, and has the model ask whom the Job has asked.
func (r *refinement) compare(s *twins, e modelcheck.Event, want modelcheck.Result, actions []Action) error {
	life := s.model.Lives[e.Life]
	var owners [modelcheck.MaxPartitions]int8
	var sent modelcheck.Set
	booked, refused := false, error(nil)
	for _, a := range actions {
		switch a := a.(type) {
		case Failed:
			return fmt.Errorf("the job fails: %w", a.Err)
		case Booked:
			booked = true
		case Refused:
			refused = a.Err
		case Send:
			w := slices.Index([]string{"a", "b"}, a.Worker)
			if a.Task.Epoch != uint64(life.Epoch) || a.Task.Round != uint64(life.After)+uint64(life.Round) {
				return fmt.Errorf("a task of epoch %d round %d is sent in %d and %d", a.Task.Epoch, a.Task.Round, life.Epoch, life.After+life.Round)
			}
			for _, id := range a.Task.Partitions {
				if sent.Has(id) || !want.Need.Has(id) || !want.Among.Has(w) {
					return fmt.Errorf("partition %d is asked of %s, where %v may be asked of %v", id, a.Worker, want.Need.Members(), want.Among.Members())
				}
				sent |= 1 << id
				owners[id] = int8(w)
			}
		}
	}
	switch {
	case booked != want.Booked, (refused != nil) != want.Refused:
		return fmt.Errorf("booked %v, refused %v; the model: %v, %v", booked, refused, want.Booked, want.Refused)
	case sent != want.Need:
		return fmt.Errorf("partitions %v are asked for, and should be %v", sent.Members(), want.Need.Members())
	}
	r.count(booked, refused)
	r.Ask(&s.model, e.Life, want.Need, owners)
	return r.same(&s.model.Lives[e.Life], s.jobs[e.Life])
}

func (r *refinement) count(booked bool, refused error) {
	switch {
	case booked:
		r.booked["booked"]++
	case errors.Is(refused, ErrStale):
		r.booked["stale"]++
	case errors.Is(refused, ErrOverlap):
		r.booked["overlapping"]++
	}
}

// same holds a Job's books against those of the model.
func (r *refinement) same(l *modelcheck.Life, j *Job) error {
	if j.Ended() != l.Done {
		return fmt.Errorf("ended %v; the model: %v", j.Ended(), l.Done)
	}
	if l.Done {
		return nil
	}
	missing, members := []int(nil), []int(nil)
	if j.ledger != nil {
		missing = j.ledger.AllMissing()
	}
	for _, w := range j.workers {
		members = append(members, int(w.Name[0]-'a'))
	}
	want := []int(nil)
	if l.Round > 0 {
		want = (modelcheck.Set(1<<r.Partitions-1) &^ l.Booked).Members()
	}
	if int(j.round-j.config.After) != int(l.Round) || j.waiting != l.Waiting || !slices.Equal(missing, want) || !slices.Equal(members, l.Members.Members()) {
		return fmt.Errorf("round %d, waiting %v, missing %v, members %v; the model: %d, %v, %v, %v", j.round-j.config.After, j.waiting, missing, members,
			l.Round, l.Waiting, want, l.Members.Members())
	}
	for w := range r.Workers {
		if asked := slices.Sorted(maps.Keys(j.asked[workerName(w)])); !slices.Equal(asked, l.Asked[w].Members()) {
			return fmt.Errorf("asked of %s: %v; the model: %v", workerName(w), asked, l.Asked[w].Members())
		}
	}
	return nil
}

// explore goes through all states of the model together with its Jobs.
func (r *refinement) explore(t *testing.T) *modelcheck.Report {
	t.Helper()
	start := twins{model: r.Begin()}
	if err := r.begin(&start, 0); err != nil {
		t.Fatal(err)
	}
	report, err := modelcheck.Explore(&modelcheck.System[twins, modelcheck.Event, twinKey]{Start: start, Next: r.next, Key: keyOf,
		Ended: func(s twins) bool { return r.Ended(s.model) },
		Calm:  func(s twins, e modelcheck.Event) bool { return r.Calm(s.model, e) }})
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func TestTheRealJobDoesWhatTheModelOfItDoesInEveryState(t *testing.T) {
	if n := reflect.TypeFor[Job]().NumField(); n != jobFields {
		t.Fatalf("Job has %d fields: see whether cloneJob copies the new one, and keyOf tells it apart", n)
	}
	sizes := []modelcheck.Config{
		{Workers: 2, Partitions: 3, Iterations: 2, Need: 1, Lives: 1, Stale: 1, Flight: 2},
		{Workers: 1, Partitions: 3, Iterations: 2, Need: 1, Lives: 2, Stale: 1, Flight: 2, Takeovers: true, Resumes: true},
	}
	if os.Getenv("COTERIE_MODEL") != "" {
		sizes = append(sizes,
			modelcheck.Config{Workers: 2, Partitions: 3, Iterations: 2, Need: 1, Lives: 1, Stale: 1, Flight: 3},
			modelcheck.Config{Workers: 1, Partitions: 3, Iterations: 2, Need: 1, Lives: 3, Stale: 1, Flight: 2, Takeovers: true, Resumes: true},
			modelcheck.Config{Workers: 2, Partitions: 3, Iterations: 1, Need: 2, Lives: 2, Stale: 1, Flight: 2, Takeovers: true, Resumes: true})
	}
	for _, c := range sizes {
		r := newRefinement(c)
		report := r.explore(t)
		if report.Counter != nil || report.Ends == 0 {
			t.Errorf("%v: %v", &c, report)
		}
		if r.booked["booked"] == 0 || r.booked["stale"] == 0 || c.Workers > 1 && r.booked["overlapping"] == 0 {
			t.Errorf("%v: the answers were %v: not all kinds of them came", &c, r.booked)
		}
		t.Logf("%v: %v; answers %v", &c, report, r.booked)
	}
}
