package pipeline

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/dataset/table"
)

// The place of each row that is set aside is asked of the submitter, one call a row, and a limit on calls must not make
// another list of it.
func TestManyRowsThatAreSetAsideKeepTheirPlacesOnACluster(t *testing.T) {
	root := t.TempDir()
	path := filepath.Join(root, "ids.parquet")
	const n = 20000
	w, err := table.Create(path, []table.Column{{Name: "id", Type: table.Text}, {Name: "x", Type: table.Float32}}, table.Options{})
	if err != nil {
		t.Fatal(err)
	}
	ids, x := make([]string, n), make([]float32, n)
	for i := range n {
		if i%4 != 0 {
			ids[i] = fmt.Sprint("c", i)
		}
		x[i] = float32(i * 7 % 101)
	}
	if err := w.Write(&table.Batch{Rows: n, Columns: []any{ids, x}}); err != nil {
		t.Fatal(err)
	}
	if err := w.Commit(); err != nil {
		t.Fatal(err)
	}
	c := newCamp(t)
	c.worker("w0", 2)
	r := FitRequest{Data: Data{Files: []string{relative(t, path)}, BadRows: "quarantine"}, K: 3, Init: "k-means-parallel", Runs: 1, MaxIter: 5}
	if here, there := everythingOf(t, r, nil, ".csv"), everythingOf(t, r, c.cluster(1), ".csv"); here != there {
		t.Errorf("got %s\nwant %s", there, here)
	}
}

// A folder may hold tens of thousands of files, whose names travel more than once.
func TestDataOfManyFilesIsDescribedAndFitted(t *testing.T) {
	if testing.Short() {
		t.Skip("it walks long paths many times")
	}
	root := t.TempDir()
	deep := root
	for len(deep) < 3000 {
		deep = filepath.Join(deep, strings.Repeat("d", 200))
	}
	if err := os.MkdirAll(deep, 0o700); err != nil {
		t.Fatal(err)
	}
	const files = 1500
	for i := range files {
		csvFile(t, filepath.Join(deep, fmt.Sprintf("%06d.csv", i)), "id,x", 2, func(row int) string { return fmt.Sprintf("%d,%d", 2*i+row, (i*7+row)%101) })
	}
	c := newCamp(t, root)
	c.worker("w0", 2)
	r := FitRequest{Data: Data{Files: []string{deep}}, K: 3, Init: "k-means-parallel", Runs: 1, MaxIter: 5}
	if here, there := everythingOf(t, r, nil, ".csv"), everythingOf(t, r, c.cluster(1), ".csv"); here != there || strings.HasPrefix(here, "error") {
		t.Errorf("got %.300s\nwant %.300s", there, here)
	}
}
