package exact

import "math"

// AddSlice adds all values of x.
func (b *Bins) AddSlice(x []float32) {
	for len(x) > 0 {
		block := x[:min(len(x), blockValues)]
		x = x[len(block):]
		block = block[b.addLanes(block):]
		for _, v := range block[b.addBlock(block):] {
			b.Add(v)
		}
	}
}

// addLanes adds all groups of Lanes values of a block and says how many values that are, if they can be summed in lanes of
// float64 exactly: integers of momentBits of one unit, of which each of eight lanes takes at most 256.
func (b *Bins) addLanes(block []float32) (done int) {
	groups := len(block) / Lanes
	if !vectors || groups == 0 {
		return 0
	}
	var tops [24]float32
	extremesAVX2(&block[0], groups, &tops)
	least, top := float32(0), uint32(0)
	for l := range 8 {
		least, top = min(least, tops[l]), max(top, math.Float32bits(tops[16+l]))
	}
	if least < 0 || top >= 0xff<<23 {
		return 0
	}
	q := max(int(top>>23)-127-(momentBits-1), binsBase)
	var out [12]float64
	sumAVX2(&block[0], groups, pow2(-q), &out)
	for _, miss := range out[8:] {
		if math.Float64bits(miss) != 0 {
			return 0
		}
	}
	var sum uint64
	for _, v := range out[:8] {
		sum += uint64(v)
	}
	b.addMagnitude(0, sum, uint(q-binsBase))
	return groups * Lanes
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
