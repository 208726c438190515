package kmeans

import (
	"sync"
	"sync/atomic"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// sieve is a pass's filter: made by the thread that first needs it, and given up where it proves too little.
type sieve struct {
	wanted, forced bool
	once           sync.Once
	filter         *kernel.Filter // nil: these rows have no grid
	gaveUp         atomic.Bool
	// The centroids that have moved since the pass before, where they are few: rows whose own is not among them are compared
	// with these alone.
	moves   []bool // by centroid; nil: many have moved
	numbers []int32
	few     *kernel.Filter
}

// challengerColumns is from how many columns on challengers are worth it, and challengersShare up to which share of the
// centroids, one in so many, counts as few: the margins of rows that are compared with these alone stay used up, which costs
// more where a row has few columns.
const challengerColumns = 64

func challengersShare(d int) int {
	if d < 256 {
		return 20
	}
	return 3
}

// filterTrial is how many rows a filter is tried on, and filterPoor the share of the arithmetic of full passes that it may
// leave to float32: with the integers it takes as long then.
const (
	filterTrial = 512
	filterPoor  = 0.6
)

// filterLeast is how many distances a pass needs to be worth the laying out of a grid. Tests take fewer.
var filterLeast int64 = 2 << 20

// poor says that a filter leaves too much.
func poor(f *kernel.Filter) bool {
	rows, work := f.Work()
	return rows >= filterTrial && work > filterPoor
}

// sifter is the pass's filter, or nil where rows are better compared in float32 at once. pts are some of its rows.
func (p *Pass) sifter(pts *Points) *kernel.Filter {
	s := &p.sieve
	if !s.wanted || s.gaveUp.Load() {
		return nil
	}
	s.once.Do(func() {
		if s.forced || p.rows.Load()*int64(p.k) >= filterLeast {
			s.filter = p.makeFilter(pts)
		}
	})
	if s.filter == nil {
		s.gaveUp.Store(true)
	}
	return s.filter
}

func (p *Pass) makeFilter(pts *Points) *kernel.Filter {
	t := p.tracker
	if t.sampled < kernel.SampleRows { // no rows so far, or those of Points that had few
		t.sample, t.sampled = sampleOf(pts, t.k), min(pts.n, kernel.SampleRows)
	}
	if t.sample == nil {
		return nil
	}
	grid := t.sample.Grid(t.last.Values)
	if len(p.sieve.numbers) > 0 {
		p.sieve.few = p.tier.NewChallengers(grid, p.panel, t.last.Values, p.sieve.numbers, p.d)
	}
	return p.tier.NewFilter(grid, p.panel, t.last.Values, p.k, p.d)
}

// findMoves lists the centroids that have moved, for a pass with margins.
func (p *Pass) findMoves() {
	t := p.tracker
	count := 0
	for _, at := range t.changed {
		if at == t.pass {
			count++
		}
	}
	if count == 0 || t.d < challengerColumns || kernel.Words(t.k, t.d) || count*challengersShare(t.d) > t.k {
		return
	}
	p.sieve.moves = make([]bool, t.k)
	for j, at := range t.changed {
		if at == t.pass {
			p.sieve.moves[j] = true
			p.sieve.numbers = append(p.sieve.numbers, int32(j))
		}
	}
}

// challengers is the filter of the centroids that have moved, or nil if they are many or filters of no use.
func (p *Pass) challengers(pts *Points) *kernel.Filter {
	if p.sieve.moves == nil || p.sifter(pts) == nil {
		return nil
	}
	return p.sieve.few
}

// FilterBytes is the memory that filters of k centroids of d columns take on so many threads, at most.
func FilterBytes(k, d, threads int) int64 {
	if !filterPays(k, d) {
		return 0
	}
	own := 4 * int64(k+kernel.Lanes) * int64(d) // see search
	return kernel.FilterBytes(k, d) + own + int64(threads)*kernel.FilterRoomBytes(k, d)
}

// sampleOf takes rows of pts at equal distances, for filters of k centroids.
func sampleOf(pts *Points, k int) *kernel.Sample {
	n := min(pts.n, kernel.SampleRows)
	rows := make([]float32, n*pts.d)
	for i := range n {
		pts.At(int(int64(i)*int64(pts.n)/int64(n)), rows[i*pts.d:(i+1)*pts.d])
	}
	return kernel.NewSample(rows, pts.d, kernel.Words(k, pts.d))
}

// twoNearest finds the nearest centroids of whole blocks of rows, and bounds of the distances of the nearest and of all others,
// by the filter if there is one. Without, the bounds are the distances.
func (p *Pass) twoNearest(f *kernel.Filter, blocks, best, second []float32, index []int32, s *Scratch) {
	if f == nil {
		p.panel().NearestSecond(blocks, best, second, index)
		return
	}
	f.NearestSecond(blocks, best, second, index, &s.filter)
	if poor(f) && !p.sieve.forced {
		p.sieve.gaveUp.Store(true)
	}
}
