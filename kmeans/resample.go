package kmeans

import (
	"cmp"
	"context"
	"errors"
	"math"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

const (
	// StabilityRows is how many rows Stability looks at, at most: what moves between resamples of so many is the clusters'
	// doing, and some dozens of fits of them take seconds.
	StabilityRows = 4000
	// StabilityFits is how many resamples are fitted for each k, each of four fifths of the rows; each pair of them is compared.
	StabilityFits = 6
	// ShapelessRows is how many rows each of ShapelessSets of Shapeless has, at most.
	ShapelessRows = 1000
	ShapelessSets = 3

	resampleStarts     = 3 // the best of them counts: else a poor start would pass for a clustering that is not stable
	resampleIterations = 100
	resampleTolerance  = 1e-4
)

// Purposes of the draws of resamples.
const (
	purposeStability uint32 = 0x737462 // + 1 for each resample
	purposeShapeless uint32 = 0x73686c // + 1 for each set
	purposeResample  uint32 = 0x72736d
)

// Resampling says how Stability and Shapeless fit.
type Resampling struct {
	Space   *Space // nil: Euclidean on the Points' grid
	Seed    uint64
	Threads int // at least 1; results do not depend on it
}

// Stability is, for each k, how alike the clusters of resamples are: the mean adjusted Rand index between the fits of pairs of
// them, on the rows that both have. 1 for k = 1, and 0 where there are too few rows for k. At most StabilityRows of
// the rows take part, chosen, as the resamples are, by their numbers. Weights do not count. The error is the context's.
func Stability(ctx context.Context, p *Points, ks []int, o Resampling) ([]float64, error) {
	p = p.some(StabilityRows, o.Seed)
	kept := make([][]int, StabilityFits)        // rows of each resample, ascending
	labels := make([][][]uint16, StabilityFits) // of those, by k
	err := each(ctx, o.Threads, StabilityFits, func(b int) error {
		for i := range p.n {
			if exact.Draw(o.Seed, purposeStability+1+uint32(b), 0, uint64(p.RowNumber(i))) < math.MaxUint64/5*4 {
				kept[b] = append(kept[b], i)
			}
		}
		sub, err := p.subset(kept[b])
		if err != nil {
			return err
		}
		labels[b] = make([][]uint16, len(ks))
		for n, k := range ks {
			if err := ctx.Err(); err != nil {
				return err
			}
			if k < 2 || k > sub.n {
				continue
			}
			fit, err := sub.quick(k, uint64(b), &o)
			if err != nil {
				return err
			}
			labels[b][n] = fit.Labels
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ks))
	for n, k := range ks {
		if out[n] = 1; k > 1 {
			out[n] = agreement(kept, labels, n, k)
		}
	}
	return out, ctx.Err()
}

// agreement is the mean adjusted Rand index of all pairs of resamples, of the n-th k.
func agreement(kept [][]int, labels [][][]uint16, n, k int) float64 {
	sum, pairs := 0.0, 0
	for a := range kept {
		for b := range a {
			la, lb := labels[a][n], labels[b][n]
			if la == nil || lb == nil {
				continue
			}
			ours, theirs := common(kept[a], la, kept[b], lb)
			sum += AdjustedRand(ours, theirs, k, k)
			pairs++
		}
	}
	return sum / float64(max(1, pairs))
}

// common are the labels of the rows that are in both lists, which ascend.
func common(a []int, la []uint16, b []int, lb []uint16) (ours, theirs []uint16) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			ours, theirs = append(ours, la[i]), append(theirs, lb[j])
			i++
			j++
		}
	}
	return ours, theirs
}

// Shapeless is, for each k, the silhouette that rows without any clusters would have: the mean over ShapelessSets, each of as
// many rows as p has, ShapelessRows at most, spread evenly over a box that has the rows' means, variances and
// covariances. It is what a silhouette is to be held against, in the manner of R. Tibshirani, G. Walther, T. Hastie,
// "Estimating the number of clusters in a data set via the gap statistic", 2001: k-means finds something everywhere. 0 for
// k = 1, and where there are too few rows for k. The error is the context's.
func Shapeless(ctx context.Context, p *Points, ks []int, o Resampling) ([]float64, error) {
	p = p.some(ShapelessRows, o.Seed)
	box := newBox(p)
	found := make([][]float64, ShapelessSets)
	err := each(ctx, o.Threads, ShapelessSets, func(set int) error {
		found[set] = make([]float64, len(ks))
		rows, err := PointsFromRows(box.draw(p.n, set, &o), p.n, p.d, nil)
		if err != nil {
			return err
		}
		own := o
		own.Space = &Space{Grid: rows.grid}
		if o.Space != nil {
			own.Space.Cosine, own.Space.Shift = o.Space.Cosine, o.Space.Shift
		}
		var of []Labelling
		for _, k := range ks {
			l := Labelling{K: 1, Labels: make([]uint16, rows.n)}
			if k > 1 && k < rows.n {
				fit, err := rows.quick(k, uint64(set), &own)
				if err != nil {
					return err
				}
				l = Labelling{K: k, Labels: fit.Labels}
			}
			of = append(of, l)
		}
		silhouettes, err := Silhouettes(ctx, rows, of, 1)
		for i, s := range silhouettes {
			found[set][i] = s.Mean
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	out := make([]float64, len(ks))
	for i := range out {
		for set := range found {
			out[i] += found[set][i]
		}
		out[i] /= ShapelessSets
	}
	return out, nil
}

// each calls do for 0 … n−1, on so many threads, until one fails or the context ends.
func each(ctx context.Context, threads, n int, do func(int) error) error {
	errs := make([]error, n)
	seats := make(chan struct{}, max(1, threads))
	var wait sync.WaitGroup
	for i := range n {
		seats <- struct{}{}
		wait.Go(func() {
			defer func() { <-seats }()
			if errs[i] = ctx.Err(); errs[i] == nil {
				errs[i] = do(i)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// quick fits k clusters: the best of resampleStarts starts by greedy k-means++.
func (p *Points) quick(k int, stream uint64, o *Resampling) (*Result, error) {
	var best *Result
	for start := range resampleStarts {
		seed := exact.Draw(o.Seed, purposeResample+uint32(start), uint32(k), stream)
		fit, err := Lloyd(p, p.spreadOut(k, seed), Options{MaxIterations: resampleIterations, Tolerance: resampleTolerance, Space: o.Space})
		if err != nil {
			return nil, err
		}
		if best == nil || fit.Inertia < best.Inertia {
			best = fit
		}
	}
	return best, nil
}

// spreadOut are k of the rows, by greedy k-means++.
func (p *Points) spreadOut(k int, seed uint64) *Centroids {
	c := NewCentroids(p.n, p.d)
	masses := make([]uint64, p.n)
	for i := range masses {
		p.At(i, c.Row(i))
		masses[i] = 1
	}
	apart := &apart{points: p, c: c, tier: kernel.Tier(tier.Load()), row: make([]float32, len(p.blocks)/p.d)}
	g := newAmongThese(apart, &SeedTask{Seed: seed, Candidates: c, Masses: masses, K: k})
	for range k {
		g.add()
	}
	start := NewCentroids(k, p.d)
	for j, i := range g.chosen {
		copy(start.Row(j), c.Row(i))
	}
	return start
}

// some are at most n of the rows, all alike in what chance they have, in their order and without weights.
func (p *Points) some(n int, seed uint64) *Points {
	if p.n <= n {
		return p
	}
	type drawn struct {
		key uint64
		at  int
	}
	rows := make([]drawn, p.n)
	for i := range rows {
		rows[i] = drawn{exact.Draw(seed, purposeStability, 0, uint64(p.RowNumber(i))), i}
	}
	slices.SortFunc(rows, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.at, b.at)) })
	list := make([]int, n)
	for i := range list {
		list[i] = rows[i].at
	}
	slices.Sort(list)
	some, err := p.subset(list)
	if err != nil {
		panic("kmeans: rows of Points do not fit Points: " + err.Error()) // there are fewer of them
	}
	return some
}

// subset are the rows of a list, without weights.
func (p *Points) subset(list []int) (*Points, error) {
	rows := make([]Drawn, len(list))
	for n, i := range list {
		rows[n] = Drawn{Row: p.RowNumber(i), Point: p.At(i, make([]float32, p.d))}
	}
	return PointsOf(rows, p.d, p.grid)
}

// LabelsOf are the nearest centroids of all rows.
func LabelsOf(p *Points, c *Centroids) []uint16 {
	labels, assigner, scratch := make([]uint16, p.n), NewAssigner(c), new(Scratch)
	for lo := 0; lo < p.n; lo += SpanRows {
		index, _ := assigner.Nearest(p, lo, min(lo+SpanRows, p.n), scratch)
		for i, j := range index {
			labels[lo+i] = uint16(j)
		}
	}
	return labels
}

// PointsOf makes Points of drawn rows, on the grid that they come from. The error is ErrShape.
func PointsOf(rows []Drawn, d int, grid []int) (*Points, error) {
	first := int64(0)
	if len(rows) > 0 {
		first = rows[0].Row
	}
	p, err := NewPoints(len(rows), d, first, grid)
	if err != nil {
		return nil, err
	}
	columns := make([][]float32, d)
	for t := range columns {
		columns[t] = make([]float32, 1)
	}
	for _, r := range rows {
		if len(r.Point) != d {
			return nil, ErrShape
		}
		for t, v := range r.Point {
			columns[t][0] = v
		}
		if err := p.Append(columns, 1, r.Row, nil, nil); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// box is even chances over a parallelepiped: mean + lower·u, where u is even in a cube of variance 1.
type box struct {
	d     int
	mean  []float64
	lower []float64 // d×d, row-major: the Cholesky factor of the covariances
}

func newBox(p *Points) *box {
	b := &box{d: p.d, mean: make([]float64, p.d), lower: make([]float64, p.d*p.d)}
	row, off := make([]float32, p.d), make([]float64, p.d)
	n := float64(max(1, p.n))
	for i := range p.n {
		for t, v := range p.At(i, row) {
			b.mean[t] += float64(v)
		}
	}
	for t := range b.mean {
		b.mean[t] /= n
	}
	for i := range p.n {
		for t, v := range p.At(i, row) {
			off[t] = float64(v) - b.mean[t]
		}
		for t, x := range off {
			for u, y := range off[:t+1] {
				b.lower[t*b.d+u] += float64(x * y)
			}
		}
	}
	for i := range b.lower {
		b.lower[i] /= n
	}
	b.factor()
	return b
}

// factor turns the covariances into their Cholesky factor, row by row. A column that others give, up to rounding, gets none
// of its own.
func (b *box) factor() {
	const rest = 1e-9 // of a variance: what rounding leaves of nothing
	for t := range b.d {
		row := b.lower[t*b.d:][:t+1]
		variance := row[t]
		for u := range t {
			other := b.lower[u*b.d:][:u+1]
			v := row[u]
			for w := range u {
				v -= float64(row[w] * other[w])
			}
			if row[u] = 0; other[u] > 0 {
				row[u] = v / other[u]
			}
		}
		left := variance
		for u := range t {
			left -= float64(row[u] * row[u])
		}
		if row[t] = 0; left > variance*rest {
			row[t] = math.Sqrt(left)
		}
	}
}

// draw makes n rows, row-major.
func (b *box) draw(n, set int, o *Resampling) []float32 {
	values := make([]float32, 0, n*b.d)
	even, row := make([]float64, b.d), make([]float64, b.d)
	largest := math.Sqrt(math.MaxFloat32/float64(b.d)) / 4 // of a value whose squared distances do not overflow
	for i := range n {
		for t := range even {
			u := float64(exact.Unit(exact.Draw(o.Seed, purposeShapeless+1+uint32(set), uint32(t), uint64(i))))
			even[t] = (u - 0.5) * math.Sqrt(12)
		}
		for t := range row {
			row[t] = b.mean[t]
			for u, v := range b.lower[t*b.d:][:t+1] {
				row[t] += float64(v * even[u])
			}
		}
		if o.Space != nil && o.Space.Cosine {
			toSphere(row, o.Space.Shift)
		}
		for _, v := range row {
			values = append(values, float32(min(max(v, -largest), largest)))
		}
	}
	return values
}

// toSphere brings a row, shift added, to length one.
func toSphere(row, shift []float64) {
	norm := 0.0
	for t := range row {
		row[t] += shift[t]
		norm += float64(row[t] * row[t])
	}
	norm = math.Sqrt(norm)
	for t := range row {
		if norm > 0 {
			row[t] /= norm
		}
		row[t] -= shift[t]
	}
}
