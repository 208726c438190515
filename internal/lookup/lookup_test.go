package lookup

import (
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/model"
)

// shop is a model of two numbers, an ordered text and a text, whose segments are people around 20, 40 and 60 years.
func shop(missing feature.Missing) *model.Model {
	grid := feature.Grid{Exponent: -30}
	t := &feature.Transform{Scale: feature.Standard, Missing: missing,
		Numeric: []feature.NumericColumn{
			{Name: "age", Center: 40, Spread: 10, Grid: grid},
			{Name: "spend", Log1p: true, Center: 3, Spread: 1, Grid: grid},
			{Name: "education", Order: []string{"school", "college", "doctor"}, Center: 1, Spread: 1, Grid: grid},
		},
		Categorical: []feature.CategoricalColumn{{Name: "gender", Levels: []feature.Level{{Value: "f", Grid: grid}, {Value: "m", Grid: grid}}}}}
	if missing == feature.Mean {
		age, spend, education := 40.0, 19.0, 1.0
		t.Numeric[0].Fill, t.Numeric[1].Fill, t.Numeric[2].Fill = &age, &spend, &education
	}
	m := &model.Model{K: 3, Metric: model.Euclidean, Transform: t, Rows: 6, Counts: []int64{1, 2, 3}, Segments: model.NewSegments(3),
		Centroids: []float32{-2, 0, 0, 0.5, 0.5, 0, 0, 0, 0.5, 0.5, 2, 0, 0, 0.5, 0.5}}
	return m
}

// ask places one customer of the shop; a value of the wrong kind fails the test.
func ask(t *testing.T, f *Finder, values map[string]any) (*Result, error) {
	t.Helper()
	table := f.NewTable()
	if err := table.Add(); err != nil {
		t.Fatal(err)
	}
	for name, value := range values {
		c, err := f.Column(name)
		if err != nil {
			return nil, err
		}
		if x, ok := value.(float64); ok {
			table.SetNumber(c, 0, x)
		} else if err := table.SetText(c, 0, value.(string)); err != nil {
			return nil, err
		}
	}
	a, err := f.Find(table)
	if err != nil {
		return nil, err
	}
	return a.One(true)
}

func TestACustomerIsPlacedWithSecondMarginAndReasons(t *testing.T) {
	got, err := ask(t, New(shop(feature.Fail)), map[string]any{"age": 58.0, "spend": math.Expm1(3), "education": "college", "gender": "f"})
	if err != nil {
		t.Fatal(err)
	}
	second := 1
	// In the scaled space the customer lies at 1.8, 0, 0, 1, 0; gender adds a half to both squared distances.
	distance, other := float64(float32(math.Sqrt(float64(float32(0.04+0.5))))), float64(float32(math.Sqrt(float64(float32(3.24+0.5)))))
	near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-6 })
	margin := other - distance
	want := &Result{Segment: 2, Name: "Segment 3", Distance: distance, SecondSegment: &second, SecondDistance: &other, Margin: &margin}
	because := got.Because
	got.Because = nil
	if diff := cmp.Diff(want, got, near); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	values := map[string]any{}
	for _, b := range because {
		values[b.Feature] = b.Value
	}
	if diff := cmp.Diff(map[string]any{"age": 58.0, "spend": math.Expm1(3), "education": "college", "gender": "f"}, values); because[0].Feature != "age" || diff != "" {
		t.Errorf("because: got %+v, want age first (-want +got):\n%s", because, diff)
	}
}

func TestMissingValuesFollowTheModel(t *testing.T) {
	whole := map[string]any{"age": 21.0, "spend": 19.0, "education": "school", "gender": "m"}
	cases := []struct {
		missing feature.Missing
		without string
		want    string // of the error; empty: segment 0
	}{
		{feature.Fail, "spend", "row 0: spend: no value (the model needs a value for age, spend, education, gender)"},
		{feature.Fail, "education", "row 0: education: no value"},
		{feature.Fail, "gender", "row 0: gender: no value"},
		{feature.Mean, "spend", ""},
		{feature.Mean, "education", ""},
		{feature.Mean, "gender", ""},
		{feature.Drop, "spend", "a value is missing, and the model leaves such rows out"},
		{feature.Drop, "gender", "a value is missing, and the model leaves such rows out"},
	}
	for _, c := range cases {
		values := map[string]any{c.without: ""}
		for name, value := range whole {
			if name != c.without {
				values[name] = value
			}
		}
		if c.without == "spend" {
			values["spend"] = math.NaN()
		}
		got, err := ask(t, New(shop(c.missing)), values)
		var known *Error
		switch {
		case c.want == "" && (err != nil || got.Segment != 0):
			t.Errorf("%s without %s: got %+v, %v, want segment 0", c.missing, c.without, got, err)
		case c.want != "" && (!errors.As(err, &known) || !known.Absent || !strings.HasPrefix(err.Error(), c.want)):
			t.Errorf("%s without %s: got %v, want %s", c.missing, c.without, err, c.want)
		}
	}
}

func TestValuesThatCannotBeUsedAreNamed(t *testing.T) {
	cases := []struct {
		name  string
		value any
		want  string
	}{
		{"spent", 1.0, `spent: the model has no feature "spent" (did you mean "spend"?`},
		{strings.Repeat("x", 1000), 1.0, strings.Repeat("x", 60) + "…: the model has no feature"},
		{"age", math.Inf(1), "row 0: age: +Inf: not a finite number"},
		{"age", 1e300, "row 0: age: 1e+300: too large"},
		{"spend", -1.0, "row 0: spend: -1: log1p needs values above -1 (correct the value)"},
		{"education", "none", `row 0: education: "none" is not one of its values (they are, in order, school, college, doctor)`},
	}
	for _, c := range cases {
		values := map[string]any{"age": 40.0, "spend": 1.0, "education": "school", "gender": "f"}
		values[c.name] = c.value
		if _, err := ask(t, New(shop(feature.Fail)), values); err == nil || !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%.20s = %v: got %v, want %s", c.name, c.value, err, c.want)
		}
	}
}

func TestColumnsGiveWhatRowsGive(t *testing.T) {
	f := New(shop(feature.Drop))
	ages, genders := []float64{18, math.NaN(), 39, 70}, []string{"f", "f", "", "other"}
	table, err := f.NewColumns(4)
	if err != nil {
		t.Fatal(err)
	}
	for _, err := range []error{table.SetNumbers("age", ages), table.SetNumbers("spend", []float64{1, 2, 3, 4}),
		table.SetTexts("education", []string{"school", "school", "doctor", "college"}), table.SetTexts("gender", genders)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	a, err := f.Find(table)
	if err != nil {
		t.Fatal(err)
	}
	for i := range ages {
		got := a.Result(i, true)
		want, err := ask(t, f, map[string]any{"age": ages[i], "spend": float64(i + 1), "education": []string{"school", "school", "doctor", "college"}[i], "gender": genders[i]})
		if diff := cmp.Diff(want, got); diff != "" || (got == nil) != (err != nil) || (got == nil) != (i == 1 || i == 2) {
			t.Errorf("row %d: %v (-alone +column):\n%s", i, err, diff)
		}
		if got == nil && (a.Segment[i] != None || a.Second[i] != None || a.Distance[i] == a.Distance[i]) {
			t.Errorf("row %d: got segment %d at %v, want none", i, a.Segment[i], a.Distance[i])
		}
	}
	for name, err := range map[string]error{
		`age: is there twice`:           table.SetNumbers("age", ages),
		`gender: is there twice`:        table.SetTexts("gender", genders),
		`the model has no feature "a"`:  table.SetNumbers("a", ages),
		`its values are texts`:          must(f.NewColumns(4)).SetNumbers("gender", ages),
		`its values are numbers`:        must(f.NewColumns(4)).SetTexts("age", genders),
		`age: 4 values for 5 rows`:      must(f.NewColumns(5)).SetNumbers("age", ages),
		`row 3: education: "other" is`:  must(f.NewColumns(4)).SetTexts("education", []string{"", "school", "", "other"}),
		`row 0: education: "f" is not `: must(f.NewColumns(4)).SetTexts("education", genders),
	} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("got %v, want %s", err, name)
		}
	}
}

func must(table *Table, err error) *Table {
	if err != nil {
		panic(err)
	}
	return table
}

func TestBoundsHoldAtTheirEdges(t *testing.T) {
	f := New(shop(feature.Mean))
	table := must(f.NewColumns(MaxRows))
	if a, err := f.Find(table); err != nil || len(a.Segment) != MaxRows || a.Segment[MaxRows-1] != 1 {
		t.Errorf("%d rows: %v, want them in the middle", MaxRows, err)
	}
	if err := table.Add(); err == nil || !strings.Contains(err.Error(), "at most 10000") {
		t.Errorf("one row more: got %v, want an error", err)
	}
	if _, err := f.NewColumns(MaxRows + 1); err == nil {
		t.Error("one row more by columns: want an error")
	}
	if most := MaxReasons / 4; f.Explains(most) != nil || f.Explains(most+1) == nil {
		t.Errorf("want explanations of %d rows and not of one more", most)
	}
	wide := shop(feature.Mean)
	for i := range 1000 {
		wide.Transform.Categorical[0].Levels = append(wide.Transform.Categorical[0].Levels, feature.Level{Value: "x" + whole(1000+i), Grid: feature.Grid{Exponent: -30}})
	}
	wide.Centroids = make([]float32, wide.K*wide.Width())
	if most := MaxCells / wide.Width(); New(wide).fits(most) != nil || New(wide).fits(most+1) == nil {
		t.Errorf("of %d columns want %d rows and not one more", wide.Width(), most)
	}
}

func TestOneSegmentHasNoSecond(t *testing.T) {
	m := shop(feature.Mean)
	m.K, m.Centroids, m.Counts, m.Segments = 1, m.Centroids[:5], m.Counts[:1], m.Segments[:1]
	got, err := ask(t, New(m), nil)
	if err != nil || got.SecondSegment != nil || got.SecondDistance != nil || got.Margin != nil || len(got.Because) != 4 {
		t.Errorf("got %+v, %v, want no second", got, err)
	}
}
