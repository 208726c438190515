//go:build linux

package soak

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// task is work whose result is known beforehand: its twin in one process has been run once. It says nothing of where it runs.
type task struct {
	args   []string
	stdin  string               // a file; empty: none
	labels string               // file, parts, or nothing: no labels are asked for
	often  int                  // how often it is drawn, relative to the others
	twin   func() (bits, error) // of one process
}

// bits are what must not depend on where and how something was computed.
type bits struct{ result, labels string }

// long is the fit that is cancelled, interrupted and left behind. It needs no file, so that it can go on without its submitter.
var long = []string{"fit", "synth://uniform?rows=300000&seed=4&d=4", "-k", "12", "--tol", "0", "--max-iter", "80"}

// makeData makes the files of the tasks: what workers read, and what they may not and the submitter reads for them.
func (w *world) makeData(ctx context.Context) error {
	if err := os.MkdirAll(filepath.Join(w.root, "months"), 0o755); err != nil {
		return err
	}
	made := [][]string{
		{"customers", "20000", "1", "customers.csv"}, {"customers", "40000", "2", "customers.parquet"}, {"customers", "30000", "3", "customers.csv.gz"},
		{"customers", "5000", "4", "months/a.csv"}, {"customers", "7000", "5", "months/b.csv"}, {"customers", "3000", "6", "months/c.csv"},
		{"uniform", "50000", "7", "uniform.npy"}, {"customers", "15000", "8", "../elsewhere.csv"},
	}
	for _, m := range made {
		if _, err := w.run(ctx, "", "synth", m[0], "-n", m[1], "--seed", m[2], "-o", filepath.Join(w.root, m[3]), "--quiet"); err != nil {
			return err
		}
	}
	for i, k := range []string{"4", "5"} {
		model := filepath.Join(w.folder, fmt.Sprintf("model%d.json", i))
		out, err := w.run(ctx, "", "fit", filepath.Join(w.root, "customers.csv"), "-k", k, "--features", "age,income,monetary", "-o", model, "--json", "--quiet")
		if err != nil {
			return err
		}
		var d struct{ Digest string }
		if err := json.Unmarshal([]byte(out), &d); err != nil {
			return err
		}
		w.live = append(w.live, d.Digest)
	}
	return w.exchange()
}

// tasks are all kinds of work, by where the rows come from, what is done with them and where the labels go.
func (w *world) tasks(ctx context.Context) []*task {
	in := func(name string) string { return filepath.Join(w.root, name) }
	elsewhere := filepath.Join(w.folder, "elsewhere.csv")
	model := filepath.Join(w.folder, "model0.json")
	all := []*task{
		{args: []string{"fit", "synth://customers?rows=60000&seed=1", "-k", "5"}, often: 4},
		{args: []string{"fit", "synth://blobs?rows=100000&seed=2&d=8&centers=6", "-k", "8", "--tol", "0", "--max-iter", "20"}, labels: "file", often: 4},
		{args: []string{"fit", in("customers.csv"), "-k", "5"}, labels: "file", often: 4},
		{args: []string{"fit", in("customers.csv.gz"), "-k", "6", "--categorical", "gender,education", "--log1p", "monetary"}, labels: "parts", often: 3},
		{args: []string{"fit", in("customers.parquet"), "-k", "4", "--scale", "robust"}, labels: "parts", often: 4},
		{args: []string{"fit", in("months"), "-k", "5", "--duplicates", "first"}, labels: "file", often: 3},
		{args: []string{"fit", in("uniform.npy"), "-k", "7", "--metric", "cosine", "--scale", "none"}, often: 3},
		{args: []string{"fit", elsewhere, "-k", "5", "--runs", "3"}, labels: "file", often: 3},
		{args: []string{"fit", "-", "-k", "5", "--init", "k-means++"}, stdin: elsewhere, labels: "file", often: 3},
		{args: []string{"fit", in("customers.csv"), "--from", model}, labels: "file", often: 2},
		{args: []string{"assign", in("customers.parquet"), "--model", model, "--detail"}, labels: "file", often: 3},
		{args: []string{"assign", elsewhere, "--model", model}, labels: "parts", often: 2},
		{args: []string{"sweep", in("customers.csv"), "-k", "2..4"}, often: 2},
		{args: []string{"fit", "synth://uniform?rows=1600000&seed=9&d=20", "-k", "4", "--max-iter", "3"}, often: 1}, // more than the second worker has memory for
		{args: long, often: 1},
	}
	for _, t := range all {
		t.twin = sync.OnceValues(func() (bits, error) {
			w.count("runs in one process, to compare with")
			c, err := w.start(ctx, t, "")
			if err != nil {
				return bits{}, err
			}
			return c.bits()
		})
	}
	return all
}

// attempt is a task under way.
type attempt struct {
	*command
	folder, labels, table string
}

// start begins a task, on the cluster of a coordinator or, with "", in one process.
func (w *world) start(ctx context.Context, t *task, coordinator string) (*attempt, error) {
	a := &attempt{folder: filepath.Join(w.folder, "out", strconv.Itoa(w.next()))}
	if err := os.Mkdir(a.folder, 0o755); err != nil {
		return nil, err
	}
	args := append(slices.Clone(t.args), "--json", "--quiet")
	if t.args[0] == "fit" {
		args = append(args, "-o", filepath.Join(a.folder, "model.json"))
	}
	if t.args[0] == "sweep" {
		a.table = filepath.Join(a.folder, "sweep.csv")
		args = append(args, "-o", a.table)
	}
	if t.labels != "" {
		a.labels = filepath.Join(a.folder, "labels.csv")
		flag := map[string]string{"fit": "--labels", "assign": "-o"}[t.args[0]]
		if t.labels == "parts" && coordinator != "" {
			a.labels = filepath.Join(w.root, fmt.Sprintf("labels%d.csv", w.next())) + "/"
		}
		args = append(args, flag, a.labels)
	}
	if coordinator != "" {
		args = append(append(args, "--cluster", coordinator), w.papers("client")...)
	}
	var err error
	a.command, err = w.launch(ctx, t.stdin, args...)
	return a, err
}

// bits waits for the end of the attempt, which must be a good one, and removes what it has written.
func (a *attempt) bits() (bits, error) {
	defer a.remove()
	if a.code() != 0 {
		return bits{}, a.problem()
	}
	var d struct {
		Digest  string
		Rows    int64
		Counts  []int64
		Inertia float64
	}
	if err := json.Unmarshal([]byte(a.out.String()), &d); err != nil {
		return bits{}, fmt.Errorf("%w: %v", err, a.problem())
	}
	b := bits{result: fmt.Sprint(d.Digest, d.Rows, d.Counts, d.Inertia)}
	var err error
	if a.table != "" {
		b.result, err = sumOf(a.table)
	}
	if a.labels != "" && err == nil {
		b.labels, err = sumOf(a.labels)
	}
	return b, err
}

func (a *attempt) remove() {
	<-a.ended
	_ = os.RemoveAll(a.folder)
	if a.labels != "" {
		_ = os.RemoveAll(a.labels)
	}
}

// sumOf is the SHA-256 of a file, or of a folder of CSV parts in the order of their names, with the header of the first alone.
func sumOf(path string) (string, error) {
	files := []string{path}
	if strings.HasSuffix(path, "/") {
		var err error
		if files, err = filepath.Glob(path + "part-*"); err != nil || len(files) == 0 {
			return "", fmt.Errorf("no parts at %s: %w", path, err)
		}
	}
	sum := sha256.New()
	for i, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			return "", err
		}
		if i > 0 {
			_, data, _ = bytes.Cut(data, []byte("\n"))
		}
		sum.Write(data)
	}
	return fmt.Sprintf("%x", sum.Sum(nil)), nil
}
