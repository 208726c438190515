package kmeans

import (
	"math"
	"slices"
)

// MergeNearest brings centroids down to k: again and again the two whose merging adds the least to the inertia of their
// rows become one, their mean weighted by the counts, at the lower of the two places (J. H. Ward, 1963); of equal pairs the
// first. An empty cluster counts as a single row. It takes about c.K² · (c.K − k) steps. c stays as it is.
func MergeNearest(c *Centroids, counts []int64, k int) *Centroids {
	rows := make([][]float64, c.K)
	weight := make([]float64, c.K)
	for i := range rows {
		weight[i] = float64(max(counts[i], 1))
		for _, v := range c.Row(i) {
			rows[i] = append(rows[i], float64(v))
		}
	}
	cost := make([][]float64, c.K) // of merging i with each j below it
	for i := range cost {
		cost[i] = make([]float64, i)
		for j := range i {
			cost[i][j] = mergeCost(rows, weight, i, j)
		}
	}
	for len(rows) > max(k, 1) {
		a, b, least := 1, 0, math.Inf(1)
		for i := range cost {
			for j, x := range cost[i] {
				if x < least {
					a, b, least = i, j, x
				}
			}
		}
		whole := weight[a] + weight[b]
		for t := range rows[b] {
			rows[b][t] = (float64(rows[b][t]*weight[b]) + float64(rows[a][t]*weight[a])) / whole
		}
		weight[b] = whole
		rows, weight, cost = slices.Delete(rows, a, a+1), slices.Delete(weight, a, a+1), slices.Delete(cost, a, a+1)
		for i := range cost {
			if i >= a {
				cost[i] = slices.Delete(cost[i], a, a+1)
			}
			if i > b {
				cost[i][b] = mergeCost(rows, weight, i, b)
			}
		}
		for j := range b {
			cost[b][j] = mergeCost(rows, weight, b, j)
		}
	}
	merged := &Centroids{K: len(rows), D: c.D}
	for _, row := range rows {
		for _, v := range row {
			merged.Values = append(merged.Values, float32(v)+0)
		}
	}
	return merged
}

// mergeCost is what merging two clusters adds to the inertia.
func mergeCost(rows [][]float64, weight []float64, a, b int) float64 {
	sum := 0.0
	for t, v := range rows[a] {
		d := v - rows[b][t]
		sum += float64(d * d)
	}
	return sum * (weight[a] * weight[b] / (weight[a] + weight[b]))
}
