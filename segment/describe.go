package segment

import (
	"fmt"
	"math"
	"strings"
)

// describedFeatures is how many features Describe names.
const describedFeatures = 5

// Describe says a segment in a few lines for a terminal: size and value, medians against the base of the features that set it
// apart, its rule, the segment nearest to it, and customers near its centre where the Summary names any. Text from files
// cannot steer the terminal.
func (s *Summary) Describe(i int) string {
	g := &s.Segments[i]
	var b strings.Builder
	fmt.Fprintf(&b, "%d  %s: %s customers, %s", i, s.nameOf(i), count(g.Count), percent(g.Share))
	if s.Value >= 0 && !math.IsNaN(g.ValueShare) {
		fmt.Fprintf(&b, "; %s of the value", percent(g.ValueShare))
	}
	line := func(what, text string) { fmt.Fprintf(&b, "\n   %-8s  %s", what, text) }
	for n, text := range folded(s.medians(i), ", ", tableWidth-13) {
		line([]string{"medians", ""}[min(n, 1)], text)
	}
	if i < len(s.Rules) && s.Rules[i].Text != "" {
		r := &s.Rules[i]
		line("rule", r.Text)
		line("", fmt.Sprintf("%s of those who meet it are in the segment, %s of the segment meet it", percent(r.Precision), percent(r.Recall)))
	}
	if i < len(s.Nearest) && s.Nearest[i].Segment >= 0 {
		n := s.Nearest[i]
		line("nearest", fmt.Sprintf("%d %s, at %s", n.Segment, s.nameOf(n.Segment), number(n.Distance)))
	}
	if i < len(s.Examples) && len(s.Examples[i]) > 0 {
		var ids []string
		for _, e := range s.Examples[i] {
			ids = append(ids, plain(e.ID))
		}
		line("such as", strings.Join(ids, ", "))
	}
	return b.String()
}

// nameOf is a segment's name for people.
func (s *Summary) nameOf(i int) string {
	if name := plain(s.Segments[i].Name); name != "" {
		return fit(name, maxLabel)
	}
	return fmt.Sprintf("Segment %d", i)
}

// medians are those of the features that set a segment apart, with the base's in brackets.
func (s *Summary) medians(i int) (parts []string) {
	g := &s.Segments[i]
	if g.Median == nil || s.Base.Median == nil {
		return nil
	}
	for _, j := range s.standing(i) {
		c := s.Columns[j]
		if c.Share || math.IsNaN(g.Median[j]) || math.IsNaN(s.Base.Median[j]) {
			continue
		}
		words, unit := spoken(c.Name)
		parts = append(parts, strings.TrimSpace(fmt.Sprintf("%s %s %s", fit(words, maxLabel), rough(g.Median[j]), unit))+fmt.Sprintf(" (all %s)", rough(s.Base.Median[j])))
		if len(parts) == describedFeatures {
			break
		}
	}
	return parts
}

// folded joins parts into lines of at most width cells, where a part fits.
func folded(parts []string, separator string, width int) (lines []string) {
	for _, part := range parts {
		last := len(lines) - 1
		if last >= 0 && cells.StringWidth(lines[last]+separator+part) <= width {
			lines[last] += separator + part
			continue
		}
		if last >= 0 {
			lines[last] += strings.TrimRight(separator, " ")
		}
		lines = append(lines, part)
	}
	return lines
}
