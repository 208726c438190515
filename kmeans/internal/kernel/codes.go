package kernel

import (
	"fmt"
	"math"
)

// CodeGroup is how many rows of codes lie together. Columns of a group follow each other.
const CodeGroup = 64

// ByteValues is the largest number of values that a code of one byte tells apart.
const ByteValues = 256

// Dictionary is the values that the codes of a column stand for.
type Dictionary struct {
	values []float32
	// planes are the first bytes of all values, then the second and so on, as processors look them up; nil: not of bytes.
	planes []byte
}

// PlaneBytes is the room that a Dictionary of codes of a byte wants to be looked up in.
const PlaneBytes = 4 * ByteValues

// NewDictionary takes up to ByteValues values for codes of a byte, or up to 65,536 for codes of two.
func NewDictionary(values []float32) *Dictionary {
	t := new(Dictionary)
	t.Use(values, make([]byte, PlaneBytes))
	return t
}

// Use makes a Dictionary of values, which it keeps, in room of PlaneBytes that it keeps where it has use for it.
func (t *Dictionary) Use(values []float32, room []byte) {
	if len(values) < 1 || len(values) > math.MaxUint16+1 {
		panic(fmt.Sprintf("kernel: a dictionary of %d values", len(values)))
	}
	*t = Dictionary{values: values}
	if t.Width() == 1 {
		t.planes = room[:PlaneBytes:PlaneBytes]
		for code, v := range values {
			for p, bits := 0, math.Float32bits(v); p < 4; p, bits = p+1, bits>>8 {
				t.planes[p*ByteValues+code] = byte(bits)
			}
		}
	}
}

// Width is the size of a code in bytes, 1 or 2.
func (t *Dictionary) Width() int { return CodeWidth(len(t.values)) }

// CodeWidth is the size in bytes of codes that tell so many values apart.
func CodeWidth(values int) int {
	if values <= ByteValues {
		return 1
	}
	return 2
}

// Values are the values of codes 0, 1, ….
func (t *Dictionary) Values() []float32 { return t.values }

// codePlace is where the code of a group's row lies in it. Bytes are in the order that makes four instructions of eight
// unpackings: place 16·l + 4·q + i is row 16·q + 4·l + i. Those of two bytes are in the order of rows.
func codePlace(width, row int) int {
	if width == 2 {
		return row
	}
	return row&3 | row>>4&3<<2 | row>>2&3<<4
}

// PutCodes writes the codes of a column's rows, up to CodeGroup of them, to a group of it. What is behind them is code 0.
func (t *Dictionary) PutCodes(codes []uint16, group []byte) {
	width := t.Width()
	clear(group[:width*CodeGroup])
	for row, c := range codes {
		place := codePlace(width, row)
		if width == 1 {
			group[place] = byte(c)
			continue
		}
		group[2*place], group[2*place+1] = byte(c), byte(c>>8)
	}
}

// Widen writes the values of a column of groups, which begins with its first group's codes; stride is the size of a group. They
// go to column c of blocks of d columns, four blocks a group.
func (t *Dictionary) Widen(tier Tier, codes []byte, stride, groups int, blocks []float32, d, c int) {
	width := t.Width()
	if groups < 1 {
		return
	}
	if c < 0 || c >= d || len(codes) < (groups-1)*stride+width*CodeGroup || len(blocks) < groups*CodeGroup*d {
		panic(fmt.Sprintf("kernel: %d groups of codes of %d bytes for column %d of %d of %d values", groups, len(codes), c, d, len(blocks)))
	}
	if width == 1 && tier.looksUp() {
		t.widenSIMD(codes, stride, groups, blocks, d, c)
		return
	}
	for g := range groups {
		group, out := codes[g*stride:][:width*CodeGroup], blocks[(g*CodeGroup*d)+c*Lanes:]
		if width == 1 {
			t.widenBytes((*[CodeGroup]byte)(group), out, d)
		} else {
			t.widenWords(group, out, d)
		}
	}
}

func (t *Dictionary) widenBytes(codes *[CodeGroup]byte, out []float32, d int) {
	var values [ByteValues]float32
	table := &values
	if len(t.values) == ByteValues {
		table = (*[ByteValues]float32)(t.values)
	} else {
		copy(values[:], t.values)
	}
	for q := range CodeGroup / Lanes {
		block := (*[Lanes]float32)(out[q*d*Lanes:])
		for l := range 4 {
			four := (*[4]byte)(codes[16*l+4*q:])
			block[4*l], block[4*l+1], block[4*l+2], block[4*l+3] = table[four[0]], table[four[1]], table[four[2]], table[four[3]]
		}
	}
}

func (t *Dictionary) widenWords(codes []byte, out []float32, d int) {
	for q := range CodeGroup / Lanes {
		block := (*[Lanes]float32)(out[q*d*Lanes:])
		words := codes[2*q*Lanes:][:2*Lanes]
		for i := range block {
			block[i] = t.values[uint16(words[2*i])|uint16(words[2*i+1])<<8]
		}
	}
}
