package segment

import (
	"fmt"
	"io"
	"math"
	"strings"
)

const (
	tableWidth = 100 // terminal cells at most
	tableLeast = 40  // terminal cells at least: below, columns would have nothing to show
	tableName  = 30  // for the segment's name
	tableShort = 12  // for the name where width is scarce
	tableApart = 24  // for what sets it apart, taken from the name if need be
)

// Table writes the segments for a terminal, the most valuable first: number, name, size, share, share of the value
// where it is known, and what sets the segment apart. No line is wider than width cells, nor than 100; width 0
// means 100. Text from files cannot steer the terminal. The error is the Writer's.
func (s *Summary) Table(w io.Writer, width int) error {
	if width <= 0 || width > tableWidth {
		width = tableWidth
	}
	width = max(width, tableLeast)
	head := []string{"#", "segment", "size", "share"}
	if s.Value >= 0 {
		head = append(head, "value")
	}
	rows := [][]string{head}
	apart := [][]string{{"what sets it apart"}}
	for _, i := range s.ByValue() {
		rows, apart = append(rows, s.tableRow(i)), append(apart, s.apart(i))
	}
	rows, apart = append(rows, s.tableTotal()), append(apart, s.averages())
	_, err := io.WriteString(w, layout(rows, apart, width))
	return err
}

func (s *Summary) tableRow(i int) []string {
	g := &s.Segments[i]
	name := plain(g.Name)
	if name == "" {
		name = fmt.Sprintf("Segment %d", i)
	}
	row := []string{fmt.Sprint(i), fit(name, tableName), count(g.Count), percent(g.Share)}
	if s.Value >= 0 {
		row = append(row, percent(g.ValueShare))
	}
	return row
}

func (s *Summary) tableTotal() []string {
	row := []string{"", "all", count(s.Base.Count), percent(s.Base.Share)}
	if s.Value >= 0 {
		row = append(row, percent(s.Base.ValueShare))
	}
	return row
}

// averages is the whole base in words, for the last line; "typically" where logarithms were averaged.
func (s *Summary) averages() []string {
	parts := []string{"on average"}
	for j, c := range s.Columns {
		if c.Typical {
			parts[0] = "typically"
		}
		if !c.Share && !math.IsNaN(s.Base.Mean[j]) && len(parts) <= apartParts {
			words, unit := spoken(c.Name)
			parts = append(parts, strings.TrimSpace(words+" "+rough(s.Base.Mean[j])+" "+unit))
		}
	}
	if len(parts) == 1 {
		return []string{""}
	}
	parts[1] = parts[0] + " " + parts[1]
	return parts[1:]
}

// layout aligns the cells; what sets a segment apart takes what is left of the width, and the name gives way if that
// is too little.
func layout(rows, apart [][]string, width int) string {
	const gap, name = 2, 1
	widths := make([]int, len(rows[0]))
	left := width
	for c := range widths {
		for _, row := range rows {
			widths[c] = max(widths[c], cells.StringWidth(row[c]))
		}
		left -= widths[c] + gap
	}
	if left < tableApart {
		give := min(tableApart-left, max(widths[name]-tableShort, 0))
		widths[name] -= give
		left += give
	}
	var b strings.Builder
	for n, row := range rows {
		if n == 1 || n == len(rows)-1 {
			b.WriteString(strings.Repeat("─", width) + "\n")
		}
		var line strings.Builder
		for c, cell := range row {
			// Words stand left, numbers right.
			line.WriteString(pad(fit(cell, widths[c]), widths[c], c != name) + strings.Repeat(" ", gap))
		}
		line.WriteString(fitParts(apart[n], "; ", left))
		b.WriteString(strings.TrimRight(fit(line.String(), width), " ") + "\n")
	}
	return b.String()
}
