package synth

import (
	"math"
	"strconv"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/exact"
)

// load is points in the cube [1, 2)^d that cost next to nothing to make, for load tests: a row's key is one mixing of its
// number, and a pair of columns one product of the key and the pair's own odd number, of which each takes a half. So
// columns are as independent as a test of speed needs them, which is less than uniform's are. There is no id column:
// nobody waits for ids, or keeps them in memory.
type load struct {
	d       int
	base    uint64
	factors []uint64 // odd, one for each pair of columns
}

func newLoad(seed uint64, d int) *load {
	l := &load{d: d, base: exact.Draw(seed, purposeLoad, 0, 0), factors: make([]uint64, (d+1)/2)}
	for j := range l.factors {
		l.factors[j] = exact.Draw(seed, purposeLoad, 1, uint64(j)) | 1
	}
	return l
}

func (l *load) columns() []dataset.Column {
	columns := make([]dataset.Column, l.d)
	for j := range columns {
		columns[j] = dataset.Column{Name: "x" + strconv.Itoa(j), Kind: dataset.Number, Float32: true}
	}
	return columns
}

func (l *load) rowBytes() int64 { return 4 * int64(l.d) }
func (l *load) open() filler    { return &loadFiller{load: l} }

type loadFiller struct {
	*load
	keys  []uint64
	spare []float32
}

// fill makes the columns in pairs; of a pair that is wanted by half the other half is made too, into memory that is given
// back.
func (f *loadFiller) fill(first int64, n int, wanted []bool, into []dataset.Vector) {
	f.keys, f.spare = resize(f.keys, n), resize(f.spare, n)
	counter := f.base + golden*uint64(first)
	for i := range f.keys {
		counter += golden
		f.keys[i] = mix(counter)
	}
	column := func(j int) []float32 {
		if j >= f.d || !wanted[j] {
			return f.spare
		}
		into[j].Float32 = resize(into[j].Float32, n)
		return into[j].Float32
	}
	for pair, factor := range f.factors {
		if j := 2 * pair; wanted[j] || j+1 < f.d && wanted[j+1] {
			spread(f.keys, factor, column(j), column(j+1))
		}
	}
}

// spread makes two columns, 23 bits for each cell: the number in [1, 2) with those bits. Taking 1 away would cost half as
// much again, and nothing that is measured on such rows depends on where they lie.
func spread(keys []uint64, factor uint64, a, b []float32) {
	const one = 0x3f800000
	a, b = a[:len(keys)], b[:len(keys)]
	for i, key := range keys {
		u := key * factor
		a[i] = math.Float32frombits(one | uint32(u>>41))
		b[i] = math.Float32frombits(one | uint32(u)>>9)
	}
}
