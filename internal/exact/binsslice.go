package exact

import "math"

// AddSlice adds all values of x.
func (b *Bins) AddSlice(x []float32) {
	for len(x) > 0 {
		block := x[:min(len(x), blockValues)]
		x = x[len(block):]
		for _, v := range block[b.addBlock(block):] {
			b.Add(v)
		}
	}
}

// addBlock adds values from the start of x on and says how many.
func (b *Bins) addBlock(x []float32) (done int) {
	var top uint32
	for _, v := range x {
		top = max(top, math.Float32bits(v))
	}
	if top >= 0xff<<23 || len(x) < blockLeast {
		return 0 // not finite, or with a sign
	}
	q := max(int(top>>23)-127-(blockBits-1), binsBase)
	perUnit := pow2(-q)
	var sum uint64
	misses := 0
	done = len(x)
	for i, v := range x {
		scaled := float64(v) * perUnit // exact
		n := int64(scaled)
		if float64(n) == scaled {
			sum += uint64(n)
			continue
		}
		b.Add(v)
		if misses++; misses > tooMany(i) {
			done = i + 1
			break
		}
	}
	b.addMagnitude(0, sum, uint(q-binsBase))
	return done
}
