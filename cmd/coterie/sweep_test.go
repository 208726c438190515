package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// swept is a sweep's document and its text but for how long it took.
func swept(t *testing.T, env []string, args ...string) (doc sweepDocument, text string) {
	t.Helper()
	got := runWith(context.Background(), env, append([]string{"sweep", "--json", "--quiet"}, args...)...)
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("coterie sweep %s: got %+v (%v)", strings.Join(args, " "), got, err)
	}
	doc.Seconds = 0
	data, err := json.Marshal(doc)
	if err != nil {
		t.Fatal(err)
	}
	return doc, string(data)
}

func TestASweepIsTheSameBitsForAnyWorkersThreadsKernelAndFormat(t *testing.T) {
	enter(t)
	writeCloud(t, cloud(1500, 3), "csv", "parquet")
	tiers := kernels(t)
	var want string
	for i, tier := range tiers {
		for _, c := range []struct{ workers, file string }{{"1", "data.csv"}, {"3", "data.parquet"}} {
			_, got := swept(t, []string{"COTERIE_KERNEL=" + tier}, c.file, "-k", "2..4", "--runs", "2", "--workers", c.workers, "--threads", fmt.Sprint(1+i%3))
			if want == "" {
				want = got
			}
			if got != want {
				t.Errorf("%s, %s workers, %s: got\n%s\nwant\n%s", tier, c.workers, c.file, got, want)
			}
		}
	}
}

// TestTheCommandThatASweepEndsWithFitsTheSame follows the table to its end.
func TestTheCommandThatASweepEndsWithFitsTheSame(t *testing.T) {
	enter(t)
	writeCloud(t, cloud(600, 4), "csv")
	if err := os.Rename("data.csv", "my data.csv"); err != nil {
		t.Fatal(err)
	}
	args := []string{"my data.csv", "-k", "4,2..3", "--features", "x0,x1,x2", "--scale", "robust", "--runs", "3", "--tol", "0"}
	doc, _ := swept(t, nil, args...)
	shown := coterie(append([]string{"sweep", "-o", "s.html"}, args...)...)
	if shown.code != 0 || !strings.Contains(shown.stdout, "600 rows × 3 columns, 3 values of k") || !strings.Contains(shown.stdout, doc.Recommended.Because+"\n") ||
		!strings.Contains(shown.stdout, "output  s.html\n") {
		t.Fatalf("got %+v, want a table, and %q", shown, doc.Recommended.Because)
	}
	marked := 0
	for _, line := range strings.Split(shown.stdout, "\n") {
		if rest, ok := strings.CutPrefix(line, "→"); ok {
			marked++
			if k := strings.Fields(rest)[0]; k != fmt.Sprint(doc.Recommended.K) {
				t.Errorf("k = %s is marked, want %d", k, doc.Recommended.K)
			}
		}
	}
	_, next, _ := strings.Cut(shown.stdout, "\nnext    ")
	want := fmt.Sprintf("coterie fit 'my data.csv' -k %d --features x0,x1,x2 --runs 3 --scale robust --tol 0 -o model.json\n", doc.Recommended.K)
	if marked != 1 || next != want {
		t.Errorf("got %d rows marked and next %q, want one and %q", marked, next, want)
	}
	if page := text(t, "s.html"); !strings.Contains(page, "</html>") {
		t.Error("the page is not whole")
	}
	for _, c := range doc.Candidates {
		var fit fitDocument
		command(t, &fit, "fit", "my data.csv", "-k", fmt.Sprint(c.K), "--features", "x0,x1,x2", "--scale", "robust", "--runs", "3", "--tol", "0", "-o", "model.json")
		least := fit.Counts[0]
		for _, n := range fit.Counts {
			least = min(least, n)
		}
		if fit.Inertia != c.Inertia || least != c.Smallest {
			t.Errorf("k = %d: got inertia %v and %d rows in the smallest, the fit has %v and %d", c.K, c.Inertia, c.Smallest, fit.Inertia, least)
		}
	}
}

func TestTheSweepDocumentHasTheDocumentedFields(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	got := document(t, coterie("sweep", "a.csv", "-k", "1..3", "--json"))
	want := map[string]string{"candidates": "list", "candidates[].k": "whole", "candidates[].smallest": "whole", "recommended.k": "whole",
		"recommended.because": "string", "recommended.unclear": "bool", "rows": "whole", "columns": "whole", "sampled": "whole", "features": "list", "features[]": "string"}
	numbers := []string{"seconds"}
	for _, name := range []string{"inertia", "silhouette", "silhouette_error", "calinski_harabasz", "davies_bouldin", "stability", "shapeless"} {
		numbers = append(numbers, "candidates[]."+name)
	}
	if diff := cmp.Diff(want, without(t, got, numbers...)); diff != "" {
		t.Errorf("sweep (-want +got):\n%s", diff)
	}
}

func TestTheTableOfASweepGoesToAFileOrStandsAlone(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	got := coterie("sweep", "a.csv", "-k", "2,3", "-o", "-", "--quiet")
	if got.code != 0 || !strings.HasPrefix(got.stdout, "k,inertia,") || strings.Count(got.stdout, "\n") != 3 {
		t.Errorf("got %+v, want a table of two rows alone", got)
	}
	if other := coterie("sweep", "a.csv", "-k", "2,3", "-o", "s.csv", "--quiet"); other.code != 0 || text(t, "s.csv") != got.stdout {
		t.Errorf("got %+v and %q, want the same table in a file", other, text(t, "s.csv"))
	}
}

func TestSweepsThatCannotBe(t *testing.T) {
	sweep := func(k string, more ...string) []string { return append([]string{"sweep", "a.csv", "-k", k}, more...) }
	with := func(name string, code int, args []string, say ...string) badInput {
		return badInput{name: name, files: a(four), code: code, args: args, say: say, bare: code == 2}
	}
	runBad(t, []badInput{
		with("no k", 2, []string{"sweep", "a.csv"}, "coterie sweep needs -k", "2..15"),
		with("an empty k", 2, sweep(""), "-k"),
		with("a word", 2, sweep("few"), "-k", "few", "2..15"),
		with("a range that begins above its end", 2, sweep("9..3"), "-k", "9..3"),
		with("an open range", 2, sweep("2.."), "-k", "2.."),
		with("three dots", 2, sweep("2...5"), "-k", "2...5"),
		with("nobody", 2, sweep("0..3"), "-k", "0..3"),
		with("less than nobody", 2, sweep("-2..3"), "-k", "-2..3"),
		with("a k twice", 2, sweep("2..4,3"), "-k", "3 twice"),
		with("too many", 2, sweep("2..66"), "-k", "64"),
		with("too large", 2, sweep("1001"), "-k", "1001"),
		with("far too large", 2, sweep("2..99999999999999999999"), "-k"),
		with("an end that is a comma", 2, sweep("2,"), "-k"),
		with("a page of no known kind", 2, sweep("2", "-o", "s.pdf"), "-o", "s.pdf", ".html"),
		with("the data as the page", 2, sweep("2", "-o", "a.csv"), "-o", "a.csv"),
		with("two documents on standard output", 2, sweep("2", "-o", "-", "--json"), "--json", "standard output"),
		with("a flag of fit that says nothing here", 2, sweep("2", "--labels", "l.csv"), "unknown flag --labels"),
		with("a start for one k", 2, sweep("2", "--init", "start.csv"), "--init"),
		with("more than rows", 3, sweep("2..5", "-o", "s.html"), "a.csv: ", "k = 5", "4 rows"),
		{name: "more than distinct rows", code: 3, files: a("id,x\n1,1\n2,1\n3,2\n4,2\n"), args: sweep("2..3", "-o", "s.html"), say: []string{"a.csv: ", "k = 3", "2 distinct"}},
		{name: "no table", code: 3, files: a("id,x\n1,one\n2,two\n"), args: sweep("2..3", "-o", "s.html"), say: []string{"a.csv"}},
	})
}

// TestASweepEndsWithItsContext: nothing is written when it is interrupted.
func TestASweepEndsWithItsContext(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	before := listing(t)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if got := runWith(ctx, nil, "sweep", "a.csv", "-k", "2..3", "-o", "s.html"); got.code != 6 && got.code != 130 || got.stdout != "" {
		t.Errorf("got %+v, want an interrupted run", got)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("the folder has changed (-before +after):\n%s", diff)
	}
}

// TestTheRealRetailersSweep needs the UCI Online Retail transactions as CSV in COTERIE_RETAIL. The figures are those of
// scikit-learn at its best of 50 runs. Of k = 5 and 6 there are several optima close together, and which is found depends on
// the seed: of 0 … 7 all but 0, whose Davies-Bouldin for k = 5 is 0.0013 off, come within these bounds.
func TestTheRealRetailersSweep(t *testing.T) {
	data := os.Getenv("COTERIE_RETAIL")
	if data == "" {
		t.Skip("COTERIE_RETAIL does not name the UCI Online Retail transactions")
	}
	customers, features := filepath.Join(t.TempDir(), "customers.parquet"), "recency_days,frequency,monetary"
	var made map[string]any
	command(t, &made, "rfm", data, "--as-of", "2011-12-10", "-o", customers)
	doc, _ := swept(t, nil, customers, "-k", "2..6", "--features", features, "--log1p", features, "--tol", "0", "--runs", "50", "--seed", "4")
	for i, want := range []struct{ silhouette, calinski, davies float64 }{{0.4342, 4364.5, 0.8916}, {0.3388, 3616.2, 1.0462}, {0.3364, 3300.3, 1.0118},
		{0.3177, 3150.0, 0.9923}, {0.3140, 3055.2, 1.0221}} {
		got := doc.Candidates[i]
		if math.Abs(got.Silhouette-want.silhouette) > 1e-3 || math.Abs(got.CalinskiHarabasz-want.calinski) > 1e-3*want.calinski ||
			math.Abs(got.DaviesBouldin-want.davies) > 1e-3 || got.SilhouetteError != 0 {
			t.Errorf("k = %d: got %+v, want %+v", got.K, got, want)
		}
	}
	if doc.Recommended.K != 2 || !strings.Contains(doc.Recommended.Because, "0.43") {
		t.Errorf("got %+v, want k = 2", doc.Recommended)
	}
}
