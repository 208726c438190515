package coordinator

import (
	"errors"
	"slices"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// ErrState is a kept state that does not belong to the job that it was kept for.
var ErrState = errors.New("the checkpoint is of another job")

// FitState is a fit as it can be kept and resumed: everything that rounds before it have found. It holds nothing of
// what workers hold, so that it can be resumed with any workers, and it is small: centroids and sums, not rows. All
// of it belongs to the Fit that it was taken of and does not change any more.
type FitState struct {
	Largest   float64
	Transform *feature.Transform
	Totals    *kmeans.Totals
	Intake    wire.Intake
	Bad       []wire.BadRow
	Integers  bool // every id is an integer
	Sample    [][]float32

	Run    int        // the runs below it are over
	Over   []int      // and of those above it these, ascending
	States []RunState // of runs that are under way, ascending; others are to be seeded

	Best    *FitResult // of the runs that are over; nil: none is
	BestRun int        // which it is
}

// RunState is a run that has a start and is not over.
type RunState struct {
	Run       int
	Centroids *kmeans.Centroids
	Done      int // its centroid updates
	Converged bool
	Sums      *kmeans.Sums // of the last assignment that was merged, which Centroids come from; nil before the first
}

// State is what the fit could be resumed from at this moment; nil before the rows have been loaded once.
func (f *Fit) State() *FitState {
	if f.totals == nil || f.sweep != nil {
		return nil
	}
	s := &FitState{Largest: f.largest, Transform: f.Result.Transform, Totals: f.totals, Intake: f.Result.Intake,
		Bad: f.Result.Bad, Integers: f.integers, Sample: f.Result.Sample, Run: f.runs.first, Over: slices.Clone(f.runs.scored)}
	for _, r := range f.runs.batch {
		if it := r.iter; it != nil && !f.runs.has(r.number) {
			s.States = append(s.States, RunState{Run: r.number, Centroids: it.Centroids, Done: it.Done, Converged: it.Converged, Sums: r.sums})
		}
	}
	if f.have {
		best := f.Result
		s.Best, s.BestRun = &best, f.best
	}
	return s
}

// restore takes a kept state up. rows is how many the job has.
func (f *Fit) restore(s *FitState, rows int64) error {
	if err := s.check(&f.options, rows); err != nil {
		return err
	}
	f.largest, f.totals, f.integers = s.Largest, s.Totals, s.Integers
	if s.Best != nil {
		f.Result, f.have, f.best = *s.Best, true, s.BestRun
	}
	f.Result.Transform, f.Result.Intake, f.Result.Bad, f.Result.Sample = s.Transform, s.Intake, s.Bad, s.Sample
	f.prepare()
	f.runs = runs{first: s.Run, scored: slices.Clone(s.Over), restored: true}
	for _, k := range s.States {
		it := kmeans.NewIteration(k.Centroids, f.space, f.options.MaxIterations, f.options.Tolerance*f.spread)
		it.Done, it.Converged = k.Done, k.Converged
		f.runs.batch = append(f.runs.batch, &run{number: k.Run, k: f.options.K, iter: it, sums: k.Sums, over: k.Converged || k.Done >= f.options.MaxIterations})
	}
	return nil
}

// check holds a kept state against the job that it is to be taken up for.
func (s *FitState) check(o *FitOptions, rows int64) error {
	if s.Transform == nil || s.Totals == nil {
		return ErrState
	}
	k, d := o.K, s.Transform.Width()
	over := s.Run > 0 || len(s.Over) > 0
	switch {
	case s.Totals.D != d || s.Run < 0 || s.Run > o.Runs:
		return ErrState
	case !sameColumns(s.Transform, o.Input.Spec), s.Totals.Rows < int64(k), s.Totals.Rows > rows:
		return ErrState
	case (s.Best != nil) != over, len(s.Over) > wire.MaxStrands, len(s.States) > wire.MaxStrands:
		return ErrState
	}
	if b := s.Best; b != nil && (!isShaped(b.Centroids, k, d) || len(b.Counts) != k || !(b.Inertia >= 0) ||
		s.BestRun >= s.Run && !slices.Contains(s.Over, s.BestRun)) {
		return ErrState
	}
	for i, n := range s.Over { // the lowest run that is not over is Run
		if n <= s.Run || n >= o.Runs || i > 0 && n <= s.Over[i-1] {
			return ErrState
		}
	}
	for i, r := range s.States {
		switch {
		case r.Run < s.Run, r.Run >= o.Runs, slices.Contains(s.Over, r.Run), i > 0 && r.Run <= s.States[i-1].Run:
			return ErrState
		case !isShaped(r.Centroids, k, d), r.Done < 0:
			return ErrState
		case r.Sums != nil && (r.Sums.K != k || r.Sums.D != d || r.Sums.Conserved(s.Totals) != nil):
			return ErrState
		}
	}
	return nil
}

// isShaped says whether centroids are there, k of d columns, all finite.
func isShaped(c *kmeans.Centroids, k, d int) bool {
	return c != nil && c.K == k && c.D == d && c.Validate() == nil
}

// sameColumns says whether a transform is for the columns of a specification.
func sameColumns(t *feature.Transform, spec *feature.Spec) bool {
	numeric, categorical := t.Columns()
	return slices.Equal(numeric, spec.Numeric) && slices.Equal(categorical, spec.Categorical)
}
