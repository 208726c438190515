package kmeans

import (
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
)

// clockRows is how many rows, those whose global numbers have all but the low bits in common, share a walk of rings.
const clockRows = 256

// mostRings is far above what it takes until every one of clockRows rows has rung: some 1,500.
const mostRings = 1 << 20

// found is a row of a race whose Point has not been fetched: most of them lose to rows of other partitions.
type found struct {
	key  float64
	row  int64
	from *Points
	at   int
}

func compareFound(a, b found) int {
	return compareDrawn(Drawn{Key: a.key, Row: a.row}, Drawn{Key: b.key, Row: b.row})
}

// trim keeps the smallest keys of either list.
func (s *SeedPartial) trim() {
	slices.SortFunc(s.Raced, compareDrawn)
	if len(s.Raced) > s.limit {
		s.Raced = s.Raced[:s.limit]
	}
	slices.SortFunc(s.found, compareFound)
	if len(s.found) > s.limit {
		s.found = s.found[:s.limit]
	}
}

// RacedByKey are the rows of a race, the smallest keys first, at most Limit of them. The first call fetches their Points.
func (s *SeedPartial) RacedByKey() []Drawn {
	s.trim()
	for _, f := range s.found {
		s.Raced = append(s.Raced, Drawn{Key: f.key, Row: f.row, Point: f.from.At(f.at, make([]float32, f.from.d))})
	}
	s.found = nil
	s.trim()
	return s.Raced
}

// RacedKeys calls yield with what RacedByKey would give, without the Points, and changes nothing but the order of what is held.
func (s *SeedPartial) RacedKeys(yield func(key float64, row int64) bool) {
	s.trim()
	raced, found := s.Raced, s.found
	for range min(s.limit, len(raced)+len(found)) {
		var next Drawn
		if len(found) == 0 || len(raced) > 0 && compareDrawn(raced[0], Drawn{Key: found[0].key, Row: found[0].row}) < 0 {
			next, raced = raced[0], raced[1:]
		} else {
			next, found = Drawn{Key: found[0].key, Row: found[0].row}, found[1:]
		}
		if !yield(next.Key, next.Row) {
			return
		}
	}
}

// race draws rows without replacement by exponential clocks: each row has a clock, an exponential number of mean 1, and the
// rows with the smallest clock/mass come first (Efraimidis and Spirakis, Weighted random sampling with a reservoir, 2006).
// squared is nil where mass is the weight alone.
//
// The clocks of clockRows rows are the first rings of one Poisson process over them: a walk of rings, each later than the
// one before, each at one of the rows. Where even the heaviest row of the walk would lose with the next ring, so would all
// the others with theirs; so most walks end at their first ring, and a row costs little more than a look at its mass.
func (r *SeedRound) race(p *Points, squared []float32, lo, hi int, purpose uint32, part *SeedPartial) {
	had := len(part.found)
	w := walk{task: r.task, purpose: purpose, p: p, squared: squared, first: lo, part: part, worst: math.Inf(1)}
	if had >= part.limit {
		w.worst = part.found[part.limit-1].key
	}
	for i := lo; i < hi; {
		w.lo, i = i, w.end(i, hi)
		w.hi = i
		w.rings()
	}
	if len(part.found) != had {
		part.trim()
	}
}

// walk is a race over rows [lo,hi) of p, all of one walk of rings; of other parts of the walk other workers may take care.
type walk struct {
	task    *SeedTask
	purpose uint32
	p       *Points
	squared []float32 // of rows from first on
	first   int
	part    *SeedPartial
	worst   float64 // the largest key that can still enter
	lo, hi  int
	at      [clockRows]int32 // row of each place, −1: not here; only where numbers have gaps
}

// end is where the rows of i's walk end.
func (w *walk) end(i, hi int) int {
	number := w.p.RowNumber(i)
	if w.p.rows == nil {
		return min(hi, i+int(clockRows-number%clockRows))
	}
	for j := range w.at {
		w.at[j] = -1
	}
	for j := i; ; j++ {
		if j == hi || w.p.rows[j]/clockRows != number/clockRows {
			return j
		}
		w.at[w.p.rows[j]%clockRows] = int32(j)
	}
}

// row is the row at a place of the walk, outside of [lo,hi) if it is not here.
func (w *walk) row(place int) int {
	if w.p.rows != nil {
		return int(w.at[place])
	}
	return w.lo + place - int(w.p.RowNumber(w.lo)%clockRows)
}

func (w *walk) mass(i int) float64 {
	mass := float64(w.p.Weight(i))
	if w.squared != nil {
		mass = float64(mass * float64(w.squared[i-w.first]))
	}
	return mass
}

// heaviest is the largest mass of the walk's rows.
func (w *walk) heaviest() float64 {
	switch {
	case w.p.weights != nil:
		mass := 0.0
		for i := w.lo; i < w.hi; i++ {
			mass = max(mass, w.mass(i))
		}
		return mass
	case w.squared == nil:
		return 1
	}
	var most float32
	for _, v := range w.squared[w.lo-w.first : w.hi-w.first] {
		if v > most {
			most = v
		}
	}
	return float64(most)
}

// over says whether any row's mass could enter with the walk's first ring. It looks at no more than it must: this is all
// that most rows are asked in a race.
func (w *walk) over() bool {
	if w.p.weights != nil || w.squared == nil {
		return true
	}
	_, u := w.ring(0)
	const slack = 1 - 0x1p-20
	least := math.Float32bits(float32((1 - u) / clockRows / w.worst * slack)) // floats from 0 up have the order of their bits
	x := w.squared[w.lo-w.first : w.hi-w.first]
	for ; len(x) >= 8; x = x[8:] {
		v := (*[8]float32)(x)
		if math.Float32bits(v[0]) >= least || math.Float32bits(v[1]) >= least || math.Float32bits(v[2]) >= least ||
			math.Float32bits(v[3]) >= least || math.Float32bits(v[4]) >= least || math.Float32bits(v[5]) >= least ||
			math.Float32bits(v[6]) >= least || math.Float32bits(v[7]) >= least {
			return true
		}
	}
	for _, v := range x {
		if math.Float32bits(v) >= least {
			return true
		}
	}
	return false
}

// ring draws the i-th ring: its place, and u, of which −ln(u) is the time since the one before, in clockRows.
func (w *walk) ring(i uint32) (place int, u float64) {
	number := uint64(w.p.RowNumber(w.lo)) / clockRows
	words := exact.Draw4(w.task.Seed, w.purpose|i<<8, w.task.Round, number)
	return int(words[2] % clockRows), exact.Unit(uint64(words[1])<<32 | uint64(words[0]))
}

func (w *walk) rings() {
	if !w.over() {
		return
	}
	heaviest := w.heaviest()
	if heaviest == 0 {
		return
	}
	const slack = 1 + 0x1p-50 // for the roundings of key × mass and ring / mass
	last := float64(float64(w.worst*heaviest) * slack)
	ring := 0.0
	var rung [clockRows / 64]uint64
	for i, left := uint32(0), w.hi-w.lo; left > 0 && i < mostRings; i++ {
		place, u := w.ring(i)
		if ring+float64((1-u)/clockRows) > last { // −ln(u) ≥ 1−u
			return
		}
		ring -= float64(exact.Log(u) / clockRows)
		row, bit := w.row(place), uint64(1)<<(place%64)
		if row < w.lo || row >= w.hi || rung[place/64]&bit != 0 {
			continue
		}
		rung[place/64] |= bit
		left--
		if w.offer(row, ring) {
			last = float64(float64(w.worst*heaviest) * slack)
		}
	}
}

// offer enters a row that rings, and says whether worst has changed.
func (w *walk) offer(row int, ring float64) bool {
	mass := w.mass(row)
	key := ring / mass
	if mass == 0 || key > w.worst {
		return false
	}
	part := w.part
	part.found = append(part.found, found{key: key, row: w.p.RowNumber(row), from: w.p, at: row})
	if len(part.found) < 2*part.limit+64 {
		return false
	}
	part.trim()
	w.worst = part.found[part.limit-1].key
	return true
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

// sample draws each row independently with the chance Threshold × mass.
func (r *SeedRound) sample(p *Points, squared []float32, lo int, part *SeedPartial) {
	draws := r.task.draws(purposeOversample, p.RowNumber(lo))
	for i := lo; i < lo+len(squared); i++ {
		chance := float64(float64(float64(p.Weight(i))*float64(squared[i-lo])) * r.task.Threshold)
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

// purposeSample keys the draws of a sample of all rows alike.
const purposeSample uint32 = 0x736d70

// sampleAny is sample without candidates: every row has the same chance, whatever it weighs.
func (r *SeedRound) sampleAny(p *Points, lo, hi int, part *SeedPartial) {
	for i := lo; i < hi; i++ {
		row := p.RowNumber(i)
		if float64(exact.Draw(r.task.Seed, purposeSample, r.task.Round, uint64(row))>>11)*0x1p-53 < r.task.Threshold {
			part.Sampled = append(part.Sampled, Drawn{Row: row, Point: p.At(i, make([]float32, p.d))})
		}
	}
}

// SampledByRow sorts the independent draws by row number and returns them.
func (s *SeedPartial) SampledByRow() []Drawn {
	slices.SortFunc(s.Sampled, compareDrawn)
	return s.Sampled
}
