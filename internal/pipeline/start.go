package pipeline

import (
	"context"
	"errors"
	"io"
	"math"
	"path/filepath"
	"slices"
	"strings"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/model"
)

// readStart reads k starting centroids in the units of the input columns, or another model's.
func readStart(ctx context.Context, path string, k int, spec *feature.Spec) (*coordinator.Start, error) {
	if strings.EqualFold(filepath.Ext(path), ".json") {
		return startFromModel(path, k)
	}
	source, err := open.Sources(ctx, []string{path}, open.Options{})
	if err == nil {
		source, err = openOrdered(source, spec.Orders)
	}
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
	start := &coordinator.Start{Name: path, K: k, Numeric: make([][]float64, len(spec.Numeric)), Text: make([][]string, len(spec.Categorical)),
		Missing: make([][]bool, len(spec.Categorical))}
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return start, nil
		}
		if err != nil {
			return nil, err
		}
		if err := appendStart(start, block, source, spec); err != nil {
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

func appendStart(start *coordinator.Start, block *dataset.Block, s dataset.Source, spec *feature.Spec) error {
	if len(block.Bad) > 0 {
		bad := block.Bad[0]
		return fault.Inputf(bad.Place, "%s", bad.Reason).Do("correct it: every starting centroid needs a value for each feature")
	}
	for i := range block.Columns {
		v := &block.Columns[i]
		if i < len(spec.Numeric) {
			if row := firstMissing(v, block.Rows); row >= 0 {
				at := s.Locate(block.First + int64(row))
				at.Column = spec.Numeric[i]
				return fault.Inputf(at, "a starting centroid lacks a value").Do("fill it in, in the units of the input")
			}
			for row := range block.Rows {
				start.Numeric[i] = append(start.Numeric[i], numberAt(v, row))
			}
			continue
		}
		c := i - len(spec.Numeric)
		for row := range block.Rows {
			start.Text[c] = append(start.Text[c], string(v.Text.At(row)))
			start.Missing[c] = append(start.Missing[c], v.Missing != nil && v.Missing[row])
		}
	}
	for row := range block.Rows {
		start.Places = append(start.Places, s.Locate(block.First+int64(row)))
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

// startFromModel takes another model's centroids.
func startFromModel(path string, k int) (*coordinator.Start, error) {
	m, err := model.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if m.K != k {
		return nil, fault.Inputf(fault.In(path), "has %d centroids, and k is %d", m.K, k).Do("use -k %d", m.K)
	}
	data, err := m.Encode()
	return &coordinator.Start{Name: path, K: k, Model: data}, err
}
