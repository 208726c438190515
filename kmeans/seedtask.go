package kmeans

import (
	"cmp"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
)

// Purposes key the randomness of each kind of draw, so that no two share a stream.
const (
	purposeUniform uint32 = 1 + iota
	purposeOversample
	purposeRace
	purposeRecluster
	purposeLow // added to a purpose: the low bits of its draws
)

// SeedTask is one round of seeding over all rows. It names all candidates so far, so that a worker that has seen
// none of them can do it.
type SeedTask struct {
	Seed       uint64
	Round      uint32     // keys the randomness of this round
	Candidates *Centroids // all so far; nil before the first
	Uniform    int        // draw this many rows, each with a chance in proportion to its weight
	Race       int        // draw this many rows, in proportion to weight × squared distance to the nearest candidate
	Threshold  float64    // draw every row with the chance Threshold × weight × squared distance; 0 draws none
	Potential  bool       // sum weight × squared distance
	Try        *Centroids // for each of these, the potential if it joined the candidates
	Weigh      bool       // the weight of the rows nearest to each candidate

	// Recluster asks for the candidates, weighted by Masses, to be brought down to K. It needs no rows: one worker does
	// it, so that a large set does not keep who drives the rounds from hearing of anything else.
	Recluster bool
	Masses    []uint64 // fixed-point weight of each candidate
	K         int
	Grid      []int // exponent of each column's grid
}

// Drawn is a row that a draw took. Smaller keys come first.
type Drawn struct {
	Key   float64
	Row   int64
	Point []float32
}

func compareDrawn(a, b Drawn) int {
	return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Row, b.Row))
}

// SeedPartial is the mergeable answer to a SeedTask.
type SeedPartial struct {
	Potential exact.Bins
	Raced     []Drawn // for Uniform or Race: the smallest keys, sorted
	Sampled   []Drawn // for Threshold: sorted by row after Finish
	Tries     []exact.Bins
	Weights   []exact.Int128
	Centers   *Centroids // of Recluster
	limit     int
}

// NewSeedPartial is the answer for no rows.
func NewSeedPartial(t *SeedTask) *SeedPartial {
	s := &SeedPartial{limit: max(t.Uniform, t.Race)}
	if t.Try != nil {
		s.Tries = make([]exact.Bins, t.Try.K)
	}
	if t.Weigh {
		s.Weights = make([]exact.Int128, t.Candidates.K)
	}
	return s
}

// Merge takes o's rows.
func (s *SeedPartial) Merge(o *SeedPartial) {
	s.Potential.Merge(&o.Potential)
	s.Raced = append(s.Raced, o.Raced...)
	s.trim()
	s.Sampled = append(s.Sampled, o.Sampled...)
	for i := range o.Tries {
		s.Tries[i].Merge(&o.Tries[i])
	}
	for i, w := range o.Weights {
		s.Weights[i] = s.Weights[i].Add(w)
	}
	if s.Centers == nil {
		s.Centers = o.Centers
	}
}

func (s *SeedPartial) trim() {
	slices.SortFunc(s.Raced, compareDrawn)
	if len(s.Raced) > s.limit {
		s.Raced = s.Raced[:s.limit]
	}
}

// SeedState is what a worker keeps of one Points between the rounds of seeding: soft state, which a worker that
// lacks it makes again from the task's candidates.
type SeedState struct {
	known   int // candidates that distance and nearest take account of
	nearest []int32
	squared []float32
}

// NewSeedState makes the state before any candidate.
func NewSeedState(p *Points) *SeedState {
	padded := len(p.blocks) / p.d
	return &SeedState{nearest: make([]int32, padded), squared: make([]float32, padded)}
}

// SeedRound does tasks on spans of rows; it is read-only after NewSeedRound and shared by threads.
type SeedRound struct {
	task   *SeedTask
	added  map[int]*Assigner // candidates from index i on, for each state that is i candidates behind
	trials []*Assigner
}

// NewSeedRound prepares a task for states that know the given numbers of candidates.
func NewSeedRound(t *SeedTask, known []int) *SeedRound {
	r := &SeedRound{task: t, added: make(map[int]*Assigner)}
	for _, n := range known {
		if t.Candidates != nil && n < t.Candidates.K && r.added[n] == nil {
			c := t.Candidates
			r.added[n] = NewAssigner(&Centroids{K: c.K - n, D: c.D, Values: c.Values[n*c.D:]})
		}
	}
	if t.Try != nil {
		for j := range t.Try.K {
			r.trials = append(r.trials, NewAssigner(&Centroids{K: 1, D: t.Try.D, Values: t.Try.Row(j)}))
		}
	}
	return r
}

// Known is how many candidates the state takes account of.
func (st *SeedState) Known() int { return st.known }

// Finish notes that every span of the state's Points has been through the round.
func (r *SeedRound) Finish(st *SeedState) {
	if r.task.Candidates != nil {
		st.known = r.task.Candidates.K
	}
}

// Do brings rows [lo,hi) of p (bounds as for Assigner.Update) up to the task's candidates and adds their part.
func (r *SeedRound) Do(p *Points, st *SeedState, lo, hi int, part *SeedPartial, s *Scratch) {
	if a := r.added[st.known]; a != nil {
		blocks, padded := p.span(lo, hi)
		a.panel.Nearest(blocks, st.squared[lo:lo+padded], st.nearest[lo:lo+padded], int32(st.known), st.known == 0)
	}
	t := r.task
	if t.Potential {
		addPotential(&part.Potential, p, lo, hi, st.squared[lo:hi])
	}
	switch {
	case t.Uniform > 0:
		r.race(p, nil, lo, hi, purposeUniform, part)
	case t.Race > 0:
		r.race(p, st, lo, hi, purposeRace, part)
	}
	if t.Threshold > 0 {
		r.sample(p, st, lo, hi, part)
	}
	if t.Weigh {
		for i := lo; i < hi; i++ {
			j := st.nearest[i]
			part.Weights[j] = part.Weights[j].Add(exact.FromInt64(int64(p.Weight(i))))
		}
	}
	for j, a := range r.trials {
		blocks, padded := p.span(lo, hi)
		copy(s.best[:padded], st.squared[lo:lo+padded])
		a.panel.Nearest(blocks, s.best[:padded], s.index[:padded], 0, false)
		addPotential(&part.Tries[j], p, lo, hi, s.best[:hi-lo])
	}
}

func addPotential(sum *exact.Bins, p *Points, lo, hi int, squared []float32) {
	if p.weights == nil {
		sum.AddSlice(squared)
		return
	}
	for i := lo; i < hi; i++ {
		sum.AddWeighted(squared[i-lo], p.weights[i])
	}
}

// draws gives each row its uniform number of one purpose and round. The high 32 bits come four rows at a time and decide
// nearly every row; the low ones are made only for those that they leave open.
type draws struct {
	task    *SeedTask
	purpose uint32
	quad    uint64 // of words
	words   [4]uint32
}

func (t *SeedTask) draws(purpose uint32, first int64) draws {
	quad := uint64(first) >> 2
	return draws{task: t, purpose: purpose, quad: quad, words: exact.Draw4(t.Seed, purpose, t.Round, quad)}
}

// high is the high 32 bits of the row's number: it lies in [high, high+1)·2^-32.
func (d *draws) high(row int64) uint32 {
	if quad := uint64(row) >> 2; quad != d.quad {
		d.quad, d.words = quad, exact.Draw4(d.task.Seed, d.purpose, d.task.Round, quad)
	}
	return d.words[row&3]
}

// unit is the whole number, in (0,1).
func (d *draws) unit(row int64, high uint32) float64 {
	low := exact.Draw(d.task.Seed, d.purpose+purposeLow, d.task.Round, uint64(row))
	return exact.Unit(uint64(high)<<32 | low>>32)
}

// race draws rows without replacement by exponential clocks: the row whose clock −ln(u)/mass rings first comes first
// (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006). −ln(u) ≥ 1−u rejects most rows before
// a logarithm is taken.
func (r *SeedRound) race(p *Points, st *SeedState, lo, hi int, purpose uint32, part *SeedPartial) {
	worst := math.Inf(1)
	if len(part.Raced) >= part.limit {
		worst = part.Raced[part.limit-1].Key
	}
	draws := r.task.draws(purpose, p.RowNumber(lo))
	for i := lo; i < hi; i++ {
		mass := float64(p.Weight(i))
		if st != nil {
			mass = float64(mass * float64(st.squared[i]))
		}
		if mass == 0 {
			continue
		}
		row := p.RowNumber(i)
		high := draws.high(row)
		if 1-float64(float64(uint64(high)+1)*0x1p-32) > float64(worst*mass) {
			continue
		}
		key := -exact.Log(draws.unit(row, high)) / mass
		if key > worst {
			continue
		}
		part.Raced = append(part.Raced, Drawn{Key: key, Row: row, Point: p.At(i, make([]float32, p.d))})
		if len(part.Raced) >= 2*part.limit+64 {
			part.trim()
			worst = part.Raced[part.limit-1].Key
		}
	}
	part.trim()
}

// sample draws each row independently with the chance Threshold × mass.
func (r *SeedRound) sample(p *Points, st *SeedState, lo, hi int, part *SeedPartial) {
	draws := r.task.draws(purposeOversample, p.RowNumber(lo))
	for i := lo; i < hi; i++ {
		chance := float64(float64(float64(p.Weight(i))*float64(st.squared[i])) * r.task.Threshold)
		row := p.RowNumber(i)
		high := draws.high(row)
		if float64(high)*0x1p-32 >= chance { // no row with a chance of 0 passes
			continue
		}
		if draws.unit(row, high) < chance {
			part.Sampled = append(part.Sampled, Drawn{Row: row, Point: p.At(i, make([]float32, p.d))})
		}
	}
}

// SampledByRow sorts the independent draws by row number and returns them.
func (s *SeedPartial) SampledByRow() []Drawn {
	slices.SortFunc(s.Sampled, compareDrawn)
	return s.Sampled
}
