package kmeans

import (
	"fmt"
	"math"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

const (
	// reclusterIterations bounds Lloyd over the candidates, of which there are two or three for a cluster: five and ten
	// iterations leave the same potential to the third digit.
	reclusterIterations = 5
	// reclusterTrials is how many times 2+⌊ln k⌋ candidates are tried at each step. They are few beside the rows and their
	// distances are at hand, and the fit that follows is the better for it by half a percent. Where candidates × k is above
	// reclusterTried, or distances are not held, it is once.
	reclusterTrials = 4
	reclusterTried  = 1 << 22
	// apartTable is the most squared distances between candidates that are held at a time: 256 MiB.
	apartTable = 1 << 26
)

// Recluster does the Recluster of a SeedTask: greedy k-means++ and Lloyd over the weighted candidates, in memory and
// on one thread.
func Recluster(t *SeedTask) (*Centroids, error) {
	c := t.Candidates
	if c == nil || len(t.Masses) != c.K || len(t.Grid) != c.D || t.K < 1 || t.K > c.K {
		return nil, fmt.Errorf("%w: candidates, masses and grid of a reclustering do not fit", ErrShape)
	}
	points, err := candidatePoints(c, t.Grid, t.Masses)
	if err != nil {
		return nil, err
	}
	g := newAmong(points, c, t)
	for range t.K {
		g.add()
	}
	start := &Centroids{K: t.K, D: c.D, Values: make([]float32, 0, t.K*c.D)}
	for _, i := range g.chosen {
		start.Values = append(start.Values, c.Row(i)...)
	}
	result, err := Lloyd(points, start, Options{MaxIterations: reclusterIterations})
	if err != nil {
		return nil, err
	}
	return result.Centroids, nil
}

func candidatePoints(c *Centroids, grid []int, weights []uint64) (*Points, error) {
	points, err := NewPoints(c.K, c.D, 0, grid)
	if err != nil {
		return nil, err
	}
	columns := make([][]float32, c.D)
	for t := range columns {
		columns[t] = make([]float32, c.K)
		for i := range c.K {
			columns[t][i] = c.Values[i*c.D+t]
		}
	}
	return points, points.Append(columns, c.K, 0, nil, weights)
}

// apart gives squared distances between candidates. Greedy k-means++ asks for those of nearly every candidate, most more than
// once, so where they fit all are taken at the start, tile by tile, which reads memory once instead of once for each trial.
type apart struct {
	points *Points
	c      *Centroids
	tier   kernel.Tier
	stride int
	table  []float32 // nil: too large
	row    []float32
}

func newApart(p *Points, c *Centroids) *apart {
	a := &apart{points: p, c: c, tier: kernel.Tier(tier.Load()), stride: len(p.blocks) / p.d}
	if c.K*a.stride > apartTable {
		a.row = make([]float32, a.stride)
		return a
	}
	a.table = make([]float32, c.K*a.stride)
	const tile = kernel.Lanes * kernel.BlockPair
	for lo := 0; lo < a.stride; lo += tile {
		blocks := p.blocks[lo*p.d : (lo+tile)*p.d]
		for i := range c.K {
			kernel.Distances(a.tier, blocks, c.Row(i), a.table[i*a.stride+lo:][:tile])
		}
	}
	return a
}

// from are the squared distances from candidate i to all, valid until the next call.
func (a *apart) from(i int) []float32 {
	if a.table != nil {
		return a.table[i*a.stride:][:a.c.K]
	}
	kernel.Distances(a.tier, a.points.blocks, a.c.Row(i), a.row)
	return a.row[:a.c.K]
}

// among is greedy k-means++ among weighted candidates: at each step 2+⌊ln k⌋ of them are drawn in proportion to mass × squared
// distance to the nearest chosen one, and the one that lowers the potential most is chosen. Sums of float64 are taken in
// one order, on one thread, and so have the same bits everywhere.
type among struct {
	apart  *apart
	seed   uint64
	trials int
	mass   []float64
	best   []float32 // squared distance to the nearest chosen
	runs   []float64 // Σ mass × best of runs of runLength candidates
	chosen []int
	taken  []bool
}

// runLength is how many candidates a draw walks one by one, after it has walked whole runs.
const runLength = 64

func newAmong(p *Points, c *Centroids, t *SeedTask) *among {
	g := newAmongThese(newApart(p, c), t)
	if g.apart.table != nil && c.K*t.K <= reclusterTried {
		g.trials *= reclusterTrials
	}
	return g
}

func newAmongThese(a *apart, t *SeedTask) *among {
	n := a.c.K
	g := &among{apart: a, seed: exact.Draw(t.Seed, purposeRecluster, 0, 0), trials: 2 + int(exact.Log(float64(t.K))),
		mass: make([]float64, n), best: make([]float32, n), runs: make([]float64, (n+runLength-1)/runLength), taken: make([]bool, n)}
	for i, m := range t.Masses {
		g.mass[i], g.best[i] = float64(m), 1 // the first is drawn by mass alone
	}
	g.sum()
	return g
}

func (g *among) sum() {
	for r := range g.runs {
		lo, hi := r*runLength, min((r+1)*runLength, len(g.best))
		sum := 0.0
		for i := lo; i < hi; i++ {
			sum += float64(g.mass[i] * float64(g.best[i]))
		}
		g.runs[r] = sum
	}
}

// add chooses one more candidate.
func (g *among) add() {
	trials := g.trials
	if len(g.chosen) == 0 {
		trials = 1
	}
	total := 0.0
	for _, sum := range g.runs {
		total += sum
	}
	winner, most := -1, math.Inf(-1)
	for t := range trials {
		u := exact.Unit(exact.Draw(g.seed, purposeRecluster, uint32(len(g.chosen)), uint64(t)))
		i := g.draw(float64(u * total))
		if i < 0 || trials == 1 {
			winner = i
			break
		}
		if gain := g.gain(g.apart.from(i)); gain > most {
			winner, most = i, gain
		}
	}
	if winner < 0 { // distances so small that their squares are 0
		for winner = 0; g.taken[winner]; winner++ {
		}
	}
	g.take(winner)
}

// draw is the candidate at which the sum of mass × best reaches x; −1 if there is none with any.
func (g *among) draw(x float64) int {
	last := -1
	for r, sum := range g.runs {
		if sum == 0 {
			continue
		}
		if last = r; x <= sum {
			break
		}
		x -= sum
	}
	if last < 0 {
		return -1
	}
	found := -1
	for i := last * runLength; i < min((last+1)*runLength, len(g.best)); i++ {
		if part := float64(g.mass[i] * float64(g.best[i])); part > 0 {
			if found = i; x <= part {
				break
			}
			x -= part
		}
	}
	return found
}

// gain is by how much the potential falls if a candidate of these distances is chosen.
func (g *among) gain(distance []float32) float64 {
	gain := 0.0
	best, mass := g.best[:len(distance)], g.mass[:len(distance)]
	for i, v := range distance {
		if v < best[i] {
			gain += float64(mass[i] * (float64(best[i]) - float64(v)))
		}
	}
	return gain
}

func (g *among) take(winner int) {
	first := len(g.chosen) == 0
	for i, v := range g.apart.from(winner) {
		if first || v < g.best[i] {
			g.best[i] = v
		}
	}
	g.chosen, g.taken[winner] = append(g.chosen, winner), true
	g.sum()
}
