package kmeans

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/coterie-project/coterie/internal/exact"
)

// clockOf is a row's clock by its definition: the first ring at its place, whoever else rings before.
func clockOf(task *SeedTask, purpose uint32, number int64) float64 {
	ring := 0.0
	for i := uint32(0); ; i++ {
		words := exact.Draw4(task.Seed, purpose|i<<8, task.Round, uint64(number)/clockRows)
		ring -= float64(exact.Log(exact.Unit(uint64(words[1])<<32|uint64(words[0]))) / clockRows)
		if int64(words[2]%clockRows) == number%clockRows {
			return ring
		}
	}
}

// dumbRace draws by sorting every row's clock/mass.
func dumbRace(p *Points, task *SeedTask) []Drawn {
	var all []Drawn
	for i := range p.n {
		mass, purpose := float64(p.Weight(i)), purposeUniform
		if task.Race > 0 {
			purpose = purposeRace
			nearest := math.Inf(1) // small integers: exact in float64 as in float32
			for j := range task.Candidates.K {
				nearest = min(nearest, twinDistance(p.At(i, make([]float32, p.d)), task.Candidates.Row(j)))
			}
			mass *= nearest
		}
		if mass > 0 {
			all = append(all, Drawn{Key: clockOf(task, purpose, p.RowNumber(i)) / mass, Row: p.RowNumber(i), Point: p.At(i, make([]float32, p.d))})
		}
	}
	slices.SortFunc(all, compareDrawn)
	return all[:min(len(all), max(task.Race, task.Uniform))]
}

// scattered are rows of small integers, some weighted by 0, with gaps in their numbers, cut into Points at any place.
func scattered(t *rapid.T) (whole *Points, parts []*Points) {
	n := rapid.IntRange(1, 5000).Draw(t, "rows")
	first := rapid.SampledFrom([]int64{0, 1, 255, 256, 1000, 1 << 40}).Draw(t, "first")
	seed := rapid.Uint64().Draw(t, "data")
	weighted, gaps := rapid.Bool().Draw(t, "weighted"), rapid.Bool().Draw(t, "gaps")
	spread := uint(rapid.IntRange(54, 63).Draw(t, "spread")) // few bits: many ties and duplicates
	column, weights, keep := make([][]float32, 2), []uint64(nil), []bool(nil)
	for i := range n {
		u := exact.Draw(seed, 1, 0, uint64(i))
		column[0] = append(column[0], float32(u>>spread))
		column[1] = append(column[1], float32(u<<32>>spread))
		keep = append(keep, !gaps || u>>8%3 > 0)
		if weighted {
			weights = append(weights, []uint64{0, 1, WeightOne, 1 << 20}[u>>16%4])
		}
	}
	make1 := func(lo, hi int) *Points {
		p, err := NewPoints(hi-lo, 2, first+int64(lo), []int{-8, -8})
		if err != nil {
			t.Fatal(err)
		}
		var w []uint64
		if weighted {
			w = weights[lo:hi]
		}
		if err := p.Append([][]float32{column[0][lo:hi], column[1][lo:hi]}, hi-lo, first+int64(lo), keep[lo:hi], w); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for lo := 0; lo < n; {
		hi := rapid.IntRange(lo+1, n).Draw(t, "cut")
		parts = append(parts, make1(lo, hi))
		lo = hi
	}
	return make1(0, n), parts
}

func TestARaceDrawsTheSmallestClocksByMassWhereverTheRowsLie(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		whole, parts := scattered(t)
		task := &SeedTask{Seed: rapid.Uint64().Draw(t, "seed"), Round: uint32(rapid.IntRange(1, 9).Draw(t, "round"))}
		limit := rapid.SampledFrom([]int{1, 2, 10, 64, 1000}).Draw(t, "limit")
		if task.Uniform = limit; rapid.Bool().Draw(t, "by distance") {
			task.Uniform, task.Race = 0, limit
			task.Candidates = &Centroids{K: 2, D: 2, Values: []float32{0, 0, 3, 1}}
		}
		want := dumbRace(whole, task)
		got := NewSeedPartial(task)
		for _, p := range parts {
			part, state := NewSeedPartial(task), NewSeedState(p)
			for lo := 0; lo < p.n; lo += SpanRows {
				NewSeedRound(task, []int{0}).Do(p, state, lo, min(lo+SpanRows, p.n), part, new(Scratch))
			}
			got.Merge(part)
		}
		i := 0
		got.RacedKeys(func(key float64, row int64) bool {
			if i >= len(want) || key != want[i].Key || row != want[i].Row {
				t.Fatalf("key %d: got %v of row %d, want %v", i, key, row, want)
			}
			i++
			return true
		})
		if rows := got.RacedByKey(); i != len(want) || len(rows) != len(want) || len(want) > 0 && !cmp.Equal(rows, want) {
			t.Fatalf("got %v, want %v", rows, want)
		}
	})
}

// The last walk begins with a worst key that is nearly the final one, and often ends before a row is looked at: that may not be too early.
func TestAWalkThatEndsEarlyMissesNoRow(t *testing.T) {
	const rows = SpanRows + clockRows
	values := make([]float32, rows)
	for i := range values {
		values[i] = float32(1000 + exact.Draw(2, 1, 0, uint64(i))>>57) // squares are exact
	}
	p, err := PointsFromRows(values, rows, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	rounds := uint32(150)
	if testing.Short() {
		rounds = 10
	}
	for round := range rounds {
		task := &SeedTask{Seed: 7, Round: round, Race: 3, Candidates: &Centroids{K: 1, D: 1, Values: []float32{0}}}
		part := NewSeedPartial(task)
		for lo := 0; lo < rows; lo += SpanRows {
			NewSeedRound(task, []int{0}).Do(p, NewSeedState(p), lo, min(lo+SpanRows, rows), part, new(Scratch))
		}
		var want []found
		for i, v := range values {
			want = append(want, found{key: clockOf(task, purposeRace, int64(i)) / float64(v*v), row: int64(i)})
		}
		slices.SortFunc(want, compareFound)
		for i, row := range part.RacedByKey() {
			if row.Row != want[i].row {
				t.Errorf("round %d, place %d: got row %d, want %d", round, i, row.Row, want[i].row)
			}
		}
	}
}

// Clocks are exponential and places uniform: each row comes first in proportion to its mass.
func TestARowIsDrawnInProportionToItsMass(t *testing.T) {
	if testing.Short() {
		t.Skip("30,000 rounds whose draws are the same on every machine, which shorter tests hold")
	}
	const rows, rounds = 300, 30000
	values, masses, total := make([]float32, rows), make([]float64, rows), 0.0
	for i := range values {
		values[i] = float32(1 + i%7)
		masses[i] = float64(values[i]) * float64(values[i])
		total += masses[i]
	}
	p, err := PointsFromRows(values, rows, 1, nil)
	if err != nil {
		t.Fatal(err)
	}
	counts := make([]float64, rows)
	for round := range uint32(rounds) {
		task := &SeedTask{Seed: 1, Round: round, Race: 1, Candidates: &Centroids{K: 1, D: 1, Values: []float32{0}}}
		part := NewSeedPartial(task)
		NewSeedRound(task, []int{0}).Do(p, NewSeedState(p), 0, rows, part, new(Scratch))
		counts[part.RacedByKey()[0].Row]++
	}
	chi := 0.0
	for i, n := range counts {
		want := rounds * masses[i] / total
		chi += (n - want) * (n - want) / want
	}
	// 299 degrees of freedom: above 400 once in 10,000 sets of numbers, and these are fixed.
	if chi > 400 {
		t.Errorf("chi squared: got %v of %d rows, want about as many", chi, rows)
	}
}

func TestTheKeysOfARaceTellThePotential(t *testing.T) {
	p := families(5)[0].points(t)
	c := &Centroids{K: 1, D: p.d, Values: p.At(0, make([]float32, p.d))}
	_, _, want := twinPass(p, c)
	sum := 0.0
	const rounds = 40
	for round := range uint32(rounds) {
		task := &SeedTask{Seed: 3, Round: round, Race: 64, Candidates: c}
		part, state := NewSeedPartial(task), NewSeedState(p)
		for lo := 0; lo < p.n; lo += SpanRows {
			NewSeedRound(task, []int{0}).Do(p, state, lo, min(lo+SpanRows, p.n), part, new(Scratch))
		}
		sum += potentialOf(part.RacedByKey(), 64) / rounds
	}
	if math.Abs(sum-want) > 0.1*want {
		t.Errorf("potential: got %v on average, want %v", sum, want)
	}
	if got := potentialOf(nil, 64); got != 0 {
		t.Errorf("of no rows: got %v, want 0", got)
	}
}
