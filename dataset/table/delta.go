package table

import (
	"encoding/binary"
	"math/bits"
)

// A block of DELTA_BINARY_PACKED has so many differences, in so many parts of a width of their own.
// https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
const (
	deltaBlock = 128
	deltaMinis = 4
	deltaMini  = deltaBlock / deltaMinis
	// maxDeltaBits is the widest range of differences for which they are written instead of the values: row numbers and ids
	// that were given one after the other take hardly any room, and others stay as every reader knows them.
	maxDeltaBits = 16
)

// deltasAreShort says whether the differences of neighbours lie within 2^maxDeltaBits of each other.
func deltasAreShort(values []int64) bool {
	if len(values) < 2 {
		return false
	}
	low := values[1] - values[0]
	high := low
	for i := 2; i < len(values); i++ {
		d := values[i] - values[i-1]
		if d < low || d > high {
			if low, high = min(low, d), max(high, d); uint64(high)-uint64(low) >= 1<<maxDeltaBits {
				return false
			}
		}
	}
	return true
}

// appendDeltas appends values, at least one, whose differences are short. They wrap around as the decoder's do.
func appendDeltas(dst []byte, values []int64) []byte {
	dst = binary.AppendUvarint(dst, deltaBlock)
	dst = binary.AppendUvarint(dst, deltaMinis)
	dst = binary.AppendUvarint(dst, uint64(len(values)))
	dst = binary.AppendVarint(dst, values[0])
	for len(values) > 1 {
		n := min(len(values)-1, deltaBlock)
		dst = appendDeltaBlock(dst, values[:n+1])
		values = values[n:]
	}
	return dst
}

// appendDeltaBlock appends the differences of up to deltaBlock+1 values. Parts without values have no bytes.
func appendDeltaBlock(dst []byte, values []int64) []byte {
	var deltas [deltaBlock]uint64
	n := len(values) - 1
	low := values[1] - values[0]
	for i := range n {
		d := values[i+1] - values[i]
		deltas[i], low = uint64(d), min(low, d)
	}
	dst = binary.AppendVarint(dst, low)
	widths := len(dst)
	dst = append(dst, make([]byte, deltaMinis)...)
	for m := range deltaMinis {
		if m*deltaMini >= n {
			break
		}
		part := deltas[m*deltaMini:][:deltaMini]
		all := uint64(0)
		for i := range part[:min(deltaMini, n-m*deltaMini)] {
			part[i] -= uint64(low)
			all |= part[i]
		}
		width := bits.Len64(all)
		dst[widths+m] = byte(width)
		acc, have := uint64(0), 0
		for _, d := range part { // 32 of them always fill whole bytes
			acc |= d << have
			for have += width; have >= 8; have -= 8 {
				dst = append(dst, byte(acc))
				acc >>= 8
			}
		}
	}
	return dst
}
