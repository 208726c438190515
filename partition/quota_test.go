package partition

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestQuotas(t *testing.T) {
	for name, c := range map[string]struct {
		rows                      int64
		weights, capacities, want []int64
	}{
		"even":               {9, []int64{1, 1, 1}, []int64{unlimited, unlimited, unlimited}, []int64{3, 3, 3}},
		"weighted":           {12, []int64{1, 2, 3}, []int64{unlimited, unlimited, unlimited}, []int64{2, 4, 6}},
		"one is full":        {12, []int64{1, 2, 3}, []int64{unlimited, unlimited, 3}, []int64{3, 6, 3}},
		"full one by one":    {20, []int64{1, 1, 1, 1}, []int64{2, 9, 4, unlimited}, []int64{2, 7, 4, 7}},
		"every last row":     {10, []int64{100, 1}, []int64{4, 6}, []int64{4, 6}},
		"no capacity":        {10, []int64{1, 1}, []int64{0, unlimited}, []int64{0, 10}},
		"no rows":            {0, []int64{1, 1}, []int64{unlimited, 0}, []int64{0, 0}},
		"the largest number": {math.MaxInt64, []int64{maxWeight, maxWeight}, []int64{unlimited, 7}, []int64{math.MaxInt64 - 7, 7}},
	} {
		if got := quotas(c.rows, c.weights, c.capacities); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", name, got, c.want)
		}
	}
}

// Water finds one level: who is not full has the level times its weight, who is full has less.
func TestQuotasHaveOneLevel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 20).Draw(t, "workers")
		weights := rapid.SliceOfN(rapid.Int64Range(1, 1000), n, n).Draw(t, "weights")
		capacities := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000), n, n).Draw(t, "capacities")
		together := int64(0)
		for _, c := range capacities {
			together += c
		}
		rows := rapid.Int64Range(0, together).Draw(t, "rows")
		got := quotas(rows, weights, capacities)
		sum, lowest, highest := int64(0), math.Inf(1), 0.0
		for i, q := range got {
			if sum += q; q < 0 || q > capacities[i] {
				t.Fatalf("worker %d of capacity %d: got %d", i, capacities[i], q)
			}
			if q < capacities[i] {
				lowest = min(lowest, float64(q+1)/float64(weights[i]))
			}
			highest = max(highest, float64(q-int64(n))/float64(weights[i]))
		}
		if sum != rows || lowest < highest {
			t.Fatalf("%d rows, weights %v, capacities %v: got %v of %d", rows, weights, capacities, got, sum)
		}
	})
}

func TestWaterline(t *testing.T) {
	for _, c := range []struct {
		heights []int64
		volume  int64
		want    int64
	}{
		{[]int64{5, 5}, 4, 3},
		{[]int64{9, 5, 0}, 4, 5},
		{[]int64{9, 5, 0}, 6, 4},
		{[]int64{9, 5, 0}, 5, 4}, // what is above may be a little more
		{[]int64{9, 5, 0}, 14, 0},
		{[]int64{9, 5, 0}, 100, 0},
		{[]int64{0}, 0, 0},
	} {
		if got := waterline(c.heights, c.volume); got != c.want {
			t.Errorf("%d over %v: got %d, want %d", c.volume, c.heights, got, c.want)
		}
	}
}

func TestSumsAndProductsStopAtTheLargestNumber(t *testing.T) {
	for _, c := range []struct{ got, want int64 }{
		{addUpTo(math.MaxInt64-1, 1), math.MaxInt64},
		{addUpTo(math.MaxInt64-1, 2), math.MaxInt64},
		{addUpTo(unlimited, unlimited), math.MaxInt64},
		{times(1<<31, 1<<31), 1 << 62},
		{times(1<<32, 1<<31), math.MaxInt64},
		{times(math.MaxInt64, math.MaxInt64), math.MaxInt64},
		{scale(math.MaxInt64, maxWeight, maxWeight), math.MaxInt64},
		{scale(7, 2, 3), 4},
	} {
		if c.got != c.want {
			t.Errorf("got %d, want %d", c.got, c.want)
		}
	}
}
