package fault

import "strings"

// Nearest is the candidate that a mistyped word was probably meant to be, or "". A transposition counts as one slip;
// of two equally near the one with the same first letter is taken.
func Nearest(word string, candidates []string) string {
	word = strings.ToLower(word)
	best, slips := "", 2+len(word)/4
	for _, c := range candidates {
		d := edits(word, strings.ToLower(c))
		sameStart := d == slips && best != "" && word != "" && best[0] != word[0] && c[0] == word[0]
		if (d < slips || sameStart) && d < len(c) {
			best, slips = c, d
		}
	}
	for _, c := range candidates {
		if best == "" && len(word) >= 3 && strings.HasPrefix(strings.ToLower(c), word) {
			best = c // it was cut short
		}
	}
	return best
}

// edits is the number of insertions, deletions, substitutions and transpositions of neighbours that turn a into b
// (Damerau 1964, in the form where no part is edited twice).
func edits(a, b string) int {
	rows := [3][]int{make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)}
	for j := range rows[1] {
		rows[1][j] = j
	}
	for i := 1; i <= len(a); i++ {
		older, old, now := rows[(i+2)%3], rows[i%3], rows[(i+1)%3]
		now[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			now[j] = min(old[j]+1, now[j-1]+1, old[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				now[j] = min(now[j], older[j-2]+1)
			}
		}
	}
	return rows[(len(a)+1)%3][len(b)]
}
