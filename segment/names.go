package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/internal/exact"
)

const (
	nameAtLeast = 0.3 // an effect below this gives no name
	nameVery    = 1.5 // an effect from here on is "very high"
	nameWord    = 28  // terminal cells that one column may take of a name
)

// Names gives every segment a name that no other segment of the Summary has, the same for the same figures. Where
// the columns tell recency and frequency or monetary value, the names are those that marketers use for such
// customers; elsewhere they say what sets the segment apart: "High income, low age".
func (s *Summary) Names() []string {
	names := make([]string, len(s.Segments))
	if axes := s.rfmAxes(); axes != nil {
		s.archetypeNames(names, axes)
	}
	for i := range names {
		switch {
		case s.Segments[i].Count == 0:
			names[i] = "Empty"
		case names[i] == "":
			names[i] = s.describe(i, 2)
		}
	}
	return s.unique(names)
}

// unique tells equal names apart: by one more feature at a time where they differ, at last by a number.
func (s *Summary) unique(names []string) []string {
	out := slices.Clone(names)
	for extra := 1; extra <= 3; extra++ {
		for _, group := range repeated(out) {
			for _, i := range group {
				out[i] = s.qualify(names[i], i, extra)
			}
		}
	}
	taken := map[string]bool{}
	for i, name := range out {
		for n := 2; taken[out[i]]; n++ {
			out[i] = fmt.Sprintf("%s %d", name, n)
		}
		taken[out[i]] = true
	}
	return out
}

// repeated gives the groups of positions that hold the same name.
func repeated(names []string) [][]int {
	at := map[string][]int{}
	for i, name := range names {
		at[name] = append(at[name], i)
	}
	var groups [][]int
	for i, name := range names {
		if group := at[name]; len(group) > 1 && group[0] == i {
			groups = append(groups, group)
		}
	}
	return groups
}

// qualify adds to a name the strongest features that it does not say yet.
func (s *Summary) qualify(name string, segment, extra int) string {
	for _, j := range s.telling(segment, nameAtLeast) {
		phrase := s.phrase(segment, j)
		if extra > 0 && !strings.Contains(strings.ToLower(name), phrase) && name != "Empty" {
			name += ", " + phrase
			extra--
		}
	}
	return name
}

// describe names a segment by its n strongest features.
func (s *Summary) describe(segment, n int) string {
	columns := s.telling(segment, nameAtLeast)
	if len(columns) == 0 {
		columns = s.telling(segment, apartAtLeast)
		n = 1
	}
	if len(columns) == 0 {
		return "Average"
	}
	var phrases []string
	for _, j := range columns[:min(n, len(columns))] {
		phrases = append(phrases, s.phrase(segment, j))
	}
	name := strings.Join(phrases, ", ")
	return strings.ToUpper(name[:1]) + name[1:] // a phrase begins with a word of ours
}

// phrase says how a segment stands in one column: "very high income", "mostly gender female".
func (s *Summary) phrase(segment, j int) string {
	c, g := s.Columns[j], &s.Segments[segment]
	words, _ := spoken(c.Input)
	words = strings.ToLower(fit(words, nameWord))
	if words == "monetary" {
		words = "spending" // the word of the trade is nobody else's
	}
	if c.Share {
		words += " " + fit(plain(c.Level), nameWord)
		switch {
		case g.Effect[j] < 0:
			return "fewer " + words
		case g.Mean[j] >= 0.5:
			return "mostly " + words
		}
		return "more " + words
	}
	degree := "high "
	if g.Effect[j] < 0 {
		degree = "low "
	}
	if math.Abs(g.Effect[j]) >= nameVery {
		degree = "very " + degree
	}
	return degree + words
}

// archetype is a kind of customer and where it lies on the axes of recency (1: bought just now), frequency and
// monetary value, each from −1 to 1. The names are those in common use for RFM segments.
type archetype struct {
	name string
	at   [3]float64
	axes [3]bool // axes without which the name would claim too much
}

var archetypes = []archetype{
	{"Champions", [3]float64{0.9, 1, 1}, [3]bool{}},
	{"Loyal customers", [3]float64{0.4, 0.7, 0.6}, [3]bool{}},
	{"Big spenders", [3]float64{0.3, 0, 1}, [3]bool{false, true, true}},
	{"Frequent small baskets", [3]float64{0.4, 0.8, -0.4}, [3]bool{false, true, true}},
	{"Potential loyalists", [3]float64{0.6, 0.1, 0.1}, [3]bool{}},
	{"New customers", [3]float64{1, -0.9, -0.7}, [3]bool{}},
	{"Promising", [3]float64{0.5, -0.5, -0.4}, [3]bool{}},
	{"Need attention", [3]float64{-0.2, 0.1, 0.1}, [3]bool{}},
	{"About to sleep", [3]float64{-0.4, -0.5, -0.5}, [3]bool{}},
	{"At risk", [3]float64{-0.6, 0.5, 0.5}, [3]bool{}},
	{"Cannot lose them", [3]float64{-0.9, 1, 1}, [3]bool{}},
	{"Hibernating", [3]float64{-0.8, -0.5, -0.4}, [3]bool{}},
	{"Lost", [3]float64{-1, -1, -1}, [3]bool{}},
}

// archetypeSlack is how much farther than a segment's nearest archetype another may lie and still give the name.
const archetypeSlack = 0.35

// rfmAxes are the columns of recency, frequency and monetary value, -1 where there is none; nil where there are not
// enough for names.
func (s *Summary) rfmAxes() []int {
	axes := []int{s.withRole(roleRecency), s.withRole(roleFrequency), s.withRole(roleMonetary)}
	if axes[0] < 0 || axes[1] < 0 && axes[2] < 0 {
		return nil
	}
	return axes
}

// archetypeNames hands out names by nearness, each once; a segment whose near names are all taken shares its nearest,
// and is told apart later.
func (s *Summary) archetypeNames(names []string, axes []int) {
	type pair struct {
		segment, archetype int
		distance           float64
	}
	scores := s.rfmScores(axes)
	nearest := make([]int, len(names))
	var pairs []pair
	for i := range s.Segments {
		if s.Segments[i].Count == 0 || scores[i] == nil {
			continue
		}
		var own []pair
		for a := range archetypes {
			if d := archetypes[a].distance(scores[i], axes); d >= 0 {
				own = append(own, pair{i, a, d})
			}
		}
		slices.SortStableFunc(own, func(p, q pair) int { return cmp.Compare(p.distance, q.distance) })
		nearest[i] = own[0].archetype
		for _, p := range own {
			if p.distance <= own[0].distance+archetypeSlack {
				pairs = append(pairs, p)
			}
		}
	}
	slices.SortStableFunc(pairs, func(p, q pair) int { return cmp.Compare(p.distance, q.distance) })
	used := make([]bool, len(archetypes))
	for _, p := range pairs {
		if names[p.segment] == "" && !used[p.archetype] {
			names[p.segment], used[p.archetype] = archetypes[p.archetype].name, true
		}
	}
	for i := range names {
		if names[i] == "" && scores[i] != nil && s.Segments[i].Count > 0 {
			names[i] = archetypes[nearest[i]].name
		}
	}
}

// distance is Euclidean over the axes there are; -1 where the name asks for one that is not there.
func (a *archetype) distance(score []float64, axes []int) float64 {
	sum := 0.0
	for x, column := range axes {
		switch {
		case column >= 0:
			d := score[x] - a.at[x]
			sum += float64(d * d)
		case a.axes[x]:
			return -1
		}
	}
	return math.Sqrt(sum)
}

// rfmScores places each segment on the axes, from −1 to 1: the logarithm of its mean against the customers' mean
// logarithm, in units of the spread between the segments. Logarithms, because a few great spenders move a plain
// mean so far that all others look poor. Nil for a segment without figures.
func (s *Summary) rfmScores(axes []int) [][]float64 {
	const reach, least = 1.25, 0.1
	scores := make([][]float64, len(s.Segments))
	for i := range scores {
		scores[i] = make([]float64, len(axes))
	}
	for x, column := range axes {
		if column < 0 {
			continue
		}
		var base exact.Moments
		for i := range s.Segments {
			g := &s.Segments[i]
			if v := g.Mean[column]; g.Count > 0 && math.IsNaN(v) || math.IsInf(v, 0) {
				scores[i] = nil
			} else if g.Count > 0 {
				base.AddRepeated(exact.Log1p(max(v, 0)), g.Count)
			}
		}
		center, spread := momentsOf(&base)
		for i := range s.Segments {
			if scores[i] == nil || s.Segments[i].Count == 0 {
				continue
			}
			v := (exact.Log1p(max(s.Segments[i].Mean[column], 0)) - center) / (reach * max(spread, least))
			if x == 0 {
				v = -v // few days since the last purchase are good
			}
			scores[i][x] = max(-1, min(1, v))
		}
	}
	return scores
}
