package pipeline

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/progress"
)

// csvFile writes a CSV file of so many rows.
func csvFile(t *testing.T, path, header string, rows int, row func(i int) string) string {
	t.Helper()
	var b strings.Builder
	b.WriteString(header + "\n")
	for i := range rows {
		b.WriteString(row(i) + "\n")
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// everythingOf runs a fit and describes all that it leaves: the model, the counts of rows, the labels, the rows set
// aside; or the error.
func everythingOf(t *testing.T, r FitRequest, cluster *Cluster, extension string) string {
	t.Helper()
	dir := t.TempDir()
	r.Model, r.Labels = filepath.Join(dir, "m.json"), filepath.Join(dir, "l"+extension)
	if r.Data.BadRows == "quarantine" {
		r.Data.BadRowsOut = filepath.Join(dir, "bad.csv")
	}
	r.Engine = Engine{Workers: 2, Threads: 2, Reporter: progress.New(progress.None, nil), Cluster: cluster}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outcome, err := Fit(ctx, &r)
	left, _ := os.ReadDir(dir)
	if err != nil {
		return fmt.Sprintf("error, with %d files left: %v", len(left), err)
	}
	text := fmt.Sprintf("%s inertia %v iterations %d intake %+v", outcome.Digest, outcome.Model.Inertia, outcome.Model.Iterations, outcome.Intake)
	for _, path := range []string{r.Labels, r.Data.BadRowsOut} {
		if path == "" {
			continue
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		text += fmt.Sprintf(" %s %x", filepath.Base(path), sum(data))
	}
	return text
}

// edge is data at the edge of what is usual; three partitions unless it is smaller.
type edge struct {
	header string
	rows   int
	row    func(i int) string
	fit    FitRequest
	fails  bool
}

const edgeRows = 3 << 14

// second says whether a row is in the second of three partitions.
func second(i int) bool { return i >= 1<<14 && i < 2<<14 }

func edges() map[string]edge {
	xy := func(i int) string { return fmt.Sprintf("%d,%d", i*7%101, i*i%53) }
	return map[string]edge{
		"one row":    {header: "id,x,y", rows: 1, row: func(i int) string { return "7,1,2" }, fit: FitRequest{K: 1}},
		"two rows":   {header: "id,x,y", rows: 2, row: func(i int) string { return fmt.Sprintf("%d,%d,3", i, i) }, fit: FitRequest{K: 2}},
		"one column": {header: "id,x", rows: edgeRows, row: func(i int) string { return fmt.Sprintf("%d,%d", i, i*7%101) }, fit: FitRequest{K: 9}},
		"no ids":     {header: "x,y", rows: edgeRows, row: xy, fit: FitRequest{K: 5}},
		"k above the distinct rows of a partition": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 60}, row: func(i int) string {
			if second(i) {
				return fmt.Sprintf("%d,3,3", i)
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"a partition of rows that are dropped": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6, Data: Data{Missing: "drop"}}, row: func(i int) string {
			if second(i) {
				return fmt.Sprintf("%d,,3", i)
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"a partition of rows that are duplicates": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6, Data: Data{Duplicates: "first"}}, row: func(i int) string {
			id := i
			if second(i) {
				id = i - 1<<14
			}
			return fmt.Sprintf("%d,%s", id, xy(i))
		}},
		"the last of duplicates, some dropped": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6, Data: Data{Duplicates: "last", Missing: "drop"}}, row: func(i int) string {
			if i%5 == 0 {
				return fmt.Sprintf("c%d,,1", i%30000)
			}
			return fmt.Sprintf("c%d,%s", i%30000, xy(i))
		}},
		"weights of zero in a partition": {header: "id,x,y,w", rows: edgeRows, fit: FitRequest{K: 6, Data: Data{Weight: "w"}}, row: func(i int) string {
			w := 1 + i%9
			if second(i) {
				w = 0
			}
			return fmt.Sprintf("%d,%s,%d", i, xy(i), w)
		}},
		"text ids in one partition": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6}, row: func(i int) string {
			if second(i) {
				return fmt.Sprintf("c-%d,%s", i, xy(i))
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"a text id at the very end": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6}, row: func(i int) string {
			if i == edgeRows-1 {
				return fmt.Sprintf("007,%s", xy(i))
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"ids that are not UTF-8, set aside": {header: "id,x,city", rows: edgeRows,
			fit: FitRequest{K: 6, Data: Data{Features: []string{"x"}, Categorical: []string{"city"}, BadRows: "quarantine"}}, row: func(i int) string {
				name := "ku"
				if i%4000 == 1 {
					name = "k\xfc"
				}
				return fmt.Sprintf("%s%d,%d,%s", name, i, i*7%101, []string{"K\u00f6ln", "Bonn", "Trier"}[i*i%3])
			}},
		"a category that is not UTF-8": {header: "id,x,city", rows: edgeRows, fails: true, fit: FitRequest{K: 6, Data: Data{Features: []string{"x"}, Categorical: []string{"city"}}},
			row: func(i int) string {
				return fmt.Sprintf("%d,%d,%s", i, i*7%101, []string{"K\xf6ln", "Bonn"}[i/30000])
			}},
		"ids missing, set aside": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6, Data: Data{BadRows: "quarantine"}}, row: func(i int) string {
			if i%400 == 3 {
				return "," + xy(i)
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"numbers that are none, set aside": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6, Data: Data{BadRows: "quarantine", Features: []string{"x", "y"}}}, row: func(i int) string {
			if i%1000 == 3 {
				return fmt.Sprintf("%d,f\xfcnf,3", i)
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"cosine and robust": {header: "id,x,y,z", rows: edgeRows, fit: FitRequest{K: 6, Cosine: true, Data: Data{Scale: "robust"}}, row: func(i int) string {
			return fmt.Sprintf("%d,%s,%d", i, xy(i), 1+i%13)
		}},
		"missing values filled in": {header: "id,x,y", rows: edgeRows, fit: FitRequest{K: 6, Init: "k-means++", Data: Data{Missing: "median"}}, row: func(i int) string {
			if i%3 == 0 {
				return fmt.Sprintf("%d,,%d", i, i%17)
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"weights of zero alone": {header: "id,x,y,w", rows: edgeRows, fails: true, fit: FitRequest{K: 2, Data: Data{Weight: "w"}}, row: func(i int) string {
			return fmt.Sprintf("%d,%s,0", i, xy(i))
		}},
		"a weight below zero": {header: "id,x,y,w", rows: edgeRows, fails: true, fit: FitRequest{K: 2, Data: Data{Weight: "w"}}, row: func(i int) string {
			return fmt.Sprintf("%d,%s,%d", i, xy(i), 40000-i)
		}},
		"a number that is not UTF-8": {header: "id,x,y", rows: edgeRows, fails: true, fit: FitRequest{K: 2, Data: Data{Features: []string{"x", "y"}}}, row: func(i int) string {
			if i == 40000 {
				return "1,f\xfcnf,3"
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"all rows dropped": {header: "id,x,y", rows: edgeRows, fails: true, fit: FitRequest{K: 2, Data: Data{Features: []string{"x", "y"}, Missing: "drop"}}, row: func(i int) string {
			return fmt.Sprintf("%d,,1", i)
		}},
		"k above the rows that are left": {header: "id,x,y", rows: edgeRows, fails: true, fit: FitRequest{K: 20, Data: Data{Features: []string{"x", "y"}, Missing: "drop"}},
			row: func(i int) string {
				if i < 19 {
					return fmt.Sprintf("%d,%s", i, xy(i))
				}
				return fmt.Sprintf("%d,,1", i)
			}},
		"a missing value": {header: "id,x,y", rows: edgeRows, fails: true, fit: FitRequest{K: 2, Data: Data{Features: []string{"x", "y"}}}, row: func(i int) string {
			if i == 30000 || i == 17000 {
				return fmt.Sprintf("%d,,1", i)
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
		"a logarithm of nothing": {header: "id,x,y", rows: edgeRows, fails: true, fit: FitRequest{K: 2, Data: Data{Log1p: []string{"x"}}}, row: func(i int) string {
			return fmt.Sprintf("%d,%d,1", i, 40000-i)
		}},
		"an id that is not UTF-8, twice": {header: "id,x,y", rows: edgeRows, fails: true, fit: FitRequest{K: 2}, row: func(i int) string {
			if i == 30000 || i == 17000 {
				return fmt.Sprintf("\xfc,%s", xy(i))
			}
			return fmt.Sprintf("%d,%s", i, xy(i))
		}},
	}
}

// More workers than partitions, so that some have nothing to do.
func TestDataAtTheEdgeGivesTheSameOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it compares bits over many data sets: other tests look for races")
	}
	root := t.TempDir()
	c := newCamp(t, root)
	const workers = 4
	for i := range workers {
		c.worker(fmt.Sprintf("w%d", i), 1)
	}
	for name, e := range edges() {
		path := csvFile(t, filepath.Join(root, strings.ReplaceAll(name, " ", "-")+".csv"), e.header, e.rows, e.row)
		for extension, file := range map[string]string{".csv": path, ".parquet": relative(t, path)} { // read by the workers, and served to them
			r := e.fit
			r.Data.Files = []string{file}
			r.Init, r.Runs, r.MaxIter = or(r.Init, "k-means-parallel"), 1, 12
			here, there := everythingOf(t, r, nil, extension), everythingOf(t, r, c.cluster(workers), extension)
			if here != there || strings.HasPrefix(here, "error") != e.fails {
				t.Errorf("%s, %s, labels as %s:\n got %s\nwant %s", name, file, extension, there, here)
			}
		}
	}
}

// labelsOf labels the edge's data with a model and describes all that is left, or the error.
func labelsOf(t *testing.T, data Data, model string, cluster *Cluster) string {
	t.Helper()
	dir := t.TempDir()
	r := AssignRequest{Data: data, Model: model, Output: filepath.Join(dir, "l.parquet"), Detail: true}
	if data.BadRows == "quarantine" {
		r.Data.BadRowsOut = filepath.Join(dir, "bad.csv")
	}
	r.Engine = Engine{Workers: 2, Threads: 2, Reporter: progress.New(progress.None, nil), Cluster: cluster}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	outcome, err := Assign(ctx, &r)
	if err != nil {
		return "error: " + err.Error()
	}
	labels, err := os.ReadFile(r.Output)
	if err != nil {
		t.Fatal(err)
	}
	bad, _ := os.ReadFile(r.Data.BadRowsOut) // there need not be any
	return fmt.Sprintf("%d %v %v %+v %x %x", outcome.Rows, outcome.Counts, outcome.Inertia, outcome.Intake, sum(labels), sum(bad))
}

func TestDataAtTheEdgeIsLabelledTheSameOnACluster(t *testing.T) {
	if testing.Short() {
		t.Skip("it compares bits over many data sets: other tests look for races")
	}
	root := t.TempDir()
	c := newCamp(t, root)
	const workers = 4
	for i := range workers {
		c.worker(fmt.Sprintf("w%d", i), 1)
	}
	all := edges()
	for _, name := range []string{"one row", "no ids", "a partition of rows that are dropped", "the last of duplicates, some dropped",
		"weights of zero in a partition", "text ids in one partition", "a text id at the very end", "ids that are not UTF-8, set aside"} {
		e := all[name]
		path := csvFile(t, filepath.Join(root, "data.csv"), e.header, e.rows, e.row)
		r := e.fit
		r.Data.Files = []string{path}
		r.Init, r.Runs, r.MaxIter, r.Model = "k-means-parallel", 1, 3, filepath.Join(root, "m.json")
		r.Engine = Engine{Workers: 2, Threads: 2, Reporter: progress.New(progress.None, nil)}
		if _, err := Fit(t.Context(), &r); err != nil {
			t.Fatal(name, err)
		}
		for _, file := range []string{path, relative(t, path)} {
			r.Data.Files = []string{file}
			here, there := labelsOf(t, r.Data, r.Model, nil), labelsOf(t, r.Data, r.Model, c.cluster(workers))
			if here != there || strings.HasPrefix(here, "error") {
				t.Errorf("%s, %s:\n got %s\nwant %s", name, file, there, here)
			}
		}
	}
}
