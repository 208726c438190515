package pipeline

import (
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
)

// readStart reads k starting centroids in the units of the input columns and transforms them as rows are.
func readStart(ctx context.Context, path string, k int, spec *feature.Spec, t *feature.Transform) (*kmeans.Centroids, error) {
	if strings.EqualFold(filepath.Ext(path), ".json") {
		return startFromModel(path, k, t)
	}
	source, err := open.Sources(ctx, []string{path}, open.Options{})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if source.Rows() != int64(k) {
		return nil, fault.Inputf(fault.In(path), "has %d starting centroids, and k is %d", source.Rows(), k).
			Do("give one row for each segment")
	}
	fields, err := startFields(path, source.Schema(), spec)
	if err != nil {
		return nil, err
	}
	reader, err := source.Read(ctx, 0, source.Rows(), fields)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	start := &kmeans.Centroids{K: k, D: t.Width()}
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return start, nil
		}
		if err != nil {
			return nil, err
		}
		if err := appendStart(start, block, source, spec, t); err != nil {
			return nil, err
		}
	}
}

// startFields finds the features: by name, or, in a matrix without names, by position.
func startFields(path string, schema *dataset.Schema, spec *feature.Spec) ([]dataset.Field, error) {
	wanted := slices.Concat(spec.Numeric, spec.Categorical)
	byPosition := strings.EqualFold(filepath.Ext(path), ".npy")
	if byPosition && (len(schema.Columns) != len(wanted) || len(spec.Categorical) > 0) {
		return nil, fault.Inputf(fault.In(path), "has %d columns, and there are %d features", len(schema.Columns), len(wanted)).
			Do("give the features in order, or a CSV file with their names")
	}
	var fields []dataset.Field
	for i, name := range wanted {
		as := dataset.AsNumber
		if i >= len(spec.Numeric) {
			as = dataset.AsText
		}
		column := i
		if !byPosition {
			if err := mustHave(schema, path, name); err != nil {
				return nil, err
			}
			column = schema.Index(name)
		}
		fields = append(fields, dataset.Field{Column: column, As: as})
	}
	return fields, nil
}

func appendStart(start *kmeans.Centroids, block *dataset.Block, s dataset.Source, spec *feature.Spec, t *feature.Transform) error {
	if len(block.Bad) > 0 {
		bad := block.Bad[0]
		return fault.Inputf(bad.Place, "%s", bad.Reason).Do("correct it: every starting centroid needs a value for each feature")
	}
	b := feature.Batch{Rows: block.Rows}
	for i := range block.Columns {
		v := &block.Columns[i]
		if i < len(spec.Numeric) {
			b.Numeric, b.Numeric32 = append(b.Numeric, v.Float64), append(b.Numeric32, v.Float32)
			if row := firstMissing(v, block.Rows); row >= 0 {
				at := s.Locate(block.First + int64(row))
				at.Column = spec.Numeric[i]
				return fault.Inputf(at, "a starting centroid lacks a value").Do("fill it in, in the units of the input")
			}
			continue
		}
		column := feature.TextColumn{At: v.Text.At}
		if missing := v.Missing; missing != nil {
			column.Missing = func(i int) bool { return missing[i] }
		}
		b.Text = append(b.Text, column)
	}
	out := make([][]float32, t.Width())
	for i := range out {
		out[i] = make([]float32, block.Rows)
	}
	if _, err := t.Apply(&b, out, make([]bool, block.Rows)); err != nil {
		return locate(err, block.First, s)
	}
	for row := range block.Rows {
		for _, column := range out {
			start.Values = append(start.Values, column[row]+0)
		}
	}
	return nil
}

func firstMissing(v *dataset.Vector, rows int) int {
	for i := range rows {
		if v.Float32 != nil && v.Float32[i] != v.Float32[i] || v.Float64 != nil && math.IsNaN(v.Float64[i]) {
			return i
		}
	}
	return -1
}

// locate gives an error of a batch's row its place.
func locate(err error, first int64, s dataset.Source) error {
	var value *feature.ValueError
	if !errors.As(err, &value) {
		return err
	}
	at := fault.In(firstName(s))
	if value.Row >= 0 {
		at = s.Locate(first + int64(value.Row))
	}
	at.Column = value.Column
	return fault.Inputf(at, "%s", value.Problem()).Do("%s", value.Remedy)
}

// startFromModel takes another model's centroids, by way of the units of the input.
func startFromModel(path string, k int, t *feature.Transform) (*kmeans.Centroids, error) {
	m, err := model.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if m.K != k {
		return nil, fault.Inputf(fault.In(path), "has %d centroids, and k is %d", m.K, k).Do("use -k %d", m.K)
	}
	theirs, ours := m.Transform.Outputs(), t.Outputs()
	numeric, categorical := t.Columns()
	if !slices.Equal(m.Features(), slices.Concat(numeric, categorical)) {
		return nil, fault.Inputf(fault.In(path), "was fitted on other features: %s", strings.Join(m.Features(), ", ")).
			Do("name the same ones with --features")
	}
	start := &kmeans.Centroids{K: k, D: t.Width()}
	for j := range k {
		values := m.CentroidInput(j)
		mapped := make([]float64, len(ours))
		for i, name := range ours {
			if at := slices.Index(theirs, name); at >= 0 {
				mapped[i] = values[at]
			}
		}
		point, err := t.Forward(mapped)
		if err != nil {
			return nil, fault.Inputf(fault.In(path), "centroid %d cannot be placed: %v", j, err).
				Do("start from a model of similar data, or with --init k-means-parallel")
		}
		start.Values = append(start.Values, point...)
	}
	return start, nil
}
