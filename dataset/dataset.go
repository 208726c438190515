package dataset

import (
	"context"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/fault"
)

// Kind is what a column holds in its file.
type Kind int

// The kinds of columns. A text file's kinds are found from a sample of its rows.
const (
	Number Kind = iota // any integer or floating type
	Text
	Bool
	Time // dates and timestamps
)

// Column describes one column of a Source.
type Column struct {
	Name    string
	Kind    Kind
	Float32 bool // the file holds float32: AsNumber gives Vector.Float32, exactly what is stored
	Integer bool // the file holds an integer type (never set for text files)
	// Stored says that the file holds float64, or times as numbers: AsNumber or AsTime gives exactly what AsText would
	// say, and has no bad value where AsText has none. Never set for text files.
	Stored bool
	// Partition says that the value stands in the names of folders (month=1/part-0.parquet) and not in the files. Such a
	// column is no feature unless it is named.
	Partition bool
	// Unusable says why the column cannot be read ("nested Parquet columns are not supported"); empty: it can.
	// Such a column is listed so that it can be named; asking for it is an error.
	Unusable string
}

// Schema is the columns of a Source, in file order. Names are unique.
type Schema struct {
	Columns []Column
}

// Index is the position of the column called name, or -1.
func (s *Schema) Index(name string) int {
	for i := range s.Columns {
		if s.Columns[i].Name == name {
			return i
		}
	}
	return -1
}

// As is the representation in which a caller wants a column.
type As int

// The representations.
const (
	AsNumber As = iota // Float32 where Column.Float32, else Float64; a missing value is NaN
	AsText             // Text; a missing value has Missing set
	AsID               // Int64 for integer columns, else Text, kept as it is in the file
	AsTime             // Micros for Time columns, else Text for the caller to parse
)

// Field asks for one column.
type Field struct {
	Column int // position in the Schema
	As     As
}

// Vector is one column of a Block: exactly one of Float64, Float32, Int64, Micros and Text is set, of length
// Block.Rows.
type Vector struct {
	Float64 []float64
	Float32 []float32
	Int64   []int64
	Micros  []int64 // microseconds since 1970-01-01 UTC
	Text    Strings
	Missing []bool // nil: nothing is missing. Not used for numbers, whose missing values are NaN
}

// Strings is a column of text in one buffer: value i is Data[Offsets[i]:Offsets[i+1]].
type Strings struct {
	Data    []byte
	Offsets []int // length Rows+1, or nil where the Vector holds no text
}

// At is the i-th text; the bytes belong to the Block.
func (s *Strings) At(i int) []byte { return s.Data[s.Offsets[i]:s.Offsets[i+1]] }

// Len is the number of texts.
func (s *Strings) Len() int { return max(len(s.Offsets)-1, 0) }

// BadRow is a row that cannot be used as asked: the wrong number of fields, text where a number was asked for,
// an infinite number, a NUL byte. Its cells in the Block are NaN or empty. Whether it is an error or goes to
// quarantine is for the caller to say.
type BadRow struct {
	Index  int // row within the Block
	Place  fault.Place
	Reason string // "not a number: \"abc\""
	Raw    string // the record as it stands in the file, where the format has such a thing
}

// Block is a run of consecutive rows. It belongs to the Reader and is valid until the next call of Next.
type Block struct {
	First   int64 // global number of the first row
	Rows    int
	Columns []Vector // in the order of the Fields asked for
	Bad     []BadRow // ascending Index, at most one for each row
}

// SettleBad sorts Bad by Index, keeps one reason for each row, the one that was found first, and leaves no number
// in such a row: for Readers that find bad cells column by column.
func (b *Block) SettleBad() {
	slices.SortStableFunc(b.Bad, func(x, y BadRow) int { return x.Index - y.Index })
	b.Bad = slices.CompactFunc(b.Bad, func(x, y BadRow) bool { return x.Index == y.Index })
	for i := range b.Columns {
		for _, bad := range b.Bad {
			if v := &b.Columns[i]; v.Float32 != nil {
				v.Float32[bad.Index] = float32(math.NaN())
			} else if v.Float64 != nil {
				v.Float64[bad.Index] = math.NaN()
			}
		}
	}
}

// Reader walks a range of rows. Next returns io.EOF after the last Block.
type Reader interface {
	Next() (*Block, error)
	Close() error
}

// Source is one table over one or more files. All methods are safe for concurrent use; several Readers may be
// open at once. A Source is pinned: a file that changes after Open is an error when it is read.
type Source interface {
	Schema() *Schema
	// Rows is the number of rows in all files.
	Rows() int64
	// Cuts are the row numbers where reading can start without reading what lies before: ascending, the first
	// is 0. They depend on the data alone. Reading may start anywhere; elsewhere it may cost a short skip.
	Cuts() []int64
	// Read walks rows [first, first+rows) of the fields asked for.
	Read(ctx context.Context, first, rows int64, fields []Field) (Reader, error)
	// Locate is the file and the line (text) or row (other formats) of a global row number, for messages.
	Locate(row int64) fault.Place
	// Bytes is the size of the decoded data as far as it is known, for progress and planning; 0 if unknown.
	Bytes() int64
	// Names are the files or addresses read, as the caller wrote them.
	Names() []string
	Close() error
}

// BlockRows is the largest number of rows that a Reader puts into a Block.
const BlockRows = 8192
