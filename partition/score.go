package partition

import "math/bits"

// nameHash is a 64-bit hash of a worker's name (FNV-1a, finished by mix).
func nameHash(name string) uint64 {
	h := uint64(0xcbf29ce484222325)
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 0x100000001b3
	}
	return mix(h)
}

// mix spreads every bit of x over all of the result: the finisher of SplitMix64 (Steele, Lea and Flood, 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// score is what a worker bids for a partition in rendezvous hashing: an exponential waiting time, -log2 of a uniform
// hash of the two. The smallest wait divided by weight wins, so that each worker wins in proportion to its weight, and
// one that goes or comes changes only what it had won or wins (Thaler and Ravishankar, 1998, weighted as by Schindelhauer
// and Schomaker, 2005).
type score struct {
	wait   int64 // -log2 in units of 2^-32, at least 1
	weight int64
}

// bid is what a worker, by its nameHash, draws for a partition; never 0.
func bid(worker uint64, partition int) uint64 {
	return mix(worker^mix(uint64(partition)+0x9e3779b97f4a7c15)) | 1
}

// beats says whether s wins over other.
func (s score) beats(other score) bool {
	return compareProducts(s.wait, other.weight, other.wait, s.weight) < 0
}

// atLeast is below minusLog2(u) and much quicker: -log2(x) ≥ (1-x)/ln 2 > 1.4375·(1-x). Who loses even so, and of many
// bidders nearly all do, needs no logarithm.
func atLeast(u uint64) int64 {
	v := int64(^u >> 32)
	return v + v>>2 + v>>3 + v>>4
}

// minusLog2 is -log2(u/2^64) in units of 2^-32, rounded up; u > 0. In integers, for the same placement on every
// processor: each squaring of the mantissa brings out one more binary digit of its logarithm.
func minusLog2(u uint64) int64 {
	zeros := bits.LeadingZeros64(u)
	mantissa := u << zeros // in [1, 2) in units of 2^-63
	fraction := int64(0)
	for range 32 {
		hi, lo := bits.Mul64(mantissa, mantissa) // in [1, 4) in units of 2^-126
		fraction <<= 1
		if hi>>63 == 1 {
			fraction |= 1
			mantissa = hi
		} else {
			mantissa = hi<<1 | lo>>63
		}
	}
	return int64(zeros+1)<<32 - fraction
}
