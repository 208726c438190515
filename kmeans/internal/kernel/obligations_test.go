package kernel

import (
	"math"
	"math/rand/v2"
	"testing"
)

// The tests of this file hold what a filter takes for proved against the proof, in float64: random rows come nowhere near the
// worst case that the bounds are for, so that a bound too small would not show in labels.

// obligation is a filter, and what it has found out about some rows.
type obligation struct {
	f      *Filter
	r      *FilterRoom
	blocks []float32
	n      int
}

func newObligation(tier Tier, blocks, centroids []float32, n, k, d int, words bool) *obligation {
	sample := NewSample(rowsOf(blocks, n, d), d, words)
	if sample == nil {
		return nil
	}
	panel := new(Panel)
	tier.Pack(panel, centroids, k, d)
	f := tier.NewFilter(sample.Grid(centroids), func() *Panel { return panel }, centroids, k, d)
	o := &obligation{f: f, r: new(FilterRoom), blocks: blocks, n: n}
	o.r.room(f)
	o.r.best, o.r.second = noSums, noSums
	if f.grid.words() {
		f.quantizeWords(blocks, n/Lanes, o.r)
		f.nearestWords(n, o.r)
	} else {
		f.quantize(blocks, n/Lanes, o.r)
		f.products(0, k, o.r)
		f.twoLargest(0, k, o.r)
	}
	f.outcomes(o.r)
	return o
}

// integer is what row i has in column t.
func (o *obligation) integer(i, t int) float64 {
	if o.f.grid.words() {
		return float64(o.r.words[t/2*2*filterUnit+2*i+t%2])
	}
	return float64(o.r.bytes[t/4*4*filterUnit+4*i+t%4])
}

// off is how far row i is from its integers, and apart how far its integers are from those of centroid j, which is off by its.
func (o *obligation) off(i int) float64 {
	sum := 0.0
	for t := range o.f.d {
		at, _ := o.f.grid.place(pointAt(o.blocks, o.f.d, i, t), t)
		sum += (at - o.integer(i, t)) * (at - o.integer(i, t))
	}
	return math.Sqrt(sum)
}

func (o *obligation) apart(i, j int) (distance, its float64) {
	square, rest := 0.0, 0.0
	for t, x := range o.f.rows[j*o.f.d : (j+1)*o.f.d] {
		at, whole := o.f.grid.place(x, t)
		rest += (at - whole) * (at - whole)
		square += (o.integer(i, t) - whole) * (o.integer(i, t) - whole)
	}
	return math.Sqrt(square), math.Sqrt(rest)
}

// check holds every row against the proof: the error is at least what row and centroid are off, and every centroid that is out
// of the question is farther than the nearest can be, by the rounding of the definition.
func (o *obligation) check(t *testing.T, name string) {
	t.Helper()
	definition := 1 + 1.1*1.05*float64(o.f.d+3)*0x1p-24
	for i := range o.n {
		e, off := float64(o.r.errors[i]), o.off(i)
		near, _ := o.apart(i, int(o.r.index[i]))
		most := (near + e) * definition
		if nearest := math.Sqrt(float64(o.r.nearest[i])) / float64(o.f.bounds.step); nearest < near+e {
			t.Fatalf("%s, k=%d d=%d: row %d is told to be nearer than %g steps, and may be at %g", name, o.f.k, o.f.d, i, nearest, near+e)
		}
		for j := range o.f.k {
			distance, its := o.apart(i, j)
			if off+its > e {
				t.Fatalf("%s, k=%d d=%d: row %d and centroid %d are %g and %g off, together more than %g", name, o.f.k, o.f.d, i, j, off, its, e)
			}
			if j == int(o.r.index[i]) {
				continue
			}
			if others := math.Sqrt(float64(o.r.others[i])) / float64(o.f.bounds.step); others > max(0, distance-e) {
				t.Fatalf("%s, k=%d d=%d: centroid %d is told to be no nearer to row %d than %g steps, and may be at %g", name, o.f.k, o.f.d, j, i, others,
					distance-e)
			}
			if !o.questioned(i, j, distance) && distance-e <= most {
				t.Fatalf("%s, k=%d d=%d: centroid %d is out of the question for row %d, but may be at %g steps, the nearest at %g", name, o.f.k, o.f.d, j, i,
					distance-e, most)
			}
		}
	}
}

// questioned says that centroid j, so far from row i by their integers, is one of those that the row is compared with.
func (o *obligation) questioned(i, j int, distance float64) bool {
	if o.r.thresholds[i] == math.MaxInt32 {
		return false
	}
	if o.f.grid.words() {
		return true // with all
	}
	return o.r.sums[j*filterUnit+i] >= o.r.thresholds[i]
}

func TestWhatIntegersProveIsProved(t *testing.T) {
	r := rand.New(rand.NewPCG(21, 5))
	for _, tier := range filterTiers() {
		for _, s := range []struct{ k, d int }{{70, 3}, {40, 16}, {30, 47}, {60, 49}, {40, 130}, {8, 1500}} {
			for _, kind := range scenarios {
				blocks := kind.values(r, 64*s.d)
				centroids := kind.centroids(r, blocks, s.k, s.d)
				for _, words := range []bool{false, true} {
					if o := newObligation(tier, blocks, centroids, 64, s.k, s.d, words); o != nil {
						o.check(t, kind.name)
					}
				}
			}
		}
	}
}

// Centroids lie on a line, hardly farther apart than the rounding of the definition, and rows near one end of it: some are always
// at the edge of what can be proved.
func TestWhatIntegersProveIsProvedAtTheEdge(t *testing.T) {
	r := rand.New(rand.NewPCG(22, 5))
	for _, tier := range filterTiers() {
		for _, d := range []int{2, 20, 48, 60, 1500} {
			k := 400
			blocks, centroids := make([]float32, 64*d), make([]float32, k*d)
			for i := range blocks {
				blocks[i] = float32(0.02 * r.NormFloat64())
			}
			for j := range k {
				for t := range d {
					centroids[j*d+t] = float32(1 + float64(j)/float64(k)*0.05 + 1e-4*r.NormFloat64())
				}
			}
			for _, words := range []bool{false, true} {
				if o := newObligation(tier, blocks, centroids, 64, k, d, words); o == nil {
					t.Errorf("d=%d: no grid", d)
				} else {
					o.check(t, "a line")
					checkFilter(t, tier, blocks, centroids, 64, k, d, words, "a line")
				}
			}
		}
	}
}

// The roundings of a row and of centroids may all point the same way. Then the nearest by integers is as far as it can be, and one
// farther off by integers is nearer, or next to it.
func TestRoundingsThatAllPointTheSameWay(t *testing.T) {
	const n, a, part = 64, 20, 0.49
	for _, tier := range filterTiers() {
		for _, d := range []int{9, 40, 64, 300} {
			grid := &Grid{high: 255, inverse: 1, shift: make([]float32, d)}
			if Words(3, d) && d < 64 {
				grid.low, grid.high = -255, 255
			}
			fill := func(v float32, to []float32) {
				for i := range to {
					to[i] = v
				}
			}
			blocks := make([]float32, n*d)
			fill(100+part, blocks)
			for _, c := range []struct {
				name  string
				at    []float32 // by centroid, in every column
				first int32
			}{
				{"the second is nearer", []float32{100 - a - part, 100 + a + 1 - part, 10}, 1},
				{"the third is next", []float32{100 - a - part, 100 - a - 1 - part, 100 + a + 2 - part}, 0},
			} {
				centroids := make([]float32, len(c.at)*d)
				for j, v := range c.at {
					fill(v, centroids[j*d:(j+1)*d])
				}
				panel := new(Panel)
				tier.Pack(panel, centroids, len(c.at), d)
				f := tier.NewFilter(grid, func() *Panel { return panel }, centroids, len(c.at), d)
				best, second, index := make([]float32, n), make([]float32, n), make([]int32, n)
				f.NearestSecond(blocks, best, second, index, new(FilterRoom))
				want, wantSecond, at := make([]float32, n), make([]float32, n), make([]int32, n)
				panel.NearestSecond(blocks, want, wantSecond, at)
				if at[0] != c.first || index[0] != at[0] || best[0] < want[0]*(1-1e-5) || second[0] > wantSecond[0]*(1+1e-5) {
					t.Errorf("%v, d=%d, %s: centroid %d within %g, the next no nearer than %g; want %d at %g, the next at %g", tier, d, c.name, index[0],
						best[0], second[0], at[0], want[0], wantSecond[0])
				}
			}
		}
	}
}
