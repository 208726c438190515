package kmeans

import "encoding/binary"

// Tally adds the packed sums of many workers to Sums. Integers of less than 8 bytes, which is what most sums are sent
// in, are first added up in 64 bits: that moves a third of the memory that adding each of them to 128 bits would, and
// a coordinator does little else.
type Tally struct {
	sums    *Sums
	pending []int64 // k×d values that are not in sums yet; nil before the first
	reach   uint64  // how far from 0 a pending value can be; at most tallyReach
}

// tallyReach is how far down an int64 reaches.
const tallyReach = 1 << 63

// NewTally adds to sums, which are whole again after Fold.
func NewTally(sums *Sums) *Tally { return &Tally{sums: sums} }

// Add adds p's rows. The error is ErrShape, with nothing added.
func (t *Tally) Add(p *PackedSums) error {
	if p.Width >= 8 || p.Width < 1 {
		return t.sums.MergePacked(p)
	}
	if err := t.sums.takes(p, 0, t.sums.K); err != nil {
		return err
	}
	// A value of w bytes lies between −2^(8w−1) and 2^(8w−1)−1.
	one := uint64(1) << (8*p.Width - 1)
	if t.reach > tallyReach-one {
		t.Fold()
	}
	if t.pending == nil {
		t.pending = make([]int64, len(t.sums.Values))
	}
	t.reach += one
	t.sums.mergeHeads(p, 0, t.sums.K)
	addNarrowWords(t.pending, p.Values, p.Width)
	return nil
}

// Fold brings what was added into the sums.
func (t *Tally) Fold() {
	if t.reach == 0 {
		return
	}
	t.reach = 0
	for i, v := range t.pending {
		t.sums.Values[i] = t.sums.Values[i].AddInt64(v)
	}
	clear(t.pending)
}

// addNarrowWords is addNarrow for sums that an int64 holds. The widths that most sums have come with loops of their own.
func addNarrowWords(dst []int64, src []byte, width int) {
	switch width {
	case 7:
		dst, src = addSevens(dst, src)
	case 6:
		dst, src = addSixes(dst, src)
	}
	shift := uint(64-8*width) & 63
	whole := func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)<<shift) >> shift }
	for ; len(src) >= 8; dst, src = dst[1:], src[width:] {
		dst[0] += whole(src)
	}
	for i := range dst { // the last few have no whole word behind them
		var word [8]byte
		copy(word[:], src[:width])
		dst[i] += whole(word[:])
		src = src[width:]
	}
}

// addSevens adds integers of 7 bytes, four at a time, and gives what is left.
func addSevens(dst []int64, src []byte) ([]int64, []byte) {
	for len(dst) >= 4 && len(src) >= 32 {
		a, b := (*[4]int64)(dst), (*[32]byte)(src)
		a[0] += int64(binary.LittleEndian.Uint64(b[0:])<<8) >> 8
		a[1] += int64(binary.LittleEndian.Uint64(b[7:])<<8) >> 8
		a[2] += int64(binary.LittleEndian.Uint64(b[14:])<<8) >> 8
		a[3] += int64(binary.LittleEndian.Uint64(b[21:])<<8) >> 8
		dst, src = dst[4:], src[28:]
	}
	return dst, src
}

// addSixes is addSevens for integers of 6 bytes.
func addSixes(dst []int64, src []byte) ([]int64, []byte) {
	for len(dst) >= 4 && len(src) >= 32 {
		a, b := (*[4]int64)(dst), (*[32]byte)(src)
		a[0] += int64(binary.LittleEndian.Uint64(b[0:])<<16) >> 16
		a[1] += int64(binary.LittleEndian.Uint64(b[6:])<<16) >> 16
		a[2] += int64(binary.LittleEndian.Uint64(b[12:])<<16) >> 16
		a[3] += int64(binary.LittleEndian.Uint64(b[18:])<<16) >> 16
		dst, src = dst[4:], src[24:]
	}
	return dst, src
}
