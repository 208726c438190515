//go:build amd64 || arm64

package kernel

import "math"

// shape is what a tier's assembly was generated with (_asm/isa.go, _neon/tile.go).
type shape struct {
	unit      int // points that one step takes: two vectors, or the eight of NEON
	low, high int // the largest groups of centroids of the straight-line and the looping kernels
	straight  int // the largest d of the straight-line kernels
	tile      int // dimensions whose points stay in the first-level cache, 16 KiB of them
}

const (
	// partFloats keeps the centroids of a part in half of a second-level cache of 512 KiB, with some
	// room for the points that pass through.
	partFloats = 48 << 10
	// scratchFloats is the space for distances that are not compared at once: 8 KiB of stack.
	scratchFloats = 2 << 10
)

// part is a run of consecutive centroids, in hi groups of size and then lo groups of size-1: group sizes
// differ by one at most, so that no work is wasted on padding. Where d is over a tile, the part is laid
// out tile after tile; within a tile, group after group; a group is its size numbers (int32 bits), then
// for each dimension of the tile its size coordinates.
type part struct {
	first        int // number of the first centroid
	size, hi, lo int
	data         []float32
}

// tiles returns how many tiles d dimensions take and how long they are; the last one may be shorter. A
// row that only just exceeds a tile is not cut: it still fits the cache beside the centroids.
func (s shape) tiles(d int) (count, length int) {
	if d <= s.tile*3/2 {
		return 1, d
	}
	count = (d + s.tile - 1) / s.tile
	length = (d + count - 1) / count
	return (d + length - 1) / length, length
}

// packSIMD lays the centroids out in the order in which the assembly reads them.
func packSIMD(dst *Panel, centroids []float32) {
	k, d := dst.k, dst.d
	s := shapes[dst.tier]
	limit := s.high
	if d <= s.straight {
		limit = s.low
	}
	groups := (k + limit - 1) / limit
	size, hi := k/groups, k%groups
	if hi == 0 {
		hi = groups
	} else {
		size++
	}
	tiles, length := s.tiles(d)
	total := k * (d + tiles)
	if cap(dst.data) < total {
		dst.data = make([]float32, total)
	}
	dst.data = dst.data[:total]
	rest := dst.data
	perPart := max(1, partFloats/(size*d))
	for g := 0; g < groups; g += perPart {
		end := min(g+perPart, groups)
		p := part{first: min(g, hi)*size + max(g-hi, 0)*(size-1), size: size}
		p.hi = max(min(end, hi)-g, 0)
		p.lo = end - g - p.hi
		if p.hi == 0 {
			p.size, p.hi, p.lo = size-1, p.lo, 0
		}
		n := p.centroids() * (d + tiles)
		p.data, rest = rest[:n:n], rest[n:]
		p.pack(centroids[p.first*d:], dst, length)
		dst.parts = append(dst.parts, p)
	}
}

func (p *part) centroids() int { return p.hi*p.size + p.lo*(p.size-1) }

func (p *part) pack(rows []float32, whole *Panel, length int) {
	out, d := p.data, whole.d
	for from := 0; from < d; from += length {
		to := min(from+length, d)
		j := 0
		for g := range p.hi + p.lo {
			size := p.size
			if g >= p.hi {
				size--
			}
			for i := range size {
				out[i] = math.Float32frombits(uint32(whole.number(p.first + j + i)))
			}
			out = out[size:]
			for t := from; t < to; t++ {
				for i := range size {
					out[i] = rows[(j+i)*d+t]
				}
				out = out[size:]
			}
			j += size
		}
	}
}

// nearestSIMD takes the parts one by one; each stays in the second-level cache while all points pass.
func nearestSIMD(p *Panel, blocks, best []float32, index []int32, base int32, fresh bool) {
	s := shapes[p.tier]
	if tiles, length := s.tiles(p.d); tiles > 1 {
		if fresh {
			fillFresh(best, index, base)
		}
		nearestTiled(p, s, length, blocks, best, index, base)
		return
	}
	for i := range p.parts {
		q := &p.parts[i]
		step := max(1, callFMAs/(s.unit*p.d*q.centroids())) * s.unit
		for from := 0; from < len(best); from += step {
			n := min(step, len(best)-from)
			p.tier.nearest(&blocks[from*p.d], n/s.unit, p.d, q, &best[from], &index[from], base, fresh && i == 0)
		}
	}
}

// run is some consecutive groups of a part, all of one size.
type run struct{ first, size, groups, skip int }

// runs cuts a part so that the distances of a run fit scratchFloats, and calls do for each in order. skip
// is the number of centroids before it.
func (p *part) runs(unit int, do func(run)) {
	skip := 0
	for _, half := range [2]run{{size: p.size, groups: p.hi}, {size: p.size - 1, groups: p.lo}} {
		for left := half.groups; left > 0; {
			r := run{first: p.first + skip, size: half.size, skip: skip}
			r.groups = min(left, max(1, scratchFloats/(unit*half.size)))
			do(r)
			left -= r.groups
			skip += r.groups * r.size
		}
	}
}

// distances fills acc with the distances of the unit of points that x begins with (all dimensions) from the centroids
// of the run. While one tile is computed the next is fetched; the unit behind it in x follows the last.
func (p *Panel) distances(s shape, q *part, r run, length int, x, acc []float32) {
	clear(acc[:r.groups*r.size*s.unit])
	tileStart, centroids := 0, q.centroids()
	for from := 0; from < p.d; from += length {
		d := min(length, p.d-from)
		c := &q.data[tileStart+r.skip*(d+1)]
		next := &x[0]
		if from+d < p.d {
			next = &x[(from+d)*Lanes]
		} else if len(x) > s.unit*p.d {
			next = &x[s.unit*p.d]
		}
		p.tier.accumulate(&x[from*Lanes], p.d*Lanes*4, d, c, r.size, r.groups, &acc[0], next)
		tileStart += centroids * (d + 1)
	}
}

// nearestTiled is nearestSIMD where the coordinates of a unit exceed the first-level cache: their tiles
// take turns, and the chains wait in acc.
func nearestTiled(p *Panel, s shape, length int, blocks, best []float32, index []int32, base int32) {
	var acc [scratchFloats]float32
	for i := range p.parts {
		q := &p.parts[i]
		for from := 0; from < len(best); from += s.unit {
			x := blocks[from*p.d:]
			q.runs(s.unit, func(r run) {
				p.distances(s, q, r, length, x, acc[:])
				p.tier.argmin(&acc[0], r.groups*r.size, &best[from], &index[from], base+int32(r.first))
			})
		}
	}
}

func twoNearestSIMD(p *Panel, blocks, best, second []float32, index, secondIndex []int32) {
	var acc [scratchFloats]float32
	s := shapes[p.tier]
	_, length := s.tiles(p.d)
	for i := range p.parts {
		q := &p.parts[i]
		for from := 0; from < len(best); from += s.unit {
			x := blocks[from*p.d:]
			q.runs(s.unit, func(r run) {
				p.distances(s, q, r, length, x, acc[:])
				n, first := r.groups*r.size, int32(r.first)
				p.tier.argminTwo(&acc[0], n, &best[from], &second[from], &index[from], &secondIndex[from], first)
			})
		}
	}
}

func distancesSIMD(t Tier, blocks, centroid, out []float32) {
	d := len(centroid)
	unit := shapes[t].unit
	step := max(1, callFMAs/(8*unit*d)) * unit // memory and latency make this one slower
	for from := 0; from < len(out); from += step {
		n := min(step, len(out)-from)
		t.distances(&blocks[from*d], n/unit, d, &centroid[0], &out[from])
	}
}

func changedSIMD(t Tier, labels []uint16, index []int32, masks []uint16) int {
	count := 0
	for from := 0; from < len(masks); from += callBlocks {
		n := min(callBlocks, len(masks)-from)
		count += t.changed(&labels[from*Lanes], &index[from*Lanes], n, &masks[from])
	}
	return count
}
