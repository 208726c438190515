package segment

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Column is one measured quantity of a Summary: a numeric input, or the share of rows at one level of a
// categorical input.
type Column struct {
	Name  string // the numeric column's name, or "column=level"
	Input string // the input column that it belongs to; equals Name for numeric columns
	Level string // the level of a categorical input; "" for numeric columns
	Share bool   // true for a level of a categorical input: means are shares of rows, 0..1
	// Typical is true where a model's centroid of logarithms was led back: Mean then holds a geometric mean, which lies
	// below the average, often far below.
	Typical bool
}

// Group is the figures of one segment, or of the whole base. Slices have one entry for each Column of the
// Summary; NaN means that nothing was measured.
type Group struct {
	Index      int       // the segment's index; -1 for the whole base
	ID         string    // the segment's stable id; "" if unknown
	Name       string    // the segment's name; "" if unknown
	Count      int64     // rows
	Share      float64   // Count over the base's Count, 0..1; 0 where the base is empty
	ValueShare float64   // this group's part of the base's total value, 0..1; NaN without a value column
	Mean       []float64 // in the units of the input
	Std        []float64 // population standard deviation in the units of the input; NaN where only a model is known
	Effect     []float64 // (mean − base mean) / spread, dimensionless; NaN where the spread is 0
	// Q1, Median and Q3 are quartiles in the units of the input, within a stated relative error; NaN for shares and where
	// only a model is known, or nil where none were asked for.
	Q1, Median, Q3 []float64
}

// Histogram is how the values of one numeric column are spread. Bin b holds values in [Edges[b], Edges[b+1]),
// the last one also its upper edge; a value nearer to an edge than a quartile's error may be counted on its other side.
type Histogram struct {
	Edges    []float64 // ascending, bins + 1 of them, in the units of the input
	Base     []int64   // rows by bin
	Segments [][]int64 // by segment index, rows by bin
}

// Rule describes a segment in a few conditions on the input columns, for people.
type Rule struct {
	Text      string  // "frequency ≥ 9 and recency_days < 40"; "" where nothing short describes the segment
	Precision float64 // the share of rows that meet it which are in the segment, 0..1
	Recall    float64 // the share of the segment's rows that meet it, 0..1
}

// Near is the segment whose centroid is nearest to another's.
type Near struct {
	Segment  int     // -1: there is no other
	Distance float64 // between centroids, in the scaled space; 1 − cos under cosine
}

// Example is a customer near the centre of its segment.
type Example struct {
	ID       string
	Distance float64
}

// Summary is what is known about all segments in the units of the input. It is read, never changed, by
// everything that renders it.
type Summary struct {
	Columns  []Column
	Base     Group
	Segments []Group // by index
	Value    int     // position in Columns of the value column; -1 = none
	Measured bool    // true from rows (effects in standard deviations of the base); false from the model alone
	// (effects in the spread between the segments, which is all that a model knows)

	Histograms []Histogram // by Column, zero for shares; nil: none
	Rules      []Rule      // by segment; nil: none
	Nearest    []Near      // by segment; nil: not known
	Examples   [][]Example // by segment, the nearest to the centre first; nil unless asked for
}

// withRole is the position of the first numeric column that plays a part, or -1.
func (s *Summary) withRole(r role) int {
	return slices.IndexFunc(s.Columns, func(c Column) bool { return !c.Share && roleOf(c.Name) == r })
}

// Rename gives the segments new names, by index, and ids where they have none.
func (s *Summary) Rename(names []string) {
	for i := range s.Segments {
		s.Segments[i].Name = names[i]
		if s.Segments[i].ID == "" {
			s.Segments[i].ID = fmt.Sprintf("s%d", i+1)
		}
	}
}

// DefaultValue is the column that holds what a customer is worth: the first numeric column whose name begins
// with "monetary", in any case; "" if there is none.
func DefaultValue(numeric []string) string {
	for _, name := range numeric {
		if roleOf(name) == roleMonetary {
			return name
		}
	}
	return ""
}

// ByValue gives the segments' indices, the most valuable first: by value share, or by size where no value is
// known; equals in index order.
func (s *Summary) ByValue() []int {
	order := make([]int, len(s.Segments))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		va, vb := s.worth(a), s.worth(b)
		switch {
		case va > vb:
			return -1
		case va < vb:
			return 1
		}
		return 0
	})
	return order
}

// worth is the sort key of ByValue.
func (s *Summary) worth(i int) float64 {
	if v := s.Segments[i].ValueShare; s.Value >= 0 && !math.IsNaN(v) {
		return v
	}
	return s.Segments[i].Share
}

// standing orders the columns of one segment by how much they set it apart, strongest first; columns without
// an effect are left out, equals stay in column order.
func (s *Summary) standing(segment int) []int {
	effect := s.Segments[segment].Effect
	var order []int
	for j := range s.Columns {
		if e := effect[j]; !math.IsNaN(e) && e != 0 {
			order = append(order, j)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int {
		x, y := math.Abs(effect[a]), math.Abs(effect[b])
		switch {
		case x > y:
			return -1
		case x < y:
			return 1
		}
		return 0
	})
	return order
}

// telling is standing down to an effect of atLeast, with one column for each input: levels of one categorical column
// say the same thing twice. A level that a segment has much of tells more than one that it lacks.
func (s *Summary) telling(segment int, atLeast float64) []int {
	effect := s.Segments[segment].Effect
	standing := s.standing(segment)
	for n, j := range standing {
		if math.Abs(effect[j]) < atLeast {
			standing = standing[:n]
			break
		}
	}
	chosen := map[string]int{} // input: place in order
	var order []int
	for _, j := range standing {
		place, taken := chosen[s.Columns[j].Input]
		switch {
		case !taken:
			chosen[s.Columns[j].Input] = len(order)
			order = append(order, j)
		case s.Columns[j].Share && effect[order[place]] < 0 && effect[j] > 0:
			order[place] = j
		}
	}
	return order
}

// setValueShares fills in every group's part of the total value. Without a value column, or where the total
// is not positive, a share has no meaning and is NaN.
func (s *Summary) setValueShares(total float64, each []float64) {
	s.Base.ValueShare = math.NaN()
	for i := range s.Segments {
		s.Segments[i].ValueShare = math.NaN()
	}
	if s.Value < 0 || !(total > 0) || math.IsInf(total, 0) {
		return
	}
	s.Base.ValueShare = 1
	for i := range s.Segments {
		s.Segments[i].ValueShare = each[i] / total
	}
}

// strongest keeps the maxFeatures columns in which some segment stands out most, in column order.
func (s *Summary) strongest(columns []int) []int {
	strength := make([]float64, len(s.Columns))
	for i := range s.Segments {
		for j, e := range s.Segments[i].Effect {
			if !math.IsNaN(e) {
				strength[j] = max(strength[j], math.Abs(e))
			}
		}
	}
	slices.SortStableFunc(columns, func(a, b int) int { return cmp.Compare(strength[b], strength[a]) })
	columns = columns[:min(len(columns), maxFeatures)]
	slices.Sort(columns)
	return columns
}
