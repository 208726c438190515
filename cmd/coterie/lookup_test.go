package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/pipeline"
	"github.com/coterie-project/coterie/segment"
)

// looked are the results of a lookup.
func looked(t *testing.T, args ...string) []pipeline.Found {
	t.Helper()
	got := coterie(append([]string{"lookup", "--model", "m.json", "--json"}, args...)...)
	var doc struct{ Results []pipeline.Found }
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("lookup %v: got %+v, %v", args, got, err)
	}
	return doc.Results
}

func TestLookupFindsValuesByID(t *testing.T) {
	enter(t)
	table, _ := crowd()
	write(t, "a.csv", table)
	write(t, "b.csv", strings.Replace(table, "id,", "client,", 1))
	fit := []string{"fit", "a.csv", "-k", "4", "-o", "m.json", "--labels", "l.csv", "--features", "age,spend,education", "--ordinal", "education=school<college<doctor",
		"--categorical", "gender", "--missing", "mean", "--quiet"}
	if got := coterie(fit...); got.code != 0 {
		t.Fatalf("got %+v", got)
	}
	ids := "188,100,103"
	plain := looked(t, "--labels", "l.csv", "--id", ids)
	whole := looked(t, "--labels", "l.csv", "--data", "a.csv", "--id", ids)
	for i, want := range strings.Split(ids, ",") {
		p, w := plain[i], whole[i]
		if *p.ID != want || *w.ID != want || p.Segment != w.Segment || float32(p.Distance) != float32(w.Distance) || p.Margin != nil || w.Margin == nil || len(w.Because) != 4 || len(p.Because) != 0 {
			t.Errorf("%s: got %+v by labels and %+v with data, want the same segment and reasons with data alone", want, p, w)
		}
	}
	// Customer 103 has no spend, 100 went to school.
	value := func(f pipeline.Found, feature string) any {
		return f.Because[slices.IndexFunc(f.Because, func(b segment.Because) bool { return b.Feature == feature })].Value
	}
	if got := []any{value(whole[2], "spend"), value(whole[1], "education"), value(whole[1], "gender")}; !cmp.Equal(got, []any{nil, "school", "f"}) {
		t.Errorf("values: got %v", got)
	}
	for _, args := range [][]string{{"--data", "a.csv"}, {"--data", "b.csv", "--id-column", "client"}} {
		if diff := cmp.Diff(whole, looked(t, append(args, "--id", ids)...)); diff != "" {
			t.Errorf("%v (-with labels +without):\n%s", args, diff)
		}
	}
	row := looked(t, "--data", "b.csv", "--id", "88") // without an id the row number is one
	if *row[0].ID != "88" || row[0].Distance != whole[0].Distance {
		t.Errorf("by row number: got %+v, want customer 188", row[0])
	}
	got := coterie("lookup", "--model", "m.json", "--data", "a.csv", "--id", "103")
	if !strings.HasPrefix(got.stdout, "103: segment ") || !strings.Contains(got.stdout, ", a margin of ") || !strings.Contains(got.stdout, "(missing)") {
		t.Errorf("got %q", got.stdout)
	}
}
