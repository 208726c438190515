package kmeans

import (
	"math/bits"
	"sync"

	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/kmeans/internal/kernel"
)

// A digest is a linear hash of Sums over the integers: the sum over all entries of factor·entry, modulo the prime
// 2^61 − 1. The digest of a sum of Sums is the sum of their digests, so that it can be kept up from the moves of rows
// alone, whoever takes them and in whatever order; two machines that hold the same partition under the same centroids
// have the same digest, or one of them is broken. Entries are told apart by factors that are fixed and look random;
// a difference in a single entry is seen unless it is a multiple of the prime.
//
// It guards against broken hardware and programs, not against people: who knows the factors finds collisions.
const digestPrime = 1<<61 - 1

// The first entry of each kind: counts from 0.
const (
	digestWeights uint64 = 1 << 62
	digestValues  uint64 = 2 << 62
)

// AddDigests is the digest of the rows of both.
func AddDigests(a, b uint64) uint64 { return digestResidue(a%digestPrime + b%digestPrime) }

// Digest is the digest of the sums, below 2^61 − 1; that of no rows is 0.
func (s *Sums) Digest() uint64 {
	digest := uint64(0)
	for j := range s.K {
		digest = s.digestCluster(digest, j)
	}
	return digestResidue(digest)
}

// Digest is the digest of the moves taken since the last Drain. It costs d for each cluster that a row moved from or
// to.
func (a *Accumulator) Digest() uint64 {
	a.fold()
	var mu sync.Mutex // guards digest
	digest := uint64(0)
	kernel.SpreadOut(a.sums.K, a.sums.D, func(lo, hi int) {
		part := uint64(0)
		for j := lo; j < hi; j++ {
			if a.changed[j] {
				part = a.sums.digestCluster(part, j)
			}
		}
		mu.Lock()
		defer mu.Unlock()
		digest = AddDigests(digest, part)
	})
	return digest
}

// digestCluster adds the entries of cluster j to a digest that is not fully reduced.
func (s *Sums) digestCluster(digest uint64, j int) uint64 {
	digest = digestEntries(digest, uint64(j), []exact.Int128{exact.FromInt64(s.Counts[j])})
	if s.Weights != nil {
		digest = digestEntries(digest, digestWeights+uint64(j), s.Weights[j:j+1])
	}
	return digestEntries(digest, digestValues+uint64(j*s.D), s.Values[j*s.D:(j+1)*s.D])
}

// digestEntries adds factor·entry of entries that follow each other. It takes and gives digests below 2^61 + 8, so that
// one fold of the high bits is enough for each step. 2^61 counts 1 modulo the prime, 2^122 as well, and so 2^128, which
// two's complement adds to a negative number, counts 64.
func digestEntries(digest, index uint64, entries []exact.Int128) uint64 {
	for _, v := range entries {
		hi := uint64(v.Hi)
		x := v.Lo&digestPrime + (hi<<3|v.Lo>>61)&digestPrime + hi>>58 // below 2^62 + 2^6
		x += digestPrime - uint64(v.Hi>>63)&64
		x = x&digestPrime + x>>61 // below 2^61 + 4
		high, low := bits.Mul64(x, digestFactor(index))
		digest += low&digestPrime + (high<<3 | low>>61)
		digest = digest&digestPrime + digest>>61
		index++
	}
	return digest
}

// digestResidue reduces a digest fully.
func digestResidue(digest uint64) uint64 {
	digest = digest&digestPrime + digest>>61
	if digest >= digestPrime {
		digest -= digestPrime
	}
	return digest
}

// digestFactor is the factor of an entry, from 1 to 2^61 − 2: the finaliser of SplitMix64 (Steele, Lea and Flood: Fast
// splittable pseudorandom number generators, 2014) over a counter.
func digestFactor(index uint64) uint64 {
	z := (index + 1) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	z = (z ^ z>>31) >> 3
	if z == 0 || z == digestPrime {
		return 1
	}
	return z
}
