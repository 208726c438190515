package pipeline

import (
	"cmp"
	"math"
	"slices"
)

// duplicateLimit is from where on two columns say the same: their correlation, that of their ranks, or the share of rows
// in which a level of one goes with its level of the other.
const duplicateLimit = 0.999

// nearDuplicates compares the sampled features in pairs. A column is held against those before it that are not themselves
// told, so that of several equal ones each is told once.
func (c *checker) nearDuplicates() {
	c.nearNumbers()
	v := &c.sample
	told := make([]bool, len(v.codes))
	for a := range v.codes {
		for b := range a {
			if told[b] || c.dropped(c.input.Spec.Categorical, a, b) || !together(v.codes[a], v.codes[b], v.levels[a], v.levels[b]) {
				continue
			}
			told[a] = true
			c.nearDuplicate(c.input.Spec.Categorical[a], "says the same as %s: each of its values goes with one there", c.input.Spec.Categorical[b])
			break
		}
	}
}

// dropped says whether one of two columns is to be left out already.
func (c *checker) dropped(names []string, a, b int) bool {
	return c.advice.drop[names[a]] || c.advice.drop[names[b]]
}

func (c *checker) nearDuplicate(column, format string, args ...any) {
	c.advice.drop[column] = true
	c.find(spoils, column, "near_duplicate", "leave one of the two out", format+", and so counts twice", args...)
}

// nearNumbers compares numbers: by their values, and by the order that they bring the rows into.
func (c *checker) nearNumbers() {
	numeric := c.input.Spec.Numeric
	rows := pairVisits / max(1, len(numeric)*len(numeric))
	var values, ranks [][]float64
	for _, x := range c.sample.numbers {
		x = x[:min(len(x), max(rows, 100))]
		values, ranks = append(values, x), append(ranks, ranksOf(x))
	}
	told := make([]bool, len(numeric))
	for a := range values {
		for b := range a {
			if told[b] || c.dropped(numeric, a, b) {
				continue
			}
			r, order := correlation(values[b], values[a]), 0.0
			if !(math.Abs(r) > duplicateLimit) {
				order = correlation(ranks[b], ranks[a])
			}
			switch {
			case math.Abs(r) > duplicateLimit:
				c.nearDuplicate(numeric[a], "moves with %s (correlation %.4f)", numeric[b], r)
			case math.Abs(order) > duplicateLimit:
				c.nearDuplicate(numeric[a], "brings the rows into the same order as %s (rank correlation %.4f)", numeric[b], order)
			default:
				continue
			}
			told[a] = true
			break
		}
	}
}

// ranksOf are the ranks of the values, equal ones having their mean; NaN stays NaN.
func ranksOf(x []float64) []float64 {
	order := make([]int, 0, len(x))
	ranks := make([]float64, len(x))
	for i, v := range x {
		if v == v {
			order = append(order, i)
		} else {
			ranks[i] = math.NaN()
		}
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	for lo := 0; lo < len(order); {
		hi := lo + 1
		for hi < len(order) && x[order[hi]] == x[order[lo]] {
			hi++
		}
		for _, i := range order[lo:hi] {
			ranks[i] = float64(lo+hi-1) / 2
		}
		lo = hi
	}
	return ranks
}

// correlation is Pearson's over the rows where both are known; 0 where one is constant.
func correlation(x, y []float64) float64 {
	var n, mx, my float64
	for i := range x {
		if x[i] == x[i] && y[i] == y[i] {
			n++
			mx += x[i]
			my += y[i]
		}
	}
	mx, my = mx/n, my/n
	var xx, yy, xy float64
	for i := range x {
		if x[i] == x[i] && y[i] == y[i] {
			dx, dy := x[i]-mx, y[i]-my
			xx += float64(dx * dx)
			yy += float64(dy * dy)
			xy += float64(dx * dy)
		}
	}
	if xx == 0 || yy == 0 {
		return 0
	}
	return xy / math.Sqrt(xx) / math.Sqrt(yy)
}

// together says whether each level of x goes with one level of y and the other way round, in all but a few rows. Columns
// of one level, or of a level for nearly every row, go with anything.
func together(x, y []int32, levelsX, levelsY int) bool {
	if levelsX < 2 || levelsY < 2 || 2*levelsX > len(x) || 2*levelsY > len(x) {
		return false
	}
	pairs, n := make(map[[2]int32]int), 0
	for i := range x {
		if x[i] >= 0 && y[i] >= 0 {
			pairs[[2]int32{x[i], y[i]}]++
			n++
		}
	}
	mostX, mostY := make(map[int32]int), make(map[int32]int)
	for pair, count := range pairs {
		mostX[pair[0]] = max(mostX[pair[0]], count)
		mostY[pair[1]] = max(mostY[pair[1]], count)
	}
	inX, inY := 0, 0
	for _, count := range mostX {
		inX += count
	}
	for _, count := range mostY {
		inY += count
	}
	least := duplicateLimit * float64(n)
	return len(mostX) > 1 && float64(inX) >= least && float64(inY) >= least
}
