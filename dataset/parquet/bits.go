package parquet

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// errValues means that a page has fewer values than its header gives.
var errValues = errors.New("the page holds fewer values than its header gives")

// hybrid decodes Parquet's mix of run-length and bit-packed runs, a piece at a time.
// https://parquet.apache.org/docs/file-format/data-pages/encodings/#RLE
type hybrid struct {
	data   []byte // what follows the current run
	width  uint   // bits of a value, at most 32
	run    int    // values left in the current run
	packed []byte // the current run's bytes if it is bit-packed, else nil
	at     int    // values taken from packed
	value  uint32 // the current run's value if it is run-length encoded
}

func newHybrid(data []byte, width uint) (hybrid, error) {
	if width > 32 {
		return hybrid{}, fmt.Errorf("values of %d bits", width)
	}
	return hybrid{data: data, width: width}, nil
}

// next opens the next run that holds any values.
func (h *hybrid) next() error {
	for h.run == 0 {
		header, n := binary.Uvarint(h.data)
		if n <= 0 {
			return errValues
		}
		before := h.data
		h.data = h.data[n:]
		if header&1 == 1 {
			h.openPacked(header >> 1)
		} else if err := h.openRun(header >> 1); err != nil {
			h.data = before // who asks again meets the same damage, not what stands behind it
			return err
		}
	}
	return nil
}

func (h *hybrid) openPacked(groups uint64) {
	h.at = 0
	if h.width == 0 {
		h.packed, h.value = nil, 0
		h.run = clampCount(groups * 8)
		return
	}
	// Some writers leave out the padding of the last group.
	size := min(groups, uint64(len(h.data))) * uint64(h.width)
	size = min(size, uint64(len(h.data)))
	h.packed, h.data = h.data[:size:size], h.data[size:]
	h.run = int(min(size*8/uint64(h.width), groups*8))
}

func (h *hybrid) openRun(count uint64) error {
	size := int(h.width+7) / 8
	if len(h.data) < size {
		return errValues
	}
	h.packed, h.value = nil, 0
	for i := range size {
		h.value |= uint32(h.data[i]) << (8 * i)
	}
	if h.width < 32 && h.value>>h.width != 0 {
		return fmt.Errorf("the value %d needs more than %d bits", h.value, h.width)
	}
	h.data, h.run = h.data[size:], clampCount(count)
	return nil
}

func clampCount(n uint64) int { return int(min(n, math.MaxInt32)) }

// constant consumes n values if they all come from one run-length run, and gives their value.
func (h *hybrid) constant(n int) (uint32, bool) {
	if h.next() != nil || h.packed != nil || h.run < n {
		return 0, false
	}
	h.run -= n
	return h.value, true
}

// skipConstant consumes n values if they all come from one run of that value.
func (h *hybrid) skipConstant(n int, value uint32) bool {
	if h.next() != nil || h.packed != nil || h.run < n || h.value != value {
		return false
	}
	h.run -= n
	return true
}

// pull decodes the next len(dst) values.
func (h *hybrid) pull(dst []uint32) error {
	for len(dst) > 0 {
		if err := h.next(); err != nil {
			return err
		}
		n := min(h.run, len(dst))
		if h.packed == nil {
			for i := range dst[:n] {
				dst[i] = h.value
			}
		} else {
			unpack(dst[:n], h.packed, h.at, h.width)
			h.at += n
		}
		h.run -= n
		dst = dst[n:]
	}
	return nil
}

// unpack decodes values of width bits (1 to 32) from position at. The caller has seen that they are there.
func unpack(dst []uint32, packed []byte, at int, width uint) {
	mask := uint64(1)<<width - 1
	bit := uint(at) * width
	i := 0
	for ; i < len(dst); i++ {
		b := bit >> 3
		if b+8 > uint(len(packed)) {
			break
		}
		dst[i] = uint32(binary.LittleEndian.Uint64(packed[b:]) >> (bit & 7) & mask)
		bit += width
	}
	for ; i < len(dst); i++ {
		dst[i] = uint32(bitsAt(packed, bit, width))
		bit += width
	}
}

// bitsAt is the value of width bits (up to 64) at a bit position, near the end of the bytes.
func bitsAt(packed []byte, bit, width uint) uint64 {
	v, got := uint64(0), uint(0)
	for b, shift := bit>>3, bit&7; got < width; b++ {
		v |= uint64(packed[b]>>shift) << got
		got += 8 - shift
		shift = 0
	}
	if width < 64 {
		v &= 1<<width - 1
	}
	return v
}
