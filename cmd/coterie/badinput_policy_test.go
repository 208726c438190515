package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// fitDone is what a fit --json printed; the run must end well.
func fitDone(t *testing.T, args ...string) fitDocument {
	t.Helper()
	got := coterie(append([]string{"fit", "--json"}, args...)...)
	var doc fitDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("coterie fit %s: got %+v (%v), want one JSON document", strings.Join(args, " "), got, err)
	}
	return doc
}

// records are the rows of a CSV file.
func records(t *testing.T, file string) [][]string {
	t.Helper()
	rows, err := csv.NewReader(strings.NewReader(text(t, file))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// idsOf is the first column of a CSV file without its header.
func idsOf(t *testing.T, file string) []string {
	t.Helper()
	var ids []string
	for _, r := range records(t, file)[1:] {
		ids = append(ids, r[0])
	}
	return ids
}

const (
	cleanRows = "id,x,y,w\n1,1,5,1\n2,2,6,2\n4,1.5,5.5,1\n7,9,1,1\n12,8,2,3\n"
	dirtyRows = "id,x,y,w\n1,1,5,1\n2,2,6,2\n3,many,5,1\n4,1.5,5.5,1\n5,inf,5,1\n6,4\n7,9,1,1\n,3,3,1\n8,-1,3,1\n9,1,3,-2\n10,3,1e400,1\n" +
		"11,3,4,much\n12,8,2,3\n13,1e300,2,1\n"
	startRows = "x,y\n0,9\n9,0\n"
)

func TestQuarantineLeavesTheGoodRows(t *testing.T) {
	for _, scale := range []string{"standard", "robust", "minmax", "none"} {
		enter(t)
		write(t, "clean.csv", cleanRows)
		write(t, "dirty.csv", dirtyRows)
		write(t, "s.csv", startRows)
		common := []string{"-k", "2", "--init", "s.csv", "--weight", "w", "--log1p", "x", "--scale", scale, "-o"}
		want := fitDone(t, append(common, "clean.json", "clean.csv", "--labels", "clean-labels.csv")...)
		for _, labels := range [][]string{nil, {"--labels", "dirty-labels.csv"}} {
			args := append(append(common, "dirty.json", "dirty.csv", "--bad-rows", "quarantine", "--bad-rows-out", "bad.csv"), labels...)
			got := fitDone(t, args...)
			if got.Digest != want.Digest || got.Inertia != want.Inertia || got.Rows != 5 {
				t.Errorf("--scale %s, labels %v: got %+v, want the fit of the clean rows %+v", scale, labels, got, want)
			}
			if got.Left == nil || *got.Left != (leftOut{Bad: 9}) {
				t.Errorf("--scale %s: got %+v left out, want 9 bad rows", scale, got.Left)
			}
		}
		if diff := cmp.Diff(text(t, "clean-labels.csv"), text(t, "dirty-labels.csv")); diff != "" {
			t.Errorf("--scale %s: labels (-clean +dirty):\n%s", scale, diff)
		}
		checkBadRows(t)
	}
}

// checkBadRows holds what was kept of dirtyRows: where each row stood, and why it was set aside.
func checkBadRows(t *testing.T) {
	t.Helper()
	rows := records(t, "bad.csv")
	if diff := cmp.Diff([]string{"row", "file", "line", "column", "reason", "record"}, rows[0]); diff != "" {
		t.Fatalf("columns of the bad rows (-want +got):\n%s", diff)
	}
	want := []struct{ line, column, reason string }{{"4", "x", "many"}, {"6", "x", "inf"}, {"7", "", "2 fields"}, {"9", "id", "missing"}, {"10", "x", "-1"},
		{"11", "w", "-2"}, {"12", "y", "1e400"}, {"13", "w", "much"}, {"15", "x", "1e+300"}}
	if len(rows)-1 != len(want) {
		t.Fatalf("got %d bad rows %v, want %d", len(rows)-1, rows[1:], len(want))
	}
	for i, w := range want {
		r := rows[i+1]
		var line int
		fmt.Sscan(w.line, &line)
		if r[0] != fmt.Sprint(line-2) || r[1] != "dirty.csv" || r[2] != w.line || r[3] != w.column || !strings.Contains(r[4], w.reason) {
			t.Errorf("bad row %d: got %q, want row %d of dirty.csv, %+v", i, r, line-2, w)
		}
	}
}

func TestQuarantineTakesPointsThatAreTooLarge(t *testing.T) {
	for _, c := range []struct{ name, value, scale string }{{"unscaled", "1e39", "none"}, {"its square only", "1e20", "none"}, {"negative", "-1e30", "none"}} {
		enter(t)
		write(t, "a.csv", "id,x\n1,1\n2,2\n3,"+c.value+"\n4,9\n")
		write(t, "b.csv", "id,x\n1,1\n2,2\n4,9\n")
		write(t, "s.csv", "x\n1\n9\n")
		common := []string{"-k", "2", "--init", "s.csv", "-o", "m.json", "--scale", c.scale}
		got, want := fitDone(t, append(common, "a.csv", "--bad-rows", "quarantine")...), fitDone(t, append(common, "b.csv")...)
		if got.Digest != want.Digest || got.Left == nil || got.Left.Bad != 1 {
			t.Errorf("%s: got %+v, want %+v and one bad row", c.name, got, want)
		}
		// The same row when a model that does not know it labels it.
		done := coterie("assign", "a.csv", "--model", "m.json", "-o", "l.csv", "--bad-rows", "quarantine", "--bad-rows-out", "bad.csv", "--json")
		if diff := cmp.Diff([]string{"1", "2", "4"}, idsOf(t, "l.csv")); done.code != 0 || diff != "" {
			t.Errorf("%s: got %+v, want the ids of the good rows (-want +got):\n%s", c.name, done, diff)
		}
		if bad := records(t, "bad.csv"); len(bad) != 2 || bad[1][2] != "4" || bad[1][3] != "x" {
			t.Errorf("%s: got %q, want line 4, column x", c.name, bad)
		}
	}
}

// TestAssignSetsAsideWhatItsModelCannotTake has values that only the model's scaling makes too large.
func TestAssignSetsAsideWhatItsModelCannotTake(t *testing.T) {
	for _, scale := range []string{"standard", "robust", "minmax"} {
		enter(t)
		write(t, "a.csv", "id,x\n1,1\n2,2\n4,9\n")
		fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--scale", scale)
		write(t, "b.csv", "id,x\n1,1\n2,1e39\n3,2\n4,-1e100\n5,9\n")
		got := coterie("assign", "b.csv", "--model", "m.json", "-o", "l.csv", "--bad-rows", "quarantine", "--bad-rows-out", "bad.csv", "--json")
		var doc assignDocument
		if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || doc.Rows != 3 || doc.Left == nil || *doc.Left != (leftOut{Bad: 2}) {
			t.Fatalf("--scale %s: got %+v, want 3 rows and 2 bad ones", scale, got)
		}
		if diff := cmp.Diff([]string{"1", "3", "5"}, idsOf(t, "l.csv")); diff != "" {
			t.Errorf("--scale %s: ids (-want +got):\n%s", scale, diff)
		}
		bad := records(t, "bad.csv")
		if len(bad) != 3 || bad[1][2] != "3" || !strings.Contains(bad[1][4], "1e+39") || bad[2][2] != "5" || !strings.Contains(bad[2][4], "-1e+100") {
			t.Errorf("--scale %s: got the bad rows %q, want lines 3 and 5 with their values", scale, bad)
		}
	}
}

func TestQuarantineOfEveryRowIsAnError(t *testing.T) {
	runBad(t, []badInput{
		{name: "fit", files: a("id,x\n,1\n,2\n"), args: []string{"+", "--bad-rows", "quarantine", "--bad-rows-out", "bad.csv"}, say: []string{"a.csv: ", "no rows", "--bad-rows"}},
		{name: "too few are left", files: a("id,x\n,1\n2,2\n"), args: []string{"+", "--bad-rows", "quarantine"}, say: []string{"a.csv: ", "k = 2", "1 row"}},
		{name: "what is missing under fail is not bad", files: a("id,x\n1,1\n2,\n3,4\n"), args: []string{"+", "--bad-rows", "quarantine"},
			say: []string{"a.csv: line 3, column x: ", "no value"}},
	})
}

func TestTheFirstBadRowIsTold(t *testing.T) {
	runBad(t, []badInput{
		{name: "missing before text", files: a("id,x,y\n1,1,5\n2,,6\n3,3,abc\n4,4,7\n"), say: []string{"a.csv: line 3, column x: ", "no value"}},
		{name: "text before missing", files: a("id,x,y\n1,1,5\n2,3,abc\n3,,5\n4,4,7\n"), say: []string{"a.csv: line 3, column y: ", "abc"}},
		{name: "weight before text", files: a("id,x,w\n1,1,5\n2,3,-1\n3,abc,5\n4,4,7\n"), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: line 3, column w: ", "-1"}},
		{name: "log1p before weight", files: a("id,x,w\n1,1,5\n2,-3,1\n3,3,-5\n4,4,7\n"), args: []string{"+", "--weight", "w", "--log1p", "x"},
			say: []string{"a.csv: line 3, column x: ", "-3"}},
		{name: "in the first row", files: a("id,x,w\n1,1,-5\n2,-3,1\n"), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: line 2, column w: ", "-5"}},
	})
}

func TestDuplicatesFirstAndLast(t *testing.T) {
	// Ids 7 and x are there twice; the rows of each differ in their line.
	const rows = "id,x,y\n7,1,5\n8,2,6\n7,30,50\nx,3,7\n9,31,52\nx,33,51\n"
	cases := []struct{ policy, kept, ids string }{
		{"first", "id,x,y\n7,1,5\n8,2,6\nx,3,7\n9,31,52\n", "7 8 x 9"},
		{"last", "id,x,y\n8,2,6\n7,30,50\n9,31,52\nx,33,51\n", "8 7 9 x"},
	}
	for _, c := range cases {
		enter(t)
		write(t, "a.csv", rows)
		write(t, "kept.csv", c.kept)
		write(t, "s.csv", "x,y\n1,5\n30,50\n")
		common := []string{"-k", "2", "--init", "s.csv", "-o", "m.json"}
		want := fitDone(t, append(common, "kept.csv", "--labels", "kept-labels.csv")...)
		got := fitDone(t, append(common, "a.csv", "--labels", "l.csv", "--duplicates", c.policy)...)
		if got.Digest != want.Digest || got.Left == nil || *got.Left != (leftOut{Duplicates: 2}) || got.Rows != 4 {
			t.Errorf("%s: got %+v, want %+v with 2 duplicates left out", c.policy, got, want)
		}
		if diff := cmp.Diff(text(t, "kept-labels.csv"), text(t, "l.csv")); diff != "" || strings.Join(idsOf(t, "l.csv"), " ") != c.ids {
			t.Errorf("%s: labels (-want +got):\n%s", c.policy, diff)
		}
		if got := fitDone(t, append(common, "a.csv", "--duplicates", c.policy)...); got.Digest != want.Digest {
			t.Errorf("%s without labels: got digest %s, want %s", c.policy, got.Digest, want.Digest)
		}
		done := coterie("assign", "a.csv", "--model", "m.json", "-o", "l2.csv", "--duplicates", c.policy)
		if text(t, "l2.csv") != text(t, "l.csv") {
			t.Errorf("%s: assign (%+v) wrote %q, want %q", c.policy, done, text(t, "l2.csv"), text(t, "l.csv"))
		}
	}
}

func TestARowThatIsSetAsideIsNoDuplicate(t *testing.T) {
	cases := []struct{ name, rows, kept, policy string }{
		{"a bad row before", "id,x,w\n7,many,1\n7,1,1\n8,2,1\n9,9,1\n", "7 8 9", "first"},
		{"a bad row behind", "id,x,w\n7,1,1\n7,many,1\n8,2,1\n9,9,1\n", "7 8 9", "last"},
		{"a bad weight", "id,x,w\n7,1,-1\n7,1,1\n8,2,1\n9,9,1\n", "7 8 9", "first"},
		{"a missing value", "id,x,w\n7,,1\n7,1,1\n8,2,1\n9,9,1\n", "7 8 9", "first"},
		{"under fail", "id,x,w\n7,,1\n7,1,1\n8,many,1\n8,2,1\n9,9,1\n", "7 8 9", "fail"},
	}
	for _, c := range cases {
		enter(t)
		write(t, "a.csv", c.rows)
		fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--labels", "l.csv", "--weight", "w", "--bad-rows", "quarantine", "--missing", "drop", "--duplicates", c.policy)
		if got := strings.Join(idsOf(t, "l.csv"), " "); got != c.kept {
			t.Errorf("%s: got the ids %s, want %s", c.name, got, c.kept)
		}
	}
}

func TestAnInterruptedFitLeavesNothing(t *testing.T) {
	for n, wait := range []time.Duration{0, time.Millisecond, 5 * time.Millisecond, 20 * time.Millisecond, 60 * time.Millisecond, 200 * time.Millisecond} {
		enter(t)
		write(t, "a.csv.gz", gzipped(t, numbersText(40000)))
		write(t, "m.json", "of last month")
		before := listing(t)
		ctx, cancel := context.WithCancel(context.Background())
		timer := time.AfterFunc(wait, cancel)
		got := runWith(ctx, nil, "fit", "a.csv.gz", "-k", "20", "--tol", "0", "--runs", "5", "-o", "m.json", "--labels", "l.parquet")
		timer.Stop()
		cancel()
		if got.code == 0 { // it was done before
			continue
		}
		if diff := cmp.Diff(outcome{130, "", "coterie: interrupted\n"}, got, cmp.AllowUnexported(outcome{})); diff != "" {
			t.Errorf("interruption %d (-want +got):\n%s", n, diff)
		}
		if diff := cmp.Diff(before, listing(t)); diff != "" {
			t.Errorf("interruption %d changed the folder (-before +after):\n%s", n, diff)
		}
	}
}

// TestAFullDiskLeavesNothing needs a file system of its own that is small.
func TestAFullDiskLeavesNothing(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	enter(t)
	if err := os.Mkdir("small", 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", "small", "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("a small file system cannot be mounted: %v", err)
	}
	small, err := filepath.Abs("small")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Unmount(small, syscall.MNT_DETACH) })
	write(t, "a.csv", numbersText(30000))
	fitDone(t, "a.csv", "-k", "3", "-o", "m.json")
	write(t, filepath.Join("small", "old.csv"), "of last month")
	filler := strings.Repeat("x", 60<<10)
	cases := []badInput{
		{name: "labels of a fit", args: []string{"fit", "a.csv", "-k", "3", "-o", "small/m.json", "--labels", "small/l.csv"}, say: []string{"small/l.csv: "}},
		{name: "labels of assign", args: []string{"assign", "a.csv", "--model", "m.json", "-o", "small/old.csv"}, say: []string{"small/old.csv: "}},
		{name: "Parquet", args: []string{"assign", "a.csv", "--model", "m.json", "-o", "small/l.parquet"}, say: []string{"small/l.parquet: "}},
		{name: "packed", args: []string{"assign", "a.csv", "--model", "m.json", "-o", "small/l.csv.gz"}, say: []string{"small/l.csv.gz: "}},
		{name: "matrix", args: []string{"assign", "a.csv", "--model", "m.json", "-o", "small/l.npy"}, say: []string{"small/l.npy: "}},
	}
	full := badInput{name: "model", args: []string{"fit", "a.csv", "-k", "3", "-o", "small/m.json"}, say: []string{"small/m.json: "}}
	for _, c := range append(cases, full) {
		t.Run(c.name, func(t *testing.T) {
			if c.name == full.name { // not a byte is left for it
				for i := 0; ; i++ {
					if err := os.WriteFile(fmt.Sprint("small/filler", i), []byte(filler), 0o666); err != nil {
						break
					}
				}
			}
			before := listing(t)
			got := coterie(c.args...)
			if diff := cmp.Diff(before, listing(t)); diff != "" {
				t.Errorf("the folder changed (-before +after):\n%s", diff)
			}
			c.code, c.say = 1, slices.Concat(c.say, []string{"full"})
			c.judge(t, c.args, got)
		})
	}
}
