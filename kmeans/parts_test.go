package kmeans

import (
	"errors"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestDistinctComesApartEquallyInAnyOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(1, 12).Draw(t, "limit")
		parts := make([]*Distinct, 3)
		for i := range parts {
			parts[i] = NewDistinct(limit)
			for range rapid.IntRange(0, limit).Draw(t, "seen") {
				parts[i].seen[[2]uint64{rapid.Uint64Range(0, 3).Draw(t, "a"), rapid.Uint64Range(0, 3).Draw(t, "b")}] = struct{}{}
			}
		}
		merged := func(order ...int) *Distinct {
			d := NewDistinct(limit)
			for _, i := range order {
				back, err := DistinctOf(parts[i].Limit(), parts[i].Fingerprints())
				if err != nil {
					t.Fatal(err)
				}
				d.Merge(back)
			}
			return d
		}
		direct := NewDistinct(limit)
		for _, p := range parts {
			direct.Merge(p)
		}
		a, b := merged(0, 1, 2), merged(2, 0, 1)
		if !slices.Equal(a.Fingerprints(), b.Fingerprints()) || a.Count() != direct.Count() || len(a.Fingerprints()) > limit {
			t.Fatalf("got %v and %v, counts %d and %d", a.Fingerprints(), b.Fingerprints(), a.Count(), direct.Count())
		}
	})
}

func TestPartsThatNoMergeGivesAreRefused(t *testing.T) {
	far := func(d float32, row int64, at float32) Far {
		return Far{Distance: d, Row: row, Weight: 1, Point: []float32{at}}
	}
	drawn := func(key float64, row int64) Drawn { return Drawn{Key: key, Row: row, Point: []float32{1}} }
	distinct := func(limit int, f ...[2]uint64) error { _, err := DistinctOf(limit, f); return err }
	farthest := func(limit int, f ...Far) error { _, err := FarthestOf(limit, f); return err }
	seed := func(limit int, p SeedPartial) error { _, err := SeedPartialOf(limit, p); return err }
	for name, c := range map[string]struct {
		err error
		ok  bool
	}{
		"distinct":                  {distinct(2, [2]uint64{1, 2}, [2]uint64{1, 3}), true},
		"distinct, too many":        {distinct(1, [2]uint64{1, 2}, [2]uint64{1, 3}), false},
		"distinct, equal":           {distinct(2, [2]uint64{1, 2}, [2]uint64{1, 2}), false},
		"distinct, descending":      {distinct(2, [2]uint64{1, 2}, [2]uint64{0, 3}), false},
		"distinct, negative":        {distinct(-1), false},
		"farthest":                  {farthest(3, far(4, 9, 2), far(3, 1, 2), far(3, 0, 3)), true},
		"farthest, too many":        {farthest(1, far(4, 9, 2), far(3, 1, 2)), false},
		"farthest, nearer first":    {farthest(3, far(3, 1, 2), far(4, 9, 2)), false},
		"farthest, the same Point":  {farthest(3, far(3, 1, 2), far(3, 2, 2)), false},
		"farthest, negative":        {farthest(-1), false},
		"seed":                      {seed(2, SeedPartial{Raced: []Drawn{drawn(1, 5), drawn(1, 6)}, Sampled: []Drawn{drawn(0, 2), drawn(0, 4)}}), true},
		"seed, too many raced":      {seed(1, SeedPartial{Raced: []Drawn{drawn(1, 5), drawn(1, 6)}}), false},
		"seed, keys out of order":   {seed(2, SeedPartial{Raced: []Drawn{drawn(2, 5), drawn(1, 6)}}), false},
		"seed, the same row sample": {seed(2, SeedPartial{Sampled: []Drawn{drawn(0, 5), drawn(0, 5)}}), false},
		"seed, negative":            {seed(-1, SeedPartial{}), false},
	} {
		if c.ok && c.err != nil || !c.ok && !errors.Is(c.err, ErrShape) {
			t.Errorf("%s: got %v, want accepted = %v", name, c.err, c.ok)
		}
	}
}

func TestSeedPartialsAndFarthestRowsComeTogetherAgain(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPoints(t, 30, 2)
		task := &SeedTask{Seed: 5, Round: 1, Candidates: &Centroids{K: 2, D: 2, Values: []float32{0, 0, 50, 50}}, Race: 3, Threshold: 1e-3,
			Potential: true, Weigh: true}
		part := NewSeedPartial(task)
		state := NewSeedState(p)
		NewSeedRound(task, []int{0}).Do(p, state, 0, 30, part, new(Scratch))
		back, err := SeedPartialOf(part.Limit(), SeedPartial{Potential: part.Potential, Raced: part.RacedByKey(), Sampled: part.SampledByRow(),
			Weights: part.Weights})
		if err != nil {
			t.Fatal(err)
		}
		if back.Limit() != 3 || !cmp.Equal(back.Raced, part.Raced) {
			t.Fatalf("got limit %d and %v, want %v", back.Limit(), back.Raced, part.Raced)
		}
		f := NewFarthest(4)
		NewAssigner(task.Candidates).Farthest(p, 0, 30, f, new(Scratch))
		again, err := FarthestOf(f.Limit(), f.Rows())
		if err != nil {
			t.Fatal(err)
		}
		again.Merge(f)
		if !cmp.Equal(again.Rows(), f.Rows()) {
			t.Fatalf("got %v, want %v", again.Rows(), f.Rows())
		}
	})
}
