package pipeline

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/worker"
)

func TestLabelsThatLackRowsDoNotAppear(t *testing.T) {
	dir := t.TempDir()
	f := newLabelFile(filepath.Join(dir, "l.csv"), false, false)
	defer f.Abort()
	part := &worker.Labels{Rows: 2, RowNumbers: []int64{0, 1}, Segment: []int32{1, 0}, Distance: []float32{1, 2}}
	if err := f.Put(t.Context(), part); err != nil {
		t.Fatal(err)
	}
	if err := f.Commit(3, nil); err == nil || !strings.Contains(err.Error(), "2 rows have come where 3") {
		t.Errorf("got %v, want a word of the row that is missing", err)
	}
	f.Abort()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("got %d files, %v, want none", len(left), err)
	}
}
