package kmeans

import (
	"errors"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
)

func TestATallyEqualsMergingOneByOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		k, d, weighted := rapid.IntRange(1, 5).Draw(t, "k"), rapid.IntRange(0, 9).Draw(t, "d"), rapid.Bool().Draw(t, "weighted")
		got, want := NewSums(k, d, weighted), NewSums(k, d, weighted)
		tally := NewTally(got)
		for range rapid.IntRange(0, 9).Draw(t, "parts") {
			s := drawSums(t, k, d, weighted, rapid.IntRange(1, 128).Draw(t, "bits"))
			want.Merge(s)
			if err := tally.Add(s.Pack()); err != nil {
				t.Fatal(err)
			}
			if rapid.IntRange(0, 3).Draw(t, "fold") == 0 {
				tally.Fold()
			}
		}
		tally.Fold()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("(-want +got):\n%s", diff)
		}
	})
}

// 256 integers of 7 bytes, all at the end of what they can be, reach just as far as 64 bits do.
func TestATallyNeverOverflows(t *testing.T) {
	for _, extreme := range []int64{-1 << 55, 1<<55 - 1, -1 << 47, 1<<47 - 1} {
		got := NewSums(1, 12, false)
		for i := range got.Values {
			got.Values[i] = exact.FromInt64(extreme)
		}
		p, tally := got.Pack(), NewTally(got)
		const times = 70_000 // of 6 bytes 65,536 reach as far
		for range times {
			if err := tally.Add(p); err != nil {
				t.Fatal(err)
			}
		}
		tally.Fold()
		for i, v := range got.Values {
			if want := exact.MulInt64(extreme, times+1); v != want {
				t.Fatalf("%d × %d, value %d: got %v, want %v", extreme, times+1, i, v, want)
			}
		}
	}
}

func TestATallyRefusesOtherShapesWhole(t *testing.T) {
	small := NewSums(3, 2, false)
	wide := NewSums(3, 2, false)
	wide.Values[0] = exact.FromInt64(math.MaxInt64)
	for name, spoil := range map[string]func(p *PackedSums){
		"a cluster more": func(p *PackedSums) { p.K++ },
		"a column less":  func(p *PackedSums) { p.D--; p.Values = p.Values[:3*p.Width] },
		"no width":       func(p *PackedSums) { p.Width = 0 },
		"short values":   func(p *PackedSums) { p.Values = p.Values[1:] },
		"weights":        func(p *PackedSums) { p.Weights = make([]byte, 3*p.Width) },
	} {
		for _, s := range []*Sums{small, wide} {
			p, into := s.Pack(), NewSums(3, 2, false)
			p.Counts[0] = 1
			spoil(p)
			tally := NewTally(into)
			err := tally.Add(p)
			tally.Fold()
			if diff := cmp.Diff(NewSums(3, 2, false), into); !errors.Is(err, ErrShape) || diff != "" {
				t.Errorf("%s: got %v, want ErrShape; added:\n%s", name, err, diff)
			}
		}
	}
}
