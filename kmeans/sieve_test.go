package kmeans

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

func init() { filterLeast = 0 } // filters in small tables, too

// labelsOf are the labels of all distances.
func labelsOf(p *Points, c *Centroids, s *Scratch) []uint16 {
	labels, a := make([]uint16, p.n), newAssigner(c)
	for lo := 0; lo < p.n; lo += SpanRows {
		index, _ := a.Nearest(p, lo, min(lo+SpanRows, p.n), s)
		for i, j := range index {
			labels[lo+i] = uint16(j)
		}
	}
	return labels
}

// A few centroids move at will, near and far, while the others stand still.
func TestRowsThatMeetOnlyWhatHasMovedKeepToAllDistances(t *testing.T) {
	if !kernel.Best().Filters() {
		t.Skip("this processor does not multiply bytes (AVX512-VNNI)")
	}
	for _, s := range []struct{ n, d, k, moving int }{{500, 70, 130, 6}, {400, 300, 80, 20}} {
		met := 0
		for kind := range hardData {
			p, c := hardPoints(t, uint64(kind), kind, s.n, s.d, s.k)
			r := rand.New(rand.NewPCG(uint64(kind), 2))
			run := newPasses(p, Auto, c.K)
			for pass := range 40 {
				next := run.tracker.Next(c, false)
				next.Prepare(run.track)
				next.Update(p, 0, p.n, run.track, run.acc, nil, &run.scratch)
				next.Done([]*Track{run.track}, run.acc.Drain(run.sums))
				if next.sieve.few != nil {
					met++
				}
				if want := labelsOf(p, c, &run.scratch); !slices.Equal(want, run.track.Labels) {
					t.Fatalf("%d×%d, k=%d, %s, pass %d: labels differ from those of all distances", s.n, s.d, s.k, hardData[kind].name, pass)
				}
				c = c.Clone()
				for range r.IntN(s.moving + 1) {
					j, other := r.IntN(c.K), r.IntN(c.K)
					share := []float32{1, 0.5, 1e-2, 1e-6}[r.IntN(4)] // of the way to another, or to a row
					to := c.Row(other)
					if r.IntN(2) == 0 {
						to = p.At(r.IntN(p.n), make([]float32, p.d))
					}
					for i, v := range c.Row(j) {
						c.Row(j)[i] = v + share*(to[i]-v)
					}
				}
			}
		}
		if met < 20 {
			t.Errorf("%d×%d, k=%d: in %d passes rows met only what had moved, which shows nothing", s.n, s.d, s.k, met)
		}
	}
}

func TestAnAssignerWithAFilterGivesTheDistancesOfTheDefinition(t *testing.T) {
	if !kernel.Best().Filters() {
		t.Skip("this processor does not multiply bytes (AVX512-VNNI)")
	}
	filtered := 0
	for _, s := range []struct{ n, d, k int }{{2100, 40, 130}, {600, 70, 150}} {
		for kind := range hardData {
			p, c := hardPoints(t, uint64(kind), kind, s.n, s.d, s.k)
			with, without := NewAssigner(c), newAssigner(c)
			var a, b Scratch
			for lo := 0; lo < p.n; lo += SpanRows {
				hi := min(lo+SpanRows, p.n)
				index, squared := with.Nearest(p, lo, hi, &a)
				wantIndex, want := without.Nearest(p, lo, hi, &b)
				if !slices.Equal(index, wantIndex) || !slices.Equal(squared, want) {
					t.Fatalf("%d×%d, k=%d, %s: nearest centroids or distances differ from the definition's", s.n, s.d, s.k, hardData[kind].name)
				}
			}
			if with.search.filter != nil {
				filtered++
			}
			addedBehind(t, p, c, hardData[kind].name)
		}
	}
	if filtered < len(hardData) {
		t.Errorf("%d of the tables had a filter, which shows nothing", filtered)
	}
}

// addedBehind compares what is known of rows once candidates were added in two parts with what all of them give at once.
func addedBehind(t *testing.T, p *Points, c *Centroids, name string) {
	t.Helper()
	const first = 2
	var s Scratch
	hi := min(SpanRows, p.n)
	padded := paddedRows(hi)
	index, squared := make([]int32, padded), make([]float32, padded)
	some := func(lo, hi int) *Assigner {
		return NewAssigner(&Centroids{K: hi - lo, D: c.D, Values: c.Values[lo*c.D : hi*c.D]})
	}
	some(0, first).add(p, 0, hi, squared, index, 0, &s)
	some(first, c.K).add(p, 0, hi, squared, index, first, &s)
	wantIndex, want := newAssigner(c).Nearest(p, 0, hi, &s)
	if !slices.Equal(index[:hi], wantIndex) || !slices.Equal(squared[:hi], want) {
		t.Fatalf("%s: candidates that were added differ from all at once", name)
	}
}

// Where integers prove too little, auto goes on as if there were no filter.
func TestAutoGivesAFilterUpThatProvesTooLittle(t *testing.T) {
	if !kernel.Best().Filters() {
		t.Skip("this processor does not multiply bytes (AVX512-VNNI)")
	}
	for _, c := range []struct {
		kind int
		on   bool
	}{{0, true}, {8, false}} { // a mixture; one far outlier, which has a centroid of its own
		p, start := hardPoints(t, 3, c.kind, 1500, 300, 120)
		p.At(13, start.Row(1))
		run := newPasses(p, Auto, start.K)
		run.to(start)
		if got := run.tracker.chooser; got.filter.on != c.on || (got.kind == Hamerly) != c.on || run.tracker.bounded {
			t.Errorf("%s: after a pass the filter is on: %t, bounds are %s, made: %t", hardData[c.kind].name, got.filter.on, got.kind, run.tracker.bounded)
		}
		if !slices.Equal(labelsOf(p, start, &run.scratch), run.track.Labels) {
			t.Errorf("%s: labels differ from those of all distances", hardData[c.kind].name)
		}
	}
}

func TestSmallTablesHaveNoFilter(t *testing.T) {
	filterLeast = 2 << 20
	defer func() { filterLeast = 0 }()
	p, start := hardPoints(t, 3, 0, 1500, 60, 120)
	run := newPasses(p, Auto, start.K)
	run.to(start)
	if run.tracker.sample != nil || run.tracker.chooser.filter.on {
		t.Error("a table of 180,000 distances has a grid")
	}
	if a := NewAssigner(NewCentroids(200, 60)); a.filter(p) != nil {
		t.Error("300,000 distances have a grid")
	}
}
