package pipeline

import "strings"

// ladders are values that have an order wherever they stand, from the least to the greatest; words of one step are
// separated by a stroke.
var ladders = []string{
	"very low,low,medium|mid|middle|average|moderate,high,very high",
	"very small|xs,small|s,medium|m,large|l,very large|extra large|xl,xxl",
	"basic|starter|standard,bronze,silver,gold,platinum,diamond",
	"never,rarely,sometimes,often,always",
	"very poor|very bad,poor|bad,fair|average|ok,good,very good|excellent",
	"none,some,many",
	"strongly disagree,disagree,neutral,agree,strongly agree",
	"very dissatisfied,dissatisfied,neutral,satisfied,very satisfied",
	"none,primary|basic|elementary,secondary|school|high school,vocational|apprenticeship,graduate|bachelor|college|university," +
		"postgraduate|master|masters,doctorate|phd",
}

// ladderOf is the order of the levels of a column if it is one that is known, in the column's own spelling; nil if it is
// not. Two levels of one step have no order, and two levels alone say too little.
func ladderOf(counts map[string]int64) []string {
	const least = 3
	if len(counts) < least {
		return nil
	}
	for _, ladder := range ladders {
		steps := strings.Split(ladder, ",")
		if len(counts) > len(steps) {
			continue
		}
		var found []string
		for _, step := range steps {
			found = append(found, onStep(counts, strings.Split(step, "|"))...)
		}
		if len(found) == len(counts) && !crowded(counts, steps) {
			return found
		}
	}
	return nil
}

// onStep are the levels that are called like a step, in any case.
func onStep(counts map[string]int64, words []string) (levels []string) {
	for level := range counts {
		for _, word := range words {
			if strings.EqualFold(level, word) {
				levels = append(levels, level)
			}
		}
	}
	return levels
}

// crowded says whether a step has two of the levels.
func crowded(counts map[string]int64, steps []string) bool {
	for _, step := range steps {
		if len(onStep(counts, strings.Split(step, "|"))) > 1 {
			return true
		}
	}
	return false
}
