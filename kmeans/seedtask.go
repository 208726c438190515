package kmeans

import (
	"cmp"
	"sync"

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
	Threshold  float64    // draw every row with the chance Threshold × weight × squared distance; without candidates: Threshold; 0 draws none
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
	Raced     []Drawn // for Uniform or Race: the smallest keys, sorted after RacedByKey
	Sampled   []Drawn // for Threshold: sorted by row after Finish
	Tries     []exact.Bins
	Weights   []exact.Int128
	Centers   *Centroids // of Recluster
	limit     int
	found     []found // rows of a race that are not in Raced yet
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
	s.found = append(s.found, o.found...)
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

// SeedState is what a worker keeps of one Points between the rounds of seeding: soft state, which a worker that
// lacks it makes again from the task's candidates.
type SeedState struct {
	known   int // candidates that distance and nearest take account of
	rows    int // padded
	room    sync.Once
	nearest []int32 // nil until there are more candidates than are taken afresh
	squared []float32
	whole   *SeedState // which this is a part of, from row at on; nil: of none
	at      int
}

// NewSeedState makes the state before any candidate.
func NewSeedState(p *Points) *SeedState { return &SeedState{rows: paddedRows(p.n)} }

// afresh is the size of all candidates, in values, up to which their distances are taken anew in every round: that costs
// less than to read and write what is known of each row.
const afresh = 256

// SeedRound does tasks on spans of rows; it is read-only after NewSeedRound and shared by threads.
type SeedRound struct {
	task   *SeedTask
	all    *Assigner         // every candidate, where they are few; states are not used then
	added  map[int]*Assigner // candidates from index i on, for each state that is i candidates behind
	trials []*Assigner
}

// NewSeedRound prepares a task for states that know the given numbers of candidates.
func NewSeedRound(t *SeedTask, known []int) *SeedRound {
	r := &SeedRound{task: t, added: make(map[int]*Assigner)}
	c := t.Candidates
	switch {
	case c == nil:
	case c.K*c.D <= afresh:
		r.all = NewAssigner(c)
	default:
		for _, n := range known {
			if n < c.K && r.added[n] == nil {
				r.added[n] = NewAssigner(&Centroids{K: c.K - n, D: c.D, Values: c.Values[n*c.D:]})
			}
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
	if r.task.Candidates != nil && r.all == nil {
		st.known = r.task.Candidates.K
	}
}

// nearest gives the padded rows of a span their nearest candidate and the squared distance to it.
func (r *SeedRound) nearest(p *Points, st *SeedState, lo, hi int, s *Scratch) (index []int32, squared []float32) {
	if r.task.Candidates == nil {
		return nil, nil
	}
	blocks, padded := p.span(lo, hi)
	if r.all != nil {
		r.all.panel().Nearest(blocks, s.best[:padded], s.index[:padded], 0, true)
		return s.index[:padded], s.best[:padded]
	}
	whole, at := st, lo
	if st.whole != nil {
		whole, at = st.whole, st.at+lo
	}
	whole.room.Do(func() { whole.nearest, whole.squared = make([]int32, whole.rows), make([]float32, whole.rows) })
	index, squared = whole.nearest[at:at+padded], whole.squared[at:at+padded]
	if a := r.added[st.known]; a != nil {
		a.add(p, lo, hi, squared, index, int32(st.known), s)
	}
	return index, squared
}

// add takes the Assigner's centroids, which have the numbers from base on, to the nearest of rows [lo,hi) that are known, if any,
// and their squared distances.
func (a *Assigner) add(p *Points, lo, hi int, squared []float32, index []int32, base int32, s *Scratch) {
	if a.filter(p) == nil {
		blocks, _ := p.span(lo, hi)
		a.panel().Nearest(blocks, squared, index, base, base == 0)
		return
	}
	a.nearest(p, lo, hi, s)
	if base == 0 {
		copy(squared, s.best[:])
		copy(index, s.index[:])
		return
	}
	for i, v := range s.best[:len(squared)] {
		if v < squared[i] {
			squared[i], index[i] = v, base+s.index[i]
		}
	}
}

// Do brings rows [lo,hi) of p (bounds as for Assigner.Update) up to the task's candidates and adds their part.
func (r *SeedRound) Do(p *Points, st *SeedState, lo, hi int, part *SeedPartial, s *Scratch) {
	t, n := r.task, hi-lo
	index, squared := r.nearest(p, st, lo, hi, s)
	if t.Potential && squared != nil {
		addPotential(&part.Potential, p, lo, hi, squared[:n])
	}
	switch {
	case t.Uniform > 0:
		r.race(p, nil, lo, hi, purposeUniform, part)
	case t.Race > 0 && squared != nil:
		r.race(p, squared[:n], lo, hi, purposeRace, part)
	}
	switch {
	case t.Threshold > 0 && squared != nil:
		r.sample(p, squared[:n], lo, part)
	case t.Threshold > 0:
		r.sampleAny(p, lo, hi, part)
	}
	if t.Weigh && index != nil {
		weigh(p, index[:n], lo, part.Weights)
	}
	for j, a := range r.trials {
		blocks, padded := p.span(lo, hi)
		copy(s.second[:padded], squared)
		a.panel().Nearest(blocks, s.second[:padded], s.secondIndex[:padded], 0, false)
		addPotential(&part.Tries[j], p, lo, hi, s.second[:n])
	}
}

// weigh adds each row's weight to the candidate of its index. Rows that weigh one each are counted first, where that many
// counts cost less than the rows.
func weigh(p *Points, index []int32, lo int, weights []exact.Int128) {
	const counted = SpanRows / 8
	if p.weights != nil || len(weights) > counted {
		for i, j := range index {
			weights[j] = weights[j].Add(exact.FromInt64(int64(p.Weight(lo + i))))
		}
		return
	}
	var counts [4][counted]uint32 // rows in a line are often of one candidate, and would wait for its count
	for ; len(index) >= 4; index = index[4:] {
		counts[0][index[0]]++
		counts[1][index[1]]++
		counts[2][index[2]]++
		counts[3][index[3]]++
	}
	for _, j := range index {
		counts[0][j]++
	}
	for j := range weights {
		n := counts[0][j] + counts[1][j] + counts[2][j] + counts[3][j]
		weights[j] = weights[j].Add(exact.FromInt64(int64(n)))
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
