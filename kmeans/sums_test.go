package kmeans

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

func TestConservationLooksAtRowsWeightAndEveryColumn(t *testing.T) {
	const n, d, k = 60, 5, 3
	for _, weighted := range []bool{false, true} {
		p := gappy(t, n, d, weighted, false)
		totals := NewTotals(d)
		totals.Add(p)
		c := NewCentroids(k, d)
		for j := range k {
			p.At(7*j, c.Row(j))
		}
		fresh := func() *Sums {
			acc, sums := NewAccumulator(k, d, weighted), NewSums(k, d, weighted)
			pass(p, c, make([]uint16, n), true, acc, sums)
			return sums
		}
		if err := fresh().Conserved(totals); err != nil {
			t.Fatalf("weighted %v: %v", weighted, err)
		}
		for j := range k {
			for column := range d {
				s := fresh()
				s.Values[j*d+column] = s.Values[j*d+column].Add(exact.FromInt64(1))
				if err := s.Conserved(totals); !errors.Is(err, ErrConservation) {
					t.Errorf("weighted %v, column %d of cluster %d one unit off: got %v, want %v", weighted, column, j, err, ErrConservation)
				}
			}
			s := fresh()
			if s.Counts[j]++; !errors.Is(s.Conserved(totals), ErrConservation) {
				t.Errorf("weighted %v, a row too many in cluster %d: conserved", weighted, j)
			}
			if !weighted {
				continue
			}
			s = fresh()
			if s.Weights[j] = s.Weights[j].Add(exact.FromInt64(1)); !errors.Is(s.Conserved(totals), ErrConservation) {
				t.Errorf("the weight of cluster %d one unit off: conserved", j)
			}
		}
	}
}
