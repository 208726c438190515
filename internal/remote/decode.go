package remote

import (
	"fmt"

	"github.com/coterie-project/coterie/dataset"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// decoder turns messages into Blocks of the rows [next,end) and the columns asked for.
type decoder struct {
	next, end int64
	columns   []column
	block     dataset.Block
}

func newDecoder(first, rows int64, fields []dataset.Field, schema *dataset.Schema) *decoder {
	d := &decoder{next: first, end: first + rows, columns: make([]column, len(fields))}
	for i, f := range fields {
		d.columns[i].kind = kindOf(f.As, &schema.Columns[f.Column])
	}
	d.block.Columns = make([]dataset.Vector, len(fields))
	return d
}

// decode checks a message against what was asked for. The Block is valid until the next call; after an error the decoder
// must not be used.
func (d *decoder) decode(m *pb.Block) (*dataset.Block, error) {
	rows := int64(m.GetRows())
	switch {
	case m.GetFirst() != d.next:
		return nil, fmt.Errorf("rows from %d on came where row %d was due", m.GetFirst(), d.next)
	case rows < 1 || rows > dataset.BlockRows || rows > d.end-d.next:
		return nil, fmt.Errorf("%d rows came where at most %d were due", rows, min(dataset.BlockRows, d.end-d.next))
	case len(m.GetColumns()) != len(d.columns):
		return nil, fmt.Errorf("%d columns came where %d were due", len(m.GetColumns()), len(d.columns))
	case len(m.GetBad()) > int(rows):
		return nil, fmt.Errorf("%d rows of %d are bad", len(m.GetBad()), rows)
	}
	d.block.First, d.block.Rows, d.block.Bad = d.next, int(rows), d.block.Bad[:0]
	for i := range d.columns {
		if err := d.columns[i].decode(m.GetColumns()[i], int(rows)); err != nil {
			return nil, fmt.Errorf("column %d %w", i, err)
		}
		d.block.Columns[i] = d.columns[i].vector
	}
	before := -1
	for _, bad := range m.GetBad() {
		index := int(bad.GetIndex())
		if index <= before || index >= int(rows) {
			return nil, fmt.Errorf("bad row %d of %d comes behind %d", index, rows, before)
		}
		before = index
		d.block.Bad = append(d.block.Bad, dataset.BadRow{Index: index, Place: placeOf(bad.GetPlace()), Reason: text(bad.GetReason()), Raw: string(bad.GetRaw())})
	}
	d.next += rows
	return &d.block, nil
}
