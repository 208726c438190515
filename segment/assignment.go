package segment

import "math"

// Assign pairs rows with columns, each with at most one of the other, so that as many pairs as possible are made and
// the costs of the pairs add up to the least. It gives the column of each row, -1 where a row has none. cost has n rows
// of m columns, all of the same length; a cost that is not finite forbids the pair. Of several answers that are equally
// good it always gives the same one. Whole numbers are added without rounding as long as their sum stays below 2^53.
//
// It is the Hungarian method with shortest augmenting paths (H. W. Kuhn, 1955; R. Jonker and A. Volgenant, 1987):
// O(min(n, m)² · max(n, m)) steps and 8·n·m bytes.
func Assign(cost [][]float64) []int {
	match := make([]int, len(cost))
	for i := range match {
		match[i] = -1
	}
	if len(cost) == 0 || len(cost[0]) == 0 {
		return match
	}
	n, m := len(cost), len(cost[0])
	// The method wants at least as many columns as rows.
	turned := n > m
	if turned {
		n, m = m, n
	}
	for column, row := range augment(denseCosts(cost, turned), n, m) {
		if row < 0 {
			continue
		}
		i, j := row, column
		if turned {
			i, j = column, row
		}
		if allowed(cost[i][j]) {
			match[i] = j
		}
	}
	return match
}

// allowed tells a cost from a pair that is forbidden.
func allowed(c float64) bool { return !math.IsNaN(c) && !math.IsInf(c, 0) }

// denseCosts is the costs row by row, turned or as they are. A forbidden pair costs more than any choice of others
// could make up for.
func denseCosts(cost [][]float64, turned bool) []float64 {
	least, most := math.Inf(1), math.Inf(-1)
	for _, row := range cost {
		for _, c := range row {
			if allowed(c) {
				least, most = min(least, c), max(most, c)
			}
		}
	}
	n, m := len(cost), len(cost[0])
	dear := 0.0 // where nothing is allowed, all cost the same
	if least <= most {
		dear = most + float64((most-least+1)*float64(min(n, m)+1))
	}
	dense := make([]float64, n*m)
	for i, row := range cost {
		for j, c := range row {
			if !allowed(c) {
				c = dear
			}
			if turned {
				dense[j*n+i] = c
			} else {
				dense[i*m+j] = c
			}
		}
	}
	return dense
}

// augment assigns all n rows of an n×m matrix, n ≤ m, and gives the row of each column, -1 where it has none. Rows join
// one after another, each by the shortest path to a free column in the costs less the potentials u and v of rows and
// columns; under these no cost is negative, and those of the pairs are 0.
func augment(cost []float64, n, m int) []int {
	u, v := make([]float64, n), make([]float64, m)
	rowOf := make([]int, m)
	for j := range rowOf {
		rowOf[j] = -1
	}
	far, before, done := make([]float64, m), make([]int, m), make([]bool, m)
	path := make([]int, 0, n) // columns on the tree of paths, in the order in which they were reached
	for start := range n {
		for j := range far {
			far[j], before[j], done[j] = math.Inf(1), -1, false
		}
		path = path[:0]
		row, last, free := start, -1, -1
		for free < 0 {
			next, step := -1, math.Inf(1)
			for j := range m {
				if done[j] {
					continue
				}
				if c := cost[row*m+j] - u[row] - v[j]; c < far[j] {
					far[j], before[j] = c, last
				}
				if far[j] < step {
					next, step = j, far[j]
				}
			}
			u[start] += step
			for _, j := range path {
				u[rowOf[j]] += step
				v[j] -= step
			}
			for j := range m {
				if !done[j] {
					far[j] -= step
				}
			}
			done[next] = true
			if rowOf[next] < 0 {
				free = next
			} else {
				path = append(path, next)
				row, last = rowOf[next], next
			}
		}
		for j := free; j >= 0; {
			from := before[j]
			if from < 0 {
				rowOf[j] = start
			} else {
				rowOf[j] = rowOf[from]
			}
			j = from
		}
	}
	return rowOf
}
