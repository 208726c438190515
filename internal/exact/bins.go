package exact

import (
	"math"
	"math/bits"
)

const (
	binsBase  = -149 // exponent of the last bit of a subnormal float32
	binsCount = 13   // up to 2^267: 2^128 times weights of 2^41 times 2^63 rows, and room for the sign
	// binsUses is how often a bin may be added to before carries must move: an addition leaves less than 2^32 in
	// a bin of 64 bits. Half of what would fit is kept for Merge.
	binsUses = 1 << 30
)

// Bins is an exact sum of non-negative float32s, each times an integer weight of at most 2^41: inertia and potentials,
// whose distances have no grid. It is a small superaccumulator as Sum is, with bins of 64 bits whose weights lie 32 bits
// apart. The zero value is an empty sum; it holds no pointers. It is not safe for concurrent use.
//
// A distance that overflowed makes the sum +Inf; NaN or a negative value, which no distance can be, makes it NaN.
type Bins struct {
	bin     [binsCount]uint64 // bin i counts units of 2^(binsBase + 32i)
	uses    int
	special special
}

// Add adds x.
func (b *Bins) Add(x float32) {
	if b.uses >= binsUses {
		b.carry()
	}
	b.uses++
	m, p, ok := b.split(x)
	if !ok {
		return
	}
	v := m << (p & 31)
	pair := b.bin[p>>5:][:2]
	pair[0] += v & chunkMask
	pair[1] += v >> 32
}

// AddWeighted adds w·x; w is at most 2^41.
func (b *Bins) AddWeighted(x float32, w uint64) {
	if w == 0 {
		return
	}
	m, p, ok := b.split(x)
	if !ok {
		return
	}
	hi, lo := bits.Mul64(m, w)
	b.addMagnitude(hi, lo, p)
}

// split writes x as m·2^(binsBase + p).
func (b *Bins) split(x float32) (m uint64, p uint, finite bool) {
	v := math.Float32bits(x)
	e := uint(v >> 23)
	m = uint64(v & (1<<23 - 1))
	switch {
	case e == 0:
		return m, 0, true
	case e < 0xff:
		return m | 1<<23, e - 1, true
	case v == 1<<31:
		return 0, 0, true // −0
	case v == 0xff<<23:
		b.special |= hasPosInf
	default:
		b.special |= hasNaN
	}
	return 0, 0, false
}

// addMagnitude adds (hi·2^64 + lo)·2^(binsBase + p), where hi < 2^32 and p ≤ 253.
func (b *Bins) addMagnitude(hi, lo uint64, p uint) {
	if b.uses >= binsUses {
		b.carry()
	}
	b.uses++
	shift := p & 31
	top := hi<<shift | lo>>(64-shift)
	lo <<= shift
	part := b.bin[p>>5:][:4]
	part[0] += lo & chunkMask
	part[1] += lo >> 32
	part[2] += top & chunkMask
	part[3] += top >> 32
}

// carry moves what lies above 32 bits of each bin into the next one.
func (b *Bins) carry() {
	var c uint64
	for i := range binsCount - 1 {
		v := b.bin[i] + c
		b.bin[i] = v & chunkMask
		c = v >> 32
	}
	b.bin[binsCount-1] += c
	b.uses = 0
}

// Merge adds the sum o, which stays as it is.
func (b *Bins) Merge(o *Bins) {
	if b.uses+o.uses >= binsUses {
		b.carry()
	}
	uses := b.uses + o.uses + 1
	for i := range b.bin {
		b.bin[i] += o.bin[i]
	}
	b.uses = uses
	b.special |= o.special
}

// Float64 is the sum times 2^exp, rounded once, to nearest, ties to even; ±Inf where it is too large.
func (b *Bins) Float64(exp int) float64 {
	if b.special != 0 {
		return b.special.value()
	}
	t := *b
	t.carry()
	end := binsCount
	for end > 0 && t.bin[end-1] == 0 {
		end--
	}
	if end == 0 {
		return 0
	}
	at := func(i int) uint64 {
		if i < 0 {
			return 0
		}
		return t.bin[i]
	}
	sticky := false
	for i := range max(end-4, 0) {
		sticky = sticky || t.bin[i] != 0
	}
	hi, lo := at(end-1)<<32|at(end-2), at(end-3)<<32|at(end-4)
	return math.Float64frombits(binary64.round128(hi, lo, sticky, exp+binsBase+32*(end-4)))
}
