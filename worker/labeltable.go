package worker

import (
	"errors"
	"fmt"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
)

// errNotIntegers is a slip of the coordinator: the type of a column of ids is settled before the first is written.
var errNotIntegers = errors.New("there are ids that are no integers where all were to be")

// LabelTable says which columns a table of labels has: id, segment and distance, and perhaps the second nearest.
type LabelTable struct {
	RowNumbers bool // there is no id column: row numbers are the ids
	Detail     bool
}

// Columns are those of the table. integers says that every id of the job is an integer; otherwise ids are text, in which
// an integer looks as it does in a file of text.
func (t LabelTable) Columns(integers bool) []table.Column {
	id := table.Column{Name: "id", Type: table.Text}
	if t.RowNumbers || integers {
		id.Type = table.Int64
	}
	columns := []table.Column{id, {Name: "segment", Type: table.Int32}, {Name: "distance", Type: table.Float32}}
	if t.Detail {
		columns = append(columns, table.Column{Name: "second_segment", Type: table.Int32}, table.Column{Name: "second_distance", Type: table.Float32})
	}
	return columns
}

// Batch is a partition's labels as rows of the table.
func (t LabelTable) Batch(l *Labels) (*table.Batch, error) {
	ids, err := t.ids(l)
	if err != nil {
		return nil, err
	}
	b := &table.Batch{Rows: l.Rows, Columns: []any{ids, l.Segment, l.Distance}}
	if t.Detail {
		b.Columns = append(b.Columns, l.Second, l.SecondDistance)
	}
	return b, nil
}

func (t LabelTable) ids(l *Labels) (any, error) {
	if t.RowNumbers {
		return l.RowNumbers, nil
	}
	if l.IDs == nil || l.IDs.Len() != l.Rows {
		return nil, fmt.Errorf("worker: partition %d has labels of %d rows without as many ids", l.Partition, l.Rows)
	}
	integers, ok := l.IDs.Integers()
	switch {
	case l.Integers && !ok:
		return nil, fmt.Errorf("worker: partition %d: %w", l.Partition, errNotIntegers)
	case l.Integers && integers == nil:
		return []int64{}, nil
	case l.Integers:
		return integers, nil
	}
	text := dataset.Strings{Offsets: make([]int, 1, l.Rows+1)}
	for i := range l.Rows {
		text.Data = l.IDs.AppendTo(text.Data, i)
		text.Offsets = append(text.Offsets, len(text.Data))
	}
	return text, nil
}
