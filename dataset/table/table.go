package table

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
)

// Type is what a column holds.
type Type int

// The types, each with the Go type of its slice in a Batch.
const (
	Int32   Type = iota // []int32
	Int64               // []int64
	Float32             // []float32; NaN is a missing value
	Float64             // []float64; NaN is a missing value
	Text                // []string or dataset.Strings; empty is a missing value
	Time                // []int64, microseconds since 1970-01-01 UTC; NoTime is a missing value
	Date                // []int32, days since 1970-01-01; NoDate is a missing value
	Bool                // []bool
)

// NoTime and NoDate stand for a missing time and a missing date.
const (
	NoTime int64 = math.MinInt64
	NoDate int32 = math.MinInt32
)

// Column describes one column of the table.
type Column struct {
	Name string
	Type Type
	// Nullable makes a missing value a null in Parquet. Otherwise NaN stays NaN and an empty text stays empty, and
	// a missing time or date is an error. It changes nothing in CSV, where a missing value is an empty cell.
	Nullable bool
}

// Batch is a run of rows, column-major: Columns[i] is a slice of the type that the i-th Column's Type names, of
// length Rows. The Writer copies what it needs, so that the caller may use the slices again.
type Batch struct {
	Rows    int
	Columns []any
}

// Writer takes the rows in order. It is not safe for concurrent use. Exactly one of Commit and Abort ends it;
// Abort after Commit does nothing, so that it can be deferred. After an error of Write or Commit nothing is left
// on disk once Abort has been called.
type Writer interface {
	Write(b *Batch) error
	// Commit finishes the file and makes it visible.
	Commit() error
	// Abort drops the file.
	Abort() error
}

// Tag says something about the whole table, where its format has a place for that: Parquet has. It comes before Commit.
func Tag(w Writer, key, value string) {
	if t, ok := w.(interface{ tag(key, value string) }); ok {
		t.tag(key, value)
	}
}

// Options are the writer's few knobs. The zero value is right for nearly everyone.
type Options struct {
	// Rows is the number of rows to come if it is known, else 0. An .npy file has it at its start: without it the
	// matrix waits in a temporary file and is copied at the end. Another number of rows is then an error at Commit.
	Rows int64
	// GroupBytes is how many bytes of fixed-width columns a row group of a Parquet file may have, of which several are in
	// memory at a time; 0 is 64 MiB, which is also the most.
	GroupBytes int
	// Context ends the upload of a table that is an object; nil stands for store.ProcessContext.
	Context context.Context
}

// create begins the file or the object of a table.
func (o Options) create(path string) (*store.Pending, error) {
	if o.Context == nil {
		return store.Create(path)
	}
	return store.CreateContext(o.Context, path)
}

// Stdout is the path of standard output, which gets CSV.
const Stdout = store.Stdout

const extensions = ".csv, .csv.gz, .csv.zst, .parquet or .npy"

// Create begins a table at path. An unknown extension is a fault.Usage error that names the known ones; a missing
// folder is an error of package store. Column names must differ.
func Create(path string, columns []Column, o Options) (Writer, error) {
	if err := checkColumns(path, columns); err != nil {
		return nil, err
	}
	name := strings.ToLower(path)
	switch {
	case path == Stdout, strings.HasSuffix(name, ".csv"):
		return createCSV(path, columns, plain, o)
	case strings.HasSuffix(name, ".csv.gz"):
		return createCSV(path, columns, gzipped, o)
	case strings.HasSuffix(name, ".csv.zst"):
		return createCSV(path, columns, zstandard, o)
	case strings.HasSuffix(name, ".parquet"):
		return createParquet(path, columns, o)
	case strings.HasSuffix(name, ".npy"):
		return createNPY(path, columns, o)
	}
	return nil, fault.Usagef("the output %s has an unknown extension", path).Do("end it in %s", extensions)
}

func checkColumns(path string, columns []Column) error {
	if len(columns) == 0 {
		return fault.Usagef("the table %s has no columns", path)
	}
	seen := make(map[string]bool, len(columns))
	for _, c := range columns {
		if seen[c.Name] {
			return fault.Usagef("the table %s would have two columns called %s", path, c.Name).Do("rename one of them")
		}
		seen[c.Name] = true
	}
	return nil
}

// errEnded is a use of a Writer after Commit or Abort.
var errEnded = errors.New("table: the writer has ended")

// checkBatch holds a Batch against the columns: a caller's slip is an error here, not a broken file.
func checkBatch(b *Batch, columns []Column) error {
	if len(b.Columns) != len(columns) {
		return fmt.Errorf("table: a batch of %d columns for a table of %d", len(b.Columns), len(columns))
	}
	for i := range columns {
		n, ok := length(b.Columns[i], columns[i].Type)
		if !ok {
			return fmt.Errorf("table: column %s gets a %T", columns[i].Name, b.Columns[i])
		}
		if n != b.Rows {
			return fmt.Errorf("table: column %s gets %d values for %d rows", columns[i].Name, n, b.Rows)
		}
	}
	return nil
}

// length is the number of values of v, if v is a slice for the type.
func length(v any, t Type) (int, bool) {
	switch v := v.(type) {
	case []int32:
		return len(v), t == Int32 || t == Date
	case []int64:
		return len(v), t == Int64 || t == Time
	case []float32:
		return len(v), t == Float32
	case []float64:
		return len(v), t == Float64
	case []bool:
		return len(v), t == Bool
	case []string:
		return len(v), t == Text
	case dataset.Strings:
		return v.Len(), t == Text
	}
	return 0, false
}
