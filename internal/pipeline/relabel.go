package pipeline

import (
	"context"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/internal/embedded"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/worker"
)

// sink is where the labels of the fit's last round go, and the path that says so to a cluster; "": nowhere. They go to their
// file, under a temporary name, if nothing can come in between. They wait in memory where customers are counted first, or
// where standard output could not take them back; and parts, which workers make appear themselves, are written by a job of
// their own once all is settled.
func (f *fit) sink() (worker.LabelSink, string) {
	r := f.request
	if f.old != nil || f.settles() && r.Labels == stdout {
		f.stash = &labelStash{file: firstName(f.source)}
		return f.stash, stdout
	}
	if f.settles() && f.site.writesParts(r.Labels) {
		return noLabels{}, ""
	}
	return f.labels, r.Labels
}

// stdout is the path of standard output.
const stdout = "-"

// settles says whether something is to be settled between the fit and its labels.
func (f *fit) settles() bool { return f.last != nil || len(f.request.Gates) > 0 }

// labelAnew labels all rows with the segments of a model that have other indices than in the fit: a row that is as far from
// two centroids belongs to the lower index. Its counts, and the customers of both months, are from then on those of the labels
// that are written, so that gates hold what is written to their bounds.
func (f *fit) labelAnew(ctx context.Context, m *model.Model) error {
	var sink worker.LabelSink = noLabels{}
	path := ""
	switch labels := f.request.Labels; {
	case f.stash != nil:
		f.stash = &labelStash{file: f.stash.file}
		sink, path = f.stash, stdout
	case labels != "" && !f.site.writesParts(labels):
		f.labels.Abort()
		f.labels = newLabelFile(labels, f.input.ID != "", false)
		sink, path = f.labels, labels
	}
	result, err := f.labelJob(ctx, "label", f.input, m.Transform, centroidsOf(m), path, sink)
	if err != nil {
		return err
	}
	m.Counts, m.Inertia = result.Counts, result.Inertia
	if f.stash != nil {
		if err := f.stash.close(m.Rows); err != nil {
			return err
		}
	}
	if f.old != nil {
		return f.join(ctx, m)
	}
	return nil
}

// handOver brings the labels to their file, where they are not there yet. Parts, which appear at once, are written only now.
func (f *fit) handOver(ctx context.Context, m *model.Model) error {
	labels := f.request.Labels
	if f.settles() && f.site.writesParts(labels) {
		_, err := f.labelJob(ctx, "label", f.input, m.Transform, centroidsOf(m), labels, f.labels)
		return err
	}
	if f.stash != nil && labels != "" {
		return f.stash.replay(ctx, f.labels)
	}
	return nil
}

func centroidsOf(m *model.Model) *kmeans.Centroids {
	return &kmeans.Centroids{K: m.K, D: m.Width(), Values: m.Centroids}
}

// labelJob labels all rows with centroids, here or on the cluster.
func (f *fit) labelJob(ctx context.Context, name string, in *wire.Input, t *feature.Transform, c *kmeans.Centroids, path string, sink worker.LabelSink) (*coordinator.LabelResult, error) {
	e := &f.request.Engine
	o := coordinator.LabelOptions{Input: in, Transform: t, Centroids: c}
	o.Integers, o.Keys = integerIDs(path, in, f.source.Schema())
	if e.Cluster == nil {
		threads := e.threads()
		job, program, err := coordinator.NewLabel(coordinator.Config{Manifest: f.manifest, Workers: e.Workers, Epoch: 1,
			Window: embedded.Window(e.Workers, threads)}, o)
		if err != nil {
			return nil, err
		}
		err = runJob(ctx, job, e, threads, f.watch, worker.Config{Source: f.source, Manifest: f.manifest, Labels: sink})
		return &program.Result, err
	}
	output := labelOutput(path, in, false)
	if output == nil { // they go nowhere, by way of this process
		output = &pb.LabelOutput{RowNumbers: in.ID == "", Submitter: true}
	}
	spec, err := f.site.jobSpec(name, in, f.manifest, output)
	if err == nil {
		o.Parts = output.Folder != ""
		spec.Label, err = coordinator.LabelSpec(&o)
	}
	if err != nil {
		return nil, err
	}
	_, result, err := f.site.run(ctx, spec, sink, f.watch)
	if err != nil {
		return nil, err
	}
	return coordinator.LabelResultOf(result), nil
}
