package exact

import "math"

// OrderedBits maps float64s to integers of the same order, −0 right below +0; NaNs lie outside of the infinities. It
// turns counting over values into counting over ranges of integers.
func OrderedBits(x float64) uint64 {
	b := math.Float64bits(x)
	return b ^ (uint64(int64(b)>>63) | 1<<63)
}

// FromOrderedBits is the inverse of OrderedBits.
func FromOrderedBits(u uint64) float64 {
	return math.Float64frombits(u ^ (^uint64(int64(u)>>63) | 1<<63))
}
