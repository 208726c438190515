package moves

import (
	"hash/maphash"

	"github.com/coterie-project/coterie/dataset"
)

// Sizes of buckets.
const (
	// bucketRows is the rows of all tables in a bucket, on average: its rows and the table to find them in stay within a
	// second-level cache.
	bucketRows = 1 << 14
	// maxBuckets bounds the places that rows are written to at once.
	maxBuckets = 1 << 12
	// A chunk of one thread, table and bucket has a quarter of the rows before it, within these bounds, so that little is
	// unused at the end.
	firstRows = 8
	chunkRows = 128
)

// entry is one row on its way. Its key is the id, or where the id's text begins in the text of its bucket. Its info is the
// number of the row, whether the id is text, and the segment.
type entry struct {
	key  int64
	info uint64
}

const (
	segmentBits = 16
	textBit     = 1 << segmentBits
	rowShift    = segmentBits + 1
)

func (e entry) row() int64   { return int64(e.info >> rowShift) }
func (e entry) segment() int { return int(e.info & (1<<segmentBits - 1)) }
func (e entry) text() bool   { return e.info&textBit != 0 }

// bucket is the rows of one table in one bucket that one thread has read.
type bucket struct {
	full   [][]entry
	rows   int // in full
	tail   []entry
	values []float64 // beside the entries, of a table of values
	text   []byte    // ids that are text, each behind its length
}

// scatterer is what one thread has read.
type scatterer struct {
	hasher
	shift   int
	buckets [sides][]bucket
	highest [sides]int // label
	texts   bool       // an id is not an integer
}

func newScatterer(j *join) *scatterer {
	s := &scatterer{hasher: j.hasher, shift: j.shift}
	for side := range s.buckets {
		if j.tables[side] != nil {
			s.buckets[side] = make([]bucket, j.buckets)
		}
		s.highest[side] = -1
	}
	return s
}

// add takes value i of a Block's ids.
func (s *scatterer) add(side int, id *dataset.Vector, i int, info uint64, value float64) {
	if id.Int64 != nil {
		s.addInteger(side, id.Int64[i], info, value)
		return
	}
	text := id.Text.At(i)
	if v, ok := dataset.PlainInteger(text); ok {
		s.addInteger(side, v, info, value)
		return
	}
	s.texts = true
	b := &s.buckets[side][s.text(text)>>s.shift]
	at := len(b.text)
	b.text = appendText(b.text, text)
	b.append(entry{int64(at), info | textBit}, side, value)
}

func (s *scatterer) addInteger(side int, id int64, info uint64, value float64) {
	s.buckets[side][s.integer(id)>>s.shift].append(entry{id, info}, side, value)
}

func (b *bucket) append(e entry, side int, value float64) {
	if len(b.tail) == cap(b.tail) {
		b.grow(side)
	}
	b.tail = append(b.tail, e)
	if side == valueSide {
		b.values = append(b.values, value)
	}
}

// grow begins a chunk.
func (b *bucket) grow(side int) {
	if b.tail != nil {
		b.full = append(b.full, b.tail)
		b.rows += len(b.tail)
	}
	b.tail = make([]entry, 0, max(firstRows, min(b.rows/4, chunkRows)))
	if side == valueSide && b.rows < 4*chunkRows { // beyond it append is as sparing
		b.values = append(make([]float64, 0, b.rows+cap(b.tail)), b.values...)
	}
}

// hasher spreads ids over 64 bits. It is another one in each join, so that nobody can choose ids that crowd one bucket.
type hasher struct {
	seed maphash.Seed
	salt uint64
}

func newHasher() hasher {
	seed := maphash.MakeSeed()
	return hasher{seed, maphash.Bytes(seed, nil)}
}

// integer is a bijection (the finaliser of SplitMix64; Steele, Lea, Flood 2014).
func (h hasher) integer(id int64) uint64 {
	x := uint64(id) + h.salt
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

func (h hasher) text(id []byte) uint64 { return maphash.Bytes(h.seed, id) }
