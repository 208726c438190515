package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// fitted is the model of four.
func fitted(t *testing.T, args ...string) string {
	t.Helper()
	folder := t.TempDir()
	data, out := filepath.Join(folder, "a.csv"), filepath.Join(folder, "m.json")
	write(t, data, four)
	if got := coterie(append([]string{"fit", data, "-k", "2", "-o", out}, args...)...); got.code != 0 {
		t.Fatalf("got %+v, want a model", got)
	}
	return text(t, out)
}

func text(t testing.TB, file string) string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// ofVersion is a model that calls itself of another version, with the right checksum.
func ofVersion(t *testing.T, model, version string) string {
	t.Helper()
	const before = "\"checksum\": \""
	model = strings.Replace(model, "\"version\": 1,", "\"version\": "+version+",", 1)
	at := strings.Index(model, before) + len(before)
	if !strings.Contains(model, version) || at < len(before) {
		t.Fatal("the model has no version or no checksum where they were expected")
	}
	blank := model[:at] + strings.Repeat("0", 64) + model[at+64:]
	sum := sha256.Sum256([]byte(blank))
	return model[:at] + hex.EncodeToString(sum[:]) + model[at+64:]
}

// assignA labels a.csv with m.json.
var assignA = []string{"assign", "a.csv", "--model", "m.json", "-o", "labels.csv"}

func TestModelsThatAreDamaged(t *testing.T) {
	good := fitted(t)
	var cases []badInput
	add := func(name, model string, say ...string) {
		say = append([]string{"m.json: "}, say...)
		files := map[string]string{"a.csv": four, "m.json": model}
		cases = append(cases,
			badInput{name: name + ", assign", files: files, args: assignA, say: say},
			badInput{name: name + ", lookup", files: files, args: []string{"lookup", "--model", "m.json", "--values", "age=1,spend=2"}, say: say},
			badInput{name: name + ", check", files: files, args: []string{"check", "a.csv", "--model", "m.json"}, say: say},
			badInput{name: name + ", start", files: files, args: []string{"+", "--init", "m.json"}, say: say})
	}
	add("version 0", ofVersion(t, good, "0"), "version 0")
	for _, keep := range []int{1, 3, 20, 60, 120, len(good) / 2, len(good) - 1, len(good) - 2} {
		add(fmt.Sprintf("cut to %d of %d", keep, len(good)), good[:keep])
	}
	for _, at := range []int{30, 70, 150, len(good) / 2, len(good) - 30} {
		flipped := []byte(good)
		flipped[at] ^= 1
		add(fmt.Sprintf("byte %d of %d changed", at, len(good)), string(flipped), "damaged")
	}
	add("edited by hand", strings.Replace(good, "\"k\": 2", "\"k\": 3", 1), "damaged", "checksum")
	add("other line ends", strings.ReplaceAll(good, "\n", "\r\n"), "damaged")
	add("empty", "", "empty")
	add("CSV", four, "not a model")
	add("other JSON", "{\"a\": 1}\n", "not a model")
	runBad(t, cases)
	// Where truncation or another version is the matter, the words say so.
	runBad(t, []badInput{
		{name: "newer version", files: map[string]string{"a.csv": four, "m.json": ofVersion(t, good, "3")}, args: assignA,
			say: []string{"m.json: ", "version 3", "upgrade coterie"}, bare: true},
		{name: "cut in half", files: map[string]string{"a.csv": four, "m.json": good[:len(good)/2]}, args: assignA, say: []string{"m.json: ", "truncated"}},
		{name: "not there", files: a(four), args: assignA, say: []string{"m.json: "}},
		{name: "a folder", files: a(four), setup: func(t *testing.T) { folder(t, "m.json") }, args: assignA, say: []string{"m.json: ", "folder"}},
	})
}

func TestModelsThatDoNotFitTheData(t *testing.T) {
	model := fitted(t)
	files := func(text string) map[string]string { return map[string]string{"a.csv": text, "m.json": model} }
	runBad(t, []badInput{
		{name: "feature is missing", files: files("id,age,spent\n1,2,3\n"), args: assignA, say: []string{"a.csv: ", "m.json", `"spend"`, `"spent"`}},
		{name: "feature is missing for check", files: files("id,age\n1,2\n"), args: []string{"check", "a.csv", "--model", "m.json"}, say: []string{"a.csv: ", `"spend"`}},
		{name: "value missing", files: files("id,age,spend\n1,2,3\n2,,4\n"), args: assignA, say: []string{"a.csv: line 3, column age: ", "no value"}},
		{name: "value infinite", files: files("id,age,spend\n1,2,3\n2,inf,4\n"), args: assignA, say: []string{"a.csv: line 3, column age: ", "inf"}},
		{name: "value that only this model cannot take", files: files("id,age,spend\n1,2,3\n2,1e39,4\n"), args: assignA,
			say: []string{"a.csv: line 3, column age: ", "1e+39", "too large"}},
		{name: "text", files: files("id,age,spend\n1,2,3\n2,old,4\n"), args: assignA, say: []string{"a.csv: line 3, column age: ", `"old"`}},
		{name: "ragged", files: files("id,age,spend\n1,2,3\n2,4\n"), args: assignA, say: []string{"a.csv: line 3: ", "2 fields"}},
		{name: "duplicate id", files: files("id,age,spend\n1,2,3\n2,4,5\n1,6,7\n"), args: assignA, say: []string{"a.csv: line 4, column id: ", "1", "line 2"}},
		{name: "empty", files: files(""), args: assignA, say: []string{"a.csv: ", "empty"}},
		{name: "header only", files: files("id,age,spend\n"), args: assignA, say: []string{"a.csv: ", "no rows"}},
		{name: "column of the id", files: files(four), args: append(assignA, "--id", "aeg"), say: []string{"a.csv: ", `"aeg"`, `did you mean "age"?`}},
		{name: "negative weight", files: files(four + "9,1,-2\n"), args: append(assignA, "--weight", "spend", "--id", "id"),
			say: []string{"a.csv: line 6, column spend: ", "-2"}},
	})
}

func TestStartsThatDoNotFit(t *testing.T) {
	start := func(text string) map[string]string { return map[string]string{"a.csv": four, "s.csv": text} }
	init := []string{"+", "--init", "s.csv"}
	other := fitted(t, "--features", "spend")
	three := map[string]string{"a.csv": four, "m.json": fitted(t, "-k", "3")}
	runBad(t, []badInput{
		{name: "too few rows", files: start("age,spend\n1,2\n"), args: init, say: []string{"s.csv: ", "1 ", "k is 2"}},
		{name: "too many rows", files: start("age,spend\n1,2\n3,4\n5,6\n"), args: init, say: []string{"s.csv: ", "3 ", "k is 2"}},
		{name: "no rows", files: start("age,spend\n"), args: init, say: []string{"s.csv: ", "no rows"}},
		{name: "missing column", files: start("age,spent\n1,2\n3,4\n"), args: init, say: []string{"s.csv: ", `"spend"`, `"spent"`}},
		{name: "missing value", files: start("age,spend\n1,2\n3,\n"), args: init, say: []string{"s.csv: line 3, column spend: ", "value"}},
		{name: "NaN", files: start("age,spend\n1,NaN\n3,5\n"), args: init, say: []string{"s.csv: line 2, column spend: ", "value"}},
		{name: "infinite", files: start("age,spend\n1,inf\n3,5\n"), args: init, say: []string{"s.csv: line 2, column spend: ", "inf"}},
		{name: "text", files: start("age,spend\n1,4\n3,much\n"), args: init, say: []string{"s.csv: line 3, column spend: ", `"much"`}},
		{name: "too large", files: start("age,spend\n1,4\n3,1e300\n"), args: init, say: []string{"s.csv: line 3, column spend: ", "1e+300"}},
		{name: "ragged", files: start("age,spend\n1,4\n3\n"), args: init, say: []string{"s.csv: line 3: ", "1 field"}},
		{name: "empty", files: start(""), args: init, say: []string{"s.csv: ", "empty"}},
		{name: "matrix with another number of columns", files: map[string]string{"a.csv": four,
			"s.npy": npyOf("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }", doubles(1, 2, 3, 4, 5, 6))},
			args: []string{"+", "--init", "s.npy"}, say: []string{"s.npy: ", "3 columns", "2 features"}},
		{name: "model of other features", files: map[string]string{"a.csv": four, "m.json": other}, args: []string{"+", "--init", "m.json"},
			say: []string{"m.json: ", "features", "spend"}},
		{name: "model of another k", files: three, args: []string{"+", "--init", "m.json"}, say: []string{"m.json: ", "3 centroids", "k is 2"}},
		{name: "file that is not there", files: a(four), args: []string{"+", "--init", "starts.csv"}, say: []string{"starts.csv: ", "does not exist", "--init"}},
		{name: "neither a file nor a way", files: a(four), args: []string{"+", "--init", "kmeans"}, code: 2, say: []string{"--init: ", `"kmeans"`, "k-means++"}, bare: true},
	})
}

func TestLookupsThatCannotBeAnswered(t *testing.T) {
	model := fitted(t)
	labels := "id,segment,distance\n7,0,0.5\n8,1,0.25\n"
	files := func(text string) map[string]string { return map[string]string{"m.json": model, "l.csv": text} }
	ids := []string{"lookup", "--model", "m.json", "--labels", "l.csv", "--id"}
	values := []string{"lookup", "--model", "m.json", "--values"}
	data := []string{"lookup", "--model", "m.json", "--data", "l.csv", "--id"}
	runBad(t, []badInput{
		{name: "unknown id", files: files(labels), args: append(ids, "9"), say: []string{"l.csv: ", "9"}},
		{name: "segment beyond k", files: files(labels + "9,2,1\n"), args: append(ids, "9"), say: []string{"l.csv: line 4", "2"}},
		{name: "segment that is no number", files: files(labels + "9,x,1\n"), args: append(ids, "9"), say: []string{"l.csv: line 4, column segment: ", `"x"`}},
		{name: "distance that is missing", files: files(labels + "9,1,\n"), args: append(ids, "9"), say: []string{"l.csv: line 4, column distance: ", "missing"}},
		{name: "not a labels file", files: files(four), args: append(ids, "1"), say: []string{"l.csv: ", `"segment"`}},
		{name: "no labels file", files: map[string]string{"m.json": model}, args: append(ids, "1"), say: []string{"l.csv: ", "does not exist"}},
		{name: "labels without ids", files: files(labels), args: ids[:len(ids)-1], code: 2, say: []string{"lookup: ", "--labels", "--id"}},
		{name: "ids without labels", files: files(labels), args: []string{"lookup", "--model", "m.json", "--id", "7"}, code: 2, say: []string{"--id", "--labels"}},
		{name: "data without ids", files: files(labels), args: data[:5], code: 2, say: []string{"lookup: ", "--id"}},
		{name: "id column without data", files: files(labels), args: append(ids, "7", "--id-column", "id"), code: 2, say: []string{"--id-column: ", "--data"}},
		{name: "unknown id in the data", files: files("id,age,spend\n7,1,2\n"), args: append(data, "9"), say: []string{"l.csv: ", `"9"`}},
		{name: "id twice in the data", files: files("id,age,spend\n7,1,2\n7,1,2\n"), args: append(data, "7"), say: []string{"l.csv: line 3", `"7"`, "twice", "line 2"}},
		{name: "value missing in the data", files: files("id,age,spend\n6,1,\n7,1,\n"), args: append(data, "7"), say: []string{"l.csv: line 3, column spend: ", "no value"}},
		{name: "bad row in the data", files: files("id,age,spend\n6,x,1\n7,1,1\n"), args: append(data, "7"), say: []string{"l.csv: line 2, column age: ", `"x"`}},
		{name: "feature missing in the data", files: files(labels), args: append(data, "7"), say: []string{"l.csv: ", `"age"`}},
		{name: "labels of other data", files: map[string]string{"m.json": model, "l.csv": "id,age,spend\n7,1,2\n", "o.csv": labels},
			args: append(data, "7", "--labels", "o.csv"), say: []string{"o.csv: ", `"7"`, "0.5"}},
		{name: "nothing to look up", files: files(labels), args: []string{"lookup", "--model", "m.json"}, code: 2, say: []string{"lookup: "}},
		{name: "unknown feature", files: files(labels), args: append(values, "age=1,spent=2"), code: 2, say: []string{"--values: ", `"spent"`, "spend"}},
		{name: "value left out", files: files(labels), args: append(values, "age=1"), code: 2, say: []string{"--values: ", "spend"}},
		{name: "value not a number", files: files(labels), args: append(values, "age=1,spend=much"), code: 2, say: []string{"--values: ", `"much"`}, bare: true},
		{name: "value infinite", files: files(labels), args: append(values, "age=1,spend=inf"), code: 2, say: []string{"--values: ", `"inf"`}, bare: true},
		{name: "value too large", files: files(labels), args: append(values, "age=1,spend=1e300"), code: 2, say: []string{"--values: ", "1e+300", "correct the value"}},
		{name: "twice", files: files(labels), args: append(values, "age=1,age=2"), code: 2, say: []string{"--values: ", `"age=2"`}, bare: true},
		{name: "not name=value", files: files(labels), args: append(values, "age"), code: 2, say: []string{"--values: ", `"age"`}, bare: true},
	})
}

func TestFlagsWithBadValues(t *testing.T) {
	add := func(say string, args ...string) badInput {
		return badInput{name: strings.Join(args, " "), files: a(four), args: append([]string{"+"}, args...), code: 2, say: []string{say}, bare: true}
	}
	alone := func(say string, args ...string) badInput {
		return badInput{name: "coterie " + strings.Join(args, " "), files: a(four), args: args, code: 2, say: []string{say}}
	}
	cases := []badInput{
		add(`-k: "0"`, "-k", "0"),
		add(`-k: "-3"`, "-k=-3"),
		add(`-k: "2.5"`, "-k", "2.5"),
		add(`-k: "many"`, "-k", "many"),
		add(`-k: "1e18"`, "-k", "1e18"),
		add(`--scale: "cubic"`, "--scale", "cubic"),
		add(`--metric: "manhattan"`, "--metric", "manhattan"),
		add(`--algorithm: "elkan"`, "--algorithm", "elkan"),
		add(`--missing: "zero"`, "--missing", "zero"),
		add(`--bad-rows: "skip"`, "--bad-rows", "skip"),
		add(`--duplicates: "all"`, "--duplicates", "all"),
		add(`--threads: "0"`, "--threads", "0"),
		add(`--threads: "-1"`, "--threads", "-1"),
		add(`--workers: "0"`, "--workers", "0"),
		add(`--runs: "0"`, "--runs", "0"),
		add(`--max-iter: "0"`, "--max-iter", "0"),
		add(`--tol: "-1"`, "--tol", "-1"),
		add(`--tol: "NaN"`, "--tol", "NaN"),
		add(`--tol: "Inf"`, "--tol", "Inf"),
		add(`--seed: "-1"`, "--seed", "-1"),
		add(`--features: "age,age"`, "--features", "age,age"),
		add(`--weight: "age"`, "--weight", "age", "--features", "age"),
		add("unknown flag --sclae", "--sclae", "none"),
		add(`--cluster: "localhost" is not an address`, "--cluster", "localhost"),
		add(`--cluster: "http://localhost:7600" is not an address`, "--cluster", "http://localhost:7600"),
		add(`--cluster: ":7600" lacks the host`, "--cluster", ":7600"),
		add(`--cluster: "localhost:0" lacks`, "--cluster", "localhost:0"),
		add(`--cluster: "localhost:65536" has a port that is not a number from 0 to 65535`, "--cluster", "localhost:65536"),
		add(`--cluster: ""`, "--cluster", ""),
		add(`--min-workers: "0"`, "--min-workers", "0"),
		add(`--worker-wait: "10" is not a time span`, "--worker-wait", "10"),
		add(`--worker-wait: "-1s" must be at least 0s`, "--worker-wait", "-1s"),
		add(`--detach: "perhaps"`, "--detach=perhaps"),
		add("-k needs a value", "-k"),
		add("--bad-rows-out: ", "--bad-rows-out", "bad.csv"),
		alone("unknown command", "cluster", "a.csv"),
		alone("unknown command", "ft", "a.csv", "-k", "2"),
		alone("coterie fit needs DATA", "fit", "-k", "2", "-o", "model.json"),
		alone("", "fit", "a.csv", "-o", "model.json"),
		alone("", "fit", "a.csv", "-k", "2"),
		alone("-o: ", "fit", "a.csv", "-k", "2", "-o", "model.parquet"),
		alone("-o: ", "fit", "a.csv", "-k", "2", "-o", "-"),
		alone("--labels: ", "fit", "a.csv", "-k", "2", "-o", "model.json", "--labels", "labels.txt"),
		alone("-o: ", "assign", "a.csv", "--model", "model.json", "-o", "labels.txt"),
		alone("--json", "fit", "a.csv", "-k", "2", "-o", "model.json", "--labels", "-", "--json"),
		alone("", "fit", "a.csv", "-k", "2", "-o", "model.json", "--labels", "same.csv", "--bad-rows", "quarantine", "--bad-rows-out", "same.csv"),
		alone("gs://bucket/data: ", "fit", "gs://bucket/data", "-k", "2", "-o", "model.json"),
		alone("", "fit", "synth://nothing?rows=10", "-k", "2", "-o", "model.json"),
	}
	kernel := add("COTERIE_KERNEL: \"nonsense\"")
	kernel.name, kernel.env = "COTERIE_KERNEL=nonsense", []string{"COTERIE_KERNEL=nonsense"}
	threads := add(`--threads (COTERIE_THREADS): "0"`)
	threads.name, threads.env = "COTERIE_THREADS=0", []string{"COTERIE_THREADS=0"}
	runBad(t, append(cases, kernel, threads))
}

func TestOutputsThatCannotBeWritten(t *testing.T) {
	model := fitted(t)
	files := map[string]string{"a.csv": four, "m.json": model, "file": "x"}
	runBad(t, []badInput{
		{name: "folder of the model", files: files, args: []string{"fit", "a.csv", "-k", "2", "-o", "none/m.json"}, code: 1, say: []string{"-o none/m.json: ", "none", "mkdir"}},
		{name: "folder of the labels", files: files, args: []string{"fit", "a.csv", "-k", "2", "-o", "model.json", "--labels", "none/l.csv"}, code: 1,
			say: []string{"--labels none/l.csv: ", "none", "mkdir"}},
		{name: "folder of assign's labels", files: files, args: []string{"assign", "a.csv", "--model", "m.json", "-o", "none/l.csv"}, code: 1,
			say: []string{"-o none/l.csv: ", "none", "mkdir"}},
		{name: "folder of the bad rows", files: files, args: []string{"+", "--bad-rows", "quarantine", "--bad-rows-out", "none/bad.csv"}, code: 1,
			say: []string{"--bad-rows-out none/bad.csv: ", "none", "mkdir"}},
		{name: "a folder of that name", files: files, setup: func(t *testing.T) { folder(t, "l.csv") },
			args: []string{"assign", "a.csv", "--model", "m.json", "-o", "l.csv"}, code: 1, say: []string{"-o l.csv: ", "folder"}},
		{name: "a file for a folder", files: files, args: []string{"fit", "a.csv", "-k", "2", "-o", "file/m.json"}, code: 1, say: []string{"-o file/m.json", "file"}, bare: true},
	})
}
