package pipeline

import (
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
)

// listRows is how many customers the table is given at a time.
const listRows = 1 << 13

// listFile is the list on its way. Rows gather, column by column.
type listFile struct {
	writer  table.Writer
	columns []listColumn
	rows    int
	quote   bool  // put an apostrophe before formulas
	found   int64 // formulas
	values  []any // by column: the slice that a table.Batch holds
}

func newListFile(path string, quote bool, columns []listColumn) (*listFile, error) {
	f := &listFile{columns: columns, quote: quote, values: make([]any, len(columns))}
	list := make([]table.Column, len(columns))
	for i, c := range columns {
		list[i] = table.Column{Name: string(f.cell([]byte(c.name))), Type: c.kind, Nullable: c.field >= 0}
	}
	f.clear()
	var err error
	f.writer, err = table.Create(path, list, table.Options{})
	return f, err
}

// clear makes all columns empty, and keeps their memory.
func (f *listFile) clear() {
	f.rows = 0
	for i, c := range f.columns {
		switch v := f.values[i].(type) {
		case nil:
			f.values[i] = map[table.Type]any{table.Int32: []int32{}, table.Int64: []int64{}, table.Time: []int64{}, table.Float32: []float32{},
				table.Float64: []float64{}, table.Text: dataset.Strings{Offsets: []int{0}}}[c.kind]
		case []int32:
			f.values[i] = v[:0]
		case []int64:
			f.values[i] = v[:0]
		case []float32:
			f.values[i] = v[:0]
		case []float64:
			f.values[i] = v[:0]
		case dataset.Strings:
			f.values[i] = dataset.Strings{Data: v.Data[:0], Offsets: v.Offsets[:1]}
		}
	}
}

// add takes row i of a block in.
func (f *listFile) add(l *lister, block *dataset.Block, ids *dataset.Vector, i int) error {
	for c := range f.columns {
		column := &f.columns[c]
		if column.field >= 0 {
			f.copy(c, &block.Columns[column.field], i)
			continue
		}
		switch column.name {
		case "id":
			f.id(c, ids, i)
		case "segment":
			f.values[c] = append(f.values[c].([]int32), l.segments[i])
		case "from_segment":
			f.values[c] = append(f.values[c].([]int32), l.before[i])
		case "distance":
			f.values[c] = append(f.values[c].([]float32), float32(l.distances[i]))
		case "name":
			f.text(c, []byte(l.m.Segments[l.segments[i]].Name))
		case "from_name":
			f.text(c, []byte(l.old.Segments[l.before[i]].Name))
		}
	}
	if f.rows++; f.rows == listRows {
		return f.flush()
	}
	return nil
}

func (f *listFile) id(c int, ids *dataset.Vector, i int) {
	list, integers := f.values[c].([]int64)
	switch {
	case !integers && ids.Int64 == nil:
		f.text(c, ids.Text.At(i))
	case !integers:
		f.text(c, appendID(nil, ids, i))
	case ids.Int64 != nil:
		f.values[c] = append(list, ids.Int64[i])
	default: // the data has it as a text, the labels as an integer, and the two are equal
		id, _ := dataset.PlainInteger(ids.Text.At(i))
		f.values[c] = append(list, id)
	}
}

func (f *listFile) text(c int, text []byte) {
	s := f.values[c].(dataset.Strings)
	s.Data = append(s.Data, f.cell(text)...)
	s.Offsets = append(s.Offsets, len(s.Data))
	f.values[c] = s
}

// cell is a text as it is written.
func (f *listFile) cell(text []byte) []byte {
	if !looksLikeFormula(text) {
		return text
	}
	f.found++
	if f.quote {
		return append([]byte{'\''}, text...)
	}
	return text
}

// copy takes a value of the data.
func (f *listFile) copy(c int, v *dataset.Vector, i int) {
	switch list := f.values[c].(type) {
	case []int64:
		at := table.NoTime
		if v.Missing == nil || !v.Missing[i] {
			at = v.Micros[i]
		}
		f.values[c] = append(list, at)
	case []float32:
		f.values[c] = append(list, v.Float32[i])
	case []float64:
		f.values[c] = append(list, numberAt(v, i))
	default:
		if v.Missing != nil && v.Missing[i] {
			f.text(c, nil)
		} else {
			f.text(c, v.Text.At(i))
		}
	}
}

func (f *listFile) flush() error {
	err := f.writer.Write(&table.Batch{Rows: f.rows, Columns: f.values})
	f.clear()
	return err
}

func (f *listFile) commit() error {
	if err := f.flush(); err != nil {
		return err
	}
	return f.writer.Commit()
}

func (f *listFile) abort() {
	if f.writer != nil {
		f.writer.Abort()
	}
}
