package kmeans

import (
	"math"
	"math/bits"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Equal rows have equal labels, so that a pass may compute one of them and count it as many times. Tables of ages, regions
// and plans consist of little else.

const (
	// foldShare is how many equal rows there must be on average for folding to pay.
	foldShare = 4
	// foldWork is the arithmetic of a row, k·d, below which a fit is over before the folding has been paid for: to look
	// a row up takes about as long as that many multiply-adds in twenty passes.
	foldWork = 128
	// foldPairs is how many equal pairs a look at rows expects to find where there are just enough of them.
	foldPairs = 16
	// foldMost is the most bytes that folded Points take for a row of those that they were made of.
	foldMost = 8
)

// FoldBytes is the most memory that folded Points of d columns take for a row of the Points that they were made of.
func FoldBytes(d int) int { return min((4*d+4+foldShare-1)/foldShare, foldMost) }

// foldLimit is how many kinds there may be among n rows.
func foldLimit(n, d int) int { return min(n/foldShare, n*FoldBytes(d)/(4*d+4)) }

// Fold gives Points of the distinct rows of p, each with how many rows it stands for, for passes of k centroids; nil where
// that would not pay, and where rows are weighted. A cheap look comes first. The folded Points serve Pass.Update, whose sums,
// counts and inertia are the same to the bit; rows, and what is keyed by them, stay with p.
func (p *Points) Fold(k int) *Points {
	if p.weights != nil || p.counts != nil || k*p.d < foldWork {
		return nil
	}
	most := foldLimit(p.n, p.d)
	if most < 1 || !p.looksRepetitive(most) {
		return nil
	}
	table := newRowTable(p, most)
	for i := range p.n {
		if !table.add(i) {
			return nil
		}
	}
	return table.points()
}

// looksRepetitive takes rows that lie evenly apart and counts equal pairs: among s rows of D kinds there are about s²/2D.
func (p *Points) looksRepetitive(most int) bool {
	looks := min(p.n, 1+int(math.Sqrt(2*foldPairs*float64(most))))
	seen := make(map[uint64]int, looks)
	pairs := 0
	for q := range looks {
		h := p.hash(q * p.n / looks)
		pairs += seen[h]
		seen[h]++
	}
	return pairs >= foldPairs/2
}

// hash mixes the bits of a row.
func (p *Points) hash(i int) uint64 {
	base := i/kernel.Lanes*p.d*kernel.Lanes + i%kernel.Lanes
	h := uint64(p.d)
	for t := range p.d {
		h ^= uint64(math.Float32bits(p.blocks[base+t*kernel.Lanes]))
		hi, lo := bits.Mul64(h^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
		h = hi ^ lo
	}
	return h
}

// same says whether two rows have the same bits.
func (p *Points) same(i, j int) bool {
	a, b := p.blocks[p.index(i, 0):], p.blocks[p.index(j, 0):]
	for t := range p.d {
		if math.Float32bits(a[t*kernel.Lanes]) != math.Float32bits(b[t*kernel.Lanes]) {
			return false
		}
	}
	return true
}

// rowTable is an open hash table of distinct rows, at most half full.
type rowTable struct {
	p      *Points
	most   int
	mask   uint64
	slots  []int32 // index in firsts, plus one; 0: free
	firsts []int32 // the first row of each kind
	counts []uint32
}

func newRowTable(p *Points, most int) *rowTable {
	size := 1 << bits.Len(uint(2*most))
	return &rowTable{p: p, most: most, mask: uint64(size - 1), slots: make([]int32, size)}
}

// add counts row i; false means that there are too many kinds.
func (r *rowTable) add(i int) bool {
	for at := r.p.hash(i) & r.mask; ; at = (at + 1) & r.mask {
		kind := r.slots[at]
		if kind == 0 {
			if len(r.firsts) == r.most {
				return false
			}
			r.firsts, r.counts = append(r.firsts, int32(i)), append(r.counts, 1)
			r.slots[at] = int32(len(r.firsts))
			return true
		}
		if r.p.same(int(r.firsts[kind-1]), i) {
			r.counts[kind-1]++
			return true
		}
	}
}

// points are the kinds in the order in which they were met.
func (r *rowTable) points() *Points {
	p, n := r.p, len(r.firsts)
	f := &Points{n: n, d: p.d, grid: p.grid, units: p.units, first: p.first, counts: r.counts, blocks: make([]float32, paddedRows(n)*p.d)}
	for at, i := range r.firsts {
		from, to := p.index(int(i), 0), f.index(at, 0)
		for t := range p.d {
			f.blocks[to+t*kernel.Lanes] = p.blocks[from+t*kernel.Lanes]
		}
	}
	return f
}
