package segment

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/model"
)

// placed is a model of centroids on a line, in units of the input, with so many rows each.
func placed(center, spread float64, at []float64, rows ...int64) *model.Model {
	t := &feature.Transform{Scale: feature.Standard, Missing: feature.Fail, Numeric: []feature.NumericColumn{{Name: "x", Center: center, Spread: spread,
		Grid: feature.Grid{Exponent: -30}}}}
	m := &model.Model{K: len(at), Metric: model.Euclidean, Transform: t, Segments: model.NewSegments(len(at))}
	for i, x := range at {
		m.Centroids = append(m.Centroids, float32((x-center)/spread))
		n := int64(100)
		if rows != nil {
			n = rows[i]
		}
		m.Counts = append(m.Counts, n)
		m.Rows += n
	}
	return m
}

func TestSegmentsAreMatchedByTheirCentroids(t *testing.T) {
	for _, c := range []struct {
		name     string
		old, now *model.Model
		from     []int
		splits   []Split
		merges   []Merge
	}{
		{"another order, and scaled otherwise", placed(0, 1, []float64{0, 10, 20}), placed(5, 2, []float64{21, 1, 9}), []int{2, 0, 1}, nil, nil},
		{"one dies, another is born", placed(0, 1, []float64{0, 10, 20}), placed(0, 1, []float64{0, 10, 90}), []int{0, 1, -1}, nil, nil},
		{"one segment goes on wherever it is", placed(0, 1, []float64{0}), placed(0, 1, []float64{50}), []int{0}, nil, nil},
		{"a split", placed(0, 1, []float64{0, 10, 20}, 100, 200, 100), placed(0, 1, []float64{0, 7, 20, 13}, 100, 110, 100, 90),
			[]int{0, 1, 2, -1}, []Split{{1, []int{1, 3}}}, nil},
		{"a new segment beside one that stays as it was is no split", placed(0, 1, []float64{0, 10, 20}), placed(0, 1, []float64{0, 10, 20, 14}),
			[]int{0, 1, 2, -1}, nil, nil},
		{"a merge", placed(0, 1, []float64{0, 7, 20, 13}, 100, 110, 100, 90), placed(0, 1, []float64{0, 10, 20}, 100, 200, 100),
			[]int{0, 1, 2}, nil, []Merge{{[]int{1, 3}, 1}}},
	} {
		g, err := Match(c.old, c.now, nil)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&Matching{From: c.from, Splits: c.splits, Merges: c.merges}, &Matching{From: g.From, Splits: g.Splits, Merges: g.Merges}); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", c.name, diff)
		}
		for j, i := range g.From {
			want := math.NaN()
			if i >= 0 {
				want = math.Abs(c.old.CentroidInput(i)[0]-c.now.CentroidInput(j)[0]) / c.old.Transform.Numeric[0].Spread
			}
			if got := g.Distance[j]; !(math.Abs(got-want) < 1e-5) && !(got != got && want != want) {
				t.Errorf("%s: segment %d: distance %v, want %v", c.name, j, got, want)
			}
		}
	}
}

func TestSegmentsAreMatchedByTheirCustomers(t *testing.T) {
	old := placed(0, 1, []float64{0, 10, 20})
	now := placed(0, 1, []float64{5, 15, 26}) // none has stayed
	for _, c := range []struct {
		name    string
		overlap *Overlap
		from    []int
		splits  []Split
		merges  []Merge
	}{
		{"customers lead, centroids do not", &Overlap{[][]int64{{1, 90, 0}, {0, 5, 80}, {70, 0, 9}}, []int64{9, 9, 9}, []int64{5, 5, 5}}, []int{2, 0, 1}, nil, nil},
		{"most customers in all, not the largest pair", &Overlap{[][]int64{{50, 49, 0}, {45, 1, 0}, {0, 0, 9}}, []int64{0, 0, 0}, []int64{0, 0, 0}}, []int{1, 0, 2}, nil, nil},
		{"a few strays are no match", &Overlap{[][]int64{{90, 0, 0}, {0, 90, 0}, {45, 45, 3}}, []int64{0, 0, 300}, []int64{0, 0, 0}}, []int{0, 1, -1}, nil, nil},
		{"a split", &Overlap{[][]int64{{60, 0, 40}, {0, 90, 0}, {0, 80, 0}}, []int64{10, 0, 10}, []int64{0, 0, 0}}, []int{0, 1, -1},
			[]Split{{0, []int{0, 2}}}, []Merge{{[]int{1, 2}, 1}}},
		{"a quarter of the old segment that is still there is a match", &Overlap{[][]int64{{90, 0, 0}, {0, 90, 0}, {30, 30, 20}}, []int64{0, 0, 300}, []int64{0, 0, 0}},
			[]int{0, 1, 2}, nil, nil},
		{"so is a quarter of the new one", &Overlap{[][]int64{{90, 0, 0}, {0, 90, 0}, {45, 45, 3}}, []int64{0, 0, 9}, []int64{0, 0, 0}}, []int{0, 1, 2}, nil, nil},
		{"of a new segment that few were known in before nothing is a part", &Overlap{[][]int64{{60, 0, 19}, {0, 90, 0}, {0, 0, 0}}, []int64{0, 0, 60}, []int64{0, 0, 90}},
			[]int{0, 1, -1}, nil, nil},
		{"from a quarter on it is", &Overlap{[][]int64{{60, 0, 19}, {0, 90, 0}, {0, 0, 0}}, []int64{0, 0, 57}, []int64{0, 0, 90}},
			[]int{0, 1, -1}, []Split{{0, []int{0, 2}}}, nil},
		{"labels that say nothing of a segment leave it to the centroids", &Overlap{[][]int64{{90, 0, 0}, {0, 90, 0}, {0, 0, 0}}, []int64{0, 0, 100}, []int64{0, 0, 100}},
			[]int{0, 1, 2}, nil, nil},
	} {
		g, err := Match(old, now, c.overlap)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&Matching{From: c.from, Splits: c.splits, Merges: c.merges}, &Matching{From: g.From, Splits: g.Splits, Merges: g.Merges}); diff != "" || !g.ByCustomers {
			t.Errorf("%s: by customers: %v (-want +got):\n%s", c.name, g.ByCustomers, diff)
		}
	}
}

func TestSegmentsWhoseCentroidsStayAreTheSameWhoeverIsInThem(t *testing.T) {
	old := placed(0, 1, []float64{0, 10, 20})
	everybodyMoves := &Overlap{[][]int64{{1, 90, 0}, {0, 5, 80}, {70, 0, 9}}, []int64{9, 9, 9}, []int64{5, 5, 5}}
	for _, c := range []struct {
		name string
		at   []float64
		from []int
	}{
		{"as they were", []float64{0, 10, 20}, []int{0, 1, 2}},
		{"moved by a quarter of the way", []float64{2.5, 12.5, 17.5}, []int{0, 1, 2}},
		{"moved by more: customers lead", []float64{2.6, 12.6, 22.6}, []int{2, 0, 1}},
		{"one has moved, and few of its customers with it", []float64{0, 15, 20}, []int{0, -1, 2}},
	} {
		g, err := Match(old, placed(0, 1, c.at), everybodyMoves)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(g.From, c.from) {
			t.Errorf("%s: got %v, want %v", c.name, g.From, c.from)
		}
	}
}

func TestDistancesUnderCosineAreOneMinusTheCosine(t *testing.T) {
	month := func(points ...float32) *model.Model {
		c := feature.NumericColumn{Spread: 1, Grid: feature.Grid{Exponent: -30}}
		x, y := c, c
		x.Name, y.Name = "x", "y"
		k := len(points) / 2
		return &model.Model{K: k, Metric: model.Cosine, Rows: int64(k), Counts: slices.Repeat([]int64{1}, k), Centroids: points,
			Segments: model.NewSegments(k), Transform: &feature.Transform{Scale: feature.None, Missing: feature.Fail, Normalize: true,
				Numeric: []feature.NumericColumn{x, y}}}
	}
	g, err := Match(month(1, 0, 0, 1), month(0.8, 0.6, 0, 1), nil)
	if err != nil || !slices.Equal(g.From, []int{0, 1}) || math.Abs(g.Distance[0]-0.2) > 1e-7 || g.Distance[1] != 0 {
		t.Errorf("got %+v, %v, want 1 - 0.8 and 0", g, err)
	}
}

func TestASegmentHasChangedBeyondHalfTheWayToItsNeighbour(t *testing.T) {
	for x, want := range map[float64]bool{10: false, 15: false, 15.5: true} {
		g, err := Match(placed(0, 1, []float64{0, 10, 30}), placed(0, 1, []float64{0, x, 30}), nil)
		if err != nil || g.From[1] != 1 || g.Changed(1) != want {
			t.Errorf("from 10 to %v, with 0 beside it: got %+v, %v, want it changed: %v", x, g, err, want)
		}
	}
}

func TestSegmentsThatGoOnKeepTheirIndices(t *testing.T) {
	for _, c := range []struct {
		old  int
		from []int // by new segment, in the order of the fit
		want []int // by new index, in the order of the fit
	}{
		{3, []int{0, 1, 2}, []int{0, 1, 2}},
		{3, []int{2, 0, 1}, []int{1, 2, 0}},
		{3, []int{2, -1, 1}, []int{1, 2, 0}},
		{3, []int{-1, 0, -1, 1, 2}, []int{1, 3, 4, 0, 2}},
		{3, []int{-1, 2}, []int{1, 0}},
		{4, []int{3, 1, 0}, []int{2, 1, 0}},
		{1, []int{-1, -1}, []int{0, 1}},
	} {
		g := &Matching{From: c.from, Distance: make([]float64, len(c.from)), Way: make([]float64, len(c.from))}
		order := g.Order(c.old)
		if !slices.Equal(order, c.want) {
			t.Errorf("%d before, %v now: got the order %v, want %v", c.old, c.from, order, c.want)
		}
		if seen := slices.Sorted(slices.Values(order)); len(seen) != len(c.from) || seen[0] != 0 || seen[len(seen)-1] != len(c.from)-1 {
			t.Errorf("%v is no order", order)
		}
		r := g.Reorder(order)
		for index, i := range r.From {
			if len(c.from) >= c.old && i >= 0 && i != index {
				t.Errorf("%d before, %v now: segment %d has the index %d", c.old, c.from, i, index)
			}
		}
	}
}

func TestReorderTakesSplitsAndMergesAlong(t *testing.T) {
	g := &Matching{From: []int{1, -1, 0}, Distance: make([]float64, 3), Way: []float64{1, 2, 3}, Splits: []Split{{1, []int{0, 1}}}, Merges: []Merge{{[]int{0, 2}, 2}, {[]int{1, 3}, 0}}}
	want := &Matching{From: []int{0, 1, -1}, Distance: make([]float64, 3), Way: []float64{3, 1, 2}, Splits: []Split{{1, []int{1, 2}}}, Merges: []Merge{{[]int{0, 2}, 0}, {[]int{1, 3}, 1}}}
	if diff := cmp.Diff(want, g.Reorder([]int{2, 0, 1})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestOnlySoManySegmentsAreMatched(t *testing.T) {
	few := placed(0, 1, []float64{0})
	for k, refused := range map[int]bool{MaxMatch: false, MaxMatch + 1: true} {
		many := placed(0, 1, make([]float64, k))
		if _, err := Match(many, few, nil); (err != nil) != refused {
			t.Errorf("%d segments: %v", k, err)
		}
		if _, err := Match(few, many, nil); (err != nil) != refused {
			t.Errorf("%d new segments: %v", k, err)
		}
	}
}

func TestACentroidWithoutAPlaceIsNoMatch(t *testing.T) {
	old, now := placed(0, 1, []float64{0, 10}), placed(0, 1, []float64{-5, 10})
	old.Transform.Numeric[0].Log1p = true
	g, err := Match(old, now, nil)
	if got := fmt.Sprint(g.From, err); got != "[-1 0] <nil>" {
		t.Errorf("got %s, want no match of a number that has no logarithm", got)
	}
}
