package pipeline

import (
	"math"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/model"
)

func TestABaseHasPartsOfEqualSizeAndOneForAValueThatManyHave(t *testing.T) {
	var even, ones []float64
	for i := range 1000 {
		even = append(even, float64(i))
		ones = append(ones, float64(max(1, i-400))) // 402 ones
	}
	s := &model.Spread{Edges: edgesOf(even)}
	if got := countsIn(s, even); !slices.Equal(got, []float64{100, 100, 100, 100, 100, 100, 100, 100, 100, 100}) {
		t.Errorf("got parts of %v at %v", got, s.Edges)
	}
	s = &model.Spread{Edges: edgesOf(ones)}
	if got := countsIn(s, ones); len(s.Edges) == 0 || s.Edges[0] != 1.5 || got[0] != 402 {
		t.Errorf("got parts of %v at %v, want all ones in the first", got, s.Edges)
	}
	for _, values := range [][]float64{{}, {5}, slices.Repeat([]float64{3}, 100)} {
		if got := edgesOf(values); len(got) != 0 {
			t.Errorf("%v: got edges %v", values[:min(3, len(values))], got)
		}
	}
}

func TestTheStabilityIndexIsThatOfItsDefinition(t *testing.T) {
	for _, c := range []struct {
		then, now []float64
		want      float64
	}{
		{[]float64{0.5, 0.5}, []float64{10, 10}, 0},
		{[]float64{0.5, 0.5}, []float64{1, 3}, 0.25*math.Log(0.5/0.25) + 0.25*math.Log(0.75/0.5)},
		{[]float64{1, 0}, []float64{1, 1}, 0.5*math.Log(2) + (0.5-leastShare)*math.Log(0.5/leastShare)},
	} {
		if got := stabilityOf(c.then, c.now); got == nil || math.Abs(*got-c.want) > 1e-12 {
			t.Errorf("%v and %v: got %v, want %v", c.then, c.now, got, c.want)
		}
	}
	if stabilityOf([]float64{0}, []float64{1}) != nil || stabilityOf(nil, nil) != nil {
		t.Error("nothing has an index")
	}
	if got := stability(map[string]float64{"a": 1}, map[string]float64{"a": 0.5, "new": 0.5}); got == nil || *got < driftLimit {
		t.Errorf("a new level that half of the rows have gives %v", got)
	}
}
