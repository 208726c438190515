package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// shoppers are n customers of three kinds as CSV; their ids stand nowhere else.
func shoppers(n int) string {
	var b strings.Builder
	b.WriteString("customer_id,recency_days,frequency,monetary,gender\n")
	for i := range n {
		kind, turn := i%3, i*7919%101
		fmt.Fprintf(&b, "CUST-%05d,%d,%d,%.2f,%s\n", 70000+i, []int{5, 90, 300}[kind]+turn%9, []int{30, 8, 1}[kind]+turn%2,
			[]float64{3000, 400, 60}[kind]*(1+float64(turn)/200), []string{"f", "m", "f"}[(i+turn)%3])
	}
	return b.String()
}

// fitShoppers enters a folder with shoppers in data.csv and their model in m.json.
func fitShoppers(t *testing.T, n int, args ...string) {
	t.Helper()
	enterWith(t, map[string]string{"data.csv": shoppers(n)})
	got := coterie(append([]string{"fit", "data.csv", "-k", "3", "-o", "m.json", "--categorical", "gender", "--log1p", "monetary"}, args...)...)
	if got.code != 0 {
		t.Fatalf("fit: got %+v", got)
	}
}

func profileOf(t *testing.T, args ...string) profileDocument {
	t.Helper()
	var doc profileDocument
	got := coterie(append([]string{"profile", "--model", "m.json", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("coterie profile %s: got %+v (%v)", strings.Join(args, " "), got, err)
	}
	return doc
}

func TestProfileMeasuresEachSegmentAgainstAll(t *testing.T) {
	fitShoppers(t, 300)
	doc := profileOf(t, "data.csv")
	if doc.Rows != 300 || len(doc.Segments) != 3 || doc.Value == nil || *doc.Value != "monetary" {
		t.Fatalf("got %+v, want 3 segments of 300 rows with their value", doc)
	}
	value := 0.0
	for _, s := range doc.Segments {
		value += *s.ValueShare
		if s.Size != 100 || math.Abs(s.Share-1.0/3) > 1e-15 || s.Name == "" || s.ID == "" || s.Nearest == nil || *s.Nearest == s.Segment {
			t.Errorf("got %+v, want a third of the rows, a name, an id and another segment near it", s)
		}
		if s.Rule == nil || *s.RulePrecision != 1 || *s.RuleRecall != 1 {
			t.Errorf("segment %d: got no rule that tells it from the others", s.Segment)
		}
		var names []string
		for _, f := range s.Features {
			names = append(names, f.Feature)
			if share := strings.Contains(f.Feature, "="); (f.Median == nil) != share || (f.Histogram == nil) != share || f.Mean == nil || f.BaseMean == nil {
				t.Errorf("segment %d: %+v lacks a figure, or has one that shares do not have", s.Segment, f)
			}
		}
		if want := []string{"recency_days", "frequency", "monetary", "gender=f", "gender=m"}; !slices.Equal(names, want) {
			t.Errorf("got features %v, want %v", names, want)
		}
	}
	if math.Abs(value-1) > 1e-12 {
		t.Errorf("the value shares add up to %v", value)
	}
}

func TestProfileOfAFewRowsIsWhatAPencilGives(t *testing.T) {
	enterWith(t, map[string]string{"data.csv": "id,age,spend\n1,20,10\n2,22,30\n3,21,20\n4,60,5\n5,64,7\n"})
	if got := coterie("fit", "data.csv", "-k", "2", "-o", "m.json", "--features", "age"); got.code != 0 {
		t.Fatal(got)
	}
	doc := profileOf(t, "data.csv", "--value", "spend")
	young := doc.Segments[0]
	if young.Size != 3 {
		young = doc.Segments[1]
	}
	num := func(x float64) *float64 { return &x }
	spread := math.Sqrt((math.Pow(20-37.4, 2) + math.Pow(22-37.4, 2) + math.Pow(21-37.4, 2) + math.Pow(60-37.4, 2) + math.Pow(64-37.4, 2)) / 5)
	want := profiledFeature{Feature: "age", Mean: num(21), Median: num(21), Q1: num(20.5), Q3: num(21.5), BaseMean: num(37.4), BaseMedian: num(22),
		Effect: num((21 - 37.4) / spread)}
	got := young.Features[0]
	got.Histogram = nil
	close := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) <= 1e-12*math.Abs(b) })
	if diff := cmp.Diff(want, got, close); diff != "" || *young.ValueShare != 60.0/72 || *young.Features[1].Mean != 20 {
		t.Errorf("got value share %v and spend %v (-want +got):\n%s", *young.ValueShare, *young.Features[1].Mean, diff)
	}
}

func TestProfileDocumentIsTheContracts(t *testing.T) {
	enterWith(t, map[string]string{"data.csv": four})
	if got := coterie("fit", "data.csv", "-k", "2", "-o", "m.json"); got.code != 0 {
		t.Fatal(got)
	}
	var doc map[string]any
	command(t, &doc, "profile", "--model", "m.json", "data.csv", "-o", "p.json")
	first := doc["segments"].([]any)[0].(map[string]any)
	for _, key := range []string{"segment", "id", "name", "size", "share", "value_share", "features", "rule", "nearest"} {
		if _, ok := first[key]; !ok {
			t.Errorf("a segment has no %q", key)
		}
	}
	feature := first["features"].([]any)[0].(map[string]any)
	for _, key := range []string{"feature", "mean", "median", "base_mean", "base_median", "effect"} {
		if _, ok := feature[key]; !ok {
			t.Errorf("a feature has no %q", key)
		}
	}
	if doc["rows"] != 4.0 || first["value_share"] != nil {
		t.Errorf("got %v rows and value share %v, want 4 and none without a column of values", doc["rows"], first["value_share"])
	}
	var file map[string]any
	if err := json.Unmarshal([]byte(text(t, "p.json")), &file); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(doc, file); diff != "" {
		t.Errorf("the file is not what was printed (-printed +file):\n%s", diff)
	}
}

func TestProfileIsTheSameForAnyNumberOfThreads(t *testing.T) {
	fitShoppers(t, 300)
	// As many files as make several partitions.
	var files []string
	lines := strings.SplitAfter(shoppers(3000), "\n")
	for i := range 5 {
		files = append(files, fmt.Sprintf("part%d.csv", i))
		write(t, files[i], lines[0]+strings.Join(lines[1+600*i:1+600*(i+1)], ""))
	}
	write(t, "one.csv", strings.Join(lines, ""))
	want := coterie("profile", "--model", "m.json", "--json", "--with-ids", "--threads", "1", "one.csv")
	for _, threads := range []string{"1", "2", "5"} {
		got := coterie(append([]string{"profile", "--model", "m.json", "--json", "--with-ids", "--threads", threads}, files...)...)
		if got.code != 0 || got.stdout != want.stdout {
			t.Errorf("%s threads: got another profile: %s", threads, cmp.Diff(want, got))
		}
	}
}

func TestNoIDIsToldUnlessAskedFor(t *testing.T) {
	fitShoppers(t, 300, "--report", "fit.html")
	for _, format := range []string{"page.html", "page.json"} {
		if got := coterie("profile", "--model", "m.json", "data.csv", "-o", format); got.code != 0 || strings.Contains(got.stdout+got.stderr+text(t, format), "CUST-") {
			t.Errorf("%s: got %+v, want no id anywhere", format, got)
		}
		if got := coterie("profile", "--model", "m.json", "data.csv", "-o", format, "--with-ids"); got.code != 0 || strings.Count(text(t, format), "CUST-7") != 15 {
			t.Errorf("%s: got %d ids with --with-ids (%+v), want 5 for each segment", format, strings.Count(text(t, format), "CUST-7"), got)
		}
	}
	if strings.Contains(text(t, "fit.html"), "CUST-") {
		t.Error("the report of a fit tells ids")
	}
}

// TestProfileJudgesRowsAsAssignDoes compares what both say of the same data.
func TestProfileJudgesRowsAsAssignDoes(t *testing.T) {
	for _, missing := range []string{"fail", "drop", "mean"} {
		fitShoppers(t, 60, "--missing", missing)
		compareWithAssign(t, missing)
	}
}

func compareWithAssign(t *testing.T, missing string) {
	t.Helper()
	good := shoppers(60)
	for name, data := range map[string]string{
		"good":            good,
		"a bad cell":      strings.Replace(good, ",30,", ",thirty,", 1),
		"a short row":     good + "CUST-1,2\n",
		"no id":           strings.Replace(good, "CUST-70004", "", 1),
		"an id twice":     strings.Replace(good, "CUST-70004", "CUST-70003", 1),
		"a missing value": strings.Replace(good, ",30,", ",,", 1),
		"log1p of -2":     good + "CUST-1,5,30,-2,f\n",
		"a huge value":    good + "CUST-1,1e300,30,2,f\n",
		"a large Point":   good + "CUST-1,1e30,30,2,f\n",
		"an unseen level": good + "CUST-1,5,30,2,x\n",
	} {
		write(t, "new.csv", data)
		policies := [][]string{nil, {"--bad-rows", "quarantine", "--duplicates", "last"}, {"--bad-rows", "quarantine"}, {"--duplicates", "first"}}
		if missing != "fail" {
			policies = policies[:1]
		}
		for _, flags := range policies {
			args := append([]string{"new.csv", "--model", "m.json", "--json"}, flags...)
			want, got := coterie(append([]string{"assign", "-o", "l.csv"}, args...)...), coterie(append([]string{"profile"}, args...)...)
			if got.code != want.code || got.stderr != want.stderr {
				t.Errorf("missing %s, %s, %v: got exit %d and %q, want %d and %q", missing, name, flags, got.code, got.stderr, want.code, want.stderr)
			}
			if got.code != 0 || want.code != 0 {
				continue
			}
			var labels assignDocument
			var profile profileDocument
			if err := json.Unmarshal([]byte(want.stdout), &labels); err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal([]byte(got.stdout), &profile); err != nil {
				t.Fatal(err)
			}
			for i, s := range profile.Segments {
				if s.Size != labels.Counts[i] {
					t.Errorf("missing %s, %s, %v: segment %d has %d rows, want %d", missing, name, flags, i, s.Size, labels.Counts[i])
				}
			}
		}
	}
}

func TestProfileOfWrongInput(t *testing.T) {
	fitShoppers(t, 60)
	write(t, "renamed.csv", strings.Replace(shoppers(9), "frequency", "freqency", 1))
	write(t, "head.csv", strings.SplitAfter(shoppers(9), "\n")[0])
	write(t, "damaged.json", strings.Replace(text(t, "m.json"), "recency_days", "recency_dayz", 1))
	for _, c := range []struct {
		name string
		args []string
		code int
		say  string
	}{
		{"a renamed feature", []string{"--model", "m.json", "renamed.csv"}, 3, `needs the column "frequency", which the data lacks (is it "freqency" here?`},
		{"no rows", []string{"--model", "m.json", "head.csv"}, 3, "no rows"},
		{"a damaged model", []string{"--model", "damaged.json", "data.csv"}, 3, "damaged.json: the model is damaged"},
		{"data for a model", []string{"--model", "data.csv", "data.csv"}, 3, "data.csv: is not a model"},
		{"no such value column", []string{"--model", "m.json", "data.csv", "--value", "monetry"}, 3, `did you mean "monetary"?`},
		{"a value column of text", []string{"--model", "m.json", "data.csv", "--value", "gender"}, 3, "no column of numbers"},
		{"no model", []string{"data.csv"}, 2, "needs --model"},
		{"no data", []string{"--model", "m.json"}, 2, "needs DATA"},
		{"another format", []string{"--model", "m.json", "data.csv", "-o", "p.csv"}, 2, `"p.csv" has no known extension`},
		{"the data as output", []string{"--model", "m.json", "data.csv", "-o", "m.json"}, 2, "is also read"},
		{"features", []string{"--model", "m.json", "data.csv", "--features", "frequency"}, 2, "unknown flag --features"},
	} {
		got := coterie(append([]string{"profile"}, c.args...)...)
		if got.code != c.code || !strings.Contains(got.stderr, c.say) || got.stdout != "" {
			t.Errorf("%s: got %+v, want exit %d and %q", c.name, got, c.code, c.say)
		}
	}
}

func TestProfileOfASegmentWithoutCustomers(t *testing.T) {
	fitShoppers(t, 60)
	lines := strings.SplitAfter(shoppers(60), "\n")
	only := lines[0]
	for i := 1; i < len(lines); i += 3 {
		only += lines[i]
	}
	write(t, "one.csv", only)
	doc := profileOf(t, "one.csv", "-o", "p.html")
	empty := 0
	for _, s := range doc.Segments {
		if s.Size == 0 {
			empty++
			if s.Rule != nil || s.Features[0].Mean != nil || s.Features[0].Median != nil || *s.ValueShare != 0 {
				t.Errorf("got %+v, want nothing measured", s)
			}
		}
	}
	if got := coterie("profile", "--model", "m.json", "one.csv"); empty != 2 || got.code != 0 || !strings.Contains(got.stdout, "no customers") {
		t.Errorf("got %d empty segments and %+v, want two that are said to have no customers", empty, got)
	}
}

func TestReportOfAFitIsAllOrNothing(t *testing.T) {
	fitShoppers(t, 60)
	plain := text(t, "m.json")
	args := []string{"fit", "data.csv", "-k", "3", "--categorical", "gender", "--log1p", "monetary", "--labels", "l.csv"}
	got := coterie(append(slices.Clone(args), "-o", "n.json", "--report", "r.html", "--json")...)
	var doc fitDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || doc.Report != "r.html" || !strings.Contains(plain, doc.Digest) {
		t.Errorf("got %+v (%v), want the report, and the digest of the fit without it", got, err)
	}
	if page := text(t, "r.html"); !strings.Contains(page, "60 customers in 3 segments") || !strings.Contains(page, doc.Digest) {
		t.Error("the page is not about this fit")
	}
	for _, link := range []string{"full.html", "full.json"} {
		if err := os.Symlink("/dev/full", link); err != nil {
			t.Fatal(err)
		}
	}
	os.Remove("l.csv")
	before := listing(t)
	for _, c := range []struct{ model, report string }{{"o.json", "full.html"}, {"o.json", "nowhere/r.html"}, {"full.json", "new.html"}} {
		got := coterie(append(slices.Clone(args), "-o", c.model, "--report", c.report)...)
		if diff := cmp.Diff(before, listing(t)); diff != "" || got.code != 1 {
			t.Errorf("%v: got %+v, want exit 1 and nothing written (-before +after):\n%s", c, got, diff)
		}
	}
}

func TestReportCountsTheRowsOfTheFit(t *testing.T) {
	enterWith(t, map[string]string{"data.csv": strings.Replace(shoppers(61), "CUST-70004", "CUST-70003", 1) + ",1,1,1,f\n"})
	got := coterie("fit", "data.csv", "-k", "3", "-o", "m.json", "--duplicates", "last", "--bad-rows", "quarantine", "--report", "r.html")
	if got.code != 0 || !strings.Contains(text(t, "r.html"), "60 customers in 3 segments") {
		t.Errorf("got %+v, want a page about 60 customers", got)
	}
}

func TestReportWhereItCannotBeMade(t *testing.T) {
	enterWith(t, map[string]string{"data.csv": shoppers(30)})
	for _, c := range []struct {
		args []string
		say  string
	}{
		{[]string{"--report", "r.html", "--cluster", "127.0.0.1:1"}, "run coterie profile --model m.json DATA… -o r.html where the data is"},
		{[]string{"--report", "r.pdf"}, `--report: "r.pdf" has no known extension`},
		{[]string{"--report", "-"}, "cannot go to standard output"},
	} {
		got := coterie(append([]string{"fit", "data.csv", "-k", "3", "-o", "m.json"}, c.args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, c.say) {
			t.Errorf("%v: got %+v, want exit 2 and %q", c.args, got, c.say)
		}
	}
	app := newApp(strings.NewReader(shoppers(30)), io.Discard, io.Discard, nil)
	if code := app.run(context.Background(), []string{"fit", "-", "-k", "3", "-o", "m.json", "--report", "r.html", "--quiet"}); code != 0 ||
		!strings.Contains(text(t, "r.html"), "30 customers in 3 segments") {
		t.Errorf("from standard input: exit %d, want a page about 30 customers", code)
	}
}
