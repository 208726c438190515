package pipeline

import (
	"context"
	"path/filepath"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
	"github.com/coterie-project/coterie/segment"
)

// Ask connects to the coordinator and asks it for something that takes no work.
func (c *Cluster) Ask(ctx context.Context, do func(context.Context, pb.JobsClient) error) error {
	conn, err := c.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	bounded, cancel := context.WithTimeout(ctx, callWait)
	defer cancel()
	err = do(bounded, pb.NewJobsClient(conn))
	if ours(err) {
		return err
	}
	return c.call(ctx, err)
}

// ModelOfJob is the model of a fit that ran on a cluster, from what the coordinator keeps of it.
func ModelOfJob(spec *pb.JobSpec, result *pb.JobResult, version string) (*model.Model, error) {
	r, err := coordinator.FitResultOf(result)
	if err != nil {
		return nil, err
	}
	in, err := wire.DecodeInput(spec.Input)
	if err != nil {
		return nil, err
	}
	f := spec.Fit
	init := f.Init
	if f.StartName != "" {
		init = f.StartName
	}
	m := modelOf(r, in.Spec.Normalize, model.Origin{Coterie: version, Seed: f.Seed, Init: init, Runs: int(f.Runs), Tolerance: f.Tolerance,
		Algorithm: f.Algorithm, Sources: spec.Data.GetDescription().GetNames()})
	if data := f.Start.GetModel(); len(data) > 0 && isSeeding(f.Init) {
		return m, goesOn(m, data, f.StartName)
	}
	return m, nil
}

// goesOn gives the segments of a job that went on from a model their ids and names, by their centroids: who has submitted it
// would know the customers, but is gone. Indices stay as they are in the job's labels.
func goesOn(m *model.Model, data []byte, file string) error {
	old, err := model.Decode(data, file)
	if err != nil {
		return err
	}
	l := &lastMonth{Model: old, file: file}
	if l.matched, err = segment.Match(old, m, nil); err != nil {
		return err
	}
	l.carry(m)
	m.SetParent(old, filepath.Base(file))
	return nil
}
