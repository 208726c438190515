package segment

import (
	"fmt"
	"math"
	"slices"
)

// fifths is the number of scores that recency and frequency are cut into, as `coterie rfm` does.
const fifths = 5

// RFMGrid is how many customers have each recency and frequency score. Its indices are the scores less one: [4][4] are
// the customers who came last and come most often.
type RFMGrid struct {
	Counts [fifths][fifths]int64 // customers, by recency score and frequency score
	// Dominant is the segment to which most customers of a cell belong, the lower index of equals; -1 in an empty cell.
	Dominant [fifths][fifths]int
	Shares   [fifths][fifths]float64 // the part of a cell's customers who belong to Dominant, 0..1
}

// RFMColumns are the columns for an RFM grid; ok is false where the Summary lacks one of them.
func (s *Summary) RFMColumns() (recency, frequency int, ok bool) {
	recency, frequency = s.withRole(roleRecency), s.withRole(roleFrequency)
	return recency, frequency, recency >= 0 && frequency >= 0
}

// NewRFMGrid scores customers, or a sample of them, by their recency and frequency in the units of the input and counts
// them with their segments (of k). A score is 1 + ⌊5 × the share of customers who are strictly worse⌋, so that ties
// share it. All slices have one entry for each customer; customers with a NaN or without a segment are left out. Nil
// where none is left.
func NewRFMGrid(recency, frequency []float64, labels []int32, k int) *RFMGrid {
	var kept []int
	for i, l := range labels {
		if i < len(recency) && i < len(frequency) && !math.IsNaN(recency[i]) && !math.IsNaN(frequency[i]) && l >= 0 && int(l) < k {
			kept = append(kept, i)
		}
	}
	if len(kept) == 0 {
		return nil
	}
	r := scores(kept, func(i int) float64 { return -recency[i] }) // the more days ago, the worse
	f := scores(kept, func(i int) float64 { return frequency[i] })
	cells := make([][fifths][fifths]int64, k)
	g := &RFMGrid{}
	for n, i := range kept {
		cells[labels[i]][r[n]][f[n]]++
		g.Counts[r[n]][f[n]]++
	}
	for a := range fifths {
		for b := range fifths {
			g.Dominant[a][b] = -1
			most := int64(0)
			for l := range cells {
				if c := cells[l][a][b]; c > most {
					g.Dominant[a][b], most = l, c
				}
			}
			if most > 0 {
				g.Shares[a][b] = float64(most) / float64(g.Counts[a][b])
			}
		}
	}
	return g
}

// scores is for each of the kept customers the score less one of its value, of which more is better.
func scores(kept []int, value func(i int) float64) []int {
	sorted := make([]float64, len(kept))
	for n, i := range kept {
		sorted[n] = value(i)
	}
	slices.Sort(sorted)
	each := make([]int, len(kept))
	for n, i := range kept {
		worse, _ := slices.BinarySearch(sorted, value(i))
		each[n] = min(fifths*worse/len(sorted), fifths-1)
	}
	return each
}

// rfmView is the grid as the template shows it, the most recent customers on top.
type rfmView struct {
	Note string
	Rows []rfmRow
}

type rfmRow struct {
	Name, Hint string
	Cells      []rfmCell
}

type rfmCell struct {
	Count, Share  string
	Class         string // the shade, by count
	Index, Swatch int    // of the segment that most belong to; −1: none
	Name          string
}

// view is nil where the grid is empty.
func (g *RFMGrid) view(s *Summary) *rfmView {
	total, most := int64(0), int64(1)
	for _, row := range g.Counts {
		for _, c := range row {
			total += c
			most = max(most, c)
		}
	}
	if total <= 0 {
		return nil
	}
	v := &rfmView{}
	if total < s.Base.Count {
		v.Note = fmt.Sprintf("From a sample of %s customers.", count(total))
	}
	for r := fifths - 1; r >= 0; r-- {
		row := rfmRow{Name: fmt.Sprintf("recency %d", r+1)}
		switch r {
		case fifths - 1:
			row.Hint = "came last"
		case 0:
			row.Hint = "longest ago"
		}
		for f := range fifths {
			c := rfmCell{Count: count(g.Counts[r][f]), Class: "z", Index: -1}
			if n := g.Counts[r][f]; n > 0 {
				c.Class = fmt.Sprintf("q%d", min(4, int(4*n/most)))
			}
			if l := g.Dominant[r][f]; g.Counts[r][f] > 0 && l >= 0 && l < len(s.Segments) {
				v := s.segmentView(l)
				c.Index, c.Swatch, c.Name, c.Share = l, v.Swatch, v.Name, percent(g.Shares[r][f])
			}
			row.Cells = append(row.Cells, c)
		}
		v.Rows = append(v.Rows, row)
	}
	return v
}
