package pipeline

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// LookupRequest asks for the segment of customers: of given values, or of ids in a labels file.
type LookupRequest struct {
	Model  string
	Labels string
	IDs    []string
	Values map[string]string // input column → text; nil: none
}

// Found is where a customer belongs. Fields that are not known are nil.
type Found struct {
	ID             *string           `json:"id"`
	Segment        int               `json:"segment"`
	Name           string            `json:"name"`
	Distance       float64           `json:"distance"`
	SecondSegment  *int              `json:"second_segment"`
	SecondDistance *float64          `json:"second_distance"`
	Because        []segment.Because `json:"because"`
}

// Lookup answers in the order of the ids, then of the values.
func Lookup(ctx context.Context, r *LookupRequest) ([]Found, error) {
	m, err := model.ReadFile(r.Model)
	if err != nil {
		return nil, err
	}
	var found []Found
	if len(r.IDs) > 0 {
		if found, err = lookupIDs(ctx, m, r.Labels, r.IDs); err != nil {
			return nil, err
		}
	}
	if r.Values != nil {
		one, err := lookupValues(m, r.Values)
		if err != nil {
			return nil, err
		}
		found = append(found, *one)
	}
	return found, nil
}

// lookupValues places one customer by the values of its columns.
func lookupValues(m *model.Model, values map[string]string) (*Found, error) {
	numeric, categorical := m.Transform.Columns()
	known := slices.Concat(numeric, categorical)
	for name := range values {
		if !slices.Contains(known, name) {
			err := fault.Usagef("--values: the model has no feature %q", name)
			return nil, err.Do("its features are %s", strings.Join(known, ", "))
		}
	}
	batch := feature.Batch{Rows: 1}
	told := make(map[string]any)
	for _, name := range numeric {
		x := math.NaN()
		if text, ok := values[name]; ok && text != "" {
			var err error
			if x, err = strconv.ParseFloat(text, 64); err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
				return nil, fault.Usagef("--values: %s=%q is not a number", name, text)
			}
			told[name] = x
		}
		batch.Numeric = append(batch.Numeric, []float64{x})
	}
	for _, name := range categorical {
		text, ok := values[name]
		if ok {
			told[name] = text
		}
		batch.Text = append(batch.Text, feature.TextColumn{At: func(int) []byte { return []byte(text) },
			Missing: func(int) bool { return !ok }})
	}
	return place(m, &batch, told)
}

func place(m *model.Model, batch *feature.Batch, told map[string]any) (*Found, error) {
	columns := make([][]float32, m.Width())
	for i := range columns {
		columns[i] = make([]float32, 1)
	}
	applied, err := m.Transform.Apply(batch, columns, make([]bool, 1))
	var value *feature.ValueError
	switch {
	case errors.As(err, &value):
		err := fault.Usagef("--values: %s: %s", value.Column, value.Problem())
		if _, ok := told[value.Column]; ok {
			return nil, err.Do("correct the value")
		}
		return nil, err.Do("the model needs a value for %s", strings.Join(m.Features(), ", "))
	case err != nil:
		return nil, err
	case applied.Dropped > 0:
		return nil, fault.Usagef("--values: a value is missing, and the model leaves such rows out").
			Do("the model's features are %s", strings.Join(m.Features(), ", "))
	}
	var grid []int
	for _, g := range m.Transform.Grids() {
		grid = append(grid, g.Exponent)
	}
	points, err := kmeans.NewPoints(1, m.Width(), 0, grid)
	if err != nil {
		return nil, err
	}
	if err := points.Append(columns, 1, 0, nil, nil); err != nil {
		return nil, err
	}
	a := kmeans.NewAssigner(&kmeans.Centroids{K: m.K, D: m.Width(), Values: m.Centroids})
	first, second, squared, secondSquared := a.TwoNearest(points, 0, 1, new(kmeans.Scratch))
	found := &Found{Segment: int(first[0]), Name: m.Segments[first[0]].Name, Distance: written(m, squared[0])}
	if second[0] >= 0 {
		j, d := int(second[0]), written(m, secondSquared[0])
		found.SecondSegment, found.SecondDistance = &j, &d
	}
	point := points.At(0, make([]float32, m.Width()))
	found.Because = segment.Explain(point, m.Centroids, int(first[0]), int(second[0]), m.Transform, told)
	return found, nil
}

// written is a squared distance as labels have it.
func written(m *model.Model, squared float32) float64 {
	if m.Metric == model.Cosine {
		return float64(squared / 2)
	}
	return float64(float32(math.Sqrt(float64(squared))))
}

// lookupIDs finds ids in a labels file.
func lookupIDs(ctx context.Context, m *model.Model, path string, ids []string) ([]Found, error) {
	source, err := open.Sources(ctx, []string{path}, open.Options{})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	schema := source.Schema()
	if err := mustHave(schema, path, "id", "segment", "distance"); err != nil {
		return nil, err
	}
	fields := []dataset.Field{{Column: schema.Index("id"), As: dataset.AsID}, {Column: schema.Index("segment")}, {Column: schema.Index("distance")}}
	if detail := schema.Index("second_segment"); detail >= 0 && schema.Index("second_distance") >= 0 {
		fields = append(fields, dataset.Field{Column: detail}, dataset.Field{Column: schema.Index("second_distance")})
	}
	wanted := make(map[string]*Found)
	for _, id := range ids {
		wanted[id] = nil
	}
	if err := scanLabels(ctx, m, source, fields, wanted); err != nil {
		return nil, err
	}
	var found []Found
	for _, id := range ids {
		if wanted[id] == nil {
			return nil, fault.Inputf(fault.In(path), "there is no id %q", id).Do("ids are compared as they are written, zeros in front included")
		}
		found = append(found, *wanted[id])
	}
	return found, nil
}

func scanLabels(ctx context.Context, m *model.Model, source dataset.Source, fields []dataset.Field, wanted map[string]*Found) error {
	reader, err := source.Read(ctx, 0, source.Rows(), fields)
	if err != nil {
		return err
	}
	defer reader.Close()
	var id []byte
	for {
		block, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if len(block.Bad) > 0 { // its cells are blank: the id looked for may be one of them
			bad := block.Bad[0]
			return fault.Inputf(bad.Place, "%s", bad.Reason).Do("give the labels as assign wrote them")
		}
		for i := range block.Rows {
			id = appendID(id[:0], &block.Columns[0], i)
			if _, want := wanted[string(id)]; !want {
				continue
			}
			one := labelled(m, string(id), block, i)
			if one == nil {
				return fault.Inputf(source.Locate(block.First+int64(i)), "the segment is not one of the model's %d", m.K).
					Do("give the labels that were written with this model")
			}
			wanted[string(id)] = one
		}
	}
}

func appendID(dst []byte, v *dataset.Vector, i int) []byte {
	if v.Int64 != nil {
		return strconv.AppendInt(dst, v.Int64[i], 10)
	}
	return append(dst, v.Text.At(i)...)
}

// labelled is one row of a labels file; nil if its segment is not the model's.
func labelled(m *model.Model, id string, block *dataset.Block, i int) *Found {
	j := numberAt(&block.Columns[1], i)
	if !(j >= 0 && j < float64(m.K)) {
		return nil
	}
	found := &Found{ID: &id, Segment: int(j), Name: m.Segments[int(j)].Name, Distance: numberAt(&block.Columns[2], i),
		Because: []segment.Because{}}
	if len(block.Columns) > 3 {
		second, distance := int(numberAt(&block.Columns[3], i)), numberAt(&block.Columns[4], i)
		if second >= 0 && !math.IsNaN(distance) && !math.IsInf(distance, 0) {
			found.SecondSegment, found.SecondDistance = &second, &distance
		}
	}
	return found
}

func numberAt(v *dataset.Vector, i int) float64 {
	if v.Float32 != nil {
		return float64(v.Float32[i])
	}
	return v.Float64[i]
}
