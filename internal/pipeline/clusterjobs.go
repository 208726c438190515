package pipeline

import (
	"context"
	"io"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/model"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
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
	return modelOf(r, in.Spec.Normalize, model.Origin{Coterie: version, Seed: f.Seed, Init: init, Runs: int(f.Runs), Tolerance: f.Tolerance,
		Algorithm: f.Algorithm, Sources: spec.Data.GetDescription().GetNames()}), nil
}

// WriteModel writes a model file, whole or not at all.
func WriteModel(path string, m *model.Model) error {
	data, err := m.Encode()
	if err != nil {
		return err
	}
	return store.WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}
