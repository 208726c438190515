package coordinator

import (
	"fmt"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// LabelOptions is what to label with.
type LabelOptions struct {
	Input     *wire.Input
	Transform *feature.Transform
	Centroids *kmeans.Centroids
	Detail    bool
	Keys      bool // hand in all ids before the first label is written
	Parts     bool // labels are parts, which the workers write themselves
	Integers  bool // every id is known to be an integer; with Keys it is found out
}

// LabelResult counts what was labelled.
type LabelResult struct {
	Counts  []int64
	Inertia float64
	Intake  wire.Intake
	Bad     []wire.BadRow
}

// Label is the program that labels rows with a model's centroids in one reading.
type Label struct {
	Result  LabelResult
	options LabelOptions
	ids     settled
}

// NewLabel makes the job of labelling.
func NewLabel(c Config, o LabelOptions) (*Job, *Label, error) {
	if err := o.Centroids.Validate(); err != nil {
		return nil, nil, err
	}
	l := &Label{options: o}
	j, err := newJob(c, l)
	return j, l, err
}

func (l *Label) start(j *Job) []Action {
	return openKeys(j, l.options.Input, l.options.Keys, func(j *Job, s settled) []Action {
		l.ids = s
		return l.weigh(j)
	})
}

// weigh finds the largest weight, which the inertia's fixed point is relative to; without weights there is nothing
// to find.
func (l *Label) weigh(j *Job) []Action {
	if l.options.Input.Weight == "" {
		return l.label(j, 0)
	}
	task := wire.Task{Kind: wire.Statistics, Input: l.options.Input, Owners: l.ids.owners}
	return j.openReading(task, func(p *wire.Partial) []Action { return l.label(j, p.Largest) })
}

func (l *Label) label(j *Job, largest float64) []Action {
	o := l.options
	// Unless all ids were compared before, they are compared afterwards: nobody sees the labels of a job that fails.
	compare := o.Input.ID != "" && o.Input.Duplicates == wire.DuplicatesFail && !o.Keys
	task := wire.Task{Kind: wire.Label, Input: o.Input, Transform: o.Transform, Centroids: o.Centroids, Largest: largest,
		Detail: o.Detail, KeepIDs: compare, Owners: l.ids.owners, Integers: o.Integers || o.Keys && l.ids.integers}
	begun := PhaseBegun{Phase: PhaseWrite, Rows: j.config.Manifest.Rows}
	label := func() []Action {
		return j.open(task, j.everything(), func(p *wire.Partial) []Action { return l.labelled(j, &task, p, compare) })
	}
	return append([]Action{begun}, j.prepareParts(o.Parts, label)...)
}

// labelled takes what the rounds of labels have counted.
func (l *Label) labelled(j *Job, task *wire.Task, p *wire.Partial, compare bool) []Action {
	o := l.options
	l.Result = LabelResult{Intake: p.Intake, Bad: p.Bad, Counts: make([]int64, o.Centroids.K)}
	if len(p.Bad) > wire.MaxQuarantined {
		return j.fail(fmt.Errorf("%w: %d of %d", ErrTooManyBad, len(p.Bad), p.Intake.Read))
	}
	if p.Sums != nil {
		l.Result.Counts = p.Sums.Counts
	}
	if p.Inertia != nil {
		l.Result.Inertia = scaleInertia(p.Inertia.Float64(0), o.Input, task.Largest)
	}
	if compare {
		return openDuplicates(j, task, p.IDs, func(j *Job, _ settled) []Action { return j.commitParts(o.Parts) })
	}
	return j.commitParts(o.Parts)
}

// prepareParts has a worker make the folder of the labels ready, where they are parts.
func (j *Job) prepareParts(parts bool, then func() []Action) []Action {
	if !parts {
		return then()
	}
	return j.open(wire.Task{Kind: wire.Prepare}, j.everything()[:1], func(*wire.Partial) []Action { return then() })
}

// commitParts has a worker make the parts appear, and ends the job.
func (j *Job) commitParts(parts bool) []Action {
	if !parts {
		return j.finish()
	}
	return j.open(wire.Task{Kind: wire.Commit}, j.everything()[:1], func(*wire.Partial) []Action { return j.finish() })
}
