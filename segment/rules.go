package segment

import (
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strconv"
	"strings"
)

const (
	// ruleConditions is how many conditions a rule has at most: people do not read on.
	ruleConditions = 3
	// ruleCuts is how many thresholds are tried in a numeric column.
	ruleCuts = 24
	// ruleLevels is how many levels of a categorical column are tried, the most frequent ones.
	ruleLevels = 20
	// ruleMembers is how many customers of a segment must be in the sample: of fewer, any rule would seem to fit.
	ruleMembers = 10
	// rulePrecision and ruleRecall are the least that a rule must reach. Its precision must also be nearer to 1 than to the
	// segment's share of all, which a rule that says nothing reaches too.
	rulePrecision, ruleRecall = 0.6, 0.4
	// ruleGain is how much a further condition must add to it.
	ruleGain = 0.02
	// ruleWork bounds the words of 64 rows that are looked at, over all segments and conditions.
	ruleWork = 1 << 29
)

// Sample is customers to find and measure rules on, in the units of the input.
type Sample struct {
	Numeric     [][]float64 // by numeric column and row; NaN is missing
	Categorical [][]string  // by categorical column and row; "" is missing
	Labels      []int32     // by row
}

// condition is one part of a rule, with the rows that meet it.
type condition struct {
	column int // of numeric ones, then of categorical ones
	text   string
	upper  bool // a bound from above
	rows   []uint64
}

// FindRules gives each of k segments a rule of a few conditions that its customers meet and others do not, as far as there is
// one: greedily the condition that gives the best balance of precision and recall (F1), then a second and a third where they
// add to it. Precision and recall are those on the sample. The same sample gives the same rules.
func FindRules(s *Sample, numeric, categorical []string, k int) []Rule {
	rules := make([]Rule, k)
	n := len(s.Labels)
	words := (n + 63) / 64
	conditions := s.conditions(numeric, categorical, words)
	if n == 0 || len(conditions) == 0 || k*len(conditions)*words*ruleConditions > ruleWork {
		return rules
	}
	members := make([][]uint64, k)
	for i, l := range s.Labels {
		if l >= 0 && int(l) < k {
			if members[l] == nil {
				members[l] = make([]uint64, words)
			}
			members[l][i/64] |= 1 << (i % 64)
		}
	}
	for i := range rules {
		if size := ones(members[i]); size >= ruleMembers && k > 1 {
			rules[i] = ruleFor(members[i], size, n, conditions)
		}
	}
	return rules
}

// ruleFor finds the rule of one segment, which has size of n customers.
func ruleFor(members []uint64, size, n int, conditions []condition) Rule {
	met := slices.Repeat([]uint64{math.MaxUint64}, len(members))
	var chosen []int
	best, precision, recall := 0.0, 0.0, 0.0
	for len(chosen) < ruleConditions {
		next := -1
		was := best
		for c := range conditions {
			both, all := 0, 0
			for w, m := range met {
				m &= conditions[c].rows[w]
				all += bits.OnesCount64(m)
				both += bits.OnesCount64(m & members[w])
			}
			if f := balance(both, all, size); f > best && f >= was+ruleGain && !repeats(chosen, c, conditions) {
				best, next = f, c
				precision, recall = float64(both)/float64(all), float64(both)/float64(size)
			}
		}
		if next < 0 {
			break
		}
		chosen = append(chosen, next)
		for w := range met {
			met[w] &= conditions[next].rows[w]
		}
	}
	share := float64(size) / float64(n)
	if precision < max(rulePrecision, (1+share)/2) || recall < ruleRecall {
		return Rule{}
	}
	slices.SortFunc(chosen, func(a, b int) int { return conditions[a].column - conditions[b].column })
	texts := make([]string, len(chosen))
	for i, c := range chosen {
		texts[i] = conditions[c].text
	}
	return Rule{Text: strings.Join(texts, " and "), Precision: precision, Recall: recall}
}

// repeats says whether a condition bounds a column from a side that is bounded already: it would say the same more narrowly.
func repeats(chosen []int, c int, conditions []condition) bool {
	return slices.ContainsFunc(chosen, func(o int) bool {
		return conditions[o].column == conditions[c].column && conditions[o].upper == conditions[c].upper
	})
}

func ones(set []uint64) (n int) {
	for _, w := range set {
		n += bits.OnesCount64(w)
	}
	return n
}

// balance is the harmonic mean of precision and recall, F1.
func balance(both, all, size int) float64 {
	if all+size == 0 {
		return 0
	}
	return float64(2*both) / float64(all+size)
}

// conditions are all that are tried, in a fixed order.
func (s *Sample) conditions(numeric, categorical []string, words int) []condition {
	var list []condition
	add := func(column int, upper bool, text string, meets func(i int) bool) {
		c := condition{column: column, text: text, upper: upper, rows: make([]uint64, words)}
		for i := range s.Labels {
			if meets(i) {
				c.rows[i/64] |= 1 << (i % 64)
			}
		}
		list = append(list, c)
	}
	for j, name := range numeric {
		values := s.Numeric[j]
		for _, cut := range cuts(values) {
			text := strconv.FormatFloat(cut, 'g', -1, 64)
			if a := math.Abs(cut); a >= 1e4 && a < 1e15 {
				text = strconv.FormatFloat(cut, 'f', -1, 64)
			}
			add(j, false, fmt.Sprintf("%s ≥ %s", plain(name), text), func(i int) bool { return values[i] >= cut })
			add(j, true, fmt.Sprintf("%s < %s", plain(name), text), func(i int) bool { return values[i] < cut })
		}
	}
	for c, name := range categorical {
		values := s.Categorical[c]
		for _, level := range frequent(values) {
			add(len(numeric)+c, false, fmt.Sprintf("%s = %s", plain(name), plain(level)), func(i int) bool { return values[i] == level })
			add(len(numeric)+c, true, fmt.Sprintf("%s ≠ %s", plain(name), plain(level)), func(i int) bool { return values[i] != level })
		}
	}
	return list
}

// cuts are thresholds between the values of a column: quantiles, at numbers of few digits.
func cuts(values []float64) []float64 {
	sorted := make([]float64, 0, len(values))
	for _, v := range values {
		if v-v == 0 {
			sorted = append(sorted, v)
		}
	}
	slices.Sort(sorted)
	if len(sorted) == 0 {
		return nil
	}
	spread := sorted[len(sorted)*19/20] - sorted[len(sorted)/20]
	var list []float64
	for q := 1; q <= ruleCuts; q++ {
		v := fewDigits(sorted[q*len(sorted)/(ruleCuts+1)], spread)
		if v > sorted[0] && v <= sorted[len(sorted)-1] && (list == nil || v > list[len(list)-1]) {
			list = append(list, v)
		}
	}
	return list
}

// fewDigits rounds to two significant digits, or to as many more as it takes to stay close in terms of the column's spread:
// a year of birth needs all four.
func fewDigits(v, spread float64) float64 {
	for n := 2; n < 8; n++ {
		if rounded := digits(v, n); math.Abs(rounded-v) <= spread/40 {
			return rounded
		}
	}
	return v
}

// frequent are the levels of a column, the most frequent first, equals bytewise.
func frequent(values []string) []string {
	counts := make(map[string]int)
	for _, v := range values {
		if v != "" {
			counts[v]++
		}
	}
	levels := make([]string, 0, len(counts))
	for level := range counts {
		levels = append(levels, level)
	}
	slices.SortFunc(levels, func(a, b string) int {
		if counts[a] != counts[b] {
			return counts[b] - counts[a]
		}
		return strings.Compare(a, b)
	})
	return levels[:min(len(levels), ruleLevels)]
}
