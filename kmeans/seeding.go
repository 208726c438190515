package kmeans

import (
	"errors"
	"fmt"
	"math"

	"github.com/coterie-project/coterie/internal/exact"
)

// ErrTooFewDistinct is data with fewer distinct Points than clusters asked for.
var ErrTooFewDistinct = errors.New("fewer distinct points than clusters")

// Init names a way to seed.
type Init string

// The ways to seed.
const (
	// InitParallel is k-means|| (Bahmani, Moseley, Vattani, Kumar, Vassilvitskii: Scalable K-Means++, 2012) with an
	// oversampling of 2k and five rounds; its weighted candidates are reclustered by greedy k-means++ and Lloyd.
	InitParallel Init = "k-means-parallel"
	// InitPlusPlus is greedy k-means++ with 2+⌊ln k⌋ trials a step (Arthur and Vassilvitskii, 2007).
	InitPlusPlus Init = "k-means++"
	// InitRandom is k rows, each drawn with a chance in proportion to its weight, without replacement.
	InitRandom Init = "random"
)

// oversampling and parallelRounds are the factor l/k and the number of rounds of k-means||.
const (
	oversampling        = 2
	parallelRounds      = 5
	reclusterIterations = 100
	// reclusterHere is how much of it (candidates × k × columns) is done in the step that finds the candidates: some tens
	// of milliseconds. More is a round of its own.
	reclusterHere = 1 << 24
)

// Seeder finds k starting centroids in rounds over the data. It is a state machine: ask Next for a task, give the
// merged answer to Take, until Next returns nil; then Result.
type Seeder struct {
	k, d      int
	seed      uint64
	grid      []int
	init      Init
	step      seedStep
	round     uint32
	chosen    []float32 // candidates, row-major
	trials    []float32 // greedy k-means++: the rows of the last draw
	potential float64   // Σ weight × squared distance to the nearest candidate
	sampled   int       // rounds of k-means|| done
	masses    []uint64  // of the candidates that are to be reclustered
	result    *Centroids
	err       error
}

type seedStep int

const (
	stepFirst seedStep = iota
	stepPotential
	stepSample
	stepFill
	stepRace
	stepTry
	stepWeigh
	stepRecluster
	stepDone
)

// NewSeeder starts seeding. grid is that of the Points; every draw is keyed by seed.
func NewSeeder(init Init, k, d int, grid []int, seed uint64) (*Seeder, error) {
	if k < 1 || k > MaxClusters || d < 1 || len(grid) != d {
		return nil, fmt.Errorf("%w: %d clusters of %d columns", ErrShape, k, d)
	}
	switch init {
	case InitParallel, InitPlusPlus, InitRandom:
		return &Seeder{k: k, d: d, grid: grid, init: init, seed: seed}, nil
	default:
		return nil, fmt.Errorf("%w: unknown seeding %q", ErrShape, init)
	}
}

func (s *Seeder) have() int { return len(s.chosen) / s.d }

// Next is the next round's task, or nil when seeding is over.
func (s *Seeder) Next() *SeedTask {
	if s.step == stepDone {
		return nil
	}
	s.round++
	t := &SeedTask{Seed: s.seed, Round: s.round}
	if s.have() > 0 {
		t.Candidates = s.matrix(s.chosen).Clone()
	}
	switch s.step {
	case stepFirst:
		t.Uniform = 1
		if s.init == InitRandom {
			t.Uniform = s.k
		}
	case stepPotential:
		t.Potential = true
	case stepSample:
		t.Threshold = float64(oversampling*s.k) / s.potential
	case stepFill:
		t.Race = s.k - s.have()
	case stepRace:
		t.Race = 2 + int(exact.Log(float64(s.k)))
	case stepTry:
		t.Try = s.matrix(s.trials).Clone()
	case stepWeigh:
		t.Weigh = true
	case stepRecluster:
		t.Recluster, t.Masses, t.K, t.Grid = true, s.masses, s.k, s.grid
	}
	return t
}

func (s *Seeder) matrix(values []float32) *Centroids {
	return &Centroids{K: len(values) / s.d, D: s.d, Values: values}
}

// Take books the merged answer to the last task.
func (s *Seeder) Take(p *SeedPartial) {
	switch s.step {
	case stepFirst:
		s.takeFirst(p)
	case stepPotential:
		s.potential = p.Potential.Float64(0)
		s.step = stepSample
		if s.potential == 0 {
			s.candidatesDone()
		}
	case stepSample:
		s.chosen = appendDistinct(s.chosen, s.d, p.SampledByRow())
		s.sampled++
		s.step = stepPotential
		if s.sampled == parallelRounds {
			s.candidatesDone()
		}
	case stepFill:
		if len(p.Raced) == 0 {
			s.fail(ErrTooFewDistinct)
			return
		}
		s.chosen = appendDistinct(s.chosen, s.d, p.Raced)
		s.candidatesDone()
	case stepRace:
		s.trials = appendDistinct(nil, s.d, p.Raced)
		s.step = stepTry
		if len(s.trials) == 0 {
			s.fail(ErrTooFewDistinct)
		}
	case stepTry:
		s.takeTry(p)
	case stepWeigh:
		s.weighed(p.Weights)
	case stepRecluster:
		s.takeCenters(p.Centers)
	}
}

func (s *Seeder) fail(err error) { s.step, s.err = stepDone, err }

func (s *Seeder) finish(c *Centroids) { s.step, s.result = stepDone, c }

func (s *Seeder) takeFirst(p *SeedPartial) {
	for _, row := range p.Raced {
		s.chosen = append(s.chosen, row.Point...)
	}
	switch {
	case s.have() == 0, s.init == InitRandom && s.have() < s.k:
		s.fail(ErrTooFewDistinct)
	case s.have() == s.k:
		s.finish(s.matrix(s.chosen))
	case s.init == InitParallel:
		s.step = stepPotential
	default:
		s.step = stepRace
	}
}

// candidatesDone goes on from k-means||'s sampling, once no more rounds are due.
func (s *Seeder) candidatesDone() {
	switch {
	case s.have() < s.k:
		s.step = stepFill
	case s.have() == s.k:
		s.finish(s.matrix(s.chosen))
	default:
		s.step = stepWeigh
	}
}

// takeTry adds the trial that leaves the lowest potential, the first drawn of equals.
func (s *Seeder) takeTry(p *SeedPartial) {
	best, lowest := 0, math.Inf(1)
	for j := range p.Tries {
		if potential := p.Tries[j].Float64(0); potential < lowest {
			best, lowest = j, potential
		}
	}
	s.chosen = append(s.chosen, s.trials[best*s.d:(best+1)*s.d]...)
	s.step = stepRace
	if s.have() == s.k {
		s.finish(s.matrix(s.chosen))
	}
}

// weighed has the weighted candidates brought down to k: there are some 2k a round of them.
func (s *Seeder) weighed(weights []exact.Int128) {
	heaviest := exact.Int128{}
	for _, w := range weights {
		if w.Cmp(heaviest) > 0 {
			heaviest = w
		}
	}
	mass := make([]float64, s.have())
	for i, w := range weights {
		mass[i] = max(w.Float64(0), 1)
	}
	s.masses = FixedWeights(nil, mass, max(heaviest.Float64(0), 1))
	s.step = stepRecluster
	if s.have()*s.k*s.d > reclusterHere {
		return
	}
	centers, err := Recluster(s.Next())
	if err != nil {
		s.fail(err)
		return
	}
	s.finish(centers)
}

func (s *Seeder) takeCenters(c *Centroids) {
	if c == nil || c.K != s.k || c.D != s.d {
		s.fail(ErrShape)
		return
	}
	s.finish(c)
}

// Recluster does the Recluster of a SeedTask: greedy k-means++ and Lloyd over the weighted candidates, in memory and
// on one thread.
func Recluster(t *SeedTask) (*Centroids, error) {
	c := t.Candidates
	if c == nil || len(t.Masses) != c.K || len(t.Grid) != c.D {
		return nil, fmt.Errorf("%w: candidates, masses and grid of a reclustering do not fit", ErrShape)
	}
	points, err := candidatePoints(c, t.Grid, t.Masses)
	if err != nil {
		return nil, err
	}
	seed := exact.Draw(t.Seed, purposeRecluster, 0, 0)
	start, err := Seed(points, InitPlusPlus, t.K, seed)
	if err != nil {
		return nil, err
	}
	result, err := Lloyd(points, start, Options{MaxIterations: reclusterIterations})
	if err != nil {
		return nil, err
	}
	return result.Centroids, nil
}

func candidatePoints(c *Centroids, grid []int, weights []uint64) (*Points, error) {
	points, err := NewPoints(c.K, c.D, 0, grid)
	if err != nil {
		return nil, err
	}
	columns := make([][]float32, c.D)
	for t := range columns {
		columns[t] = make([]float32, c.K)
		for i := range c.K {
			columns[t][i] = c.Values[i*c.D+t]
		}
	}
	return points, points.Append(columns, c.K, 0, nil, weights)
}

// appendDistinct adds the Points of the draws that none before them equals.
func appendDistinct(dst []float32, d int, drawn []Drawn) []float32 {
	seen := make(map[[2]uint64]bool)
	for i := 0; i < len(dst); i += d {
		seen[fingerprint(dst[i:i+d])] = true
	}
	for _, row := range drawn {
		if key := fingerprint(row.Point); !seen[key] {
			seen[key] = true
			dst = append(dst, row.Point...)
		}
	}
	return dst
}

// Result is the k×d starting centroids, once Next has returned nil.
func (s *Seeder) Result() (*Centroids, error) {
	if s.err != nil {
		return nil, fmt.Errorf("%w: only %d of %d starting points found", s.err, s.have(), s.k)
	}
	return s.result, nil
}

// Seed runs a Seeder over Points in this process.
func Seed(p *Points, init Init, k int, seed uint64) (*Centroids, error) {
	s, err := NewSeeder(init, k, p.d, p.grid, seed)
	if err != nil {
		return nil, err
	}
	state := NewSeedState(p)
	scratch := new(Scratch)
	for task := s.Next(); task != nil; task = s.Next() {
		round := NewSeedRound(task, []int{state.known})
		part := NewSeedPartial(task)
		if task.Recluster {
			centers, err := Recluster(task)
			if err != nil {
				return nil, err
			}
			part.Centers = centers
			s.Take(part)
			continue
		}
		for lo := 0; lo < p.n; lo += SpanRows {
			round.Do(p, state, lo, min(lo+SpanRows, p.n), part, scratch)
		}
		round.Finish(state)
		s.Take(part)
	}
	return s.Result()
}
