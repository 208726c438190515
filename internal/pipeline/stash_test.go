package pipeline

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"testing"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/worker"
)

// partitionOf is labels of rows first, first+1, …, with ids that are integers or not.
func partitionOf(n, first, rows int, text bool) *worker.Labels {
	l := &worker.Labels{Partition: n, Rows: rows, IDs: &dataset.IDs{}}
	for i := first; i < first+rows; i++ {
		if text {
			l.IDs.AppendText(fmt.Appendf(nil, "c%d", i))
		} else {
			l.IDs.AppendInt(int64(i))
		}
		l.Segment, l.Distance = append(l.Segment, int32(i%5)), append(l.Distance, float32(i))
	}
	return l
}

type replayed struct{ rows, partitions []int }

func (r *replayed) Put(_ context.Context, l *worker.Labels) error {
	r.partitions = append(r.partitions, l.Partition)
	for _, d := range l.Distance {
		r.rows = append(r.rows, int(d))
	}
	return nil
}

func TestStashedLabelsAreReadInTheOrderOfTheirRows(t *testing.T) {
	ctx := context.Background()
	s := &labelStash{file: "data.csv"}
	const rows = 2 + dataset.BlockRows + 10
	for _, l := range []*worker.Labels{partitionOf(4, 2, dataset.BlockRows+3, true), partitionOf(1, 0, 2, false), partitionOf(7, rows-7, 7, false)} {
		if err := s.Put(ctx, l); err != nil {
			t.Fatal(err)
		}
		l.Segment[0] = 99 // what was put may be used again
	}
	_ = s.Put(ctx, partitionOf(1, 500, 2, false)) // a second time: it is not taken
	if err := s.close(rows + 1); err == nil {
		t.Error("a row that is missing is not missed")
	}
	if err := s.close(rows); err != nil {
		t.Fatal(err)
	}
	for _, c := range [][2]int64{{0, rows}, {1, 5}, {3, dataset.BlockRows + 2}, {rows - 3, 3}, {7, 0}} {
		reader, err := s.Read(ctx, c[0], c[1], nil)
		if err != nil {
			t.Fatal(err)
		}
		at := c[0]
		for {
			b, err := reader.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil || b.First != at || b.Rows > dataset.BlockRows || b.Rows < 1 {
				t.Fatalf("rows %v: got a block of %d from %d, %v; want one from %d", c, b.Rows, b.First, err, at)
			}
			for i := range b.Rows {
				id, want := "", fmt.Sprint(at)
				if v := &b.Columns[0]; v.Int64 != nil {
					id = fmt.Sprint(v.Int64[i])
				} else {
					id, want = string(v.Text.At(i)), "c"+want
				}
				if id != want || b.Columns[1].Float64[i] != float64(at%5) {
					t.Fatalf("row %d: got %s in %v, want %s", at, id, b.Columns[1].Float64[i], want)
				}
				at++
			}
		}
		if at != c[0]+c[1] {
			t.Errorf("rows %v: read up to %d", c, at)
		}
	}
	r := &replayed{}
	if err := s.replay(ctx, r); err != nil || len(r.rows) != rows || !slices.IsSorted(r.rows) || !slices.Equal(r.partitions, []int{0, 1, 2}) {
		t.Errorf("got partitions %v of %d rows, %v", r.partitions, len(r.rows), err)
	}
}
