package segment

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/model"
)

// sampleOf is made-up customers as a Sample.
func sampleOf(n int, seed uint64) *Sample {
	labels, b := customers(n, seed)
	s := &Sample{Numeric: b.Numeric, Labels: labels, Categorical: make([][]string, len(b.Text))}
	for c := range b.Text {
		for i := range n {
			s.Categorical[c] = append(s.Categorical[c], string(b.Text[c].At(i)))
		}
	}
	return s
}

// meets says whether row i of a Sample meets a rule, by its text alone.
func meets(t *testing.T, s *Sample, rule string, i int) bool {
	t.Helper()
	for part := range strings.SplitSeq(rule, " and ") {
		words := strings.Split(part, " ")
		if len(words) != 3 {
			t.Fatalf("%q is no condition", part)
		}
		if j := slices.Index(numericColumns, words[0]); j >= 0 {
			var bound float64
			if _, err := fmt.Sscan(words[2], &bound); err != nil {
				t.Fatal(err)
			}
			if v := s.Numeric[j][i]; words[1] == "≥" && !(v >= bound) || words[1] == "<" && !(v < bound) {
				return false
			}
			continue
		}
		v := s.Categorical[slices.Index(categoricalColumns, words[0])][i]
		if words[1] == "=" && v != words[2] || words[1] == "≠" && v == words[2] {
			return false
		}
	}
	return true
}

func TestRulesDescribeTheirSegmentsAsWellAsTheySay(t *testing.T) {
	s := sampleOf(4000, 8)
	for j := range s.Numeric[0] {
		if j%10 == 0 {
			s.Numeric[3][j] = math.NaN() // a missing value meets no condition
		}
	}
	rules := FindRules(s, numericColumns, categoricalColumns, len(kinds))
	found := 0
	for k, r := range rules {
		if r.Text == "" {
			continue
		}
		found++
		both, all, size := 0, 0, 0
		for i, l := range s.Labels {
			in, met := int(l) == k, meets(t, s, r.Text, i)
			if in {
				size++
			}
			if met {
				all++
			}
			if in && met {
				both++
			}
		}
		precision, recall := float64(both)/float64(all), float64(both)/float64(size)
		if precision != r.Precision || recall != r.Recall || precision < rulePrecision || recall < ruleRecall || strings.Count(r.Text, " and ") >= ruleConditions {
			t.Errorf("segment %d: %q has precision %v and recall %v, says %v and %v", k, r.Text, precision, recall, r.Precision, r.Recall)
		}
	}
	if found < 4 {
		t.Errorf("got %d rules of 5: %v", found, rules)
	}
	if again := FindRules(s, numericColumns, categoricalColumns, len(kinds)); !slices.Equal(rules, again) {
		t.Errorf("got other rules of the same sample: %v, then %v", rules, again)
	}
}

func TestRulesThatWouldSayNothingAreNotMade(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 4))
	for _, c := range []struct {
		name  string
		rows  int
		k     int
		label func(i int, x float64) int32
		want  []bool // by segment: there is a rule
	}{
		{"segments that nothing tells apart", 3000, 2, func(i int, _ float64) int32 { return int32(r.IntN(4) / 3) }, []bool{false, false}},
		{"a segment of nearly all", 3000, 2, func(i int, _ float64) int32 { return int32(max(0, r.IntN(20)-18)) }, []bool{false, false}},
		{"one segment", 3000, 1, func(int, float64) int32 { return 0 }, []bool{false}},
		{"a segment without rows", 3000, 3, func(_ int, x float64) int32 { return int32(math.Round(x)) * 2 }, []bool{true, false, true}},
		{"nine customers", 300, 2, func(i int, _ float64) int32 { return int32(max(0, i-290) / max(1, i-290)) }, []bool{false, false}},
		{"no rows", 0, 2, nil, []bool{false, false}},
	} {
		s := &Sample{Numeric: [][]float64{{}}}
		for i := range c.rows {
			x := r.Float64()
			s.Numeric[0], s.Labels = append(s.Numeric[0], x), append(s.Labels, c.label(i, x))
		}
		if c.rows == 300 { // the column tells all
			for i := range s.Labels {
				s.Numeric[0][i] = float64(s.Labels[i])
			}
		}
		for i, rule := range FindRules(s, []string{"x"}, nil, c.k) {
			if (rule.Text != "") != c.want[i] {
				t.Errorf("%s: segment %d: got %+v, want a rule: %t", c.name, i, rule, c.want[i])
			}
		}
	}
}

func TestThresholdsAreReadable(t *testing.T) {
	var days, money, born, tiny []float64
	for i := range 1000 {
		days, money = append(days, float64(i%97)), append(money, 1.17*float64(i*i)+3)
		born, tiny = append(born, float64(1940+i%60)), append(tiny, 1e-7*float64(i)/3)
	}
	for _, c := range []struct {
		name   string
		values []float64
		digits int // of each threshold, at most
		least  int // thresholds
	}{{"days", days, 2, 20}, {"money", money, 2, 12}, {"years of birth", born, 4, 20}, {"tiny", tiny, 2, 20}, {"one value", []float64{5, 5, 5}, 1, 0}} {
		list := cuts(c.values)
		for _, v := range list {
			if v != digits(v, c.digits) {
				t.Errorf("%s: %v is not readable", c.name, v)
			}
		}
		if len(list) < c.least || !slices.IsSorted(list) {
			t.Errorf("%s: got %v, want %d thresholds or more, in order", c.name, list, c.least)
		}
	}
}

func TestNearestSegmentsAreThoseOfTheCentroids(t *testing.T) {
	plain := &feature.Transform{Scale: feature.None, Missing: feature.Fail, Numeric: []feature.NumericColumn{{Name: "x", Spread: 1}, {Name: "y", Spread: 1}}}
	for _, c := range []struct {
		name      string
		centroids []float32
		want      []Near
	}{
		{"plain", []float32{0, 0, 3, 4, 3, 3}, []Near{{2, math.Sqrt(18)}, {2, 1}, {1, 1}}},
		{"equals go to the lower index", []float32{0, 0, 1, 0, -1, 0, 0, 0}, []Near{{3, 0}, {0, 1}, {0, 1}, {0, 0}}},
		{"one", []float32{7, 7}, []Near{{-1, 0}}},
	} {
		m := &model.Model{K: len(c.centroids) / 2, Metric: model.Euclidean, Transform: plain, Centroids: c.centroids}
		if got := NearestSegments(m); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	unit := &model.Model{K: 2, Metric: model.Cosine, Transform: plain, Centroids: []float32{1, 0, 0, 1}}
	if got := NearestSegments(unit); got[0] != (Near{1, 1}) {
		t.Errorf("under cosine: got %v, want 1 − cos", got)
	}
	if got := NearestSegments(&model.Model{K: 1 << 16, Transform: plain}); got != nil {
		t.Error("of too many segments: got some")
	}
}

func TestDescriptionsFitALine(t *testing.T) {
	p := NewProfile(len(kinds), numericColumns, categoricalColumns)
	p.KeepSpreads()
	labels, b := customers(800, 2)
	if err := p.Add(labels, b); err != nil {
		t.Fatal(err)
	}
	s := p.Summary(nil, "")
	s.Rename(s.Names())
	s.Rules, s.Nearest = make([]Rule, len(kinds)), make([]Near, len(kinds))
	s.Rules[1] = Rule{Text: "frequency ≥ 9", Precision: 0.9, Recall: 0.8}
	for i := range s.Segments {
		text := s.Describe(i)
		for line := range strings.Lines(text) {
			if n := cells.StringWidth(strings.TrimRight(line, "\n")); n > tableWidth {
				t.Errorf("%d cells: %q", n, line)
			}
		}
		if got, want := strings.Contains(text, "rule      frequency ≥ 9\n             90 % of those who meet it"), i == 1; got != want {
			t.Errorf("segment %d: a rule %t, want %t:\n%s", i, got, want, text)
		}
	}
	for _, want := range []string{"medians   ", "monetary 5,", "(all "} {
		if text := s.Describe(1); !strings.Contains(text, want) {
			t.Errorf("%q is missing in\n%s", want, text)
		}
	}
}
