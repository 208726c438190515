package kmeans

import (
	"fmt"

	"github.com/coterie-project/coterie/internal/exact"
)

// Options says when Lloyd stops.
type Options struct {
	MaxIterations int     // centroid updates; at least 1; 0 means 300
	Tolerance     float64 // stop when Movement ≤ Tolerance × mean column variance; 0: when an update changes nothing
	Space         *Space  // nil: Euclidean on the Points' grid
	Algorithm     Algorithm
}

// Result is a finished fit. Labels, counts and inertia belong to these Centroids.
type Result struct {
	Centroids  *Centroids
	Labels     []uint16
	Counts     []int64
	Inertia    float64 // Σ weight × squared distance; weights in fixed-point units (WeightOne is the heaviest)
	Iterations int
	Converged  bool
}

// Lloyd runs Lloyd's algorithm from a start on Points in this process, on one thread. It is the plain form of what
// the coordinator and the workers do over many: the same steps, the same bits.
func Lloyd(p *Points, start *Centroids, o Options) (*Result, error) {
	if err := start.Validate(); err != nil {
		return nil, err
	}
	if start.D != p.d || p.n == 0 {
		return nil, fmt.Errorf("%w: a start of %d columns for %d points of %d", ErrShape, start.D, p.n, p.d)
	}
	l := newLloyd(p, start, o)
	for l.step() {
	}
	return l.finish(), nil
}

type lloyd struct {
	p       *Points
	totals  *Totals
	iter    *Iteration
	tracker *Tracker
	track   *Track
	acc     *Accumulator
	sums    *Sums
	scratch *Scratch
}

func newLloyd(p *Points, start *Centroids, o Options) *lloyd {
	if o.MaxIterations == 0 {
		o.MaxIterations = 300
	}
	space := o.Space
	if space == nil {
		space = &Space{Grid: p.grid}
	}
	totals := NewTotals(p.d)
	totals.Add(p)
	return &lloyd{p: p, totals: totals, tracker: NewTracker(o.Algorithm, start.K, p.d), track: NewTrack(p), scratch: new(Scratch),
		iter: NewIteration(start, space, o.MaxIterations, o.Tolerance*totals.MeanVariance(space.Grid)),
		acc:  NewAccumulator(start.K, p.d, p.Weighted()), sums: NewSums(start.K, p.d, p.Weighted())}
}

// pass brings the labels up to date with the centroids.
func (l *lloyd) pass(inertia *exact.Bins) {
	pass := l.tracker.Next(l.iter.Centroids, inertia != nil)
	pass.Prepare(l.track)
	for lo := 0; lo < l.p.n; lo += SpanRows {
		pass.Update(l.p, lo, min(lo+SpanRows, l.p.n), l.track, l.acc, inertia, l.scratch)
	}
	pass.Done([]*Track{l.track}, l.acc.Drain(l.sums))
}

func (l *lloyd) step() bool {
	l.pass(nil)
	sums := l.sums
	var far []Far
	if empty := sums.Empty(); len(empty) > 0 {
		labelled, f := l.tracker.Labelled(l.iter.Centroids), NewFarthest(sums.K)
		for lo := 0; lo < l.p.n; lo += SpanRows {
			labelled.Farthest(l.p, lo, min(lo+SpanRows, l.p.n), l.track, f, l.scratch)
		}
		far = f.Rows()
		sums = sums.Clone() // the labels go on without the refill
	}
	return l.iter.Update(sums, far)
}

func (l *lloyd) finish() *Result {
	var inertia exact.Bins
	l.pass(&inertia)
	return &Result{Centroids: l.iter.Centroids, Labels: l.track.Labels, Counts: l.sums.Counts, Inertia: inertia.Float64(0),
		Iterations: l.iter.Done, Converged: l.iter.Converged}
}

// Iteration decides, from one round's merged sums to the next, what the centroids are and when to stop.
type Iteration struct {
	Centroids *Centroids // of the next pass
	Done      int        // centroid updates so far
	Converged bool
	space     *Space
	limit     int
	tolerance float64 // squared movement; 0 asks for the same bits
}

// NewIteration starts from given centroids; limit is the greatest number of updates, tolerance the squared movement
// of all centroids at which to stop.
func NewIteration(start *Centroids, space *Space, limit int, tolerance float64) *Iteration {
	return &Iteration{Centroids: start, space: space, limit: limit, tolerance: tolerance}
}

// Update takes the merged sums of an assignment to Centroids, and, where clusters are empty, the farthest rows of the
// same assignment; sums is changed by refilling. It says whether another pass is due.
func (it *Iteration) Update(sums *Sums, far []Far) bool {
	refilled := sums.Refill(far, it.space.Grid)
	after := sums.Update(it.Centroids, it.space)
	it.Done++
	switch {
	case after.Equal(it.Centroids):
		it.Converged = true
	case refilled == 0 && it.tolerance > 0:
		it.Converged = after.Movement(it.Centroids) <= it.tolerance
	}
	it.Centroids = after
	return !it.Converged && it.Done < it.limit
}
