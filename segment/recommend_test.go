package segment

import (
	"strings"
	"testing"
)

func TestSilhouetteLeadsAndStabilityMayVeto(t *testing.T) {
	// k, silhouette, stability, silhouette without segments
	type figures struct {
		k                                int
		silhouette, stability, shapeless float64
	}
	for _, c := range []struct {
		name    string
		of      []figures
		k       int
		unclear bool
		says    string
	}{
		{"the highest", []figures{{2, 0.5, 1, 0.3}, {3, 0.7, 0.9, 0.3}, {4, 0.6, 1, 0.3}}, 3, false,
			"k = 3 has the highest silhouette, 0.70, and its segments come out alike on resamples (stability 0.90)"},
		{"the smallest of equals", []figures{{2, 0.7, 0.6, 0.3}, {3, 0.7, 1, 0.3}}, 2, false, "k = 2 has"},
		{"a veto", []figures{{2, 0.8, 0.59, 0.3}, {3, 0.7, 0.9, 0.3}, {4, 0.6, 1, 0.3}}, 3, false, "; k = 2 has 0.80, but a stability of 0.59"},
		{"the largest", []figures{{2, 0.6, 1, 0.3}, {3, 0.6, 1, 0.3}, {4, 0.7, 1, 0.3}}, 4, false, "more may be better still"},
		{"one k alone", []figures{{3, 0.7, 1, 0.3}}, 3, false, "k = 3 has the highest silhouette, 0.70, and its segments come out alike on resamples (stability 1.00)"},
		{"none stands out", []figures{{2, 0.40, 1, 0.38}, {3, 0.35, 1, 0.2}}, 2, true, "no k stands out: k = 2 has the highest silhouette, 0.40, and data without any segments would have 0.38"},
		{"none is stable", []figures{{2, 0.7, 0.2, 0.3}, {3, 0.8, 0.5, 0.3}}, 3, true, "no k stands out: the segments of none come out alike"},
		{"one segment only", []figures{{1, 0, 1, 0}}, 1, true, "no k stands out: there is none of at least 2"},
		{"one segment beside others", []figures{{1, 0, 1, 0}, {2, -0.1, 0.7, -0.4}}, 2, false, "k = 2 has"},
		{"nothing", nil, 0, true, "no k stands out"},
	} {
		s := &Sweep{Rows: 10000, Sampled: 10000}
		for _, f := range c.of {
			s.Candidates = append(s.Candidates, Candidate{K: f.k, Silhouette: f.silhouette, Stability: f.stability, Shapeless: f.shapeless})
		}
		s.Recommend()
		if got := s.Recommended; got.K != c.k || got.Unclear != c.unclear || !strings.Contains(got.Because, c.says) {
			t.Errorf("%s: got %+v, want k = %d, unclear = %v, %q", c.name, got, c.k, c.unclear, c.says)
		}
	}
}

// Few rows have high silhouettes by chance.
func TestOfFewRowsASilhouetteMustStandOutMore(t *testing.T) {
	for rows, unclear := range map[int64]bool{100: true, 1000000: false} {
		s := &Sweep{Rows: rows, Sampled: min(rows, 10000), Candidates: []Candidate{{K: 2, Silhouette: 0.46, Stability: 1, Shapeless: 0.38}}}
		s.Recommend()
		if s.Recommended.Unclear != unclear || strings.Contains(s.Recommended.Because, "0.38, which 100 rows can be above by chance;") != unclear {
			t.Errorf("%d rows: got %+v, want unclear = %v", rows, s.Recommended, unclear)
		}
	}
}

func TestThePageOfASweepIsNoSurerThanItsSentence(t *testing.T) {
	s := &Sweep{Rows: 100, Candidates: []Candidate{{K: 2, Silhouette: 0.4, Stability: 1, Shapeless: 0.4}}}
	s.Recommend()
	var page strings.Builder
	if err := s.Render(&page); err != nil || !strings.Contains(page.String(), "No clear number of segments") || !strings.Contains(page.String(), "No k stands out") {
		t.Errorf("got %v and a page of %d bytes, want one that says that there is no clear number", err, page.Len())
	}
}
