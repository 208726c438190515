package pipeline

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/progress"
)

// checked checks a table whose cells are made by row; the header's columns are separated by commas.
func checked(t *testing.T, d Data, threads, rows int, header string, row func(i int) string) *CheckOutcome {
	t.Helper()
	out, err := tryCheck(t, CheckRequest{Data: d, Engine: Engine{Threads: threads}}, rows, header, row)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func tryCheck(t *testing.T, r CheckRequest, rows int, header string, row func(i int) string) (*CheckOutcome, error) {
	t.Helper()
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range rows {
		b.WriteString(row(i) + "\n")
	}
	file := filepath.Join(t.TempDir(), "a.csv")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	r.Data.Files, r.Engine.Workers, r.Engine.Reporter = []string{file}, 1, progress.New(progress.None, nil)
	return Check(t.Context(), &r)
}

// told are the findings as "severity column problem".
func told(o *CheckOutcome) []string {
	var list []string
	for _, f := range o.Findings {
		list = append(list, strings.Join([]string{string(f.Severity), f.Column, f.Problem}, " "))
	}
	return list
}

// noise is a fixed number in 0..999 for a row and a column, without order.
func noise(i, column int) int {
	h := uint64(i+1)*0x9e3779b97f4a7c15 ^ uint64(column+1)*0xc2b2ae3d27d4eb4f
	h ^= h >> 29
	h *= 0xbf58476d1ce4e5b9
	return int(h >> 33 % 1000)
}

func TestCheckTellsWhatStopsAndSpoilsAFitAndTheFlagThatMendsIt(t *testing.T) {
	tail := func(i int) float64 { return math.Exp(float64(noise(i, 1)) / 80) }
	for name, c := range map[string]struct {
		data   Data
		header string
		row    func(i int) string
		want   []string
		fit    []string
	}{
		"nothing": {Data{}, "id,x,y", func(i int) string { return fmt.Sprintf("%d,%d,%d", i, noise(i, 1), noise(i, 2)) }, nil, []string{}},
		"a few missing values": {Data{}, "id,x,y", func(i int) string {
			if i == 7 {
				return "7,,3"
			}
			return fmt.Sprintf("%d,%d,%d", i, noise(i, 1), noise(i, 2))
		}, []string{"stops x missing"}, []string{"--missing", "median"}},
		"many missing values": {Data{}, "id,x,y", func(i int) string {
			if i%9 == 0 {
				return fmt.Sprintf("%d,,3", i)
			}
			return fmt.Sprintf("%d,%d,%d", i, noise(i, 1), noise(i, 2))
		}, []string{"stops x missing"}, []string{"--missing", "indicator"}},
		"a constant": {Data{}, "id,x,y", func(i int) string { return fmt.Sprintf("%d,5,%d", i, noise(i, 2)) }, []string{"spoils x constant"},
			[]string{"--features", "y"}},
		"a long tail": {Data{}, "id,x,y", func(i int) string { return fmt.Sprintf("%d,%v,%d", i, tail(i)*tail(i+5000), noise(i, 2)) },
			[]string{"spoils x skew", "spoils x outliers"}, []string{"--log1p", "x"}},
		"a tail below zero": {Data{}, "id,x,y", func(i int) string { return fmt.Sprintf("%d,%v,%d", i, -tail(i), noise(i, 2)) },
			[]string{"spoils x skew"}, []string{"--scale", "robust"}},
		"values far out on both sides": {Data{}, "id,x,y", func(i int) string {
			return fmt.Sprintf("%d,%d,%d", i, noise(i, 1)+map[int]int{50: 1e6, 60: -1e6}[i], noise(i, 2))
		}, []string{"spoils x outliers"}, []string{"--scale", "robust"}},
		"flags are no tails": {Data{}, "id,x,y", func(i int) string { return fmt.Sprintf("%d,%d,%d", i, btoi(i%100 == 3), noise(i, 2)) }, nil, []string{}},
		"an id among them": {Data{}, "customer,x", func(i int) string { return fmt.Sprintf("%d,%d", 1000+i, noise(i, 2)) },
			[]string{"spoils customer looks_like_id"}, []string{"--id", "customer", "--features", "x"}},
		"one that moves with another": {Data{}, "id,x,y,z", func(i int) string {
			return fmt.Sprintf("%d,%d,%d,%v", i, noise(i, 1), noise(i, 2), 3-0.7*float64(noise(i, 1)))
		},
			[]string{"spoils z near_duplicate"}, []string{"--features", "x,y"}},
		"one of the same order": {Data{}, "id,x,y,z", func(i int) string {
			return fmt.Sprintf("%d,%d,%d,%v", i, noise(i, 1), noise(i, 2), math.Sqrt(float64(noise(i, 1))))
		}, []string{"spoils z near_duplicate"}, []string{"--features", "x,y"}},
		"three that say the same": {Data{Categorical: []string{"a", "b", "c"}}, "id,x,a,b,c", func(i int) string {
			k := noise(i, 3) % 4
			return fmt.Sprintf("%d,%d,a%d,%c,c%d", i, noise(i, 1), k, 'z'-rune(k), k)
		}, []string{"spoils b near_duplicate", "spoils c near_duplicate"}, []string{"--categorical", "a"}},
		"rare levels": {Data{Categorical: []string{"a"}}, "id,x,a", func(i int) string {
			return fmt.Sprintf("%d,%d,%s", i, noise(i, 1), map[bool]string{true: "m", false: fmt.Sprint("rare", i)}[i%200 > 1])
		}, []string{"hint a rare_levels"}, []string{"--categorical", "a", "--fold-levels", "1%"}},
		"many levels, all rare": {Data{Categorical: []string{"a"}}, "id,x,a", func(i int) string { return fmt.Sprintf("%d,%d,a%d", i, noise(i, 1), i%150) },
			[]string{"spoils a levels"}, []string{}},
		"a text for each row": {Data{Categorical: []string{"a"}}, "id,x,a", func(i int) string { return fmt.Sprintf("%d,%d,Ms %d", i, noise(i, 1), i) },
			[]string{"spoils a looks_like_id"}, []string{}},
		"a text that is not used": {Data{}, "id,x,a", func(i int) string { return fmt.Sprintf("%d,%d,a%d", i, noise(i, 1), i%3) },
			[]string{"hint a unused"}, []string{}},
		"an order": {Data{}, "id,x,tier", func(i int) string {
			return fmt.Sprintf("%d,%d,%s", i, noise(i, 1), []string{"Gold", "Silver", "Bronze"}[i%3])
		}, []string{"hint tier ordered"}, []string{}},
		"an order that was given": {Data{Orders: []feature.Order{{Column: "tier", Levels: []string{"Bronze", "Silver", "Gold"}}}}, "id,x,tier", func(i int) string {
			return fmt.Sprintf("%d,%d,%s", i, noise(i, 1), []string{"Gold", "Silver", "Bronze"}[noise(i, 2)%3])
		}, nil, []string{"--ordinal", "tier=Bronze<Silver<Gold"}},
		"codes": {Data{}, "id,x,y", func(i int) string { return fmt.Sprintf("%d,%d,%d", i, noise(i, 1), noise(i, 2)%5) },
			[]string{"hint y few_values"}, []string{}},
		"numbers with currency": {Data{}, "id,x,spent", func(i int) string { return fmt.Sprintf("%d,%d,€ %d.50", i, noise(i, 1), noise(i, 2)) },
			[]string{"hint spent text_numbers"}, []string{}},
		"postcodes are text": {Data{}, "id,x,post", func(i int) string { return fmt.Sprintf("%d,%d,0%d", i, noise(i, 1), noise(i, 2)) }, nil, []string{}},
		"rows that cannot be read": {Data{}, "id,x,y", func(i int) string {
			return fmt.Sprintf("%d,%d,%s", i, noise(i, 1), map[bool]string{true: "many", false: fmt.Sprint(noise(i, 2))}[i == 1100])
		}, []string{"stops  bad_rows"}, []string{"--bad-rows", "quarantine"}},
		"what was asked for stays": {Data{ID: "id", Features: []string{"y", "x"}, Log1p: []string{"x"}, Scale: "minmax", Missing: "mean",
			Weights: []feature.Weight{{Column: "x", Factor: 2}}, Duplicates: "last"}, "id,x,y,z",
			func(i int) string { return fmt.Sprintf("%d,%d,%d,4", i, noise(i, 1), noise(i, 2)) }, nil,
			[]string{"--id", "id", "--features", "y,x", "--log1p", "x", "--scale", "minmax", "--missing", "mean", "--feature-weight", "x=2", "--duplicates", "last"}},
		"nothing is left": {Data{}, "id,x", func(i int) string { return fmt.Sprintf("%d,5", i) }, []string{"spoils x constant"}, nil},
	} {
		out := checked(t, c.data, 2, 1200, c.header, c.row)
		if diff := cmp.Diff(c.want, told(out)); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s%+v", name, diff, out.Findings)
		}
		if !slices.Equal(c.fit, out.Suggested) || (c.fit == nil) != (out.Suggested == nil) {
			t.Errorf("%s: got the fit %q, want %q", name, out.Suggested, c.fit)
		}
		for _, f := range out.Findings {
			if f.Detail == "" || f.Remedy == "" || !slices.Contains(problems, f.Problem) {
				t.Errorf("%s: got %+v, want a known problem, a detail and a remedy", name, f)
			}
		}
	}
}

func TestCheckSaysTheSameOnAnyNumberOfThreads(t *testing.T) {
	row := func(i int) string {
		return fmt.Sprintf("%d,%v,%d,a%d", i, math.Exp(float64(noise(i, 1))/200), noise(i, 2), noise(i, 3)%70)
	}
	d := Data{Categorical: []string{"a"}}
	want := checked(t, d, 1, 3000, "id,x,y,a", row)
	if diff := cmp.Diff(want, checked(t, d, 7, 3000, "id,x,y,a", row), cmp.AllowUnexported(CheckOutcome{})); diff != "" {
		t.Errorf("(-one +seven):\n%s", diff)
	}
}

func TestDriftIsToldOfNumbersAndLevels(t *testing.T) {
	level := func(i, split int) string {
		if noise(i, 3)%10 < split {
			return "a"
		}
		return "b"
	}
	model := filepath.Join(t.TempDir(), "m.json")
	july := filepath.Join(t.TempDir(), "july.csv")
	var b strings.Builder
	b.WriteString("id,x,y,c\n")
	for i := range 900 {
		fmt.Fprintf(&b, "%d,%d,%d,%s\n", i, noise(i, 1), noise(i, 2), level(i, 5))
	}
	if err := os.WriteFile(july, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Fit(t.Context(), &FitRequest{Data: Data{Files: []string{july}, Categorical: []string{"c"}, Scale: "minmax", Weights: []feature.Weight{{Column: "x", Factor: 3}, {Column: "c", Factor: 2}}},
		K: 3, Init: "k-means-parallel", Runs: 1, MaxIter: 50, Engine: Engine{Workers: 1, Reporter: progress.New(progress.None, nil)}, Model: model})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		row   func(i int) string
		want  []string
		gates []string // that fail
	}{
		"the same month": {func(i int) string { return fmt.Sprintf("%d,%d,%d,%s", i, noise(i, 1), noise(i, 2), level(i, 5)) }, nil, nil},
		"a mean that moved": {func(i int) string { return fmt.Sprintf("%d,%d,%d,%s", i, noise(i, 1)+300, noise(i, 2), level(i, 5)) },
			[]string{"spoils x drift"}, []string{"drift=0.25", "findings=0"}},
		"levels that moved": {func(i int) string { return fmt.Sprintf("%d,%d,%d,%s", i, noise(i, 1), noise(i, 2), level(i, 9)) },
			[]string{"spoils c drift"}, []string{"drift=0.25", "findings=0"}},
		"a new level": {func(i int) string {
			return fmt.Sprintf("%d,%d,%d,%s", i, noise(i, 1), noise(i, 2), map[bool]string{true: "new", false: level(i, 5)}[i%50 == 0])
		}, []string{"hint c unseen_levels"}, []string{"unseen=1%"}},
	} {
		r := CheckRequest{Model: model}
		out, err := tryCheck(t, r, 900, "id,x,y,c", c.row)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, told(out)); diff != "" {
			t.Errorf("%s: findings (-want +got):\n%s%+v", name, diff, out.Findings)
		}
		if name == "the same month" {
			for _, column := range out.Columns {
				if column.Drift != nil && math.Abs(*column.Drift) > 1e-6 {
					t.Errorf("%s: got drift %v of %s, want none", name, *column.Drift, column.Name)
				}
			}
		}
		for _, text := range []string{"drift=0.25", "findings=0", "unseen=1%", "rows=900", "bad-rows=0", "missing=0"} {
			gate, err := ParseCheckGate(text)
			if err != nil {
				t.Fatal(err)
			}
			r.Gates = []CheckGate{gate}
			out, err := tryCheck(t, r, 900, "id,x,y,c", c.row)
			if failed := fault.Code(err) == int(fault.Gate); failed != slices.Contains(c.gates, text) || out == nil {
				t.Errorf("%s, --gate %s: got %v, want it to fail: %v, and the outcome in any case", name, text, err, slices.Contains(c.gates, text))
			}
		}
	}
}

func TestGatesAreHeldAtTheirEdge(t *testing.T) {
	rate := 0.25
	out := &CheckOutcome{Rows: 200, BadRows: 10, unseen: 4, Columns: []CheckColumn{{Name: "x", Feature: true, Missing: 20, Drift: &rate},
		{Name: "note", Missing: 200}}, Findings: []Finding{{Severity: stops}, {Severity: spoils}, {Severity: hint}}}
	for text, passes := range map[string]bool{
		"rows=200": true, "rows=201": false, "bad-rows=5%": true, "bad-rows=0.05": true, "bad-rows=4.9%": false, "missing=10%": true,
		"missing=9.9%": false, "drift=0.25": true, "drift=0.24": false, "unseen=2%": true, "unseen=0.019": false, "findings=2": true, "findings=1": false,
	} {
		gate, err := ParseCheckGate(text)
		if err != nil {
			t.Fatal(err)
		}
		err = out.hold([]CheckGate{gate}, "a.csv")
		var said *fault.Error
		if (err == nil) != passes || err != nil && (!errors.As(err, &said) || said.Kind != fault.Gate || !strings.Contains(said.Problem, text)) {
			t.Errorf("%s: got %v, want it to pass: %v", text, err, passes)
		}
	}
	for _, text := range []string{"", "rows", "rows=", "rows=many", "rows=1.5", "rows=5%", "rows=-1", "size=1", "missing=5", "missing=101%", "missing=NaN", "drift=5%", "=3"} {
		if g, err := ParseCheckGate(text); err == nil {
			t.Errorf("%q: got the gate %+v, want an error", text, g)
		}
	}
}

func TestLevelsAreCountedUpToABound(t *testing.T) {
	filled := func(levels int) *columnFigures {
		c := &columnFigures{levels: make(map[string]*int64)}
		for i := range levels {
			c.add(fmt.Append(nil, i), 2)
		}
		return c
	}
	if counts := filled(mostLevels - 1).counts(); len(counts) != mostLevels-1 || counts["7"] != 2 {
		t.Errorf("got %d levels, want %d of 2 rows each", len(counts), mostLevels-1)
	}
	c := filled(mostLevels + 5)
	c.add([]byte("7"), 1)
	if len(c.levels) != mostLevels || c.counts() != nil || *c.levels["7"] != 3 {
		t.Errorf("got %d levels, want %d that are not counted any more", len(c.levels), mostLevels)
	}
	long := &columnFigures{levels: make(map[string]*int64)}
	long.add([]byte(strings.Repeat("x", 5*feature.MaxLevelText)), 1)
	for text := range long.levels {
		if len(text) != feature.MaxLevelText {
			t.Errorf("got a text of %d bytes kept, want %d", len(text), feature.MaxLevelText)
		}
	}
}

func TestColumnsThatSayTheSameAreFoundBesideGapsAndNoise(t *testing.T) {
	x, y := make([]int32, 2000), make([]int32, 2000)
	for i := range x {
		x[i] = int32(noise(i, 1) % 5)
		y[i] = 4 - x[i]
	}
	spoil := func(n int) bool {
		z := slices.Clone(y)
		for i := range n {
			z[i*7] = (z[i*7] + 1) % 5
		}
		return together(x, z, 5, 5)
	}
	for n, want := range map[int]bool{0: true, 2: true, 20: false} {
		if got := spoil(n); got != want {
			t.Errorf("%d of 2000 rows differ: got %v, want %v", n, got, want)
		}
	}
	x[3], y[9] = -1, -1
	if !together(x, y, 5, 5) {
		t.Error("a missing value makes them differ")
	}
	for i := range y {
		y[i] = x[i] / 2 // each of x goes with one of y, and not the other way round
	}
	if together(x, y, 5, 3) {
		t.Error("a coarser column says the same")
	}
	if r := correlation(ranksOf([]float64{1, 2, 2, math.NaN(), 9}), ranksOf([]float64{1, 4, 4, math.NaN(), 1e9})); math.Abs(r-1) > 1e-12 {
		t.Errorf("rank correlation with ties and a gap: got %v, want 1", r)
	}
}
