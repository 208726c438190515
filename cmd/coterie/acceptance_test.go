package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
)

// formats are those that a table can be read from.
var formats = []string{"csv", "csv.gz", "csv.zst", "parquet", "npy"}

// cloud is n rows of d skewed numbers of very different size around a few centres, column-major.
func cloud(n, d int) [][]float64 {
	state := uint64(42)
	unit := func() float64 {
		state = state*6364136223846793005 + 1442695040888963407
		return float64(state>>11) / (1 << 53)
	}
	columns := make([][]float64, d)
	for j := range columns {
		columns[j] = make([]float64, n)
	}
	for i := range n {
		centre := float64(int(unit()*5)) * 3
		for j := range columns {
			columns[j][i] = math.Exp(3*unit()*unit()+centre/4)*math.Pow(10, float64(j%4)) - centre
		}
	}
	return columns
}

// writeCloud writes columns as data.EXT for every format of extensions, called x0, x1, ….
func writeCloud(t *testing.T, columns [][]float64, extensions ...string) {
	t.Helper()
	var named []table.Column
	var values []any
	for j := range columns {
		named = append(named, table.Column{Name: "x" + strconv.Itoa(j), Type: table.Float64})
		values = append(values, columns[j])
	}
	for _, ext := range extensions {
		writeTable(t, "data."+ext, len(columns[0]), named, values...)
	}
}

// kernels lets the process use any tier of this machine, and puts the best back in the end.
func kernels(t *testing.T) []string {
	t.Helper()
	tiers := kmeans.Tiers()
	t.Cleanup(func() {
		if err := kmeans.UseTier(tiers[0]); err != nil {
			t.Error(err)
		}
	})
	return tiers
}

// fitWith fits in an environment, and gives the digest and the labels.
func fitWith(t *testing.T, env []string, args ...string) (digest, labels string) {
	t.Helper()
	got := runWith(context.Background(), env, append([]string{"fit", "-o", "m.json", "--labels", "l.csv", "--json"}, args...)...)
	var doc fitDocument
	if err := json.Unmarshal([]byte(got.stdout), &doc); err != nil || got.code != 0 {
		t.Fatalf("coterie fit %s: got %+v (%v)", strings.Join(args, " "), got, err)
	}
	return doc.Digest, text(t, "l.csv")
}

func TestSameBitsForAnyWorkersThreadsKernelAndFormat(t *testing.T) {
	tiers := kernels(t)
	enter(t)
	writeCloud(t, cloud(2500, 5), formats...)
	digest, labels := fitWith(t, nil, "data.csv", "-k", "6", "--tol", "0")
	if lines := strings.Count(labels, "\n"); lines != 2501 {
		t.Fatalf("got %d lines of labels, want 2501", lines)
	}
	for _, format := range formats {
		for _, tier := range tiers {
			for _, workers := range []string{"1", "2", "3", "7"} {
				for _, threads := range []string{"1", "2"} {
					gotDigest, gotLabels := fitWith(t, []string{kernelVariable + "=" + tier}, "data."+format, "-k", "6", "--tol", "0",
						"--workers", workers, "--threads", threads)
					if gotDigest != digest || gotLabels != labels {
						t.Errorf("%s, %s, %s workers, %s threads: digest %s (want %s), labels equal: %v", format, tier, workers, threads,
							gotDigest, digest, gotLabels == labels)
					}
				}
			}
		}
	}
}

// TestSameBitsOverManyPartitions has rows enough for several partitions, so that workers share them.
func TestSameBitsOverManyPartitions(t *testing.T) {
	if testing.Short() {
		t.Skip("this reads some ten million numbers")
	}
	tiers := kernels(t)
	enter(t)
	const rows, d = 42000, 128
	writeCloud(t, cloud(rows, d), "npy", "parquet")
	args := []string{"-k", "5", "--max-iter", "4", "--init", "random"}
	digest, labels := fitWith(t, nil, append(args, "data.npy", "--workers", "1", "--threads", "1")...)
	for _, c := range []struct{ format, workers, threads, tier string }{{"npy", "2", "2", tiers[0]}, {"npy", "3", "1", tiers[len(tiers)-1]},
		{"npy", "7", "2", tiers[0]}, {"parquet", "3", "2", tiers[0]}} {
		gotDigest, gotLabels := fitWith(t, []string{kernelVariable + "=" + c.tier}, append(args, "data."+c.format, "--workers", c.workers, "--threads", c.threads)...)
		if gotDigest != digest || gotLabels != labels {
			t.Errorf("%+v: digest %s (want %s), labels equal: %v", c, gotDigest, digest, gotLabels == labels)
		}
	}
	plan := coterie("plan", "data.npy", "-k", "5", "--workers", "3", "--json")
	var doc struct{ Partitions int }
	if err := json.Unmarshal([]byte(plan.stdout), &doc); err != nil || doc.Partitions < 3 {
		t.Errorf("got the plan %+v, want at least 3 partitions for this test to be of use", plan)
	}
}

func TestSeveralFilesAreOneTable(t *testing.T) {
	enter(t)
	columns := cloud(900, 3)
	writeCloud(t, columns, "csv")
	digest, labels := fitWith(t, nil, "data.csv", "-k", "4")
	lines := strings.SplitAfter(text(t, "data.csv"), "\n")
	folder(t, "parts")
	write(t, "parts/a.csv", strings.Join(lines[:401], ""))
	write(t, "parts/b.csv", lines[0]+strings.Join(lines[401:402], ""))
	write(t, "parts/c.csv", strings.TrimSuffix(lines[0]+strings.Join(lines[402:], ""), "\n"))
	for _, args := range [][]string{{"parts"}, {"parts/*.csv"}, {"parts/a.csv", "parts/b.csv", "parts/c.csv"}} {
		gotDigest, gotLabels := fitWith(t, nil, append(args, "-k", "4", "--workers", "2")...)
		if gotDigest != digest || gotLabels != labels {
			t.Errorf("%v: digest %s (want %s), labels equal: %v", args, gotDigest, digest, gotLabels == labels)
		}
	}
	app := newApp(strings.NewReader(text(t, "data.csv")), new(bytes.Buffer), new(bytes.Buffer), nil)
	if code := app.run(context.Background(), []string{"fit", "-", "-k", "4", "-o", "m.json", "--labels", "l.csv"}); code != 0 || text(t, "l.csv") != labels {
		t.Errorf("standard input: exit code %d and %v, labels equal: %v", code, app.Stderr, text(t, "l.csv") == labels)
	}
}

// start writes the given rows of columns as starting centroids.
func start(t *testing.T, file string, columns [][]float64, rows ...int) {
	t.Helper()
	var b strings.Builder
	for j := range columns {
		fmt.Fprintf(&b, "%sx%d", strings.Repeat(",", min(j, 1)), j)
	}
	for _, i := range rows {
		b.WriteByte('\n')
		for j := range columns {
			b.WriteString(strings.Repeat(",", min(j, 1)) + strconv.FormatFloat(columns[j][i], 'g', -1, 64))
		}
	}
	write(t, file, b.String()+"\n")
}

// permuted is the rows of columns in another order: row i of it is row order[i].
func permuted(columns [][]float64) (other [][]float64, order []int) {
	n := len(columns[0])
	for i := range n {
		order = append(order, (i*7919+13)%n)
	}
	for _, c := range columns {
		p := make([]float64, n)
		for i, from := range order {
			p[i] = c[from]
		}
		other = append(other, p)
	}
	return other, order
}

func TestRowsInAnotherOrderGiveTheSameCentroids(t *testing.T) {
	columns := cloud(1000, 4)
	other, order := permuted(columns)
	for _, scale := range []string{"standard", "minmax", "robust", "none"} {
		enter(t)
		start(t, "s.csv", columns, 3, 500, 77, 901, 14)
		args := []string{"-k", "5", "--init", "s.csv", "--scale", scale, "--workers", "2"}
		writeCloud(t, columns, "csv")
		digest, labels := fitWith(t, nil, append(args, "data.csv")...)
		before := readModel(t, "m.json")
		writeCloud(t, other, "parquet")
		gotDigest, gotLabels := fitWith(t, nil, append(args, "data.parquet")...)
		if diff := cmp.Diff(before.Centroids, readModel(t, "m.json").Centroids); gotDigest != digest || diff != "" {
			t.Errorf("--scale %s: digest %s, want %s; centroids (-want +got):\n%s", scale, gotDigest, digest, diff)
		}
		lines, gotLines := strings.Split(labels, "\n")[1:], strings.Split(gotLabels, "\n")[1:]
		for i, from := range order {
			_, want, _ := strings.Cut(lines[from], ",")
			if got := gotLines[i]; got != strconv.Itoa(i)+","+want {
				t.Fatalf("--scale %s: row %d got %q, want the label %q of row %d", scale, i, got, want, from)
			}
		}
	}
}

func readModel(t *testing.T, file string) *model.Model {
	t.Helper()
	m, err := model.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// document reads exactly one JSON document and gives its fields with their types, in order of name.
func document(t *testing.T, got outcome) map[string]string {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(got.stdout))
	var fields map[string]any
	if err := decoder.Decode(&fields); err != nil || decoder.More() || got.code != 0 || strings.Count(got.stdout, "\n") != 1 {
		t.Fatalf("got %+v (%v), want one JSON document on a line of its own", got, err)
	}
	types := make(map[string]string)
	typesOf("", fields, types)
	return types
}

// typesOf lists the types of a value: of a list, those of its first item.
func typesOf(path string, value any, types map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		for name, inner := range v {
			typesOf(strings.TrimPrefix(path+"."+name, "."), inner, types)
		}
	case []any:
		types[path] = "list"
		if len(v) > 0 {
			typesOf(path+"[]", v[0], types)
		}
	case float64:
		types[path] = "number"
		if v == math.Trunc(v) {
			types[path] = "whole"
		}
	default:
		types[path] = fmt.Sprintf("%T", v)
	}
}

// without checks that the fields named are numbers, whole or not, and leaves them out of types.
func without(t *testing.T, types map[string]string, names ...string) map[string]string {
	t.Helper()
	for _, name := range names {
		if types[name] != "number" && types[name] != "whole" {
			t.Errorf("%s: got %q, want a number", name, types[name])
		}
		delete(types, name)
	}
	return types
}

func TestJSONDocumentsHaveTheDocumentedFields(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	fit := document(t, coterie("fit", "a.csv", "-k", "2", "-o", "m.json", "--labels", "l.csv", "--json"))
	want := map[string]string{"rows": "whole", "columns": "whole", "k": "whole", "iterations": "whole", "converged": "bool",
		"counts": "list", "counts[]": "whole", "model": "string", "digest": "string"}
	if diff := cmp.Diff(want, without(t, fit, "inertia", "seconds.read", "seconds.seed", "seconds.iterate", "seconds.write", "seconds.total")); diff != "" {
		t.Errorf("fit (-want +got):\n%s", diff)
	}
	assign := document(t, coterie("assign", "a.csv", "--model", "m.json", "-o", "l2.csv", "--detail", "--json"))
	if diff := cmp.Diff(map[string]string{"rows": "whole", "counts": "list", "counts[]": "whole"}, without(t, assign, "inertia")); diff != "" {
		t.Errorf("assign (-want +got):\n%s", diff)
	}
	found := document(t, coterie("lookup", "--model", "m.json", "--values", "age=25,spend=99.5", "--json"))
	wantFound := map[string]string{"results": "list", "results[].id": "<nil>", "results[].segment": "whole", "results[].name": "string",
		"results[].second_segment": "whole", "results[].because": "list", "results[].because[].feature": "string"}
	if diff := cmp.Diff(wantFound, without(t, found, "results[].distance", "results[].second_distance", "results[].margin", "results[].because[].value",
		"results[].because[].centroid", "results[].because[].pull")); diff != "" {
		t.Errorf("lookup (-want +got):\n%s", diff)
	}
	version := document(t, coterie("version", "--json"))
	wantVersion := map[string]string{"version": "string", "commit": "string", "go": "string", "kernel": "string", "kernels": "list", "kernels[]": "string", "arithmetic": "string"}
	if diff := cmp.Diff(wantVersion, version); diff != "" {
		t.Errorf("version (-want +got):\n%s", diff)
	}
	for _, args := range [][]string{{"check", "a.csv"}, {"plan", "a.csv", "-k", "2", "--workers", "3"}} {
		if len(document(t, coterie(append(args, "--json")...))) == 0 {
			t.Errorf("coterie %v: got an empty document", args)
		}
	}
}

func TestTheFitDocumentIsTrue(t *testing.T) {
	enter(t)
	columns := cloud(500, 3)
	writeCloud(t, columns, "csv")
	doc := fitDone(t, "data.csv", "-k", "4", "-o", "m.json", "--labels", "l.csv")
	m := readModel(t, "m.json")
	if doc.Rows != 500 || doc.Columns != 3 || doc.K != 4 || doc.Model != "m.json" || doc.Digest != m.Digest() || len(doc.Digest) != 64 ||
		strings.ToLower(doc.Digest) != doc.Digest || !slices.Equal(doc.Counts, m.Counts) {
		t.Errorf("got %+v for the model %+v", doc, m)
	}
	s := doc.Seconds
	if sum := s.Read + s.Seed + s.Iterate + s.Write; math.Abs(sum-s.Total) > 1e-9 || s.Read < 0 || s.Seed < 0 || s.Iterate <= 0 || s.Write < 0 {
		t.Errorf("seconds: got %+v, want parts that add up to %v", s, s.Total)
	}
	inertia, counts := 0.0, make([]int64, 4)
	for i, r := range records(t, "l.csv")[1:] {
		j, distance := label(t, r)
		inertia += distance * distance
		counts[j]++
		if r[0] != strconv.Itoa(i) {
			t.Fatalf("row %d is called %q", i, r[0])
		}
	}
	if math.Abs(inertia-doc.Inertia) > 1e-5*doc.Inertia || !slices.Equal(counts, doc.Counts) {
		t.Errorf("the labels make %v and counts %v, the document says %v and %v", inertia, counts, doc.Inertia, doc.Counts)
	}
	if want := scaledInertia(columns, records(t, "l.csv")[1:], 4); math.Abs(want-doc.Inertia) > 1e-4*want {
		t.Errorf("inertia: got %v, want %v by the definition", doc.Inertia, want)
	}
}

// label is the segment and the distance of a labels' row.
func label(t *testing.T, record []string) (segment int, distance float64) {
	t.Helper()
	segment, err := strconv.Atoi(record[1])
	if err != nil {
		t.Fatal(err)
	}
	if distance, err = strconv.ParseFloat(record[2], 64); err != nil {
		t.Fatal(err)
	}
	return segment, distance
}

// scaledInertia is the sum of squared distances to the means of the segments, after scaling to mean 0 and standard
// deviation 1, in plain float64.
func scaledInertia(columns [][]float64, labels [][]string, k int) float64 {
	total := 0.0
	n := float64(len(labels))
	for _, c := range columns {
		mean, square := 0.0, 0.0
		for _, x := range c {
			mean += x / n
		}
		for _, x := range c {
			square += (x - mean) * (x - mean) / n
		}
		sums, counts := make([]float64, k), make([]float64, k)
		for i, x := range c {
			j, _ := strconv.Atoi(labels[i][1])
			sums[j] += x
			counts[j]++
		}
		for i, x := range c {
			j, _ := strconv.Atoi(labels[i][1])
			off := x - sums[j]/counts[j]
			total += off * off / square
		}
	}
	return total
}

// TestLabelsOnStandardOutputStandAlone reads what a pipe behind the program would read: the labels and nothing else.
func TestLabelsOnStandardOutputStandAlone(t *testing.T) {
	enter(t)
	write(t, "a.csv", four)
	fitDone(t, "a.csv", "-k", "2", "-o", "m.json", "--labels", "want.csv")
	for _, args := range [][]string{{"fit", "a.csv", "-k", "2", "-o", "m.json", "--labels", "-"}, {"assign", "a.csv", "--model", "m.json", "-o", "-"}} {
		file, err := os.Create("stdout")
		if err != nil {
			t.Fatal(err)
		}
		standard := os.Stdout
		os.Stdout = file // which the labels are written to, past the App
		got := coterie(args...)
		os.Stdout = standard
		file.Close()
		if got.code != 0 || got.stdout != "" || text(t, "stdout") != text(t, "want.csv") {
			t.Errorf("coterie %s: got %+v and the labels %q, want the labels alone", strings.Join(args, " "), got, text(t, "stdout"))
		}
	}
}
