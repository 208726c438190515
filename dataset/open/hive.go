package open

import (
	"context"
	"math"
	"net/url"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/csv"
	"github.com/coterie-project/coterie/internal/fault"
)

// defaultPartition is how Hive, Spark and others write that a value is missing.
const defaultPartition = "__HIVE_DEFAULT_PARTITION__"

// partitioned is a table whose files lie in folders that tell columns: dt=2026-10-01/region=eu/part-0.parquet. The columns
// of the files come first, those of the folders behind them, in the order of the path.
type partitioned struct {
	dataset.Source
	schema dataset.Schema
	own    int   // columns of the files
	runs   []run // at least one; the first begins at row 0
}

// run is the rows of files in one folder.
type run struct {
	first int64
	cells []*cell // by column of the folders
}

// cell is what a folder says in one column.
type cell struct {
	text    string
	missing bool
	number  float64
	micros  int64
}

// pair is one folder's name.
type pair struct{ name, value string }

// pairs are the folders directly above a file that are named so, outermost first.
func pairs(path string) []pair {
	names := strings.Split(filepath.ToSlash(path), "/")
	var list []pair
	for i := len(names) - 2; i >= 0; i-- {
		name, value, ok := strings.Cut(names[i], "=")
		if !ok || name == "" {
			break
		}
		list = append(list, pair{unescape(name), unescape(value)})
	}
	slices.Reverse(list)
	return list
}

// unescape decodes %2F and the like; what is no such code stands for itself.
func unescape(s string) string {
	if plain, err := url.PathUnescape(s); err == nil {
		return plain
	}
	return s
}

// byFolders adds the columns that folders tell to a table over the items, if there are any. sources are those of the items,
// joined to one.
func byFolders(items []item, sources []dataset.Source, joined dataset.Source) (dataset.Source, error) {
	first := foldersOf(items[0])
	p := &partitioned{Source: joined, own: len(joined.Schema().Columns)}
	known := make([]map[string]*cell, len(first))
	for c := range known {
		known[c] = make(map[string]*cell)
	}
	row := int64(0)
	for i := range items {
		folders := foldersOf(items[i])
		if !slices.EqualFunc(first, folders, func(a, b pair) bool { return a.name == b.name }) {
			return nil, fault.Inputf(fault.In(items[i].path), "lies in folders that tell %s, but %s in folders that tell %s", columnsOf(folders), items[0].path, columnsOf(first)).
				Do("all files of one table must lie equally deep in folders of the same names")
		}
		cells := make([]*cell, len(folders))
		for c, f := range folders {
			if known[c][f.value] == nil {
				known[c][f.value] = &cell{text: f.value, missing: f.value == defaultPartition || f.value == "", number: math.NaN()}
			}
			cells[c] = known[c][f.value]
		}
		if n := len(p.runs); n > 0 && slices.Equal(p.runs[n-1].cells, cells) {
			row += sources[i].Rows()
			continue
		}
		if sources[i].Rows() > 0 {
			p.runs = append(p.runs, run{row, cells})
		}
		row += sources[i].Rows()
	}
	if len(first) == 0 || len(p.runs) == 0 {
		return joined, nil
	}
	return p, p.settle(items[0].path, first, known)
}

func foldersOf(i item) []pair {
	if i.format == synthFormat || i.format == streamFormat {
		return nil
	}
	return pairs(i.path)
}

func columnsOf(folders []pair) string {
	if len(folders) == 0 {
		return "no column"
	}
	names := make([]string, len(folders))
	for i, f := range folders {
		names[i] = f.name
	}
	return strings.Join(names, ", ")
}

// settle makes the schema: each column of the folders is of the kind that all its values are of.
func (p *partitioned) settle(path string, folders []pair, known []map[string]*cell) error {
	p.schema.Columns = slices.Clone(p.Source.Schema().Columns)
	for c, f := range folders {
		if at := p.schema.Index(f.name); at >= 0 {
			what := "is a column of the file, and the name of a folder too"
			if at >= p.own {
				what = "is the name of two folders, one in the other"
			}
			return fault.Inputf(fault.Place{File: path, Row: fault.NoRow, Column: f.name}, "%s: %s=%s", what, f.name, f.value).Do("rename one of them")
		}
		var sum csv.Tally
		for _, v := range known[c] {
			if !v.missing {
				sum.See([]byte(v.text))
				v.number, v.micros = csv.Values([]byte(v.text))
			}
		}
		kind := sum.Kind()
		if kind == dataset.Number && sum.Numbers < sum.Present {
			kind = dataset.Text
		}
		p.schema.Columns = append(p.schema.Columns, dataset.Column{Name: f.name, Kind: kind, Partition: true})
	}
	return nil
}

// Schema has the columns of the files and, behind them, those of the folders.
func (p *partitioned) Schema() *dataset.Schema { return &p.schema }

// Pins are those of the files.
func (p *partitioned) Pins() []dataset.Pin { return dataset.PinsOf(p.Source) }

// Tag is what the file says.
func (p *partitioned) Tag(key string) string { return dataset.TagOf(p.Source, key) }

// Read walks a range of rows. A column of folders that is no number cannot be read as one: that is an error of kind Input.
func (p *partitioned) Read(ctx context.Context, first, rows int64, fields []dataset.Field) (dataset.Reader, error) {
	r := &partitionedReader{p: p, fields: slices.Clone(fields), vectors: make([]repeated, len(fields))}
	var own []dataset.Field
	for _, f := range fields {
		if f.Column < p.own {
			own = append(own, f)
			continue
		}
		if f.Column >= len(p.schema.Columns) {
			return nil, fault.Failedf(nil, "column number %d was asked for, but there are %d", f.Column, len(p.schema.Columns))
		}
		c := &p.schema.Columns[f.Column]
		if f.As == dataset.AsNumber && c.Kind != dataset.Number && c.Kind != dataset.Bool {
			place := p.Locate(first)
			return nil, fault.Inputf(fault.Place{File: place.File, Row: fault.NoRow, Column: c.Name}, "is told by the names of folders and holds %s, not numbers", kindName(c.Kind)).
				Do("leave it out")
		}
	}
	var err error
	r.Reader, err = p.Source.Read(ctx, first, rows, own)
	if err != nil {
		return nil, err
	}
	return r, nil
}

// find is the run that holds a row.
func (p *partitioned) find(row int64) *run {
	return &p.runs[max(0, sort.Search(len(p.runs), func(i int) bool { return p.runs[i].first > row })-1)]
}

// partitionedReader adds the columns of folders to the Blocks of the files, each of which lies within one file.
type partitionedReader struct {
	dataset.Reader
	p       *partitioned
	fields  []dataset.Field
	vectors []repeated
	block   dataset.Block
}

func (r *partitionedReader) Next() (*dataset.Block, error) {
	b, err := r.Reader.Next()
	if err != nil {
		return nil, err
	}
	columns := r.block.Columns[:0]
	at, run := 0, r.p.find(b.First)
	for i, f := range r.fields {
		if f.Column < r.p.own {
			columns = append(columns, b.Columns[at])
			at++
			continue
		}
		columns = append(columns, r.vectors[i].of(run.cells[f.Column-r.p.own], b.Rows, f.As, r.p.schema.Columns[f.Column].Kind))
	}
	r.block = dataset.Block{First: b.First, Rows: b.Rows, Columns: columns, Bad: b.Bad}
	return &r.block, nil
}

// repeated is a column of one value. It is made anew only when the value or the number of rows changes.
type repeated struct {
	cell   *cell
	rows   int
	vector dataset.Vector
}

func (v *repeated) of(c *cell, rows int, as dataset.As, kind dataset.Kind) dataset.Vector {
	if v.cell == c && v.rows == rows {
		return v.vector
	}
	v.cell, v.rows, v.vector = c, rows, dataset.Vector{}
	if c.missing && as != dataset.AsNumber {
		v.vector.Missing = slices.Repeat([]bool{true}, rows)
	}
	switch {
	case as == dataset.AsNumber:
		v.vector.Float64 = slices.Repeat([]float64{c.number}, rows)
	case as == dataset.AsTime && kind == dataset.Time:
		v.vector.Micros = slices.Repeat([]int64{c.micros}, rows)
	default:
		text := c.text
		if c.missing {
			text = ""
		}
		v.vector.Text.Data = []byte(strings.Repeat(text, rows))
		v.vector.Text.Offsets = make([]int, rows+1)
		for i := range v.vector.Text.Offsets {
			v.vector.Text.Offsets[i] = i * len(text)
		}
	}
	return v.vector
}
