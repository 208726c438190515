package main

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/roofline"
)

// withQuickRoofline makes bench roofline measure for a few milliseconds.
func withQuickRoofline(t *testing.T) {
	t.Helper()
	old := rooflineConfig
	rooflineConfig = func() (*roofline.Config, error) {
		return &roofline.Config{Threads: []int{1}, Bytes: 4 << 20, Window: time.Millisecond, Repetitions: 1}, nil
	}
	t.Cleanup(func() { rooflineConfig = old })
}

func TestBenchRooflineDocument(t *testing.T) {
	withQuickRoofline(t)
	got := coterie("bench", "roofline", "--json")
	var doc struct {
		Processor string           `json:"processor"`
		Kernel    string           `json:"kernel"`
		Threads   []map[string]any `json:"threads"`
		Notes     []string         `json:"notes"`
	}
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	if err := decoder.Decode(&doc); err != nil || decoder.More() || got.code != 0 || got.stderr != "" {
		t.Fatalf("got %+v (%v), want one JSON document", got, err)
	}
	if doc.Processor == "" || doc.Kernel == "" || len(doc.Threads) != 1 || doc.Notes == nil {
		t.Fatalf("got %s, want processor, kernel, a row of threads, and notes", got.stdout)
	}
	row := doc.Threads[0]
	if row["threads"] != 1.0 {
		t.Errorf("threads: got %v, want 1", row["threads"])
	}
	for _, name := range []string{"gflops", "gflops_median", "gbytes_per_second", "gbytes_per_second_median"} {
		if rate, ok := row[name].(float64); !ok || rate <= 0 {
			t.Errorf("%s: got %v, want a positive number", name, row[name])
		}
	}
	for _, name := range []string{"gflops_loop", "gbytes_per_second_loop"} {
		if loop, ok := row[name].(string); !ok || loop == "" {
			t.Errorf("%s: got %v, want a loop's name", name, row[name])
		}
	}
}

func TestBenchRooflineTable(t *testing.T) {
	doc := documentOfRoofline(&roofline.Report{Processor: "Abacus 3000", BytesPerThread: 512 << 20, Repetitions: 40, Notes: []string{"it rattles"},
		Rows: []roofline.Row{{Threads: 1, GFLOPS: 117.24, GFLOPSMedian: 115, GFLOPSLoop: "avx512", GBytes: 33.7, GBytesMedian: 29, GBytesLoop: "avx2"},
			{Threads: 12, GFLOPS: 1407, GFLOPSMedian: 1300.96, GFLOPSLoop: "avx2", GBytes: 58.8, GBytesMedian: 55.55, GBytesLoop: "avx2, four streams"}}})
	doc.Kernel = "avx2"
	var out strings.Builder
	writeRoofline(&out, doc, 0)
	want := "Abacus 3000, kernel avx2\n" +
		"threads  GFLOP/s  median  loop    GB/s  median  loop\n" +
		strings.Repeat("─", 66) + "\n" +
		"      1    117.2   115.0  avx512  33.7    29.0  avx2\n" +
		"     12   1407.0  1301.0  avx2    58.8    55.5  avx2, four streams\n" +
		"the best and the median of 40 repetitions of the best loop; memory is read from 512.0 MiB a thread\n" +
		"it rattles\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBenchNeedsToKnowWhat(t *testing.T) {
	cases := []struct {
		args []string
		want string
	}{
		{[]string{"bench"}, "coterie bench needs roofline (usage: coterie bench roofline [flags])"},
		{[]string{"bench", "roofine"}, `unknown command "roofine" (did you mean "roofline"?)`},
		{[]string{"bench", "everything"}, `unknown command "everything" (coterie bench --help lists the commands)`},
		{[]string{"bench", "--json"}, "unknown flag --json for coterie bench (coterie bench --help lists the flags)"},
		{[]string{"bench", "roofline", "now"}, `coterie bench roofline does not take the argument "now" (usage: coterie bench roofline [flags])`},
		{[]string{"bench", "roofline", "--threads", "2"}, "unknown flag --threads for coterie bench roofline (coterie bench roofline --help lists the flags)"},
	}
	for _, c := range cases {
		want := outcome{2, "", "coterie: " + c.want + "\n"}
		if diff := cmp.Diff(want, coterie(c.args...), cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("%q (-want +got):\n%s", c.args, diff)
		}
	}
}
