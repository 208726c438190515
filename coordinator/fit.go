package coordinator

import (
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// FitOptions is what to fit.
type FitOptions struct {
	Input *wire.Input
	K     int
	Init  kmeans.Init
	// Start gives starts once the transform is known; nil: Init does. Where they are fewer than K, Init seeds K, and those that
	// no given one is matched with are the others.
	Start         func(*feature.Transform) (*kmeans.Centroids, error)
	Transform     *feature.Transform // is kept but for its grids, which become as wide as the rows ask for; nil: it is fitted
	Runs          int                // at least 1; with K given starts, 1
	MaxIterations int
	Tolerance     float64 // relative to the mean column variance; 0: until nothing changes
	Seed          uint64
	Algorithm     kmeans.Algorithm
	Abreast       int       // how many runs share passes, at most; 0: Abreast says
	Parts         bool      // labels are parts, which the workers write themselves
	Labels        bool      // a last round hands labels to where they are written
	Resume        *FitState // where an earlier coordinator had come to; nil: from the beginning
	// Sweep is several k, ascending, each of which has Runs runs, and K the last of them; nil: there is K alone. A sweep labels and
	// resumes nothing, and starts from nothing given.
	Sweep []int
}

// purposeRun keys the seed of each run apart from each other.
const purposeRun uint32 = 0x72756e

// FitResult is what a fit found. All of it belongs to the Centroids.
type FitResult struct {
	Transform  *feature.Transform
	Centroids  *kmeans.Centroids
	Counts     []int64
	Inertia    float64
	Iterations int
	Converged  bool
	Intake     wire.Intake
	Bad        []wire.BadRow
	// Sample is the numeric columns of some Points, each ascending; nil: there are too many columns.
	Sample [][]float32
}

// Fit is the program of a fit: statistics, transform, load, then for each run seed, iterate and score, several runs in one
// pass (runs.go); the lowest inertia wins, the earliest of equals.
type Fit struct {
	Result   FitResult
	options  FitOptions
	largest  float64
	space    *kmeans.Space
	totals   *kmeans.Totals
	loading  *wire.Task // how partitions are loaded, for who takes them over
	spread   float64    // mean column variance
	leaves   []string   // by range of ids: who knows the rows that are left out; nil: none are
	integers bool       // every id is an integer
	have     bool
	best     int // the run that Result is of
	runs     runs
	sweep    []*swept       // by k; nil: a fit of one
	sample   []kmeans.Drawn // of a sweep: rows for the scores that want pairs of them
}

// NewFit makes the job of a fit.
func NewFit(c Config, o FitOptions) (*Job, *Fit, error) {
	if o.K < 1 || o.K > kmeans.MaxClusters || o.Runs < 1 || o.Abreast < 0 || o.Abreast > wire.MaxStrands || o.MaxIterations < 1 || o.Tolerance < 0 || math.IsNaN(o.Tolerance) {
		return nil, nil, fmt.Errorf("coordinator: k %d, runs %d, iterations %d, tolerance %g: out of range", o.K, o.Runs, o.MaxIterations, o.Tolerance)
	}
	if t := o.Transform; t != nil && !t.Spec().Equal(o.Input.Spec) {
		return nil, nil, fmt.Errorf("coordinator: the transform to keep is of other columns or rules than the data")
	}
	f := &Fit{options: o}
	if err := f.beginSweep(); err != nil {
		return nil, nil, err
	}
	j, err := newJob(c, f)
	if err == nil && o.Resume != nil {
		err = f.restore(o.Resume, c.Manifest.Rows)
	}
	if err != nil {
		return nil, nil, err
	}
	return j, f, nil
}

func (f *Fit) start(j *Job) []Action {
	return openKeys(j, f.options.Input, false, func(j *Job, s settled) []Action {
		f.leaves = s.owners
		if f.totals != nil {
			f.reload()
			f.reserve(j, f.totals.Rows)
			return f.next(j)
		}
		return f.statistics(j)
	})
}

// openReading opens a round that reads all rows.
func (j *Job) openReading(task wire.Task, then func(*wire.Partial) []Action) []Action {
	begun := PhaseBegun{Phase: PhaseRead, Rows: j.config.Manifest.Rows}
	return append([]Action{begun}, j.open(task, j.everything(), then)...)
}

func (f *Fit) statistics(j *Job) []Action {
	task := wire.Task{Kind: wire.Statistics, Input: f.options.Input, Owners: f.leaves}
	return j.openReading(task, func(p *wire.Partial) []Action { return f.takeStatistics(j, p) })
}

func (f *Fit) takeStatistics(j *Job, p *wire.Partial) []Action {
	f.Result.Intake, f.Result.Bad = p.Intake, p.Bad
	f.largest = p.Largest
	switch {
	case len(p.Bad) > wire.MaxQuarantined:
		return j.fail(fmt.Errorf("%w: %d of %d", ErrTooManyBad, len(p.Bad), p.Intake.Read))
	case p.Statistics == nil || p.Intake.Kept == 0:
		return j.fail(ErrNoRows)
	case int64(f.options.K) > p.Intake.Kept:
		return j.fail(fmt.Errorf("%w: k = %d, %d rows", ErrTooManyClusters, f.options.K, p.Intake.Kept))
	case f.options.Input.Weight != "" && f.largest == 0:
		return j.fail(ErrNoWeight)
	}
	if t := f.options.Transform; t != nil {
		f.Result.Transform = t.Cover(p.Statistics)
		return f.load(j)
	}
	search := feature.NewQuantileSearch(f.options.Input.Spec, p.Statistics)
	return f.quantiles(j, p.Statistics, search)
}

func (f *Fit) quantiles(j *Job, s *feature.Statistics, search *feature.QuantileSearch) []Action {
	if search != nil && !search.Done() {
		task := wire.Task{Kind: wire.Quantiles, Input: f.options.Input, Search: search, Owners: f.leaves}
		return j.openReading(task, func(p *wire.Partial) []Action {
			if err := search.Close(p.Counts); err != nil {
				return j.fail(err)
			}
			return f.quantiles(j, s, search)
		})
	}
	transform, err := feature.Fit(f.options.Input.Spec, s, search)
	if err != nil {
		return j.fail(err)
	}
	f.Result.Transform = transform
	if !transform.NeedsSecondPass() {
		return f.load(j)
	}
	task := wire.Task{Kind: wire.Directions, Input: f.options.Input, Transform: transform, Owners: f.leaves}
	return j.openReading(task, func(p *wire.Partial) []Action {
		if err := transform.FinishNormalised(p.Directions); err != nil {
			return j.fail(err)
		}
		return f.load(j)
	})
}

func (f *Fit) load(j *Job) []Action {
	in := f.options.Input
	f.reload()
	f.reserve(j, f.Result.Intake.Kept)
	return j.openReading(*f.loading, func(p *wire.Partial) []Action {
		if actions := f.takeLoad(j, p); actions != nil {
			return actions
		}
		f.integers = integers(p.IDs)
		if in.ID != "" && in.Duplicates == wire.DuplicatesFail {
			return openDuplicates(j, f.loading, p.IDs, func(j *Job, _ settled) []Action { return f.loaded(j) })
		}
		return f.loaded(j)
	})
}

// reload makes the task that loads rows, which later rounds carry along for who takes partitions over.
func (f *Fit) reload() {
	f.loading = &wire.Task{Kind: wire.Load, Input: f.options.Input, Transform: f.Result.Transform, Largest: f.largest,
		K: f.options.K, KeepIDs: f.options.Labels, Owners: f.leaves}
}

// loaded goes on once all rows are in memory.
func (f *Fit) loaded(j *Job) []Action {
	return append([]Action{Advanced{PhaseEnd: true}}, f.next(j)...)
}

// prepare derives what iterations need to know of the Points.
func (f *Fit) prepare() {
	f.space = spaceOf(f.Result.Transform)
	f.spread = f.totals.MeanVariance(f.space.Grid)
	if f.loading == nil {
		f.reload()
	}
}

// takeLoad checks what was loaded; nil means that all is well.
func (f *Fit) takeLoad(j *Job, p *wire.Partial) []Action {
	// What became of single rows is known in full only now: filled in, or set aside for the transform's sake.
	f.Result.Intake, f.Result.Bad = p.Intake, p.Bad
	f.totals = p.Totals
	f.Result.Sample = columnsOf(p.Sample, len(f.Result.Transform.Numeric))
	f.prepare()
	k := f.options.K
	switch {
	case int64(k) > p.Totals.Rows:
		return j.fail(fmt.Errorf("%w: k = %d, %d rows", ErrTooManyClusters, k, p.Totals.Rows))
	case p.Distinct.Count() < k:
		return j.fail(fmt.Errorf("%w: k = %d, %d distinct", ErrFewDistinct, k, p.Distinct.Count()))
	}
	return nil
}

// spaceOf is what centroids need to know of the transform's columns.
func spaceOf(t *feature.Transform) *kmeans.Space {
	space := &kmeans.Space{Cosine: t.Normalize}
	for _, g := range t.Grids() {
		space.Grid = append(space.Grid, g.Exponent)
		space.Shift = append(space.Shift, g.Shift)
	}
	return space
}

// label has the labels written, where they are asked for.
func (f *Fit) label(j *Job) []Action {
	begun := PhaseBegun{Phase: PhaseWrite, Rows: f.totals.Rows}
	if !f.options.Labels {
		return append([]Action{begun}, j.finish()...)
	}
	task := wire.Task{Kind: wire.Label, Centroids: f.Result.Centroids, Input: f.options.Input, Reload: f.loading, Integers: f.integers}
	return append([]Action{begun}, j.prepareParts(f.options.Parts, func() []Action {
		return j.open(task, j.everything(), func(*wire.Partial) []Action { return j.commitParts(f.options.Parts) })
	})...)
}

// scaled brings an inertia in fixed-point weight units to that of the weights, and under cosine from the squared
// distance of unit vectors to 1 − cos, which is half of it.
func (f *Fit) scaled(inertia float64) float64 {
	return scaleInertia(inertia, f.options.Input, f.largest)
}

func scaleInertia(inertia float64, in *wire.Input, largest float64) float64 {
	if in.Weight != "" {
		inertia = float64(inertia/kmeans.WeightOne) * largest
	}
	if in.Spec.Normalize {
		inertia /= 2
	}
	return inertia
}

// columnsOf is a sample by columns, each ascending, so that it does not tell in which order its rows came; nil without any.
func columnsOf(sample []float32, columns int) [][]float32 {
	if columns == 0 || len(sample) == 0 || len(sample)%columns != 0 {
		return nil
	}
	list := make([][]float32, columns)
	for i, v := range sample {
		list[i%columns] = append(list[i%columns], v)
	}
	for _, column := range list {
		slices.Sort(column)
	}
	return list
}
