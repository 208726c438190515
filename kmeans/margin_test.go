package kmeans

import (
	"slices"
	"testing"
)

// Random rows are seldom as near to a change of their label as the error of a distance is wide. These are.
func TestBoundsHoldWhereALabelHangsOnTheLastBit(t *testing.T) {
	for name, c := range map[string]struct{ before, after float32 }{
		"a tie that one unit in the last place breaks":   {1, 1 - 0x1p-24},
		"a tie that two units break":                     {1, 1 - 0x1p-23},
		"a lead that is just overtaken":                  {1 + 0x1p-10, 1 - 0x1p-20},
		"a lead that is overtaken by the last unit":      {1 + 0x1p-10, 1 - 0x1p-24},
		"a lead of a unit, and the other where it leads": {1 + 0x1p-23, 1 - 0x1p-24},
	} {
		for _, a := range []Algorithm{Hamerly, Activity, Auto} {
			// A row between two centroids, and far from it rows of both that keep them company.
			p, err := PointsFromRows([]float32{0, -1, -1, 1, 1}, 5, 1, nil)
			if err != nil {
				t.Fatal(err)
			}
			run := newPasses(p, a, 2)
			run.to(&Centroids{K: 2, D: 1, Values: []float32{-1, c.before}})
			if got := run.track.Labels[0]; got != 0 {
				t.Fatalf("%s: the row has the label %d before, want 0", name, got)
			}
			run.to(&Centroids{K: 2, D: 1, Values: []float32{-1, c.after}})
			if want := []uint16{1, 0, 0, 1, 1}; !slices.Equal(run.track.Labels, want) {
				t.Errorf("%s, %s: got labels %v, want %v", a, name, run.track.Labels, want)
			}
		}
	}
}

// Which rows refill empty clusters is promised: the farthest, wherever they were found.
func TestOfAllRowsTheFarthestAreKept(t *testing.T) {
	whole := NewFarthest(2)
	for _, distance := range []float32{3, 9, 1, 7, 8, 2} {
		part := NewFarthest(2)
		part.rows = []Far{{Distance: distance, Weight: 1, Point: []float32{distance}}}
		whole.Merge(part)
	}
	if rows := whole.Rows(); len(rows) != 2 || rows[0].Distance != 9 || rows[1].Distance != 8 {
		t.Errorf("got %v, want the rows at 9 and 8", rows)
	}
}
