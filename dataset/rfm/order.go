package rfm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"

	"github.com/coterie-project/coterie/dataset"
)

// pointZero is what pandas appends to whole numbers in a column with gaps.
var pointZero = []byte(".0")

// spelling is what all ids of a set have in common.
type spelling struct {
	whole bool // whole numbers
	point bool // whole numbers with pointZero after them
	fits  bool // those that are numbers fit 64 bits
}

// anySpelling is the spelling of no id at all.
var anySpelling = spelling{true, true, true}

// see takes one more id into the set.
func (s *spelling) see(id []byte) {
	if !s.whole && !s.point {
		return
	}
	digits := bytes.TrimSuffix(id, pointZero)
	trimmed, whole := len(digits) < len(id), isWhole(digits)
	s.whole = s.whole && whole && !trimmed
	s.point = s.point && whole && trimmed
	if whole && s.fits {
		_, s.fits = dataset.PlainInteger(digits)
	}
}

// merge takes all ids of another set.
func (s *spelling) merge(o spelling) {
	*s = spelling{s.whole && o.whole, s.point && o.point, s.fits && o.fits}
}

// idOrder is how ids are sorted and written.
type idOrder struct {
	numbers bool // as numbers
	trim    bool // without pointZero
}

func (s spelling) order() idOrder {
	return idOrder{numbers: s.whole || s.point, trim: s.point && !s.whole}
}

// text is an id as it is written.
func (o idOrder) text(id []byte) []byte {
	if o.trim {
		return bytes.TrimSuffix(id, pointZero)
	}
	return id
}

// key is a number for an id, so that of two with different keys the one with the lower comes first.
func (o idOrder) key(id []byte) uint64 {
	if !o.numbers {
		var head [8]byte
		copy(head[:], id)
		return binary.BigEndian.Uint64(head[:])
	}
	v, fits := dataset.PlainInteger(o.text(id))
	switch {
	case fits:
		return orderedInt(v)
	case id[0] == '-':
		return 0
	}
	return math.MaxUint64
}

// compare is for two ids with the same key.
func (o idOrder) compare(a, b []byte) int {
	if o.numbers {
		return compareWhole(o.text(a), o.text(b))
	}
	return bytes.Compare(a, b)
}

// orderedInt and orderedFloat are numbers whose order is that of v.
func orderedInt(v int64) uint64 { return uint64(v) ^ 1<<63 }

func orderedFloat(v float64) uint64 {
	bits := math.Float64bits(v)
	if bits>>63 != 0 {
		return ^bits
	}
	return bits | 1<<63
}

// isWhole tells whether id is a whole number as a program writes it: no sign but a minus, no leading zero.
func isWhole(id []byte) bool {
	digits := bytes.TrimPrefix(id, []byte("-"))
	if len(digits) == 0 || digits[0] == '0' && len(id) > 1 {
		return false
	}
	for _, c := range digits {
		if !isDigit(c) {
			return false
		}
	}
	return true
}

// compareWhole compares whole numbers of any length.
func compareWhole(a, b []byte) int {
	minusA, minusB := a[0] == '-', b[0] == '-'
	switch {
	case minusA && minusB:
		return compareWhole(b[1:], a[1:])
	case minusA:
		return -1
	case minusB:
		return 1
	}
	if c := cmp.Compare(len(a), len(b)); c != 0 {
		return c
	}
	return bytes.Compare(a, b)
}
