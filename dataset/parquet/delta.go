package parquet

import (
	"encoding/binary"
	"fmt"
)

// delta decodes DELTA_BINARY_PACKED integers, a piece at a time.
// https://parquet.apache.org/docs/file-format/data-pages/encodings/#DELTAENC
type delta struct {
	data     []byte // what follows the current miniblock
	perMini  int    // values of a miniblock
	minis    int    // miniblocks of a block
	left     uint64 // values still to come, the first value included
	value    int64
	started  bool   // the first value has been given
	minDelta int64  // of the current block
	widths   []byte // of the current block's miniblocks still to come
	packed   []byte // the current miniblock
	width    uint
	at, mini int // values taken from and held by the current miniblock
}

const maxDeltaBlock = 1 << 16

// newDelta reads the header of a section.
func newDelta(data []byte) (delta, error) {
	d := delta{data: data}
	block, err := d.uvarint()
	minis, err2 := d.uvarint()
	left, err3 := d.uvarint()
	first, err4 := d.uvarint()
	if err != nil || err2 != nil || err3 != nil || err4 != nil {
		return d, errValues
	}
	if block == 0 || block > maxDeltaBlock || minis == 0 || minis > block/8 || block%minis != 0 || block/minis%8 != 0 {
		return d, fmt.Errorf("a delta block of %d values in %d parts", block, minis)
	}
	d.perMini, d.minis, d.left = int(block/minis), int(minis), left
	d.value = zigzag(first)
	return d, nil
}

func zigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

func (d *delta) uvarint() (uint64, error) {
	v, n := binary.Uvarint(d.data)
	if n <= 0 {
		return 0, errValues
	}
	d.data = d.data[n:]
	return v, nil
}

// next opens the next miniblock.
func (d *delta) next() error {
	if len(d.widths) == 0 {
		u, err := d.uvarint()
		if err != nil || len(d.data) < d.minis {
			return errValues
		}
		d.minDelta = zigzag(u)
		d.widths, d.data = d.data[:d.minis], d.data[d.minis:]
	}
	d.width = uint(d.widths[0])
	d.widths = d.widths[1:]
	if d.width > 64 {
		return fmt.Errorf("delta values of %d bits", d.width)
	}
	d.at, d.mini = 0, int(min(uint64(d.perMini), d.left))
	size := d.perMini * int(d.width) / 8
	// The last miniblock may lack its padding, but not its values.
	if need := (d.mini*int(d.width) + 7) / 8; len(d.data) < need {
		return errValues
	}
	size = min(size, len(d.data))
	d.packed, d.data = d.data[:size], d.data[size:]
	return nil
}

// pull decodes the next len(dst) values.
func (d *delta) pull(dst []int64) error {
	if uint64(len(dst)) > d.left {
		return errValues
	}
	for i := range dst {
		if !d.started {
			d.started = true
		} else {
			if d.at == d.mini {
				if err := d.next(); err != nil {
					return err
				}
			}
			d.value += d.minDelta + int64(d.bits())
			d.at++
		}
		d.left--
		dst[i] = d.value
	}
	return nil
}

// bits is the packed value at position at.
func (d *delta) bits() uint64 {
	if d.width == 0 {
		return 0
	}
	bit := uint(d.at) * d.width
	if b := bit >> 3; d.width <= 56 && b+8 <= uint(len(d.packed)) {
		return binary.LittleEndian.Uint64(d.packed[b:]) >> (bit & 7) & (1<<d.width - 1)
	}
	return bitsAt(d.packed, bit, d.width)
}

// rest is what follows the section: its miniblocks are passed over without decoding them.
func (d delta) rest() ([]byte, error) {
	if d.left > 0 && !d.started {
		d.left-- // the first value lies in the header
	}
	for d.left > 0 {
		if err := d.next(); err != nil {
			return nil, err
		}
		d.left -= uint64(d.mini)
	}
	return d.data, nil
}
