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
	// InitParallel is k-means|| (Bahmani, Moseley, Vattani, Kumar, Vassilvitskii: Scalable K-Means++, 2012) that starts from k
	// rows instead of one, draws a fixed number of rows a round, and goes on for as long as rounds lower the potential much;
	// its weighted candidates are reclustered by greedy k-means++ and Lloyd.
	InitParallel Init = "k-means-parallel"
	// InitPlusPlus is greedy k-means++ with 2+⌊ln k⌋ trials a step (Arthur and Vassilvitskii, 2007).
	InitPlusPlus Init = "k-means++"
	// InitRandom is k rows, each drawn with a chance in proportion to its weight, without replacement.
	InitRandom Init = "random"
)

const (
	// leastDrawn is the least number of rows that become candidates in a round of k-means||; see drawn.
	leastDrawn = 12
	// leastRaced is the least number of rows that a round of k-means|| asks for: the potential is told from the keys of so many
	// to about an eighth.
	leastRaced = 64
	// parallelRounds is the most rounds of k-means||, so that data of endless scales (powers of ten) end too.
	parallelRounds = 8
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
	rounds    int       // of k-means|| whose rows are candidates now
	potential float64   // before the last of them, roughly
	masses    []uint64  // of the candidates that are to be reclustered
	result    *Centroids
	err       error
}

type seedStep int

const (
	stepFirst seedStep = iota
	stepSpread
	stepRace
	stepTry
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
		t.Uniform = s.k
		if s.init == InitPlusPlus {
			t.Uniform = 1
		}
	case stepSpread:
		t.Race = raced(s.k)
		t.Weigh = s.rounds > 0
	case stepRace:
		t.Race = 2 + int(exact.Log(float64(s.k)))
	case stepTry:
		t.Try = s.matrix(s.trials).Clone()
	case stepRecluster:
		t.Recluster, t.Masses, t.K, t.Grid = true, s.masses, s.k, s.grid
	}
	return t
}

// drawn is how many rows a round of k-means|| makes candidates, l of the paper: 2.5k, at which a seeding comes to 3.5 candidates
// for a cluster and to as many passes. At small k a pass is little more than reading the rows, and each candidate beyond
// k costs extra: eight fewer. At large k the candidates are many beside the rows, and what is done with them alone counts.
func drawn(k int) int { return min(max(5*k/2-8, leastDrawn), k+500, MaxClusters) }

// worthwhile is the fall of the potential, from one round to the next, for which k-means|| goes on. Rounds over clusters that
// all have candidates lower it by half or less from three columns up; where clusters, or whole scales of them, are still
// without, by orders of magnitude. A cluster that holds 1/f of the potential is missed by l draws with a chance of e^(−l/f),
// under 1 % for f = l/5; if it is, the potential does not fall by more than f. Beyond 4, long tails would be left too soon.
func worthwhile(k int) float64 { return min(max(float64(drawn(k))/5, 2.5), 4) }

func raced(k int) int { return max(drawn(k), leastRaced) }

func (s *Seeder) matrix(values []float32) *Centroids {
	return &Centroids{K: len(values) / s.d, D: s.d, Values: values}
}

// Take books the merged answer to the last task.
func (s *Seeder) Take(p *SeedPartial) {
	switch s.step {
	case stepFirst:
		s.takeFirst(p)
	case stepSpread:
		s.takeSpread(p)
	case stepRace:
		s.trials = appendDistinct(nil, s.d, p.RacedByKey())
		s.step = stepTry
		if len(s.trials) == 0 {
			s.fail(ErrTooFewDistinct)
		}
	case stepTry:
		s.takeTry(p)
	case stepRecluster:
		s.takeCenters(p.Centers)
	}
}

func (s *Seeder) fail(err error) { s.step, s.err = stepDone, err }

func (s *Seeder) finish(c *Centroids) { s.step, s.result = stepDone, c }

func (s *Seeder) takeFirst(p *SeedPartial) {
	rows := p.RacedByKey()
	if s.init == InitParallel {
		s.chosen = appendDistinct(nil, s.d, rows)
	} else {
		for _, row := range rows {
			s.chosen = append(s.chosen, row.Point...)
		}
	}
	switch {
	case s.have() == 0, s.init == InitRandom && s.have() < s.k:
		s.fail(ErrTooFewDistinct)
	case s.k == 1, s.init == InitRandom:
		s.finish(s.matrix(s.chosen))
	case s.init == InitParallel:
		s.step = stepSpread
	default:
		s.step = stepRace
	}
}

// takeSpread takes a round of k-means||. The m-th smallest of the keys is about m by the potential, so what a round drew says
// how far the one before it has lowered the potential, and nobody has to add the potential up. The last round's rows only
// say that: they do not become candidates, which have been weighed by then.
func (s *Seeder) takeSpread(p *SeedPartial) {
	rows := p.RacedByKey()
	potential := potentialOf(rows, raced(s.k))
	further := s.rounds == 0 || s.have() < s.k || s.rounds < parallelRounds && s.potential > worthwhile(s.k)*potential
	switch {
	case len(rows) == 0 && s.have() < s.k:
		s.fail(ErrTooFewDistinct)
	case len(rows) > 0 && further:
		s.chosen = appendDistinct(s.chosen, s.d, rows[:min(len(rows), drawn(s.k))])
		s.rounds++
		s.potential = potential
	case s.have() == s.k:
		s.finish(s.matrix(s.chosen))
	default:
		s.weighed(p.Weights)
	}
}

// potentialOf tells the potential of all rows from those that a race for so many has drawn. Where it has drawn all there are,
// only the first keys are as they would be among many.
func potentialOf(rows []Drawn, asked int) float64 {
	m := len(rows)
	if m < asked {
		m = (m + 3) / 4
	}
	if m == 0 {
		return 0
	}
	return float64(m) / rows[m-1].Key
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

// weighed has the weighted candidates brought down to k: there are 2k to 3.5k of them, or more after more rounds.
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
