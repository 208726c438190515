package pipeline

import (
	"context"
	"strings"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/embedded"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/worker"
)

// AssignRequest labels rows with a model.
type AssignRequest struct {
	Data   Data // Features, Log1p, Scale, Missing and Categorical come from the model
	Engine Engine
	Model  string
	Output string
	Detail bool
}

// AssignOutcome is what was labelled.
type AssignOutcome struct {
	Rows    int64
	Counts  []int64
	Inertia float64
	Intake  wire.Intake
}

// Assign reads rows, labels them with a model and writes the labels, all of them or nothing.
func Assign(ctx context.Context, r *AssignRequest) (*AssignOutcome, error) {
	m, err := model.ReadFile(r.Model)
	if err != nil {
		return nil, err
	}
	source, err := openData(ctx, &r.Data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer source.Close()
	outcome, err := assign(ctx, r, m, source)
	return outcome, explain(err, source)
}

func assign(ctx context.Context, r *AssignRequest, m *model.Model, source dataset.Source) (*AssignOutcome, error) {
	in, err := modelInput(&r.Data, m, source.Schema(), firstName(source), r.Model)
	if err != nil {
		return nil, err
	}
	manifest, err := cut(source, in)
	if err != nil {
		return nil, err
	}
	x := newExchange(source, manifest, in.ID)
	kind := idKindFor(r.Output, in, source.Schema())
	certain := kind == knownIDs && source.Schema().Columns[source.Schema().Index(in.ID)].Integer
	labels := newLabelFile(r.Output, x, kind, r.Detail)
	defer labels.Abort()
	threads := r.Engine.threads()
	job, program, err := coordinator.NewLabel(
		coordinator.Config{Manifest: manifest, Workers: r.Engine.Workers, Epoch: 1, Window: embedded.Window(r.Engine.Workers, threads)},
		coordinator.LabelOptions{Input: in, Transform: m.Transform, Detail: r.Detail, Keys: kind == knownIDs && !certain,
			Centroids: &kmeans.Centroids{K: m.K, D: m.Width(), Values: m.Centroids}})
	if err != nil {
		return nil, err
	}
	err = runJob(ctx, job, &r.Engine, threads, nil, worker.Config{Source: source, Manifest: manifest, Labels: labels, IDs: x})
	if err != nil {
		return nil, err
	}
	if r.Data.BadRowsOut != "" {
		if err := writeBadRows(r.Data.BadRowsOut, program.Result.Bad); err != nil {
			return nil, err
		}
	}
	if err := labels.Commit(); err != nil {
		return nil, err
	}
	result := &program.Result
	return &AssignOutcome{Rows: labels.rows, Counts: result.Counts, Inertia: result.Inertia, Intake: result.Intake}, nil
}

// modelInput reads rows as the model's fit did.
func modelInput(d *Data, m *model.Model, schema *dataset.Schema, file, modelFile string) (*wire.Input, error) {
	spec := m.Transform.Spec()
	for _, name := range append(append([]string(nil), spec.Numeric...), spec.Categorical...) {
		if schema.Index(name) >= 0 {
			continue
		}
		err := fault.Inputf(fault.In(file), "the model %s needs the column %q, which the data lacks", modelFile, name)
		if near := fault.Nearest(name, names(schema)); near != "" {
			return nil, err.Do("is it %q here? rename it in the data", near)
		}
		return nil, err.Do("the model's features are %s", strings.Join(m.Features(), ", "))
	}
	with := *d
	with.Features, with.Categorical, with.Log1p = spec.Numeric, spec.Categorical, spec.Log1p
	with.Scale, with.Missing = string(spec.Scale), string(spec.Missing)
	if with.Features == nil {
		with.Features = []string{}
	}
	in, err := with.input(schema, file)
	if err == nil {
		in.Spec.Normalize = spec.Normalize
	}
	return in, err
}

// idKindFor decides how ids are written when the first of them are. A binary format needs to know whether all are
// integers; a text file can only tell after all have been seen.
func idKindFor(output string, in *wire.Input, schema *dataset.Schema) idKind {
	if in.ID == "" {
		return rowNumbers
	}
	column := schema.Columns[schema.Index(in.ID)]
	binary := strings.HasSuffix(output, ".parquet") || strings.HasSuffix(output, ".npy")
	if column.Integer || binary && column.Kind == dataset.Number {
		return knownIDs
	}
	return textIDs
}
