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
	return openKeys(j, l.options.Input, l.options.Keys, l.weigh)
}

// weigh finds the largest weight, which the inertia's fixed point is relative to; without weights there is nothing
// to find.
func (l *Label) weigh(j *Job) []Action {
	if l.options.Input.Weight == "" {
		return l.label(j, 0)
	}
	task := wire.Task{Kind: wire.Statistics, Input: l.options.Input}
	return j.openReading(task, func(p *wire.Partial) []Action { return l.label(j, p.Largest) })
}

func (l *Label) label(j *Job, largest float64) []Action {
	o := l.options
	task := wire.Task{Kind: wire.Label, Input: o.Input, Transform: o.Transform, Centroids: o.Centroids, Largest: largest,
		Detail: o.Detail, KeepIDs: true}
	begun := PhaseBegun{Phase: PhaseWrite, Rows: j.config.Manifest.Rows}
	return append([]Action{begun}, j.open(task, j.everything(), func(p *wire.Partial) []Action {
		l.Result = LabelResult{Intake: p.Intake, Bad: p.Bad, Counts: make([]int64, o.Centroids.K)}
		if len(p.Bad) > wire.MaxQuarantined {
			return j.fail(fmt.Errorf("%w: %d of %d", ErrTooManyBad, len(p.Bad), p.Intake.Read))
		}
		if p.Sums != nil {
			l.Result.Counts = p.Sums.Counts
		}
		if p.Inertia != nil {
			l.Result.Inertia = scaleInertia(p.Inertia.Float64(0), o.Input, largest)
		}
		if o.Input.ID != "" && o.Input.Duplicates == wire.DuplicatesFail {
			return openDuplicates(j, o.Input, func(j *Job) []Action { return j.finish() })
		}
		return j.finish()
	})...)
}
