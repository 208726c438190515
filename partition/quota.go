package partition

import (
	"math"
	"math/bits"
	"slices"
)

// unlimited is the capacity, in rows, of a worker whose memory is not limited.
const unlimited = math.MaxInt64

// quotas divides rows among workers in proportion to their weights (at least 1), none above its capacity: what one
// cannot take goes to the others in proportion. They add up to rows, which the capacities together must hold.
//
// The workers go in the order in which they fill up as the common level rises. A share is rounded down against what is
// left, so the last takes exactly what remains.
func quotas(rows int64, weights, capacities []int64) []int64 {
	order := make([]int, len(weights))
	weight := int64(0)
	for i, w := range weights {
		order[i] = i
		weight += w
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return compareProducts(capacities[a], weights[b], capacities[b], weights[a])
	})
	result := make([]int64, len(weights))
	for _, i := range order {
		q := min(scale(rows, weights[i], weight), capacities[i])
		result[i] = q
		rows, weight = rows-q, weight-weights[i]
	}
	return result
}

// waterline is the largest level for which what stands above it, over all heights, is at least volume rows; 0 if
// there is not so much above 0.
func waterline(heights []int64, volume int64) int64 {
	lo, hi := int64(0), slices.Max(heights)+1
	for lo+1 < hi {
		level := lo + (hi-lo)/2
		above := int64(0)
		for _, h := range heights {
			above += max(h-level, 0)
		}
		if above >= volume {
			lo = level
		} else {
			hi = level
		}
	}
	return lo
}

// scale is a·b/c rounded down, without overflow on the way; b ≤ c.
func scale(a, b, c int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	q, _ := bits.Div64(hi, lo, uint64(c))
	return int64(q)
}

// compareProducts compares a·b with c·d, none of them negative, without overflow.
func compareProducts(a, b, c, d int64) int {
	hi1, lo1 := bits.Mul64(uint64(a), uint64(b))
	hi2, lo2 := bits.Mul64(uint64(c), uint64(d))
	switch {
	case hi1 < hi2 || hi1 == hi2 && lo1 < lo2:
		return -1
	case hi1 == hi2 && lo1 == lo2:
		return 0
	}
	return 1
}

// addUpTo and times are sums and products of what is not negative that stop at the largest int64.
func addUpTo(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

func times(a, b int64) int64 {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	if hi > 0 || lo > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(lo)
}
