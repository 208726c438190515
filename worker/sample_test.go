package worker

import (
	"slices"
	"testing"

	"github.com/coterie-project/coterie/kmeans"
)

// TestASampleIsTheSameRowsForAnyPartitions has rows that are left out, and partitions that begin anywhere.
func TestASampleIsTheSameRowsForAnyPartitions(t *testing.T) {
	const rows = 9000 // every third is in the sample
	kept := func(i int) bool { return i%7 != 0 && (i < 3000 || i > 3100) }
	var want []float32
	for i := 0; i < rows; i += 3 {
		if kept(i) {
			want = append(want, float32(i))
		}
	}
	for _, cuts := range [][]int{{0, rows}, {0, 1, 2, 3001, 3002, 4000, rows}, {0, 3050, 3060, rows}} {
		var got []float32
		for n, first := range cuts[:len(cuts)-1] {
			count := cuts[n+1] - first
			p, err := kmeans.NewPoints(count, 2, int64(first), []int{0, 0})
			if err != nil {
				t.Fatal(err)
			}
			columns, keep := [][]float32{make([]float32, count), make([]float32, count)}, make([]bool, count)
			for i := range count {
				columns[0][i], keep[i] = float32(first+i), kept(first+i)
			}
			if err := p.Append(columns, count, int64(first), keep, nil); err != nil {
				t.Fatal(err)
			}
			got = append(got, sampleOf(p, 1, rows)...)
		}
		if !slices.Equal(got, want) {
			t.Errorf("cut at %v: got %d rows, want %d", cuts, len(got), len(want))
		}
	}
	if p, err := kmeans.NewPoints(1, 1000, 0, make([]int, 1000)); err != nil || sampleOf(p, 1000, rows) != nil {
		t.Errorf("a sample of too many columns was taken (%v)", err)
	}
}
