package parquet

import (
	"errors"
	"fmt"

	"github.com/coterie-project/coterie/dataset"
	"github.com/parquet-go/parquet-go/format"
)

// meaning is how stored values become numbers, texts and times.
type meaning int

const (
	meansUnusable meaning = iota
	meansBool
	meansInt32
	meansUint32
	meansInt64
	meansUint64
	meansFloat16
	meansFloat32
	meansFloat64
	meansDecimal32 // unscaled 32-bit integer
	meansDecimal64
	meansDecimalBytes // big-endian two's complement
	meansDate         // days
	meansMillis
	meansMicros
	meansNanos
	meansInt96 // nanoseconds of the day, then a Julian day
	meansText
	meansUUID
)

// leaf is a column of values in the file.
type leaf struct {
	name     string // of the top-level column that it belongs to
	typ      format.Type
	flat     bool // one value or null for each row
	optional bool
	width    int // bytes of a FIXED_LEN_BYTE_ARRAY or INT96 value
	means    meaning
	scale    int
}

// tree is the schema as the rest of the package needs it.
type tree struct {
	schema dataset.Schema
	leaf   []int // by column of the schema: its leaf, or -1 if the column is nested
	leaves []leaf
}

const (
	nestedReason   = "nested Parquet columns are not supported; flatten it"
	maxSchemaDepth = 64
	maxFixedLength = 1 << 15
)

// buildTree turns the file's list of elements into columns.
func buildTree(elements []element) (*tree, error) {
	t := &tree{}
	root, rest := elements[0], elements[1:]
	for i := int32(0); i < root.children; i++ {
		if len(rest) == 0 {
			return nil, errors.New("the schema ends too early")
		}
		e := &rest[0]
		if e.leaf && e.children == 0 && e.repetition != format.Repeated {
			l, column := flatLeaf(e)
			t.leaf = append(t.leaf, len(t.leaves))
			t.leaves = append(t.leaves, l)
			t.schema.Columns = append(t.schema.Columns, column)
			rest = rest[1:]
			continue
		}
		column := dataset.Column{Name: e.name, Kind: dataset.Text, Unusable: nestedReason}
		t.leaf = append(t.leaf, -1)
		t.schema.Columns = append(t.schema.Columns, column)
		var err error
		if rest, err = t.nested(e.name, rest, 0); err != nil {
			return nil, err
		}
	}
	if len(rest) > 0 {
		return nil, fmt.Errorf("the schema has %d elements too many", len(rest))
	}
	return t, nil
}

// nested passes over the subtree of the first element, collecting its leaves so that chunks can be counted.
func (t *tree) nested(name string, elements []element, depth int) ([]element, error) {
	if depth > maxSchemaDepth {
		return nil, errors.New("the schema is nested too deeply")
	}
	if len(elements) == 0 {
		return nil, errors.New("the schema ends too early")
	}
	e, rest := elements[0], elements[1:]
	if e.leaf {
		t.leaves = append(t.leaves, leaf{name: name, typ: e.typ})
		return rest, nil
	}
	var err error
	for i := int32(0); i < e.children && err == nil; i++ {
		rest, err = t.nested(name, rest, depth+1)
	}
	return rest, err
}

// flatLeaf reads the type and annotation of a top-level column.
func flatLeaf(e *element) (leaf, dataset.Column) {
	l := leaf{name: e.name, typ: e.typ, flat: true, optional: e.repetition == format.Optional}
	l.scale = int(e.scale)
	if e.logical.id == logicalDecimal {
		l.scale = int(e.logical.scale)
	}
	reason := ""
	switch e.typ {
	case format.Boolean:
		l.means = meansBool
	case format.Int32:
		l.means, reason = meaning32(e)
	case format.Int64:
		l.means, reason = meaning64(e)
	case format.Int96:
		l.means, l.width = meansInt96, 12
	case format.Float:
		l.means = meansFloat32
	case format.Double:
		l.means = meansFloat64
	case format.ByteArray:
		l.means, reason = meaningBytes(e)
	case format.FixedLenByteArray:
		l.width = int(e.length)
		l.means, reason = meaningFixed(e)
	default:
		reason = fmt.Sprintf("the Parquet type %d is unknown", e.typ)
	}
	if l.isDecimal() && (l.scale < 0 || l.scale > 1000) {
		l.means, reason = meansUnusable, fmt.Sprintf("a decimal scale of %d is not supported", l.scale)
	}
	return l, l.column(reason)
}

func (l *leaf) isDecimal() bool {
	return l.means == meansDecimal32 || l.means == meansDecimal64 || l.means == meansDecimalBytes
}

// column describes the leaf to the callers of Schema. Decimals without a fraction are integers: that is how
// several warehouses export their keys.
func (l *leaf) column(reason string) dataset.Column {
	c := dataset.Column{Name: l.name, Kind: dataset.Number, Unusable: reason}
	switch l.means {
	case meansUnusable, meansText, meansUUID:
		c.Kind = dataset.Text
	case meansBool:
		c.Kind = dataset.Bool
	case meansInt32, meansUint32, meansInt64, meansUint64:
		c.Integer = true
	case meansDecimal32, meansDecimal64:
		c.Integer = l.scale == 0
	case meansFloat16, meansFloat32:
		c.Float32 = true
	case meansFloat64:
		c.Stored = true
	case meansDate, meansMillis, meansMicros, meansNanos, meansInt96:
		c.Kind, c.Stored = dataset.Time, true
	}
	return c
}

// Values of ConvertedType, the annotation that LogicalType replaced.
const (
	convertedDecimal         = 5
	convertedDate            = 6
	convertedTimeMillis      = 7
	convertedTimeMicros      = 8
	convertedTimestampMillis = 9
	convertedTimestampMicros = 10
	convertedUint8           = 11
	convertedUint64          = 14
	convertedInterval        = 21
)

const timeOfDayReason = "times of day are not supported; write them as a number or a timestamp"

func meaning32(e *element) (meaning, string) {
	switch c := e.converted; {
	case e.logical.id == logicalDecimal || c == convertedDecimal:
		return meansDecimal32, ""
	case e.logical.id == logicalDate || c == convertedDate:
		return meansDate, ""
	case e.logical.id == logicalTime || c == convertedTimeMillis:
		return meansUnusable, timeOfDayReason
	case e.logical.id == logicalInteger && e.logical.unsigned || c >= convertedUint8 && c <= convertedUint64:
		return meansUint32, ""
	}
	return meansInt32, ""
}

func meaning64(e *element) (meaning, string) {
	switch c := e.converted; {
	case e.logical.id == logicalDecimal || c == convertedDecimal:
		return meansDecimal64, ""
	case e.logical.id == logicalTimestamp && e.logical.unit == 3:
		return meansNanos, ""
	case e.logical.id == logicalTimestamp && e.logical.unit == 2 || c == convertedTimestampMicros:
		return meansMicros, ""
	case e.logical.id == logicalTimestamp && e.logical.unit == 1 || c == convertedTimestampMillis:
		return meansMillis, ""
	case e.logical.id == logicalTimestamp:
		return meansUnusable, fmt.Sprintf("the time unit %d is unknown", e.logical.unit)
	case e.logical.id == logicalTime || c == convertedTimeMicros:
		return meansUnusable, timeOfDayReason
	case e.logical.id == logicalInteger && e.logical.unsigned || c >= convertedUint8 && c <= convertedUint64:
		return meansUint64, ""
	}
	return meansInt64, ""
}

func meaningBytes(e *element) (meaning, string) {
	if e.logical.id == logicalDecimal || e.converted == convertedDecimal {
		return meansDecimalBytes, ""
	}
	return meansText, ""
}

func meaningFixed(e *element) (meaning, string) {
	switch {
	case e.length <= 0 || e.length > maxFixedLength:
		return meansUnusable, fmt.Sprintf("values of %d bytes are not supported", e.length)
	case e.logical.id == logicalDecimal || e.converted == convertedDecimal:
		return meansDecimalBytes, ""
	case e.logical.id == logicalUUID && e.length == 16:
		return meansUUID, ""
	case e.logical.id == logicalFloat16 && e.length == 2:
		return meansFloat16, ""
	case e.converted == convertedInterval:
		return meansUnusable, "intervals are not supported; write them as a number"
	}
	return meansText, ""
}
