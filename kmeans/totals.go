package kmeans

import (
	"math"
	"math/big"
	"math/bits"

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
	for c := range t.D {
		sum, square := columnTotals(p, c)
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

// columnTotals is Σ value and Σ value² of column c in grid units.
func columnTotals(p *Points, c int) (sum, square exact.Int128) {
	var s int64
	var hi, lo uint64
	unit := p.units[c]
	for b := 0; b*kernel.Lanes < p.n; b++ {
		lanes := min(kernel.Lanes, p.n-b*kernel.Lanes)
		for _, x := range p.blocks[(b*p.d+c)*kernel.Lanes:][:lanes] {
			v := int64(float64(x) * unit)
			s += v
			u := uint64(max(v, -v))
			h, l := bits.Mul64(u, u)
			var carry uint64
			lo, carry = bits.Add64(lo, l, 0)
			hi += h + carry
		}
	}
	return exact.FromInt64(s), exact.Int128{Hi: int64(hi), Lo: lo}
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
