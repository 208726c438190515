package kernel

import (
	"math"
	"slices"
)

// Grid is how values become small integers: a value x of column t lies at x·inverse − shift[t], in steps, and its integer is the
// one next to that, from low to high. The steps of all columns are equal, so that distances in steps are distances, but for a
// factor.
type Grid struct {
	low, high float64
	inverse   float32   // steps in a unit of the columns
	shift     []float32 // by column
}

// Sample is some rows, for which grids are laid out.
type Sample struct {
	low, high float64   // of the integers
	half      float64   // of what they span
	middle    []float64 // by column: what they are centred on
	steps     []float64 // that may be taken, falling
	costs     []float64 // by step: how far rows are from their integers, in units of the columns
}

// Words says whether a Filter of k centroids of d columns takes words instead of bytes: they take twice as many products, and
// leave little to float32, which costs more than those where products are few (docs/diary.md).
func Words(k, d int) bool { return d <= 48 || k <= 50+4000/d }

// wordMost is the largest integer of words: all sums of Filter stay within 32 bits, four times the square of d of them does.
func wordMost(d int) float64 { return math.Floor(math.Sqrt(1 << 28 / float64(d))) }

const (
	// SampleRows is how many rows a Sample wants.
	SampleRows = 256
	// sampleTails is how many of them may lie outside of the middle that a column's integers are centred on, on either side.
	sampleTails = 2
	// sampleSteps is how many steps are tried, each 0.8 of the one before.
	sampleSteps = 18
	// leastStep and mostStep leave squares of distances within the normal numbers.
	leastStep, mostStep = 1e-14, 1e14
)

// NewSample takes rows of d columns, n·d values row by row, for filters of bytes or of words. Rows that are all equal, too large or too small can have no grid:
// nil.
func NewSample(rows []float32, d int, words bool) *Sample {
	n := len(rows) / d
	if n == 0 {
		return nil
	}
	s := &Sample{low: 0, high: 255, half: 127.5, middle: make([]float64, d)}
	if words {
		s.high = wordMost(d)
		s.low, s.half = -s.high, s.high
	}
	reach := 0.0
	column := make([]float32, n)
	for t := range d {
		for i := range column {
			column[i] = rows[i*d+t]
		}
		slices.Sort(column)
		tail := min(sampleTails, (n-1)/2)
		low, high := float64(column[tail]), float64(column[n-1-tail])
		s.middle[t] = low + float64((high-low)/2)
		reach = max(reach, s.middle[t]-float64(column[0]), float64(column[n-1])-s.middle[t])
	}
	errs := make([]float64, n)
	// Centroids, and other rows, may reach farther than these.
	for step := 2 * reach / s.half; len(s.steps) < sampleSteps && step > leastStep && step < mostStep; step *= 0.8 {
		for i := range errs {
			errs[i] = s.cut(rows[i*d:(i+1)*d], step)
		}
		slices.Sort(errs)
		s.steps, s.costs = append(s.steps, step), append(s.costs, (errs[n/2]+errs[n*9/10])/2)
	}
	if len(s.steps) == 0 {
		return nil
	}
	return s
}

// cut is how far a row is from its integers, in the units of the columns, about.
func (s *Sample) cut(row []float32, step float64) float64 {
	sum := 0.0
	for t, x := range row {
		at := (float64(x)-s.middle[t])/step + s.low + s.half
		rest := at - math.RoundToEven(min(s.high, max(s.low, at)))
		sum += float64(rest * rest)
	}
	return math.Sqrt(sum) * step
}

// sampleFarthest is how many centroids, those with the largest coordinates, a grid is chosen by.
const sampleFarthest = 8

// Grid lays a grid for the rows and centroids, k·d values row by row. What lies far out is cut off where the others gain by
// it; of centroids the farthest from its integers counts.
func (s *Sample) Grid(centroids []float32) *Grid {
	d := len(s.middle)
	type far struct {
		j     int
		reach float64
	}
	var list [sampleFarthest]far
	for j := range len(centroids) / d {
		reach := 0.0
		for t, x := range centroids[j*d : (j+1)*d] {
			reach = max(reach, math.Abs(float64(x)-s.middle[t]))
		}
		for i, c := range list { // the largest first
			if reach > c.reach {
				copy(list[i+1:], list[i:])
				list[i] = far{j, reach}
				break
			}
		}
	}
	best, at := math.Inf(1), s.steps[0]
	try := func(step, rows float64) {
		worst := math.Sqrt(float64(d)/12) * step // what rounding takes from those that nothing is cut off of
		for _, c := range list {
			if c.reach > s.half*step {
				worst = max(worst, s.cut(centroids[c.j*d:(c.j+1)*d], step))
			}
		}
		if cost := rows + worst; cost < best {
			best, at = cost, step
		}
	}
	for i, step := range s.steps {
		try(step, s.costs[i])
	}
	// Centroids that are out of reach of all these are rows that the sample did not meet. Rounding alone grows with the step.
	if step := list[0].reach / s.half; step > s.steps[0] && step < mostStep {
		try(step, s.costs[0]*step/s.steps[0])
	}
	g := &Grid{low: s.low, high: s.high, inverse: float32(1 / at), shift: make([]float32, d)}
	for t, m := range s.middle {
		g.shift[t] = float32(m/at - s.low - s.half)
	}
	return g
}

// words says that the integers are words, not bytes.
func (g *Grid) words() bool { return g.low < 0 }

// place is where a value of column t lies, in steps, and its integer.
func (g *Grid) place(x float32, t int) (at, whole float64) {
	at = float64(float64(x)*float64(g.inverse)) - float64(g.shift[t])
	return at, math.RoundToEven(min(g.high, max(g.low, at)))
}
