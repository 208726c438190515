package dataset

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sort"
)

// IDPart is the ids of a run of rows.
type IDPart struct {
	IDs *IDs
	Row func(i int) int64 // the global number of row i of the part; ascending
}

// Duplicate is an id that stands twice.
type Duplicate struct {
	ID           string
	First, Again int64 // global row numbers; First is the row where the id stood first
}

// Keep says which of the rows with one id stay.
type Keep int

// The choices.
const (
	KeepAll   Keep = iota // nothing is dropped: duplicates are only reported
	KeepFirst             // the row with the lowest number stays
	KeepLast              // the row with the highest number stays
)

// Duplicates finds rows whose id stands in an earlier row too. It reports the one with the lowest row number, how
// many there are, and for KeepFirst and KeepLast the rows to drop, ascending. Parts may come in any order, but
// their rows must not interleave. If any part holds text, all ids are compared as text, so that 7 equals "7" and
// not "07".
//
// Integers that ascend need no work beyond a look. Otherwise ids are scattered by hash into buckets that fit the
// cache, 16 bytes an id, and each bucket is searched with a small table: about 20 bytes an id at the peak.
func Duplicates(parts []IDPart, keep Keep) (first *Duplicate, drop []int64, count int64) {
	parts = slices.DeleteFunc(slices.Clone(parts), func(p IDPart) bool { return p.IDs.Len() == 0 })
	sort.SliceStable(parts, func(i, j int) bool { return parts[i].Row(0) < parts[j].Row(0) })
	if ascending(parts) {
		return nil, nil, 0
	}
	s := newSearch(parts, keep)
	s.scatter()
	for b := range len(s.starts) - 1 {
		s.bucket(s.entries[s.starts[b]:s.starts[b+1]])
	}
	if s.count == 0 {
		return nil, nil, 0
	}
	slices.Sort(s.drop)
	drop = make([]int64, len(s.drop))
	for i, ordinal := range s.drop {
		drop[i] = s.row(ordinal)
	}
	part, i := s.find(s.again)
	first = &Duplicate{ID: string(parts[part].IDs.AppendTo(nil, i)), First: s.row(s.before), Again: s.row(s.again)}
	if keep == KeepAll {
		drop = nil
	}
	return first, drop, s.count
}

// ascending tells whether all ids are integers, each larger than the one before.
func ascending(parts []IDPart) bool {
	var last int64
	for n, p := range parts {
		ids, ok := p.IDs.Integers()
		if !ok {
			return false
		}
		for i, id := range ids {
			if id <= last && (n > 0 || i > 0) {
				return false
			}
			last = id
		}
	}
	return true
}

// entry is one id on its way through the buckets. Its ordinal counts ids over the parts in order, and so grows with
// the row number.
type entry struct {
	hash    uint64
	ordinal int64
}

// bucketIDs is the mean size of a bucket: entries and table stay within a second-level cache.
const bucketIDs = 1 << 14

type search struct {
	parts   []IDPart
	bases   []int64 // ordinal of each part's first id
	total   int64
	exact   bool // ids are integers and the hash is a bijection of them: equal hashes are equal ids
	keep    Keep
	entries []entry
	starts  []int64 // of the buckets in entries
	table   []int32 // 1 + position in the bucket, 0 = free; open addressing
	seed    maphash.Seed
	scratch [2][]byte

	count         int64
	drop          []int64 // ordinals
	before, again int64   // ordinals of the first duplicate
}

func newSearch(parts []IDPart, keep Keep) *search {
	s := &search{parts: parts, exact: true, keep: keep, seed: maphash.MakeSeed()}
	for _, p := range parts {
		s.bases = append(s.bases, s.total)
		s.total += int64(p.IDs.Len())
		if _, ok := p.IDs.Integers(); !ok {
			s.exact = false
		}
	}
	return s
}

// hashes calls yield with the hash of every id, in order.
func (s *search) hashes(yield func(hash uint64)) {
	for _, p := range s.parts {
		ids, _ := p.IDs.Integers()
		if s.exact {
			for _, id := range ids {
				yield(mix(uint64(id)))
			}
			continue
		}
		for i := range p.IDs.Len() {
			s.scratch[0] = p.IDs.AppendTo(s.scratch[0][:0], i)
			yield(maphash.Bytes(s.seed, s.scratch[0]))
		}
	}
}

// mix is a bijection that spreads integers over 64 bits (the finaliser of SplitMix64; Steele, Lea, Flood 2014).
func mix(x uint64) uint64 {
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// scatter sorts the entries into buckets by the top bits of their hashes, in two passes over the ids.
func (s *search) scatter() {
	shift := 64
	for buckets := int64(1); buckets*bucketIDs < s.total && shift > 48; buckets *= 2 {
		shift--
	}
	s.starts = make([]int64, 1<<(64-shift)+1)
	s.hashes(func(h uint64) { s.starts[h>>shift+1]++ })
	for b := 1; b < len(s.starts); b++ {
		s.starts[b] += s.starts[b-1]
	}
	s.entries = make([]entry, s.total)
	next := slices.Clone(s.starts)
	var ordinal int64
	s.hashes(func(h uint64) {
		b := h >> shift
		s.entries[next[b]] = entry{h, ordinal}
		next[b]++
		ordinal++
	})
}

// bucket searches entries, which are in order of their rows.
func (s *search) bucket(entries []entry) {
	size := 8
	for size < 2*len(entries) {
		size *= 2
	}
	if len(s.table) < size {
		s.table = make([]int32, size)
	}
	table := s.table[:size]
	clear(table)
	for i := range entries {
		e := entries[i]
		slot := int(e.hash) & (size - 1)
		for table[slot] != 0 && !s.equal(entries[table[slot]-1], e) {
			slot = (slot + 1) & (size - 1)
		}
		if table[slot] == 0 {
			table[slot] = int32(i + 1)
			continue
		}
		before := entries[table[slot]-1].ordinal
		if s.count == 0 || e.ordinal < s.again {
			s.before, s.again = before, e.ordinal
		}
		s.count++
		switch s.keep {
		case KeepFirst:
			s.drop = append(s.drop, e.ordinal)
		case KeepLast:
			s.drop = append(s.drop, before)
			table[slot] = int32(i + 1)
		}
	}
}

func (s *search) equal(a, b entry) bool {
	if a.hash != b.hash || s.exact {
		return a.hash == b.hash
	}
	for k, e := range [2]entry{a, b} {
		part, i := s.find(e.ordinal)
		s.scratch[k] = s.parts[part].IDs.AppendTo(s.scratch[k][:0], i)
	}
	return bytes.Equal(s.scratch[0], s.scratch[1])
}

// find is the part and the position in it of an ordinal.
func (s *search) find(ordinal int64) (part, i int) {
	part = sort.Search(len(s.bases), func(p int) bool { return s.bases[p] > ordinal }) - 1
	return part, int(ordinal - s.bases[part])
}

func (s *search) row(ordinal int64) int64 {
	part, i := s.find(ordinal)
	return s.parts[part].Row(i)
}
