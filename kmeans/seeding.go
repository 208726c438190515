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
		s.recluster(p.Weights)
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

// recluster brings the weighted candidates down to k, in memory: there are some 2k a round of them.
func (s *Seeder) recluster(weights []exact.Int128) {
	n := s.have()
	heaviest := exact.Int128{}
	for _, w := range weights {
		if w.Cmp(heaviest) > 0 {
			heaviest = w
		}
	}
	mass := make([]float64, n)
	for i, w := range weights {
		mass[i] = max(w.Float64(0), 1)
	}
	points, err := s.candidatePoints(n, FixedWeights(nil, mass, max(heaviest.Float64(0), 1)))
	if err != nil {
		s.fail(err)
		return
	}
	seed := exact.Draw(s.seed, purposeRecluster, 0, 0)
	start, err := Seed(points, InitPlusPlus, s.k, seed)
	if err != nil {
		s.fail(err)
		return
	}
	result, err := Lloyd(points, start, Options{MaxIterations: reclusterIterations})
	if err != nil {
		s.fail(err)
		return
	}
	s.finish(result.Centroids)
}

func (s *Seeder) candidatePoints(n int, weights []uint64) (*Points, error) {
	points, err := NewPoints(n, s.d, 0, s.grid)
	if err != nil {
		return nil, err
	}
	columns := make([][]float32, s.d)
	for t := range columns {
		columns[t] = make([]float32, n)
		for i := range n {
			columns[t][i] = s.chosen[i*s.d+t]
		}
	}
	return points, points.Append(columns, n, 0, nil, weights)
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
		for lo := 0; lo < p.n; lo += SpanRows {
			round.Do(p, state, lo, min(lo+SpanRows, p.n), part, scratch)
		}
		round.Finish(state)
		s.Take(part)
	}
	return s.Result()
}
