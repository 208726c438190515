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

	Run       int               // runs that are over
	Centroids *kmeans.Centroids // of the run that is under way; nil: it is to be seeded
	Done      int               // its centroid updates
	Converged bool
	Sums      *kmeans.Sums // of the last assignment that was merged, which Centroids come from; nil before the first

	Best *FitResult // of the runs that are over; nil: none is
}

// State is what the fit could be resumed from at this moment; nil before the rows have been loaded once.
func (f *Fit) State() *FitState {
	if f.totals == nil {
		return nil
	}
	s := &FitState{Largest: f.largest, Transform: f.Result.Transform, Totals: f.totals, Intake: f.Result.Intake,
		Bad: f.Result.Bad, Integers: f.integers, Run: f.run}
	if f.iter != nil {
		s.Centroids, s.Done, s.Converged, s.Sums = f.iter.Centroids, f.iter.Done, f.iter.Converged, f.sums
	}
	if f.have {
		best := f.Result
		s.Best = &best
	}
	return s
}

// restore takes a kept state up. rows is how many the job has.
func (f *Fit) restore(s *FitState, rows int64) error {
	d := 0
	if s.Transform != nil {
		d = s.Transform.Width()
	}
	fits := func(c *kmeans.Centroids) bool {
		return c == nil || c.K == f.options.K && c.D == d && c.Validate() == nil
	}
	k := f.options.K
	switch {
	case s.Transform == nil || s.Totals == nil || s.Totals.D != d || s.Run < 0 || s.Run > f.options.Runs || s.Done < 0:
		return ErrState
	case !sameColumns(s.Transform, f.options.Input.Spec), s.Totals.Rows < int64(k), s.Totals.Rows > rows:
		return ErrState
	case !fits(s.Centroids), (s.Best != nil) != (s.Run > 0), s.Run == f.options.Runs && s.Centroids != nil:
		return ErrState
	case s.Best != nil && (s.Best.Centroids == nil || !fits(s.Best.Centroids) || len(s.Best.Counts) != k || !(s.Best.Inertia >= 0)):
		return ErrState
	case s.Sums != nil && (s.Sums.K != k || s.Sums.D != d || s.Sums.Conserved(s.Totals) != nil):
		return ErrState
	}
	f.largest, f.totals, f.integers = s.Largest, s.Totals, s.Integers
	if s.Best != nil {
		f.Result, f.have = *s.Best, true
	}
	f.Result.Transform, f.Result.Intake, f.Result.Bad = s.Transform, s.Intake, s.Bad
	f.prepare()
	f.run = s.Run
	if s.Centroids != nil {
		f.iter = kmeans.NewIteration(s.Centroids, f.space, f.options.MaxIterations, f.options.Tolerance*f.spread)
		f.iter.Done, f.iter.Converged = s.Done, s.Converged
	}
	return nil
}

// sameColumns says whether a transform is for the columns of a specification.
func sameColumns(t *feature.Transform, spec *feature.Spec) bool {
	numeric, categorical := t.Columns()
	return slices.Equal(numeric, spec.Numeric) && slices.Equal(categorical, spec.Categorical)
}

// resume goes on from a restored state.
func (f *Fit) resume(j *Job) []Action {
	switch {
	case f.run == f.options.Runs:
		return f.label(j)
	case f.iter == nil:
		return f.seed(j)
	case f.iter.Converged || f.iter.Done >= f.options.MaxIterations:
		return append([]Action{PhaseBegun{Phase: PhaseIterate, Rows: f.totals.Rows}}, f.score(j)...)
	}
	return append([]Action{PhaseBegun{Phase: PhaseIterate, Rows: f.totals.Rows}}, f.assign(j)...)
}
