package segment

import (
	"bytes"
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// exampleSweep is the sweep of the real retailer, with a silhouette as if from a sample.
func exampleSweep() *Sweep {
	s := &Sweep{Rows: 4338, Sampled: 2000, Columns: 3, Features: []string{"recency_days", "frequency", "monetary"},
		Recommended: Recommendation{K: 4, Because: "k = 2 has the highest silhouette (0.434) but only tells large from small; of the others k = 4 is the most stable"}}
	for i, silhouette := range []float64{0.4342, 0.3388, 0.3364, 0.3177, 0.3140} {
		s.Candidates = append(s.Candidates, Candidate{K: i + 2, Inertia: 13014 / (1 + 0.8*float64(i+1)), Silhouette: silhouette, SilhouetteError: 0.004,
			CalinskiHarabasz: []float64{4364.5, 3616.2, 3300.3, 3150.0, 3055.2}[i], DaviesBouldin: []float64{0.8916, 1.0462, 1.0118, 0.9923, 1.0221}[i],
			Stability: []float64{0.97, 0.88, 0.95, 0.71, 0.66}[i], Smallest: []int64{1900, 1020, 714, 402, 260}[i]})
	}
	return s
}

func renderSweep(t testing.TB, s *Sweep) string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Render(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestSweepPageHoldsTheRecommendationEveryCurveAndEveryFigure(t *testing.T) {
	page := renderSweep(t, exampleSweep())
	wellFormed(t, page)
	for _, want := range []string{
		"4 segments", "of the others k = 4 is the most stable.", "4,338 customers, 3 columns. The silhouette comes from a sample of 2,000 of them.",
		"Features: recency_days, frequency, monetary.", "0.4342 <small>± 0.0080</small>", "4,364.5", "0.8916", "714 <small>16 %</small>",
		"two standard errors", "Inertia against the number of segments", `<small>recommended</small>`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	for part, want := range map[string]int{"<svg": 6, "<polyline": 6, "<polygon": 1, `class="choice"`: 6, `class="dot"`: 30, `<tr class="chosen"`: 1} {
		if n := strings.Count(page, part); n != want {
			t.Errorf("%d × %s, want %d", n, part, want)
		}
	}
	for _, bad := range []string{"<script", "http:", "https:", "NaN", "ZgotmplZ", "Inf"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
}

func TestSweepPageLeavesOutWhatWasNotMeasured(t *testing.T) {
	for name, c := range map[string]struct {
		sweep  *Sweep
		curves int
	}{
		"no k":    {&Sweep{}, 0},
		"k = 1":   {&Sweep{Rows: 10, Candidates: []Candidate{{K: 1, Inertia: 3, Smallest: 10}}, Recommended: Recommendation{K: 1}}, 2},
		"one k":   {&Sweep{Rows: 10, Candidates: exampleSweep().Candidates[:1]}, 6},
		"no runs": {&Sweep{Rows: 10, Candidates: []Candidate{{K: 2, Inertia: 3, Smallest: 4}, {K: 3, Inertia: 2, Smallest: 2}}}, 2},
		"broken":  {&Sweep{Candidates: []Candidate{{K: 2, Inertia: math.Inf(1), Silhouette: math.NaN()}}}, 0},
	} {
		page := renderSweep(t, c.sweep)
		wellFormed(t, page)
		if n := strings.Count(page, "<svg"); n != c.curves {
			t.Errorf("%s: %d curves, want %d", name, n, c.curves)
		}
		if strings.Contains(page, "NaN") {
			t.Errorf("%s: the page holds NaN", name)
		}
	}
}

func TestSweepPageEscapesNames(t *testing.T) {
	s := exampleSweep()
	s.Features = []string{`<script>alert("x")</script>`, "\u202eabc\x1b", strings.Repeat("long", 1000)}
	s.Recommended.Because = `<b onclick='x'>`
	page := renderSweep(t, s)
	wellFormed(t, page)
	for _, bad := range []string{"<script", "<b on", "\u202e", "\x1b", strings.Repeat("long", 120)} {
		if strings.Contains(page, bad) {
			t.Errorf("%.20q got through", bad)
		}
	}
}

func TestOneSegmentStandsOnlyInTheCurvesThatHaveAMeaningForIt(t *testing.T) {
	s := exampleSweep()
	s.Candidates = append([]Candidate{{K: 1, Inertia: 13014, Stability: 1, Smallest: 4338}}, s.Candidates...)
	for _, v := range s.curves() {
		want := 5
		if v.ID == "inertia" || v.ID == "smallest" {
			want = 6
		}
		if len(v.Dots) != want {
			t.Errorf("%s: %d dots, want %d", v.Name, len(v.Dots), want)
		}
	}
	if page, want := renderSweep(t, s), `<th scope="row">1</th><td>–</td><td>–</td><td>13,014.0</td><td>–</td><td>–</td><td>4,338 <small>100 %</small></td>`; !strings.Contains(page, want) {
		t.Errorf("the table has no row %s", want)
	}
}

var coordinates = regexp.MustCompile(`(-?[\d.]+),(-?[\d.]+)`)

// TestCurvesStayInTheirPlotsAndTheirTicksApart goes from one k to many, and from tiny figures to huge ones.
func TestCurvesStayInTheirPlotsAndTheirTicksApart(t *testing.T) {
	for _, ks := range []int{1, 2, 14, 60, 61, 299, 1200} {
		for _, size := range []float64{1e-12, 0.01, 1, 3300, 31400, 9.99e5, 1e9, 1e15, 1e30} {
			s := &Sweep{Rows: 5000, Sampled: 100, Recommended: Recommendation{K: 2 + ks/2}}
			for i := range ks {
				s.Candidates = append(s.Candidates, Candidate{K: i + 2, Inertia: size * (1 + 1/float64(i+1)), Silhouette: 0.31 + 0.0001*float64(i%7), SilhouetteError: 0.001,
					CalinskiHarabasz: size, DaviesBouldin: -size, Stability: 1, Smallest: int64(5000 / (i + 2))})
			}
			for _, v := range s.curves() {
				for _, at := range coordinates.FindAllStringSubmatch(v.Line+" "+v.Band, -1) {
					x, _ := strconv.ParseFloat(at[1], 64)
					y, _ := strconv.ParseFloat(at[2], 64)
					if x < v.Left || x > v.Right || y < v.Top || y > v.Bottom {
						t.Fatalf("%d k, size %g, %s: %v lies outside the plot", ks, size, v.ID, at[0])
					}
				}
				tickTexts(t, v.YTicks, func(a, b tick) bool { return a.At-b.At >= 14 })
				tickTexts(t, v.XTicks, func(a, b tick) bool { return b.At-a.At >= 7*float64(len(b.Text)) })
				if (v.Dots == nil) != (ks > maxCurveDots) {
					t.Errorf("%d k: %d dots", ks, len(v.Dots))
				}
			}
		}
	}
}

// tickTexts wants at least one tick, all of them different, short, and apart.
func tickTexts(t *testing.T, ticks []tick, apart func(a, b tick) bool) {
	t.Helper()
	if len(ticks) == 0 {
		t.Error("no ticks")
	}
	seen := map[string]bool{}
	for i, k := range ticks {
		if seen[k.Text] || len([]rune(k.Text)) > 8 {
			t.Errorf("the tick %q stands there twice or is long: %v", k.Text, ticks)
		}
		seen[k.Text] = true
		if i > 0 && !apart(ticks[i-1], k) {
			t.Errorf("the ticks %v and %v touch", ticks[i-1], k)
		}
	}
}

func TestASweepOfVeryManyKShowsWhatItLeavesOut(t *testing.T) {
	s := &Sweep{Rows: 1e6}
	for i := range maxCandidates + 1 {
		s.Candidates = append(s.Candidates, Candidate{K: i + 1, Inertia: 1 / float64(i+1), Smallest: 3})
	}
	if page := renderSweep(t, s); !strings.Contains(page, "The first 300 of 301.") {
		t.Error("the page does not say that it leaves out rows")
	}
	s.Candidates = s.Candidates[:maxCandidates]
	if page := renderSweep(t, s); strings.Contains(page, "The first") {
		t.Error("the page leaves out rows that fit")
	}
}
