package pipeline

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// scatterRows is how many customers the picture shows: the first of every so many.
const scatterRows = 2000

// tableWidth is the width of the segments' table: it fits a terminal of 100 columns.
const tableWidth = 100

// ModelTable is the segments of a model as a table that a manager can read, for a terminal of width cells; 0: it is not
// known.
func ModelTable(m *model.Model, width int) string {
	if width <= 0 {
		width = tableWidth
	}
	var b strings.Builder
	// A Builder does not fail.
	_ = segment.FromModel(m).Table(&b, width)
	return b.String()
}

// describe reads rows once more and measures each segment of a model in the units of the input.
func describe(ctx context.Context, m *model.Model, source dataset.Source) (*segment.Summary, *segment.Scatter, error) {
	numeric, categorical := m.Transform.Columns()
	d := &describer{m: m, profile: segment.NewProfile(m.K, numeric, categorical), every: max(1, source.Rows()/scatterRows),
		assigner: kmeans.NewAssigner(&kmeans.Centroids{K: m.K, D: m.Width(), Values: m.Centroids})}
	for _, g := range m.Transform.Grids() {
		d.grid = append(d.grid, g.Exponent)
	}
	var fields []dataset.Field
	for _, name := range numeric {
		fields = append(fields, dataset.Field{Column: source.Schema().Index(name), As: dataset.AsNumber})
	}
	for _, name := range categorical {
		fields = append(fields, dataset.Field{Column: source.Schema().Index(name), As: dataset.AsText})
	}
	reader, err := source.Read(ctx, 0, source.Rows(), fields)
	if err != nil {
		return nil, nil, err
	}
	defer reader.Close()
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, nil, err
		}
		if err := d.add(block, len(numeric)); err != nil {
			return nil, nil, err
		}
	}
	summary := d.profile.Summary(m.Segments, segment.DefaultValue(numeric))
	return summary, d.scatter(summary), nil
}

type describer struct {
	m        *model.Model
	profile  *segment.Profile
	assigner *kmeans.Assigner
	grid     []int
	every    int64
	scratch  kmeans.Scratch
	sample   [][]float64
	labels   []int32
}

func (d *describer) add(block *dataset.Block, numeric int) error {
	b := feature.Batch{Rows: block.Rows}
	for i := range block.Columns {
		v := &block.Columns[i]
		if i < numeric {
			b.Numeric, b.Numeric32 = append(b.Numeric, v.Float64), append(b.Numeric32, v.Float32)
		} else {
			missing := v.Missing
			b.Text = append(b.Text, feature.TextColumn{At: v.Text.At, Missing: func(i int) bool { return missing != nil && missing[i] }})
		}
	}
	out := make([][]float32, d.m.Width())
	for t := range out {
		out[t] = make([]float32, block.Rows)
	}
	if _, err := d.m.Transform.Apply(&b, out, make([]bool, block.Rows)); err != nil {
		return err
	}
	points, err := kmeans.NewPoints(block.Rows, d.m.Width(), block.First, d.grid)
	if err != nil {
		return err
	}
	if err := points.Append(out, block.Rows, block.First, nil, nil); err != nil {
		return err
	}
	labels := make([]int32, 0, block.Rows)
	for lo := 0; lo < block.Rows; lo += kmeans.SpanRows {
		index, _ := d.assigner.Nearest(points, lo, min(lo+kmeans.SpanRows, block.Rows), &d.scratch)
		labels = append(labels, index...)
	}
	d.show(block, numeric, labels)
	return d.profile.Add(labels, &b)
}

// show keeps some rows for the picture.
func (d *describer) show(block *dataset.Block, numeric int, labels []int32) {
	for i := range block.Rows {
		if (block.First+int64(i))%d.every != 0 {
			continue
		}
		row := make([]float64, numeric)
		for j := range row {
			row[j] = numberAt(&block.Columns[j], i)
		}
		d.sample = append(d.sample, row)
		d.labels = append(d.labels, labels[i])
	}
}

// scatter shows the sample on the two columns that tell most; nil if there are none.
func (d *describer) scatter(s *segment.Summary) *segment.Scatter {
	x, y, ok := s.Axes()
	if !ok {
		return nil
	}
	c := &segment.Scatter{XName: s.Columns[x].Name, YName: s.Columns[y].Name, Labels: d.labels}
	for _, row := range d.sample {
		c.Points = append(c.Points, [2]float64{row[x], row[y]})
	}
	return c
}
