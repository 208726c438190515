package kmeans

import (
	"context"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// CalinskiHarabasz is how far clusters lie apart for their width: the variance between them over that within them, each
// divided by its degrees of freedom (T. Caliński, J. Harabasz, "A dendrite method for cluster analysis", 1974). Higher is
// better. s is an assignment to the centroids c and inertia its sum of weight × squared distance, in fixed-point weight
// units. Distances are Euclidean in the space of the Points. It is 0 where there is nothing to compare: one cluster, or as
// many as rows; and 1 where no row lies off its cluster's mean, as scikit-learn has it.
func CalinskiHarabasz(s *Sums, c *Centroids, inertia float64, grid []int) float64 {
	var rows int64
	total := NewSums(1, s.D, true)
	for j := range s.K {
		rows += s.Counts[j]
		total.Weights[0] = total.Weights[0].Add(s.Weight(j))
		for t := range s.D {
			total.Values[t] = total.Values[t].Add(s.Values[j*s.D+t])
		}
	}
	if s.K < 2 || rows <= int64(s.K) {
		return 0
	}
	between, within := 0.0, inertia
	all := total.Weights[0].Float64(0)
	for j := range s.K {
		weight := s.Weight(j).Float64(0)
		if weight == 0 {
			continue
		}
		for t, v := range c.Row(j) {
			mean := s.Values[j*s.D+t].Float64(grid[t]) / weight
			apart, off := mean-total.Values[t].Float64(grid[t])/all, mean-float64(v)
			between += float64(weight * float64(apart*apart))
			within -= float64(weight * float64(off*off)) // the mean is nearer to the rows than any other point
		}
	}
	if within <= 0 {
		return 1
	}
	return float64(between/float64(s.K-1)) / float64(within/float64(rows-int64(s.K)))
}

// DaviesBouldin is how much each cluster runs into the one most like it: the mean over the clusters of the largest
// (width + other's width) / distance of the centroids, a width being the mean distance of the rows to their centroid
// (D. Davies, D. Bouldin, "A cluster separation measure", 1979). Lower is better. spread is Σ weight × distance by cluster, of
// the assignment s to c. Distances are Euclidean in the space of the Points. It is 0 for one cluster.
func DaviesBouldin(s *Sums, c *Centroids, spread []exact.Bins) float64 {
	width := make([]float64, s.K)
	used := 0
	for j := range width {
		width[j] = -1
		if weight := s.Weight(j).Float64(0); weight > 0 {
			width[j] = spread[j].Float64(0) / weight
			used++
		}
	}
	sum := 0.0
	for i := range width {
		most := 0.0
		for j := range width {
			if i == j || width[i] < 0 || width[j] < 0 {
				continue
			}
			if apart := math.Sqrt(squaredApart(c.Row(i), c.Row(j))); apart > 0 {
				most = max(most, (width[i]+width[j])/apart)
			}
		}
		sum += most
	}
	return sum / float64(max(used, 1))
}

// squaredApart is the squared distance of two points, in float64 and in the order of the columns.
func squaredApart(a, b []float32) float64 {
	sum := 0.0
	for t, v := range a {
		diff := float64(v) - float64(b[t])
		sum += float64(diff * diff)
	}
	return sum
}

// AdjustedRand is how alike two labellings of the same rows are: the share of pairs of rows that both treat alike, brought
// to 1 for the same clusters and 0 for what chance gives (L. Hubert, P. Arabie, "Comparing partitions", 1985). Labels are
// below ka and kb.
func AdjustedRand(a, b []uint16, ka, kb int) float64 {
	both, inA, inB := make([]int64, ka*kb), make([]int64, ka), make([]int64, kb)
	for i, l := range a {
		both[int(l)*kb+int(b[i])]++
		inA[l]++
		inB[b[i]]++
	}
	pairs := func(counts []int64) float64 {
		var sum int64
		for _, n := range counts {
			sum += n * (n - 1) / 2
		}
		return float64(sum)
	}
	n := int64(len(a))
	together, pa, pb, all := pairs(both), pairs(inA), pairs(inB), float64(n*(n-1)/2)
	if all == 0 {
		return 1
	}
	expected, most := float64(pa*pb)/all, float64((pa+pb)/2)
	if most == expected {
		return 1 // both have all rows in one cluster, or each in its own
	}
	return (together - expected) / (most - expected)
}

// Labelling is labels of Points for Silhouettes.
type Labelling struct {
	K      int
	Labels []uint16 // by row, below K
	// Sizes are the rows of each cluster in the whole that the Points are a sample of; nil: the Points are the whole.
	Sizes []int64
}

// Silhouette is the mean silhouette of a labelling.
type Silhouette struct {
	Mean  float64
	Error float64 // standard error; 0 where all rows were looked at
}

// Silhouettes measures labellings of the same Points: the mean over the rows of (b − a) / max(a, b), where a is the mean
// distance to the others of the row's cluster and b the least mean distance to another cluster (P. Rousseeuw, "Silhouettes",
// 1987); 0 for a row that is alone, and where there is one cluster. Distances are Euclidean in the space of the Points, and
// every row counts once, whatever it weighs.
//
// Of a sample, rows are compared with those of the sample, and the clusters weigh as they do in the whole (stratified
// afterwards); a cluster that the sample lacks is left out. The error is by the jackknife that leaves out one group of rows
// at a time, of sampleGroups, also of those that others are compared with (J. Shao, D. Tu, "The Jackknife and Bootstrap",
// 1995).
//
// It takes n² distances, which are made row by row and shared by the labellings: memory is that of n numbers for each of
// them. They are added as integers, so that the bits depend neither on threads nor on what else is measured. The error is
// the context's.
func Silhouettes(ctx context.Context, p *Points, of []Labelling, threads int) ([]Silhouette, error) {
	c := newCells(p, of)
	ordered := make([]*members, len(of))
	for i := range of {
		ordered[i] = newMembers(&of[i], c)
	}
	var next atomic.Int64
	var wait sync.WaitGroup
	walkers := make([]*walker, max(1, threads))
	for t := range walkers {
		wait.Go(func() {
			w := c.walker(ordered)
			walkers[t] = w
			for i := int(next.Add(1)) - 1; i < p.n && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				w.distances(p, i)
				for n, m := range ordered {
					m.values[i] = m.silhouette(i, w)
					if m.Sizes != nil {
						m.leaveOut(i, w, w.left[n])
					}
				}
			}
		})
	}
	wait.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	out := make([]Silhouette, len(of))
	for n, m := range ordered {
		left := make([]int64, len(walkers[0].left[n]))
		for _, w := range walkers {
			for at, v := range w.left[n] {
				left[at] += v
			}
		}
		out[n] = m.mean(left)
	}
	return out, nil
}

// cells are rows brought together that all labellings treat alike. There are far fewer of them than rows: clusters of many k
// are much the same ones cut further. So distances are added up by cell, once, and then the cells by cluster.
// Those of a sample are cut by group too.
type cells struct {
	points *Points // by cell
	rows   []int   // of the caller's Points, in that order
	first  []int   // where each cell begins; one more
	unit   float64 // distances times it are integers, whose sums are less than 2^63
	most   int     // clusters of a labelling
	groups int     // 1 where no labelling is of a sample
}

// sampleGroups is how many groups of rows a sample has for its error, which they tell to about a sixth.
const sampleGroups = 20

// group is the group of row i of a sample.
func (c *cells) group(i int) int { return i % c.groups }

// distanceBits is how many bits the longest distance has as an integer: MaxPoints of them fit 63 bits.
const distanceBits = 39

func newCells(p *Points, of []Labelling) *cells {
	c := &cells{rows: make([]int, p.n), unit: math.Ldexp(1, distanceBits-p.span2()), groups: 1}
	for i := range c.rows {
		c.rows[i] = i
	}
	for l := range of {
		if c.most = max(c.most, of[l].K); of[l].Sizes != nil {
			c.groups = sampleGroups
		}
	}
	compare := func(a, b int) int {
		for l := range of {
			if x, y := of[l].Labels[a], of[l].Labels[b]; x != y {
				return int(x) - int(y)
			}
		}
		return c.group(a) - c.group(b)
	}
	slices.SortStableFunc(c.rows, compare)
	for n, i := range c.rows {
		if n == 0 || compare(c.rows[n-1], i) != 0 {
			c.first = append(c.first, n)
		}
	}
	c.first = append(c.first, p.n)
	var err error
	if c.points, err = p.subset(c.rows); err != nil {
		panic("kmeans: rows of Points do not fit Points: " + err.Error()) // there are as many of them
	}
	return c
}

// span2 is an exponent of two that no distance between rows reaches.
func (p *Points) span2() int {
	row, low, high := make([]float32, p.d), make([]float32, p.d), make([]float32, p.d)
	for i := range p.n {
		for t, v := range p.At(i, row) {
			if i == 0 {
				low[t], high[t] = v, v
			}
			low[t], high[t] = min(low[t], v), max(high[t], v)
		}
	}
	sum := 0.0
	for t := range low {
		side := float64(high[t]) - float64(low[t])
		sum += float64(side * side)
	}
	_, exponent := math.Frexp(math.Sqrt(sum) * 1.01) // distances are rounded
	return exponent
}

// walker is one thread's room.
type walker struct {
	*cells
	row      []float32
	squared  []float32
	sums     []int64   // Σ distance by cell
	clusters []int64   // room for those of a labelling
	parts    []int64   // room for those of each group
	sizes    []int     // room for the sizes without a group
	left     [][]int64 // by labelling of a sample: what leaveOut adds up
}

func (c *cells) walker(of []*members) *walker {
	w := &walker{cells: c, row: make([]float32, c.points.d), squared: make([]float32, len(c.points.blocks)/c.points.d),
		sums: make([]int64, len(c.first)-1), clusters: make([]int64, c.most), parts: make([]int64, c.most*c.groups),
		sizes: make([]int, c.most), left: make([][]int64, len(of))}
	for n, m := range of {
		if m.Sizes != nil {
			w.left[n] = make([]int64, m.K*c.groups)
		}
	}
	return w
}

// distances adds up the distances from row i of p.
func (w *walker) distances(p *Points, i int) {
	kernel.Distances(kernel.Tier(tier.Load()), w.points.blocks, p.At(i, w.row), w.squared)
	for n := range w.sums {
		sum := int64(0)
		for _, v := range w.squared[w.first[n]:w.first[n+1]] {
			root := float32(math.Sqrt(float64(v)))
			sum += int64(float64(root) * w.unit)
		}
		w.sums[n] = sum
	}
}

// members are the clusters of a labelling, and the rows' silhouettes.
type members struct {
	*Labelling
	sizes   []int    // rows by cluster
	grouped []int    // of a sample: rows by group and cluster
	cells   []uint16 // by cell: its cluster
	places  []int32  // of a sample, by cell: where it is in grouped
	values  []float64
}

func newMembers(l *Labelling, c *cells) *members {
	m := &members{Labelling: l, sizes: make([]int, l.K), grouped: make([]int, c.groups*l.K), cells: make([]uint16, len(c.first)-1),
		places: make([]int32, len(c.first)-1), values: make([]float64, len(l.Labels))}
	for i, j := range l.Labels {
		m.sizes[j]++
		m.grouped[c.group(i)*l.K+int(j)]++
	}
	for n := range m.cells {
		i := c.rows[c.first[n]]
		m.cells[n], m.places[n] = l.Labels[i], int32(c.group(i)*l.K)+int32(l.Labels[i])
	}
	return m
}

// silhouette is that of row i, whose distances are added up.
func (m *members) silhouette(i int, w *walker) float64 {
	sums := w.clusters[:m.K]
	clear(sums)
	if m.Sizes == nil {
		for n, j := range m.cells {
			sums[j] += w.sums[n]
		}
		return silhouetteOf(int(m.Labels[i]), sums, m.sizes)
	}
	parts := w.parts[:len(m.grouped)]
	clear(parts)
	for n, at := range m.places {
		parts[at] += w.sums[n]
	}
	for first := 0; first < len(parts); first += m.K {
		for j, v := range parts[first : first+m.K] {
			sums[j] += v
		}
	}
	return silhouetteOf(int(m.Labels[i]), sums, m.sizes)
}

// silhouetteOf is that of a row of a cluster, of the sums of its distances to the rows of each cluster.
func silhouetteOf(own int, sums []int64, sizes []int) float64 {
	if sizes[own] < 2 {
		return 0
	}
	a, b := float64(sums[own])/float64(sizes[own]-1), math.Inf(1)
	for j, n := range sizes {
		if n > 0 && j != own {
			b = min(b, float64(sums[j])/float64(n))
		}
	}
	if larger := max(a, b); larger > 0 && !math.IsInf(b, 1) {
		return (b - a) / larger
	}
	return 0
}

// leftUnit makes integers of silhouettes, whose sums over rows then do not depend on the order.
const leftUnit = 1 << 36

// leaveOut adds up, by group and cluster, the silhouettes that row i has without each of the groups but its own. It comes
// after silhouette, whose sums it starts from.
func (m *members) leaveOut(i int, w *walker, left []int64) {
	parts := w.parts[:len(m.grouped)]
	sums, sizes, own := w.clusters[:m.K], w.sizes[:m.K], int(m.Labels[i])
	for g := range w.groups {
		if g == w.group(i) {
			continue
		}
		part, grouped := parts[g*m.K:][:m.K], m.grouped[g*m.K:][:m.K]
		for j := range sums {
			sums[j] -= part[j]
			sizes[j] = m.sizes[j] - grouped[j]
		}
		left[g*m.K+own] += int64(silhouetteOf(own, sums, sizes) * leftUnit)
		for j := range sums {
			sums[j] += part[j]
		}
	}
}

// mean brings the rows' silhouettes together. left is what leaveOut has added up, of a sample.
func (m *members) mean(left []int64) Silhouette {
	sums := make([]float64, m.K)
	for i, j := range m.Labels {
		sums[j] += m.values[i]
	}
	if m.Sizes == nil {
		sum := 0.0
		for _, v := range sums {
			sum += v
		}
		return Silhouette{Mean: sum / float64(max(1, len(m.values)))}
	}
	out := Silhouette{Mean: m.weighted(sums, m.sizes)}
	var without []float64
	for first := 0; first < len(left); first += m.K {
		rest, drawn := make([]int, m.K), 0
		for j, n := range m.grouped[first : first+m.K] {
			sums[j], rest[j] = float64(left[first+j])/leftUnit, m.sizes[j]-n
			drawn += n
		}
		if drawn > 0 {
			without = append(without, m.weighted(sums, rest))
		}
	}
	out.Error = m.jackknife(without)
	return out
}

// weighted is the mean of the clusters' means, which are sums over so many rows, by the clusters' shares of the whole.
func (m *members) weighted(sums []float64, rows []int) float64 {
	whole, mean := 0.0, 0.0
	for j, n := range m.Sizes {
		if rows[j] > 0 {
			whole += float64(n)
		}
	}
	for j, n := range m.Sizes {
		if rows[j] > 0 && whole > 0 {
			mean += float64(float64(n) / whole * float64(sums[j]/float64(rows[j])))
		}
	}
	return mean
}

// jackknife is the standard error of the mean of which these are without a group each. The rows that were drawn are not drawn
// again: of most of the whole, less is left to chance.
func (m *members) jackknife(without []float64) float64 {
	groups := float64(len(without))
	if groups < 2 {
		return 1 // so few rows say nothing
	}
	mean, squares, whole := 0.0, 0.0, 0.0
	for _, v := range without {
		mean += v / groups
	}
	for _, v := range without {
		off := v - mean
		squares += float64(off * off)
	}
	for _, n := range m.Sizes {
		whole += float64(n)
	}
	left := max(0, 1-float64(len(m.Labels))/max(1, whole))
	return math.Sqrt(float64(squares*left) * float64((groups-1)/groups))
}
