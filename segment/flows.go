package segment

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The width of the table of moves in terminal cells.
const (
	flowsWidth  = 100 // where the terminal's is not known
	flowsName   = 24  // of an old segment's name
	flowsColumn = 16  // of a new segment's name, at most
	flowsLeast  = 9   // of it where the width is scarce: below, it would say nothing
	flowsRows   = 40  // old segments: the others are added up
)

// flowsHead stands over the old segments and beside the new ones.
const flowsHead = "was ↓   is →"

// label is the name of a segment for people.
func (f *Flow) label() string {
	if name := plain(f.Name); strings.TrimSpace(name) != "" {
		return name
	}
	return fmt.Sprintf("Segment %d", f.Segment)
}

// numbered is a label behind the segment's index, unless it says the index itself.
func (f *Flow) numbered() string {
	if f.label() == fmt.Sprintf("Segment %d", f.Segment) {
		return f.label()
	}
	return fmt.Sprintf("%d %s", f.Segment, f.label())
}

// Lead says in one or two sentences how many have stayed, moved, left and come.
func (m *Migration) Lead() string {
	shared, stayed := m.Shared(), m.Stayed()
	before, arrived := shared, int64(0)
	for _, n := range m.Left {
		before += n
	}
	for _, n := range m.Arrived {
		arrived += n
	}
	text := fmt.Sprintf("Of %s customers %s (%s) are still here: %s (%s) in their segment, %s (%s) in another one.", count(before),
		count(shared), percent(partOf(shared, before)), count(stayed), percent(partOf(stayed, shared)), count(m.Moved), percent(partOf(m.Moved, shared)))
	return text + fmt.Sprintf(" %s left, and %s came.", count(before-shared), count(arrived))
}

func partOf(part, whole int64) float64 {
	if whole == 0 {
		return 0
	}
	return float64(part) / float64(whole)
}

// Balance says how many went up and down, and what they are worth; "" where that is not known.
func (m *Migration) Balance() string {
	if m.Up == nil || m.Down == nil {
		return ""
	}
	say := func(t *Total, way string) string {
		text := fmt.Sprintf("%s moved %s", count(t.Rows), way)
		if t.Value != nil && t.Rows > 0 {
			text += fmt.Sprintf(" (worth %s)", rough(*t.Value))
		}
		return text
	}
	return say(m.Down, "down") + ", " + say(m.Up, "up") + "."
}

// FlowWords says one of the Flows in words.
func (m *Migration) FlowWords(f *Move) string {
	from, to := &m.From[f.From], &m.To[f.To]
	text := fmt.Sprintf("%s of %s, now %s", percent(partOf(f.Rows, from.Rows)), fit(from.label(), maxLabel), fit(to.label(), maxLabel))
	var more []string
	if f.Change == Up || f.Change == Down {
		more = append(more, f.Change)
	}
	if f.Value != nil {
		more = append(more, "worth "+rough(*f.Value))
	}
	if more != nil {
		text += " (" + strings.Join(more, ", ") + ")"
	}
	return text
}

// axes are the segments in the order in which they are shown: the old by index, and each new one at the place of the one
// that it goes on from, so that who stays stands on the diagonal; those that are new come last. Of more than most segments the
// largest stay; what is left out is given as rest.
func (m *Migration) axes(mostFrom, mostTo int) (from, to, restFrom, restTo []int) {
	for i := range m.From {
		from = append(from, i)
	}
	for _, j := range m.GoesOn() {
		if j >= 0 {
			to = append(to, j)
		}
	}
	for j, i := range m.Match {
		if i < 0 {
			to = append(to, j)
		}
	}
	// A segment and the one that it goes on from count as one, so that both stay or neither does.
	fromSize, toSize := make([]int64, len(m.From)), make([]int64, len(m.To))
	for i := range m.From {
		fromSize[i] = m.From[i].Rows
	}
	for j, i := range m.Match {
		toSize[j] = m.To[j].Rows
		if i >= 0 {
			toSize[j] = max(toSize[j], fromSize[i])
			fromSize[i] = toSize[j]
		}
	}
	from, restFrom = largestOf(from, fromSize, mostFrom)
	to, restTo = largestOf(to, toSize, mostTo)
	return from, to, restFrom, restTo
}

// largestOf keeps the order of the largest.
func largestOf(order []int, size []int64, most int) (kept, rest []int) {
	if len(order) <= most {
		return order, nil
	}
	bySize := slices.Clone(order)
	slices.SortStableFunc(bySize, func(a, b int) int { return cmp.Compare(size[b], size[a]) })
	in := make(map[int]bool, most)
	for _, i := range bySize[:most] {
		in[i] = true
	}
	for _, i := range order {
		if in[i] {
			kept = append(kept, i)
		} else {
			rest = append(rest, i)
		}
	}
	return kept, rest
}

// cell adds up the customers who went from one of some old segments to one of some new ones.
func (m *Migration) cell(from, to []int) (n int64) {
	for _, i := range from {
		for _, j := range to {
			n += m.Matrix[i][j]
		}
	}
	return n
}

func sumAt(of []int64, at []int) (n int64) {
	for _, i := range at {
		n += of[i]
	}
	return n
}

func peopleIn(of []Flow, at []int) (n int64) {
	for _, i := range at {
		n += of[i].Rows
	}
	return n
}

// flowGroup is some segments that share a line or a column, and its heading.
type flowGroup struct {
	members []int
	name    string
}

// flowGroups is one flowGroup for each segment that is shown, and one for all others.
func flowGroups(shown, rest []int, flows []Flow) (groups []flowGroup) {
	for _, i := range shown {
		groups = append(groups, flowGroup{[]int{i}, flows[i].numbered()})
	}
	if rest != nil {
		groups = append(groups, flowGroup{rest, fmt.Sprintf("%s others", count(int64(len(rest))))})
	}
	return groups
}

// Table writes the matrix for a terminal: a line for each old segment, a column for each new one, who has left and who
// has arrived, and the totals. No line is wider than width cells; width 0 means 100. Where the segments are too many for it, the
// smallest are added up. The error is the Writer's.
func (m *Migration) Table(w io.Writer, width int) error {
	if width <= 0 {
		width = flowsWidth
	}
	width = max(width, tableLeast)
	names := cells.StringWidth(flowsHead)
	var left, before int64
	for i := range m.From {
		names = max(names, min(cells.StringWidth(m.From[i].numbered()), flowsName))
		left, before = left+m.Left[i], before+m.From[i].Rows
	}
	room := width - names - max(len("left"), len(count(left))) - max(len("before"), len(count(before))) - len("stay") - 3*2
	rows := m.tableRows(max(1, room/(flowsLeast+2)))
	column := max(flowsLeast, min(flowsColumn, room/(len(rows[0])-4)-2))
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for c, text := range row {
			most := column
			if c == 0 {
				most = flowsName
			}
			widths[c] = max(widths[c], min(cells.StringWidth(text), most))
		}
	}
	total := -2
	for _, n := range widths {
		total += n + 2
	}
	var b strings.Builder
	for n, row := range rows {
		if n == 1 || n == len(rows)-2 {
			b.WriteString(strings.Repeat("─", min(total, width)) + "\n")
		}
		var line strings.Builder
		for c, text := range row {
			line.WriteString(pad(fit(text, widths[c]), widths[c], c > 0) + "  ")
		}
		b.WriteString(strings.TrimRight(fit(strings.TrimRight(line.String(), " "), width), " ") + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// tableRows is the cells of Table, with at most so many columns for new segments.
func (m *Migration) tableRows(most int) [][]string {
	if most < len(m.To) {
		most = max(1, most-1) // the others have a column, too
	}
	fromShown, toShown, fromRest, toRest := m.axes(flowsRows, most)
	from, to := flowGroups(fromShown, fromRest, m.From), flowGroups(toShown, toRest, m.To)
	head := []string{flowsHead}
	for _, g := range to {
		head = append(head, g.name)
	}
	rows := [][]string{append(head, "left", "before", "stay")}
	next := m.GoesOn()
	for _, g := range from {
		row := []string{g.name}
		for _, h := range to {
			row = append(row, count(m.cell(g.members, h.members)))
		}
		before, stay := peopleIn(m.From, g.members), int64(0)
		for _, i := range g.members {
			if next[i] >= 0 {
				stay += m.Matrix[i][next[i]]
			}
		}
		rows = append(rows, append(row, count(sumAt(m.Left, g.members)), count(before), percent(partOf(stay, before))))
	}
	arrived, now := []string{"arrived"}, []string{"now"}
	var all, left int64
	for _, h := range to {
		arrived, now = append(arrived, count(sumAt(m.Arrived, h.members))), append(now, count(peopleIn(m.To, h.members)))
	}
	for i := range m.From {
		all, left = all+m.From[i].Rows, left+m.Left[i]
	}
	return append(rows, append(arrived, "", "", ""), append(now, count(left), count(all), percent(partOf(m.Stayed(), all))))
}
