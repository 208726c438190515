package remote

import (
	"fmt"

	"github.com/coterie-project/coterie/dataset"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// maxFields bounds the columns asked for at once: as many as there can be.
const maxFields = maxColumns

// fieldsOf checks the columns that a request asks for, of a table that has so many.
func fieldsOf(fields []*pb.Field, columns int) ([]dataset.Field, error) {
	if len(fields) > maxFields {
		return nil, fmt.Errorf("%d columns were asked for, more than %d", len(fields), maxFields)
	}
	list := make([]dataset.Field, len(fields))
	for i, f := range fields {
		if uint64(f.GetColumn()) >= uint64(columns) || f.GetAs() > uint32(dataset.AsTime) {
			return nil, fmt.Errorf("column %d of %d was asked for as %d", f.GetColumn(), columns, f.GetAs())
		}
		list[i] = dataset.Field{Column: int(f.GetColumn()), As: dataset.As(f.GetAs())}
	}
	return list, nil
}

// fieldMessages is the way there.
func fieldMessages(fields []dataset.Field) []*pb.Field {
	list := make([]*pb.Field, len(fields))
	for i, f := range fields {
		list[i] = &pb.Field{Column: uint32(f.Column), As: uint32(f.As)}
	}
	return list
}

// checkRange says whether rows [first, first+rows) are among all.
func checkRange(first, rows, all int64) error {
	if first < 0 || rows < 0 || first > all || rows > all-first {
		return fmt.Errorf("%d rows from row %d on were asked for, but there are %d", rows, first, all)
	}
	return nil
}
