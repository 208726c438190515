package kmeans

import (
	"encoding/binary"
	"fmt"
	"math/bits"

	"github.com/coterie-project/coterie/internal/exact"
)

// maxWidth is the bytes of an exact.Int128.
const maxWidth = 16

// PackedSums are Sums as they travel: integers of two's complement, little endian, in as many bytes as the largest of
// them needs. A million rows of 40-bit grid units need 8 of the 16 bytes that memory gives them.
type PackedSums struct {
	K, D    int
	Width   int    // bytes of each integer in Weights and Values, 1 to 16
	Counts  []byte // k integers of 8 bytes
	Weights []byte // k integers; empty where rows are not weighted
	Values  []byte // k×d integers, row-major
}

// Pack packs the sums in the smallest width that holds all of them.
func (s *Sums) Pack() *PackedSums {
	p := &PackedSums{K: s.K, D: s.D, Width: packedWidth(s.Weights, s.Values), Counts: make([]byte, 0, 8*s.K)}
	for _, n := range s.Counts {
		p.Counts = binary.LittleEndian.AppendUint64(p.Counts, uint64(n))
	}
	p.Weights, p.Values = pack(s.Weights, p.Width), pack(s.Values, p.Width)
	return p
}

// packedWidth is the least number of bytes that holds every integer with its sign.
func packedWidth(lists ...[]exact.Int128) int {
	var hi, lo uint64
	for _, list := range lists {
		for _, v := range list {
			sign := uint64(v.Hi >> 63)
			hi |= uint64(v.Hi) ^ sign
			lo |= v.Lo ^ sign
		}
	}
	significant := bits.Len64(lo)
	if hi != 0 {
		significant = 64 + bits.Len64(hi)
	}
	return significant/8 + 1 // one more bit is the sign
}

// pack writes whole integers, each over the bytes that the one before did not need.
func pack(list []exact.Int128, width int) []byte {
	if len(list) == 0 {
		return nil
	}
	room, at := make([]byte, len(list)*width+maxWidth), 0
	for _, v := range list {
		b := room[at:][:maxWidth]
		binary.LittleEndian.PutUint64(b, v.Lo)
		binary.LittleEndian.PutUint64(b[8:], uint64(v.Hi))
		at += width
	}
	return room[:at:at]
}

// Weighted says whether the sums are of weighted rows.
func (p *PackedSums) Weighted() bool { return len(p.Weights) > 0 }

// Validate checks the lengths; the error is ErrShape. What passes can be merged into Sums of the same shape.
func (p *PackedSums) Validate() error {
	switch {
	case p.K < 1 || p.K > MaxClusters || p.D < 0 || p.Width < 1 || p.Width > maxWidth,
		len(p.Counts) != 8*p.K,
		len(p.Weights) != 0 && len(p.Weights) != p.K*p.Width,
		len(p.Values)%p.Width != 0 || len(p.Values)/p.Width%p.K != 0 || len(p.Values)/p.Width/p.K != p.D:
		return fmt.Errorf("%w: packed sums of %d×%d, %d bytes each, with %d, %d and %d bytes", ErrShape, p.K, p.D, p.Width,
			len(p.Counts), len(p.Weights), len(p.Values))
	}
	return nil
}

// Unpack makes Sums of packed ones. The error is that of Validate.
func (p *PackedSums) Unpack() (*Sums, error) {
	if err := p.Validate(); err != nil {
		return nil, err
	}
	s := NewSums(p.K, p.D, p.Weighted())
	return s, s.MergePacked(p)
}

// MergePacked adds p's rows as Merge does, without unpacking them first. The error is ErrShape, with nothing added.
func (s *Sums) MergePacked(p *PackedSums) error { return s.MergePackedRange(p, 0, s.K) }

// MergePackedRange adds p's clusters [lo,hi) alone: disjoint ranges may be added by different goroutines.
func (s *Sums) MergePackedRange(p *PackedSums, lo, hi int) error {
	if err := s.takes(p, lo, hi); err != nil {
		return err
	}
	s.mergeHeads(p, lo, hi)
	from, to := lo*s.D, hi*s.D
	addPacked(s.Values[from:to], p.Values[from*p.Width:to*p.Width], p.Width)
	return nil
}

// takes says whether p's clusters [lo,hi) can be added.
func (s *Sums) takes(p *PackedSums, lo, hi int) error {
	if err := p.Validate(); err != nil {
		return err
	}
	if p.K != s.K || p.D != s.D || p.Weighted() != (s.Weights != nil) || lo < 0 || hi < lo || hi > s.K {
		return fmt.Errorf("%w: clusters %d to %d of packed sums of %d×%d into %d×%d", ErrShape, lo, hi, p.K, p.D, s.K, s.D)
	}
	return nil
}

// mergeHeads adds the rows and weights of p's clusters [lo,hi), without their values.
func (s *Sums) mergeHeads(p *PackedSums, lo, hi int) {
	for j := lo; j < hi; j++ {
		s.Counts[j] += int64(binary.LittleEndian.Uint64(p.Counts[8*j:]))
	}
	if p.Weighted() {
		addPacked(s.Weights[lo:hi], p.Weights[lo*p.Width:hi*p.Width], p.Width)
	}
}

// addPacked adds len(dst) integers of a width. The two widths that sums usually have come with loops of their own.
func addPacked(dst []exact.Int128, src []byte, width int) {
	switch {
	case width == 8:
		addWords(dst, src)
	case width == maxWidth:
		addPairs(dst, src)
	case width < 8:
		addNarrow(dst, src, width)
	default:
		addWide(dst, src, width)
	}
}

func addWords(dst []exact.Int128, src []byte) {
	for len(dst) >= 4 && len(src) >= 32 {
		a, b := (*[4]exact.Int128)(dst), (*[32]byte)(src)
		a[0] = a[0].AddInt64(int64(binary.LittleEndian.Uint64(b[0:])))
		a[1] = a[1].AddInt64(int64(binary.LittleEndian.Uint64(b[8:])))
		a[2] = a[2].AddInt64(int64(binary.LittleEndian.Uint64(b[16:])))
		a[3] = a[3].AddInt64(int64(binary.LittleEndian.Uint64(b[24:])))
		dst, src = dst[4:], src[32:]
	}
	for i := range dst {
		dst[i] = dst[i].AddInt64(int64(binary.LittleEndian.Uint64(src[8*i:])))
	}
}

func addPairs(dst []exact.Int128, src []byte) {
	for len(dst) >= 2 && len(src) >= 32 {
		a, b := (*[2]exact.Int128)(dst), (*[32]byte)(src)
		a[0] = a[0].Add(exact.Int128{Lo: binary.LittleEndian.Uint64(b[0:]), Hi: int64(binary.LittleEndian.Uint64(b[8:]))})
		a[1] = a[1].Add(exact.Int128{Lo: binary.LittleEndian.Uint64(b[16:]), Hi: int64(binary.LittleEndian.Uint64(b[24:]))})
		dst, src = dst[2:], src[32:]
	}
	if len(dst) > 0 {
		dst[0] = dst[0].Add(exact.Int128{Lo: binary.LittleEndian.Uint64(src), Hi: int64(binary.LittleEndian.Uint64(src[8:]))})
	}
}

// addNarrow takes widths below 8: a word is loaded whole, and what belongs to the next integers is shifted out.
func addNarrow(dst []exact.Int128, src []byte, width int) {
	shift := uint(64-8*width) & 63
	whole := func(b []byte) int64 { return int64(binary.LittleEndian.Uint64(b)<<shift) >> shift }
	for len(dst) >= 4 && len(src) >= 3*width+8 {
		a := (*[4]exact.Int128)(dst)
		a[0] = a[0].AddInt64(whole(src))
		a[1] = a[1].AddInt64(whole(src[width:]))
		a[2] = a[2].AddInt64(whole(src[2*width:]))
		a[3] = a[3].AddInt64(whole(src[3*width:]))
		dst, src = dst[4:], src[4*width:]
	}
	for i := range dst { // the last few have no whole word behind them
		var word [8]byte
		copy(word[:], src[:width])
		dst[i] = dst[i].AddInt64(whole(word[:]))
		src = src[width:]
	}
}

// addWide takes widths from 9 to 15: the high word ends with the integer, and what it shares with the low one is
// shifted out.
func addWide(dst []exact.Int128, src []byte, width int) {
	shift := uint(8*(maxWidth-width)) & 63
	whole := func(b []byte) exact.Int128 {
		return exact.Int128{Lo: binary.LittleEndian.Uint64(b), Hi: int64(binary.LittleEndian.Uint64(b[width-8:])) >> shift}
	}
	for len(dst) >= 2 && len(src) >= 2*width {
		a := (*[2]exact.Int128)(dst)
		a[0] = a[0].Add(whole(src))
		a[1] = a[1].Add(whole(src[width:]))
		dst, src = dst[2:], src[2*width:]
	}
	if len(dst) > 0 {
		dst[0] = dst[0].Add(whole(src))
	}
}
