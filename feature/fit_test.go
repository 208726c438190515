package feature

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/exact"
)

func one(values ...float64) *Batch { return &Batch{Rows: len(values), Numeric: [][]float64{values}} }

func TestScalingIsThatOfTheHandComputedTable(t *testing.T) {
	log := func(x float64) float64 { return exact.Log1p(x) }
	cases := []struct {
		name           string
		scale          Scale
		missing        Missing
		log            bool
		values         []float64
		center, spread float64
	}{
		{"standard", Standard, Fail, false, []float64{2, 4, 4, 4, 5, 5, 7, 9}, 5, 2},
		{"standard, constant", Standard, Fail, false, []float64{3, 3, 3}, 3, 1},
		{"standard, one row", Standard, Fail, false, []float64{-7}, -7, 1},
		{"minmax", MinMax, Fail, false, []float64{10, 20, 60}, 10, 50},
		{"minmax, constant", MinMax, Fail, false, []float64{10, 10}, 10, 1},
		{"none", None, Fail, false, []float64{10, 20, 60}, 0, 1},
		{"robust, odd", Robust, Fail, false, []float64{5, 1, 3, 2, 4}, 3, 2},
		{"robust, even", Robust, Fail, false, []float64{4, 1, 3, 2}, 2.5, 1.5}, // quartiles 1.75, 3.25
		{"robust, constant", Robust, Fail, false, []float64{4, 4}, 4, 1},
		{"robust, two", Robust, Fail, false, []float64{0, 8}, 4, 4}, // quartiles 2, 6
		{"standard, mean filled in", Standard, Mean, false, []float64{1, nan, 3, nan}, 2, math.Sqrt(0.5)},
		{"standard, median filled in", Standard, Median, false, []float64{0, nan, 0, 8}, 2, math.Sqrt(12)}, // 0 0 0 8
		{"standard, indicator", Standard, Indicator, false, []float64{1, nan, 3, nan}, 2, math.Sqrt(0.5)},
		{"standard, dropped", Standard, Drop, false, []float64{1, nan, 3, nan}, 2, 1},
		{"robust, mean filled in", Robust, Mean, false, []float64{1, nan, 9, 2, nan}, 4, 2},     // 1 2 4 4 9
		{"robust, median filled in", Robust, Median, false, []float64{1, nan, 9, 2, nan}, 2, 1}, // 1 2 2 2 9: no spread
		{"robust, median between two", Robust, Median, false, []float64{1, nan, 9, nan, nan}, 5, 1},
		{"standard, tiny", Standard, Fail, false, []float64{0, 0x1p-700}, 0x1p-701, 0x1p-701}, // the variance underflows
		{"minmax, log1p", MinMax, Fail, true, []float64{0, 1, 3}, 0, log(3)},
		{"robust, log1p", Robust, Fail, true, []float64{3, 1, 0, 7, 15}, log(3), log(7) - log(1)},
		{"minmax, log1p of the raw mean", MinMax, Mean, true, []float64{3, nan, 5}, log(3), log(5) - log(3)},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			spec := &Spec{Numeric: []string{"x"}, Scale: c.scale, Missing: c.missing}
			if c.log {
				spec.Log1p = []string{"x"}
			}
			got := mustFit(t, spec, one(c.values...)).Numeric[0]
			if got.Center != c.center || got.Spread != c.spread {
				t.Errorf("got center %v and spread %v, want %v and %v", got.Center, got.Spread, c.center, c.spread)
			}
		})
	}
}

func TestShiftIsTheMeanCarriedThroughTheScalingAndZeroAfterRobust(t *testing.T) {
	values := []float64{1_000_000, 1_000_001, 1_000_002, 1_000_101}
	cases := []struct {
		scale Scale
		want  Grid
	}{
		{None, Grid{Shift: 1_000_026, Exponent: 7 - 39}},
		{MinMax, Grid{Shift: 66.0 / 256, Exponent: -39}}, // the mean is 26/101 = 65.9/256
		{Standard, Grid{Shift: 0, Exponent: 2 - 39}},
		{Robust, Grid{Shift: 0, Exponent: 2 - 39}},
	}
	for _, c := range cases {
		got := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: c.scale, Missing: Fail}, one(values...))
		if c.scale == Robust {
			n := got.Numeric[0]
			c.want.Exponent = exact.GridExponent((values[0]-n.Center)/n.Spread, (values[3]-n.Center)/n.Spread)
		}
		if got.Numeric[0].Grid != c.want {
			t.Errorf("%s: got %+v, want %+v", c.scale, got.Numeric[0].Grid, c.want)
		}
	}
}

func TestMissingPoliciesMakeThePointsOfTheTable(t *testing.T) {
	b := &Batch{
		Rows:    4,
		Numeric: [][]float64{{1, nan, 3, 8}, {10, 20, nan, 30}},
		Text:    []TextColumn{texts("b", "a", "∅", "b")},
	}
	cases := []struct {
		missing Missing
		outputs string
		values  [][]float64 // Inverse of each kept row
		keep    []bool
		imputed int64
		dropped int64
	}{
		{Mean, "x y c=a c=b", [][]float64{{1, 10, 0, 1}, {4, 20, 1, 0}, {3, 20, 0, 0}, {8, 30, 0, 1}}, []bool{true, true, true, true}, 3, 0},
		{Median, "x y c=a c=b", [][]float64{{1, 10, 0, 1}, {3, 20, 1, 0}, {3, 20, 0, 0}, {8, 30, 0, 1}}, []bool{true, true, true, true}, 3, 0},
		{Indicator, "x y x=missing y=missing c=a c=b c=missing", [][]float64{
			{1, 10, 0, 0, 0, 1, 0}, {4, 20, 1, 0, 1, 0, 0}, {3, 20, 0, 1, 0, 0, 1}, {8, 30, 0, 0, 0, 1, 0}},
			[]bool{true, true, true, true}, 3, 0},
		{Drop, "x y c=b", [][]float64{{1, 10, 1}, nil, nil, {8, 30, 1}}, []bool{true, false, false, true}, 0, 2},
	}
	for _, c := range cases {
		t.Run(string(c.missing), func(t *testing.T) {
			spec := &Spec{Numeric: []string{"x", "y"}, Categorical: []string{"c"}, Scale: None, Missing: c.missing}
			tr := mustFit(t, spec, b)
			if got := strings.Join(tr.Outputs(), " "); got != c.outputs {
				t.Errorf("got outputs %q, want %q", got, c.outputs)
			}
			points, keep, a := applied(t, tr, b)
			if diff := cmp.Diff(c.keep, keep); diff != "" {
				t.Errorf("keep (-want +got):\n%s", diff)
			}
			if a.Imputed != c.imputed || a.Dropped != c.dropped || a.Unseen != nil {
				t.Errorf("got %+v, want %d imputed, %d dropped", a, c.imputed, c.dropped)
			}
			for i, want := range c.values {
				got := tr.Inverse(row(points, i))
				if want == nil {
					got, want = make([]float64, tr.Width()), make([]float64, tr.Width())
					for j, p := range row(points, i) {
						got[j] = float64(p)
					}
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("row %d (-want +got):\n%s", i, diff)
				}
			}
		})
	}
}

func TestSkippedRowsCountNowhere(t *testing.T) {
	b := &Batch{Rows: 4, Numeric: [][]float64{{1, math.Inf(1), 3, nan}}, Text: []TextColumn{texts("a", "z", "b", "∅")},
		Skip: []bool{false, true, false, true}}
	clean := &Batch{Rows: 2, Numeric: [][]float64{{1, 3}}, Text: []TextColumn{texts("a", "b")}}
	for _, scale := range []Scale{Standard, Robust} {
		for _, normalize := range []bool{false, true} {
			for _, missing := range []Missing{Fail, Mean, Median, Indicator, Drop} {
				spec := &Spec{Numeric: []string{"x"}, Categorical: []string{"c"}, Scale: scale, Missing: missing, Normalize: normalize}
				got, want := mustFit(t, spec, b), mustFit(t, spec, clean)
				if diff := cmp.Diff(asJSON(t, want), asJSON(t, got)); diff != "" {
					t.Errorf("%s, %s (-want +got):\n%s", scale, missing, diff)
				}
				points, keep, a := applied(t, got, b)
				fresh, _, _ := applied(t, got, clean)
				if diff := cmp.Diff([]bool{true, false, true, false}, keep); diff != "" {
					t.Errorf("%s, %s: keep (-want +got):\n%s", scale, missing, diff)
				}
				if a.Dropped != 0 || a.Imputed != 0 {
					t.Errorf("%s, %s: got %+v, want nothing counted", scale, missing, a)
				}
				zero := make([]float32, len(points))
				for i, want := range [][]float32{row(fresh, 0), zero, row(fresh, 1), zero} {
					if diff := cmp.Diff(want, row(points, i)); diff != "" {
						t.Errorf("%s, %s: row %d (-want +got):\n%s", scale, missing, i, diff)
					}
				}
			}
		}
	}
}

func TestOneHotLevelsAreSortedBytewiseAndAnUnseenOneIsZerosAndCounted(t *testing.T) {
	b := &Batch{Rows: 5, Text: []TextColumn{texts("é", "b", "B", "a b", "b"), texts("u", "u", "u", "u", "u")}}
	tr := mustFit(t, &Spec{Categorical: []string{"c", "e"}, Scale: Standard, Missing: Fail}, b)
	if got, want := strings.Join(tr.Outputs(), "|"), "c=B|c=a b|c=b|c=é|e=u"; got != want {
		t.Errorf("got outputs %q, want %q", got, want)
	}
	want := []Grid{{Shift: 51.0 / 256, Exponent: -39}, {Shift: 51.0 / 256, Exponent: -39}, {Shift: 102.0 / 256, Exponent: -39},
		{Shift: 51.0 / 256, Exponent: -39}, {Shift: 1, Exponent: -39}}
	if diff := cmp.Diff(want, tr.Grids()); diff != "" {
		t.Errorf("grids (-want +got):\n%s", diff)
	}
	points, _, a := applied(t, tr, &Batch{Rows: 3, Text: []TextColumn{texts("b", "x", ""), texts("u", "u", "v")}})
	if diff := cmp.Diff([]int64{2, 1}, a.Unseen); diff != "" {
		t.Errorf("unseen (-want +got):\n%s", diff)
	}
	for i, want := range [][]float64{{0, 0, 1, 0, 1}, {0, 0, 0, 0, 1}, {0, 0, 0, 0, 0}} {
		if diff := cmp.Diff(want, tr.Inverse(row(points, i))); diff != "" {
			t.Errorf("row %d (-want +got):\n%s", i, diff)
		}
	}
	a.Add(a)
	if diff := cmp.Diff([]int64{4, 2}, a.Unseen); diff != "" {
		t.Errorf("unseen twice (-want +got):\n%s", diff)
	}
}

func TestATextThatSaysMissingSharesTheLevelOfMissingOnes(t *testing.T) {
	b := &Batch{Rows: 3, Text: []TextColumn{texts("missing", "∅", "a")}}
	tr := mustFit(t, &Spec{Categorical: []string{"c"}, Scale: None, Missing: Indicator}, b)
	if got, want := strings.Join(tr.Outputs(), "|"), "c=a|c=missing"; got != want {
		t.Errorf("got outputs %q, want %q", got, want)
	}
	if got, want := tr.Categorical[0].Levels[1].Shift, 171.0/256; got != want { // two of three rows
		t.Errorf("got shift %v, want %v", got, want)
	}
	points, _, _ := applied(t, tr, b)
	if diff := cmp.Diff(row(points, 0), row(points, 1)); diff != "" {
		t.Errorf("the two rows differ:\n%s", diff)
	}
}

func TestAColumnOfTooManyLevelsIsRefusedAsAnID(t *testing.T) {
	values := make([]string, MaxLevels+1)
	for i := range values {
		values[i] = fmt.Sprint("customer ", i)
	}
	spec := &Spec{Categorical: []string{"c"}, Scale: None, Missing: Fail}
	b := &Batch{Rows: len(values), Text: []TextColumn{texts(values...)}}
	var refused *SpecError
	if err := NewStatistics(spec).Add(b); !errors.As(err, &refused) || !strings.Contains(err.Error(), "looks like an id") {
		t.Errorf("adding: got %v, want a *SpecError that says it looks like an id", err)
	}
	total := NewStatistics(spec)
	for _, part := range split(b, MaxLevels/2) {
		s := NewStatistics(spec)
		if err := s.Add(part); err != nil {
			t.Fatal(err)
		}
		total.Merge(s)
	}
	if _, err := Fit(spec, total, nil); !errors.As(err, &refused) || refused.Value != "c" {
		t.Errorf("fitting: got %v, want a *SpecError for column c", err)
	}
	b.Rows--
	mustFit(t, spec, b)
}

func TestFitRefusesWhatItCannotFit(t *testing.T) {
	x := []string{"x"}
	cases := []struct {
		name   string
		spec   Spec
		batch  *Batch
		column string
		reason string
	}{
		{"no rows", Spec{Numeric: x, Scale: None, Missing: Fail}, one(), "", reasonNoRows},
		{"no values", Spec{Numeric: x, Scale: None, Missing: Mean}, one(nan, nan), "x", reasonNoValues},
		{"no values, median", Spec{Numeric: x, Scale: Robust, Missing: Median}, one(nan, nan), "x", reasonNoValues},
		{"all dropped", Spec{Numeric: x, Scale: None, Missing: Drop}, one(nan, nan), "", "each of the 2 rows lacks a value and was dropped"},
		{"squares that vanish", Spec{Numeric: x, Scale: None, Missing: Fail}, one(0, 1e-22, 3e-22), "x", reasonTooClose},
		{"no levels", Spec{Categorical: []string{"c"}, Scale: None, Missing: Mean},
			&Batch{Rows: 1, Text: []TextColumn{texts("∅")}}, "c", reasonNoValues},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			_, err := fitted(&c.spec, c.batch)
			wantValueError(t, err, NoRow, c.column, c.reason)
		})
	}
	t.Run("search not done", func(t *testing.T) {
		spec := &Spec{Numeric: x, Scale: Robust, Missing: Fail}
		s := NewStatistics(spec)
		if err := s.Add(one(1, 2, 3)); err != nil {
			t.Fatal(err)
		}
		var refused *SpecError
		if _, err := Fit(spec, s, nil); !errors.As(err, &refused) {
			t.Errorf("got %v, want a *SpecError", err)
		}
	})
	t.Run("names collide", func(t *testing.T) {
		spec := &Spec{Categorical: []string{"a", "a=b"}, Scale: None, Missing: Fail}
		b := &Batch{Rows: 1, Text: []TextColumn{texts("b=c"), texts("c")}}
		var refused *SpecError
		if _, err := fitted(spec, b); !errors.As(err, &refused) || refused.Value != "a=b=c" {
			t.Errorf("got %v, want a *SpecError for a=b=c", err)
		}
	})
}

func TestSpecValidateNamesTheOffendingValue(t *testing.T) {
	good := Spec{Numeric: []string{"x", "y"}, Log1p: []string{"y"}, Categorical: []string{"c"}, Scale: Standard, Missing: Fail}
	if err := good.Validate(); err != nil {
		t.Fatalf("got %v for a good Spec", err)
	}
	cases := []struct {
		name  string
		spoil func(*Spec)
		field string
		value string
	}{
		{"scale", func(s *Spec) { s.Scale = "cubic" }, "scale", "cubic"},
		{"no scale", func(s *Spec) { s.Scale = "" }, "scale", ""},
		{"missing", func(s *Spec) { s.Missing = "guess" }, "missing", "guess"},
		{"nothing", func(s *Spec) { s.Numeric, s.Categorical = nil, nil }, "features", ""},
		{"twice", func(s *Spec) { s.Categorical = []string{"x"} }, "features", "x"},
		{"nameless", func(s *Spec) { s.Numeric[0] = "" }, "features", ""},
		{"not UTF-8", func(s *Spec) { s.Numeric[0] = "\xff" }, "features", "\xff"},
		{"log1p of another", func(s *Spec) { s.Log1p = []string{"c"} }, "log1p", "c"},
		{"log1p twice", func(s *Spec) { s.Log1p = []string{"y", "y"} }, "log1p", "y"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			s := good
			s.Numeric = append([]string(nil), good.Numeric...)
			c.spoil(&s)
			var got *SpecError
			if err := s.Validate(); !errors.As(err, &got) || got.Field != c.field || got.Value != c.value {
				t.Errorf("got %v, want field %s, value %q", err, c.field, c.value)
			}
		})
	}
}
