package pipeline

import (
	"context"
	"io"
	"slices"
	"sync"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/worker"
)

// labelStash keeps labels in memory, for who has to look at them before they may be written: some 16 bytes a customer, and
// the text of ids that are not integers. It implements worker.LabelSink, and, once all have come, dataset.Source with the
// columns id and segment.
type labelStash struct {
	file string // that the rows are of, for messages

	mu    sync.Mutex
	parts map[int]*worker.Labels
	list  []*worker.Labels // in row order; filled by close
	first []int64          // row number of the first of each, and of the end
}

// noLabels is a worker.LabelSink for labels that only have to be counted.
type noLabels struct{}

// Put implements worker.LabelSink.
func (noLabels) Put(context.Context, *worker.Labels) error { return nil }

// Put implements worker.LabelSink. A partition that is there already is not taken again.
func (s *labelStash) Put(_ context.Context, l *worker.Labels) error {
	kept := &worker.Labels{Partition: l.Partition, Rows: l.Rows, Integers: l.Integers, RowNumbers: slices.Clone(l.RowNumbers),
		Segment: slices.Clone(l.Segment), Distance: slices.Clone(l.Distance)}
	if l.IDs != nil {
		kept.IDs = &dataset.IDs{}
		var text []byte
		integers, ok := l.IDs.Integers()
		for i := range l.IDs.Len() {
			if ok {
				kept.IDs.AppendInt(integers[i])
			} else {
				text = l.IDs.AppendTo(text[:0], i)
				kept.IDs.AppendText(text)
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.parts == nil {
		s.parts = make(map[int]*worker.Labels)
	}
	if s.parts[l.Partition] == nil {
		s.parts[l.Partition] = kept
	}
	return nil
}

// close puts the partitions in order, and holds that there are as many rows as were labelled.
func (s *labelStash) close(rows int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.list, s.first = nil, []int64{0}
	for _, l := range s.parts {
		s.list = append(s.list, l)
	}
	slices.SortFunc(s.list, func(a, b *worker.Labels) int { return a.Partition - b.Partition })
	total := int64(0)
	for _, l := range s.list {
		total += int64(l.Rows)
		s.first = append(s.first, total)
	}
	if total != rows {
		return fault.Failedf(nil, "labels of %d rows have come where %d rows were labelled", total, rows)
	}
	return nil
}

// replay hands all labels to another sink. Partitions without rows are not there, so each is given the number that comes next.
func (s *labelStash) replay(ctx context.Context, to worker.LabelSink) error {
	for n, l := range s.list {
		l.Partition = n
		if err := to.Put(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// Schema implements dataset.Source.
func (s *labelStash) Schema() *dataset.Schema {
	return &dataset.Schema{Columns: []dataset.Column{{Name: "id", Kind: dataset.Text}, {Name: "segment", Integer: true}}}
}

// Rows implements dataset.Source.
func (s *labelStash) Rows() int64 { return s.first[len(s.list)] }

// Cuts implements dataset.Source.
func (s *labelStash) Cuts() []int64 {
	if len(s.list) == 0 {
		return []int64{0}
	}
	return s.first[:len(s.list)]
}

// Locate implements dataset.Source: it knows no rows of the file.
func (s *labelStash) Locate(int64) fault.Place { return fault.In(s.file) }

// Bytes implements dataset.Source.
func (s *labelStash) Bytes() int64 { return 0 }

// Names implements dataset.Source.
func (s *labelStash) Names() []string { return []string{s.file} }

// Close implements dataset.Source.
func (s *labelStash) Close() error { return nil }

// Read implements dataset.Source, for the id and the segment.
func (s *labelStash) Read(ctx context.Context, first, rows int64, _ []dataset.Field) (dataset.Reader, error) {
	return &stashReader{ctx: ctx, stash: s, at: first, end: first + rows}, nil
}

type stashReader struct {
	ctx     context.Context
	stash   *labelStash
	at, end int64
}

// Next implements dataset.Reader.
func (r *stashReader) Next() (*dataset.Block, error) {
	if err := r.ctx.Err(); err != nil {
		return nil, err
	}
	if r.at >= r.end {
		return nil, io.EOF
	}
	s := r.stash
	next, _ := slices.BinarySearch(s.first, r.at+1) // the first partition that begins behind the row
	n := next - 1
	l := s.list[n]
	lo := int(r.at - s.first[n])
	hi := min(l.Rows, lo+dataset.BlockRows, lo+int(r.end-r.at))
	b := &dataset.Block{First: r.at, Rows: hi - lo, Columns: make([]dataset.Vector, 2)}
	if integers, ok := l.IDs.Integers(); ok {
		b.Columns[0].Int64 = integers[lo:hi]
	} else {
		t := &b.Columns[0].Text
		t.Offsets = append(t.Offsets, 0)
		for i := lo; i < hi; i++ {
			t.Data = l.IDs.AppendTo(t.Data, i)
			t.Offsets = append(t.Offsets, len(t.Data))
		}
	}
	segments := make([]float64, hi-lo)
	for i, v := range l.Segment[lo:hi] {
		segments[i] = float64(v)
	}
	b.Columns[1].Float64 = segments
	r.at += int64(hi - lo)
	return b, nil
}

// Close implements dataset.Reader.
func (r *stashReader) Close() error { return nil }
