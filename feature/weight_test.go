package feature

import (
	"math"
	"strconv"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestAWeightMultipliesWhatWasScaled holds a weighted column against its twin, which was scaled and multiplied by hand.
func TestAWeightMultipliesWhatWasScaled(t *testing.T) {
	raw := []float64{3, 1, 4, 1, 5, 9, 2, 6}
	for _, scale := range []Scale{Standard, MinMax, Robust, None} {
		for _, w := range []float64{2, 0.5, 3, 0.1, MostWeight, LeastWeight} {
			plain := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: scale, Missing: Fail}, one(raw...))
			spec := &Spec{Numeric: []string{"x"}, Scale: scale, Missing: Fail, Weights: []Weight{{"x", w}}}
			weighted := mustFit(t, spec, one(raw...))
			if c, p := weighted.Numeric[0], plain.Numeric[0]; c.Center != p.Center || c.Spread != p.Spread || c.Weight != w {
				t.Errorf("%s, weight %g: got %+v, want center and spread of %+v", scale, w, c, p)
			}
			points, _, _ := applied(t, weighted, one(raw...))
			for i, x := range raw {
				want := (x - plain.Numeric[0].Center) / plain.Numeric[0].Spread * w
				if got := float64(points[0][i]) + weighted.Numeric[0].Shift; math.Abs(got-want) > 1e-6*w*3 {
					t.Errorf("%s, weight %g, %v: got %v, want %v", scale, w, x, got, want)
				}
			}
		}
	}
}

func TestAnUnscaledWeightIsTheColumnMultipliedByHand(t *testing.T) {
	for _, w := range []float64{2, 0.25, 3, 10} {
		x, twin := []float64{1, 2.5, -3, 8}, make([]float64, 4)
		for i, v := range x {
			twin[i] = v * w
		}
		weighted := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: None, Missing: Fail, Weights: []Weight{{"x", w}}}, one(x...))
		byHand := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: None, Missing: Fail}, one(twin...))
		got, _, _ := applied(t, weighted, one(x...))
		want, _, _ := applied(t, byHand, one(twin...))
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("weight %g (-by hand +weighted):\n%s", w, diff)
		}
	}
}

func TestAWeightGoesToAllColumnsOfItsFeature(t *testing.T) {
	spec := &Spec{Numeric: []string{"x", "y"}, Categorical: []string{"c", "e"}, Scale: None, Missing: Indicator,
		Weights: []Weight{{"x", 2}, {"c", 3}}}
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, nan, 5}, {nan, 1, 1}}, Text: []TextColumn{texts("a", "b", "∅"), texts("p", "q", "p")}}
	tr := mustFit(t, spec, b)
	wantNames := []string{"x", "y", "x=missing", "y=missing", "c=a", "c=b", "c=missing", "e=p", "e=q"}
	if diff := cmp.Diff(wantNames, tr.Outputs()); diff != "" {
		t.Fatalf("outputs (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]float64{2, 1, 2, 1, 3, 3, 3, 1, 1}, tr.Weights()); diff != "" {
		t.Errorf("weights (-want +got):\n%s", diff)
	}
	points, _, _ := applied(t, tr, b)
	for i, want := range [][]float64{{2, 1, 0, 1, 3, 0, 0, 1, 0}, {6, 1, 2, 0, 0, 3, 0, 0, 1}, {10, 1, 0, 0, 0, 0, 3, 1, 0}} {
		for j, g := range tr.Grids() {
			if got := float64(points[j][i]) + g.Shift; math.Abs(got-want[j]) > 1e-6 {
				t.Errorf("row %d, %s: got %v, want %v", i, tr.Outputs()[j], got, want[j])
			}
		}
	}
	// The way back knows nothing of weights: a share is a share.
	for i, want := range [][]float64{{1, 1, 0, 1, 1, 0, 0, 1, 0}, {3, 1, 1, 0, 0, 1, 0, 0, 1}} {
		got := tr.Inverse(row(points, i))
		for j := range want {
			if math.Abs(got[j]-want[j]) > 1e-6 {
				t.Errorf("back: row %d, %s: got %v, want %v", i, tr.Outputs()[j], got[j], want[j])
			}
		}
		again, err := tr.Forward(want)
		if diff := cmp.Diff(row(points, i), again); err != nil || diff != "" {
			t.Errorf("row %d: Forward differs from Apply (%v):\n%s", i, err, diff)
		}
	}
}

func TestAWeightedValueBeyondTheLimitIsRefused(t *testing.T) {
	spec := &Spec{Numeric: []string{"x"}, Scale: None, Missing: Fail, Weights: []Weight{{"x", 1e9}}}
	tr := mustFit(t, spec, one(0, 1))
	points := outColumns(tr, 2)
	_, err := tr.Apply(one(0, 1e10), points, nil)
	wantValueError(t, err, 1, "x", reasonTooLarge)
	narrow := &Batch{Rows: 2, Numeric32: [][]float32{{0, 1e10}}}
	_, err = tr.Apply(narrow, points, nil)
	wantValueError(t, err, 1, "x", reasonTooLarge)
	blocks := make([]float32, 16)
	blocks[3] = 1e10
	if tr.ApplyBlocks(blocks) {
		t.Error("a block with a value beyond the limit was taken")
	}
}

func TestRareLevelsFoldIntoOther(t *testing.T) {
	for name, c := range map[string]struct {
		fold   *Fold
		values []string
		levels []string
		folded []string
	}{
		"none":              {nil, []string{"a", "a", "b"}, []string{"a", "b"}, nil},
		"by rows":           {&Fold{Rows: 2}, []string{"a", "a", "b", "c"}, []string{"a", "other"}, []string{"b", "c"}},
		"at the edge":       {&Fold{Rows: 1}, []string{"a", "a", "b"}, []string{"a", "b"}, nil},
		"by percent":        {&Fold{Percent: 26}, []string{"a", "a", "z", "c"}, []string{"a", "other"}, []string{"c", "z"}},
		"percent, edge":     {&Fold{Percent: 25}, []string{"a", "a", "z", "c"}, []string{"a", "c", "z"}, nil},
		"7 % of 100 is 7":   {&Fold{Percent: 7}, slicesOf(93, "a", 7, "b"), []string{"a", "b"}, nil},
		"a real other":      {&Fold{Rows: 3}, []string{"other", "a", "a", "a", "b"}, []string{"a", "other"}, []string{"b"}},
		"a common other":    {&Fold{Rows: 2}, []string{"other", "other", "a", "a", "b"}, []string{"a", "other"}, []string{"b"}},
		"other, none rare":  {&Fold{Rows: 2}, []string{"other", "a", "a"}, []string{"a", "other"}, nil},
		"sorted among them": {&Fold{Rows: 2}, []string{"z", "z", "p", "a", "a"}, []string{"a", "other", "z"}, []string{"p"}},
	} {
		spec := &Spec{Categorical: []string{"c"}, Scale: Standard, Missing: Fail, Fold: c.fold}
		tr := mustFit(t, spec, &Batch{Rows: len(c.values), Text: []TextColumn{texts(c.values...)}})
		var levels []string
		for _, l := range tr.Categorical[0].Levels {
			levels = append(levels, l.Value)
		}
		if diff := cmp.Diff([][]string{c.levels, c.folded}, [][]string{levels, tr.Categorical[0].Folded}); diff != "" {
			t.Errorf("%s: levels and folded texts (-want +got):\n%s", name, diff)
		}
	}
}

func slicesOf(n int, a string, m int, b string) (values []string) {
	for i := range n + m {
		if i < n {
			values = append(values, a)
		} else {
			values = append(values, b)
		}
	}
	return values
}

func TestAFoldedTextIsOtherAndAnUnseenOneIsZerosAndCounted(t *testing.T) {
	spec := &Spec{Categorical: []string{"c"}, Scale: None, Missing: Fail, Fold: &Fold{Rows: 2}}
	tr := mustFit(t, spec, &Batch{Rows: 4, Text: []TextColumn{texts("a", "a", "b", "c")}})
	points, _, did := applied(t, tr, &Batch{Rows: 5, Text: []TextColumn{texts("a", "c", "new", "other", "b")}})
	for i, want := range []float64{0, 1, 0, 1, 1} {
		if got := float64(points[1][i]) + tr.Grids()[1].Shift; got != want {
			t.Errorf("row %d: got %v in c=other, want %v", i, got, want)
		}
	}
	if diff := cmp.Diff([]int64{1}, did.Unseen); diff != "" {
		t.Errorf("unseen levels (-want +got):\n%s", diff)
	}
}

func TestTheLevelOfMissingValuesIsNotFolded(t *testing.T) {
	spec := &Spec{Categorical: []string{"c"}, Scale: None, Missing: Indicator, Fold: &Fold{Rows: 3}}
	tr := mustFit(t, spec, &Batch{Rows: 6, Text: []TextColumn{texts("a", "a", "a", "b", "missing", "∅")}})
	if diff := cmp.Diff([]string{"c=a", "c=missing", "c=other"}, tr.Outputs()); diff != "" {
		t.Errorf("outputs (-want +got):\n%s", diff)
	}
}

func TestWeightsAndFoldsThatMakeNoSenseAreNamed(t *testing.T) {
	good := func() *Spec {
		return &Spec{Numeric: []string{"x", "y"}, Categorical: []string{"c"}, Scale: Standard, Missing: Fail}
	}
	for name, c := range map[string]struct {
		spoil func(*Spec)
		field string
	}{
		"another column":     {func(s *Spec) { s.Weights = []Weight{{"z", 2}} }, "weights"},
		"twice":              {func(s *Spec) { s.Weights = []Weight{{"x", 2}, {"x", 3}} }, "weights"},
		"out of order":       {func(s *Spec) { s.Weights = []Weight{{"c", 2}, {"x", 3}} }, "weights"},
		"zero":               {func(s *Spec) { s.Weights = []Weight{{"x", 0}} }, "weights"},
		"negative":           {func(s *Spec) { s.Weights = []Weight{{"x", -1}} }, "weights"},
		"one":                {func(s *Spec) { s.Weights = []Weight{{"x", 1}} }, "weights"},
		"no number":          {func(s *Spec) { s.Weights = []Weight{{"x", nan}} }, "weights"},
		"too large":          {func(s *Spec) { s.Weights = []Weight{{"x", 2 * MostWeight}} }, "weights"},
		"too small":          {func(s *Spec) { s.Weights = []Weight{{"x", LeastWeight / 2}} }, "weights"},
		"an order of text":   {func(s *Spec) { s.Orders = []Order{{"c", []string{"a", "b"}}} }, "orders"},
		"an order of one":    {func(s *Spec) { s.Orders = []Order{{"x", []string{"a"}}} }, "order of x"},
		"an order of many":   {func(s *Spec) { s.Orders = []Order{{"x", manyLevels(MaxOrder + 1)}} }, "order of x"},
		"a level twice":      {func(s *Spec) { s.Orders = []Order{{"x", []string{"a", "b", "a"}}} }, "order of x"},
		"an empty level":     {func(s *Spec) { s.Orders = []Order{{"x", []string{"a", ""}}} }, "order of x"},
		"orders in disorder": {func(s *Spec) { s.Orders = []Order{{"y", []string{"a", "b"}}, {"x", []string{"a", "b"}}} }, "orders"},
		"a fold of nothing":  {func(s *Spec) { s.Fold = &Fold{} }, "fold"},
		"a negative fold":    {func(s *Spec) { s.Fold = &Fold{Rows: -1} }, "fold"},
		"a fold of both":     {func(s *Spec) { s.Fold = &Fold{Rows: 1, Percent: 1} }, "fold"},
		"over 100 percent":   {func(s *Spec) { s.Fold = &Fold{Percent: 101} }, "fold"},
		"a fold of NaN":      {func(s *Spec) { s.Fold = &Fold{Percent: nan} }, "fold"},
	} {
		s := good()
		c.spoil(s)
		err, ok := s.Validate().(*SpecError)
		if !ok || err.Field != c.field {
			t.Errorf("%s: got %v, want a *SpecError of %s", name, err, c.field)
		}
	}
	s := good()
	s.Weights, s.Fold = []Weight{{"x", 2}, {"c", 0.5}}, &Fold{Percent: 1}
	s.Orders = []Order{{"x", []string{"b", "a"}}, {"y", manyLevels(MaxOrder)}}
	if err := s.Validate(); err != nil {
		t.Errorf("good ones: got %v", err)
	}
	all := &Spec{Categorical: []string{"c"}, Scale: None, Missing: Fail, Fold: &Fold{Rows: 2}}
	if _, err := fitted(all, &Batch{Rows: 2, Text: []TextColumn{texts("a", "b")}}); err == nil {
		t.Error("a column whose levels are all rare was folded into one")
	}
}

func manyLevels(n int) (levels []string) {
	for i := range n {
		levels = append(levels, strconv.Itoa(i))
	}
	return levels
}

func TestADamagedWeightOrFoldIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*Transform){
		"numeric weight":        func(t *Transform) { t.Numeric[0].Weight = -1 },
		"categorical weight":    func(t *Transform) { t.Categorical[0].Weight = nan },
		"order of one":          func(t *Transform) { t.Numeric[0].Order = []string{"a"} },
		"weight of one":         func(t *Transform) { t.Numeric[0].Weight = 1 },
		"folded is a level":     func(t *Transform) { t.Categorical[0].Folded = []string{"a"} },
		"folded is not sorted":  func(t *Transform) { t.Categorical[0].Folded = []string{"c", "b"} },
		"folded is there twice": func(t *Transform) { t.Categorical[0].Folded = []string{"b", "b"} },
		"no level for folded":   func(t *Transform) { t.Categorical[0].Levels = t.Categorical[0].Levels[:1] },
		"folded is not UTF-8":   func(t *Transform) { t.Categorical[0].Folded = []string{"\xff"} },
	} {
		spec := &Spec{Numeric: []string{"x"}, Categorical: []string{"c"}, Scale: None, Missing: Fail, Fold: &Fold{Rows: 2},
			Weights: []Weight{{"x", 2}}}
		tr := mustFit(t, spec, &Batch{Rows: 4, Numeric: [][]float64{{1, 2, 3, 4}}, Text: []TextColumn{texts("a", "a", "b", "c")}})
		if spoil(tr); tr.Validate() == nil {
			t.Errorf("%s: taken", name)
		}
	}
}
