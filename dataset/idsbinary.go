package dataset

import (
	"encoding/binary"
	"errors"
)

// errIDs is memory that AppendBinary has not written.
var errIDs = errors.New("these are no ids")

// AppendBinary appends the ids as they are held, for ParseIDs of the same program.
func (c *IDs) AppendBinary(dst []byte) []byte {
	if !c.text {
		dst = append(dst, 0)
		for _, v := range c.integers {
			dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
		}
		return dst
	}
	dst = append(dst, 1)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(len(c.ends)))
	for _, v := range c.ends {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(v))
	}
	return append(dst, c.data...)
}

// ParseIDs makes ids of what AppendBinary has written; texts lie in src. It refuses anything else.
func ParseIDs(src []byte) (*IDs, error) {
	if len(src) == 0 {
		return nil, errIDs
	}
	kind, src := src[0], src[1:]
	if kind == 0 && len(src)%8 == 0 {
		return &IDs{integers: integersIn(src)}, nil
	}
	if kind != 1 || len(src) < 8 {
		return nil, errIDs
	}
	n := binary.LittleEndian.Uint64(src)
	if src = src[8:]; n > uint64(len(src)/8) {
		return nil, errIDs
	}
	c := &IDs{text: true, ends: integersIn(src[:8*n]), data: src[8*n:]}
	last := int64(0)
	for _, end := range c.ends {
		if end < last || end > int64(len(c.data)) {
			return nil, errIDs
		}
		last = end
	}
	if last != int64(len(c.data)) {
		return nil, errIDs
	}
	return c, nil
}

func integersIn(src []byte) []int64 {
	list := make([]int64, len(src)/8)
	for i := range list {
		list[i] = int64(binary.LittleEndian.Uint64(src[8*i:]))
	}
	return list
}
