package exact

import (
	"math"
	"slices"
)

// Lanes is how many float32s the vector loops take at a step: rows of a block in the layout of Points.
const Lanes = 16

const (
	laneBytes = 4 * Lanes
	// momentValues is how many values the lanes of momentsAVX2 take before they are emptied, and momentBits the bits of
	// each: the sum of an eighth of them stays exact in the 53 bits of a float64, and so do both halves of their squares.
	momentValues = 2048
	momentBits   = 44
)

// AddFloat32s adds values from the start of x on as AddSlice does, up to a block of 2,048 that holds one that is not finite, and
// says how many: all of them, as a rule.
//
// A float32 is an integer of 24 bits times a power of two. Where all those of a block are integers of 44 bits of one unit,
// they are summed in lanes of float64, exactly. Their squares have 48 bits and are exact as well, but not their sum: each
// is cut into a multiple of 2^44 squared units and the rest.
func (m *Moments) AddFloat32s(x []float32) (done int) {
	for done < len(x) {
		block := x[done:min(done+momentValues, len(x))]
		if !m.addFloat32s(block) {
			break
		}
		done += len(block)
	}
	return done
}

// addFloat32s adds a block, if all of it is finite.
func (m *Moments) addFloat32s(x []float32) bool {
	least, greatest, top := extremes32(x)
	if top >= 0xff<<23 {
		return false
	}
	q := int(top>>23) - 127 - (momentBits - 1)
	if vectors && top>>23 != 0 && len(x) >= Lanes && m.addLanes(x, q) {
		m.widen(int64(len(x)), float64(least), float64(greatest))
		return true
	}
	var wide [momentValues]float64
	for i, v := range x {
		wide[i] = float64(v)
	}
	m.AddSlice(wide[:len(x)])
	return true
}

// addLanes adds values of less than 2^44 units of 2^q, if all of them are integers of these.
func (m *Moments) addLanes(x []float32, q int) bool {
	const cut = 1.5 * (1 << 52) * (1 << momentBits) // rounds what is below 2^52 of them to multiples of 2^44
	var out [28]float64
	var sum int64
	var squares Int128
	add := func(x []float32) bool {
		momentsAVX2(&x[0], len(x)/Lanes, laneBytes, pow2(-q), cut, &out)
		s, sq := laneSums(&out, momentBits)
		sum += s
		squares = squares.Add(sq)
		return math.Float64bits(out[24])|math.Float64bits(out[25])|math.Float64bits(out[26])|math.Float64bits(out[27]) == 0
	}
	whole := len(x) / Lanes * Lanes
	if !add(x[:whole]) {
		return false
	}
	if whole < len(x) {
		var last [Lanes]float32 // zeros add nothing
		copy(last[:], x[whole:])
		if !add(last[:]) {
			return false
		}
	}
	m.Sum.AddInt128(FromInt64(sum), q)
	m.Squares.AddInt128(squares, 2*q)
	return true
}

// laneSums adds up the lanes of momentsAVX2.
func laneSums(out *[28]float64, cutBits int) (sum int64, squares Int128) {
	unit := pow2(-cutBits)
	for l := range 8 {
		sum += int64(out[l])
		high := MulInt64(int64(out[8+l]*unit), 1<<cutBits)
		squares = squares.AddInt64(int64(out[16+l])).Add(high)
	}
	return sum, squares
}

// Extremes is the least and the greatest of x, and whether all values are finite; where they are not, the two may mean nothing.
// Without values all are 0.
func Extremes(x []float64) (least, greatest float64, finite bool) {
	if len(x) == 0 {
		return 0, 0, true
	}
	return extremes(x)
}

// Finite says whether all of x are finite.
func Finite(x []float32) bool {
	_, _, top := extremes32(x)
	return top < 0xff<<23
}

// extremes32 is the least and the greatest of x, and the bits of the greatest magnitude, NaN being the greatest of all; with a
// top that is not finite the two may mean nothing. Without values all are 0.
func extremes32(x []float32) (least, greatest float32, top uint32) {
	if len(x) == 0 {
		return 0, 0, 0
	}
	least, greatest = x[0], x[0]
	if vectors && len(x) >= Lanes {
		var out [24]float32
		whole := len(x) / Lanes * Lanes
		extremesAVX2(&x[0], whole/Lanes, &out)
		for l := range 8 {
			least, greatest = min(least, out[l]), max(greatest, out[8+l])
			top = max(top, math.Float32bits(out[16+l]))
		}
		x = x[whole:]
	}
	for _, v := range x {
		if v < least {
			least = v
		}
		if v > greatest {
			greatest = v
		}
		top = max(top, math.Float32bits(v)<<1>>1)
	}
	return least, greatest, top
}

// MaxBlockSums is how many blocks BlockSums takes at a time: each of eight lanes adds two of a block's values, of at most
// 2^39 units, and stays within the 53 bits of a float64.
const MaxBlockSums = 1 << 12

// BlockSums is Σ v and Σ v² of the numbers of one column in blocks of Lanes rows, in units of 2^grid: blocks[column·Lanes:][:Lanes]
// of every block of columns·Lanes numbers. Every number must be a multiple of 2^grid of at most 2^39 of it, in magnitude. ok is
// false where this machine has no faster way than a loop, and at more than MaxBlockSums blocks.
func BlockSums(blocks []float32, column, columns, grid int) (sum int64, squares Int128, ok bool) {
	const cut = 1.5 * (1 << 52) * (1 << gridBits)
	n := len(blocks) / (columns * Lanes)
	if !vectors || n > MaxBlockSums || n == 0 {
		return 0, Int128{}, n == 0
	}
	var out [28]float64
	momentsAVX2(&blocks[column*Lanes], n, columns*laneBytes, pow2(-grid), cut, &out)
	sum, squares = laneSums(&out, gridBits)
	return sum, squares, true
}

// Scaling is how numbers become Points: (x − Center) / Spread, rounded to the grid 2^Exponent after Shift is taken off.
type Scaling struct {
	Center, Spread, Shift float64
	Exponent              int
}

// Apply sets dst[i] to ToGrid((x[i] − Center) / Spread, Shift, Exponent) for all i, and gives the bits of the greatest magnitude
// of them, NaN being the greatest of all. dst is at least as long as x, and may be x.
func (s *Scaling) Apply(dst, x []float32) (top uint32) {
	dst = dst[:len(x)]
	if whole := len(x) / Lanes; vectors && whole > 0 {
		top = s.lanes(&dst[0], &x[0], whole, laneBytes, laneBytes)
		dst, x = dst[whole*Lanes:], x[whole*Lanes:]
	}
	return max(top, s.each(dst, x))
}

// ApplyBlocks is Apply in place, of one column in blocks of Lanes rows as for BlockSums.
func (s *Scaling) ApplyBlocks(blocks []float32, column, columns int) (top uint32) {
	n := len(blocks) / (columns * Lanes)
	if n == 0 {
		return 0
	}
	at := blocks[column*Lanes:]
	if vectors {
		return s.lanes(&at[0], &at[0], n, columns*laneBytes, columns*laneBytes)
	}
	for b := range n {
		lanes := at[b*columns*Lanes:][:Lanes]
		top = max(top, s.each(lanes, lanes))
	}
	return top
}

// ApplyWide is Apply of float64s.
func (s *Scaling) ApplyWide(dst []float32, x []float64) (top uint32) {
	dst = dst[:len(x)]
	if whole := len(x) / Lanes; vectors && whole > 0 {
		p, tops := s.parameters(), [8]uint32{}
		if s.Shift == 0 {
			gridWideAVX2(&dst[0], &x[0], whole, laneBytes, 2*laneBytes, &p, &tops)
		} else {
			gridWideShiftedAVX2(&dst[0], &x[0], whole, laneBytes, 2*laneBytes, &p, &tops)
		}
		top = slices.Max(tops[:])
		dst, x = dst[whole*Lanes:], x[whole*Lanes:]
	}
	return max(top, eachOf(s, dst, x))
}

// parameters are what the loops over lanes want to know.
func (s *Scaling) parameters() [5]float64 {
	g := newGrid(s.Exponent)
	return [5]float64{s.Center, s.Spread, g.fine, g.magic, s.Shift}
}

func (s *Scaling) lanes(dst, src *float32, groups, dstStride, srcStride int) (top uint32) {
	p, tops := s.parameters(), [8]uint32{}
	if s.Shift == 0 {
		gridAVX2(dst, src, groups, dstStride, srcStride, &p, &tops)
	} else {
		gridShiftedAVX2(dst, src, groups, dstStride, srcStride, &p, &tops)
	}
	return slices.Max(tops[:])
}

func (s *Scaling) each(dst, x []float32) (top uint32) { return eachOf(s, dst, x) }

func eachOf[T float32 | float64](s *Scaling, dst []float32, x []T) (top uint32) {
	g := newGrid(s.Exponent)
	for i, v := range x {
		y := (float64(v) - s.Center) / s.Spread
		if s.Shift != 0 {
			y = toOdd(twoSum(y, -s.Shift))
		}
		p := g.near(y) + 0
		dst[i] = p
		top = max(top, math.Float32bits(p)<<1>>1)
	}
	return top
}
