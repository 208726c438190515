package pipeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"math"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/model"
)

const (
	// indexBytes is the memory that a customer takes in a labelIndex whose ids are integers: 8 for the id and a quarter more as
	// the column grows, 2 for the segment, 4 for the distance, 1 for seen, at most 16 for slots. A text takes its length more.
	indexBytes = 33
	// indexRows bounds an index: slots are 32 bits.
	indexRows = math.MaxUint32 - 1
)

// labelReader walks a table of labels, a customer at a time.
type labelReader struct {
	source    dataset.Source
	id        int // column
	segments  int // labels are below it
	whose     string
	distances bool
	fields    []dataset.Field

	reader dataset.Reader
	block  *dataset.Block
	at     int   // the row of block that is next
	done   int64 // rows that were taken
}

// openLabels finds the columns of labels. of says whose they are: their segments are checked against it; nil: nothing is known.
func openLabels(ctx context.Context, path string, stdin io.Reader, of *model.Model, whose string, distances bool) (*labelReader, error) {
	source, err := open.Sources(ctx, []string{path}, open.Options{Stdin: stdin})
	if err != nil {
		return nil, err
	}
	l := &labelReader{source: source, segments: model.MaxSegments, distances: distances}
	if of != nil {
		l.segments, l.whose = of.K, whose
	}
	if err := ofThisModel(source, path, of, whose); err != nil {
		source.Close()
		return nil, err
	}
	segment, distance := 1, 2
	schema := source.Schema()
	if !isMatrix(source) {
		needed := []string{"id", "segment", "distance"}
		if !distances {
			needed = needed[:2]
		}
		if err := mustHave(schema, path, needed...); err != nil {
			source.Close()
			return nil, err
		}
		l.id, segment, distance = schema.Index("id"), schema.Index("segment"), schema.Index("distance")
	} else if len(schema.Columns) < 3 {
		source.Close()
		return nil, fault.Inputf(fault.In(path), "has %d columns, and labels have three: id, segment and distance", len(schema.Columns)).
			Do("give the labels as assign wrote them")
	}
	l.fields = []dataset.Field{{Column: l.id, As: dataset.AsID}, {Column: segment}}
	if distances {
		l.fields = append(l.fields, dataset.Field{Column: distance})
	}
	return l, nil
}

func (l *labelReader) close() {
	if l.reader != nil {
		l.reader.Close()
	}
	l.source.Close()
}

// next is whether there is another customer: row l.at of l.block. Its segment has been checked.
func (l *labelReader) next(ctx context.Context) (bool, error) {
	for l.block == nil || l.at == l.block.Rows {
		if l.reader == nil {
			reader, err := l.source.Read(ctx, 0, l.source.Rows(), l.fields)
			if err != nil {
				return false, err
			}
			l.reader = reader
		}
		block, err := l.reader.Next()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if len(block.Bad) > 0 {
			return false, fault.Inputf(block.Bad[0].Place, "%s", block.Bad[0].Reason).Do("give the labels as assign wrote them")
		}
		l.block, l.at = block, 0
	}
	return true, l.check()
}

// check refuses a customer without an id, and a label that is no segment.
func (l *labelReader) check() error {
	row := l.block.First + int64(l.at)
	wrong := func(column int, format string, args ...any) *fault.Error {
		place := l.source.Locate(row)
		place.Column = l.source.Schema().Columns[column].Name
		return fault.Inputf(place, format, args...)
	}
	if withoutID(&l.block.Columns[0], l.at) {
		return wrong(l.id, "lacks the customer's id").Do("give the labels as assign wrote them")
	}
	x := numberAt(&l.block.Columns[1], l.at)
	switch {
	case x >= 0 && x < float64(l.segments) && x == math.Trunc(x):
		return nil
	case x >= 0 && x == math.Trunc(x) && l.whose != "":
		return wrong(l.fields[1].Column, "the segment %.0f is not one of the %d that %s has", x, l.segments, l.whose).
			Do("give the labels that were written with this model")
	}
	return wrong(l.fields[1].Column, "%v is not the number of a segment, 0 to %d", x, l.segments-1).Do("give the labels as assign wrote them")
}

// take is the segment and the distance of the customer that next has found, and goes on.
func (l *labelReader) take() (segment int32, distance float64) {
	segment, distance = int32(numberAt(&l.block.Columns[1], l.at)), math.NaN()
	if l.distances {
		distance = numberAt(&l.block.Columns[2], l.at)
	}
	l.at++
	l.done++
	return segment, distance
}

// withoutID says whether a customer has no id.
func withoutID(v *dataset.Vector, i int) bool {
	return v.Missing != nil && v.Missing[i] || v.Int64 == nil && len(v.Text.At(i)) == 0
}

// sameID says whether two ids are the same: 7 is "7", and "07" is neither.
func sameID(a *dataset.Vector, i int, b *dataset.Vector, j int) bool {
	switch {
	case withoutID(a, i) || withoutID(b, j):
		return false
	case a.Int64 != nil && b.Int64 != nil:
		return a.Int64[i] == b.Int64[j]
	case a.Int64 == nil && b.Int64 == nil:
		return bytes.Equal(a.Text.At(i), b.Text.At(j))
	case a.Int64 == nil:
		return sameID(b, j, a, i)
	}
	x, plain := dataset.PlainInteger(b.Text.At(j))
	return plain && x == a.Int64[i]
}

// labelIndex finds customers by their ids: open addressing, in the memory of indexBytes a customer.
type labelIndex struct {
	ids       dataset.IDs
	segments  []uint16
	distances []float32
	seen      []bool
	slots     []uint32 // 1 + a row, by hash; 0: free
	integers  []int64  // the ids, where all of them are integers
	seed      maphash.Seed
	scratch   []byte // texts that are looked at, so that one goroutine at a time may ask
	other     []byte
}

// indexed reads the rest of the labels. The error is Input for an id that is there twice, Failed where they do not fit into
// the memory of this machine.
func indexed(ctx context.Context, l *labelReader, read func(int64)) (*labelIndex, error) {
	rows := l.source.Rows() - l.done
	if rows > indexRows {
		return nil, fault.Failedf(nil, "%d labels are too many to be looked up", rows).Do("give labels and data in the same order")
	}
	if err := enoughMemory(rows*indexBytes, spill.Whole()); err != nil {
		return nil, err
	}
	x := &labelIndex{segments: make([]uint16, 0, rows), seen: make([]bool, rows), seed: maphash.MakeSeed()}
	if l.distances {
		x.distances = make([]float32, 0, rows)
	}
	first := l.done
	for {
		more, err := l.next(ctx)
		if err != nil {
			return nil, err
		}
		if !more {
			break
		}
		x.ids.AppendVector(&l.block.Columns[0], l.at)
		segment, distance := l.take()
		x.segments = append(x.segments, uint16(segment))
		if l.distances {
			x.distances = append(x.distances, float32(distance))
		}
		if len(x.segments)%dataset.BlockRows == 0 {
			read(dataset.BlockRows)
		}
	}
	read(int64(len(x.segments) % dataset.BlockRows))
	if row, before := x.build(); row >= 0 {
		return nil, fault.Inputf(l.source.Locate(first+int64(row)), "the id %q is there twice, first in %s", x.ids.AppendTo(nil, row),
			l.source.Locate(first+int64(before))).Do("give the labels as assign wrote them")
	}
	return x, nil
}

// build fills the slots. It gives the first row whose id an earlier row has, and that row; −1: there is none.
func (x *labelIndex) build() (row, before int) {
	n := x.ids.Len()
	size := 4
	for size < 2*n {
		size *= 2
	}
	x.slots = make([]uint32, size)
	if list, all := x.ids.Integers(); all {
		x.integers = list
	}
	for i := range n {
		slot, found := x.slot(i)
		if found >= 0 {
			return i, found
		}
		x.slots[slot] = uint32(i) + 1
	}
	return -1, -1
}

// slot is where the id of row i belongs, or the row that has it already.
func (x *labelIndex) slot(i int) (slot, found int) {
	if x.integers != nil {
		return x.ofInteger(x.integers[i])
	}
	x.scratch = x.ids.AppendTo(x.scratch[:0], i)
	return x.ofText(x.scratch)
}

func (x *labelIndex) ofInteger(id int64) (slot, found int) {
	mask := uint64(len(x.slots) - 1)
	for at := maphash.Comparable(x.seed, id) & mask; ; at = (at + 1) & mask {
		s := x.slots[at]
		if s == 0 {
			return int(at), -1
		}
		if x.integers[s-1] == id {
			return 0, int(s - 1)
		}
	}
}

func (x *labelIndex) ofText(id []byte) (slot, found int) {
	mask := uint64(len(x.slots) - 1)
	for at := maphash.Bytes(x.seed, id) & mask; ; at = (at + 1) & mask {
		s := x.slots[at]
		if s == 0 {
			return int(at), -1
		}
		if x.other = x.ids.AppendTo(x.other[:0], int(s-1)); bytes.Equal(x.other, id) {
			return 0, int(s - 1)
		}
	}
}

// find is the row of an id, or −1.
func (x *labelIndex) find(v *dataset.Vector, i int) int {
	found := -1
	switch {
	case withoutID(v, i):
	case x.integers != nil && v.Int64 != nil:
		_, found = x.ofInteger(v.Int64[i])
	case x.integers != nil:
		if id, plain := dataset.PlainInteger(v.Text.At(i)); plain {
			_, found = x.ofInteger(id)
		}
	default:
		x.scratch = appendID(x.scratch[:0], v, i)
		_, found = x.ofText(x.scratch)
	}
	return found
}

// claim is find for a table in which each id may be once.
func (x *labelIndex) claim(v *dataset.Vector, i int) (row int, err error) {
	if row = x.find(v, i); row < 0 {
		return row, nil
	}
	if x.seen[row] {
		return row, fmt.Errorf("the id %q is there a second time", appendID(nil, v, i))
	}
	x.seen[row] = true
	return row, nil
}
