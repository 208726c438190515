package kmeans

import (
	"fmt"
	"math"
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// SpanRows is the unit of work of a thread: its labels, distances and masks stay in the first-level cache.
const SpanRows = 2048

// tier is the instruction set in use, chosen once at start.
var tier atomic.Int32

func init() { tier.Store(int32(kernel.Best())) }

// Tiers names the instruction-set tiers that this machine has, best first.
func Tiers() []string {
	var names []string
	for _, t := range kernel.Available() {
		names = append(names, t.String())
	}
	return names
}

// Tier names the tier in use.
func Tier() string { return kernel.Tier(tier.Load()).String() }

// UseTier selects a tier by name; all give the same bits. It is meant for the start of a program and for tests.
func UseTier(name string) error {
	t, err := kernel.Parse(name)
	if err != nil {
		return fmt.Errorf("kernel %q: %w", name, err)
	}
	tier.Store(int32(t))
	return nil
}

// UseProcessors bounds the processors that are used between passes, where threads of passes stand still; 0: all. It is meant for
// the start of a program.
func UseProcessors(n int) { kernel.Processors.Store(int32(min(n, math.MaxInt32))) }

// Assigner finds nearest centroids. It is read-only after NewAssigner and shared by threads, each with a Scratch.
//
// The distance of a point x to a centroid c is, in float32, acc = fma(x−c, x−c, acc) over the columns in order;
// equal distances go to the lowest index.
type Assigner struct {
	k, d      int
	tier      kernel.Tier
	centroids *Centroids
	packing   sync.Once
	packed    kernel.Panel
	search    search
}

// search is an Assigner's filter, where one pays, and what gives the distances of what it finds.
type search struct {
	wanted bool
	once   sync.Once
	filter *kernel.Filter // nil: the rows have no grid
	own    kernel.Own
	gaveUp atomic.Bool
}

// NewAssigner takes centroids, which must not change, for the tier in use.
func NewAssigner(c *Centroids) *Assigner {
	a := newAssigner(c)
	a.search.wanted = a.tier.Filters() && searchPays(c.K, c.D)
	return a
}

// newAssigner is NewAssigner without a filter, for who has one of its own or wants every distance.
func newAssigner(c *Centroids) *Assigner {
	return &Assigner{k: c.K, d: c.D, tier: kernel.Tier(tier.Load()), centroids: c}
}

// panel is the packed centroids. The first thread that needs them packs them: a pass that looks at bytes may never do.
func (a *Assigner) panel() *kernel.Panel {
	a.packing.Do(func() { a.tier.Pack(&a.packed, a.centroids.Values, a.k, a.d) })
	return &a.packed
}

// Scratch is one thread's room for the results of a span.
type Scratch struct {
	best        [SpanRows]float32
	second      [SpanRows]float32
	index       [SpanRows]int32
	secondIndex [SpanRows]int32
	masks       [SpanRows / kernel.Lanes]uint16
	still       [SpanRows / kernel.Lanes]uint16
	rows        [SpanRows + kernel.ListPad]int32
	labels      [SpanRows]uint16
	survivors   survivors
	filter      kernel.FilterRoom
}

func (a *Assigner) nearest(p *Points, lo, hi int, s *Scratch) {
	blocks, padded := p.span(lo, hi)
	f := a.filter(p)
	if f == nil {
		a.panel().Nearest(blocks, s.best[:padded], s.index[:padded], 0, true)
		return
	}
	f.NearestSecond(blocks, s.best[:padded], s.second[:padded], s.index[:padded], &s.filter)
	if poor(f) {
		a.search.gaveUp.Store(true)
	}
	kernel.Label(a.tier, s.index[:padded], s.labels[:padded])
	a.search.own.Distances(blocks, s.labels[:padded], s.best[:padded])
}

// filter is the Assigner's filter, or nil if every distance is cheaper.
func (a *Assigner) filter(pts *Points) *kernel.Filter {
	s := &a.search
	if !s.wanted || s.gaveUp.Load() {
		return nil
	}
	s.once.Do(func() {
		c := a.centroids
		if int64(pts.n)*int64(c.K) < filterLeast {
			return
		}
		if sample := sampleOf(pts, c.K); sample != nil {
			s.filter = a.tier.NewFilter(sample.Grid(c.Values), a.panel, c.Values, c.K, c.D)
			a.tier.PackOwn(&s.own, c.Values, c.K, c.D)
		}
	})
	return s.filter
}

// Update labels rows [lo,hi) of p, at most SpanRows of them, lo a multiple of SpanRows, and gives every change of
// label to acc. With fresh, labels hold nothing yet and every row counts as moved from nowhere.
func (a *Assigner) Update(p *Points, lo, hi int, labels []uint16, fresh bool, acc *Accumulator, s *Scratch) {
	if fresh || (hi-lo)%(kernel.Lanes*kernel.BlockPair) != 0 { // labels of no row stand behind those of the last
		a.nearest(p, lo, hi, s)
		a.relabel(p, lo, hi, labels, fresh, acc, s)
		return
	}
	blocks, _ := p.span(lo, hi)
	if n := a.panel().Movers(blocks, s.best[:], s.index[:], labels[lo:hi], s.masks[:], s.rows[:]); n > 0 {
		acc.moveRows(a.tier, p, lo, s.rows[:n], labels[lo:hi], s.index[:])
	}
}

func (a *Assigner) relabel(p *Points, lo, hi int, labels []uint16, fresh bool, acc *Accumulator, s *Scratch) {
	if fresh {
		kernel.Label(a.tier, s.index[:hi-lo], labels[lo:hi])
		acc.add(a.tier, p, lo, hi, s.index[:])
		return
	}
	masks := s.masks[:(hi-lo+kernel.Lanes-1)/kernel.Lanes]
	if kernel.Changed(a.tier, labels[lo:hi], s.index[:], hi-lo, masks) == 0 {
		return
	}
	n := kernel.List(a.tier, masks, s.rows[:])
	acc.moveRows(a.tier, p, lo, s.rows[:n], labels[lo:hi], s.index[:])
}

// Score labels rows as Update does and also adds their squared distances, times their weights, to inertia.
func (a *Assigner) Score(p *Points, lo, hi int, labels []uint16, fresh bool, acc *Accumulator, inertia *exact.Bins, s *Scratch) {
	a.nearest(p, lo, hi, s)
	addInertia(p, lo, hi, s.best[:], inertia)
	a.relabel(p, lo, hi, labels, fresh, acc, s)
}

// Nearest gives, for rows [lo,hi) (bounds as for Update), the nearest centroid and the squared distance to it. The
// slices belong to the Scratch.
func (a *Assigner) Nearest(p *Points, lo, hi int, s *Scratch) (index []int32, distance []float32) {
	a.nearest(p, lo, hi, s)
	return s.index[:hi-lo], s.best[:hi-lo]
}

// TwoNearest is Nearest with the second nearest centroid beside it; with k = 1 its index is −1 and its distance
// +Inf.
func (a *Assigner) TwoNearest(p *Points, lo, hi int, s *Scratch) (index, second []int32, distance, secondDistance []float32) {
	blocks, padded := p.span(lo, hi)
	a.panel().TwoNearest(blocks, s.best[:padded], s.second[:padded], s.index[:padded], s.secondIndex[:padded])
	n := hi - lo
	return s.index[:n], s.secondIndex[:n], s.best[:n], s.second[:n]
}

// Arithmetic is the version of the definition of the numbers: Points, distance, sums, randomness. Programs of equal
// Arithmetic give equal bits; it changes when any of them does.
const Arithmetic = "2"
