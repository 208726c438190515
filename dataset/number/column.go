package number

import (
	"encoding/binary"
	"math"
	"math/bits"
)

// Lead is how many bytes of the text, whatever they are, must lie before the first field given to Column.
const Lead = 24

// window is the longest number, without its sign, that columnPlain and columnVector read.
const window = 16

// Column parses fields that lie at regular steps: field i is text[ends[i*step]+1 : ends[i*step+1]], between two
// delimiters. It stores them in dst, which says how many there are, up to the first that is not a plain decimal number
// of common length, and returns how many it stored. Scan and Parse know the others. Before the first field lie at least
// Lead bytes of text.
//
// Values are the nearest float64.
func Column(dst []float64, text []byte, ends []uint32, step int) int {
	for i := 0; i < len(dst); {
		if vectors {
			i += columnVector(dst[i:], text, ends[i*step:], step)
		} else {
			i += columnPlain(dst[i:], text, ends[i*step:], step)
		}
		if i == len(dst) {
			break
		}
		long := columnLong(dst[i:], text, ends[i*step:], step)
		if long == 0 {
			return i
		}
		i += long
	}
	return len(dst)
}

// columnPlain is Column for numbers of at most 16 characters behind the sign, in plain Go.
//
// At most 15 digits with a point are an integer below 2^53 over a power of ten that is exact too, so that the division
// rounds once.
//
// The lengths of numbers cannot be predicted and a wrong guess costs as much as a whole number does, so there is no branch
// on them: the 16 bytes up to the field's end are taken as they are and what is not of the field is masked off.
func columnPlain(dst []float64, text []byte, ends []uint32, step int) int {
	at := 0
	for i := range dst {
		from, to := int(ends[at])+1, int(ends[at+1])
		at += step
		negative := uint64(0)
		if text[from] == '-' {
			negative = 1
		}
		n := to - from - int(negative)
		if uint(n-1) >= window {
			return i
		}
		keep := &keeps[n]
		tail := text[to-window : to]
		high := (binary.LittleEndian.Uint64(tail) ^ zeroDigits) & keep.high // the digits of greater weight
		low := (binary.LittleEndian.Uint64(tail[8:]) ^ zeroDigits) & keep.low
		otherHigh, otherLow := others(high), others(low)
		if otherHigh|otherLow == 0 {
			value := float64(int64(eightDigits(high)*1e8 + eightDigits(low)))
			dst[i] = math.Float64frombits(math.Float64bits(value) | negative<<63)
			continue
		}
		places := bits.LeadingZeros64(otherLow)
		if otherLow == 0 {
			places = 64 + bits.LeadingZeros64(otherHigh)
		}
		p := &points[places/8]
		// One character is no digit, and it is the point.
		if otherHigh != p.otherHigh || otherLow != p.otherLow || text[to-1-places/8] != '.' || n == 1 {
			return i
		}
		// The digits before the point move up to those behind it.
		beforeHigh, beforeLow := high&p.beforeHigh, low&p.beforeLow
		low = low&p.behindLow | beforeLow<<8 | beforeHigh>>56
		high = high&p.behindHigh | beforeHigh<<8
		value := float64(int64(eightDigits(high)*1e8+eightDigits(low))) / p.ten
		dst[i] = math.Float64frombits(math.Float64bits(value) | negative<<63)
	}
	return len(dst)
}

// stay is the shortest number that does not end a run of long ones: those of 15 digits come between those of 17.
const stay = 12

// columnLong is Column for numbers of more than 16 characters behind the sign, with at most 8 digits before a point and 19
// digits in all besides a zero that they begin with. Programs write float64 values so.
func columnLong(dst []float64, text []byte, ends []uint32, step int) int {
	at := 0
	for i := range dst {
		from, to := int(ends[at])+1, int(ends[at+1])
		at += step
		negative := uint64(0)
		if text[from] == '-' {
			negative = 1
		}
		from += int(negative)
		if length := to - from; length <= window && (i == 0 || length < stay) {
			return i
		}
		first := binary.LittleEndian.Uint64(text[from:to]) ^ zeroDigits
		before := bits.TrailingZeros64(others(first)) / 8
		places := to - from - before - 1
		digits := before + places
		if digits == 20 && before > 0 && text[from] == '0' {
			digits--
		}
		if digits > 19 || places < 1 || text[from+before] != '.' {
			return i
		}
		keep := &keeps[min(places, window)]
		tail := text[to-window : to]
		high := (binary.LittleEndian.Uint64(tail) ^ zeroDigits) & keep.high
		low := (binary.LittleEndian.Uint64(tail[8:]) ^ zeroDigits) & keep.low
		bad := others(high) | others(low)
		whole := eightDigits(first << (64 - 8*before)) // of no digits: nothing is left
		significand := whole*wholeTens[places] + eightDigits(high)*1e8 + eightDigits(low)
		if places > window {
			top := (binary.LittleEndian.Uint64(text[to-24:]) ^ zeroDigits) & lastBytes(places-window)
			bad |= others(top)
			significand += eightDigits(top) * 1e16
		}
		if bad != 0 {
			return i
		}
		value := 0.0
		if significand > 0 {
			value = quotient(significand, wholeTens[places])
		}
		dst[i] = math.Float64frombits(math.Float64bits(value) | negative<<63)
	}
	return len(dst)
}

const (
	zeroDigits = 0x3030303030303030
	pointMark  = 0x30 // what others makes of a point
)

// others marks the bytes of x, characters less '0', that are no digits: some bits of the upper half of each are set. A byte
// of 0xFA or more may carry into the next and mark that too.
func others(x uint64) uint64 { return ((x + 0x0606060606060606) | x) & 0xF0F0F0F0F0F0F0F0 }

// keeps[n] masks off all but the last n of 16 bytes, which are two words: low holds the last eight.
var keeps = func() (table [window + 1]struct{ high, low uint64 }) {
	for n := range table {
		table[n].high, table[n].low = lastBytes(n-8), lastBytes(n)
	}
	return table
}()

// point says for a number of places behind the decimal point which bytes of two words are before the point and behind it.
type point struct {
	beforeHigh, beforeLow uint64
	behindHigh, behindLow uint64
	otherHigh, otherLow   uint64
	ten                   float64
}

var points = func() (table [window]point) {
	for places := range table {
		high, low := lastBytes(places-8), lastBytes(places)
		table[places] = point{
			beforeHigh: ^lastBytes(places + 1 - 8), beforeLow: ^lastBytes(places + 1), behindHigh: high, behindLow: low,
			ten: exactTens[places],
		}
		p := &table[places]
		p.otherHigh = ^(p.beforeHigh | high) & (eachByte * pointMark)
		p.otherLow = ^(p.beforeLow | low) & (eachByte * pointMark)
	}
	return table
}()

const eachByte = 0x0101010101010101

// lastBytes has all bits of the last n of eight bytes set, which in memory are the bytes of greatest weight.
func lastBytes(n int) uint64 {
	switch {
	case n <= 0:
		return 0
	case n >= 8:
		return ^uint64(0)
	}
	return ^uint64(0) << (64 - 8*n)
}
