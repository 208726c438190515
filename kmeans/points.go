package kmeans

import (
	"errors"
	"fmt"
	"math"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// MaxPoints is the largest number of rows in one Points: its int64 sums of 39-bit grid units cannot overflow.
const MaxPoints = 1 << 23

// MaxClusters is the largest k: labels are held in 16 bits.
const MaxClusters = 1 << 16

// WeightOne is the fixed-point weight of the heaviest row: weights are integers in units of its 2^-40th part.
const WeightOne = 1 << 40

// ErrValue is a number that no Point or weight can be: not finite, so large that its squared distance would overflow, or a
// weight below 0.
var ErrValue = errors.New("unusable value")

// ErrShape is a matrix, weight or centroid slice of the wrong size.
var ErrShape = errors.New("wrong shape")

// Points is an n×d matrix of float32 in the kernel's layout: blocks of kernel.Lanes rows, each block d×Lanes,
// column-major, padded with zero rows. Every value is a multiple of its column's grid, 2^grid[t], and at most
// 2^39 grid units from zero, so that it is also a 40-bit integer; sums are taken over those integers.
//
// A row keeps its global number whatever was dropped before it: randomness and ties are keyed by it.
type Points struct {
	n, d    int
	grid    []int
	units   []float64 // 2^-grid[t]: a value times it is its integer
	blocks  []float32
	weights []uint64 // nil: every row weighs one unit
	counts  []uint32 // how many rows each stands for; nil: itself
	first   int64
	rows    []int64 // nil: row i is number first+i
}

// NewPoints makes room for up to n rows of d columns whose first global row number is first. grid has the
// exponent of each column's grid. The rows are filled by Append; n is an upper bound.
func NewPoints(n, d int, first int64, grid []int) (*Points, error) {
	if n < 0 || n > MaxPoints || d < 1 || len(grid) != d {
		return nil, fmt.Errorf("%w: %d points of %d columns with %d grid exponents", ErrShape, n, d, len(grid))
	}
	pair := kernel.Lanes * kernel.BlockPair
	padded := (n + pair - 1) / pair * pair
	p := &Points{d: d, grid: grid, units: gridUnits(grid), first: first, blocks: make([]float32, padded*d)}
	return p, nil
}

// Blocks are all values in the kernel's layout, with room for rows that are not there yet. They belong to the Points.
func (p *Points) Blocks() []float32 { return p.blocks }

// SetWeighted says that rows carry weights; before the first Append. Points of no rows need to know it too, so that
// their sums have the shape of the others'.
func (p *Points) SetWeighted() {
	if p.weights == nil {
		p.weights = []uint64{}
	}
}

func gridUnits(grid []int) []float64 {
	units := make([]float64, len(grid), kernel.LedgerStride(len(grid))) // the kernel reads whole registers
	for t, g := range grid {
		units[t] = math.Ldexp(1, -g)
	}
	return units
}

// Rows is the number of rows, n.
func (p *Points) Rows() int { return p.n }

// Columns is the number of columns, d.
func (p *Points) Columns() int { return p.d }

// Grid is the exponent of each column's grid. It belongs to the Points.
func (p *Points) Grid() []int { return p.grid }

// Weighted says whether rows carry weights.
func (p *Points) Weighted() bool { return p.weights != nil }

// Weight is the fixed-point weight of row i; 1 where the Points are not weighted.
func (p *Points) Weight(i int) uint64 {
	if p.weights == nil {
		return 1
	}
	return p.weights[i]
}

// RowNumber is the global number of row i.
func (p *Points) RowNumber(i int) int64 {
	if p.rows == nil {
		return p.first + int64(i)
	}
	return p.rows[i]
}

// Append adds rows from d columns (column-major, each at least `rows` long), row r having the global number
// first+r; rows with keep[r] false are left out (nil keeps all). weights holds fixed-point weights, or nil. All
// calls for one Points are weighted or none is. The values must be on the grid.
func (p *Points) Append(columns [][]float32, rows int, first int64, keep []bool, weights []uint64) error {
	kept := rows
	if keep != nil {
		kept = 0
		for _, k := range keep[:rows] {
			if k {
				kept++
			}
		}
	}
	if len(columns) != p.d || (p.n+kept)*p.d > len(p.blocks) {
		return fmt.Errorf("%w: %d rows of %d columns do not fit", ErrShape, kept, len(columns))
	}
	p.number(rows, kept, first, keep)
	for t, column := range columns {
		p.fill(t, column[:rows], keep)
	}
	if weights != nil {
		for r, w := range weights[:rows] {
			if keep == nil || keep[r] {
				p.weights = append(p.weights, w)
			}
		}
	}
	p.n += kept
	return nil
}

// number keeps the global row numbers once they stop being first+i.
func (p *Points) number(rows, kept int, first int64, keep []bool) {
	if p.rows == nil && kept == rows && first == p.first+int64(p.n) {
		return
	}
	if p.rows == nil {
		p.rows = make([]int64, p.n, p.n+kept)
		for i := range p.rows {
			p.rows[i] = p.first + int64(i)
		}
	}
	for r := range rows {
		if keep == nil || keep[r] {
			p.rows = append(p.rows, first+int64(r))
		}
	}
}

// fill writes one column's kept values behind the rows there are. Adding zero turns −0 into +0, so that equal
// Points have equal bits.
func (p *Points) fill(t int, column []float32, keep []bool) {
	at := p.n
	if keep == nil && at%kernel.Lanes == 0 {
		for len(column) > 0 {
			lanes := min(kernel.Lanes, len(column))
			dst := p.blocks[(at/kernel.Lanes*p.d+t)*kernel.Lanes:][:lanes]
			for l, v := range column[:lanes] {
				dst[l] = v + 0
			}
			column = column[lanes:]
			at += lanes
		}
		return
	}
	for r, v := range column {
		if keep == nil || keep[r] {
			p.blocks[p.index(at, t)] = v + 0
			at++
		}
	}
}

func (p *Points) index(i, t int) int {
	return (i/kernel.Lanes*p.d+t)*kernel.Lanes + i%kernel.Lanes
}

// At copies row i to dst (length d) and returns it.
func (p *Points) At(i int, dst []float32) []float32 {
	base := i/kernel.Lanes*p.d*kernel.Lanes + i%kernel.Lanes
	for t := range dst {
		dst[t] = p.blocks[base+t*kernel.Lanes]
	}
	return dst
}

// span is the blocks of rows [lo,hi), lo a multiple of the block pair, and the padded number of rows in it.
func (p *Points) span(lo, hi int) ([]float32, int) {
	pair := kernel.Lanes * kernel.BlockPair
	padded := (hi - lo + pair - 1) / pair * pair
	return p.blocks[lo*p.d : (lo+padded)*p.d], padded
}

// PointsFromRows makes Points of a row-major n×d matrix; a convenience for tests, examples and small sets. The
// values are rounded to the grid that their own range asks for, without a shift. weights is nil or n numbers ≥ 0.
// The errors are ErrShape and ErrValue.
func PointsFromRows(values []float32, n, d int, weights []float64) (*Points, error) {
	if d < 1 || n < 1 || len(values) != n*d || (weights != nil && len(weights) != n) {
		return nil, fmt.Errorf("%w: %d values for %d×%d, %d weights", ErrShape, len(values), n, d, len(weights))
	}
	if err := usable(values, d, weights); err != nil {
		return nil, err
	}
	grid := make([]int, d)
	columns := make([][]float32, d)
	for t := range columns {
		columns[t] = make([]float32, n)
		lo, hi := 0.0, 0.0
		for i := range n {
			v := float64(values[i*d+t])
			lo, hi = min(lo, v), max(hi, v)
		}
		grid[t] = exact.GridExponent(lo, hi)
		for i := range n {
			columns[t][i] = exact.ToGrid(float64(values[i*d+t]), 0, grid[t])
		}
	}
	p, err := NewPoints(n, d, 0, grid)
	if err != nil {
		return nil, err
	}
	var fixed []uint64
	if weights != nil {
		fixed = FixedWeights(nil, weights, maxOf(weights))
	}
	return p, p.Append(columns, n, 0, nil, fixed)
}

// usable refuses what would overflow or is no number.
func usable(values []float32, d int, weights []float64) error {
	limit := math.Sqrt(math.MaxFloat32/float64(d)) / 2
	for i, v := range values {
		if !(math.Abs(float64(v)) <= limit) {
			return fmt.Errorf("%w: %g in row %d, column %d", ErrValue, v, i/d, i%d)
		}
	}
	for i, w := range weights {
		if !(w >= 0) || math.IsInf(w, 0) {
			return fmt.Errorf("%w: weight %g of row %d", ErrValue, w, i)
		}
	}
	return nil
}

func maxOf(x []float64) float64 {
	m := 0.0
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// FixedWeights appends to dst the weights as integers in units of largest·2^-40, nearest even; a positive weight
// is at least one unit. largest is the greatest weight of the whole data.
func FixedWeights(dst []uint64, weights []float64, largest float64) []uint64 {
	for _, w := range weights {
		switch {
		case w <= 0 || largest <= 0:
			dst = append(dst, 0)
		default:
			dst = append(dst, max(1, uint64(math.RoundToEven(w/largest*WeightOne))))
		}
	}
	return dst
}
