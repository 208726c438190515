package worker

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// BenchmarkRunsAbreast seeds ten runs and iterates them twenty times over rows that no cache holds, so many at a time.
func BenchmarkRunsAbreast(b *testing.B) {
	const rows, d, k, runs = 4 << 20, 8, 8, 10
	r := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, rows*d)
	for i := range values {
		values[i] = float32(r.NormFloat64() + 2*float64((i/d*7919+i%d*104729)%16)/4)
	}
	points, err := kmeans.PointsFromRows(values, rows, d, nil)
	if err != nil {
		b.Fatal(err)
	}
	for _, abreast := range []int{1, 2, 5, 10} {
		b.Run(fmt.Sprint(abreast), func(b *testing.B) {
			for range b.N {
				e, err := NewEngine(Config{Threads: 2, Manifest: &partition.Manifest{}})
				if err != nil {
					b.Fatal(err)
				}
				e.held[0] = &holding{points: points}
				for from := 0; from < runs; from += abreast {
					fitAbreast(b, e, k, from, min(runs, from+abreast), 20)
				}
			}
		})
	}
}

// fitAbreast takes runs from their seeding to their last pass, all of them in one pass a round.
func fitAbreast(b testing.TB, e *Engine, k, from, to, iterations int) {
	points := e.held[0].points
	space := &kmeans.Space{Grid: points.Grid()}
	seeders := make([]*kmeans.Seeder, to-from)
	asks := make([]*kmeans.SeedTask, to-from)
	iters := make([]*kmeans.Iteration, to-from)
	for i := range seeders {
		var err error
		if seeders[i], err = kmeans.NewSeeder(kmeans.InitParallel, k, points.Columns(), points.Grid(), uint64(from+i)); err != nil {
			b.Fatal(err)
		}
		asks[i] = seeders[i].Next()
	}
	do := func(strands []*wire.Task) []*wire.Partial {
		p, err := e.Do(b.Context(), &wire.Task{Kind: wire.Together, Partitions: []int{0}, Strands: strands})
		if err != nil {
			b.Fatal(err)
		}
		return p.Strands
	}
	for {
		var strands []*wire.Task
		for i, ask := range asks {
			if ask != nil {
				strands = append(strands, &wire.Task{Kind: wire.Seed, Run: from + i, Seed: ask})
			}
		}
		if len(strands) == 0 {
			break
		}
		partials := do(strands)
		for j, s := range strands {
			i := s.Run - from
			seeders[i].Take(partials[j].Seed)
			if asks[i] = seeders[i].Next(); asks[i] == nil {
				start, err := seeders[i].Result()
				if err != nil {
					b.Fatal(err)
				}
				iters[i] = kmeans.NewIteration(start, space, iterations, 0)
			}
		}
	}
	for pass := range iterations + 1 {
		var strands []*wire.Task
		for i, it := range iters {
			kind := wire.Iterate
			if pass == iterations {
				kind = wire.Score
			}
			strands = append(strands, &wire.Task{Kind: kind, Run: from + i, Centroids: it.Centroids})
		}
		for i, p := range do(strands) {
			if pass < iterations {
				iters[i].Update(p.Sums, nil)
			}
		}
	}
}
