package kmeans

import (
	"cmp"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Far is a row with its squared distance to the centroid it is assigned to.
type Far struct {
	Distance float32
	Row      int64
	Cluster  int
	Weight   uint64
	Point    []float32
}

// compareFar orders the farthest first, then by the Point's bits, then the heaviest, then by row number: of rows with
// equal Points the number may decide only where it makes no difference to any sum.
func compareFar(a, b Far) int {
	return cmp.Or(cmp.Compare(b.Distance, a.Distance), compareBits(a.Point, b.Point), cmp.Compare(b.Weight, a.Weight),
		cmp.Compare(a.Row, b.Row))
}

func compareBits(a, b []float32) int {
	return slices.CompareFunc(a, b, func(x, y float32) int {
		return cmp.Compare(math.Float32bits(x), math.Float32bits(y))
	})
}

// Farthest keeps the `limit` farthest distinct Points of positive weight; of equal Points the heaviest, and of
// those the one with the lowest row number. Merging gives the same list in any order.
type Farthest struct {
	limit int
	rows  []Far // sorted by compareFar after compact
}

// NewFarthest keeps up to limit rows.
func NewFarthest(limit int) *Farthest { return &Farthest{limit: limit} }

// Rows are the farthest rows, the farthest first.
func (f *Farthest) Rows() []Far {
	f.compact()
	return f.rows
}

// Merge takes o's rows.
func (f *Farthest) Merge(o *Farthest) {
	f.rows = append(f.rows, o.rows...)
	f.compact()
}

func (f *Farthest) compact() {
	slices.SortFunc(f.rows, compareFar)
	f.rows = slices.CompactFunc(f.rows, func(a, b Far) bool {
		return a.Distance == b.Distance && compareBits(a.Point, b.Point) == 0
	})
	if len(f.rows) > f.limit {
		clear(f.rows[f.limit:])
		f.rows = f.rows[:f.limit]
	}
}

// worst is the smallest distance that can still enter.
func (f *Farthest) worst() float32 {
	if len(f.rows) < f.limit {
		return 0
	}
	return f.rows[f.limit-1].Distance
}

// Farthest offers rows [lo,hi) of p (bounds as for Update) to f.
func (a *Assigner) Farthest(p *Points, lo, hi int, f *Farthest, s *Scratch) {
	a.nearest(p, lo, hi, s)
	f.offer(p, lo, hi, s.best[:], func(i int) int { return int(s.index[i-lo]) })
}

// Labelled knows the centroids of the last pass, which the labels of its Tracks belong to.
type Labelled struct{ own kernel.Own }

// Labelled gives what finds the distances of rows from the centroids of their labels, without looking at the others; nil
// where the last pass was to other centroids than c.
func (t *Tracker) Labelled(c *Centroids) *Labelled {
	if t.last == nil || !t.last.Equal(c) {
		return nil
	}
	l := new(Labelled)
	kernel.Tier(tier.Load()).PackOwn(&l.own, c.Values, c.K, c.D)
	return l
}

// Nearest is that of an Assigner, from labels that are known: the same numbers, to the bit.
func (l *Labelled) Nearest(p *Points, lo, hi int, t *Track, s *Scratch) (index []int32, distance []float32) {
	blocks, _ := p.span(lo, hi)
	l.own.Distances(blocks, t.Labels[lo:hi], s.best[:])
	for i, label := range t.Labels[lo:hi] {
		s.index[i] = int32(label)
	}
	return s.index[:hi-lo], s.best[:hi-lo]
}

// Farthest is that of an Assigner, from labels that are known: the same rows, to the bit.
func (l *Labelled) Farthest(p *Points, lo, hi int, t *Track, f *Farthest, s *Scratch) {
	blocks, _ := p.span(lo, hi)
	l.own.Distances(blocks, t.Labels[lo:hi], s.best[:])
	f.offer(p, lo, hi, s.best[:], func(i int) int { return int(t.Labels[i]) })
}

// offer takes those of rows [lo,hi) that are far enough, whose squared distances are given from row lo on.
func (f *Farthest) offer(p *Points, lo, hi int, squared []float32, cluster func(i int) int) {
	worst := f.worst()
	for i := lo; i < hi; i++ {
		d := squared[i-lo]
		if d == 0 || d < worst || p.Weight(i) == 0 {
			continue
		}
		f.rows = append(f.rows, Far{Distance: d, Row: p.RowNumber(i), Cluster: cluster(i),
			Weight: p.Weight(i), Point: p.At(i, make([]float32, p.d))})
		if len(f.rows) >= 2*f.limit+64 {
			f.compact()
			worst = f.worst()
		}
	}
	f.compact()
}

// Refill gives each cluster without weight one of the farthest rows, in order, and takes the row out of its donor.
// A donor keeps some weight. It returns how many clusters were filled; the rest stay as they are.
func (s *Sums) Refill(far []Far, grid []int) int {
	filled := 0
	next := 0
	for _, j := range s.Empty() {
		for next < len(far) && s.Weight(far[next].Cluster).Cmp(exact.FromInt64(int64(far[next].Weight))) <= 0 {
			next++
		}
		if next == len(far) {
			break
		}
		s.transfer(far[next], j, grid)
		next++
		filled++
	}
	return filled
}

func (s *Sums) transfer(row Far, to int, grid []int) {
	from := row.Cluster
	s.Counts[from]--
	s.Counts[to]++
	w := int64(1)
	if s.Weights != nil {
		w = int64(row.Weight)
		s.Weights[from] = s.Weights[from].Sub(exact.FromInt64(w))
		s.Weights[to] = s.Weights[to].Add(exact.FromInt64(w))
	}
	for t, x := range row.Point {
		v := exact.MulInt64(w, exact.GridInt(x, grid[t]))
		s.Values[from*s.D+t] = s.Values[from*s.D+t].Sub(v)
		s.Values[to*s.D+t] = s.Values[to*s.D+t].Add(v)
	}
}
