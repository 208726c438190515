package sim

import (
	"context"
	"errors"
	"fmt"
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
	result    []byte              // the encoded rest
	labels    map[string]labelled // by id or row number
	updates   map[update]uint64   // the digests of all that its runs went through
	rounds    map[Phase]int       // that the twin has opened
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
		fit.Assign, fit.Labels, fit.Parts, fit.Weights, fit.ID, fit.Twice, fit.Texts, fit.Detail = false, false, false, false, false, false, false, false
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
	t := &lone{out: &outcome{labels: make(map[string]labelled), updates: make(map[update]uint64), rounds: make(map[Phase]int)}}
	engine, err := worker.NewEngine(worker.Config{Source: madeTable(&j), Manifest: m, Threads: 1, Labels: t, Self: "twin"})
	if err != nil {
		return nil, err
	}
	defer engine.Close()
	job, fit, l, err := j.program(coordinator.Config{Manifest: m, Workers: 1, Epoch: 1, Window: 1}, nil, model)
	if err != nil {
		return nil, err
	}
	t.fit = fit
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
		if t.out.result, err = resultOf(fit, l); err != nil {
			return nil, err
		}
		if err := tally(fit, l, int64(j.Rows)); err != nil {
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
	fit    *coordinator.Fit // nil: there is none
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
				eachUpdate(t.fit, func(u update, digest uint64) { t.out.updates[u] = digest })
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
	return eachLabel(l, func(key []byte, of labelled) { t.out.labels[string(key)] = of })
}

// Prepare and Commit make parts of nothing.
func (t *lone) Prepare(context.Context) error { return nil }
func (t *lone) Commit(context.Context) error  { return nil }
