package segment

import (
	"bytes"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/feature"
)

// summaryOf builds a measured Summary of means, all of one standard deviation.
func summaryOf(names []string, counts []int64, means [][]float64) *Summary {
	s := newSummary(counts, nil)
	s.Measured = true
	for j, name := range names {
		s.Columns = append(s.Columns, Column{Name: name, Input: name})
		base, total := 0.0, 0.0
		for i := range means {
			base += means[i][j] * float64(counts[i])
			total += float64(counts[i])
		}
		base /= total
		s.Base.append(base, 1, 0)
		for i := range means {
			s.Segments[i].append(means[i][j], 1, effect(means[i][j], base, 1))
		}
	}
	s.setValueShares(0, nil)
	return s
}

func TestCustomersGetTheWordsThatMarketersUse(t *testing.T) {
	want := []string{"Hibernating", "Champions", "Loyal customers", "New customers", "At risk"}
	if diff := cmp.Diff(want, profiled(t, 5000).Summary(nil, "").Names()); diff != "" {
		t.Errorf("from rows (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want, FromModel(fitted(t, 5000)).Names()); diff != "" {
		t.Errorf("from the model (-want +got):\n%s", diff)
	}
}

func TestOtherFeaturesGiveNamesThatSayWhatSetsApart(t *testing.T) {
	s := summaryOf([]string{"income", "age"}, []int64{10, 10, 10}, [][]float64{{4, 1}, {1, 2}, {1, 3}})
	want := []string{"Very high income, low age", "Low income", "Low income, high age"}
	if diff := cmp.Diff(want, s.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestNamesAreUniqueAndRepeatable(t *testing.T) {
	columns := [][]string{{"Recency_days", "Frequency", "Monetary"}, {"recency", "monetary", "age"}, {"x0", "x1"}, {"recency", "frequency"}}
	rapid.Check(t, func(r *rapid.T) {
		names := rapid.SampledFrom(columns).Draw(r, "columns")
		k := rapid.IntRange(1, 40).Draw(r, "k")
		counts, means := make([]int64, k), make([][]float64, k)
		for i := range k {
			counts[i] = rapid.Int64Range(0, 1000).Draw(r, "count")
			for range names {
				means[i] = append(means[i], float64(rapid.IntRange(-3, 300).Draw(r, "mean")))
			}
		}
		counts[0]++
		s := summaryOf(names, counts, means)
		got := s.Names()
		seen := map[string]bool{}
		for i, name := range got {
			if name == "" || seen[name] {
				r.Fatalf("segment %d is called %q, which is empty or taken: %q", i, name, got)
			}
			seen[name] = true
		}
		if diff := cmp.Diff(got, s.Names()); diff != "" {
			r.Fatalf("second time (-first +second):\n%s", diff)
		}
	})
}

func TestSetsApartSpeaksInUnitsOfTheInput(t *testing.T) {
	s := summaryOf([]string{"recency_days", "monetary"}, []int64{10, 10, 20}, [][]float64{{12, 8910}, {162, 100}, {87, 480}})
	for i, want := range []string{
		"spends 8,910, 3.6 × the average; recency 12 days against 87",
		"spends 100, 4.0 % of the average; recency 162 days against 87",
		"spends 480, 19 % of the average",
	} {
		if got := s.SetsApart(i); got != want {
			t.Errorf("segment %d: got %q, want %q", i, got, want)
		}
	}
	flat := summaryOf([]string{"x"}, []int64{1, 1}, [][]float64{{2}, {2}})
	if got, want := flat.SetsApart(0), "close to the average in everything"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestACategoricalColumnIsSaidOnceAndPositively(t *testing.T) {
	labels := []int32{0, 0, 0, 0, 1, 1, 1, 1}
	texts := []string{"m", "m", "m", "f", "f", "f", "f", "f"}
	p := NewProfile(2, nil, []string{"gender"})
	text := feature.TextColumn{At: func(i int) []byte { return []byte(texts[i]) }}
	if err := p.Add(labels, &feature.Batch{Rows: 8, Text: []feature.TextColumn{text}}); err != nil {
		t.Fatal(err)
	}
	s := p.Summary(nil, "")
	if got, want := s.SetsApart(0), "gender: m 75 % against 38 %"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if diff := cmp.Diff([]string{"Mostly gender m", "Mostly gender f"}, s.Names()); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

func TestNumbersReadWell(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 8910.4: "8,910", 1234567: "1,234,567", 87.25: "87.2", 4.6: "4.6", 0.25: "0.25",
		0.012: "0.012", -12: "−12", 99.96: "100", 9.999: "10", 1e15: "1e+15", 1e-9: "1e-09", math.Inf(-1): "−∞"} {
		if got := number(x); got != want {
			t.Errorf("number(%v) = %q, want %q", x, got, want)
		}
	}
	for x, want := range map[float64]string{0: "0 %", 0.0001: "<0.1 %", 0.091: "9.1 %", 0.4: "40 %", 1: "100 %"} {
		if got := percent(x); got != want {
			t.Errorf("percent(%v) = %q, want %q", x, got, want)
		}
	}
	if got, want := count(math.MinInt64), "−9,223,372,036,854,775,808"; got != want {
		t.Errorf("count: got %q, want %q", got, want)
	}
}

func table(t *testing.T, s *Summary, width int) []string {
	t.Helper()
	var b bytes.Buffer
	if err := s.Table(&b, width); err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
}

func TestTableNamesEverySegmentTheMostValuableFirst(t *testing.T) {
	lines := table(t, named(t, 5000), 100)
	if len(lines) != 5+4 {
		t.Fatalf("%d lines, want 9:\n%s", len(lines), strings.Join(lines, "\n"))
	}
	for i, name := range []string{"segment", "──", "Champions", "Loyal customers", "At risk", "Hibernating", "New customers", "──", "all"} {
		if !strings.Contains(lines[i], name) {
			t.Errorf("line %d is %q, want %q in it", i, lines[i], name)
		}
	}
}

func TestTableIsNeverWiderThanAskedFor(t *testing.T) {
	s := named(t, 5000)
	for i, name := range []string{"ñandú 企業のお客様 とても長い名前です、本当に長い", "👩‍👩‍👧‍👦 families 👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦👩‍👩‍👧‍👦", strings.Repeat("w", 300), "\x1b[31mred\x1b[0m\r\n\u202eback", ""} {
		s.Segments[i].Name = name
	}
	s.Columns[0].Name = strings.Repeat("長", 200)
	for _, c := range []struct{ width, want int }{{0, 100}, {500, 100}, {100, 100}, {80, 80}, {60, 60}, {10, 40}} {
		for _, line := range table(t, s, c.width) {
			if got := cells.StringWidth(line); got > c.want {
				t.Errorf("width %d: a line of %d cells, want at most %d: %q", c.width, got, c.want, line)
			}
			if strings.ContainsAny(line, "\x1b\r\u202e") {
				t.Errorf("a control character got through: %q", line)
			}
		}
	}
}

func TestTableColumnsAreAligned(t *testing.T) {
	s := named(t, 5000)
	s.Segments[1].Name = "企業"
	lines := table(t, s, 100)
	at := cells.StringWidth(lines[0][:strings.Index(lines[0], "what sets")])
	for i, g := range s.ByValue() {
		line := lines[2+i]
		apart := s.apart(g)[0]
		if got := cells.StringWidth(line[:strings.Index(line, apart)]); got != at {
			t.Errorf("segment %d: what sets it apart begins in cell %d, want %d: %s", g, got, at, line)
		}
	}
}

func TestWideSummariesAreStillNamedQuickly(t *testing.T) {
	s := wide(300, 40)
	if got := fmt.Sprint(len(s.Names())); got != "300" {
		t.Errorf("%s names, want 300", got)
	}
}

func TestOnlyWholePartsAreShownWhereThereIsRoomForOne(t *testing.T) {
	parts := []string{"age 54", "income 58,000", "企業 1"}
	for width, want := range map[int]string{0: "", 4: "age…", 6: "age 54", 20: "age 54", 21: "age 54; income 58,000", 28: "age 54; income 58,000", 29: "age 54; income 58,000; 企業 1"} {
		if got := fitParts(parts, "; ", width); got != want {
			t.Errorf("width %d: got %q, want %q", width, got, want)
		}
	}
}
