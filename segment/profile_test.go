package segment

import (
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
)

// sameBits compares float64s as bits, NaN being equal to NaN.
var sameBits = cmp.Comparer(func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) || a != a && b != b })

// rowsOf is the part of a batch in the given rows.
func rowsOf(labels []int32, b *feature.Batch, rows []int) ([]int32, *feature.Batch) {
	part := &feature.Batch{Rows: len(rows), Numeric: make([][]float64, len(b.Numeric))}
	var partLabels []int32
	for _, i := range rows {
		partLabels = append(partLabels, labels[i])
		for j := range b.Numeric {
			part.Numeric[j] = append(part.Numeric[j], b.Numeric[j][i])
		}
	}
	for c := range b.Text {
		part.Text = append(part.Text, feature.TextColumn{At: func(i int) []byte { return b.Text[c].At(rows[i]) }})
	}
	return partLabels, part
}

func TestProfileIsTheSameHoweverRowsAreSplitAndMerged(t *testing.T) {
	const n = 3000
	labels, b := customers(n, 5)
	whole := NewProfile(len(kinds), numericColumns, categoricalColumns)
	if err := whole.Add(labels, b); err != nil {
		t.Fatal(err)
	}
	want := whole.Summary(nil, "")
	r := rand.New(rand.NewPCG(1, 2))
	for _, parts := range []int{1, 2, 7, 100} {
		order := r.Perm(n)
		profiles := make([]*Profile, parts)
		for i := range profiles {
			profiles[i] = NewProfile(len(kinds), numericColumns, categoricalColumns)
			partLabels, part := rowsOf(labels, b, order[i*n/parts:(i+1)*n/parts])
			if err := profiles[i].Add(partLabels, part); err != nil {
				t.Fatal(err)
			}
		}
		merged := NewProfile(len(kinds), numericColumns, categoricalColumns)
		for _, i := range r.Perm(parts) {
			if err := merged.Merge(profiles[i]); err != nil {
				t.Fatal(err)
			}
		}
		if diff := cmp.Diff(want, merged.Summary(nil, ""), sameBits); diff != "" {
			t.Errorf("%d parts (-whole +merged):\n%s", parts, diff)
		}
	}
}

func TestProfileOfAFewRowsIsWhatAPencilGives(t *testing.T) {
	p := NewProfile(3, []string{"monetary", "age"}, nil)
	nan := math.NaN()
	b := &feature.Batch{Rows: 6, Numeric: [][]float64{{1, 3, 4, nan, 100, 7}, nil}, Numeric32: [][]float32{nil, {10, 20, 30, 40, 50, 60}},
		Skip: []bool{false, false, false, false, false, true}}
	if err := p.Add([]int32{0, 0, 1, 1, -1, 2}, b); err != nil {
		t.Fatal(err)
	}
	s := p.Summary(nil, "")
	want := &Summary{
		Columns: []Column{{Name: "monetary", Input: "monetary"}, {Name: "age", Input: "age"}}, Value: 0, Measured: true,
		Base: Group{Index: -1, Count: 4, Share: 1, ValueShare: 1, Mean: []float64{8.0 / 3, 25}, Std: []float64{math.Sqrt(14.0 / 9), math.Sqrt(125)}, Effect: []float64{0, 0}},
		Segments: []Group{
			{Index: 0, Count: 2, Share: 0.5, ValueShare: 0.5, Mean: []float64{2, 15}, Std: []float64{1, 5}, Effect: []float64{(2 - 8.0/3) / math.Sqrt(14.0/9), -10 / math.Sqrt(125)}},
			{Index: 1, Count: 2, Share: 0.5, ValueShare: 0.5, Mean: []float64{4, 35}, Std: []float64{0, 5}, Effect: []float64{(4 - 8.0/3) / math.Sqrt(14.0/9), 10 / math.Sqrt(125)}},
			{Index: 2, Count: 0, Share: 0, ValueShare: 0, Mean: []float64{nan, nan}, Std: []float64{nan, nan}, Effect: []float64{nan, nan}},
		},
	}
	if diff := cmp.Diff(want, s, cmpopts.EquateApprox(1e-15, 0), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("summary (-want +got):\n%s", diff)
	}
	if got := s.Names()[2]; got != "Empty" {
		t.Errorf("the empty segment is called %q", got)
	}
}

func TestProfileOfNothingCanBeShown(t *testing.T) {
	s := NewProfile(2, []string{"monetary"}, []string{"gender"}).Summary(nil, "")
	s.Rename(s.Names())
	if lines := table(t, s, 100); len(lines) != 6 {
		t.Errorf("%d lines, want 6: %q", len(lines), lines)
	}
	var out strings.Builder
	if err := (&Page{Summary: s}).Render(&out); err != nil {
		t.Error(err)
	}
}

func TestProfileRefusesForeignLabelsAndProfiles(t *testing.T) {
	p := NewProfile(2, []string{"x"}, nil)
	err := p.Add([]int32{0, 2}, &feature.Batch{Rows: 2, Numeric: [][]float64{{1, 2}}})
	if fault.Code(err) != int(fault.Input) || !strings.Contains(err.Error(), "label 2") {
		t.Errorf("got %v", err)
	}
	if err := p.Merge(NewProfile(3, []string{"x"}, nil)); err == nil {
		t.Error("profiles of 2 and 3 segments were merged")
	}
	large := NewProfile(1<<16, make([]string, 17), nil)
	if err := large.Add(nil, &feature.Batch{}); fault.Code(err) != int(fault.Input) {
		t.Errorf("a profile of too many sums: got %v", err)
	}
}

func TestModelAloneGivesTheBaseAsWeightedMean(t *testing.T) {
	m := fitted(t, 5000)
	s := FromModel(m)
	for j, c := range s.Columns {
		there, back := func(x float64) float64 { return x }, func(x float64) float64 { return x }
		if typical := j < len(m.Transform.Numeric) && m.Transform.Numeric[j].Log1p; typical != c.Typical {
			t.Errorf("%s: typical is %t, want %t", c.Name, c.Typical, typical)
		} else if typical { // the mean of logarithms, led back, is no average
			there, back = math.Log1p, math.Expm1
		}
		want := 0.0
		for i := range m.K {
			want += there(m.CentroidInput(i)[j]) * float64(m.Counts[i])
		}
		want = back(want / float64(m.Rows))
		if math.Abs(s.Base.Mean[j]-want) > 1e-6*math.Abs(want) {
			t.Errorf("%s: base mean %v, want %v", c.Name, s.Base.Mean[j], want)
		}
	}
	var text strings.Builder
	if err := s.Table(&text, 0); err != nil || strings.Contains(text.String(), "average") || !strings.Contains(text.String(), "typically recency") {
		t.Errorf("the table takes what is typical for an average:\n%s", text.String())
	}
	if s.Value >= 0 {
		t.Error("a value share was told from logarithms")
	}
}

func TestColumnsOfTheModelAreItsOutputs(t *testing.T) {
	m := fitted(t, 500)
	m.Transform.Numeric[0].Indicator = &feature.Grid{}
	m.Transform.Categorical[0].Missing = &feature.Grid{}
	var got []string
	for _, c := range modelColumns(m) {
		got = append(got, c.Name)
	}
	if diff := cmp.Diff(m.Transform.Outputs(), got); diff != "" {
		t.Errorf("columns (-want +got):\n%s", diff)
	}
}
