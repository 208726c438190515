package kmeans

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

func TestTotalsAreExact(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 9))
	const n = 3*exactRows + 77
	p, err := NewPoints(n, 1, 0, []int{-12})
	if err != nil {
		t.Fatal(err)
	}
	column := make([]float32, n)
	for i := range column {
		v := int64(1)<<39 - int64(r.Uint64N(1<<uint(r.IntN(40)))) // many at the edge of what a grid holds
		if i%3 == 0 {
			v = -v
		}
		column[i] = float32(v) / (1 << 12)
	}
	if err := p.Append([][]float32{column}, n, 0, nil, nil); err != nil {
		t.Fatal(err)
	}
	sum, square := new(big.Int), new(big.Int)
	for _, x := range column {
		unit := big.NewInt(int64(float64(x) * (1 << 12)))
		sum.Add(sum, unit)
		square.Add(square, new(big.Int).Mul(unit, unit))
	}
	for name, totals := range map[string]func(*Points) (a, b []exact.Int128){"here": columnTotals, "plain": plainTotals} {
		sums, squares := totals(p)
		gotSum, gotSquare := sums[0], squares[0]
		if gotSum.Big().Cmp(sum) != 0 || gotSquare.Big().Cmp(square) != 0 {
			t.Errorf("%s: got %v and %v, want %v and %v", name, gotSum.Big(), gotSquare.Big(), sum, square)
		}
	}
}

func TestTotalsOfColumnsAreThoseOfPlainGo(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 9))
	for _, n := range []int{1, 16, 33, totalBlocks*16 + 1, 5000} {
		values := make([]float32, n*5)
		for i := range values {
			values[i] = float32(r.NormFloat64()) * float32(i%5)
		}
		p, err := PointsFromRows(values, n, 5, nil)
		if err != nil {
			t.Fatal(err)
		}
		sums, squares := columnTotals(p)
		wantSums, wantSquares := plainTotals(p)
		if !slices.Equal(sums, wantSums) || !slices.Equal(squares, wantSquares) {
			t.Errorf("%d rows: got %v and %v, want %v and %v", n, sums, squares, wantSums, wantSquares)
		}
	}
}
