package kmeans

import (
	"math/rand/v2"
	"testing"

	"github.com/coterie-project/coterie/internal/exact"
)

// repetitive are n rows of d columns of which kinds are distinct.
func repetitive(t testing.TB, n, d, kinds int) *Points {
	t.Helper()
	r := rand.New(rand.NewPCG(uint64(n), uint64(kinds)))
	patterns := make([]float32, kinds*d)
	for i := range patterns {
		patterns[i] = float32(r.IntN(7)) + 1.0/3
	}
	for i := range kinds { // apart, whatever was drawn
		patterns[i*d] = float32(i) / 7
	}
	values := make([]float32, 0, n*d)
	for range n {
		kind := r.IntN(kinds)
		values = append(values, patterns[kind*d:(kind+1)*d]...)
	}
	p, err := PointsFromRows(values, n, d, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestFoldedRowsGiveTheSumsAndInertiaOfAllRows(t *testing.T) {
	for _, a := range []Algorithm{FullPasses, Hamerly, Activity} {
		for _, s := range []struct{ n, d, kinds, k int }{{9000, 3, 40, 43}, {9000, 5, 2000, 26}, {4100, 12, 500, 11}} {
			p := repetitive(t, s.n, s.d, s.kinds)
			f := p.Fold(s.k)
			if f == nil {
				t.Fatalf("%d rows of %d kinds are not folded", s.n, s.kinds)
			}
			if f.n > s.kinds {
				t.Errorf("%d rows of %d kinds fold to %d", s.n, s.kinds, f.n)
			}
			start := NewCentroids(s.k, s.d)
			for j := range s.k {
				p.At(j*31, start.Row(j))
			}
			whole, folded := newPasses(p, a, s.k), newPasses(f, a, s.k)
			it := NewIteration(start, &Space{Grid: p.grid}, 12, 0)
			for pass := 0; ; pass++ {
				whole.to(it.Centroids)
				folded.to(it.Centroids)
				if whole.sums.Digest() != folded.sums.Digest() {
					t.Fatalf("%s, pass %d: sums of folded rows differ: counts %v, want %v", a, pass, folded.sums.Counts, whole.sums.Counts)
				}
				if !it.Update(whole.sums.Clone(), nil) {
					break
				}
			}
			if got, want := scoreOf(folded, it.Centroids), scoreOf(whole, it.Centroids); got != want {
				t.Errorf("%s: inertia of folded rows is %v, want %v", a, got, want)
			}
		}
	}
}

// scoreOf is the inertia of a last pass.
func scoreOf(r *passes, c *Centroids) float64 {
	var inertia exact.Bins
	pass := r.tracker.Next(c, true)
	pass.Prepare(r.track)
	for lo := 0; lo < r.p.n; lo += SpanRows {
		pass.Update(r.p, lo, min(lo+SpanRows, r.p.n), r.track, r.acc, &inertia, &r.scratch)
	}
	pass.Done([]*Track{r.track}, r.acc.Drain(r.sums))
	return inertia.Float64(0)
}

func TestRowsAreFoldedOnlyWhereItPays(t *testing.T) {
	for _, c := range []struct {
		name string
		fold bool
		p    *Points
		k    int
	}{
		{"few kinds", true, repetitive(t, 5000, 8, 100), 20},
		{"a fifth", true, repetitive(t, 40000, 8, 8000), 20},
		{"half", false, repetitive(t, 40000, 8, 20000), 20},
		{"next to no work", false, repetitive(t, 5000, 4, 100), 8},
		{"too few rows", false, repetitive(t, 3, 8, 1), 20},
	} {
		if got := c.p.Fold(c.k) != nil; got != c.fold {
			t.Errorf("%s: folded is %v, want %v", c.name, got, c.fold)
		}
	}
	weighted, err := PointsFromRows(make([]float32, 80), 20, 4, make([]float64, 20))
	if err != nil {
		t.Fatal(err)
	}
	if weighted.Fold(20) != nil {
		t.Error("weighted rows were folded")
	}
}
