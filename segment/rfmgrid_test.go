package segment

import (
	"math"
	"strings"
	"testing"
)

func TestRFMGridScoresAsTheRFMTableDoes(t *testing.T) {
	recency, frequency := []float64{50, 40, 30, 20, 10, 10, math.NaN(), 1}, []float64{1, 1, 1, 2, 9, 9, 1, 1}
	g := NewRFMGrid(recency, frequency, []int32{0, 0, 1, 1, 1, 0, 0, -1}, 2)
	// Of six customers: recency scores 1, 1, 2, 3, 4, 4 and frequency scores 1, 1, 1, 3, 4, 4.
	want := [5][5]int64{{2}, {1}, {0, 0, 1}, {0, 0, 0, 2}}
	if g.Counts != want {
		t.Errorf("got %v, want %v", g.Counts, want)
	}
	for _, c := range []struct {
		r, f, segment int
		share         float64
	}{{0, 0, 0, 1}, {1, 0, 1, 1}, {3, 3, 0, 0.5}, {4, 4, -1, 0}} {
		if g.Dominant[c.r][c.f] != c.segment || g.Shares[c.r][c.f] != c.share {
			t.Errorf("cell %d, %d: got segment %d with %v, want %d with %v", c.r, c.f, g.Dominant[c.r][c.f], g.Shares[c.r][c.f], c.segment, c.share)
		}
	}
}

func TestRFMGridOfNobodyIsNil(t *testing.T) {
	for name, g := range map[string]*RFMGrid{
		"no rows":    NewRFMGrid(nil, nil, nil, 3),
		"no labels":  NewRFMGrid([]float64{1}, []float64{1}, []int32{-1}, 3),
		"no numbers": NewRFMGrid([]float64{math.NaN()}, []float64{1}, []int32{0}, 3),
		"short":      NewRFMGrid([]float64{1}, nil, []int32{0, 1}, 3),
	} {
		if g != nil {
			t.Errorf("%s: got %v", name, g.Counts)
		}
	}
	if page := render(t, &Page{Summary: wide(2, 2), RFM: &RFMGrid{}}); strings.Contains(page, "Recency and frequency") {
		t.Error("an empty grid is on the page")
	}
}

func TestRFMGridOnThePageHasTheBestOnTop(t *testing.T) {
	g := &RFMGrid{}
	g.Counts[4][4], g.Dominant[4][4], g.Shares[4][4] = 1200, 1, 0.75
	g.Counts[0][0], g.Dominant[0][0] = 10, 99 // of another model: no badge, and no panic
	v := g.view(wide(2, 2))
	if c := v.Rows[0].Cells[4]; c.Count != "1,200" || c.Index != 1 || c.Share != "75 %" || c.Class != "q4" {
		t.Errorf("the best cell: got %+v", c)
	}
	if c := v.Rows[4].Cells[0]; c.Count != "10" || c.Index != -1 || c.Class != "q0" {
		t.Errorf("the worst cell: got %+v", c)
	}
	if c := v.Rows[2].Cells[2]; c.Count != "0" || c.Class != "z" {
		t.Errorf("an empty cell: got %+v", c)
	}
}
