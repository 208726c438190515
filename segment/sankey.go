package segment

import (
	"cmp"
	"fmt"
	"html/template"
	"math"
	"slices"
	"strings"
)

// The size of the picture of flows in SVG units, which are about pixels on a wide screen.
const (
	sankeyWidth  = 820.0
	sankeyTop    = 34.0
	sankeyLabels = 205.0 // on either side
	sankeyBar    = 14.0
	sankeyGap    = 10.0
	sankeyLine   = 19.0 // least distance between two labels
	sankeyNodes  = 14   // segments on either side: the others are one
	sankeyName   = 21   // terminal cells
	sankeyLeast  = 0.25 // the thinnest band
	sankeyTable  = 15   // lines of the table that stands for it on a telephone
)

// Sankey draws the flows between old and new segments as an SVG picture with its own words for who cannot see it, and a
// table that takes its place on a telephone. It needs the styles that all pages share. Names are escaped. Nothing is drawn where there
// are no customers.
func (m *Migration) Sankey() template.HTML {
	var b strings.Builder
	if v := m.sankey(); v != nil {
		if err := pages().ExecuteTemplate(&b, "sankey", v); err != nil {
			return "" // a builder does not fail, and the template is tested
		}
	}
	return template.HTML(b.String())
}

// sankeyView is the picture as the template draws it.
type sankeyView struct {
	Width, Height float64
	LeftX, RightX float64 // of the headings
	Aloud         string
	Bands         []bandView
	Nodes         []nodeView
	Lines         []flowLine
	Omitted       string
}

// bandView is one flow.
type bandView struct {
	Class, Path, Title string
	Opacity            float64
}

// nodeView is one segment on one side.
type nodeView struct {
	Class           string
	X, Y, W, H      float64
	TextX, TextY    float64
	Anchor          string
	Name, Customers string
}

// flowLine is one flow in the table.
type flowLine struct {
	From, To, Customers string
	rows                int64
}

// node is a segment, several, or those who have come or left, while it is placed.
type node struct {
	flowGroup
	label  string
	class  string
	rows   int64
	y, h   float64
	filled float64 // how much of the height has bands
}

// sankey places everything; nil if there are no customers.
func (m *Migration) sankey() *sankeyView {
	left, right := m.sides()
	total, most := int64(0), max(len(left), len(right))
	for _, n := range left {
		total += n.rows
	}
	if total == 0 {
		return nil
	}
	height := max(300, 26*float64(most)) + sankeyGap*float64(most)
	scale := (height - sankeyGap*float64(most)) / float64(total)
	v := &sankeyView{Width: sankeyWidth, Height: tenth(sankeyTop + height + 8), LeftX: sankeyLabels + sankeyBar, RightX: sankeyWidth - sankeyLabels - sankeyBar,
		Aloud: m.Lead()}
	if most > sankeyNodes {
		v.Omitted = fmt.Sprintf("The %d largest segments have a line of their own.", sankeyNodes)
	}
	stack(left, scale)
	stack(right, scale)
	m.bands(v, left, right, scale)
	v.Nodes = append(nodeViews(left, true), nodeViews(right, false)...)
	return v
}

// sides are the old and the new segments in the order in which they are drawn, and at the ends who has arrived and who has left.
func (m *Migration) sides() (left, right []*node) {
	from, to, restFrom, restTo := m.axes(sankeyNodes, sankeyNodes)
	next := m.GoesOn()
	for _, g := range flowGroups(from, restFrom, m.From) {
		class := "rest"
		if len(g.members) == 1 {
			i := g.members[0]
			class = fmt.Sprintf("f%d", m.fromSwatch(i, next))
		}
		left = append(left, &node{flowGroup: g, label: g.name, class: class, rows: peopleIn(m.From, g.members)})
	}
	for _, g := range flowGroups(to, restTo, m.To) {
		class := "rest"
		if len(g.members) == 1 {
			class = fmt.Sprintf("f%d", swatch(g.members[0]))
		}
		right = append(right, &node{flowGroup: g, label: g.name, class: class, rows: peopleIn(m.To, g.members)})
	}
	var arrived, gone int64
	for _, n := range m.Arrived {
		arrived += n
	}
	for _, n := range m.Left {
		gone += n
	}
	if arrived > 0 {
		left = append(left, &node{label: "New customers", class: "rest", rows: arrived})
	}
	if gone > 0 {
		right = append(right, &node{label: "Left", class: "rest", rows: gone})
	}
	return left, right
}

// fromSwatch is the colour of an old segment: that of the new one that goes on from it, or one that follows those.
func (m *Migration) fromSwatch(i int, next []int) int {
	if next[i] >= 0 {
		return swatch(next[i])
	}
	return swatch(len(m.To) + i)
}

// stack places the nodes of a side one below the other.
func stack(nodes []*node, scale float64) {
	y := sankeyTop
	for _, n := range nodes {
		n.y, n.h = y, float64(float64(n.rows)*scale)
		y += n.h + sankeyGap
	}
}

// bands draws the flows, each in the colour of where it comes from. On either side they lie in the order of the other one, so
// that they cross as little as can be.
func (m *Migration) bands(v *sankeyView, left, right []*node, scale float64) {
	next := m.GoesOn()
	ends := make([]float64, len(right))
	for _, a := range left {
		for k, b := range right {
			n := m.between(a, b)
			if n == 0 {
				continue
			}
			h := float64(float64(n) * scale)
			y0, y1 := a.y+a.filled, b.y+ends[k]
			a.filled, ends[k] = a.filled+h, ends[k]+h
			title := fmt.Sprintf("%s customers from %s to %s", count(n), fit(a.label, maxLabel), fit(b.label, maxLabel))
			opacity := 0.32
			if len(a.members) == 1 && len(b.members) == 1 && next[a.members[0]] == b.members[0] {
				title, opacity = fmt.Sprintf("%s customers stayed in %s", count(n), fit(b.label, maxLabel)), 0.55
			}
			v.Bands = append(v.Bands, bandView{Class: a.class, Path: band(y0, y1, max(h, sankeyLeast)), Title: title, Opacity: opacity})
			v.Lines = append(v.Lines, flowLine{fit(a.label, maxLabel), fit(b.label, maxLabel), count(n), n})
		}
	}
	slices.SortStableFunc(v.Lines, func(x, y flowLine) int { return cmp.Compare(y.rows, x.rows) })
	v.Lines = v.Lines[:min(len(v.Lines), sankeyTable)]
}

// between counts who went from one node to another.
func (m *Migration) between(a, b *node) int64 {
	switch {
	case a.members == nil && b.members == nil:
		return 0 // who has come and left is not known
	case a.members == nil:
		return sumAt(m.Arrived, b.members)
	case b.members == nil:
		return sumAt(m.Left, a.members)
	}
	return m.cell(a.members, b.members)
}

// band is the outline of a flow of height h from y0 on the left to y1 on the right.
func band(y0, y1, h float64) string {
	x0, x1 := sankeyLabels+sankeyBar, sankeyWidth-sankeyLabels-sankeyBar
	middle := (x0 + x1) / 2
	return fmt.Sprintf("M%v %vC%v %v %v %v %v %vV%vC%v %v %v %v %v %vZ", x0, hundredth(y0), middle, hundredth(y0), middle, hundredth(y1), x1, hundredth(y1),
		hundredth(y1+h), middle, hundredth(y1+h), middle, hundredth(y0+h), x0, hundredth(y0+h))
}

// hundredth is a coordinate to a hundredth of a unit: many thin bands lie side by side.
func hundredth(v float64) float64 { return math.Round(v*100) / 100 }

// nodeViews are the bars of a side with their labels, which keep a distance from each other.
func nodeViews(nodes []*node, left bool) []nodeView {
	views := make([]nodeView, len(nodes))
	for i, n := range nodes {
		views[i] = nodeView{Class: n.class, X: sankeyLabels, Y: hundredth(n.y), W: sankeyBar, H: hundredth(max(n.h, 1)), TextX: sankeyLabels - 8, Anchor: "end",
			Name: fit(n.label, sankeyName), Customers: count(n.rows), TextY: n.y + n.h/2}
		if !left {
			views[i].X, views[i].TextX, views[i].Anchor = sankeyWidth-sankeyLabels-sankeyBar, sankeyWidth-sankeyLabels+8, "start"
		}
		if i > 0 {
			views[i].TextY = max(views[i].TextY, views[i-1].TextY+sankeyLine)
		}
	}
	// What was pushed over the lower end goes up again, and pushes in its turn.
	for i := len(views) - 1; i >= 0; i-- {
		lowest := nodes[len(nodes)-1].y + nodes[len(nodes)-1].h
		if i < len(views)-1 {
			lowest = views[i+1].TextY - sankeyLine
		}
		views[i].TextY = tenth(min(views[i].TextY, max(lowest, sankeyTop)))
	}
	return views
}
