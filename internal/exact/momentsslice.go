package exact

import (
	"math"
	"math/bits"
)

// AddSlice adds the finite values of x.
func (m *Moments) AddSlice(x []float64) {
	var kept [blockValues]float64
	for len(x) > 0 {
		block := x[:min(len(x), blockValues)]
		x = x[len(block):]
		least, greatest, ok := extremes(block)
		if !ok {
			n := 0
			for _, v := range block {
				kept[n] = v
				if v-v == 0 {
					n++
				}
			}
			if n == 0 {
				continue
			}
			block = kept[:n]
			least, greatest, _ = extremes(block)
		}
		m.widen(int64(len(block)), least, greatest)
		top := math.Float64bits(max(-least, greatest, 0))
		if m.addWide(block, top) {
			continue
		}
		if done := m.addBlock(block, top); done < len(block) {
			m.addEach(block[done:])
		}
	}
}

// extremes is the least and the greatest of x, which is not empty, and whether all values are finite; where they are not,
// the two may mean nothing.
func extremes(x []float64) (least, greatest float64, finite bool) {
	least, greatest = x[0], x[0]
	if wideVectors && len(x) >= blockLeast {
		var done int
		if least, greatest, finite, done = extremesWide(x); !finite {
			return least, greatest, false
		}
		x = x[done:]
	}
	var a, b float64 // stay 0 as long as all is finite, and become NaN otherwise
	for len(x) >= 2 {
		v, w := x[0], x[1]
		a += v - v
		b += w - w
		if v < least {
			least = v
		}
		if v > greatest {
			greatest = v
		}
		if w < least {
			least = w
		}
		if w > greatest {
			greatest = w
		}
		x = x[2:]
	}
	if len(x) > 0 {
		least, greatest = min(least, x[0]), max(greatest, x[0])
		a += x[0] - x[0]
	}
	return least, greatest, a+b == 0
}

// addBlock adds values from the start of x on, finite all of them, to the two sums and says how many; top is the bits of
// the greatest magnitude.
func (m *Moments) addBlock(x []float64, top uint64) (done int) {
	if top == 0 {
		return len(x)
	}
	q, ok := blockScale(top)
	if !ok || len(x) < blockLeast {
		return 0
	}
	unit, perUnit := pow2(q), pow2(-q)
	var sum int64
	var hi, lo, carry uint64
	misses := 0
	done = len(x)
	for i, v := range x {
		n := int64(v * perUnit)
		if float64(n)*unit == v {
			sum += n
			h, l := bits.Mul64(absolute(n), absolute(n))
			lo, carry = bits.Add64(lo, l, 0)
			hi, _ = bits.Add64(hi, h, carry)
			continue
		}
		m.Sum.Add(v)
		m.Squares.addSquares(v, 1)
		if misses++; misses > tooMany(i) {
			done = i + 1
			break
		}
	}
	m.Sum.AddInt128(FromInt64(sum), q)
	m.Squares.addMagnitude(hi, lo, false, 2*q)
	return done
}

// addEach adds the values of x, finite all of them, to the two sums one by one.
func (m *Moments) addEach(x []float64) {
	m.Sum.addEach(x)
	for len(x) > 0 {
		n := min(len(x), sumUses)
		if m.Squares.uses+n > sumUses {
			m.Squares.carry()
		}
		m.Squares.uses += n
		for _, v := range x[:n] {
			m.Squares.addSquare(v)
		}
		x = x[n:]
	}
}

// addSquare adds x² for a finite x, without the count of uses. The four parts stay below 2^42.
func (s *Sum) addSquare(x float64) {
	f, e, _ := split(x)
	hi, lo := bits.Mul64(f, f)
	p := uint(2*e - sumBase)
	shift := p & 31
	mid, top := hi<<shift|lo>>(64-shift), hi>>(64-shift)
	lo <<= shift
	part := s.chunk[p>>5:][:4]
	part[0] += int64(lo & chunkMask)
	part[1] += int64(lo >> 32)
	part[2] += int64(mid & chunkMask)
	part[3] += int64(mid>>32 | top<<32)
}
