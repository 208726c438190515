package coordinator

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/segment"
)

const (
	// MaxSweep is how many k a sweep looks at, at most: a curve of more is no easier to read, and each has a pass for every
	// iteration.
	MaxSweep = 64
	// MaxSweepK is the largest of them. Silhouettes come from a sample, in which clusters of more would be a few rows each.
	MaxSweepK = 1000
	// ExactRows is up to how many rows silhouettes are exact: of so many there are 200 million pairs.
	ExactRows = 20_000
	// SampleRows is how many rows they come from beyond that: they tell a silhouette to about 0.002.
	SampleRows = 10_000
	// sampleBytes bounds the Points of a sample, which pass through the coordinator. Of wide rows there are fewer.
	sampleBytes = 64 << 20
)

// purposeSweep keys the draws of a sweep's sample and resamples.
const purposeSweep uint32 = 0x737765

// swept is what a sweep has found for one k.
type swept struct {
	k          int
	have       bool
	best       int // the run that the rest is of
	centroids  *kmeans.Centroids
	sums       *kmeans.Sums
	spread     []exact.Bins
	units      float64 // inertia in fixed-point weight units
	inertia    float64
	iterations int
	converged  bool
}

// SweepCandidate is one k of a sweep: its figures and the best of its runs, which is what a fit of that k comes to.
type SweepCandidate struct {
	segment.Candidate
	Iterations int
	Converged  bool
	Centroids  *kmeans.Centroids
}

// SweepResult is what a sweep found.
type SweepResult struct {
	Candidates []SweepCandidate // by k, ascending
	Rows       int64
	Columns    int   // after encoding
	Sampled    int64 // rows that silhouettes were measured on; Rows where they are exact
	Intake     wire.Intake
	Bad        []wire.BadRow
}

// beginSweep checks the k of a sweep, if there are any, and makes room for what is found.
func (f *Fit) beginSweep() error {
	o := &f.options
	if o.Sweep == nil {
		return nil
	}
	if n := len(o.Sweep); n == 0 || n > MaxSweep || o.Sweep[0] < 1 || o.Sweep[n-1] > MaxSweepK || o.K != o.Sweep[n-1] {
		return fmt.Errorf("coordinator: a sweep over %d k up to %d: out of range", len(o.Sweep), o.K)
	}
	if o.Start != nil || o.Transform != nil || o.Resume != nil || o.Labels {
		return fmt.Errorf("coordinator: a sweep starts from nothing given and labels nothing")
	}
	for i, k := range o.Sweep {
		if i > 0 && k <= o.Sweep[i-1] {
			return fmt.Errorf("coordinator: a sweep whose k do not ascend")
		}
		f.sweep = append(f.sweep, &swept{k: k})
	}
	return nil
}

// total is how many runs there are. Those of one k come after those of the k before.
func (f *Fit) total() int { return f.options.Runs * max(1, len(f.sweep)) }

// clusters is the k of a run.
func (f *Fit) clusters(number int) int {
	if f.sweep == nil {
		return f.options.K
	}
	return f.sweep[number/f.options.Runs].k
}

// take books the score of a run. The lowest inertia wins, the earliest of equals.
func (s *swept) take(r *run, p *wire.Partial, inertia float64) {
	if s.have && (inertia > s.inertia || inertia == s.inertia && r.number > s.best) {
		return
	}
	*s = swept{k: s.k, have: true, best: r.number, centroids: r.iter.Centroids, sums: p.Sums, spread: p.Spread,
		units: p.Inertia.Float64(0), inertia: inertia, iterations: r.iter.Done, converged: r.iter.Converged}
}

// draw asks for the sample: all rows of small data, else some, each drawn by its number, so that they are the same for any
// number of workers.
func (f *Fit) draw(j *Job) []Action {
	rows, d := f.totals.Rows, len(f.space.Grid)
	most := sampleLimit(rows, d)
	chance := 1.0
	if most < rows { // some more, for the number that comes is a matter of chance, and then the first by their keys
		chance = (float64(most) + 5*math.Sqrt(float64(most))) / float64(rows)
	}
	f.runs.phase = PhaseScore
	task := wire.Task{Kind: wire.Seed, Seed: &kmeans.SeedTask{Seed: f.sampleSeed(), Threshold: chance}, Reload: f.loading}
	begun := PhaseBegun{Phase: PhaseScore, Rows: rows}
	return append([]Action{begun}, j.open(task, j.everything(), func(p *wire.Partial) []Action {
		f.sample = first(p.Seed.SampledByRow(), int(most), f.sampleSeed())
		return j.finish()
	})...)
}

func (f *Fit) sampleSeed() uint64 { return exact.Draw(f.options.Seed, purposeSweep, 0, 0) }

// sampleLimit is how many of so many rows of d columns are looked at.
func sampleLimit(rows int64, d int) int64 {
	fits := sampleBytes / int64(4*d)
	if rows <= min(ExactRows, fits) {
		return rows
	}
	return min(SampleRows, fits)
}

// first are at most n of the rows, those with the lowest keys, in order.
func first(rows []kmeans.Drawn, n int, seed uint64) []kmeans.Drawn {
	if len(rows) <= n {
		return rows
	}
	key := func(r kmeans.Drawn) uint64 { return exact.Draw(seed, purposeSweep, 1, uint64(r.Row)) }
	rows = slices.Clone(rows)
	slices.SortFunc(rows, func(a, b kmeans.Drawn) int { return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a.Row, b.Row)) })
	rows = rows[:n]
	slices.SortFunc(rows, func(a, b kmeans.Drawn) int { return cmp.Compare(a.Row, b.Row) })
	return rows
}

// Sweep scores what a sweep has found, once its job has ended well. It computes in this process, on so many threads;
// the bits do not depend on them. The error is the context's.
func (f *Fit) Sweep(ctx context.Context, threads int) (*SweepResult, error) {
	out := &SweepResult{Rows: f.totals.Rows, Columns: len(f.space.Grid), Sampled: int64(len(f.sample)), Intake: f.Result.Intake, Bad: f.Result.Bad}
	points, err := kmeans.PointsOf(f.sample, out.Columns, f.space.Grid)
	if err != nil {
		return nil, err
	}
	ks := make([]int, len(f.sweep))
	of := make([]kmeans.Labelling, len(f.sweep))
	for i, s := range f.sweep {
		ks[i] = s.k
		of[i] = kmeans.Labelling{K: s.k, Labels: kmeans.LabelsOf(points, s.centroids)}
		if out.Sampled < out.Rows {
			of[i].Sizes = s.sums.Counts
		}
	}
	silhouettes, err := kmeans.Silhouettes(ctx, points, of, threads)
	if err != nil {
		return nil, err
	}
	resampling := kmeans.Resampling{Space: f.space, Seed: f.sampleSeed(), Threads: threads}
	stability, err := kmeans.Stability(ctx, points, ks, resampling)
	if err != nil {
		return nil, err
	}
	shapeless, err := kmeans.Shapeless(ctx, points, ks, resampling)
	if err != nil {
		return nil, err
	}
	for i, s := range f.sweep {
		out.Candidates = append(out.Candidates, SweepCandidate{Iterations: s.iterations, Converged: s.converged, Centroids: s.centroids,
			Candidate: segment.Candidate{K: s.k, Inertia: s.inertia, Silhouette: silhouettes[i].Mean, SilhouetteError: silhouettes[i].Error,
				CalinskiHarabasz: kmeans.CalinskiHarabasz(s.sums, s.centroids, s.units, f.space.Grid),
				DaviesBouldin:    kmeans.DaviesBouldin(s.sums, s.centroids, s.spread),
				Stability:        stability[i], Shapeless: shapeless[i], Smallest: slices.Min(s.sums.Counts)}})
	}
	return out, nil
}

// message is the result as it travels and is kept.
func (r *SweepResult) message() *pb.JobResult {
	m := &pb.SweepResult{Rows: r.Rows, Columns: uint32(r.Columns), Sampled: r.Sampled}
	for _, c := range r.Candidates {
		m.Candidates = append(m.Candidates, &pb.SweepCandidate{K: uint32(c.K), Inertia: c.Inertia, Silhouette: c.Silhouette,
			SilhouetteError: c.SilhouetteError, CalinskiHarabasz: c.CalinskiHarabasz, DaviesBouldin: c.DaviesBouldin, Stability: c.Stability,
			Smallest: c.Smallest, Shapeless: c.Shapeless, Iterations: uint32(c.Iterations), Converged: c.Converged,
			Centroids: wire.EncodeMatrix(c.Centroids)})
	}
	return &pb.JobResult{Sweep: m, Intake: wire.EncodeIntake(&r.Intake), Bad: wire.EncodeBadRows(r.Bad)}
}

// SweepResultOf reads the result of a sweep. The error is ErrSpec.
func SweepResultOf(m *pb.JobResult) (*SweepResult, error) {
	s := m.GetSweep()
	r := &SweepResult{Rows: s.GetRows(), Columns: int(s.GetColumns()), Sampled: s.GetSampled(), Intake: wire.DecodeIntake(m.GetIntake()),
		Bad: wire.DecodeBadRows(m.GetBad())}
	if n := len(s.GetCandidates()); n == 0 || n > MaxSweep {
		return nil, fmt.Errorf("%w: a result of %d candidates", ErrSpec, n)
	}
	for _, c := range s.Candidates {
		centroids, err := wire.DecodeMatrix(c.Centroids)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrSpec, err)
		}
		for _, v := range []float64{c.Inertia, c.Silhouette, c.SilhouetteError, c.CalinskiHarabasz, c.DaviesBouldin, c.Stability, c.Shapeless} {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%w: a figure of k = %d is no number", ErrSpec, c.K)
			}
		}
		r.Candidates = append(r.Candidates, SweepCandidate{Iterations: int(c.Iterations), Converged: c.Converged, Centroids: centroids,
			Candidate: segment.Candidate{K: int(c.K), Inertia: c.Inertia, Silhouette: c.Silhouette, SilhouetteError: c.SilhouetteError,
				CalinskiHarabasz: c.CalinskiHarabasz, DaviesBouldin: c.DaviesBouldin, Stability: c.Stability, Shapeless: c.Shapeless,
				Smallest: c.Smallest}})
	}
	return r, nil
}
