package segment

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/model"
)

// TestWeightsChangeNothingOfWhatAModelSaysOfItsSegments holds two models of the same customers: one with a weight, under
// which coordinates are twice as large.
func TestWeightsChangeNothingOfWhatAModelSaysOfItsSegments(t *testing.T) {
	of := func(weight, factor float32) *Summary {
		return FromModel(&model.Model{K: 2, Metric: model.Euclidean, Counts: []int64{30, 10}, Rows: 40, Segments: model.NewSegments(2),
			Centroids: []float32{-0.5 * factor, 1.5 * factor},
			Transform: &feature.Transform{Scale: feature.Standard, Missing: feature.Fail,
				Numeric: []feature.NumericColumn{{Name: "age", Center: 40, Spread: 10, Weight: float64(weight)}}}})
	}
	want, got := of(0, 1), of(2, 2)
	for i := range want.Segments {
		if diff := cmp.Diff(want.Segments[i].Effect, got.Segments[i].Effect); diff != "" {
			t.Errorf("effects of segment %d (-without +with):\n%s", i, diff)
		}
		if diff := cmp.Diff(want.Segments[i].Mean, got.Segments[i].Mean); diff != "" {
			t.Errorf("means of segment %d (-without +with):\n%s", i, diff)
		}
	}
}
