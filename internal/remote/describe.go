package remote

import (
	"fmt"
	"strconv"
	"unicode/utf8"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// maxColumns bounds the columns of a table on a cluster. Their descriptions travel with every job, and 65,536 of them
// still fit a message.
const maxColumns = 1 << 16

// Describe says what a table is to those who cannot open it, and what its files are; pins nil: those of the Source.
func Describe(s dataset.Source, pins []*pb.Pin) *pb.Description {
	if pins == nil {
		pins = Pins(s)
	}
	d := &pb.Description{Rows: s.Rows(), Cuts: s.Cuts(), Bytes: s.Bytes(), Pins: pins}
	for _, name := range s.Names() {
		d.Names = append(d.Names, text(name))
	}
	for _, c := range s.Schema().Columns {
		if !utf8.ValidString(c.Name) {
			c.Name, c.Unusable = strconv.Quote(c.Name), "its name is not UTF-8"
		}
		d.Columns = append(d.Columns, &pb.ColumnInfo{Name: c.Name, Kind: uint32(c.Kind), Float32: c.Float32, Integer: c.Integer, Partition: c.Partition, Stored: c.Stored, Unusable: text(c.Unusable)})
	}
	return d
}

// Schema is the columns of a description. The error is of kind Input for a table that is too wide, of kind Failed for a
// description that no table has.
func Schema(d *pb.Description) (*dataset.Schema, error) {
	if n := len(d.GetColumns()); n > maxColumns {
		return nil, fault.Inputf(fault.In(firstName(d)), "has %d columns; on a cluster %d are the most", n, maxColumns).
			Do("leave out columns, or run without --cluster")
	}
	s := &dataset.Schema{}
	seen := make(map[string]bool, len(d.GetColumns()))
	for i, c := range d.GetColumns() {
		kind := dataset.Kind(c.GetKind())
		switch {
		case c.GetKind() > uint32(dataset.Time):
			return nil, damaged("column %d is of kind %d", i, c.GetKind())
		case seen[c.GetName()]:
			return nil, damaged("two columns are called %q", text(c.GetName()))
		case kind != dataset.Number && (c.GetFloat32() || c.GetInteger()), c.GetFloat32() && c.GetInteger():
			return nil, damaged("column %d is of two types", i)
		}
		seen[c.GetName()] = true
		s.Columns = append(s.Columns, dataset.Column{Name: c.GetName(), Kind: kind, Float32: c.GetFloat32(), Integer: c.GetInteger(), Partition: c.GetPartition(), Stored: c.GetStored(), Unusable: text(c.GetUnusable())})
	}
	return s, checkShape(d)
}

// checkShape checks the numbers of a description.
func checkShape(d *pb.Description) error {
	if len(d.GetColumns()) == 0 || d.GetRows() < 0 || d.GetBytes() < 0 {
		return damaged("%d columns, %d rows, %d bytes", len(d.GetColumns()), d.GetRows(), d.GetBytes())
	}
	for i, cut := range d.GetCuts() {
		if i == 0 && cut != 0 || i > 0 && (cut <= d.GetCuts()[i-1] || cut >= d.GetRows()) {
			return damaged("cut %d at row %d", i, cut)
		}
	}
	return nil
}

func damaged(format string, args ...any) error {
	return fault.Failedf(fmt.Errorf(format, args...), "the description of the data is damaged").
		Do("submit the job again, with programs of one version")
}

func firstName(d *pb.Description) string {
	if len(d.GetNames()) == 0 {
		return ""
	}
	return text(d.GetNames()[0])
}

// Pins are those of a Source, as they travel.
func Pins(s dataset.Source) []*pb.Pin {
	var pins []*pb.Pin
	for _, p := range dataset.PinsOf(s) {
		pins = append(pins, &pb.Pin{Path: p.Path, Size: p.Size, ModifiedNanos: p.Modified, Etag: p.ETag})
	}
	return pins
}

// PinsOf are pins that have travelled, for open.Options; nil if there are none.
func PinsOf(pins []*pb.Pin) []dataset.Pin {
	var list []dataset.Pin
	for _, p := range pins {
		list = append(list, dataset.Pin{Path: p.GetPath(), Size: p.GetSize(), Modified: p.GetModifiedNanos(), ETag: p.GetEtag()})
	}
	return list
}
