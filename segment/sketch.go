package segment

import (
	"math"
	"unsafe"

	"github.com/coterie-project/coterie/internal/exact"
)

// The buckets of a sketch: every octave of magnitude is cut into 2^bucketBits buckets of equal width, which are told by the
// first bucketBits bits of a float64's fraction. A bucket's relative width, 2^-bucketBits, bounds the error of a quantile.
// Buckets are held by pages, so that the memory goes where the values are.
const (
	bucketBits  = 10
	bucketShift = 52 - bucketBits // from a float64's bits to its bucket
	pageBits    = 7
	pageBuckets = 1 << pageBits
)

// Limits of the sketches of one Profile.
const (
	// maxSpreads is how many there may be, one for each segment and numeric column: with more, the coarsest, of two pages
	// each, might not fit into maxSketchWords. Beyond it a Profile has no quantiles.
	maxSpreads = 1 << 16
	// maxSketchWords bounds their memory: 256 MiB in words of eight bytes. Beyond it all of them become coarser.
	maxSketchWords = 1 << 25
)

// sketches count values in buckets whose width grows with the magnitude of the values, after the idea of DDSketch
// (C. Masson, J. E. Rim, H. K. Lee, VLDB 2019), with borders that are taken from the bits of the numbers instead of their
// logarithms: they are the same on every processor. Where the memory is not enough, neighbouring buckets of all sketches
// become one (as in UDDSketch: I. Epicoco et al., 2020). That depends on which buckets are in use and on nothing else, so
// that sketches of parts merge in any order and grouping to the same.
type sketches struct {
	each  []sketch
	level uint // every bucket stands for 2^level of the finest
	words int  // in use
	most  int  // maxSketchWords, or less in tests
}

// sketch is the values of one column of one segment.
type sketch struct {
	zeros int64
	sides [2]side // positive and negative values, by magnitude
}

// side is pages from number low on; nil where nothing was counted.
type side struct {
	low   int
	pages []*[pageBuckets]int64
}

// ProfileBytes is the most memory that a Profile of k segments with quartiles takes: exact sums, and buckets.
func ProfileBytes(k, numeric int) int64 {
	cells := int64(min(k*numeric, maxProfileSums))
	return cells*int64(unsafe.Sizeof(exact.Moments{})) + 8*maxSketchWords
}

func newSketches(n int) *sketches { return &sketches{each: make([]sketch, n), most: maxSketchWords} }

// relativeError is how far a quantile may lie from the true one, as a part of it.
func (c *sketches) relativeError() float64 { return math.Ldexp(1, int(c.level)-bucketBits) }

// add counts finite values in sketch number at.
func (c *sketches) add(at int, values []float64) {
	s, shift := &c.each[at], bucketShift+c.level
	for _, v := range values {
		if v == 0 {
			s.zeros++
			continue
		}
		b := math.Float64bits(v)
		d := &s.sides[b>>63]
		bucket := b << 1 >> 1 >> shift
		p := int(bucket>>pageBits) - d.low
		if uint(p) >= uint(len(d.pages)) || d.pages[p] == nil {
			p = c.open(d, int(bucket>>pageBits))
		}
		d.pages[p][bucket%pageBuckets]++
	}
	c.keepWithin()
}

// open makes a page of a side, and gives its place.
func (c *sketches) open(d *side, page int) int {
	if len(d.pages) == 0 {
		d.low = page
	}
	low, high := min(d.low, page), max(d.low+len(d.pages), page+1)
	if more := high - low - len(d.pages); more > 0 {
		wider := make([]*[pageBuckets]int64, high-low)
		copy(wider[d.low-low:], d.pages)
		d.low, d.pages = low, wider
		c.words += more
	}
	if d.pages[page-low] == nil {
		d.pages[page-low] = new([pageBuckets]int64)
		c.words += pageBuckets
	}
	return page - low
}

// keepWithin makes the buckets coarser until they fit.
func (c *sketches) keepWithin() {
	for c.words > c.most {
		c.coarsen()
	}
}

// coarsen makes one of every two neighbouring buckets.
func (c *sketches) coarsen() {
	c.level++
	c.words = 0
	for i := range c.each {
		for n := range c.each[i].sides {
			old := c.each[i].sides[n]
			c.each[i].sides[n] = side{}
			c.addSide(&c.each[i].sides[n], &old, 1)
		}
	}
}

// addSide adds what was counted at a level that is finer by some.
func (c *sketches) addSide(d, o *side, finer uint) {
	for p, page := range o.pages {
		if page == nil {
			continue
		}
		for b, n := range page {
			if n == 0 {
				continue
			}
			bucket := ((o.low+p)<<pageBits | b) >> finer
			at := bucket>>pageBits - d.low
			if uint(at) >= uint(len(d.pages)) || d.pages[at] == nil {
				at = c.open(d, bucket>>pageBits)
			}
			d.pages[at][bucket%pageBuckets] += n
		}
	}
}

// merge adds as many sketches, which stay as they are.
func (c *sketches) merge(o *sketches) {
	for c.level < o.level {
		c.coarsen()
	}
	for i := range o.each {
		c.each[i].zeros += o.each[i].zeros
		for n := range o.each[i].sides {
			c.addSide(&c.each[i].sides[n], &o.each[i].sides[n], c.level-o.level)
		}
	}
	c.keepWithin()
}

// together is some of the sketches as one.
func (c *sketches) together(at []int) *counted {
	whole := &sketches{each: make([]sketch, 1), level: c.level, most: math.MaxInt}
	for _, i := range at {
		whole.each[0].zeros += c.each[i].zeros
		for n := range c.each[i].sides {
			whole.addSide(&whole.each[0].sides[n], &c.each[i].sides[n], 0)
		}
	}
	return whole.counted(0)
}

// counted is the buckets of a sketch that hold something, in the order of their values.
type counted struct {
	low, high []float64 // the borders, of which the one with the smaller magnitude belongs to the bucket; equal for zeros
	n         []int64
	total     int64
}

func (c *sketches) counted(at int) *counted {
	s, out := &c.each[at], &counted{}
	add := func(low, high float64, n int64) {
		out.low, out.high, out.n = append(out.low, low), append(out.high, high), append(out.n, n)
		out.total += n
	}
	negative, positive := &s.sides[1], &s.sides[0]
	for p := len(negative.pages) - 1; p >= 0; p-- {
		for b := pageBuckets - 1; b >= 0 && negative.pages[p] != nil; b-- {
			if n := negative.pages[p][b]; n > 0 {
				inner, outer := c.borders(negative.low+p, b)
				add(-outer, -inner, n)
			}
		}
	}
	if s.zeros > 0 {
		add(0, 0, s.zeros)
	}
	for p, page := range positive.pages {
		for b := 0; b < pageBuckets && page != nil; b++ {
			if n := page[b]; n > 0 {
				inner, outer := c.borders(positive.low+p, b)
				add(inner, outer, n)
			}
		}
	}
	return out
}

// borders are the magnitudes between which a bucket lies.
func (c *sketches) borders(page, bucket int) (inner, outer float64) {
	at, shift := uint64(page)<<pageBits|uint64(bucket), bucketShift+c.level
	inner = math.Float64frombits(at << shift)
	outer = math.Float64frombits(min((at+1)<<shift, math.Float64bits(math.MaxFloat64)))
	return inner, outer
}

// value stands for all values of bucket i: a whole number where there is one between close borders, so that the median of
// whole numbers is one, else the middle.
func (c *counted) value(i int) float64 {
	low, high := c.low[i], c.high[i]
	if high-low <= 1 && math.Abs(low) < 1<<52 {
		if whole := math.Ceil(low); low >= 0 && whole < high {
			return whole
		}
		if whole := math.Floor(high); high <= 0 && whole > low {
			return whole + 0
		}
	}
	return low + (high-low)/2
}

// quantile is the value that a share q of the values lies below, between two of them in proportion, as numpy does; NaN
// where there are none.
func (c *counted) quantile(q float64) float64 {
	if c.total == 0 {
		return math.NaN()
	}
	rank := q * float64(c.total-1)
	below := int64(rank)
	part := rank - float64(below)
	a, b := c.at(below), c.at(min(below+1, c.total-1))
	if part == 0 || a == b {
		return a
	}
	return float64(a*(1-part)) + float64(b*part)
}

// at is the value of a rank from 0.
func (c *counted) at(rank int64) float64 {
	for i, n := range c.n {
		if rank -= n; rank < 0 {
			return c.value(i)
		}
	}
	return math.NaN()
}
