package feature

import (
	"reflect"
	"testing"
)

// gathered fits a transform on some numbers, and gathers others under the same rules.
func gathered(t *testing.T, spec *Spec, fitted, others []float64) (*Transform, *Statistics) {
	t.Helper()
	statistics := func(x []float64) *Statistics {
		s := NewStatistics(spec)
		if err := s.Add(&Batch{Rows: len(x), Numeric: [][]float64{x}, Numeric32: [][]float32{nil}}); err != nil {
			t.Fatal(err)
		}
		return s
	}
	tr, err := Fit(spec, statistics(fitted), nil)
	if err != nil {
		t.Fatal(err)
	}
	return tr, statistics(others)
}

func TestAKeptTransformCoversRowsThatLieFartherOut(t *testing.T) {
	for _, scale := range []Scale{Standard, MinMax, None} {
		for _, log := range []bool{false, true} {
			spec := &Spec{Numeric: []string{"x"}, Scale: scale, Missing: Fail, Weights: []Weight{{"x", 3}}}
			if log {
				spec.Log1p = []string{"x"}
			}
			x := []float64{1, 2, 5, 9}
			tr, same := gathered(t, spec, x, x)
			if got := tr.Cover(same); !reflect.DeepEqual(got, tr) {
				t.Errorf("%s: the same rows have made %+v of %+v", scale, got.Numeric[0], tr.Numeric[0])
			}
			before := tr.Numeric[0]
			_, wider := gathered(t, spec, x, []float64{3, 5000})
			got := tr.Cover(wider)
			far, err := got.Forward([]float64{5000})
			if err != nil {
				t.Fatal(err)
			}
			if g := got.Numeric[0]; float64(far[0]) > float64(uint64(1)<<39)*pow(g.Exponent) || g.Center != before.Center || g.Spread != before.Spread || g.Shift != before.Shift {
				t.Errorf("%s: %v lies beyond the grid of %+v", scale, far, g)
			}
			if !reflect.DeepEqual(tr.Numeric[0], before) {
				t.Errorf("%s: what was given has changed", scale)
			}
		}
	}
}

func pow(e int) float64 {
	x := 1.0
	for ; e < 0; e++ {
		x /= 2
	}
	return x
}

func TestSpecsAreEqualWhereTheySayTheSame(t *testing.T) {
	base := func() *Spec {
		return &Spec{Numeric: []string{"a", "b"}, Log1p: []string{"a", "b"}, Categorical: []string{"c"}, Scale: Standard, Missing: Fail,
			Weights: []Weight{{"a", 2}}, Fold: &Fold{Rows: 3}, Orders: []Order{{"b", []string{"x", "y"}}}}
	}
	for name, change := range map[string]func(*Spec){
		"numeric": func(s *Spec) { s.Numeric = []string{"b", "a"} }, "log1p": func(s *Spec) { s.Log1p = s.Log1p[1:] },
		"categorical": func(s *Spec) { s.Categorical = nil }, "scale": func(s *Spec) { s.Scale = None }, "missing": func(s *Spec) { s.Missing = Drop },
		"normalize": func(s *Spec) { s.Normalize = true }, "weights": func(s *Spec) { s.Weights[0].Factor = 3 }, "fold": func(s *Spec) { s.Fold = nil },
		"fold rows": func(s *Spec) { s.Fold.Rows = 4 }, "orders": func(s *Spec) { s.Orders[0].Levels[0] = "z" },
	} {
		s := base()
		change(s)
		if s.Equal(base()) || base().Equal(s) {
			t.Errorf("%s: a change makes no difference", name)
		}
	}
	other := base()
	other.Log1p = []string{"b", "a"}
	if !base().Equal(other) {
		t.Error("the order of log1p makes a difference")
	}
}
