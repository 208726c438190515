package kmeans

import (
	"math"
	"math/big"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Totals is what is known of all Points before any assignment; it merges exactly in any order. Every iteration is
// held against it.
type Totals struct {
	D       int
	Rows    int64
	Weight  exact.Int128   // fixed point; equals Rows where rows are not weighted
	Sums    []exact.Int128 // Σ weight·value by column, grid units
	Plain   []exact.Int128 // Σ value by column without weights, grid units
	Squares []exact.Int128 // Σ value² by column without weights, squared grid units
	Norms   exact.Sum      // Σ weight·‖x‖², in fixed-point weight units
}

// NewTotals makes the Totals of no rows.
func NewTotals(d int) *Totals {
	return &Totals{D: d, Sums: make([]exact.Int128, d), Plain: make([]exact.Int128, d), Squares: make([]exact.Int128, d)}
}

// Add takes every row of p. Squares of 39-bit values fit 78 bits, so 128 bits hold 2^49 rows.
func (t *Totals) Add(p *Points) {
	t.Rows += int64(p.n)
	sums, squares := columnTotals(p)
	for c := range t.D {
		sum, square := sums[c], squares[c]
		t.Plain[c] = t.Plain[c].Add(sum)
		t.Squares[c] = t.Squares[c].Add(square)
		if p.weights == nil {
			t.Sums[c] = t.Sums[c].Add(sum)
			t.Norms.AddInt128(square, 2*p.grid[c])
		}
	}
	if p.weights == nil {
		t.Weight = t.Weight.Add(exact.FromInt64(int64(p.n)))
		return
	}
	for i, w := range p.weights {
		t.addWeighted(p, i, int64(w))
	}
}

func (t *Totals) addWeighted(p *Points, i int, w int64) {
	t.Weight = t.Weight.Add(exact.FromInt64(w))
	for c := range t.D {
		x := float64(p.blocks[p.index(i, c)])
		t.Sums[c] = t.Sums[c].Add(exact.MulInt64(w, int64(x*p.units[c])))
		t.Norms.AddProduct(float64(x*x), float64(w))
	}
}

// exactRows is how many rows float64 lanes take before they are emptied: values of at most 2^39 units, and halves of
// squares of at most 2^39 units each, stay exact in 53 bits.
const exactRows = 1 << 14

// columnSum is Σ value and Σ value² of some rows of one column in grid units, in four lanes.
//
// The square of a float32 is exact in float64, but a sum of squares is not: each is cut into a high part, a multiple of
// 2^39 squared units, and the rest. Both halves and the values themselves add up exactly in float64 for exactRows.
type columnSum struct{ values, high, low [4]float64 }

// add takes a block's lanes of one column. Padding rows are zero and add nothing.
func (s *columnSum) add(lanes *[kernel.Lanes]float32, unit float64) {
	// Adding and subtracting this rounds a number below 2^52 of its units to a multiple of 2^39.
	const cut = 1.5 * (1 << 52) * (1 << 39)
	for i := 0; i < kernel.Lanes; i += 4 {
		for l := range 4 {
			v := float64(float64(lanes[i+l]) * unit)
			square := float64(v * v)
			high := float64(square+cut) - cut
			s.values[l] += v
			s.high[l] += high
			s.low[l] += square - high
		}
	}
}

// totalBlocks is how many blocks are walked column by column: enough that a call costs nothing, and few enough that those of
// few columns stay in the first-level cache.
const totalBlocks = 64

// columnTotals is Σ value and Σ value² of every column in grid units.
func columnTotals(p *Points) (sums, squares []exact.Int128) {
	sums, squares = make([]exact.Int128, p.d), make([]exact.Int128, p.d)
	step := totalBlocks * kernel.Lanes * p.d
	for at := 0; at < len(p.blocks); at += step {
		some := p.blocks[at:min(at+step, len(p.blocks))]
		for c := range p.d {
			sum, square, ok := exact.BlockSums(some, c, p.d, p.grid[c])
			if !ok {
				return plainTotals(p)
			}
			sums[c], squares[c] = sums[c].AddInt64(sum), squares[c].Add(square)
		}
	}
	return sums, squares
}

// plainTotals is columnTotals in plain Go. Blocks are walked in the order in which they lie.
func plainTotals(p *Points) (sums, squares []exact.Int128) {
	sums, squares = make([]exact.Int128, p.d), make([]exact.Int128, p.d)
	lanes := make([]columnSum, p.d)
	for from := 0; from < p.n; from += exactRows {
		to := min(from+exactRows, p.n)
		for b := from / kernel.Lanes; b*kernel.Lanes < to; b++ {
			block := p.blocks[b*p.d*kernel.Lanes:]
			for c := range lanes {
				lanes[c].add((*[kernel.Lanes]float32)(block[c*kernel.Lanes:]), p.units[c])
			}
		}
		for c := range lanes {
			for l := range 4 {
				sums[c] = sums[c].AddInt64(int64(lanes[c].values[l]))
				high := exact.MulInt64(int64(lanes[c].high[l]*0x1p-39), 1<<39)
				squares[c] = squares[c].AddInt64(int64(lanes[c].low[l])).Add(high)
			}
			lanes[c] = columnSum{}
		}
	}
	return sums, squares
}

// Merge adds o's rows.
func (t *Totals) Merge(o *Totals) {
	t.Rows += o.Rows
	t.Weight = t.Weight.Add(o.Weight)
	for c := range t.D {
		t.Sums[c] = t.Sums[c].Add(o.Sums[c])
		t.Plain[c] = t.Plain[c].Add(o.Plain[c])
		t.Squares[c] = t.Squares[c].Add(o.Squares[c])
	}
	t.Norms.Merge(&o.Norms)
}

// MeanVariance is the mean over the columns of their population variances, without weights: what a tolerance is
// relative to. Each variance is one rounding of an exact rational.
func (t *Totals) MeanVariance(grid []int) float64 {
	if t.Rows == 0 {
		return 0
	}
	n := big.NewInt(t.Rows)
	total := 0.0
	for c := range t.D {
		s := t.Plain[c].Big()
		num := new(big.Int).Mul(n, t.Squares[c].Big())
		num.Sub(num, new(big.Int).Mul(s, s))
		variance, _ := new(big.Rat).SetFrac(num, new(big.Int).Mul(n, n)).Float64()
		total += math.Ldexp(variance, 2*grid[c])
	}
	return total / float64(t.D)
}

// Inertia is the (weighted) sum of squared distances of all rows to the centroids c under the assignment whose sums
// are s, from the identity Σw‖x‖² − 2Σ c·S + ΣW‖c‖², in exact arithmetic with one rounding; every algorithm that
// knows the sums shows the same number without knowing a distance. unit is the weight of one fixed-point unit.
func (s *Sums) Inertia(c *Centroids, t *Totals, grid []int, unit float64) float64 {
	var sum exact.Sum
	sum.Merge(&t.Norms)
	for j := range s.K {
		weight := s.Weight(j)
		for col := range s.D {
			v := float64(c.Values[j*s.D+col])
			sum.AddScaled(-2*v, s.Values[j*s.D+col], grid[col])
			sum.AddScaled(float64(v*v), weight, 0)
		}
	}
	return sum.Float64() * unit
}
