package kmeans

import (
	"math/big"
	"math/rand/v2"
	"testing"
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
	sums, squares := columnTotals(p)
	gotSum, gotSquare := sums[0], squares[0]
	if gotSum.Big().Cmp(sum) != 0 || gotSquare.Big().Cmp(square) != 0 {
		t.Errorf("got %v and %v, want %v and %v", gotSum.Big(), gotSquare.Big(), sum, square)
	}
}
