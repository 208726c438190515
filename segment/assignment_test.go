package segment

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// bestByTrying is the most pairs that can be made, and the least that so many cost, found by trying all.
func bestByTrying(cost [][]float64, row int, taken []bool) (pairs int, total float64) {
	if row == len(cost) {
		return 0, 0
	}
	pairs, total = bestByTrying(cost, row+1, taken)
	for j, c := range cost[row] {
		if taken[j] || math.IsInf(c, 0) || math.IsNaN(c) {
			continue
		}
		taken[j] = true
		p, t := bestByTrying(cost, row+1, taken)
		taken[j] = false
		if p, t = p+1, t+c; p > pairs || p == pairs && t < total {
			pairs, total = p, t
		}
	}
	return pairs, total
}

func TestAssignIsAsGoodAsTryingAll(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n, m := rapid.IntRange(1, 6).Draw(t, "rows"), rapid.IntRange(1, 6).Draw(t, "columns")
		cost := make([][]float64, n)
		for i := range cost {
			cost[i] = make([]float64, m)
			for j := range cost[i] {
				c := rapid.IntRange(-9, 9).Draw(t, "cost")
				cost[i][j] = float64(c)
				if c == 9 {
					cost[i][j] = rapid.SampledFrom([]float64{math.Inf(1), math.NaN(), math.Inf(-1)}).Draw(t, "forbidden")
				}
			}
		}
		match := Assign(cost)
		pairs, total, taken := 0, 0.0, make([]bool, m)
		for i, j := range match {
			if j < 0 {
				continue
			}
			if taken[j] {
				t.Fatalf("column %d is given twice: %v", j, match)
			}
			taken[j] = true
			pairs, total = pairs+1, total+cost[i][j]
		}
		wantPairs, wantTotal := bestByTrying(cost, 0, make([]bool, m))
		if pairs != wantPairs || total != wantTotal {
			t.Fatalf("got %v, %d pairs for %v, want %d for %v", match, pairs, total, wantPairs, wantTotal)
		}
	})
}

func TestAssignAtItsEdges(t *testing.T) {
	never := math.Inf(1)
	for _, c := range []struct {
		name string
		cost [][]float64
		want []int
	}{
		{"nothing", nil, []int{}},
		{"no columns", [][]float64{{}, {}}, []int{-1, -1}},
		{"all forbidden", [][]float64{{never, never}, {never, never}}, []int{-1, -1}},
		{"more rows than columns", [][]float64{{3}, {1}, {2}}, []int{-1, 0, -1}},
		{"the greedy choice is wrong", [][]float64{{1, 2}, {1, 9}}, []int{1, 0}},
		{"as many pairs as possible, however dear", [][]float64{{-1e9, 5}, {5, never}}, []int{1, 0}},
		{"all the same", [][]float64{{7, 7, 7}, {7, 7, 7}, {7, 7, 7}}, []int{0, 1, 2}},
	} {
		if got := Assign(c.cost); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}
