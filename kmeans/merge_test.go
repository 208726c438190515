package kmeans

import (
	"slices"
	"testing"
)

func TestTheNearestCentroidsAreMerged(t *testing.T) {
	line := &Centroids{K: 4, D: 1, Values: []float32{0, 10, 11, 30}}
	for _, c := range []struct {
		k      int
		counts []int64
		want   []float32
	}{
		{4, []int64{1, 1, 1, 1}, []float32{0, 10, 11, 30}},
		{5, []int64{1, 1, 1, 1}, []float32{0, 10, 11, 30}},
		{3, []int64{1, 3, 1, 1}, []float32{0, 10.25, 30}},
		{3, []int64{1, 1000, 1000, 0}, []float32{0, 10, 11}}, // an empty one costs what a row does
		{2, []int64{1, 1, 1, 1}, []float32{7, 30}},
		{1, []int64{1, 1, 1, 1}, []float32{12.75}},
	} {
		if c.k == 3 && c.counts[3] == 0 {
			c.want = []float32{float32(10*1000+0*1) / 1001, 11, 30} // the one row at 0 costs 100, that at 30 361
		}
		if got := MergeNearest(line, c.counts, c.k); got.K != len(c.want) || !slices.Equal(got.Values, c.want) {
			t.Errorf("k = %d, counts %v: got %v, want %v", c.k, c.counts, got.Values, c.want)
		}
	}
	if !slices.Equal(line.Values, []float32{0, 10, 11, 30}) {
		t.Errorf("what was given has changed: %v", line.Values)
	}
}
