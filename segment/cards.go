package segment

import (
	"fmt"
	"math"
	"strings"
)

// Limits of the cards, which with those of a page keep it under 2 MB. What is left out is said.
const (
	maxCards    = 50  // segments with a card
	maxMinis    = 6   // features drawn in a card
	maxFigures  = 24  // features in a card's table
	maxBins     = 60  // bars of one histogram
	maxExamples = 10  // customers named in a card
	maxRuleText = 400 // terminal cells of a rule
)

// cardView is one segment on its own.
type cardView struct {
	segmentView
	Rule, Fits string // the rule, and how well it fits in words
	Near       *nearView
	Examples   []string
	Minis      []miniView
	Figures    []figureView
	Omitted    string // what the table of figures leaves out
	Quartiles  bool   // there are medians
	Valued     bool   // there is a value column
}

type nearView struct {
	Index, Swatch  int
	Name, Distance string
}

// figureView is one feature in a card's table.
type figureView struct {
	Name                                     string
	Median, BaseMedian, Mean, BaseMean, Half string
	Effect                                   string
}

// cards are the segments on their own, in the given order; nil where the Summary knows no more of them than the table
// of segments shows.
func (s *Summary) cards(order []int) []cardView {
	if s.Histograms == nil && s.Rules == nil && s.Nearest == nil && s.Examples == nil && s.Base.Median == nil {
		return nil
	}
	var cards []cardView
	for _, i := range order[:min(len(order), maxCards)] {
		cards = append(cards, s.card(i))
	}
	return cards
}

func (s *Summary) card(i int) cardView {
	v := cardView{segmentView: s.segmentView(i), Quartiles: s.Base.Median != nil, Valued: s.valued()}
	if i < len(s.Rules) && s.Rules[i].Text != "" {
		r := &s.Rules[i]
		v.Rule = fit(plain(r.Text), maxRuleText)
		v.Fits = fmt.Sprintf("%s of the customers that this describes belong to the segment, and it describes %s of the segment.", percent(r.Precision), percent(r.Recall))
	}
	if i < len(s.Nearest) {
		if n := s.Nearest[i]; n.Segment >= 0 && n.Segment < len(s.Segments) && n.Segment != i {
			other := s.segmentView(n.Segment)
			v.Near = &nearView{other.Index, other.Swatch, other.Name, number(n.Distance)}
		}
	}
	if i < len(s.Examples) {
		for _, e := range s.Examples[i][:min(len(s.Examples[i]), maxExamples)] {
			v.Examples = append(v.Examples, fit(plain(e.ID), maxLabel))
		}
	}
	if s.Segments[i].Count == 0 && s.Measured {
		return v
	}
	main := s.telling(i, 0)
	for _, j := range main[:min(len(main), maxMinis)] {
		v.Minis = append(v.Minis, s.mini(i, j))
	}
	figures := s.standing(i)
	for _, j := range figures[:min(len(figures), maxFigures)] {
		v.Figures = append(v.Figures, s.figure(i, j))
	}
	if len(figures) > maxFigures {
		v.Omitted = fmt.Sprintf("The %d of %s features that set it apart most.", maxFigures, count(int64(len(figures))))
	}
	return v
}

// middle is the median of a group where it is known, else the mean.
func (g *Group) middle(j int) (value float64, median bool) {
	if j < len(g.Median) && !math.IsNaN(g.Median[j]) {
		return g.Median[j], true
	}
	return g.Mean[j], false
}

func (s *Summary) figure(i, j int) figureView {
	c, g := s.Columns[j], &s.Segments[i]
	v := figureView{Name: fit(c.label(), maxLabel), Mean: c.quantity(g.Mean[j]), BaseMean: c.quantity(s.Base.Mean[j]),
		Effect: signed(g.Effect[j]), Median: "–", BaseMedian: "–", Half: "–"}
	if m, ok := g.middle(j); ok {
		v.Median = c.quantity(m)
	}
	if m, ok := s.Base.middle(j); ok {
		v.BaseMedian = c.quantity(m)
	}
	if j < len(g.Q1) && j < len(g.Q3) && !math.IsNaN(g.Q1[j]) && !math.IsNaN(g.Q3[j]) {
		v.Half = c.quantity(g.Q1[j]) + " to " + c.quantity(g.Q3[j])
	}
	return v
}

// miniView is one feature of one segment against all customers: in words, and as a small drawing.
type miniView struct {
	Name, Says, Aloud string
	Base, Own         string  // paths of a histogram in a box of miniWidth × miniHeight; "" where there is none
	Low, Mid, High    string  // the values at its left, middle and right edge
	Bars              bool    // two bars of shares instead
	OwnPart, BasePart float64 // per cent
}

// The box that a histogram is drawn in; the page stretches it to where it stands.
const miniWidth, miniHeight = 200.0, 60.0

func (s *Summary) mini(i, j int) miniView {
	c, g := s.Columns[j], &s.Segments[i]
	own, median := g.middle(j)
	base, baseMedian := s.Base.middle(j)
	what := ""
	switch {
	case c.Share || median && baseMedian:
	case c.Typical:
		what, own, base = "typically ", g.Mean[j], s.Base.Mean[j]
	default:
		what, own, base = "average ", g.Mean[j], s.Base.Mean[j]
	}
	v := miniView{Name: fit(c.label(), maxLabel), Says: what + c.quantity(own) + " against " + c.quantity(base)}
	if c.Share {
		v.Bars, v.OwnPart, v.BasePart = true, part(g.Mean[j]), part(s.Base.Mean[j])
		return v
	}
	if j < len(s.Histograms) && i < len(s.Histograms[j].Segments) {
		s.Histograms[j].draw(i, c, &v)
	}
	return v
}

// draw fills the two paths in: the shares of the segment's and of all customers by bin, on one scale.
func (h *Histogram) draw(i int, c Column, v *miniView) {
	base, own, edges := h.Base, h.Segments[i], h.Edges
	bins := len(base)
	if bins < 1 || bins > maxBins || len(own) != bins || len(edges) != bins+1 {
		return
	}
	allShares, ownShares := shares(base), shares(own)
	if allShares == nil || ownShares == nil {
		return
	}
	top, tallest := 0.0, 0
	for b := range bins {
		if ownShares[b] > ownShares[tallest] {
			tallest = b
		}
		top = max(top, allShares[b], ownShares[b])
	}
	v.Base, v.Own = steps(allShares, top), steps(ownShares, top)
	v.Low, v.High = c.quantity(edges[0]), c.quantity(edges[bins])
	if bins > 1 {
		v.Mid = c.quantity(edges[bins/2])
	}
	v.Aloud = fmt.Sprintf("Most customers of the segment, %s, have %s to %s; of all customers %s.",
		percent(ownShares[tallest]), c.quantity(edges[tallest]), c.quantity(edges[tallest+1]), percent(allShares[tallest]))
}

// shares is each bin's part of all rows; nil without rows.
func shares(bins []int64) []float64 {
	total := int64(0)
	for _, n := range bins {
		total += n
	}
	if total <= 0 {
		return nil
	}
	each := make([]float64, len(bins))
	for b, n := range bins {
		each[b] = float64(n) / float64(total)
	}
	return each
}

// steps is the outline of bars of equal width, the tallest of the drawing as tall as the box.
func steps(each []float64, top float64) string {
	var b strings.Builder
	fmt.Fprintf(&b, "M0 %v", miniHeight)
	for i, share := range each {
		fmt.Fprintf(&b, "V%v", tenth(miniHeight-float64(share/top*(miniHeight-2))))
		fmt.Fprintf(&b, "H%v", tenth(miniWidth*float64(i+1)/float64(len(each))))
	}
	fmt.Fprintf(&b, "V%vZ", miniHeight)
	return b.String()
}
