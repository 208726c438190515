package exact

import "math/bits"

// The multipliers of Philox4x32 and the increments of its key.
const (
	philoxM0 = 0xd2511f53
	philoxM1 = 0xcd9e8d57
	philoxW0 = 0x9e3779b9
	philoxW1 = 0xbb67ae85
)

// Draw is 64 random bits that depend on its arguments alone: the same row draws the same number wherever it lives,
// whoever asks, and how often. Draws with different arguments are independent for every practical purpose.
//
// It is Philox4x32-10 with the seed as key and (row, iteration, purpose) as counter, of which the first two words are
// returned: J. K. Salmon, M. A. Moraes, R. O. Dror, D. E. Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
func Draw(seed uint64, purpose, iteration uint32, row uint64) uint64 {
	a, b, _, _ := philox(uint32(row), uint32(row>>32), iteration, purpose, uint32(seed), uint32(seed>>32))
	return uint64(b)<<32 | uint64(a)
}

// Draw4 is Draw for four rows at the price of one, 32 bits each: word i belongs to row 4·quad+i. It is the same generator,
// all four words of it, with the quad in place of the row.
func Draw4(seed uint64, purpose, iteration uint32, quad uint64) [4]uint32 {
	a, b, c, d := philox(uint32(quad), uint32(quad>>32), iteration, purpose, uint32(seed), uint32(seed>>32))
	return [4]uint32{a, b, c, d}
}

// philox is ten rounds of Philox4x32 over the counter (c0, c1, c2, c3) with the key (k0, k1).
func philox(c0, c1, c2, c3, k0, k1 uint32) (uint32, uint32, uint32, uint32) {
	for range 10 {
		p0, p1 := uint64(c0)*philoxM0, uint64(c2)*philoxM1
		c0, c1, c2, c3 = uint32(p1>>32)^(c1^k0), uint32(p1), uint32(p0>>32)^(c3^k1), uint32(p0)
		k0 += philoxW0
		k1 += philoxW1
	}
	return c0, c1, c2, c3
}

// Unit maps 64 random bits to a number in (0, 1): an odd multiple of 2^−53, so neither 0 nor 1 can come up, nothing is
// rounded, and 1 − Unit(u) is equally likely.
func Unit(u uint64) float64 {
	return float64(u>>12<<1|1) * 0x1p-53
}

// Bounded maps 64 random bits to an integer in [0, n), n > 0, by the high word of the product; its bias is below n·2^−64.
func Bounded(u, n uint64) uint64 {
	hi, _ := bits.Mul64(u, n)
	return hi
}
