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
}

// filterTrial is how many rows a filter is tried on, and filterPoor the share of the arithmetic of full passes that it may
// leave to float32: with the bytes it takes as long then.
const (
	filterTrial = 4096
	filterPoor  = 0.6
)

// filter is the pass's filter, or nil where rows are better compared in float32 at once. pts are some of its rows.
func (p *Pass) filter(pts *Points) *kernel.Filter {
	s := &p.sieve
	if !s.wanted || s.gaveUp.Load() {
		return nil
	}
	s.once.Do(func() { s.filter = p.makeFilter(pts) })
	if s.filter == nil {
		s.gaveUp.Store(true)
	}
	return s.filter
}

func (p *Pass) makeFilter(pts *Points) *kernel.Filter {
	t := p.tracker
	if t.sampled < kernel.SampleRows { // no rows so far, or those of Points that had few
		t.sample, t.sampled = sampleOf(pts), min(pts.n, kernel.SampleRows)
	}
	if t.sample == nil {
		return nil
	}
	return kernel.NewFilter(t.sample.Grid(t.last.Values), &p.panel, t.last.Values)
}

// sampleOf takes rows of pts at equal distances.
func sampleOf(pts *Points) *kernel.Sample {
	n := min(pts.n, kernel.SampleRows)
	rows := make([]float32, n*pts.d)
	for i := range n {
		pts.At(int(int64(i)*int64(pts.n)/int64(n)), rows[i*pts.d:(i+1)*pts.d])
	}
	return kernel.NewSample(rows, pts.d)
}

// twoNearest finds the nearest centroids of whole blocks of rows, and bounds of the distances of the nearest and of all others,
// by the filter if there is one. Without, the bounds are the distances.
func (p *Pass) twoNearest(f *kernel.Filter, blocks, best, second []float32, index []int32, s *Scratch) {
	if f == nil {
		p.panel.NearestSecond(blocks, best, second, index)
		return
	}
	f.NearestSecond(blocks, best, second, index, &s.filter)
	if rows, work := f.Work(); rows >= filterTrial && work > filterPoor && !p.sieve.forced {
		p.sieve.gaveUp.Store(true)
	}
}
