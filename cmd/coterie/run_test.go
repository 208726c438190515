package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/model"
)

const monthFile = `
output: months
rfm:
  transactions: tx.parquet
  window: 120d
check:
  gate: missing=5%
fit:
  clusters: 3
  features: [recency_days, frequency, monetary]
  log1p: [recency_days, frequency, monetary]
  gate: [min-size=1%]
profile:
migrate:
export:
  - output: best-{mm}.csv
    where: monetary > 500
  - output: model.sql
    as: sql
`

func TestMonthsOfAPipeline(t *testing.T) {
	enterWith(t, map[string]string{"p.yaml": monthFile})
	if got := coterie("synth", "transactions", "-n", "60000", "-o", "tx.parquet"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	var doc runDocument
	for _, month := range []string{"2025-06", "2025-07", "2025-08"} {
		got := coterie("run", "p.yaml", "--month", month, "--json", "--quiet")
		if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 || got.stderr != "" {
			t.Fatalf("%s: got %+v (%v)", month, got, err)
		}
	}
	if doc.Last == nil || *doc.Last != "2025-07" || doc.UpToDate || len(doc.Steps) != 9 || doc.Folder != "months/2025-08" {
		t.Errorf("the last month is %+v", doc)
	}
	june, err := model.ReadFile("months/2025-07/model.json")
	if err != nil {
		t.Fatal(err)
	}
	july, err := model.ReadFile("months/2025-08/model.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(july.Parents) != 2 || july.Parents[0].Digest != june.Digest() {
		t.Errorf("the parents are %+v, want the model of the month before, with digest %s, first", july.Parents, june.Digest())
	}
	if page := text(t, "months/2025-08/report.html"); !strings.Contains(page, "<svg") || !strings.Contains(page, `class="plot sankey`) {
		t.Error("the report does not show where the customers came from")
	}
	if head, _, _ := strings.Cut(text(t, "months/2025-08/best-08.csv"), "\n"); head != "id,segment,name,distance,recency_days,frequency,monetary" {
		t.Errorf("the list begins with %q", head)
	}
	before := listing(t)
	if got := coterie("run", "p.yaml", "--month", "2025-08"); got.code != 0 || got.stdout != "2025-08 is up to date: months/2025-08\n" {
		t.Errorf("again: got %+v", got)
	}
	for _, c := range []struct {
		name, from, to, month string
		code                  int
		say                   string
	}{
		{"a gate", "min-size=1%", "min-size=45%", "2025-09", 4, "2025-09: fit: "},
		{"an unknown key of a step", "window: 120d", "windows: 120d", "2025-09", 2, `p.yaml: line 5: unknown key "windows" for coterie rfm (did you mean "window"?)`},
		{"an unknown step", "migrate:", "migrates:", "2025-09", 2, `unknown key "migrates" (did you mean "migrate"?)`},
		{"a flag that the month decides on", "clusters: 3", "output: m.json", "2025-09", 2, "line 9: output of fit is not for the file to set"},
		{"no such transactions", "tx.parquet", "ty.parquet", "2025-09", 3, "ty.parquet: does not exist"},
		{"a list without customers", "monetary > 500", "monetary > 5e9", "2025-09", 3, "2025-09: export: "},
		{"a filter that is none", "monetary > 500", "monetary >", "2025-09", 2, "--where"},
		{"a month that is none", "", "", "2025-13", 2, `--month: "2025-13" is not a month`},
	} {
		write(t, "p.yaml", strings.Replace(monthFile, c.from, c.to, 1))
		got := coterie("run", "p.yaml", "--month", c.month, "--quiet")
		if got.code != c.code || !strings.Contains(got.stderr, c.say) {
			t.Errorf("%s: got %+v, want exit %d and %q", c.name, got, c.code, c.say)
		}
		write(t, "p.yaml", monthFile)
		if diff := cmp.Diff(before, listing(t)); diff != "" {
			t.Errorf("%s changed (-before +after):\n%s", c.name, diff)
		}
	}
	dry := coterie("run", "p.yaml", "--month", "2025-09", "--dry-run")
	if dry.code != 0 || strings.Count(dry.stdout, "\ncoterie ") != 8 || !strings.Contains(dry.stdout, "--from=months/2025-08/model.json") {
		t.Errorf("a dry run: got %+v", dry)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("a dry run changed (-before +after):\n%s", diff)
	}
}

func TestTheExampleOfAMonthRunsForSixMonths(t *testing.T) {
	example := text(t, "../../docs/examples/month.yaml")
	enterWith(t, map[string]string{"month.yaml": example})
	if got := coterie("synth", "transactions", "-n", "100000", "-o", "tx.parquet"); got.code != 0 {
		t.Fatal(got.stderr)
	}
	var ids []string
	for _, month := range []string{"2025-05", "2025-06", "2025-07", "2025-08", "2025-09", "2025-10"} {
		if got := coterie("run", "month.yaml", "--month", month, "--quiet"); got.code != 0 {
			t.Fatalf("%s: got %+v", month, got)
		}
		m, err := model.ReadFile("segments/" + month + "/model.json")
		if err != nil {
			t.Fatal(err)
		}
		ids = append(ids, m.Segments[0].ID+m.Segments[1].ID+m.Segments[2].ID+m.Segments[3].ID)
	}
	want := []string{"s1s2s3s4", "s1s2s3s4", "s1s2s3s4", "s1s2s3s4", "s1s2s3s4", "s1s2s3s4"}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Errorf("the segments of customers who do as they did change their ids (-want +got):\n%s", diff)
	}
}
