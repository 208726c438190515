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
	"github.com/coterie-project/coterie/partition"
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
	Job     string // its id on a cluster; of a detached one nothing else is known yet
}

// Assign reads rows, labels them with a model and writes the labels, all of them or nothing.
func Assign(ctx context.Context, r *AssignRequest) (*AssignOutcome, error) {
	m, err := model.ReadFile(r.Model)
	if err != nil {
		return nil, err
	}
	data := r.Data.forModel(m)
	site, err := openSite(ctx, &data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer site.close()
	outcome, err := assign(ctx, r, m, site)
	return outcome, explain(err, site.source)
}

func assign(ctx context.Context, r *AssignRequest, m *model.Model, site *site) (*AssignOutcome, error) {
	source := site.source
	in, err := modelInput(&r.Data, m, source.Schema(), firstName(source), r.Model)
	if err != nil {
		return nil, err
	}
	manifest, err := cut(source, in)
	if err != nil {
		return nil, err
	}
	certain, possible := integerIDs(r.Output, in, source.Schema())
	labels := newLabelFile(r.Output, in.ID != "", r.Detail)
	defer labels.Abort()
	options := coordinator.LabelOptions{Input: in, Transform: m.Transform, Detail: r.Detail, Keys: possible, Integers: certain,
		Centroids: &kmeans.Centroids{K: m.K, D: m.Width(), Values: m.Centroids}}
	outcome := &AssignOutcome{}
	result, err := runLabels(ctx, r, site, manifest, &options, labels, outcome)
	if err != nil || result == nil {
		return outcome, err
	}
	if r.Data.BadRowsOut != "" {
		if err := writeBadRows(r.Data.BadRowsOut, result.Bad); err != nil {
			return nil, err
		}
	}
	outcome.Counts, outcome.Inertia, outcome.Intake = result.Counts, result.Inertia, result.Intake
	for _, n := range result.Counts {
		outcome.Rows += n
	}
	if !site.writesParts(r.Output) {
		if err := labels.Commit(outcome.Rows, m); err != nil {
			return nil, err
		}
	}
	return outcome, nil
}

// runLabels runs the job, here or on a cluster. A detached one gives nothing but its id.
func runLabels(ctx context.Context, r *AssignRequest, site *site, m *partition.Manifest, o *coordinator.LabelOptions, labels worker.LabelSink,
	outcome *AssignOutcome) (*coordinator.LabelResult, error) {
	if r.Engine.Cluster == nil {
		threads := r.Engine.threads()
		job, program, err := coordinator.NewLabel(coordinator.Config{Manifest: m, Workers: r.Engine.Workers, Epoch: 1,
			Window: embedded.Window(r.Engine.Workers, threads)}, *o)
		if err != nil {
			return nil, err
		}
		err = runJob(ctx, job, &r.Engine, threads, nil, worker.Config{Source: site.source, Manifest: m, Labels: labels})
		return &program.Result, err
	}
	spec, err := site.jobSpec("assign", o.Input, m, labelOutput(r.Output, o.Input, o.Detail))
	if err == nil {
		spec.Label, err = coordinator.LabelSpec(o)
	}
	if err != nil {
		return nil, err
	}
	id, result, err := site.run(ctx, spec, labels, nil)
	outcome.Job = id
	if err != nil || result == nil {
		return nil, err
	}
	return coordinator.LabelResultOf(result), nil
}

// hasFeatures holds that the data has a model's columns.
func hasFeatures(m *model.Model, schema *dataset.Schema, file, modelFile string) error {
	for _, name := range m.Features() {
		if schema.Index(name) >= 0 {
			continue
		}
		err := fault.Inputf(fault.In(file), "the model %s needs the column %q, which the data lacks", modelFile, name)
		if near := fault.Nearest(name, names(schema)); near != "" {
			return err.Do("is it %q here? rename it in the data", near)
		}
		return err.Do("the model's features are %s", strings.Join(m.Features(), ", "))
	}
	return nil
}

// modelInput reads rows as the model's fit did.
func modelInput(d *Data, m *model.Model, schema *dataset.Schema, file, modelFile string) (*wire.Input, error) {
	spec := m.Transform.Spec()
	if err := hasFeatures(m, schema, file, modelFile); err != nil {
		return nil, err
	}
	with := *d
	with.Features, with.Categorical, with.Log1p = spec.Numeric, spec.Categorical, spec.Log1p
	with.Scale, with.Missing, with.Weights, with.Fold = string(spec.Scale), string(spec.Missing), spec.Weights, nil
	with.Orders = spec.Orders
	if with.Features == nil {
		with.Features = []string{}
	}
	in, err := with.input(schema, file)
	if err == nil {
		in.Spec.Normalize = spec.Normalize
	}
	return in, err
}

// integerIDs decides how ids are written when the first of them are: as integers for certain, or if all of them turn out
// to be, which a binary format needs to know beforehand. Otherwise they are text; in a text file integers look the same.
func integerIDs(output string, in *wire.Input, schema *dataset.Schema) (certain, possible bool) {
	if in.ID == "" {
		return false, false
	}
	column := schema.Columns[schema.Index(in.ID)]
	binary := strings.HasSuffix(output, ".parquet") || strings.HasSuffix(output, ".npy")
	return column.Integer, !column.Integer && binary && column.Kind == dataset.Number
}
