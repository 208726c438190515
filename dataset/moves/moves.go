package moves

import (
	"context"
	"runtime"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/fault"
)

// The memory that a row takes, in bytes, when its id is an integer. What chunks leave unused is in it.
const (
	RowBytes   = 20 // of a row of labels
	ValueBytes = 34 // of a row of values
	MoverBytes = 12 // of a customer that both tables have, once its bucket is joined; with a value 8 more
)

// Bounds.
const (
	MaxRows     = 1<<31 - 1 // of one table: positions in a bucket are int32, and all ids may be the same
	MaxSegments = 1 << 16   // of one table, as of a model
	MaxCells    = 1 << 20   // of the matrix: 1,024 × 1,024 segments, or 8 MiB
	// maxThreads read and match: each has a chunk of every bucket that is half full, which RowBytes has room for.
	maxThreads = 16
)

// Labels is a table that says which segment each customer is in.
type Labels struct {
	Source      dataset.Source
	ID, Segment int // columns
	// Segments is how many there are: labels are below it. 0: any number up to MaxSegments, and as many as are found.
	Segments int
	// Whose says whose segments they are, for messages: "m.json".
	Whose string
}

// Values is a table that says what each customer is worth.
type Values struct {
	Source    dataset.Source
	ID, Value int // columns
}

// Options say how to join.
type Options struct {
	Threads int  // 0: all cores
	Movers  bool // keep who has moved where; else only the counts are kept
	// Read is told how many rows have been read, from several goroutines; nil: nobody asks.
	Read func(rows int64)
}

// Joined is what the join has found.
type Joined struct {
	From, To      int     // segments of the old and of the new labels
	Matrix        []int64 // From×To, row-major: customers by old and new segment
	Arrived, Left []int64 // by new segment: who is only in the new labels; by old segment: only in the old
	// IntegerIDs is true where all ids of both tables are integers in their plain spelling.
	IntegerIDs bool
	// FromWorth and ToWorth add up the values of the customers with a value, by old and by new segment; nil without Values.
	FromWorth, ToWorth []Worth
	// Valued counts the customers of either table that have a value, Unvalued those that have none.
	Valued, Unvalued int64

	pairs []pairs // by bucket; nil unless movers were asked for
}

// Worth is the value of some customers.
type Worth struct {
	Sum exact.Sum
	N   int64
}

// Mean is the mean value of a customer; ok is false where there are none.
func (w *Worth) Mean() (mean float64, ok bool) {
	if w.N == 0 {
		return 0, false
	}
	return w.Sum.Mean(w.N), true
}

// Join reads the labels, and the values unless they are nil, and finds out who has moved. Errors are *fault.Error: Input
// with the place for a row that cannot be read, a label that is no segment, a customer without an id, an id that
// stands twice in one table (both rows are named), and more rows or segments than MaxRows and MaxCells allow. Of several, the error of the first
// table and its first row is told, whatever the threads.
func Join(ctx context.Context, from, to *Labels, values *Values, o Options) (*Joined, error) {
	j := newJoin(from, to, values, o)
	for _, t := range j.tables {
		if t != nil && t.source.Rows() > MaxRows {
			return nil, fault.Inputf(fault.In(firstName(t.source)), "has %d rows; the limit is %d", t.source.Rows(), int64(MaxRows)).
				Do("is there one row for each customer?")
		}
	}
	if err := j.read(ctx); err != nil {
		return nil, err
	}
	if err := j.prepare(); err != nil {
		return nil, err
	}
	if err := j.matchAll(ctx); err != nil {
		return nil, err
	}
	return j.out, nil
}

// The tables of a join.
const (
	oldSide = iota
	newSide
	valueSide
	sides
)

// table is one of them, as the join reads it.
type table struct {
	source   dataset.Source
	fields   []dataset.Field // the id, then the segment or the value
	segments int             // labels are below it; 0: a table of values
	whose    string
}

// join is the work of one call of Join.
type join struct {
	hasher
	options Options
	tables  [sides]*table // the last may be nil
	threads int
	piece   int64 // rows that a thread takes at a time, at least
	shift   int   // of a hash to its bucket
	buckets int
	workers []*scatterer
	out     *Joined

	mu    sync.Mutex // of what follows, and of out while buckets are matched
	twice [sides]*twice
}

func newJoin(from, to *Labels, values *Values, o Options) *join {
	j := &join{hasher: newHasher(), options: o, threads: o.Threads, piece: pieceRows, out: &Joined{IntegerIDs: true}}
	if j.threads <= 0 {
		j.threads = runtime.GOMAXPROCS(0)
	}
	j.threads = min(j.threads, maxThreads)
	rows := int64(0)
	for side, l := range []*Labels{from, to} {
		j.tables[side] = &table{source: l.Source, segments: l.Segments, whose: l.Whose,
			fields: []dataset.Field{{Column: l.ID, As: dataset.AsID}, {Column: l.Segment, As: dataset.AsNumber}}}
		if l.Segments <= 0 || l.Segments > MaxSegments {
			j.tables[side].segments, j.tables[side].whose = MaxSegments, ""
		}
		rows += l.Source.Rows()
	}
	if values != nil {
		j.tables[valueSide] = &table{source: values.Source,
			fields: []dataset.Field{{Column: values.ID, As: dataset.AsID}, {Column: values.Value, As: dataset.AsNumber}}}
		rows += values.Source.Rows()
	}
	j.shift, j.buckets = 64, 1
	for int64(j.buckets)*bucketRows < rows && j.buckets < maxBuckets {
		j.shift, j.buckets = j.shift-1, j.buckets*2
	}
	return j
}
