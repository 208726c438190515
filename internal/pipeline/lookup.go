package pipeline

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/open"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/lookup"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/segment"
)

// LookupRequest asks for the segment of customers: of given values, or of ids in a labels file or a table.
type LookupRequest struct {
	Model    string
	Labels   string // a labels file
	Data     string // a table with the features, to say why; at least one of the two where there are IDs
	IDColumn string // of Data; empty: found by its name
	IDs      []string
	Values   map[string]string // input column → text; nil: none
	Stdin    io.Reader
}

// Found is where a customer belongs. Fields that are not known are nil.
type Found = lookup.Result

// Lookup answers in the order of the ids, then of the values.
func Lookup(ctx context.Context, r *LookupRequest) ([]Found, error) {
	m, err := model.ReadFile(r.Model)
	if err != nil {
		return nil, err
	}
	var found []Found
	if len(r.IDs) > 0 {
		if found, err = lookupBoth(ctx, m, r); err != nil {
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

// lookupBoth finds ids in the labels, in the data, or in both, which then have to agree.
func lookupBoth(ctx context.Context, m *model.Model, r *LookupRequest) (found []Found, err error) {
	if r.Labels != "" {
		if found, err = lookupIDs(ctx, m, r); err != nil || r.Data == "" {
			return found, err
		}
	}
	placed, err := lookupData(ctx, m, r)
	if err != nil {
		return nil, err
	}
	return placed, agree(found, placed, r)
}

// lookupValues places one customer by the values of its columns.
func lookupValues(m *model.Model, values map[string]string) (*Found, error) {
	finder := lookup.New(m)
	table := finder.NewTable()
	if err := table.Add(); err != nil {
		return nil, valuesError(err)
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		text := values[name]
		column, err := finder.Column(name)
		switch {
		case err != nil:
			return nil, valuesError(err)
		case column.Kind != lookup.Number:
			if err := table.SetText(column, 0, text); err != nil {
				return nil, valuesError(err)
			}
		case text != "":
			x, err := strconv.ParseFloat(text, 64)
			if err != nil || math.IsInf(x, 0) || math.IsNaN(x) {
				return nil, fault.Usagef("--values: %s=%q is not a number", name, text)
			}
			table.SetNumber(column, 0, x)
		}
	}
	answers, err := finder.Find(table)
	if err != nil {
		return nil, valuesError(err)
	}
	found, err := answers.One(true)
	return found, valuesError(err)
}

// valuesError says of an error of the values by which flag they came; nil stays nil.
func valuesError(err error) error {
	var known *lookup.Error
	if !errors.As(err, &known) {
		return err
	}
	where := "--values: "
	if known.Feature != "" && !strings.Contains(known.Problem, strconv.Quote(known.Feature)) {
		where += known.Feature + ": "
	}
	return fault.Usagef("%s%s", where, known.Problem).Do("%s", known.Remedy)
}

// lookupIDs finds ids in a labels file.
func lookupIDs(ctx context.Context, m *model.Model, r *LookupRequest) ([]Found, error) {
	path, ids := r.Labels, r.IDs
	source, err := open.Sources(ctx, []string{path}, open.Options{Stdin: r.Stdin})
	if err != nil {
		return nil, err
	}
	defer source.Close()
	if err := ofThisModel(source, path, m, r.Model); err != nil {
		return nil, err
	}
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
			return nil, unknownID(path, id)
		}
		found = append(found, *wanted[id])
	}
	return found, nil
}

func scanLabels(ctx context.Context, m *model.Model, source dataset.Source, fields []dataset.Field, wanted map[string]*Found) error {
	var id []byte
	return readAll(ctx, source, fields, func(block *dataset.Block) error {
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
			if math.IsNaN(one.Distance) {
				at := source.Locate(block.First + int64(i))
				at.Column = "distance"
				return fault.Inputf(at, "the distance is missing").Do("give the labels as assign wrote them")
			}
			wanted[string(id)] = one
		}
		return nil
	})
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
		if second >= 0 && second < m.K && !math.IsNaN(distance) && !math.IsInf(distance, 0) {
			found.SetSecond(second, distance)
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
