package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What a terminal would obey, and what turns the direction of writing.
const (
	clears  = "\x1b[2J\x1b]0;pwned\x07" // clears the screen, names the window
	c1      = "\u009b31m"               // the same as ESC [, in one character
	reverse = "\u202eexe.txt\u2066"
)

// treacherous is a table whose names, ids and texts steer terminals, and begin formulas. Its file's name does the former.
func treacherous(t *testing.T) (table, model, labels string) {
	t.Helper()
	dir := t.TempDir()
	table = filepath.Join(dir, "a"+clears+c1+reverse+".csv")
	var b strings.Builder
	fmt.Fprintf(&b, "id,spend%s,\"visits%s\",%sage,city\n", clears, reverse, c1)
	for i := range 60 {
		fmt.Fprintf(&b, "=%d%s,%d,%d,%d,@town%d%s\n", i, clears+c1+reverse, i%3*100+i, i%5, 20+i%3*20, i%2, clears)
	}
	if err := os.WriteFile(table, []byte(b.String()), 0o600); err != nil {
		t.Skip("there are no such names of files here:", err)
	}
	model, labels = filepath.Join(dir, "model"+clears+".json"), filepath.Join(dir, "labels"+reverse+".csv")
	return table, model, labels
}

// obeyed is the first character of an output that a terminal would obey; 0: there is none.
func obeyed(out string) rune {
	for _, r := range out {
		if r != '\n' && steers(r) {
			return r
		}
	}
	return 0
}

func TestNothingThatIsPrintedSteersTheTerminal(t *testing.T) {
	table, model, labels := treacherous(t)
	dir := filepath.Dir(table)
	at := func(name string) string { return filepath.Join(dir, name) }
	fit := []string{"fit", table, "-k", "3", "--categorical", "city", "-o", model, "--labels", labels}
	cases := []struct {
		code int
		args []string
	}{
		{0, fit},
		{0, []string{"fit", table, "-k", "3", "--categorical", "city", "-o", at("b.json"), "--report", at("r" + clears + ".html"), "--progress", "plain"}},
		{0, []string{"check", table}},
		{0, []string{"plan", table, "-k", "3", "--workers", "2"}},
		{0, []string{"sweep", table, "-k", "2..3", "--categorical", "city"}},
		{0, []string{"assign", table, "--model", model, "-o", at("again" + clears + ".csv")}},
		{0, []string{"profile", table, "--model", model, "--with-ids"}},
		{0, []string{"segments", "list", "--model", model}},
		{0, []string{"lookup", "--model", model, "--labels", labels, "--id", "=1" + clears + c1 + reverse}},
		{0, []string{"export", "--model", model, "--labels", labels, "--data", table, "--columns", "city", "-o", at("l" + clears + ".csv")}},
		{0, []string{"export", "--model", model, "--as", "sql", "-o", at("q" + clears + ".sql")}},
		{0, []string{"migrate", "--from", labels, "--to", labels, "--from-model", model, "--to-model", model}},
		{2, []string{"fit", table, "-k", clears, "-o", model}},
		{2, []string{"fit", table, "-k", "3", "--features", "spend", "-o", model}},
		{2, []string{"fit", table, "-k", "3", "--x" + clears, "-o", model}},
		{2, []string{clears + reverse}},
		{3, []string{"fit", table, "-k", "3", "--features", "city", "-o", model}},
		{3, []string{"fit", at("none" + clears + reverse), "-k", "3", "-o", model}},
		{2, []string{"segments", "rename", "--model", model, "0=" + clears}},
		{2, []string{"segments", "rename", "--model", model, clears + "=a"}},
		{3, []string{"lookup", "--model", model, "--labels", labels, "--id", clears}},
		{2, []string{"export", "--model", model, "--labels", labels, "--segment", clears, "-o", at("l.csv")}},
		{2, []string{"export", "--model", model, "--labels", labels, "--where", clears + " > 1", "-o", at("l.csv")}},
		{2, []string{"synth", clears, "-n", "1", "-o", at("s.csv")}},
		{2, []string{"status", "--cluster", clears}},
	}
	for _, c := range cases {
		o := coterie(c.args...)
		name := fmt.Sprintf("%q", c.args)
		if o.code != c.code && (c.code == 0 || o.code == 0) {
			t.Errorf("%s: got exit %d, want %d: %q", name, o.code, c.code, o.stderr)
		}
		if r := obeyed(o.stdout); r != 0 {
			t.Errorf("%s: standard output has %U: %q", name, r, around(o.stdout, r))
		}
		if r := obeyed(o.stderr); r != 0 {
			t.Errorf("%s: standard error has %U: %q", name, r, around(o.stderr, r))
		}
	}
}

// around is the line of a character.
func around(text string, r rune) string {
	for line := range strings.Lines(text) {
		if strings.ContainsRune(line, r) {
			return line
		}
	}
	return ""
}

// A list keeps texts as they are, and says which of them a spreadsheet would run; quoted, none is left that it would.
func TestFormulasInListsAreToldOfOrQuoted(t *testing.T) {
	table, model, labels := treacherous(t)
	list := filepath.Join(filepath.Dir(table), "list.csv")
	if o := coterie("fit", table, "-k", "3", "--features", "\u009b31mage", "-o", model, "--labels", labels, "--quiet"); o.code != 0 {
		t.Fatal(o.stderr)
	}
	export := func(flags ...string) (outcome, string) {
		o := coterie(append([]string{"export", "--model", model, "--labels", labels, "--data", table, "--columns", "city", "-o", list}, flags...)...)
		text, err := os.ReadFile(list)
		if o.code != 0 || err != nil {
			t.Fatal(o.stderr, err)
		}
		return o, string(text)
	}
	o, text := export()
	if !strings.Contains(o.stderr, "120 (--formulas quote puts ' before them)") || !strings.Contains(text, "\n=1"+clears) || !strings.Contains(text, ",@town") {
		t.Errorf("got %q and %.100q, want the texts as they are, and 120 of them told of", o.stderr, text)
	}
	o, text = export("--formulas", "quote", "--json")
	if o.stderr != "" || !strings.Contains(o.stdout, `"formulas":120`) || !strings.Contains(text, "\n'=1"+clears) || strings.Contains(text, ",@town") {
		t.Errorf("got %q, %q and %.100q, want the texts quoted", o.stderr, o.stdout, text)
	}
	if bytes.Contains([]byte(text), []byte("\n=")) {
		t.Error("a formula is left")
	}
	list = filepath.Join(filepath.Dir(table), "list.parquet")
	if o := coterie("export", "--model", model, "--labels", labels, "--formulas", "quote", "-o", list); o.code != 2 || !strings.Contains(o.stderr, "--formulas") {
		t.Errorf("Parquet: got exit %d and %q, want exit 2 that names the flag", o.code, o.stderr)
	}
}
