package kmeans

import (
	"fmt"
	"unsafe"

	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// Points that do not fit into memory lie elsewhere in chunks: runs of rows as they are in memory, which become Points again
// without being copied. What is left of them is a Shell.

// ChunkRows is what the rows of a chunk, but for the last of its Points, are a multiple of.
const ChunkRows = 256

// Shell is p without its numbers: it knows its rows and columns, grid and whether rows are weighted, and no values, weights or
// row numbers. Tracks and states of seeding are made for it as for p.
func (p *Points) Shell() *Points {
	s := &Points{n: p.n, d: p.d, grid: p.grid, units: p.units, first: p.first}
	if p.weights != nil {
		s.weights = []uint64{}
	}
	if p.rows != nil {
		s.rows = []int64{}
	}
	return s
}

// ChunkBytes is the size of a chunk of so many rows of p, or of its Shell.
func (p *Points) ChunkBytes(rows int) int {
	bytes := 4 * paddedRows(rows) * p.d
	if p.weights != nil {
		bytes += 8 * rows
	}
	if p.rows != nil {
		bytes += 8 * rows
	}
	return bytes
}

// PutChunk writes rows [lo,hi) to dst, of ChunkBytes(hi-lo) bytes; lo is a multiple of ChunkRows.
func (p *Points) PutChunk(dst []byte, lo, hi int) {
	blocks, _ := p.span(lo, hi)
	dst = dst[copy(dst, bytesOf(blocks)):]
	if p.weights != nil {
		dst = dst[copy(dst, bytesOf(p.weights[lo:hi])):]
	}
	if p.rows != nil {
		copy(dst, bytesOf(p.rows[lo:hi]))
	}
}

// Chunk makes Points of rows [lo,hi) of a Shell, of what PutChunk has written of them. They lie in src, which must begin at an
// address that is a multiple of eight, and must not be changed while they are used. The error is ErrShape.
func (p *Points) Chunk(src []byte, lo, hi int) (*Points, error) {
	if lo < 0 || lo > hi || hi > p.n || lo%ChunkRows != 0 || len(src) != p.ChunkBytes(hi-lo) || uintptr(unsafe.Pointer(unsafe.SliceData(src)))%8 != 0 {
		return nil, fmt.Errorf("%w: a chunk of %d bytes for rows %d to %d of %d", ErrShape, len(src), lo, hi, p.n)
	}
	n := hi - lo
	values := 4 * paddedRows(n) * p.d
	c := &Points{n: n, d: p.d, grid: p.grid, units: p.units, first: p.first + int64(lo), blocks: numbersIn[float32](src[:values])}
	src = src[values:]
	if p.weights != nil {
		c.weights = numbersIn[uint64](src[:8*n])
		src = src[8*n:]
	}
	if p.rows != nil {
		c.rows = numbersIn[int64](src)
	}
	return c, nil
}

// The sections of a chunk follow each other without gaps: each is a multiple of eight bytes.
const _ = uint(-(kernel.Lanes * kernel.BlockPair * 4 % 8))

// bytesOf is the memory of numbers.
func bytesOf[T float32 | uint64 | int64](x []T) []byte {
	var one T
	return unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(x))), len(x)*int(unsafe.Sizeof(one)))
}

// numbersIn is memory as numbers; it is never nil.
func numbersIn[T float32 | uint64 | int64](b []byte) []T {
	var one T
	if len(b) == 0 {
		return []T{}
	}
	return unsafe.Slice((*T)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/int(unsafe.Sizeof(one)))
}

// Part is what is known of the rows from lo on, for passes over a chunk of them: what such a pass finds out is known to t.
func (t *Track) Part(lo, hi int) *Track {
	part := &Track{Labels: t.Labels[lo:hi], fresh: t.fresh}
	if t.slack != nil {
		part.slack = t.slack[lo:]
	}
	if t.nearest != nil {
		part.nearest, part.stamp = t.nearest[lo:], t.stamp[lo:]
	}
	return part
}

// Skips says that Update would do nothing for rows [lo,hi): bounds prove all their labels, and nothing is added up. It looks
// at no values.
func (p *Pass) Skips(t *Track, lo, hi int) bool {
	if t.fresh || p.mode != prune || p.score {
		return false
	}
	var masks [SpanRows / kernel.Lanes]uint16
	for ; lo < hi; lo += SpanRows {
		end := min(lo+SpanRows, hi)
		if p.tracker.past[0].Survivors(p.tier, t.Labels[lo:end], t.slack[lo:end], masks[:(end-lo+kernel.Lanes-1)/kernel.Lanes]) > 0 {
			return false
		}
	}
	return true
}

// Part is the state of the rows from lo on, for rounds over a chunk of them: what they find out is known to st.
func (st *SeedState) Part(lo int) *SeedState { return &SeedState{known: st.known, whole: st, at: lo} }

// Settle fetches the Points of rows of p that are in the race, so that p is not needed any more.
func (s *SeedPartial) Settle(p *Points) {
	var own *Points
	point := make([]float32, p.d)
	for i := range s.found {
		f := &s.found[i]
		if f.from != p {
			continue
		}
		if own == nil {
			own = &Points{d: p.d, grid: p.grid, units: p.units}
		}
		at := own.n
		if at%kernel.Lanes == 0 {
			own.blocks = append(own.blocks, make([]float32, kernel.Lanes*p.d)...)
		}
		for t, v := range p.At(f.at, point) {
			own.blocks[own.index(at, t)] = v
		}
		own.n++
		f.from, f.at = own, at
	}
}
