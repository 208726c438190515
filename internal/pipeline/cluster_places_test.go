package pipeline

import (
	"fmt"
	"path/filepath"
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
