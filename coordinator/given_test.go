package coordinator

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/segment"
)

func TestGivenStartsComeFirstAndThoseLeftOfTheSeededOnesFollow(t *testing.T) {
	given := &kmeans.Centroids{K: 2, D: 1, Values: []float32{0, 10}}
	for _, c := range []struct{ seeded, want []float32 }{
		{[]float32{11, 50, 1}, []float32{0, 10, 50}},
		{[]float32{9, 11, 1, 30}, []float32{0, 10, 11, 30}}, // of equals the lower index has its own
		{[]float32{10, 0, 10}, []float32{0, 10, 10}},
		{[]float32{100, 200, 300}, []float32{0, 10, 300}},
	} {
		got := completed(given, &kmeans.Centroids{K: len(c.seeded), D: 1, Values: c.seeded})
		if got.K != len(c.want) || !slices.Equal(got.Values, c.want) {
			t.Errorf("seeded %v: got %v, want %v", c.seeded, got.Values, c.want)
		}
	}
}

// TestAFitGoesOnFromFewerStartsThanItHasSegments also holds that there are bounds, and that a transform is only kept for data
// that is read by its rules.
func TestAFitGoesOnFromFewerStartsThanItHasSegments(t *testing.T) {
	for _, c := range []struct {
		k, d int
		want error
	}{{3, 2, nil}, {segment.MaxMatch + 1, 2, ErrStart}, {3, 1, ErrStart}} {
		f := &Fit{options: FitOptions{K: c.k, Init: kmeans.InitParallel, Runs: 1}, space: &kmeans.Space{Grid: []int{0, 0}}, totals: &kmeans.Totals{}}
		f.options.Start = func(*feature.Transform) (*kmeans.Centroids, error) {
			return &kmeans.Centroids{K: 1, D: c.d, Values: make([]float32, c.d)}, nil
		}
		f.runs.batch = []*run{{number: 0, k: c.k}}
		if _, err := f.seed(); !errors.Is(err, c.want) || err == nil && (f.runs.batch[0].given == nil || f.runs.batch[0].ask == nil) {
			t.Errorf("%d segments, %d columns: %v", c.k, c.d, err)
		}
	}
	o := populationFit()
	o.Transform = &feature.Transform{Scale: feature.None, Missing: feature.Drop, Numeric: []feature.NumericColumn{{Name: "other"}}}
	if _, _, err := NewFit(Config{Manifest: newTown(t, 3).manifest, Workers: 1}, o); err == nil || fmt.Sprint(err) == "" {
		t.Error("a transform of other columns is kept")
	}
}
