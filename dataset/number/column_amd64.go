package number

import "golang.org/x/sys/cpu"

// vectors says whether the processor has what columnAVX needs.
var vectors = cpu.X86.HasAVX2

//go:noescape
func columnAVX(dst *float64, n int, text *byte, length int, ends *uint32, step int, tables *vectorTables) int

// columnVector is Column by vector instructions, which take the 16 bytes of a number at once. It does not go beyond
// text, whatever the ends are, but it does beyond ends, of which there must be as many as fields ask for.
func columnVector(dst []float64, text []byte, ends []uint32, step int) int {
	_ = ends[(len(dst)-1)*step+1]
	return columnAVX(&dst[0], len(dst), &text[0], len(text), &ends[0], step, &vectorTable)
}

// vectorTables are the constants of columnAVX, at the places it knows.
type vectorTables struct {
	zero, point, nine [16]byte
	tens              [16]byte
	hundreds          [8]int16
	myriads           [8]int16
	keep              [window + 1][16]byte // by the bytes before the number: all bits of the number's bytes set
	join              [window + 1][16]byte // by the place of the point: where each byte is taken from, 0x80: nowhere
	ten               [window + 1]float64  // likewise: the power of ten to divide by
}

var vectorTable = func() (t vectorTables) {
	for i := range 16 {
		t.zero[i], t.point[i], t.nine[i] = '0', '.', 9
		t.tens[i] = [2]byte{10, 1}[i%2]
	}
	for i := range 8 {
		t.hundreds[i], t.myriads[i] = [2]int16{100, 1}[i%2], [2]int16{10000, 1}[i%2]
	}
	for place := range t.keep {
		for i := range 16 {
			if i >= place {
				t.keep[place][i] = 0xFF
			}
			switch {
			case i > place || place == window:
				t.join[place][i] = byte(i)
			case i == 0:
				t.join[place][i] = 0x80
			default:
				t.join[place][i] = byte(i - 1)
			}
		}
		t.ten[place] = 1
		if place < window {
			t.ten[place] = exactTens[window-1-place]
		}
	}
	return t
}()
