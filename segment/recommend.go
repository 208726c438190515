package segment

import (
	"fmt"
	"math"
	"strconv"
)

const (
	// LeastStability is the stability that a k must have to be recommended: below it, resamples agree so little that other
	// customers would be other segments. Values of 0.6 and less are read as unstable by C. Hennig, "Cluster-wise assessment of
	// cluster stability", 2007.
	LeastStability = 0.6
	// standsOut is by how much a silhouette must be above that of rows without segments (Candidate.Shapeless), and standsOutFew
	// how much more of few rows: divided by the root of their number.
	standsOut, standsOutFew = 0.05, 0.5
)

// Recommend fills in the recommendation: the k of at least 2 with the highest silhouette, the smallest of equals, among
// those whose stability is LeastStability or more. Where its silhouette is hardly above that of rows without segments, or
// no k is stable, the recommendation says that no k stands out, and is the best there is.
func (s *Sweep) Recommend() {
	s.Recommended = Recommendation{Unclear: true, Because: "no k stands out: there is none of at least 2 to compare"}
	var first, best *Candidate // by silhouette: of all, and of those that are stable
	for i := range s.Candidates {
		c := &s.Candidates[i]
		if c.K < 2 {
			continue
		}
		if first == nil || c.Silhouette > first.Silhouette {
			first = c
		}
		if c.Stability >= LeastStability && (best == nil || c.Silhouette > best.Silhouette) {
			best = c
		}
	}
	switch {
	case first == nil:
		if len(s.Candidates) > 0 {
			s.Recommended.K = s.Candidates[0].K
		}
	case best == nil:
		s.Recommended = Recommendation{K: first.K, Unclear: true, Because: fmt.Sprintf(
			"no k stands out: the segments of none come out alike on resamples (stability below %s); k = %d has the highest silhouette, %s",
			rounded(LeastStability, 1), first.K, rounded(first.Silhouette, 2))}
	case !s.outstanding(best):
		s.Recommended = Recommendation{K: best.K, Unclear: true, Because: fmt.Sprintf(
			"no k stands out: k = %d has the highest silhouette, %s, and data without any segments would have %s%s; choose the number that you can act on",
			best.K, rounded(best.Silhouette, 2), rounded(best.Shapeless, 2), s.chance(best))}
	default:
		s.Recommended = Recommendation{K: best.K, Because: fmt.Sprintf("k = %d has the highest silhouette, %s%s%s", best.K,
			rounded(best.Silhouette, 2), s.vetoed(first, best), s.further(best))}
	}
}

// further ends the sentence where the curve may go on to rise beyond what was looked at.
func (s *Sweep) further(best *Candidate) string {
	if n := len(s.Candidates); n < 3 || best != &s.Candidates[n-1] {
		return ""
	}
	return "; it is the largest k that was looked at, and more may be better still"
}

// vetoed ends the sentence on the k that is chosen: how stable it is, and which k with a higher silhouette is not.
func (s *Sweep) vetoed(first, best *Candidate) string {
	if first == best {
		return fmt.Sprintf(", and its segments come out alike on resamples (stability %s)", rounded(best.Stability, 2))
	}
	return fmt.Sprintf(", of those whose segments come out alike on resamples (stability %s); k = %d has %s, but a stability of %s",
		rounded(best.Stability, 2), first.K, rounded(first.Silhouette, 2), rounded(first.Stability, 2))
}

// chance says why a silhouette that is above that of rows without segments does not stand out.
func (s *Sweep) chance(c *Candidate) string {
	if c.Silhouette-c.Shapeless < standsOut {
		return ""
	}
	return fmt.Sprintf(", which %d rows can be above by chance", s.looked())
}

// looked is how many rows a silhouette is of.
func (s *Sweep) looked() int64 { return min(max(s.Sampled, 1), max(s.Rows, 1)) }

// outstanding says whether a silhouette is one that rows without segments do not have.
func (s *Sweep) outstanding(c *Candidate) bool {
	return c.Silhouette-c.Shapeless >= standsOut+standsOutFew/math.Sqrt(float64(s.looked()))
}

// rounded is a figure with so many digits behind the point.
func rounded(x float64, digits int) string { return strconv.FormatFloat(x, 'f', digits, 64) }
