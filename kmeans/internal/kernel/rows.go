package kernel

import (
	"fmt"
	"math/bits"
)

// The functions of this file work on listed rows: those that are left of a span, and those that move.

// ListPad is how many values behind the listed rows List may write.
const ListPad = Lanes

// List writes the numbers of the marked rows to rows, which has room for them and ListPad more, and returns how many they
// are. Row i of block b has the number 16·b + i.
func List(tier Tier, masks []uint16, rows []int32) int {
	total := 0
	for _, m := range masks {
		total += bits.OnesCount16(m)
	}
	if len(rows) < total+ListPad {
		panic(fmt.Sprintf("kernel: List of %d rows with room for %d", total, len(rows)))
	}
	if total == 0 {
		return 0
	}
	if tier == AVX512 {
		return listSIMD(masks, rows)
	}
	n := 0
	for b, mask := range masks {
		for ; mask != 0; mask &= mask - 1 {
			rows[n] = int32(b*Lanes + bits.TrailingZeros16(mask))
			n++
		}
	}
	return n
}

// Gather copies the listed rows of blocks of d coordinates to dst, in order and in the layout of blocks. rows holds whole
// blocks of numbers: the caller repeats one to fill the last.
func Gather(tier Tier, blocks []float32, d int, rows []int32, dst []float32) {
	if d < 1 || len(rows)%Lanes != 0 || len(dst) < len(rows)*d {
		panic(fmt.Sprintf("kernel: Gather of %d rows of %d coordinates to %d values", len(rows), d, len(dst)))
	}
	most := len(blocks) / d
	for _, r := range rows {
		if uint(r) >= uint(most) {
			panic(fmt.Sprintf("kernel: Gather of row %d of %d", r, most))
		}
	}
	if len(rows) == 0 {
		return
	}
	if tier == AVX512 {
		gatherSIMD(blocks, d, rows, dst)
		return
	}
	for at, r := range rows {
		from := blocks[int(r)/Lanes*Lanes*d+int(r)%Lanes:]
		to := dst[at/Lanes*Lanes*d+at%Lanes:]
		for t := range d {
			to[t*Lanes] = from[t*Lanes]
		}
	}
}

// Label makes the indexes of rows their labels.
func Label(tier Tier, index []int32, labels []uint16) {
	if len(labels) != len(index) {
		panic(fmt.Sprintf("kernel: %d labels for %d indexes", len(labels), len(index)))
	}
	if blocks := len(index) / Lanes; tier == AVX512 && blocks > 0 {
		labelSIMD(index, labels, blocks)
		index, labels = index[blocks*Lanes:], labels[blocks*Lanes:]
	}
	for i, j := range index {
		labels[i] = uint16(j)
	}
}

// Ledger is integer sums of coordinates by cluster: what rows add to and take from.
type Ledger struct {
	D       int
	Units   []float64 // by coordinate, padded with zeros to LedgerStride: a value times it is an integer below 2^39
	Sums    []int64   // k lines of LedgerStride(d) values
	Counts  []int64   // k
	Touched []bool    // k: clusters that rows were added to or taken from
}

// LedgerStride is the length of a cluster's line of sums.
func LedgerStride(d int) int { return (d + 7) / 8 * 8 }

func (l *Ledger) check(k int) {
	stride := LedgerStride(l.D)
	if l.D < 1 || len(l.Units) < stride || len(l.Sums) < k*stride || len(l.Counts) < k || len(l.Touched) < k {
		panic(fmt.Sprintf("kernel: a ledger of %d coordinates with %d units, %d sums, %d counts", l.D, len(l.Units), len(l.Sums), len(l.Counts)))
	}
}

// Move takes each listed row out of the cluster of its label and puts it into that of its index, which becomes its label.
// Labels and indexes are by row and below k.
func (l *Ledger) Move(tier Tier, blocks []float32, rows []int32, labels []uint16, index []int32) {
	k, most := len(l.Counts), min(len(blocks)/l.D, len(labels), len(index))
	l.check(k)
	for _, r := range rows {
		if uint(r) >= uint(most) || int(labels[r]) >= k || uint(index[r]) >= uint(k) {
			panic(fmt.Sprintf("kernel: Move of row %d of %d, or of a label that is none of %d", r, most, k))
		}
	}
	if len(rows) == 0 {
		return
	}
	if tier == AVX512 {
		l.moveSIMD(blocks, rows, labels, index)
		return
	}
	d, stride := l.D, LedgerStride(l.D)
	for _, r := range rows {
		from, to := int(labels[r]), int(index[r])
		labels[r] = uint16(to)
		l.Counts[from]--
		l.Counts[to]++
		l.Touched[from], l.Touched[to] = true, true
		x := blocks[int(r)/Lanes*Lanes*d+int(r)%Lanes:]
		into, out := l.Sums[to*stride:][:d], l.Sums[from*stride:][:d]
		for t, unit := range l.Units[:d] {
			v := int64(float64(x[t*Lanes]) * unit)
			into[t] += v
			out[t] -= v
		}
	}
}

// Add puts all rows of whole blocks into the clusters of their indexes.
func (l *Ledger) Add(tier Tier, blocks []float32, index []int32) {
	k := len(l.Counts)
	l.check(k)
	if len(index)%Lanes != 0 || len(blocks) < len(index)*l.D {
		panic(fmt.Sprintf("kernel: Add of %d rows of %d coordinates from %d values", len(index), l.D, len(blocks)))
	}
	if len(index) == 0 {
		return
	}
	l.count(index)
	if tier == AVX512 {
		l.addSIMD(blocks, index)
		return
	}
	d, stride := l.D, LedgerStride(l.D)
	for b := 0; b < len(index); b += Lanes {
		var lines [Lanes]int
		for i, j := range index[b : b+Lanes] {
			lines[i] = int(j) * stride
		}
		for t, unit := range l.Units[:d] {
			lanes := (*[Lanes]float32)(blocks[(b*d)+t*Lanes:])
			into := l.Sums[t:]
			for i, v := range lanes {
				into[lines[i]] += int64(float64(v) * unit)
			}
		}
	}
}

// Fetch asks the processor for the listed rows of blocks of d coordinates, which the next call will read: they lie too far
// apart for it to see what comes, and so they come all at once. It changes nothing.
func Fetch(tier Tier, blocks []float32, d int, rows []int32) {
	if tier == Portable || len(rows) == 0 || d < 1 {
		return
	}
	fetchSIMD(blocks, d, rows)
}

// checkBelow panics at an index of k or more.
func checkBelow(index []int32, k uint32) {
	most := uint32(0)
	for _, j := range index {
		most = max(most, uint32(j))
	}
	if most >= k {
		panic(fmt.Sprintf("kernel: Add to cluster %d of %d", most, k))
	}
}

// countLimit is up to how many clusters rows are counted in four places, since the next row often has the same one.
const countLimit = 128

// count counts whole blocks of rows by cluster. It panics at an index that is none, which assembly would turn into a stray
// write.
func (l *Ledger) count(index []int32) {
	k := uint32(len(l.Counts))
	if k > countLimit {
		checkBelow(index, k)
		for _, j := range index {
			l.Counts[j]++
			l.Touched[j] = true
		}
		return
	}
	var places [4][countLimit]int64
	seen := uint32(0) // all bits of all indexes: where that is the number of a cluster, all of them are
	for rest := index; len(rest) >= 4; rest = rest[4:] {
		four := (*[4]int32)(rest)
		places[0][uint32(four[0])%countLimit]++
		places[1][uint32(four[1])%countLimit]++
		places[2][uint32(four[2])%countLimit]++
		places[3][uint32(four[3])%countLimit]++
		seen |= uint32(four[0]|four[1]) | uint32(four[2]|four[3])
	}
	if seen >= k {
		checkBelow(index, k)
	}
	for j := range l.Counts {
		if n := places[0][j] + places[1][j] + places[2][j] + places[3][j]; n > 0 {
			l.Counts[j] += n
			l.Touched[j] = true
		}
	}
}
