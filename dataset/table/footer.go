package table

import (
	"encoding/binary"
	"slices"

	"github.com/parquet-go/parquet-go/deprecated"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"
)

const (
	parquetMagic = "PAR1"
	// createdBy has no version: the same rows give the same file from one release to the next, as far as the
	// encoding stays the same.
	createdBy = "coterie"
)

// footer gathers the metadata that ends a Parquet file.
type footer struct {
	rows   int64
	groups []format.RowGroup
	pages  []pageIndex
	tags   []format.KeyValue
}

// pageIndex says where the pages of a chunk lie, for readers that begin in the middle. A chunk of one page has none.
type pageIndex struct {
	group, column int
	pages         []format.PageLocation
}

// add books a row group whose chunks begin at the offsets.
func (f *footer) add(g *rowGroup, columns []Column, offsets []int64) {
	group := format.RowGroup{NumRows: int64(g.rows), FileOffset: offsets[0], Ordinal: int16(len(f.groups))}
	for i := range columns {
		k := &g.chunks[i]
		meta := format.ColumnMetaData{
			Type:                  physical(columns[i].Type),
			Encoding:              []format.Encoding{format.Plain, format.RLE},
			PathInSchema:          []string{columns[i].Name},
			Codec:                 format.Snappy,
			NumValues:             int64(g.rows),
			TotalUncompressedSize: k.uncompressed,
			TotalCompressedSize:   int64(len(k.bytes)),
			DataPageOffset:        offsets[i] + k.dataOffset,
			Statistics:            format.Statistics{NullCount: k.nulls},
		}
		if k.stored {
			meta.Codec = format.Uncompressed
		}
		if k.deltas {
			meta.Encoding = []format.Encoding{format.DeltaBinaryPacked, format.RLE}
		}
		if k.dictionary {
			meta.Encoding = append(meta.Encoding, format.RLEDictionary)
			meta.DictionaryPageOffset = offsets[i]
		}
		f.index(i, k.pages, offsets[i])
		group.Columns = append(group.Columns, format.ColumnChunk{FileOffset: offsets[i], MetaData: meta})
		group.TotalByteSize += k.uncompressed
		group.TotalCompressedSize += int64(len(k.bytes))
	}
	f.rows += group.NumRows
	f.groups = append(f.groups, group)
}

// index books the pages of a chunk, which begins at the offset, of the group that comes next.
func (f *footer) index(column int, pages []format.PageLocation, offset int64) {
	if len(pages) < 2 {
		return
	}
	pages = slices.Clone(pages)
	for i := range pages {
		pages[i].Offset += offset
	}
	f.pages = append(f.pages, pageIndex{len(f.groups), column, pages})
}

func physical(t Type) format.Type {
	switch t {
	case Int32, Date:
		return format.Int32
	case Int64, Time:
		return format.Int64
	case Float32:
		return format.Float
	case Float64:
		return format.Double
	case Bool:
		return format.Boolean
	}
	return format.ByteArray
}

// encode is the end of the file, from the offset on: where pages lie, metadata, its length, magic.
func (f *footer) encode(columns []Column, offset int64) ([]byte, error) {
	var indexes []byte
	for _, x := range f.pages {
		b, err := thrift.Marshal(new(thrift.CompactProtocol), &format.OffsetIndex{PageLocations: x.pages})
		if err != nil {
			return nil, err
		}
		k := &f.groups[x.group].Columns[x.column]
		k.OffsetIndexOffset, k.OffsetIndexLength = offset+int64(len(indexes)), int32(len(b))
		indexes = append(indexes, b...)
	}
	meta := format.FileMetaData{Version: 2, NumRows: f.rows, RowGroups: f.groups, CreatedBy: createdBy}
	if len(f.tags) > 0 {
		meta.KeyValueMetadata = f.tags
	}
	if meta.RowGroups == nil {
		meta.RowGroups = []format.RowGroup{}
	}
	root := format.SchemaElement{Name: "schema", NumChildren: thrift.New(int32(len(columns)))}
	meta.Schema = append(meta.Schema, root)
	for i := range columns {
		meta.Schema = append(meta.Schema, element(&columns[i]))
	}
	b, err := thrift.Marshal(new(thrift.CompactProtocol), &meta)
	if err != nil {
		return nil, err
	}
	b = binary.LittleEndian.AppendUint32(b, uint32(len(b)))
	return append(append(indexes, b...), parquetMagic...), nil
}

// element describes a column in both of the format's ways, the older one for older readers.
func element(c *Column) format.SchemaElement {
	e := format.SchemaElement{
		Name: c.Name, Type: thrift.New(physical(c.Type)), RepetitionType: thrift.New(format.Required),
	}
	if c.optional() {
		e.RepetitionType = thrift.New(format.Optional)
	}
	switch c.Type {
	case Text:
		e.ConvertedType = thrift.New(deprecated.UTF8)
		e.LogicalType.Value = &format.StringType{}
	case Date:
		e.ConvertedType = thrift.New(deprecated.Date)
		e.LogicalType.Value = &format.DateType{}
	case Time:
		e.ConvertedType = thrift.New(deprecated.TimestampMicros)
		e.LogicalType.Value = &format.TimestampType{
			IsAdjustedToUTC: true, Unit: format.TimeUnit{Value: &format.MicroSeconds{}},
		}
	}
	return e
}
