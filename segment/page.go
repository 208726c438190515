package segment

import (
	"fmt"
	"io"
	"math"
	"strings"

	"github.com/coterie-project/coterie/model"
)

// Limits of a page, so that it stays under 2 MB and can be read whatever k and d are. What is left out is said.
const (
	maxRows     = 100 // segments in the table
	maxHeat     = 24  // segments side by side in the heat map and the table of averages
	maxFeatures = 60  // features in either
	maxLabel    = 80  // terminal cells of one name on the page
	swatches    = 10  // colours, told apart by numbers too
)

// Page is one self-contained HTML page about the segments: no script, no network, no outside font. It reads in light
// and dark, on paper, on a telephone and aloud.
type Page struct {
	Title     string
	Generated string // when and by what, as text: "1 July 2026"
	Summary   *Summary
	Model     *model.Model // for the centroids and the footnote; nil: left out
	Scatter   *Scatter     // customers by two columns (see Summary.Axes); nil: left out
	// Components is customers in all features at once, by the function of the same name; nil: left out.
	Components *Scatter
	RFM        *RFMGrid // see NewRFMGrid; nil: left out
	// Flows is how customers came here from the segments of before; nil: left out.
	Flows *Migration
	Sweep *Sweep // how k was chosen; nil: left out
}

// Render writes the page. Names, ids and columns come from files: they are escaped wherever they stand. The error is
// the Writer's.
func (p *Page) Render(w io.Writer) error {
	return writePage(w, "page.html", p.view())
}

// pageView is everything that the template shows, as text and numbers.
type pageView struct {
	Title, Generated, Lead string
	Segments               []segmentView
	Omitted                string // what the segment table leaves out
	Value                  bool
	Measured               bool
	Columns                []segmentView // the segments of the heat map
	Features               []featureView
	GridWidth              int // pixels below which the heat map scrolls
	HeatOmitted            string
	Centroids              bool
	Maps                   []*scatterView
	Cards                  []cardView
	CardsOmitted           string
	Medians                bool
	RFM                    *rfmView
	Flows                  *flowsView
	Sweep                  *sweepView
	Facts                  []fact
	Digest                 string
}

type segmentView struct {
	Index, Swatch          int
	Name                   string
	Count                  string
	Share, ValueShare      string
	SharePart, ValuePart   float64 // per cent, for the bars
	ShareWidth, ValueWidth float64 // per cent of the longest bar
	Apart                  string
}

type featureView struct {
	Name  string
	Base  string
	Cells []cellView
}

type cellView struct {
	Effect, Class  string
	Mean, Centroid string
}

type fact struct{ Name, Value string }

func (p *Page) view() *pageView {
	s := p.Summary
	v := &pageView{Title: plain(p.Title), Generated: plain(p.Generated), Lead: s.lead(), Value: s.valued(),
		Measured: s.Measured, Medians: s.Base.Median != nil}
	order := s.ByValue()
	shown := order[:min(len(order), maxRows)]
	for _, i := range shown {
		v.Segments = append(v.Segments, s.segmentView(i))
	}
	widen(v.Segments)
	if left := len(order) - len(shown); left > 0 {
		v.Omitted = fmt.Sprintf("The %d most important of %s segments.", len(shown), count(int64(len(order))))
	}
	heat := order[:min(len(order), maxHeat)]
	v.Columns = v.Segments[:len(heat)]
	v.GridWidth = 112 + 96*(len(heat)+1)
	features := s.heatFeatures()
	v.HeatOmitted = heatOmitted(len(heat), len(order), len(features), len(s.Columns))
	centroids := p.centroids()
	v.Centroids = centroids != nil
	for _, j := range features {
		v.Features = append(v.Features, s.featureView(j, heat, centroids))
	}
	v.Maps = p.maps()
	if v.Cards = s.cards(order); len(v.Cards) > 0 && len(v.Cards) < len(order) {
		v.CardsOmitted = fmt.Sprintf("The %d most important of %s segments.", len(v.Cards), count(int64(len(order))))
	}
	if p.RFM != nil {
		v.RFM = p.RFM.view(s)
	}
	if p.Flows != nil {
		v.Flows = (&FlowsPage{Migration: p.Flows}).view()
	}
	if p.Sweep != nil {
		v.Sweep = p.Sweep.view()
	}
	if p.Model != nil {
		v.Facts, v.Digest = facts(p.Model), p.Model.Digest()
	}
	return v
}

// valued is true where the segments' parts of the total value are known.
func (s *Summary) valued() bool { return s.Value >= 0 && s.Base.ValueShare == 1 }

// lead is the one sentence that a hurried reader takes away.
func (s *Summary) lead() string {
	text := fmt.Sprintf("%s customers in %s segments.", count(s.Base.Count), count(int64(len(s.Segments))))
	if len(s.Segments) == 1 {
		text = fmt.Sprintf("%s customers in one segment.", count(s.Base.Count))
	}
	if len(s.Segments) < 2 || s.Base.Count == 0 {
		return text
	}
	top := &s.Segments[s.ByValue()[0]]
	name := fit(plain(top.Name), maxLabel)
	if s.Value >= 0 && !math.IsNaN(top.ValueShare) {
		return text + fmt.Sprintf(" “%s” are %s of the customers and bring %s of the value.", name, percent(top.Share), percent(top.ValueShare))
	}
	return text + fmt.Sprintf(" “%s” is the largest, with %s of the customers.", name, percent(top.Share))
}

func (s *Summary) segmentView(i int) segmentView {
	g := &s.Segments[i]
	v := segmentView{Index: i, Swatch: swatch(i), Name: fit(plain(g.Name), maxLabel),
		Count: count(g.Count), Share: percent(g.Share), ValueShare: percent(g.ValueShare),
		SharePart: part(g.Share), ValuePart: part(g.ValueShare), Apart: fit(s.SetsApart(i), 4*maxLabel)}
	if v.Name == "" {
		v.Name = fmt.Sprintf("Segment %d", i)
	}
	return v
}

// part is a share as per cent for a bar: within 0..100, to a hundredth.
func part(share float64) float64 {
	if math.IsNaN(share) {
		return 0
	}
	return math.Round(max(0, min(1, share))*1e4) / 100
}

// widen sets the bars' lengths, in customers and value on one scale, so that they can be compared.
func widen(segments []segmentView) {
	longest := 0.01
	for i := range segments {
		longest = max(longest, segments[i].SharePart, segments[i].ValuePart)
	}
	for i := range segments {
		segments[i].ShareWidth = math.Round(segments[i].SharePart/longest*1000) / 10
		segments[i].ValueWidth = math.Round(segments[i].ValuePart/longest*1000) / 10
	}
}

func swatch(i int) int { return i % swatches }

// heatFeatures is the columns of the heat map, in column order: all, or those with the strongest effects.
func (s *Summary) heatFeatures() []int {
	order := make([]int, 0, len(s.Columns))
	for j := range s.Columns {
		order = append(order, j)
	}
	if len(order) <= maxFeatures {
		return order
	}
	return s.strongest(order)
}

func heatOmitted(segments, allSegments, features, allFeatures int) string {
	var parts []string
	if segments < allSegments {
		parts = append(parts, fmt.Sprintf("%d of %s segments", segments, count(int64(allSegments))))
	}
	if features < allFeatures {
		parts = append(parts, fmt.Sprintf("%d of %s features", features, count(int64(allFeatures))))
	}
	if parts == nil {
		return ""
	}
	return "Shown: " + strings.Join(parts, " and ") + "."
}

// featureView is one feature's row in the heat map and in the table of averages.
func (s *Summary) featureView(j int, segments []int, centroids map[string][]float64) featureView {
	c := s.Columns[j]
	f := featureView{Name: fit(c.label(), maxLabel), Base: c.quantity(s.Base.Mean[j])}
	for _, i := range segments {
		g := &s.Segments[i]
		cell := cellView{Effect: signed(g.Effect[j]), Class: heatClass(g.Effect[j]), Mean: c.quantity(g.Mean[j])}
		if at, ok := centroids[c.Name]; ok {
			if cell.Centroid = c.quantity(at[i]); cell.Centroid == cell.Mean {
				cell.Centroid = ""
			}
		}
		f.Cells = append(f.Cells, cell)
	}
	return f
}

// heatClass is the colour of an effect: five steps to either side, the last from two standard deviations on.
func heatClass(effect float64) string {
	step := int(math.Round(min(math.Abs(effect), 2) / 2 * 5))
	switch {
	case math.IsNaN(effect) || step == 0:
		return "z"
	case effect < 0:
		return fmt.Sprintf("n%d", step)
	}
	return fmt.Sprintf("p%d", step)
}

// centroids is the model's centroids in the units of the input by column; nil where the Summary says them already.
func (p *Page) centroids() map[string][]float64 {
	if p.Model == nil || !p.Summary.Measured || p.Model.K != len(p.Summary.Segments) {
		return nil
	}
	columns := modelColumns(p.Model)
	byName := make(map[string][]float64, len(columns))
	for j := range columns {
		byName[columns[j].Name] = make([]float64, p.Model.K)
	}
	for i := range p.Model.K {
		for j, v := range p.Model.CentroidInput(i) {
			byName[columns[j].Name][i] = v
		}
	}
	return byName
}

// facts is the footnote on how the segments were made.
func facts(m *model.Model) []fact {
	ended := "stopped before it converged"
	if m.Converged {
		ended = "converged"
	}
	made := []fact{
		{"Method", "k-means, " + m.Metric + " distance"},
		{"Segments (k)", count(int64(m.K))},
		{"Rows", count(m.Rows)},
		{"Features", clip(strings.Join(m.Features(), ", "))},
		{"Scaling", string(m.Transform.Scale)},
		{"Inertia", fmt.Sprintf("%.6g", m.Inertia)},
		{"Iterations", fmt.Sprintf("%s, %s", count(int64(m.Iterations)), ended)},
		{"Start", fmt.Sprintf("%s, seed %d", m.Origin.Init, m.Origin.Seed)},
		{"Sources", clip(strings.Join(m.Origin.Sources, ", "))},
		{"Coterie", m.Origin.Coterie},
	}
	kept := made[:0]
	for _, f := range made {
		if f.Value != "" {
			kept = append(kept, fact{f.Name, plain(f.Value)})
		}
	}
	return kept
}

func clip(s string) string { return fit(plain(s), 5*maxLabel) }
