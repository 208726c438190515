package pipeline

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

func TestNamesStayUnlessTheyAreAutomaticAndTheSegmentHasChanged(t *testing.T) {
	old := &model.Model{K: 4, LastID: 9, Segments: []model.Segment{{Index: 0, ID: "s1", Name: "Loyal"}, {Index: 1, ID: "s9", Name: "Lost"},
		{Index: 2, ID: "s3", Name: "Friends", Named: true}, {Index: 3, ID: "s4", Name: "Gone"}}}
	now := &model.Model{K: 5, Segments: []model.Segment{{Name: "Promising"}, {Name: "Lost"}, {Name: "New"}, {Name: "Promising"}, {Name: "Friends"}}}
	const near, far = 0.1, 0.9 // of the way to a neighbour
	l := &lastMonth{Model: old, matched: &segment.Matching{From: []int{0, 1, 2, -1, -1}, Way: []float64{near, far, far, 0, 0}}}
	want := []model.Segment{{Index: 0, ID: "s1", Name: "Loyal"}, {Index: 1, ID: "s9", Name: "Lost"}, {Index: 2, ID: "s3", Name: "Friends", Named: true},
		{Index: 3, ID: "s10", Name: "Promising"}, {Index: 4, ID: "s11", Name: "Friends 2"}}
	renamed := l.carry(now)
	if diff := cmp.Diff(want, now.Segments); diff != "" || now.LastID != 11 || !slices.Equal(renamed, make([]string, 5)) {
		t.Errorf("got the last id %d, renamed %q (-want +got):\n%s", now.LastID, renamed, diff)
	}
	// The same months, but the first has moved far, and its name is another now.
	now.Segments[0].Name, l.matched.Way[0] = "Sleeping", far
	if renamed := l.carry(now); renamed[0] != "Loyal" || now.Segments[0].Name != "Sleeping" || now.Segments[0].ID != "s1" {
		t.Errorf("got %+v, renamed %q, want Sleeping, which was Loyal", now.Segments[0], renamed)
	}
}
