package monthly

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/hostile"
)

// pretender is a Program that writes what it is told into the outputs that it is given.
type pretender struct {
	did  []string
	fail string // the command that fails
}

func (p *pretender) Check(_ context.Context, c *Call) error {
	if c.Flags != nil && (&section{flags: c.Flags}).has("wrong") != "" {
		return fault.Usagef("unknown key wrong")
	}
	return nil
}

func (p *pretender) Knows(_, flag string) bool { return flag == "threads" || flag == "output" }

func (p *pretender) Do(_ context.Context, c *Call) ([]byte, error) {
	p.did = append(p.did, c.Command)
	if c.Command == p.fail {
		return nil, &fault.Error{Kind: fault.Gate, Problem: "the smallest segment is too small", Place: fault.Place{Row: fault.NoRow}}
	}
	for _, a := range c.Args {
		if name, ok := strings.CutPrefix(a, "--output="); ok {
			text := c.Command + " " + strings.Join(c.Args, " ")
			if err := os.WriteFile(name, []byte(text), 0o666); err != nil {
				return nil, err
			}
			return fmt.Appendf(nil, `{"output":%q}`, name), nil
		}
	}
	return []byte(`{}`), nil
}

const example = `
output: months
rfm:
  transactions: tx-{month}.csv
check:
fit:
  clusters: 4
profile:
migrate:
export:
  - output: best-{mm}.csv
    segment: 1
`

// world is a folder with a pipeline file and transactions for the first half of 2026.
func world(t *testing.T, text string) *File {
	t.Helper()
	t.Chdir(t.TempDir())
	for m := range 6 {
		if err := os.WriteFile(fmt.Sprintf("tx-2026-%02d.csv", m+1), []byte("a,b\n"), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile("p.yaml", []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	f, err := ReadFile("p.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func month(t *testing.T, text string) Month {
	t.Helper()
	m, err := ParseMonth(text)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// listing is every file below the working folder but the inputs, with what it holds.
func listing(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir("months", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || d.Name() == ".lock" {
			return err
		}
		data, err := os.ReadFile(path)
		files[path] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestAMonthIsDoneStepByStepAndGoesOnFromTheOneBefore(t *testing.T) {
	f := world(t, example)
	p := &pretender{}
	for _, name := range []string{"2026-01", "2026-02"} {
		if _, err := Run(t.Context(), &Request{File: f, Month: month(t, name)}, p); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"rfm", "check", "fit", "assign", "profile", "export", "rfm", "check", "fit", "assign", "migrate", "migrate", "profile", "export"}
	if diff := cmp.Diff(want, p.did); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	files := listing(t)
	fit := files["months/2026-02/model.json"]
	for _, part := range []string{"--from=months/2026-01/model.json", "--from-labels=months/2026-01/labels.parquet", "/customers.parquet"} {
		if !strings.Contains(fit, part) {
			t.Errorf("fit was %q, without %q", fit, part)
		}
	}
	if !strings.Contains(files["months/2026-02/customers.parquet"], "tx-2026-02.csv --output=") ||
		!strings.Contains(files["months/2026-02/customers.parquet"], "--as-of=2026-03-01") {
		t.Errorf("rfm was %q", files["months/2026-02/customers.parquet"])
	}
	if !strings.Contains(files["months/2026-02/best-02.csv"], "export ") || strings.Contains(files["months/2026-02/manifest.json"], "unfinished") {
		t.Errorf("the folder is %v", files)
	}
	if m := readManifest("months/2026-02"); m == nil || m.Last != "2026-01" || len(m.Outputs) != 10 || m.damaged("months/2026-02") != "" {
		t.Errorf("the manifest is %+v", m)
	}
}

func TestAMonthThatIsUpToDateIsLeftAlone(t *testing.T) {
	f := world(t, example)
	var settings []string
	run := func() *Outcome {
		t.Helper()
		o, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01"), Arithmetic: "2", Settings: settings}, &pretender{})
		if err != nil {
			t.Fatal(err)
		}
		return o
	}
	run()
	before := listing(t)
	if o := run(); !o.UpToDate {
		t.Error("the same again was done again")
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("the same again changed (-before +after):\n%s", diff)
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	if f, err = ReadFile(filepath.Join(here, "p.yaml")); err != nil {
		t.Fatal(err)
	}
	if o := run(); !o.UpToDate {
		t.Error("the same by another name of the file was done again")
	}
	for _, c := range []struct {
		name   string
		change func()
	}{
		{"an input that was written again", func() { os.Chtimes("tx-2026-01.csv", time.Time{}, time.Unix(1e9, 0)) }},
		{"a result that is gone", func() { os.Remove("months/2026-01/report.html") }},
		{"another flag", func() {
			var err error
			if f, err = Parse("p.yaml", []byte(strings.Replace(example, "clusters: 4", "clusters: 5", 1))); err != nil {
				t.Fatal(err)
			}
		}},
		{"a result that was written to", func() { os.WriteFile("months/2026-01/report.html", []byte("as long as"), 0o666) }},
		{"another setting", func() { settings = []string{"COTERIE_RUNS=3"} }},
	} {
		c.change()
		if run().UpToDate {
			t.Errorf("%s: was taken for up to date", c.name)
		}
		if !run().UpToDate {
			t.Errorf("%s: was not up to date after it was done", c.name)
		}
	}
}

func TestAStepThatFailsLeavesEverythingAsItWas(t *testing.T) {
	f := world(t, example)
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); err != nil {
		t.Fatal(err)
	}
	before := listing(t)
	for _, name := range []string{"2026-01", "2026-02"} {
		for _, step := range []string{"rfm", "fit", "migrate", "export"} {
			if name == "2026-01" && step == "migrate" {
				continue
			}
			_, err := Run(t.Context(), &Request{File: f, Month: month(t, name), Force: true}, &pretender{fail: step})
			var known *fault.Error
			if !errors.As(err, &known) || known.Kind != fault.Gate || !strings.Contains(err.Error(), step) {
				t.Errorf("%s, %s fails: got %v", name, step, err)
			}
			if diff := cmp.Diff(before, listing(t)); diff != "" {
				t.Errorf("%s, %s fails: changed (-before +after):\n%s", name, step, diff)
			}
		}
	}
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-02")}, &pretender{fail: "fit"}); !strings.Contains(fmt.Sprint(err), "2026-01 stays the last month") {
		t.Errorf("the message is %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Run(ctx, &Request{File: f, Month: month(t, "2026-02")}, &pretender{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: got %v", err)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("interrupted: changed (-before +after):\n%s", diff)
	}
}

func TestWhatAKilledRunLeftIsPutRight(t *testing.T) {
	f := world(t, example)
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); err != nil {
		t.Fatal(err)
	}
	before := listing(t)
	// Killed between the two renames, with another try half done.
	if err := errors.Join(os.Rename("months/2026-01", "months/.2026-01.replaced"), os.Mkdir("months/.2026-01.unfinished", 0o777),
		os.WriteFile("months/.2026-01.unfinished/model.json", nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	if o, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); err != nil || !o.UpToDate {
		t.Errorf("got %+v, %v", o, err)
	}
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("(-before +after):\n%s", diff)
	}
}

func TestWhatIsNotAMonthOfOursIsNotReplaced(t *testing.T) {
	for _, c := range []struct {
		name string
		lay  func() error
		want string
	}{
		{"a file", func() error { return os.WriteFile("months/2026-01", nil, 0o666) }, "is in the place of the month"},
		{"a folder without a manifest", func() error { return os.MkdirAll("months/2026-01/notes", 0o777) }, "has no manifest.json"},
		{"a damaged manifest", func() error {
			return errors.Join(os.Mkdir("months/2026-01", 0o777), os.WriteFile("months/2026-01/manifest.json", []byte(`{"format":`), 0o666))
		}, "has no manifest.json"},
		{"somebody's file in the month", func() error {
			_, err := Run(t.Context(), &Request{File: world(t, example), Month: month(t, "2026-01")}, &pretender{})
			return errors.Join(err, os.WriteFile("months/2026-01/mine.txt", nil, 0o666))
		}, "mine.txt: is not one of the month's results"},
	} {
		f := world(t, example)
		if err := errors.Join(os.MkdirAll("months", 0o777), c.lay()); err != nil {
			t.Fatal(err)
		}
		before := listing(t)
		_, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01"), Force: true}, &pretender{})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
		if diff := cmp.Diff(before, listing(t)); diff != "" {
			t.Errorf("%s: changed (-before +after):\n%s", c.name, diff)
		}
	}
	f := world(t, strings.Replace(example, "tx-{month}.csv", "months/{month}/tx.csv", 1))
	if err := errors.Join(os.MkdirAll("months/2026-01", 0o777), os.WriteFile("months/2026-01/tx.csv", nil, 0o666)); err != nil {
		t.Fatal(err)
	}
	os.Rename("months/2026-01", "months/in")
	f.transactions = []string{"months/in/tx.csv"}
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); !strings.Contains(fmt.Sprint(err), "lies among the months") {
		t.Errorf("input among the months: got %v", err)
	}
}

func TestAMonthIsNotBuiltOnADamagedOne(t *testing.T) {
	f := world(t, example)
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); err != nil {
		t.Fatal(err)
	}
	os.WriteFile("months/2026-01/labels.parquet", []byte("others"), 0o666)
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-02")}, &pretender{}); err == nil || fault.Code(err) != int(fault.Input) ||
		!strings.Contains(err.Error(), "--month 2026-01 --force") {
		t.Errorf("got %v", err)
	}
}

func TestTheFirstMonthHasNoGatesAgainstTheLast(t *testing.T) {
	f := world(t, strings.Replace(example, "clusters: 4", "gate: ['min-size=1%,min-agreement=0.8', max-inertia-growth=10%]", 1))
	for last, want := range map[string]string{"": "min-size=1%", "x": "min-size=1%,min-agreement=0.8 max-inertia-growth=10%"} {
		calls, err := f.calls(month(t, "2026-01"), "d", last)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range calls {
			if c.Command == "fit" {
				for _, item := range c.Flags.Content[1].Content {
					got = append(got, item.Value)
				}
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("after %q: got the gates %q, want %q", last, got, want)
		}
	}
}

func TestTwoRunsDoNotMeet(t *testing.T) {
	f := world(t, example)
	os.Mkdir("months", 0o777)
	y := &year{r: &Request{File: f}}
	unlock, err := y.lock()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); !strings.Contains(fmt.Sprint(err), "another run") {
		t.Errorf("got %v", err)
	}
	unlock()
	if _, err := Run(t.Context(), &Request{File: f, Month: month(t, "2026-01")}, &pretender{}); err != nil {
		t.Error(err)
	}
}

func TestWrongFilesAreRefusedWithTheirLine(t *testing.T) {
	const good = "output: o\ncustomers:\n  data: c.csv\nfit:\n  clusters: 3\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "is empty"},
		{"no YAML", "output: [", "line 1"},
		{"a list", "- a\n", "must be a mapping"},
		{"an unknown key", good + "migrat:\n", `line 6: unknown key "migrat" (did you mean "migrate"?)`},
		{"a key twice", good + "fit:\n", "line 6"},
		{"an output that names the month", "output: o/{month}\nfit:\n", "folder of all months"},
		{"no output", "fit:\ncustomers: {data: c.csv}\n", "has no output"},
		{"no fit", "output: o\ncustomers: {data: c.csv}\n", "has no fit"},
		{"no data", "output: o\nfit:\n", "neither rfm"},
		{"both", good + "rfm: {transactions: t.csv}\n", "as well as rfm"},
		{"rfm without transactions", "output: o\nfit:\nrfm: {window: 30d}\n", "needs transactions"},
		{"a step that is a number", "output: o\nfit: 3\n", "line 2: fit must be a mapping"},
		{"an alias", "output: &o o\nfit:\n", "anchors"},
		{"two documents", good + "---\na: 1\n", "more than one document"},
		{"data that is a mapping", "output: o\nfit:\ncustomers: {data: {a: b}}\n", "must be the name"},
	} {
		_, err := Parse("p.yaml", []byte(c.text))
		if err == nil || !strings.Contains(err.Error(), c.want) || fault.Code(err) != int(fault.Usage) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct{ name, text, want string }{
		{"an export over another result", good + "export: {output: profile.json}\n", "another result"},
		{"two exports of one name", good + "export: [{output: a.csv}, {output: a.csv}]\n", "another result"},
		{"an unknown placeholder", good + "export: {output: 'a-{moon}.csv'}\n", "{moon}"},
		{"an output elsewhere", good + "export: {output: ../a.csv}\n", "not the name of a file"},
		{"an export without output", good + "export: {segment: 3}\n", "not the name of a file"},
	} {
		f, err := Parse("p.yaml", []byte(c.text))
		if err == nil {
			_, err = f.calls(month(t, "2026-01"), "d", "")
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	exports := strings.Repeat("  - {output: a.csv}\n", maxExports+1)
	if _, err := Parse("p.yaml", []byte(good+"export:\n"+exports)); err == nil {
		t.Error("too many exports were taken")
	}
	if _, err := Parse("p.yaml", []byte(good+"export:\n"+exports[:len(exports)-len("  - {output: a.csv}\n")])); err != nil {
		t.Error(err)
	}
}

func TestNothingIsDoneBeforeAllFlagsAreKnown(t *testing.T) {
	for _, text := range []string{strings.Replace(example, "segment: 1", "wrong: 1", 1), example + "customers: {featuers: [a]}\n", example + "customers: {output: a}\n"} {
		p := &pretender{}
		_, err := Run(t.Context(), &Request{File: world(t, text), Month: month(t, "2026-01")}, p)
		if fault.Code(err) != int(fault.Usage) || len(p.did) > 0 {
			t.Errorf("got %v after %v", err, p.did)
		}
	}
}

func TestTheDefaultMonthIsTheLastThatIsOver(t *testing.T) {
	for at, want := range map[string]string{"2026-03-01T00:00:00Z": "2026-02", "2026-01-31T23:59:59Z": "2025-12", "2026-03-01T00:30:00+02:00": "2026-01"} {
		when, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		if got := MonthBefore(when).String(); got != want {
			t.Errorf("at %s: got %s, want %s", at, got, want)
		}
	}
	if _, err := ParseMonth("2026-13"); err == nil {
		t.Error("month 13 was taken")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(example))
	f.Add([]byte("output: o\ncustomers: {data: [c.csv], id: x}\nfit: {from: none}\n"))
	f.Add([]byte("a: &a [*a]\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		// A node of a document of two bytes is the dearest, and there are several copies of it.
		hostile.Ceiling(t, len(data), 2<<20, 4<<10, func() {
			file, err := Parse("p.yaml", data)
			if err != nil {
				return
			}
			m, _ := ParseMonth("2026-01")
			calls, err := file.calls(m, "d", "l")
			if err == nil && !slices.ContainsFunc(calls, func(c *Call) bool { return c.Command == "fit" }) {
				t.Error("a month without a fit")
			}
		})
	})
}
