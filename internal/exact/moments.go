package exact

import (
	"math"
	"math/big"
)

// Moments are count, sum, sum of squares, least and greatest of a column's finite values; values that are not finite
// are passed over and not counted. All of it is exact, so that partitions merge in any order to the same bits. The zero
// value is empty; Min and Max mean nothing until N > 0. −0 counts as +0.
type Moments struct {
	N        int64
	Sum      Sum
	Squares  Sum
	Min, Max float64
}

// AddRepeated adds x n times; n ≤ 0 adds nothing.
func (m *Moments) AddRepeated(x float64, n int64) {
	if n <= 0 || x-x != 0 {
		return
	}
	m.Sum.AddTimes(x, n)
	m.Squares.addSquares(x, uint64(n))
	m.widen(n, x, x)
}

// widen counts n more values between least and greatest.
func (m *Moments) widen(n int64, least, greatest float64) {
	least, greatest = least+0, greatest+0 // −0 becomes +0
	if m.N == 0 || least < m.Min {
		m.Min = least
	}
	if m.N == 0 || greatest > m.Max {
		m.Max = greatest
	}
	m.N += n
}

// Merge adds the values of o, which stays as it is.
func (m *Moments) Merge(o *Moments) {
	if o.N == 0 {
		return
	}
	m.Sum.Merge(&o.Sum)
	m.Squares.Merge(&o.Squares)
	m.widen(o.N, o.Min, o.Max)
}

// Mean is the mean rounded once, or NaN where there are no values.
func (m *Moments) Mean() float64 { return m.Sum.Mean(m.N) }

// Variance is the population variance (N·Σx² − (Σx)²)/N², computed as a fraction of integers and rounded once, so that
// a large offset costs no digits; NaN where there are no values.
func (m *Moments) Variance() float64 { return m.variance(0) }

// variance is Variance times 2^up, rounded once.
func (m *Moments) variance(up int) float64 {
	if m.N <= 0 {
		return math.NaN()
	}
	sum, sumExp := m.Sum.integer()
	squares, squaresExp := m.Squares.integer()
	n := big.NewInt(m.N)
	squares.Mul(squares, n)
	sum.Mul(sum, sum)
	sumExp *= 2
	// Both terms as integers on the finer of the two exponents.
	exp := min(sumExp, squaresExp)
	squares.Lsh(squares, uint(squaresExp-exp))
	sum.Lsh(sum, uint(sumExp-exp))
	return roundRatio(squares.Sub(squares, sum), n.Mul(n, n), exp+up)
}

// StdDev is the square root of Variance, rounded once more. Where the variance of very small or very large values would
// leave the range of float64, it is taken at another scale: the deviation itself has its place in that range.
func (m *Moments) StdDev() float64 {
	const (
		least, most = 0x1p-900, 0x1p900
		half        = 600
	)
	variance := m.variance(0)
	switch {
	case variance < least:
		return math.Ldexp(math.Sqrt(m.variance(2*half)), -half)
	case variance > most:
		return math.Ldexp(math.Sqrt(m.variance(-2*half)), half)
	}
	return math.Sqrt(variance)
}
