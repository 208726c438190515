package segment

import (
	"fmt"
	"html/template"
	"io"
	"math"
	"strconv"
)

// Limits of the page of moves.
const (
	flowsHeat  = 24  // segments on either side of the matrix
	flowsTable = 100 // segments in the table of who came and went
	flowsLabel = 40  // terminal cells of a name in a table
)

// FlowsPage is one self-contained HTML page about who has moved: no script, no network. It reads in light and dark, on
// paper, on a telephone and aloud.
type FlowsPage struct {
	Title     string
	Sub       string // what is compared: "2026-09 → 2026-10"
	Migration *Migration
}

// Render writes the page. Names come from files: they are escaped wherever they stand. The error is the Writer's.
func (p *FlowsPage) Render(w io.Writer) error {
	return writePage(w, "flows.html", p.view())
}

// flowsView is everything that the template shows, as text and numbers.
type flowsView struct {
	Title, Sub, Lead, Balance, Matched string
	Sankey                             template.HTML
	Moves                              []flowView
	Columns                            []flowHead
	Rows                               []flowRow
	Arrived, Now                       []string
	AllLeft, All, AllStay              string
	GridWidth                          int
	Omitted                            string
	Balances                           []balanceRow
	BalanceOmitted                     string
}

// flowView is one of the largest moves in words.
type flowView struct{ Customers, Words string }

// flowHead is the heading of a line or a column of the matrix.
type flowHead struct {
	Badge  string // the segment's number; "": several segments
	Swatch int
	Name   string
}

// flowRow is a line of the matrix.
type flowRow struct {
	flowHead
	Cells              []flowCell
	Left, Before, Stay string
}

// flowCell is one cell: customers, and their share of the old segment.
type flowCell struct{ Customers, Share, Class string }

// balanceRow is how one segment has grown or shrunk.
type balanceRow struct {
	flowHead
	Before, Left, Away, In, Arrived, Now, Change string
}

func (p *FlowsPage) view() *flowsView {
	m := p.Migration
	v := &flowsView{Title: plain(p.Title), Sub: plain(p.Sub), Lead: m.Lead(), Balance: m.Balance(), Sankey: m.Sankey(),
		Matched: "Segments are matched so that as many customers as possible have stayed in theirs."}
	if m.MatchedBy == MatchedByIDs {
		v.Matched = "Segments are matched by their ids, which they keep from model to model."
	}
	for i := range m.Flows {
		v.Moves = append(v.Moves, flowView{count(m.Flows[i].Rows), m.FlowWords(&m.Flows[i])})
	}
	v.matrix(m)
	v.balances(m)
	return v
}

// matrix fills in the heat map of who was where and is where.
func (v *flowsView) matrix(m *Migration) {
	fromShown, toShown, fromRest, toRest := m.axes(flowsHeat, flowsHeat)
	from, to := flowGroups(fromShown, fromRest, m.From), flowGroups(toShown, toRest, m.To)
	next := m.GoesOn()
	v.GridWidth = 150 + 96*(len(to)+3)
	if fromRest != nil || toRest != nil {
		v.Omitted = fmt.Sprintf("The %d largest segments have a line of their own.", flowsHeat)
	}
	for _, h := range to {
		v.Columns = append(v.Columns, m.head(&h, m.To, nil))
		v.Arrived, v.Now = append(v.Arrived, count(sumAt(m.Arrived, h.members))), append(v.Now, count(peopleIn(m.To, h.members)))
	}
	var left, all int64
	for _, g := range from {
		row := flowRow{flowHead: m.head(&g, m.From, next), Left: count(sumAt(m.Left, g.members))}
		before, stay := peopleIn(m.From, g.members), int64(0)
		for _, h := range to {
			n := m.cell(g.members, h.members)
			stays := len(g.members) == 1 && len(h.members) == 1 && next[g.members[0]] == h.members[0]
			row.Cells = append(row.Cells, flowCell{count(n), percent(partOf(n, before)), flowClass(partOf(n, before), stays)})
		}
		for _, i := range g.members {
			if next[i] >= 0 {
				stay += m.Matrix[i][next[i]]
			}
		}
		row.Before, row.Stay = count(before), percent(partOf(stay, before))
		v.Rows = append(v.Rows, row)
		left, all = left+sumAt(m.Left, g.members), all+before
	}
	v.AllLeft, v.All, v.AllStay = count(left), count(all), percent(partOf(m.Stayed(), all))
}

// head is the heading of a group of segments of one side; next is nil for the new side.
func (m *Migration) head(g *flowGroup, flows []Flow, next []int) flowHead {
	if len(g.members) != 1 {
		return flowHead{Name: g.name}
	}
	i := g.members[0]
	h := flowHead{Badge: strconv.Itoa(flows[i].Segment), Swatch: swatch(i), Name: fit(flows[i].label(), flowsLabel)}
	if next != nil {
		h.Swatch = m.fromSwatch(i, next)
	}
	return h
}

// flowClass is the colour of a cell: blue where customers stay, orange where they move, in five steps, the last from a half
// or a quarter of the old segment on.
func flowClass(share float64, stays bool) string {
	full, side := 0.25, "p"
	if stays {
		full, side = 1, "n"
	}
	step := int(math.Ceil(min(share, full) / full * 5))
	if step == 0 {
		return "z"
	}
	return side + strconv.Itoa(step)
}

// balances fills in who came and went, by segment: first those there are, then those that are gone.
func (v *flowsView) balances(m *Migration) {
	next := m.GoesOn()
	add := func(i, j int) {
		var row balanceRow
		var before, left, away, in, arrived, now, stay int64
		if i >= 0 {
			row.flowHead = m.head(&flowGroup{members: []int{i}}, m.From, next)
			before, left = m.From[i].Rows, m.Left[i]
		}
		if j >= 0 {
			row.flowHead = m.head(&flowGroup{members: []int{j}}, m.To, nil)
			now, arrived = m.To[j].Rows, m.Arrived[j]
		}
		if i >= 0 && j >= 0 {
			stay = m.Matrix[i][j]
		}
		away, in = before-left-stay, now-arrived-stay
		row.Before, row.Left, row.Away, row.In, row.Arrived, row.Now = count(before), lessThan(left), lessThan(away), more(in), more(arrived), count(now)
		switch {
		case i < 0:
			row.Change = "new"
		case j < 0:
			row.Change = "gone"
		default:
			row.Change = grown(before, now)
		}
		v.Balances = append(v.Balances, row)
	}
	for j, i := range m.Match {
		add(i, j)
	}
	for i, j := range next {
		if j < 0 {
			add(i, -1)
		}
	}
	if n := len(v.Balances); n > flowsTable {
		v.Balances = v.Balances[:flowsTable]
		v.BalanceOmitted = fmt.Sprintf("The first %d of %s segments.", flowsTable, count(int64(n)))
	}
}

func lessThan(n int64) string {
	if n == 0 {
		return "0"
	}
	return minus + count(n)
}

func more(n int64) string {
	if n == 0 {
		return "0"
	}
	return "+" + count(n)
}

// grown is a change of size, with its sign.
func grown(before, now int64) string {
	switch {
	case before == now:
		return "0 %"
	case before == 0:
		return "–"
	}
	change := float64(now-before) / float64(before)
	if change > 0 {
		return "+" + percent(change)
	}
	return minus + percent(-change)
}
