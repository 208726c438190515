package pipeline

import (
	"math"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

func TestGatesHoldAtTheirBound(t *testing.T) {
	growth := 0.25
	m := &model.Model{K: 2, Rows: 100, Counts: []int64{75, 25}}
	last := &lastMonth{file: "june.json", growth: &growth, matched: &segment.Matching{From: []int{0, 1}},
		overlap: &segment.Overlap{Matrix: [][]int64{{60, 20}, {5, 15}}, Arrived: make([]int64, 2), Left: make([]int64, 2)}}
	for text, say := range map[string]string{
		"min-size=25%": "", "min-size=0.25": "", "min-size=25.04%": "segment 1 has 25 rows of 100 (25.00 %)",
		"max-inertia-growth=25%": "", "max-inertia-growth=24.9%": "a row's inertia is 25.0 % more than in june.json",
		"min-agreement=75%": "", "min-agreement=0.76": "of 100 customers in both months 75.0 % are in",
	} {
		gate, err := ParseFitGate(text)
		if err != nil {
			t.Fatal(err)
		}
		f := &fit{request: &FitRequest{Gates: []FitGate{gate}}, last: last}
		if err := f.hold(t.Context(), m); (err != nil) != (say != "") || err != nil && !strings.Contains(err.Error(), say) {
			t.Errorf("%s: got %v, want %q", text, err, say)
		}
	}
}

func TestAShareIsToldFromItsBound(t *testing.T) {
	for _, c := range []struct {
		share, bound float64
		want         string
	}{
		{0.0096, 0.01, "0.96 %"}, {0.5, 0.8, "50.0 %"}, {0.10004, 0.1, "10.004 %"}, {0.00001, 0.01, "0.001 %"}, {0, 0.01, "0.0 %"},
		{math.Nextafter(0.1, 1), 0.1, "10.000000 %"}, {1e9, 0.1, "1e+11 %"},
	} {
		if got := beyond(c.share, c.bound); got != c.want {
			t.Errorf("%v beyond %v: got %q, want %q", c.share, c.bound, got, c.want)
		}
	}
}
