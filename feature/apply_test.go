package feature

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/exact"
)

func TestApplyIsScalingThenOneRounding(t *testing.T) {
	x := make([]float64, 3*applyRows+7)
	for i := range x {
		x[i] = math.Float64frombits(exact.Draw(1, 1, 1, uint64(i))>>12|0x3ff<<52)*100 - 130
	}
	for _, scale := range []Scale{Standard, MinMax, Robust, None} {
		tr := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: scale, Missing: Fail}, one(x...))
		points, _, _ := applied(t, tr, one(x...))
		c := tr.Numeric[0]
		for i, v := range x {
			if want := exact.ToGrid((v-c.Center)/c.Spread, c.Shift, c.Exponent); points[0][i] != want {
				t.Fatalf("%s, row %d: got %v, want %v", scale, i, points[0][i], want)
			}
		}
	}
}

func TestAFloat32ColumnIsTheSameAsItsWidenedTwin(t *testing.T) {
	narrow := []float32{1.5, 2.25, float32(nan), 1e-30, 7e20, 3}
	wide := make([]float64, len(narrow))
	for i, v := range narrow {
		wide[i] = float64(v)
	}
	a := &Batch{Rows: len(wide), Numeric32: [][]float32{narrow}}
	for _, missing := range []Missing{Mean, Median, Indicator, Drop} {
		for _, scale := range []Scale{Standard, Robust} {
			spec := &Spec{Numeric: []string{"x"}, Log1p: []string{"x"}, Scale: scale, Missing: missing}
			got, want := mustFit(t, spec, a), mustFit(t, spec, one(wide...))
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s, %s: fit (-float64 +float32):\n%s", missing, scale, diff)
			}
			gotPoints, _, _ := applied(t, got, a)
			wantPoints, _, _ := applied(t, got, one(wide...))
			if diff := cmp.Diff(wantPoints, gotPoints); diff != "" {
				t.Errorf("%s, %s: Points (-float64 +float32):\n%s", missing, scale, diff)
			}
		}
	}
}

// badBatches are batches with a bad value, and what is to be said of it.
var badBatches = []struct {
	name    string
	missing Missing
	batch   *Batch
	row     int
	column  string
	reason  string
}{
	{"missing", Fail, &Batch{Rows: 3, Numeric: [][]float64{{1, 2, nan}, {1, nan, 3}}, Text: []TextColumn{texts("a", "a", "a")}},
		1, "y", reasonMissing},
	{"missing float32", Fail, &Batch{Rows: 2, Numeric: [][]float64{{1, 2}}, Numeric32: [][]float32{nil, {1, float32(nan)}},
		Text: []TextColumn{texts("a", "a")}}, 1, "y", reasonMissing},
	{"missing text", Fail, &Batch{Rows: 3, Numeric: [][]float64{{1, 2, 3}, {1, 2, 3}}, Text: []TextColumn{texts("a", "a", "∅")}},
		2, "c", reasonMissing},
	{"missing text before a number", Fail, &Batch{Rows: 3, Numeric: [][]float64{{1, 2, nan}, {1, 2, 3}}, Text: []TextColumn{texts("a", "∅", "a")}},
		1, "c", reasonMissing},
	{"infinite", Mean, &Batch{Rows: 3, Numeric: [][]float64{{1, nan, math.Inf(-1)}, {1, 2, 3}}, Text: []TextColumn{texts("a", "a", "a")}},
		2, "x", reasonInfinite},
	{"infinite float32", Drop, &Batch{Rows: 2, Numeric32: [][]float32{{1, float32(math.Inf(1))}, {1, 2}}, Text: []TextColumn{texts("a", "a")}},
		1, "x", reasonInfinite},
	{"beyond all bounds", Fail, &Batch{Rows: 2, Numeric: [][]float64{{1, 1e200}, {1, 2}}, Text: []TextColumn{texts("a", "a")}},
		1, "x", reasonTooLarge},
	{"log1p of -1", Fail, &Batch{Rows: 2, Numeric: [][]float64{{1, -5}, {1, -1}}, Text: []TextColumn{texts("a", "a")}},
		1, "y", reasonLog1p},
}

func TestABadValueIsNamedByItsFirstRowAndColumn(t *testing.T) {
	good := &Batch{Rows: 2, Numeric: [][]float64{{1, 5}, {1, 2}}, Text: []TextColumn{texts("a", "b")}}
	for _, c := range badBatches {
		t.Run(c.name, func(t *testing.T) {
			spec := &Spec{Numeric: []string{"x", "y"}, Log1p: []string{"y"}, Categorical: []string{"c"}, Scale: Robust, Missing: c.missing}
			wantValueError(t, NewStatistics(spec).Add(c.batch), c.row, c.column, c.reason)

			for _, normalize := range []bool{false, true} {
				spec.Normalize = normalize
				tr := mustFit(t, spec, good)
				_, err := tr.Apply(c.batch, outColumns(tr, c.batch.Rows), make([]bool, c.batch.Rows))
				wantValueError(t, err, c.row, c.column, c.reason)
				if normalize {
					wantValueError(t, tr.NormalisedStatistics().Add(c.batch), c.row, c.column, c.reason)
				}
			}
			if strings.Contains(c.name, "log1p") || strings.Contains(c.name, "text") {
				return // the counts look at numbers, before log1p
			}
			s := NewStatistics(spec)
			if err := s.Add(good); err != nil {
				t.Fatal(err)
			}
			wantValueError(t, NewQuantileSearch(spec, s).Open().Add(c.batch), c.row, c.column, c.reason)
		})
	}
}

func TestATextThatCannotBeALevelIsRefused(t *testing.T) {
	spec := &Spec{Categorical: []string{"c"}, Scale: None, Missing: Fail}
	cases := map[string]string{"\xff": reasonNotUTF8, strings.Repeat("x", MaxLevelText+1): reasonLongText}
	for text, reason := range cases {
		err := NewStatistics(spec).Add(&Batch{Rows: 2, Text: []TextColumn{texts("a", text)}})
		wantValueError(t, err, 1, "c", reason)
	}
}

func TestACoordinateWhoseSquaredDistanceWouldOverflowIsRefused(t *testing.T) {
	limit := float64(Limit(2))
	if d := 2 * limit; 2*d*d > math.MaxFloat32 || 2*d*d < math.MaxFloat32*0.999 {
		t.Errorf("the limit %v lets distances grow to %v, want just below %v", limit, 2*d*d, math.MaxFloat32)
	}
	spec := &Spec{Numeric: []string{"x", "y"}, Scale: None, Missing: Fail}
	tr := mustFit(t, spec, &Batch{Rows: 2, Numeric: [][]float64{{-1, 1}, {-1, 1}}})
	within := &Batch{Rows: 2, Numeric: [][]float64{{limit, 0}, {-limit, 0}}}
	if _, err := tr.Apply(within, outColumns(tr, 2), nil); err != nil {
		t.Errorf("at the limit: got %v, want no error", err)
	}
	beyond := float64(math.Nextafter32(Limit(2), math.MaxFloat32))
	for name, bad := range map[string]float64{"just beyond": beyond, "beyond float32": -1e40, "far beyond": 1e140} {
		b := &Batch{Rows: 600, Numeric: [][]float64{make([]float64, 600), make([]float64, 600)}}
		b.Numeric[0][590], b.Numeric[1][580] = bad, bad
		_, err := tr.Apply(b, outColumns(tr, 600), nil)
		wantValueError(t, err, 580, "y", reasonTooLarge)
		if _, err := tr.Forward([]float64{0, bad}); err == nil {
			t.Errorf("%s: Forward: got no error", name)
		}
	}
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, 3e20}, {1, 2, 3}}}
	_, err := mustFit(t, spec, b).Apply(b, outColumns(tr, 3), nil)
	wantValueError(t, err, 2, "x", reasonTooLarge)
}

func TestATinySpreadDoesNotHideAnOutlierFromApply(t *testing.T) {
	b := one(0, 1e-300, 2e-300, 3e-300, 1e100)
	tr := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: Robust, Missing: Fail}, b)
	_, err := tr.Apply(b, outColumns(tr, 5), nil)
	wantValueError(t, err, 4, "x", reasonTooLarge)
}

func TestColumnsFarFromZeroKeepTheirBits(t *testing.T) {
	b := one(1e40, 1e40, 1e40)
	tr := mustFit(t, &Spec{Numeric: []string{"x"}, Scale: None, Missing: Fail}, b)
	points, _, _ := applied(t, tr, b)
	if got := tr.Inverse(row(points, 0))[0]; got != 1e40 || points[0][0] != 0 {
		t.Errorf("got %v, Point %v, want 1e40 and 0", got, points[0][0])
	}
}

func TestNormalisedRowsHaveLengthOneAndTheTwinsBits(t *testing.T) {
	b := &Batch{Rows: 3, Numeric: [][]float64{{3, -1e-200, 1e130}, {4, 1e-200, 0}}, Text: []TextColumn{texts("a", "∅", "∅")}}
	spec := &Spec{Numeric: []string{"x", "y"}, Categorical: []string{"c"}, Scale: None, Missing: Mean, Normalize: true}
	tr := mustFit(t, spec, b)
	points, _, _ := applied(t, tr, b)
	sqrt := math.Sqrt
	want := [][]float64{{3 / sqrt(26), 4 / sqrt(26), 1 / sqrt(26)}, {-sqrt(0.5), sqrt(0.5), 0}, {1, 0, 0}}
	for i := range want {
		got := tr.Inverse(row(points, i))
		for j := range got {
			if math.Abs(got[j]-want[i][j]) > 1e-7 {
				t.Errorf("row %d: got %v, want %v", i, got, want[i])
				break
			}
		}
	}
	m := (3/sqrt(26) + (-1e-200 / (sqrt(2) * 1e-200)) + 1) / 3
	if got, want := tr.Numeric[0].Grid, (Grid{exact.ShiftFor(m, -sqrt(0.5), 1), -38}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	if p, err := tr.Forward([]float64{3, 4, 1}); err != nil || cmp.Diff(row(points, 0), p) != "" {
		t.Errorf("Forward: got %v and %v, want %v", p, err, row(points, 0))
	}
}

func TestAShiftOfZeroOutsideOfTheRangeKeepsTheGridWide(t *testing.T) {
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 2, 3}}, Text: []TextColumn{texts("a", "a", "a")}}
	tr := mustFit(t, &Spec{Numeric: []string{"x"}, Categorical: []string{"c"}, Scale: Robust, Missing: Fail, Normalize: true}, b)
	// The level's coordinates lie between 0.7 and 1: 2^-2 apart, and 1 away from the shift.
	if got, want := tr.Grids()[1], (Grid{Shift: 0, Exponent: -39}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestARowOfZerosHasNoDirection(t *testing.T) {
	b := &Batch{Rows: 3, Numeric: [][]float64{{1, 0, 0}, {2, 5, 0}}}
	spec := &Spec{Numeric: []string{"x", "y"}, Scale: None, Missing: Fail, Normalize: true}
	_, err := fitted(spec, b)
	wantValueError(t, err, 2, "", reasonZeroRow)
	tr := mustFit(t, spec, split(b, 2)[0])
	_, err = tr.Apply(b, outColumns(tr, 3), nil)
	wantValueError(t, err, 2, "", reasonZeroRow)
	_, err = tr.Forward([]float64{0, 0})
	wantValueError(t, err, NoRow, "", reasonZeroRow)
}

func TestApplyBeforeTheSecondPassIsRefused(t *testing.T) {
	spec := &Spec{Numeric: []string{"x"}, Scale: None, Missing: Fail, Normalize: true}
	s := NewStatistics(spec)
	if err := s.Add(one(1, 2)); err != nil {
		t.Fatal(err)
	}
	tr, err := Fit(spec, s, nil)
	if err != nil || !tr.NeedsSecondPass() {
		t.Fatalf("got %v, second pass %v", err, tr.NeedsSecondPass())
	}
	var refused *SpecError
	if _, err := tr.Apply(one(1), outColumns(tr, 1), nil); !errors.As(err, &refused) {
		t.Errorf("got %v, want a *SpecError", err)
	}
	wantValueError(t, tr.FinishNormalised(tr.NormalisedStatistics()), NoRow, "", reasonNoRows)
}

func TestMissingValuesAtAssignTimeFollowThePolicyOfTheFit(t *testing.T) {
	full := &Batch{Rows: 2, Numeric: [][]float64{{2, 4}}, Text: []TextColumn{texts("a", "b")}}
	holes := &Batch{Rows: 2, Numeric: [][]float64{{nan, 4}}, Text: []TextColumn{texts("a", "∅")}}
	for _, missing := range []Missing{Mean, Median, Indicator} {
		tr := mustFit(t, &Spec{Numeric: []string{"x"}, Categorical: []string{"c"}, Scale: Standard, Missing: missing}, full)
		points, _, a := applied(t, tr, holes)
		if a.Imputed != 2 {
			t.Errorf("%s: got %d imputed, want 2", missing, a.Imputed)
		}
		for i, want := range [][]float64{{3, 1, 0}, {4, 0, 0}} {
			if diff := cmp.Diff(want, tr.Inverse(row(points, i))); diff != "" {
				t.Errorf("%s, row %d (-want +got):\n%s", missing, i, diff)
			}
		}
	}
}

func TestApplyAllocatesNothingPerRow(t *testing.T) {
	spec := &Spec{Numeric: []string{"x"}, Categorical: []string{"c"}, Scale: Standard, Missing: Fail}
	allocations := func(rows int) float64 {
		level := []byte("a")
		b := &Batch{Rows: rows, Numeric: [][]float64{make([]float64, rows)}, Text: []TextColumn{{At: func(int) []byte { return level }}}}
		b.Numeric[0][0] = 1
		tr := mustFit(t, spec, b)
		out := outColumns(tr, rows)
		return testing.AllocsPerRun(3, func() {
			if _, err := tr.Apply(b, out, nil); err != nil {
				t.Error(err)
			}
		})
	}
	if small, large := allocations(100), allocations(10_000); large > small+25 { // at most one a block
		t.Errorf("got %v allocations for 100 rows and %v for 10,000", small, large)
	}
}

// What is scaled in lanes goes by the same limits as what is not.
func TestNumbersBeyondTheLimitAreNamedWhereverTheyStand(t *testing.T) {
	for _, at := range []int{0, 15, 16, 100, 1030} {
		for _, value := range []float64{2 * MaxMagnitude, -2 * MaxMagnitude, math.Inf(1), math.NaN()} {
			x := make([]float64, 1031)
			for i := range x {
				x[i] = float64(i)
			}
			x[at] = value
			// So large a spread brings what must not be there within the Points' limit.
			tr := &Transform{Missing: Fail, Numeric: []NumericColumn{{Name: "a", Spread: MaxMagnitude, Grid: Grid{Exponent: -30}}}}
			_, err := tr.Apply(&Batch{Rows: len(x), Numeric: [][]float64{x}}, [][]float32{make([]float32, len(x))}, nil)
			var bad *ValueError
			if !errors.As(err, &bad) || bad.Row != at || bad.Column != "a" {
				t.Errorf("%g in row %d: got %v, want an error that names it", value, at, err)
			}
		}
	}
}
