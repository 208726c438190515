package sim

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/fnv"
	"math"
	"sync"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// outcome is what a job comes to: everything that must be the same whoever computed it.
type outcome struct {
	fault     string // how it fails; empty: it does not
	transform *feature.Transform
	centroids *kmeans.Centroids
	result    []byte           // the encoded rest
	labels    map[int64]uint64 // by row
	rounds    map[Phase]int    // that the twin has opened
}

// label is a row's label and its distance in one number.
func label(segment int32, distance float32) uint64 {
	return uint64(uint32(segment))<<32 | uint64(math.Float32bits(distance))
}

// resultOf encodes what a job gave, to the bit.
func resultOf(fit *coordinator.Fit, l *coordinator.Label) []byte {
	var b []byte
	number := func(n uint64) { b = binary.LittleEndian.AppendUint64(b, n) }
	intake := func(n *wire.Intake, bad []wire.BadRow) {
		for _, c := range []int64{n.Read, n.Kept, n.Bad, n.Missing, n.Duplicates, n.Imputed, int64(len(bad))} {
			number(uint64(c))
		}
		for i := range bad {
			number(uint64(bad[i].Row))
		}
	}
	counts := func(list []int64) {
		for _, c := range list {
			number(uint64(c))
		}
	}
	if l != nil {
		intake(&l.Result.Intake, l.Result.Bad)
		counts(l.Result.Counts)
		number(math.Float64bits(l.Result.Inertia))
		return b
	}
	r := &fit.Result
	intake(&r.Intake, r.Bad)
	counts(r.Counts)
	number(math.Float64bits(r.Inertia))
	number(uint64(r.Iterations))
	if r.Converged {
		number(1)
	}
	for _, v := range r.Centroids.Values {
		number(uint64(math.Float32bits(v)))
	}
	return b
}

// tally holds the intake of a job against the rows there are, and its counts against the rows that are kept (I3, I6).
func tally(fit *coordinator.Fit, l *coordinator.Label, weights bool, rows int64) error {
	var n *wire.Intake
	var counts []int64
	if l != nil {
		n, counts = &l.Result.Intake, l.Result.Counts
	} else {
		n, counts = &fit.Result.Intake, fit.Result.Counts
	}
	if n.Read != rows || n.Read != n.Kept+n.Bad+n.Missing+n.Duplicates {
		return fmt.Errorf("I6: %d rows, %d read, %d kept, %d bad, %d missing, %d duplicates", rows, n.Read, n.Kept, n.Bad, n.Missing, n.Duplicates)
	}
	sum := int64(0)
	for _, c := range counts {
		sum += c
	}
	if sum != n.Kept {
		return fmt.Errorf("I3: the clusters have %d rows, %d are kept", sum, n.Kept)
	}
	return nil
}

// twins are the outcomes of jobs in one process, by job.
type twins struct {
	mu   sync.Mutex
	made map[JobSpec]*outcome
}

var known = twins{made: make(map[JobSpec]*outcome)}

// of computes a job's twin, or finds it.
func (t *twins) of(j JobSpec) (*outcome, error) {
	t.mu.Lock()
	o := t.made[j]
	t.mu.Unlock()
	if o != nil {
		return o, nil
	}
	o, err := alone(j)
	if err != nil {
		return nil, fmt.Errorf("the twin of %v: %w", j, err)
	}
	t.mu.Lock()
	t.made[j] = o
	t.mu.Unlock()
	return o, nil
}

// alone runs a job with one worker, in order, without a network. An assigning job labels with what a fit of the same rows
// comes to.
func alone(j JobSpec) (*outcome, error) {
	var model *outcome
	if j.Assign {
		fit := j
		fit.Assign, fit.Labels, fit.Parts, fit.Weights, fit.ID, fit.Twice = false, false, false, false, false, false
		fit.Duplicates, fit.Runs, fit.Abreast = wire.DuplicatesFail, 1, 1
		var err error
		if model, err = known.of(fit); err != nil {
			return nil, err
		}
		if model.fault != "" {
			return nil, errors.New(model.fault)
		}
	}
	m := j.manifest(1)
	t := &lone{out: &outcome{labels: make(map[int64]uint64), rounds: make(map[Phase]int)}}
	engine, err := worker.NewEngine(worker.Config{Source: madeTable(&j), Manifest: m, Threads: 1, Labels: t, Self: "twin"})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	job, fit, l, err := j.program(coordinator.Config{Manifest: m, Workers: 1, Epoch: 1, Window: 1}, nil, model)
	if err != nil {
		return nil, err
	}
	core := worker.NewCore("twin")
	pending := job.Step(coordinator.WorkerJoined{Worker: partition.Worker{Name: "twin", Weight: 1}})
	for len(pending) > 0 {
		action := pending[0]
		pending = append(pending[1:], t.act(job, core, engine, action)...)
	}
	switch {
	case t.failed != nil:
		t.out.fault = t.failed.Error()
	case !t.done:
		return nil, errors.New("it does not end")
	default:
		t.out.result = resultOf(fit, l)
		if err := tally(fit, l, j.Weights, int64(j.Rows)); err != nil {
			return nil, err
		}
	}
	if fit != nil {
		t.out.transform, t.out.centroids = fit.Result.Transform, fit.Result.Centroids
	} else {
		t.out.transform, t.out.centroids = model.transform, model.centroids
	}
	return t.out, nil
}

// lone is the twin under way.
type lone struct {
	out    *outcome
	done   bool
	failed error
}

func (t *lone) act(job *coordinator.Job, core *worker.Core, engine *worker.Engine, a coordinator.Action) []coordinator.Action {
	switch a := a.(type) {
	case coordinator.Send:
		var next []coordinator.Action
		for _, c := range core.Step(worker.TaskArrived{Task: a.Task}) {
			p, err := engine.Do(context.Background(), c.(worker.Compute).Task)
			for _, r := range core.Step(worker.Computed{Task: a.Task, Partial: p, Err: err}) {
				next = append(next, job.Step(coordinator.Answered{Answer: r.(worker.Reply).Answer})...)
			}
		}
		return next
	case coordinator.Opened:
		t.out.rounds[phaseOf(a.Kind)]++
	case coordinator.Finished:
		t.done = true
	case coordinator.Failed:
		t.failed = a.Err
	}
	return nil
}

// Put implements worker.LabelSink.
func (t *lone) Put(_ context.Context, l *worker.Labels) error {
	for i, row := range l.RowNumbers {
		t.out.labels[row] = label(l.Segment[i], l.Distance[i])
	}
	return nil
}

// Prepare and Commit make parts of nothing.
func (t *lone) Prepare(context.Context) error { return nil }
func (t *lone) Commit(context.Context) error  { return nil }

// digestOf is a short name for bits, for traces.
func digestOf(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}
