package synth

import (
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/exact"
)

// points are the columns id, x0, … of float32 that blobs and uniform share.
func points(d int) []dataset.Column {
	columns := []dataset.Column{{Name: "id", Kind: dataset.Number, Integer: true}}
	for j := range d {
		columns = append(columns, dataset.Column{Name: "x" + strconv.Itoa(j), Kind: dataset.Number, Float32: true})
	}
	return columns
}

// pointFiller holds what both kinds need: each row's key, and room for the column that nobody asked for. Columns 2j
// and 2j+1 share a draw, and no row's draw depends on another column, so that a column can be made alone.
type pointFiller struct {
	keys  []stream
	spare []float32
}

// start draws the keys and makes the ids.
func (f *pointFiller) start(seed uint64, first int64, n int, wanted []bool, into []dataset.Vector) {
	f.keys, f.spare = resize(f.keys, n), resize(f.spare, n)
	for i := range f.keys {
		f.keys[i] = keyed(seed, purposeRow, uint64(first)+uint64(i))
	}
	if wanted[0] {
		into[0].Int64 = resize(into[0].Int64, n)
		for i := range into[0].Int64 {
			into[0].Int64[i] = first + int64(i)
		}
	}
}

// pairs calls make for each pair of x columns of which one is wanted. With an odd d the last has no partner.
func (f *pointFiller) pairs(d, n int, wanted []bool, into []dataset.Vector, make func(j int, a, b []float32)) {
	column := func(j int) []float32 {
		if j >= d || !wanted[1+j] {
			return f.spare
		}
		into[1+j].Float32 = resize(into[1+j].Float32, n)
		return into[1+j].Float32
	}
	for j := 0; j < d; j += 2 {
		if wanted[1+j] || j+1 < d && wanted[2+j] {
			make(j, column(j), column(j+1))
		}
	}
}

// uniform is points in the unit cube.
type uniform struct {
	seed uint64
	d    int
}

func (u uniform) columns() []dataset.Column { return points(u.d) }
func (u uniform) rowBytes() int64           { return 8 + 4*int64(u.d) }
func (u uniform) open() filler              { return &uniformFiller{uniform: u} }

type uniformFiller struct {
	uniform
	pointFiller
}

func (f *uniformFiller) fill(first int64, n int, wanted []bool, into []dataset.Vector) {
	f.start(f.seed, first, n, wanted, into)
	f.pairs(f.d, n, wanted, into, func(j int, a, b []float32) {
		for i, key := range f.keys {
			u := key.draw(uint64(j / 2))
			a[i], b[i] = float32(u>>40)*0x1p-24, float32(u&0xffffff)*0x1p-24
		}
	})
}

// centerDeviation is the standard deviation of each coordinate of the blobs' centres. In 8 dimensions two centres lie
// about 20 apart, which at a spread of 1 leaves few points in doubt.
const centerDeviation = 5

// blobs are round groups of the same size around random centres.
type blobs struct {
	seed    uint64
	d       int
	count   uint64
	spread  float32
	centers []float32 // d × count, by column
	normals *normalTable
}

func newBlobs(seed uint64, d, count int, spread float64) *blobs {
	b := &blobs{seed: seed, d: d, count: uint64(count), spread: float32(spread), normals: normals(), centers: make([]float32, d*count)}
	for c := range count {
		key := keyed(seed, purposeCenter, uint64(c))
		for j := range d {
			b.centers[j*count+c] = centerDeviation * b.normals.at(uint32(key.draw(uint64(j))>>32))
		}
	}
	return b
}

func (b *blobs) columns() []dataset.Column {
	return append(points(b.d), dataset.Column{Name: "true_segment", Kind: dataset.Number, Integer: true})
}

func (b *blobs) rowBytes() int64 { return 16 + 4*int64(b.d) }
func (b *blobs) open() filler    { return &blobFiller{blobs: b} }

type blobFiller struct {
	*blobs
	pointFiller
	labels []int32
}

func (f *blobFiller) fill(first int64, n int, wanted []bool, into []dataset.Vector) {
	f.start(f.seed, first, n, wanted, into)
	f.labels = resize(f.labels, n)
	for i, key := range f.keys {
		f.labels[i] = int32(exact.Bounded(mix(uint64(key)), f.count)) // draw −1: the columns have the others
	}
	f.pairs(f.d, n, wanted, into, func(j int, a, b []float32) {
		count := int(f.count)
		left := f.centers[j*count:][:count]
		right := left
		if j+1 < f.d {
			right = f.centers[(j+1)*count:][:count]
		}
		for i, key := range f.keys {
			u, c := key.draw(uint64(j/2)), f.labels[i]
			a[i] = left[c] + float32(f.spread*f.normals.at(uint32(u>>32)))
			b[i] = right[c] + float32(f.spread*f.normals.at(uint32(u)))
		}
	})
	if label := f.d + 1; wanted[label] {
		into[label].Int64 = resize(into[label].Int64, n)
		for i, c := range f.labels {
			into[label].Int64[i] = int64(c)
		}
	}
}
