package exact

import "math"

// The fast way for slices: within a block of values most columns are integers of at most 51 bits times one power of two
// (counts, amounts in cents, anything that was a float32), and those add up as int64s, with squares in 128 bits. Values
// of a block that are not (they would lose bits at that scale) are added one by one, and a block with many of them is
// not worth the attempt.
const (
	blockValues = 2048 // of 51 bits each leave an int64 a bit to spare
	blockBits   = 51
	blockLeast  = 32 // below this the chunks are as fast
)

// tooMany is the number of values out of line at which a block is given up.
func tooMany(n int) int { return n>>4 + 1 }

// topBits is the greatest magnitude among x as its bits without the sign, NaN being the greatest of all.
func topBits(x []float64) uint64 {
	var a, b uint64
	for len(x) >= 2 {
		a = max(a, math.Float64bits(x[0])<<1)
		b = max(b, math.Float64bits(x[1])<<1)
		x = x[2:]
	}
	if len(x) > 0 {
		a = max(a, math.Float64bits(x[0])<<1)
	}
	return max(a, b) >> 1
}

// blockScale gives q for which 2^(q+51) lies above a magnitude with the bits top, and whether 2^q and 2^−q are both at hand
// as float64.
func blockScale(top uint64) (q int, ok bool) {
	e := int(top >> 52)
	q = e - 1023 - (blockBits - 1)
	return q, e < 0x7ff && q > -1000
}

// AddSlice adds all values of x.
func (s *Sum) AddSlice(x []float64) {
	for len(x) > 0 {
		block := x[:min(len(x), blockValues)]
		x = x[len(block):]
		if done := s.addBlock(block); done < len(block) {
			s.addEach(block[done:])
		}
	}
}

// addBlock adds values from the start of x on and says how many.
func (s *Sum) addBlock(x []float64) (done int) {
	top := topBits(x)
	if top == 0 {
		return len(x)
	}
	q, ok := blockScale(top)
	if !ok || len(x) < blockLeast {
		return 0
	}
	unit, perUnit := pow2(q), pow2(-q)
	var sum int64
	misses := 0
	done = len(x)
	for i, v := range x {
		n := int64(v * perUnit)
		// Compared with v and not with the product, which may have become 0 for a very small v.
		if float64(n)*unit == v {
			sum += n
			continue
		}
		s.Add(v)
		if misses++; misses > tooMany(i) {
			done = i + 1
			break
		}
	}
	s.AddInt128(FromInt64(sum), q)
	return done
}

// addEach adds the values of x one by one.
func (s *Sum) addEach(x []float64) {
	for len(x) > 0 {
		n := min(len(x), sumUses)
		if s.uses+n > sumUses {
			s.carry()
		}
		s.uses += n
		for _, v := range x[:n] {
			s.add(v)
		}
		x = x[n:]
	}
}
