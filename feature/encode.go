package feature

import (
	"encoding/binary"
	"errors"
	"slices"
	"sort"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/exact"
)

// The encodings in which workers send what they gathered. They are canonical: equal Statistics have equal bytes,
// whatever the order in which rows came. All integers are unsigned varints, and exact.Moments have their length before
// them.
//
//	Statistics            'S' | rows | dropped | numeric × (missing | raw | logged) | categorical × levels
//	  levels                missing | count | count × (length, text, rows), texts ascending
//	Counts                'Q' | intervals | intervals × (column | low | width | filled | filled × bin)
//	  bin                   bins skipped | n | least | most, as offsets from low
//	NormalisedStatistics  'N' | d × Moments
//	QuantileSearch        'R' | columns × (column + 1 | values there | missing | mean | ranks × (below | low | high)) | 0
const (
	statisticsTag = 'S'
	countsTag     = 'Q'
	normalisedTag = 'N'
	searchTag     = 'R'
)

// ErrEncoding is what the decoders give for bytes that were not written here, or under another Spec.
var ErrEncoding = errors.New("feature: damaged statistics, or those of another specification")

// MarshalBinary encodes the Statistics. It never fails.
func (s *Statistics) MarshalBinary() ([]byte, error) {
	data := []byte{statisticsTag}
	data = appendCount(data, s.rows)
	data = appendCount(data, s.dropped)
	for j := range s.numbers {
		n := &s.numbers[j]
		data = appendCount(data, n.missing)
		data = appendMoments(data, &n.raw)
		data = appendMoments(data, &n.logged)
	}
	for c := range s.texts {
		data = s.texts[c].append(data)
	}
	return data, nil
}

func (l *levelStats) append(data []byte) []byte {
	texts := make([]string, 0, len(l.index))
	for text := range l.index {
		texts = append(texts, text)
	}
	sort.Strings(texts)
	data = appendCount(data, l.missing)
	data = appendCount(data, int64(len(texts)))
	for _, text := range texts {
		data = appendCount(data, int64(len(text)))
		data = append(data, text...)
		data = appendCount(data, l.counts[l.index[text]])
	}
	return data
}

// DecodeStatistics reads encoded Statistics that were gathered under the same Spec. The error is ErrEncoding.
func DecodeStatistics(spec *Spec, data []byte) (*Statistics, error) {
	s := NewStatistics(spec)
	r := decoder{data: data}
	r.tag(statisticsTag)
	s.rows, s.dropped = r.count(), r.count()
	for j := range s.numbers {
		n := &s.numbers[j]
		n.missing = r.count()
		r.moments(&n.raw)
		r.moments(&n.logged)
	}
	for c := range s.texts {
		if r.bad {
			break
		}
		r.levels(&s.texts[c])
	}
	if !r.done() {
		return nil, ErrEncoding
	}
	return s, nil
}

// MarshalBinary encodes the Counts with what is to be counted: an empty one is the task for another machine. It never
// fails.
func (c *Counts) MarshalBinary() ([]byte, error) {
	data := appendCount([]byte{countsTag}, int64(len(c.intervals)))
	for i := range c.intervals {
		in := &c.intervals[i]
		data = binary.AppendUvarint(data, uint64(in.column))
		data = binary.AppendUvarint(data, in.low)
		data = binary.AppendUvarint(data, in.width)
		filled := 0
		for k := range in.bins {
			if in.bins[k].n > 0 {
				filled++
			}
		}
		data = appendCount(data, int64(filled))
		next := 0
		for k, b := range in.bins {
			if b.n > 0 {
				data = appendCount(data, int64(k-next))
				data = appendCount(data, b.n)
				data = binary.AppendUvarint(data, ^b.least)
				data = binary.AppendUvarint(data, b.most)
				next = k + 1
			}
		}
	}
	return data, nil
}

// DecodeCounts reads encoded Counts of a search under the same Spec. The error is ErrEncoding.
func DecodeCounts(spec *Spec, data []byte) (*Counts, error) {
	s := NewStatistics(spec)
	c := &Counts{columns: s.columns, block: s.block}
	if err := c.decodeIntervals(data); err != nil {
		return nil, err
	}
	return c, c.decodeBins(data)
}

// DecodeCounts reads encoded Counts of this pass of the search; they can be merged with those of Open. The error is
// ErrEncoding.
func (q *QuantileSearch) DecodeCounts(data []byte) (*Counts, error) {
	c := &Counts{columns: q.columns, block: make([]float64, blockRows)}
	if err := c.decodeIntervals(data); err != nil {
		return nil, err
	}
	same := func(a, b interval) bool { return a.column == b.column && a.low == b.low && a.width == b.width }
	if !slices.EqualFunc(c.intervals, q.opened().intervals, same) {
		return nil, ErrEncoding
	}
	return c, c.decodeBins(data)
}

// decodeIntervals reads what is counted. Where the bins lie follows from all intervals, so those are read first, over
// the bins, and then once more.
func (c *Counts) decodeIntervals(data []byte) error {
	r := decoder{data: data}
	r.intervals(c, false)
	if !r.done() {
		return ErrEncoding
	}
	return nil
}

// decodeBins makes the bins of the intervals that are there and reads what was counted into them.
func (c *Counts) decodeBins(data []byte) error {
	c.allocate()
	r := decoder{data: data}
	r.intervals(c, true)
	if !r.done() {
		return ErrEncoding
	}
	return nil
}

// Fresh is an empty counter of the same pass, for another goroutine.
func (c *Counts) Fresh() *Counts {
	f := &Counts{columns: c.columns, block: make([]float64, blockRows)}
	f.intervals = append(f.intervals, c.intervals...)
	f.allocate()
	return f
}

// MarshalBinary encodes the statistics. It never fails.
func (n *NormalisedStatistics) MarshalBinary() ([]byte, error) {
	data := []byte{normalisedTag}
	for i := range n.columns {
		data = appendMoments(data, &n.columns[i])
	}
	return data, nil
}

// DecodeNormalised reads encoded statistics of the second pass of this Transform. The error is ErrEncoding.
func (t *Transform) DecodeNormalised(data []byte) (*NormalisedStatistics, error) {
	n := t.NormalisedStatistics()
	r := decoder{data: data}
	r.tag(normalisedTag)
	for i := range n.columns {
		r.moments(&n.columns[i])
	}
	if !r.done() {
		return nil, ErrEncoding
	}
	return n, nil
}

func appendCount(data []byte, n int64) []byte { return binary.AppendUvarint(data, uint64(n)) }

func appendMoments(data []byte, m *exact.Moments) []byte {
	encoded, _ := m.MarshalBinary() // never fails
	return append(appendCount(data, int64(len(encoded))), encoded...)
}

// decoder reads what was appended; after the first mistake it stays bad and gives zeros. It allocates nothing that the
// data does not hold.
type decoder struct {
	data []byte
	bad  bool
}

// done tells whether all was read, and nothing was wrong.
func (r *decoder) done() bool { return !r.bad && len(r.data) == 0 }

func (r *decoder) tag(want byte) {
	if len(r.data) == 0 || r.data[0] != want {
		r.bad = true
		return
	}
	r.data = r.data[1:]
}

func (r *decoder) uint() uint64 {
	v, size := binary.Uvarint(r.data)
	// A last byte of 0 is a longer way to write the same number.
	if r.bad || size <= 0 || size > 1 && r.data[size-1] == 0 {
		r.bad = true
		return 0
	}
	r.data = r.data[size:]
	return v
}

func (r *decoder) count() int64 {
	v := r.uint()
	if int64(v) < 0 {
		r.bad = true
		return 0
	}
	return int64(v)
}

// bytes are the next ones, as many as a count says, at most limit.
func (r *decoder) bytes(limit int) []byte {
	n := r.uint()
	if n > uint64(limit) || n > uint64(len(r.data)) {
		r.bad = true
	}
	if r.bad {
		return nil
	}
	b := r.data[:n]
	r.data = r.data[n:]
	return b
}

func (r *decoder) moments(m *exact.Moments) {
	const limit = 4096 // several times what they need
	encoded := r.bytes(limit)
	if r.bad || m.UnmarshalBinary(encoded) != nil {
		r.bad = true
	}
}

func (r *decoder) levels(l *levelStats) {
	l.missing = r.count()
	count := r.count()
	if count > MaxLevels+1 {
		r.bad = true
	}
	last := ""
	for k := int64(0); k < count && !r.bad; k++ {
		text := r.bytes(MaxLevelText)
		rows := r.count()
		if r.bad || !utf8.Valid(text) || rows == 0 || k > 0 && string(text) <= last {
			r.bad = true
			return
		}
		last = string(text)
		l.add(last, rows)
	}
}

// intervals reads Counts: the intervals alone, passing over the bins, or the bins into intervals that are there.
func (r *decoder) intervals(c *Counts, bins bool) {
	r.tag(countsTag)
	count := r.count()
	for i := int64(0); i < count && !r.bad; i++ {
		in := interval{column: int(r.uint()), low: r.uint(), width: r.uint()}
		if !bins {
			if r.bad || !c.follows(in) {
				r.bad = true
				return
			}
			c.intervals = append(c.intervals, in)
		}
		filled, next := r.count(), uint64(0)
		for k := int64(0); k < filled && !r.bad; k++ {
			skipped, n, least, most := r.uint(), r.count(), r.uint(), r.uint()
			if bins && !r.bad {
				next = r.bin(&c.intervals[i], next+min(skipped, 1<<maxBinBits), n, least, most) + 1
			}
		}
	}
}

// bin sets bin k of an interval, and says k.
func (r *decoder) bin(in *interval, k uint64, n int64, least, most uint64) uint64 {
	if k >= uint64(len(in.bins)) || n == 0 || least > most || most > in.width || least>>in.shift != k || most>>in.shift != k {
		r.bad = true
		return 0
	}
	in.bins[k] = bin{n: n, most: most, least: ^least}
	return k
}

// follows tells whether an interval can come after those that are there: by column, then ascending, none overlapping.
func (c *Counts) follows(in interval) bool {
	if in.column < 0 || in.column >= len(c.numeric) || in.width == 0 || in.low+in.width < in.low {
		return false
	}
	if len(c.intervals) == 0 {
		return true
	}
	last := &c.intervals[len(c.intervals)-1]
	return in.column > last.column || in.column == last.column && in.low > last.low+last.width
}
