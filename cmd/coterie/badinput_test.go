package main

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// badInput is a command that must fail: with this exit code, one line on standard error that holds every one of say,
// and nothing changed on disk.
type badInput struct {
	name string
	// files are written before the run, in a folder that is the working folder of the run.
	files map[string]string
	// setup makes what text cannot: packed files, folders, rights.
	setup func(t *testing.T)
	// args of the program. Empty: fitting a.csv with k = 2; a first word "+" stands for that and adds to it.
	args []string
	env  []string
	code int      // 0 means 3, bad input
	say  []string // the first is where the message begins
	// bare messages need no next step: the line says all there is to do.
	bare bool
}

// fitA is the call that most of the cases make.
var fitA = []string{"fit", "a.csv", "-k", "2", "-o", "model.json", "--labels", "labels.csv"}

// four rows that nothing is wrong with.
const four = "id,age,spend\n1,20,100.5\n2,30,250\n3,40,75.25\n4,50,300\n"

func (c *badInput) run(t *testing.T) {
	enter(t)
	for name, text := range c.files {
		write(t, name, text)
	}
	if c.setup != nil {
		c.setup(t)
	}
	// What stood there before stays, whatever happens.
	write(t, "model.json", "the model of last month")
	args := c.args
	switch {
	case len(args) == 0:
		args = fitA
	case args[0] == "+":
		args = append(append([]string(nil), fitA...), args[1:]...)
	}
	before := listing(t)
	got := runWith(context.Background(), c.env, args...)
	if diff := cmp.Diff(before, listing(t)); diff != "" {
		t.Errorf("coterie %s changed the folder (-before +after):\n%s", strings.Join(args, " "), diff)
	}
	c.judge(t, args, got)
}

func (c *badInput) judge(t *testing.T, args []string, got outcome) {
	t.Helper()
	code := c.code
	if code == 0 {
		code = 3
	}
	command := "coterie " + strings.Join(args, " ")
	if got.code != code {
		t.Errorf("%s: exit code %d, want %d; it says %q", command, got.code, code, got.stderr)
	}
	if got.stdout != "" {
		t.Errorf("%s: got %q on standard output, want nothing", command, got.stdout)
	}
	if strings.Count(got.stderr, "\n") != 1 || !strings.HasSuffix(got.stderr, "\n") {
		t.Errorf("%s: got %q, want one line", command, got.stderr)
	}
	if len(c.say) > 0 && !strings.HasPrefix(got.stderr, "coterie: "+c.say[0]) {
		t.Errorf("%s: got %q, want it to begin with %q", command, got.stderr, "coterie: "+c.say[0])
	}
	for _, want := range c.say {
		if !strings.Contains(got.stderr, want) {
			t.Errorf("%s: got %q, want it to name %q", command, got.stderr, want)
		}
	}
	if text := strings.TrimSuffix(got.stderr, "\n"); !c.bare && !(strings.Contains(text, " (") && strings.HasSuffix(text, ")")) {
		t.Errorf("%s: got %q, want what to do next in brackets at its end", command, got.stderr)
	}
}

// enter makes a new folder the working folder, with a folder for temporary files in it, and gives back to the
// process what a run may have changed of it.
func enter(t *testing.T) {
	t.Helper()
	folder := t.TempDir()
	t.Chdir(folder)
	if err := os.Mkdir("tmp", 0o777); err != nil {
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", filepath.Join(folder, "tmp"))
	threads := runtime.GOMAXPROCS(0)
	t.Cleanup(func() { runtime.GOMAXPROCS(threads) })
}

// listing is every file under the working folder with its content.
func listing(t *testing.T) map[string]string {
	t.Helper()
	files := make(map[string]string)
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil && os.IsPermission(err):
			files[path] = "(no permission)"
			return nil
		case err != nil:
			return err
		case !entry.Type().IsRegular():
			files[path] = entry.Type().String()
			return nil
		}
		data, err := os.ReadFile(path)
		if err != nil {
			data = []byte(err.Error())
		}
		files[path] = fmt.Sprintf("%.64q… %d bytes", data, len(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func runBad(t *testing.T, cases []badInput) {
	t.Helper()
	for i := range cases {
		c := &cases[i]
		t.Run(c.name, c.run)
	}
}

// a is a.csv with the given text.
func a(text string) map[string]string { return map[string]string{"a.csv": text} }

func TestTextThatIsNotATable(t *testing.T) {
	many := strings.Repeat("1,2\n", 20)
	runBad(t, []badInput{
		{name: "empty file", files: a(""), say: []string{"a.csv: ", "empty"}},
		{name: "only blank lines", files: a("\n\n\r\n"), say: []string{"a.csv: ", "empty"}},
		{name: "header only", files: a("id,age,spend\n"), say: []string{"a.csv: ", "no rows"}},
		{name: "a row too short", files: a("id,age,spend\n1,20,100\n2,30\n3,4,5\n"), say: []string{"a.csv: line 3: ", "2 fields", "3"}},
		{name: "a row too long", files: a("id,age,spend\n1,20,100\n2,30,4,5\n3,4,5\n"), say: []string{"a.csv: line 3: ", "4 fields", "3"}},
		{name: "the lowest bad row is told", files: a("x,y\n" + many + "1\n" + many + "1,abc\n"), say: []string{"a.csv: line 22: ", "1 field"}},
		{name: "blank lines count as lines", files: a("x,y\n\n1,2\n\n\n3,b\n4,5\n7,8\n"), say: []string{"a.csv: line 6, column y: ", `"b"`}},
		{name: "lines in quotes count as lines", files: a("x,y,z\n1,2,\"a\nb\"\n3,b,c\n4,5,d\n6,7,e\n"), say: []string{"a.csv: line 4, column y: ", `"b"`}},
		{name: "NUL byte", files: a("x,y\n1,2\n3,\x004\n5,6\n"), say: []string{"a.csv: line 3", "NUL"}},
		{name: "NUL byte in the header", files: a("x,\x00y\n1,2\n"), say: []string{"a.csv: line 1: ", "NUL"}},
		{name: "unclosed quote", files: a("x,y\n1,2\n3,\"4\n5,6\n7,8\n"), say: []string{"a.csv: line 3", "quote"}},
		{name: "unclosed quote in the header", files: a("x,\"y\n1,2\n"), say: []string{"a.csv: line 1: ", "quote"}},
		{name: "duplicate column", files: a("x,y,x\n1,2,3\n4,5,6\n"), say: []string{"a.csv: line 1: ", `"x"`, "1", "3"}},
		{name: "UTF-16", files: a("\xff\xfex\x00,\x00y\x00\n\x00"), say: []string{"a.csv: ", "UTF-16"}},
		{name: "no numeric column", files: a("who,where\nanna,rome\nbert,oslo\n"), say: []string{"a.csv: ", "no numeric column", "who"}},
		{name: "not existing file", args: []string{"fit", "none.csv", "-k", "2", "-o", "model.json"}, say: []string{"none.csv: ", "does not exist"}},
		{name: "glob without a match", args: []string{"fit", "none*.csv", "-k", "2", "-o", "model.json"}, say: []string{"none*.csv: ", "no file matches"}},
		{name: "unknown kind of file", files: map[string]string{"a.xlsx": "x"}, args: []string{"fit", "a.xlsx", "-k", "2", "-o", "model.json"},
			say: []string{"a.xlsx: ", ".parquet"}},
		{name: "folder without data", setup: func(t *testing.T) { folder(t, "d", "notes.txt") }, args: []string{"fit", "d", "-k", "2", "-o", "model.json"},
			say: []string{"d: ", "no data files"}},
		{name: "empty folder", setup: func(t *testing.T) { folder(t, "d") }, args: []string{"fit", "d", "-k", "2", "-o", "model.json"},
			say: []string{"d: ", "no data files"}},
		{name: "standard input is empty", args: []string{"fit", "-", "-k", "2", "-o", "model.json"}, say: []string{"standard input: ", "empty"}},
		{name: "two files with different columns", files: map[string]string{"a.csv": four, "b.csv": "id,age,income\n5,1,2\n"},
			args: []string{"fit", "a.csv", "b.csv", "-k", "2", "-o", "model.json"}, say: []string{"b.csv: ", "spend", "a.csv"}},
		{name: "a later file lacks a column", files: map[string]string{"a.csv": four, "b.csv": "id,age\n5,1\n"},
			args: []string{"fit", "a.csv", "b.csv", "-k", "2", "-o", "model.json"}, say: []string{"b.csv: ", "spend"}},
		{name: "bad row in the second file", files: map[string]string{"a.csv": four, "b.csv": "id,age,spend\n5,1,2\n6,x,3\n7,1,1\n"},
			args: []string{"fit", "a.csv", "b.csv", "-k", "2", "-o", "model.json"}, say: []string{"b.csv: line 3, column age: ", `"x"`}},
	})
}

// folder makes a folder with files that hold one letter.
func folder(t *testing.T, name string, files ...string) {
	t.Helper()
	if err := os.MkdirAll(name, 0o777); err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		write(t, filepath.Join(name, f), "x")
	}
}

func TestAFileMayEndInTheMiddleOfACharacter(t *testing.T) {
	for _, text := range []string{"id,x,name\n1,2,anna\n2,3,bj\xc3", "id,x,name\n1,2,anna\n2,3,bj\xc3\n"} {
		enter(t)
		write(t, "a.csv", text)
		if got := coterie("fit", "a.csv", "-k", "2", "-o", "model.json"); got.code != 0 {
			t.Errorf("%q: got %+v, want exit code 0", text, got)
		}
	}
}

func TestValuesThatAreNotNumbers(t *testing.T) {
	// with puts a value into line 4, column y, among numbers.
	with := func(value string) map[string]string {
		return a("id,x,y\n1,1,5\n2,2,6\n3,3," + value + "\n4,4,7\n5,5,9\n")
	}
	var cases []badInput
	here := "a.csv: line 4, column y: "
	for _, value := range []string{"abc", "1,5", "0x10", "1_000", "--", "12abc", "1e", "日本", "Infinity", "-inf", "+Inf", "1e400", "-1e999"} {
		cell := value
		if strings.Contains(value, ",") {
			cell = `"` + value + `"`
		}
		cases = append(cases,
			badInput{name: value, files: with(cell), say: []string{here, value}},
			badInput{name: value + " in a named feature", files: with(cell), args: []string{"+", "--features", "y,x"}, say: []string{here, value}})
	}
	for _, value := range []string{"", "NaN", "nan", "NULL", "NA", " "} {
		cases = append(cases,
			badInput{name: fmt.Sprintf("missing %q", value), files: with(value), say: []string{here, "no value", "missing"}},
			badInput{name: fmt.Sprintf("missing %q in a named feature", value), files: with(value), args: []string{"+", "--features", "y", "--missing", "fail"},
				say: []string{here, "no value", "missing"}})
	}
	cases = append(cases,
		badInput{name: "a column of text named as a feature", files: a("id,x,y\n1,1,red\n2,2,blue\n"), args: []string{"+", "--features", "x,y"},
			say: []string{"a.csv: line 2, column y: ", `"red"`}},
		badInput{name: "a date named as a feature", files: a("id,x,y\n1,1,2024-01-31\n2,2,2024-02-01\n"), args: []string{"+", "--features", "x,y"},
			say: []string{"a.csv: line 2, column y: ", "2024-01-31"}},
		badInput{name: "a very long value is shortened", files: with(strings.Repeat("long", 5000)), say: []string{here, `"longlong`, "…"}},
		badInput{name: "control characters cannot steer the terminal", files: with("\x1b[2Jab"), say: []string{here, `[2Jab"`}},
		badInput{name: "missing level under fail", files: a("id,x,y\n1,1,red\n2,2,\n3,4,red\n"), args: []string{"+", "--categorical", "y"},
			say: []string{"a.csv: line 3, column y: ", "no value"}},
		badInput{name: "missing id", files: a("id,x,y\n1,1,5\n,2,6\n3,3,7\n"), say: []string{"a.csv: line 3, column id: ", "missing"}},
		badInput{name: "a column without any value", files: a("id,x,y\n1,1,\n2,2,\n"), args: []string{"+", "--features", "x,y", "--missing", "mean"},
			say: []string{"a.csv: column y: ", "no value"}},
		badInput{name: "dropping leaves no rows", files: a("id,x,y\n1,1,\n2,,2\n3,,\n"), args: []string{"+", "--missing", "drop"},
			say: []string{"a.csv: ", "no rows"}},
	)
	runBad(t, cases)
}

func TestNumbersThatAreTooLarge(t *testing.T) {
	with := func(value string) map[string]string {
		return a("id,x,y\n1,1,5\n2,2,6\n3,3," + value + "\n4,4,7\n")
	}
	var cases []badInput
	for _, value := range []string{"1e20", "-1e20", "1e38", "1e39", "1e300", "1.7976931348623157e308"} {
		cases = append(cases, badInput{name: value + " unscaled", files: with(value), args: []string{"+", "--scale", "none"},
			say: []string{"a.csv: line 4, column y: ", strings.Split(value, "e")[1], "too large"}})
	}
	for _, scale := range []string{"standard", "minmax", "robust"} {
		cases = append(cases, badInput{name: "largest float64 under " + scale, files: with("1.7976931348623157e308"), args: []string{"+", "--scale", scale},
			say: []string{"a.csv: line 4, column y: ", "1.7976931348623157e+308"}})
	}
	cases = append(cases,
		badInput{name: "log1p of -1", files: with("-1"), args: []string{"+", "--log1p", "y"}, say: []string{"a.csv: line 4, column y: ", "-1", "log1p"}},
		badInput{name: "log1p below -1", files: with("-2.5"), args: []string{"+", "--log1p", "x,y"}, say: []string{"a.csv: line 4, column y: ", "-2.5", "log1p"}},
		badInput{name: "zero row under cosine", files: a("id,x,y\n1,1,5\n2,0,0\n3,3,1\n"), args: []string{"+", "--metric", "cosine", "--scale", "none"},
			say: []string{"a.csv: line 3: ", "zero"}})
	runBad(t, cases)
}

func TestColumnsThatAreNotThere(t *testing.T) {
	runBad(t, []badInput{
		{name: "feature", files: a(four), args: []string{"+", "--features", "age,spnd"}, say: []string{"a.csv: ", `"spnd"`, `did you mean "spend"?`}},
		{name: "feature far from all", files: a(four), args: []string{"+", "--features", "temperature"}, say: []string{"a.csv: ", `"temperature"`, "id, age, spend"}},
		{name: "id", files: a(four), args: []string{"+", "--id", "idd"}, say: []string{"a.csv: ", `"idd"`, `did you mean "id"?`}},
		{name: "weight", files: a(four), args: []string{"+", "--weight", "Spend"}, say: []string{"a.csv: ", `"Spend"`, `did you mean "spend"?`}},
		{name: "categorical", files: a(four), args: []string{"+", "--categorical", "aeg"}, say: []string{"a.csv: ", `"aeg"`, `did you mean "age"?`}},
		{name: "log1p of no feature by default", files: a(four), args: []string{"+", "--log1p", "id"}, code: 2, say: []string{`--log1p: "id"`, "age, spend"}},
		{name: "log1p of no feature that was named", files: a(four), args: []string{"+", "--features", "age", "--log1p", "spend"}, code: 2, say: []string{`--log1p: "spend"`}},
		{name: "log1p of a column that is not there", files: a(four), args: []string{"+", "--log1p", "nothing"}, code: 2, say: []string{`--log1p: "nothing"`}},
		{name: "log1p of a category", files: a(four), args: []string{"+", "--categorical", "age", "--log1p", "age"}, code: 2, say: []string{`--log1p: "age"`}},
	})
}

func TestMoreClustersThanPoints(t *testing.T) {
	same := "id,x,y\n1,5,5\n2,5,5\n3,5,5\n"
	runBad(t, []badInput{
		{name: "k above the rows", files: a(four), args: []string{"+", "-k", "5"}, say: []string{"a.csv: ", "k = 5", "4 rows"}},
		{name: "k above the rows and above any", files: a(four), args: []string{"+", "-k", "100000"}, say: []string{"a.csv: ", "k = 100000", "4 rows"}},
		{name: "k above the rows, plan", files: a(four), args: []string{"plan", "a.csv", "-k", "100000"}, say: []string{"a.csv: ", "k = 100000", "4 rows"}},
		{name: "k above the distinct rows", files: a("id,x\n1,1\n2,1\n3,2\n4,2\n"), args: []string{"+", "-k", "3"}, say: []string{"a.csv: ", "k = 3", "2 distinct"}},
		{name: "constant data", files: a(same), say: []string{"a.csv: ", "k = 2", "1 distinct"}},
		{name: "constant data unscaled", files: a(same), args: []string{"+", "--scale", "none"}, say: []string{"a.csv: ", "k = 2", "1 distinct"}},
		{name: "distinct only before float32", files: a("id,x\n1,0\n2,1e9\n3,1e-30\n"), args: []string{"+", "-k", "3", "--scale", "none"}, say: []string{"a.csv: ", "k = 3", "2 distinct"}},
		{name: "k above the rows that are left", files: a("id,x,y\n1,1,2\n2,2,\n3,4,5\n"), args: []string{"+", "-k", "3", "--missing", "drop"}, say: []string{"a.csv: ", "k = 3", "2 rows"}},
		{name: "one row", files: a("id,x\n1,1\n"), say: []string{"a.csv: ", "k = 2", "1 row"}},
	})
}

func TestConstantColumnsAreAllowed(t *testing.T) {
	for _, scale := range []string{"standard", "minmax", "robust", "none"} {
		enter(t)
		write(t, "a.csv", "id,x,y\n1,5,1\n2,5,2\n3,5,9\n")
		got := coterie("fit", "a.csv", "-k", "2", "-o", "model.json", "--scale", scale)
		if got.code != 0 {
			t.Errorf("--scale %s: got %+v, want exit code 0", scale, got)
		}
		write(t, "b.csv", "id,x,y\n1,5,5\n2,5,5\n3,5,5\n")
		if got := coterie("fit", "b.csv", "-k", "1", "-o", "model.json", "--scale", scale); got.code != 0 {
			t.Errorf("--scale %s, k = 1: got %+v, want exit code 0", scale, got)
		}
	}
}

func TestWeightsAndIDs(t *testing.T) {
	weighted := func(w string) map[string]string { return a("id,x,w\n1,1,1\n2,2," + w + "\n3,9,2\n") }
	runBad(t, []badInput{
		{name: "negative weight", files: weighted("-0.5"), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: line 3, column w: ", "-0.5"}},
		{name: "missing weight", files: weighted(""), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: line 3, column w: ", "missing"}},
		{name: "infinite weight", files: weighted("inf"), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: line 3, column w: ", "inf"}},
		{name: "text for a weight", files: weighted("much"), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: line 3, column w: ", `"much"`}},
		{name: "weights all zero", files: a("id,x,w\n1,1,0\n2,2,0\n3,9,0\n"), args: []string{"+", "--weight", "w"}, say: []string{"a.csv: ", "weight is 0", "--weight"}},
		{name: "duplicate id", files: a("id,x\n7,1\n8,2\n7,3\n"), say: []string{"a.csv: line 4, column id: ", "7", "line 2", "--duplicates"}},
		{name: "duplicate text id", files: a("id,x\nabc,1\nd,2\nd,3\nabc,3\n"), say: []string{"a.csv: line 4, column id: ", "d", "line 3"}},
		{name: "duplicate id without labels", files: a("id,x\n7,1\n8,2\n7,3\n"), args: []string{"fit", "a.csv", "-k", "2", "-o", "model.json"},
			say: []string{"a.csv: line 4, column id: ", "7", "line 2"}},
		{name: "duplicate id over two files", files: map[string]string{"a.csv": four, "b.csv": "id,age,spend\n9,1,2\n3,4,5\n"},
			args: []string{"fit", "a.csv", "b.csv", "-k", "2", "-o", "model.json"}, say: []string{"b.csv: line 3, column id: ", "3", "a.csv: line 4"}},
	})
}
