package segment

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
)

func squared(a, b []float32) float32 {
	sum := 0.0
	for i := range a {
		d := float64(a[i]) - float64(b[i])
		sum += float64(d * d)
	}
	return float32(sum)
}

func TestNearestGivesTiesToTheLowestIndex(t *testing.T) {
	for _, c := range []struct {
		name          string
		centroids     []float32
		first, second int
	}{
		{"plain", []float32{9, 9, 1, 0, 0, 3}, 1, 2},
		{"all equal", []float32{1, 0, 0, 1, -1, 0}, 0, 1},
		{"second equal", []float32{2, 0, 0, 0, 0, 2}, 1, 0},
		{"one", []float32{5, 5}, 0, -1},
	} {
		first, second := Nearest([]float32{0, 0}, c.centroids, squared)
		if first.Segment != c.first || second.Segment != c.second {
			t.Errorf("%s: got %d and %d, want %d and %d", c.name, first.Segment, second.Segment, c.first, c.second)
		}
	}
	if first, _ := Nearest([]float32{0, 0}, []float32{3, 4}, squared); first.Distance() != 5 {
		t.Errorf("distance %v, want 5", first.Distance())
	}
}

func TestPullsAddUpToTheDifferenceOfTheDistances(t *testing.T) {
	m := fitted(t, 2000)
	labels, b := customers(50, 9)
	d := m.Width()
	columns := make([][]float32, d)
	for j := range columns {
		columns[j] = make([]float32, b.Rows)
	}
	if _, err := m.Transform.Apply(b, columns, make([]bool, b.Rows)); err != nil {
		t.Fatal(err)
	}
	for i := range labels {
		point := make([]float32, d)
		for j := range point {
			point[j] = columns[j][i]
		}
		values := map[string]any{"gender": string(b.Text[0].At(i)), "education": string(b.Text[1].At(i))}
		for j, name := range numericColumns {
			values[name] = b.Numeric[j][i]
		}
		first, second := Nearest(point, m.Centroids, squared)
		because := Explain(point, m.Centroids, first.Segment, second.Segment, m.Transform, values)
		sum := 0.0
		for n, bc := range because {
			sum += bc.Pull
			if n > 0 && math.Abs(bc.Pull) > math.Abs(because[n-1].Pull) {
				t.Errorf("row %d: %v stands after %v", i, bc, because[n-1])
			}
			if bc.Feature == "gender" && (bc.Value != values["gender"] || bc.Centroid < 0.2 || bc.Centroid > 0.8) {
				t.Errorf("row %d: %+v is not the share of %v", i, bc, values["gender"])
			}
		}
		if want := float64(second.Squared) - float64(first.Squared); math.Abs(sum-want) > 1e-4*(1+want) {
			t.Errorf("row %d: pulls add up to %v, want %v", i, sum, want)
		}
		if len(because) != 7 {
			t.Errorf("row %d: %d reasons, want one for each feature", i, len(because))
		}
	}
}

func TestExplainSaysMissingValuesAndStaysJSON(t *testing.T) {
	tr := &feature.Transform{Scale: feature.None, Missing: feature.Indicator,
		Numeric:     []feature.NumericColumn{{Name: "huge", Log1p: true, Spread: 1, Indicator: &feature.Grid{}}},
		Categorical: []feature.CategoricalColumn{{Name: "c", Levels: []feature.Level{{Value: "a"}, {Value: "b"}}, Missing: &feature.Grid{}}}}
	centroids := []float32{1000, 1, 0, 0.25, 0.75, 0, 0, 1, 0, 0}
	point := []float32{1000, 1, 0, 0, 1}
	got := Explain(point, centroids, 0, 1, tr, nil)
	want := []Because{{"huge", nil, math.MaxFloat64, 1000001}, {"c", nil, 0.75, 1 + 1 - 0.0625 - 0.0625}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("because (-want +got):\n%s", diff)
	}
	if _, err := json.Marshal(got); err != nil {
		t.Error(err)
	}
	if alone := Explain(point, centroids, 0, -1, tr, map[string]any{"c": "b"}); alone[0].Feature != "c" || alone[0].Centroid != 0.25 {
		t.Errorf("with one segment: %+v", alone)
	}
}
