package segment

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
)

// reportPage is the example page with everything that a report can hold.
func reportPage(t testing.TB, n int) *Page {
	t.Helper()
	p := examplePage(t, n)
	labels, b := customers(n, 1)
	s := p.Summary
	s.Histograms = make([]Histogram, len(s.Columns))
	for j := range numericColumns {
		s.Histograms[j] = histogram(b.Numeric[j], labels, len(kinds))
	}
	fill := func(g *Group, of int32) {
		g.Q1, g.Median, g.Q3 = make([]float64, len(s.Columns)), make([]float64, len(s.Columns)), make([]float64, len(s.Columns))
		for j := range s.Columns {
			g.Q1[j], g.Median[j], g.Q3[j] = math.NaN(), math.NaN(), math.NaN()
			if j < len(numericColumns) {
				var own []float64
				for i, l := range labels {
					if l == of || of < 0 {
						own = append(own, b.Numeric[j][i])
					}
				}
				slices.Sort(own)
				g.Q1[j], g.Median[j], g.Q3[j] = own[len(own)/4], own[len(own)/2], own[3*len(own)/4]
			}
		}
	}
	fill(&s.Base, -1)
	for i := range s.Segments {
		fill(&s.Segments[i], int32(i))
		s.Rules = append(s.Rules, Rule{Text: fmt.Sprintf("frequency ≥ %d and recency_days < 40", 3+i), Precision: 0.93, Recall: 0.81})
		s.Nearest = append(s.Nearest, Near{Segment: (i + 1) % len(kinds), Distance: 1.25})
	}
	s.Rules[3] = Rule{}
	m := p.Model
	var points []float32
	for i := range min(n, 2000) {
		row := make([]float64, len(numericColumns))
		for j := range row {
			row[j] = (b.Numeric[j][i] - s.Base.Mean[j]) / s.Base.Std[j]
		}
		for j := range m.Width() {
			if j < len(row) {
				points = append(points, float32(row[j]))
			} else {
				points = append(points, 0)
			}
		}
	}
	p.Components = Components(points, m.Width(), labels[:min(n, 2000)])
	r, f, ok := s.RFMColumns()
	if !ok {
		t.Fatal("no recency or no frequency")
	}
	p.RFM = NewRFMGrid(b.Numeric[r][:n/2], b.Numeric[f][:n/2], labels[:n/2], len(kinds))
	p.Sweep, p.Flows = exampleSweep(), exampleMoves(s)
	return p
}

// exampleMoves is made-up moves into the segments of s from as many of the month before, of which one is gone and one new.
func exampleMoves(s *Summary) *Migration {
	m := &Migration{Matrix: make([][]int64, len(s.Segments)), Arrived: make([]int64, len(s.Segments)), Left: make([]int64, len(s.Segments))}
	for i := range s.Segments {
		m.Matrix[i] = make([]int64, len(s.Segments))
		for j := range s.Segments {
			m.Matrix[i][j] = int64(10 * ((i*7 + j*3) % 5))
		}
		m.Matrix[i][i], m.Left[i], m.Arrived[i] = 500, int64(20*i), int64(90-20*i)
		m.From = append(m.From, Flow{Segment: i, Name: s.Segments[i].Name})
		m.To = append(m.To, Flow{Segment: i, Name: s.Segments[i].Name})
	}
	for i := range s.Segments {
		m.From[i].Rows, m.To[i].Rows = m.Left[i], m.Arrived[i]
		for j := range s.Segments {
			m.From[i].Rows += m.Matrix[i][j]
			m.To[i].Rows += m.Matrix[j][i]
		}
	}
	m.MatchCustomers()
	m.SetFlows(10)
	return m
}

// histogram cuts values at twelve of their quantiles.
func histogram(values []float64, labels []int32, k int) Histogram {
	const bins = 12
	low, high := slices.Min(values), slices.Max(values)
	h := Histogram{Base: make([]int64, bins), Segments: make([][]int64, k)}
	for i := range h.Segments {
		h.Segments[i] = make([]int64, bins)
	}
	for b := range bins + 1 {
		h.Edges = append(h.Edges, math.Expm1(math.Log1p(low)+(math.Log1p(high)-math.Log1p(low))*float64(b)/bins))
	}
	for i, v := range values {
		at, _ := slices.BinarySearch(h.Edges, v)
		at = max(0, min(at-1, bins-1))
		h.Base[at]++
		h.Segments[labels[i]][at]++
	}
	return h
}

func TestReportHoldsCardsMapsGridAndSweep(t *testing.T) {
	p := reportPage(t, 8000)
	page := render(t, p)
	wellFormed(t, page)
	for _, want := range []string{
		"By all features at once", "To the right: ", "The segments from left to right: Champions, New customers, Loyal customers, ", "From the bottom to the top: New customers, ", ", mostly Champions, ", "One by one", "frequency ≥ 4 and recency_days &lt; 40",
		"93 % of the customers that this describes belong to the segment, and it describes 81 % of the segment.",
		"Most like it:", "Figures are medians", "19 against 3", "middle half", "Recency and frequency", "From a sample of 4,000 customers.", "came last",
		"Where the customers came from", "The largest moves", "How many segments?", "of the others k = 4 is the most stable.", "All figures of the sweep",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the report has no %q", want)
		}
	}
	for part, want := range map[string]int{`class="card"`: 5, "In short:": 4, `class="plot"`: 2, `class="curve"`: 6, "<details>": 7, `aria-labelledby="sankey-title`: 1, "nearest its middle": 0} {
		if n := strings.Count(page, part); n != want {
			t.Errorf("%d × %s, want %d", n, part, want)
		}
	}
	if minis, own := strings.Count(page, `class="mini`)-5, strings.Count(page, `class="own `); minis < 25 || own < 20 {
		t.Errorf("%d features and %d histograms", minis, own)
	}
	inOrder(t, page)
}

// inOrder wants every heading at most one level below the one before, and every id once.
func inOrder(t *testing.T, page string) {
	t.Helper()
	level := 0
	for _, part := range strings.Split(page, "<h")[1:] {
		if next := int(part[0] - '0'); next >= 1 && next <= 6 {
			if next > level+1 {
				t.Errorf("h%d follows h%d: %.60s", next, level, part)
			}
			level = next
		}
	}
	seen := map[string]bool{}
	for _, part := range strings.Split(page, ` id="`)[1:] {
		id, _, _ := strings.Cut(part, `"`)
		if seen[id] {
			t.Errorf("two elements have the id %q", id)
		}
		seen[id] = true
	}
	for _, part := range strings.Split(page, ` aria-labelledby="`)[1:] {
		ids, _, _ := strings.Cut(part, `"`)
		for _, id := range strings.Fields(ids) {
			if !seen[id] {
				t.Errorf("nothing has the id %q", id)
			}
		}
	}
}

func TestReportNamesCustomersOnlyWhereExamplesAreGiven(t *testing.T) {
	p := reportPage(t, 1000)
	p.Summary.Examples = make([][]Example, 5)
	for i := range 12 {
		p.Summary.Examples[1] = append(p.Summary.Examples[1], Example{ID: fmt.Sprintf("customer<%d>", i), Distance: 0.1})
	}
	page := render(t, p)
	if n := strings.Count(page, "nearest its middle"); n != 1 {
		t.Errorf("%d cards name customers, want 1", n)
	}
	if !strings.Contains(page, "customer&lt;9&gt;") || strings.Contains(page, "customer&lt;10&gt;") {
		t.Error("the card does not name the nearest ten")
	}
}

func TestReportEscapesEveryName(t *testing.T) {
	const hostile = `"><script>alert(1)</script><b x='` + "\x1b\u202e"
	p := reportPage(t, 1000)
	s := p.Summary
	for j := range s.Columns {
		s.Columns[j].Name, s.Columns[j].Level = fmt.Sprint(hostile, j), hostile
		s.Columns[j].Input = s.Columns[j].Name
	}
	s.Examples = make([][]Example, len(s.Segments))
	for i := range s.Segments {
		s.Segments[i].Name, s.Rules[i].Text = hostile+strings.Repeat("long", 500), hostile
		s.Examples[i] = []Example{{ID: hostile}}
	}
	for j := range p.Model.Transform.Numeric {
		p.Model.Transform.Numeric[j].Name = hostile
	}
	p.Sweep.Features, p.Sweep.Recommended.Because = []string{hostile}, hostile
	p.Flows = exampleMoves(s)
	page := render(t, p)
	wellFormed(t, page)
	for _, bad := range []string{"<script", "<b x", "\x1b", "\u202e", "ZgotmplZ", strings.Repeat("long", 100)} {
		if at := strings.Index(page, bad); at >= 0 {
			t.Errorf("%q got through: …%s…", bad, page[max(0, at-60):min(len(page), at+60)])
		}
	}
}

func TestReportStaysUnderTwoMegabytesAt50SegmentsAnd100Columns(t *testing.T) {
	const k, d = 50, 100
	s := wide(k, d)
	long := strings.Repeat("a long name ", 40)
	s.Histograms, s.Rules = make([]Histogram, d), make([]Rule, k)
	for j := range d {
		s.Columns[j].Name += long
		h := Histogram{Edges: make([]float64, maxBins+1), Base: make([]int64, maxBins), Segments: make([][]int64, k)}
		for b := range maxBins {
			h.Edges[b+1], h.Base[b] = float64(b+1)*1234.5, int64(b*b+1)
		}
		for i := range k {
			h.Segments[i] = h.Base
		}
		s.Histograms[j] = h
	}
	for i := range k {
		g := &s.Segments[i]
		g.Name, g.Q1, g.Median, g.Q3 = long, g.Mean, g.Mean, g.Mean
		s.Rules[i] = Rule{Text: strings.Repeat("<rule> ", 200), Precision: 1, Recall: 1}
		s.Nearest = append(s.Nearest, Near{Segment: (i + 1) % k, Distance: 1})
	}
	s.Base.Median = s.Base.Mean
	var scatter Scatter
	for i := range maxDots {
		scatter.Points = append(scatter.Points, [2]float64{math.Sin(float64(i)), math.Cos(float64(7 * i))})
		scatter.Labels = append(scatter.Labels, int32(i%k))
	}
	page := render(t, &Page{Title: "Large", Summary: s, Scatter: &scatter, Components: &scatter, Sweep: exampleSweep(), Flows: exampleMoves(s)})
	wellFormed(t, page)
	if len(page) >= 2_000_000 || len(page) < 500_000 {
		t.Errorf("the page has %d bytes", len(page))
	}
	if n := strings.Count(page, `class="card"`); n != k {
		t.Errorf("%d cards, want %d", n, k)
	}
	if !strings.Contains(page, "The 24 of 100 features that set it apart most.") {
		t.Error("a card does not say what it leaves out")
	}
}

func TestCardsAreLeftOutWhereTheTableSaysAll(t *testing.T) {
	page := render(t, examplePage(t, 1000))
	for _, bad := range []string{"One by one", "Recency and frequency", "How many segments", "By all features", "Where the customers came from"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	s := wide(maxCards+1, 3)
	s.Rules = make([]Rule, maxCards+1)
	if page := render(t, &Page{Summary: s}); strings.Count(page, `class="card"`) != maxCards || !strings.Contains(page, "The 50 most important of 51 segments.") {
		t.Error("the page does not say that it leaves out a card")
	}
}

func TestHistogramsThatDoNotFitAreNotDrawn(t *testing.T) {
	edges := []float64{0, 1, 2}
	for name, h := range map[string]Histogram{
		"empty":       {},
		"no rows":     {edges, []int64{0, 0}, [][]int64{{0, 0}}},
		"other bins":  {edges, []int64{1, 2}, [][]int64{{1}}},
		"few edges":   {edges[:2], []int64{1, 2}, [][]int64{{1, 1}}},
		"empty group": {edges, []int64{1, 2}, [][]int64{{0, 0}}},
		"many bins":   {make([]float64, maxBins+2), make([]int64, maxBins+1), [][]int64{make([]int64, maxBins+1)}},
	} {
		var v miniView
		if len(h.Segments) == 0 {
			h.Segments = [][]int64{nil}
		}
		if h.draw(0, Column{}, &v); v.Own != "" || v.Base != "" {
			t.Errorf("%s: drawn as %q", name, v.Own)
		}
	}
	var v miniView
	(&Histogram{edges, []int64{3, 1}, [][]int64{{0, 2}}}).draw(0, Column{}, &v)
	if want := "M0 60V60H100V2H200V60Z"; v.Own != want {
		t.Errorf("got %q, want %q", v.Own, want)
	}
	if want := "M0 60V16.5H100V45.5H200V60Z"; v.Base != want {
		t.Errorf("got %q, want %q", v.Base, want)
	}
	if want := "Most customers of the segment, 100 %, have 1 to 2; of all customers 25 %."; v.Aloud != want {
		t.Errorf("got %q, want %q", v.Aloud, want)
	}
}
