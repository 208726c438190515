package pipeline

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/table"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/where"
)

// listColumn is a column of the list: one of ours, or one of the data.
type listColumn struct {
	name  string
	field int // position in lister.fields; −1: ours
	kind  table.Type
}

// choose finds the columns of the list, and what of the data has to be read for them.
func (l *lister) choose() error {
	l.columns = []listColumn{{"id", -1, table.Text}, {"segment", -1, table.Int32}, {"name", -1, table.Text}, {"distance", -1, table.Float32}}
	if l.r.FromLabels != "" {
		l.columns = append(l.columns, listColumn{"from_segment", -1, table.Int32})
		if l.old != nil {
			l.columns = append(l.columns, listColumn{"from_name", -1, table.Text})
		}
	}
	if l.data == nil {
		return nil
	}
	schema, file := l.data.Schema(), firstName(l.data)
	id := or(l.r.ID, findID(schema))
	if err := mustHave(schema, file, append([]string{id}, l.r.Columns...)...); err != nil {
		return err
	}
	if l.dataID = -1; id != "" {
		l.dataID = schema.Index(id)
		l.fields = append(l.fields, dataset.Field{Column: l.dataID, As: dataset.AsID})
	}
	ours := len(l.columns)
	taken := func(name string) bool {
		return name == id || slices.ContainsFunc(l.columns[:ours], func(c listColumn) bool { return c.name == name })
	}
	for _, name := range l.r.Columns {
		if taken(name) {
			return fault.Usagef("--columns: %q is the name of a column that the list has already", name).Do("leave it out, or rename it in the data")
		}
		l.add(name)
	}
	if l.r.Columns != nil {
		return nil
	}
	for _, name := range l.m.Features() {
		if at := schema.Index(name); at >= 0 && schema.Columns[at].Unusable == "" && !taken(name) {
			l.add(name)
		}
	}
	return nil
}

// add adds a column of the data to the list.
func (l *lister) add(name string) {
	c := listColumn{name: name, kind: table.Text}
	as := dataset.AsText
	switch column := l.data.Schema().Columns[l.data.Schema().Index(name)]; {
	case column.Kind == dataset.Time:
		c.kind, as = table.Time, dataset.AsTime
	case column.Kind == dataset.Number && column.Float32:
		c.kind, as = table.Float32, dataset.AsNumber
	case column.Kind == dataset.Number:
		c.kind, as = table.Float64, dataset.AsNumber
	}
	c.field = l.field(name, as)
	l.columns = append(l.columns, c)
}

// ruleField is the position among fields of a column of the rule. Times are texts there: the usual spelling sorts as they do.
// So are ids, unless the file says that they are integers: the next one may be 007 or b.
func (l *lister) ruleField(name string) int {
	at := l.data.Schema().Index(name)
	column := l.data.Schema().Columns[at]
	if column.Kind == dataset.Number && (at != l.dataID || column.Integer) {
		return l.field(name, dataset.AsNumber)
	}
	return l.field(name, dataset.AsText)
}

// field is the position among fields of a column of the data, which it joins if it is not there.
func (l *lister) field(name string, as dataset.As) int {
	f := dataset.Field{Column: l.data.Schema().Index(name), As: as}
	if at := slices.Index(l.fields, f); at >= 0 {
		return at
	}
	l.fields = append(l.fields, f)
	return len(l.fields) - 1
}

// bind finds the columns of the rule: in the labels, or in the data.
func (l *lister) bind() (err error) {
	if l.filter == nil {
		return nil
	}
	for _, name := range l.filter.Columns() {
		switch at := slices.Index(labelColumns, name); {
		case name == "from_segment" && l.r.FromLabels == "" && (l.data == nil || l.data.Schema().Index(name) < 0):
			return fault.Usagef("--where: %q without --from-labels", name).Do("name the earlier labels")
		case at >= 0 && (name != "from_segment" || l.r.FromLabels != ""):
			l.from = append(l.from, -1-at)
		case l.data == nil:
			err := fault.Inputf(fault.In(l.r.Labels), "there is no column %q for --where", name)
			return err.Do("labels have segment and distance; name the customers' table with --data")
		default:
			if err := mustHave(l.data.Schema(), firstName(l.data), name); err != nil {
				return err
			}
			l.from = append(l.from, l.ruleField(name))
		}
	}
	l.rule, err = l.filter.Bind(func(name string) where.Kind {
		if at := slices.Index(l.filter.Columns(), name); l.from[at] >= 0 && l.fields[l.from[at]].As == dataset.AsText {
			return where.Text
		}
		return where.Number
	})
	if err != nil {
		return fault.Usagef("--where: %v", err)
	}
	return nil
}

// walkLabels lists from the labels alone.
func (l *lister) walkLabels(ctx context.Context) error {
	for {
		more, err := l.labels.next(ctx)
		if err != nil || !more {
			return err
		}
		block := l.labels.block
		l.start(block.Rows)
		for i := range block.Rows {
			l.labels.at = i
			if err := l.labels.check(); err != nil {
				return err
			}
			l.segments[i], l.distances[i] = l.labels.take()
		}
		if err := l.list(ctx, nil, &block.Columns[0]); err != nil {
			return err
		}
		l.r.Engine.Reporter.Add(int64(block.Rows))
	}
}

// start makes room for what the labels say of the rows of a block.
func (l *lister) start(rows int) {
	l.segments = slices.Grow(l.segments[:0], rows)[:rows]
	l.before = slices.Grow(l.before[:0], rows)[:rows]
	l.distances = slices.Grow(l.distances[:0], rows)[:rows]
}

// walkData lists from the data and the labels.
func (l *lister) walkData(ctx context.Context) error {
	err := readAll(ctx, l.data, l.fields, func(block *dataset.Block) error {
		if len(block.Bad) > 0 { // its cells are blank, whoever it is
			return fault.Inputf(block.Bad[0].Place, "%s", block.Bad[0].Reason).Do("correct the row")
		}
		ids := l.ids(block)
		if err := l.join(ctx, block, ids); err != nil {
			return err
		}
		if err := l.list(ctx, block, ids); err != nil {
			return err
		}
		l.r.Engine.Reporter.Add(int64(block.Rows))
		return nil
	})
	if err != nil {
		return err
	}
	l.joined.WithoutRow = l.labels.source.Rows() - l.joined.Both
	return nil
}

// ids are those of a block of the data.
func (l *lister) ids(block *dataset.Block) *dataset.Vector {
	if l.dataID >= 0 {
		return &block.Columns[0]
	}
	v := &dataset.Vector{Int64: make([]int64, block.Rows)}
	for i := range v.Int64 {
		v.Int64[i] = block.First + int64(i)
	}
	return v
}

// join finds the labels of the rows of a block.
func (l *lister) join(ctx context.Context, block *dataset.Block, ids *dataset.Vector) error {
	l.start(block.Rows)
	for i := range block.Rows {
		if l.rest == nil {
			more, err := l.labels.next(ctx)
			if err != nil {
				return err
			}
			if more && sameID(&l.labels.block.Columns[0], l.labels.at, ids, i) {
				l.segments[i], l.distances[i] = l.labels.take()
				l.joined.Both++
				continue
			}
			if l.rest, err = indexed(ctx, l.labels, l.r.Engine.Reporter.Add); err != nil {
				return err
			}
		}
		row, err := l.rest.claim(ids, i)
		if err != nil {
			return fault.Inputf(l.data.Locate(block.First+int64(i)), "%v", err).Do("remove one of the two")
		}
		if row < 0 {
			l.segments[i], l.distances[i] = -1, math.NaN()
			l.joined.Unlabelled++
			continue
		}
		l.segments[i], l.distances[i] = int32(l.rest.segments[row]), float64(l.rest.distances[row])
		l.joined.Both++
	}
	return nil
}

// list writes those rows that are asked for. block is nil where there is no data.
func (l *lister) list(ctx context.Context, block *dataset.Block, ids *dataset.Vector) error {
	for i := range l.segments {
		l.before[i] = -1
		if l.earlier == nil || l.segments[i] < 0 || l.wanted != nil && !l.wanted[l.segments[i]] {
			continue
		}
		if row := l.earlier.find(ids, i); row >= 0 {
			l.before[i] = int32(l.earlier.segments[row])
		}
	}
	var columns []dataset.Vector
	for _, from := range l.from {
		columns = append(columns, l.vector(block, from))
	}
	for i, segment := range l.segments {
		if segment < 0 || l.wanted != nil && !l.wanted[segment] {
			continue
		}
		s := &l.listed[segment]
		s.Of++
		if !l.moved(segment, l.before[i]) {
			continue
		}
		s.came++
		if l.rule != nil && !l.rule.Match(columns, i) {
			continue
		}
		s.Rows++
		if l.out == nil {
			if err := l.create(ctx); err != nil {
				return err
			}
		}
		if err := l.out.add(l, block, ids, i); err != nil {
			return err
		}
	}
	return nil
}

// vector is a column of the rule.
func (l *lister) vector(block *dataset.Block, from int) dataset.Vector {
	if from >= 0 {
		return block.Columns[from]
	}
	v := dataset.Vector{Float64: l.distances}
	if name := labelColumns[-1-from]; name != "distance" {
		list := l.segments
		if name == "from_segment" {
			list = l.before
		}
		v.Float64 = make([]float64, len(list))
		for i, s := range list {
			if v.Float64[i] = float64(s); s < 0 {
				v.Float64[i] = math.NaN()
			}
		}
	}
	return v
}

// moved says whether somebody who was in a segment before, −1 for none, has come from where they should.
func (l *lister) moved(now, before int32) bool {
	switch {
	case l.earlier == nil:
		return true
	case before < 0:
		return false
	case l.wantedFrom != nil:
		return l.wantedFrom[before]
	case l.old != nil:
		return l.old.Segments[before].ID != l.m.Segments[now].ID
	}
	return before != now
}

// create begins the file once somebody is in it: an empty list replaces nothing.
func (l *lister) create(ctx context.Context) error {
	if integers, err := l.integers(ctx); err != nil {
		return err
	} else if integers {
		l.columns[0].kind = table.Int64
	}
	var err error
	l.out, err = newListFile(l.r.Output, l.r.Formulas == QuoteFormulas, l.columns)
	return err
}

// integers says whether ids are written as integers: they are in the labels, or all of them turn out to be, which matters
// to Parquet alone and takes another look at them.
func (l *lister) integers(ctx context.Context) (bool, error) {
	column := l.labels.source.Schema().Columns[l.labels.id]
	if column.Integer || column.Kind != dataset.Number || !strings.HasSuffix(strings.ToLower(l.r.Output), ".parquet") {
		return column.Integer, nil
	}
	reader, err := l.labels.source.Read(ctx, 0, l.labels.source.Rows(), l.labels.fields[:1])
	if err != nil {
		return false, err
	}
	defer reader.Close()
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return true, nil
		}
		if err != nil {
			return false, err
		}
		for i := range block.Rows {
			if v := &block.Columns[0]; v.Int64 == nil {
				if _, plain := dataset.PlainInteger(v.Text.At(i)); !plain {
					return false, nil
				}
			}
		}
	}
}
