package kmeans

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sort"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// seedShape is a data set to seed: a mixture of 2k centres from N(0, 2²) with unit noise, or uniform.
type seedShape struct {
	name    string
	n, d, k int
	uniform bool
	greedy  int // starts of greedy k-means++ that the potential is held against: it takes minutes at the largest
}

var seedShapes = []seedShape{
	{"rfm4", 10e6, 4, 8, false, 5},
	{"low8", 10e6, 8, 8, false, 5},
	{"seg16", 2e6, 16, 20, false, 5},
	{"one14", 5e6, 14, 127, true, 2},
	{"mid50", 200e3, 50, 200, false, 5},
	{"mid100", 200e3, 100, 500, false, 2},
	{"big768", 100e3, 768, 2000, false, 1},
}

// make gives the rows as Points of at most MaxPoints rows each.
func (s *seedShape) make(b *testing.B) []*Points {
	b.Helper()
	r := rand.New(rand.NewPCG(123, 0))
	centres := make([]float32, 2*s.k*s.d)
	for i := range centres {
		centres[i] = float32(2 * r.NormFloat64())
	}
	grid := make([]int, s.d)
	for t := range grid {
		grid[t] = exact.GridExponent(-32, 32)
	}
	var list []*Points
	for first := 0; first < s.n; first += MaxPoints {
		rows := min(MaxPoints, s.n-first)
		p, err := NewPoints(rows, s.d, int64(first), grid)
		if err != nil {
			b.Fatal(err)
		}
		for lo := 0; lo < rows; lo += SpanRows {
			s.append(b, p, r, centres, min(SpanRows, rows-lo), int64(first+lo))
		}
		list = append(list, p)
	}
	return list
}

func (s *seedShape) append(b *testing.B, p *Points, r *rand.Rand, centres []float32, rows int, first int64) {
	columns := make([][]float32, s.d)
	for t := range columns {
		columns[t] = make([]float32, rows)
	}
	for i := range rows {
		centre := centres[r.IntN(2*s.k)*s.d:][:s.d]
		for t, c := range centre {
			if s.uniform {
				columns[t][i] = exact.ToGrid(r.Float64(), 0, p.grid[t])
				continue
			}
			columns[t][i] = exact.ToGrid(float64(c)+r.NormFloat64(), 0, p.grid[t])
		}
	}
	if err := p.Append(columns, rows, first, nil, nil); err != nil {
		b.Fatal(err)
	}
}

// fullPass finds the nearest of the centroids for every row; it gives the potential and the time without its sum.
func fullPass(list []*Points, c *Centroids) (float64, time.Duration) {
	a, scratch := NewAssigner(c), new(Scratch)
	var sum exact.Bins
	var spent time.Duration
	for _, p := range list {
		for lo := 0; lo < p.n; lo += SpanRows {
			begun := time.Now()
			_, distance := a.Nearest(p, lo, min(lo+SpanRows, p.n), scratch)
			spent += time.Since(begun)
			sum.AddSlice(distance)
		}
	}
	return sum.Float64(0), spent
}

// seedRounds seeds as an engine of one thread does. over is the time of rounds over rows, alone that of what one thread
// does by itself however many there are.
func seedRounds(b *testing.B, list []*Points, k int, seed uint64) (c *Centroids, over, alone time.Duration) {
	s, err := NewSeeder(InitParallel, k, list[0].d, list[0].grid, seed)
	if err != nil {
		b.Fatal(err)
	}
	states := make([]*SeedState, len(list))
	for i, p := range list {
		states[i] = NewSeedState(p)
	}
	scratch := new(Scratch)
	clock := time.Now()
	lap := func() time.Duration {
		spent := time.Since(clock)
		clock = time.Now()
		return spent
	}
	for task := s.Next(); task != nil; task = s.Next() {
		part := NewSeedPartial(task)
		if task.Recluster {
			if part.Centers, err = Recluster(task); err != nil {
				b.Fatal(err)
			}
			s.Take(part)
			alone += lap()
			continue
		}
		round := NewSeedRound(task, []int{states[0].Known()})
		for i, p := range list {
			of := NewSeedPartial(task)
			for lo := 0; lo < p.n; lo += SpanRows {
				round.Do(p, states[i], lo, min(lo+SpanRows, p.n), of, scratch)
			}
			round.Finish(states[i])
			part.Merge(of)
		}
		spent := lap()
		over += spent
		s.Take(part)
		took := lap()
		alone += took
		if testing.Verbose() {
			candidates := 0
			if task.Candidates != nil {
				candidates = task.Candidates.K
			}
			b.Logf("round %d: %d candidates, race %d, weigh %v: %v, then %v", task.Round, candidates, task.Race, task.Weigh, spent, took)
		}
	}
	if c, err = s.Result(); err != nil {
		b.Fatal(err)
	}
	return c, over, alone
}

// greedy is greedy k-means++ as scikit-learn has it, written apart from the Seeder: at each step 2+⌊ln k⌋ rows drawn in
// proportion to squared distance, of which the one that leaves the lowest potential stays.
func greedy(list []*Points, k int, seed uint64) float64 {
	r := rand.New(rand.NewPCG(seed, 1))
	g := &greedyState{list: list, d: list[0].d}
	for _, p := range list {
		g.best = append(g.best, make([]float32, len(p.blocks)/p.d))
		g.n += p.n
	}
	g.try([][]float32{g.row(r.IntN(g.n))}, true)
	trials := 2 + int(math.Log(float64(k)))
	for range k - 1 {
		var rows [][]float32
		for range trials {
			rows = append(rows, g.row(g.find(r.Float64()*g.potential)))
		}
		g.try(rows, false)
	}
	return g.potential
}

type greedyState struct {
	list      []*Points
	d, n      int
	best      [][]float32
	sums      []float64 // of spans, cumulative
	potential float64
}

func (g *greedyState) row(i int) []float32 {
	for _, p := range g.list {
		if i < p.n {
			return p.At(i, make([]float32, g.d))
		}
		i -= p.n
	}
	panic("no such row")
}

// find is the row at which the cumulative potential reaches x.
func (g *greedyState) find(x float64) int {
	at := min(sort.SearchFloat64s(g.sums, x), len(g.sums)-1)
	if at > 0 {
		x -= g.sums[at-1]
	}
	first := 0
	for l, p := range g.list {
		spans := (p.n + SpanRows - 1) / SpanRows
		if at >= spans {
			at, first = at-spans, first+p.n
			continue
		}
		lo, hi := at*SpanRows, min((at+1)*SpanRows, p.n)
		last := lo
		for i := lo; i < hi; i++ {
			if v := float64(g.best[l][i]); v > 0 {
				last = i
				if x -= v; x <= 0 {
					break
				}
			}
		}
		return first + last
	}
	panic("no such span")
}

// try takes the best of the rows; fresh: there is none before.
func (g *greedyState) try(rows [][]float32, fresh bool) {
	const tile = kernel.Lanes * kernel.BlockPair
	potential := make([]float64, len(rows))
	walk := func(do func(p *Points, best []float32, lo, hi int)) {
		for l, p := range g.list {
			for lo := 0; lo < p.n; lo += SpanRows {
				do(p, g.best[l], lo, min(lo+SpanRows, p.n))
			}
		}
	}
	t := kernel.Tier(tier.Load())
	var out [tile]float32
	if len(rows) > 1 {
		walk(func(p *Points, best []float32, lo, hi int) {
			for at := lo; at < hi; at += tile {
				blocks, _ := p.span(at, min(at+tile, hi))
				for j, row := range rows {
					kernel.Distances(t, blocks, row, out[:])
					sum := 0.0
					for i := at; i < min(at+tile, hi); i++ {
						sum += float64(min(out[i-at], best[i]))
					}
					potential[j] += sum
				}
			}
		})
	}
	chosen := 0
	for j, v := range potential {
		if v < potential[chosen] {
			chosen = j
		}
	}
	g.potential, g.sums = 0, g.sums[:0]
	walk(func(p *Points, best []float32, lo, hi int) {
		for at := lo; at < hi; at += tile {
			blocks, _ := p.span(at, min(at+tile, hi))
			kernel.Distances(t, blocks, rows[chosen], out[:])
			for i := at; i < min(at+tile, hi); i++ {
				if fresh || out[i-at] < best[i] {
					best[i] = out[i-at]
				}
				g.potential += float64(best[i])
			}
		}
		g.sums = append(g.sums, g.potential)
	})
}

// BenchmarkSeeding shows, for k-means|| at each shape, its time in full passes of as many threads (rows are shared by them,
// the reclustering is not), the least of all turns for either, and its potential as a share of that of greedy k-means++.
// One shape: -bench Seeding/mid50.
func BenchmarkSeeding(b *testing.B) {
	for _, s := range seedShapes {
		b.Run(fmt.Sprintf("%s/n=%d/d=%d/k=%d", s.name, s.n, s.d, s.k), func(b *testing.B) {
			list := s.make(b)
			over, alone, pass := time.Hour, time.Hour, time.Hour
			potential, seeds := 0.0, uint64(0)
			for b.Loop() {
				c, o, a := seedRounds(b, list, s.k, seeds)
				v, once := fullPass(list, c)
				over, alone, pass, potential = min(over, o), min(alone, a), min(pass, once), potential+v
				seeds++
			}
			b.StopTimer()
			reference := 0.0
			for i := range s.greedy {
				reference += greedy(list, s.k, uint64(i)) / float64(s.greedy)
			}
			b.ReportMetric(float64(over+alone)/float64(pass), "passes/1thread")
			b.ReportMetric(float64(over+2*alone)/float64(pass), "passes/2threads")
			b.ReportMetric(float64(alone)/float64(pass), "alone")
			b.ReportMetric(float64(pass.Microseconds())/1000, "ms/pass")
			b.ReportMetric(potential/float64(seeds)/reference, "potential/greedy")
			b.ReportMetric(0, "ns/op")
		})
	}
}
