package pipeline

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

// planWait is how long a plan waits for a worker to look at the data: those that there are have just been counted.
const planWait = 10 * time.Second

// planOnCluster plans for the workers of a cluster as they are now: where the partitions would lie at first, and whether
// they fit. Nothing is submitted.
func planOnCluster(ctx context.Context, r *PlanRequest) (*PlanOutcome, error) {
	cluster := *r.Engine.Cluster
	cluster.WorkerWait, cluster.Detach = planWait, false
	engine := r.Engine
	engine.Cluster = &cluster
	workers, err := cluster.workers(ctx)
	if err != nil {
		return nil, err
	}
	site, err := openSite(ctx, &r.Data, &engine)
	if err != nil {
		return nil, err
	}
	defer site.close()
	outcome, err := planFor(ctx, r, site, workers)
	return outcome, explain(err, site.source)
}

// workers are those of the cluster that take work; none is an error.
func (c *Cluster) workers(ctx context.Context) ([]partition.Worker, error) {
	var list []partition.Worker
	err := c.Ask(ctx, func(ctx context.Context, jobs pb.JobsClient) error {
		reply, err := jobs.Status(ctx, &pb.StatusRequest{})
		for _, w := range reply.GetWorkers() {
			if w.State == "ready" {
				list = append(list, partition.Worker{Name: w.Name, Weight: int(max(w.Threads, 1)), Memory: int64(w.Memory), Spills: w.Spills})
			}
		}
		return err
	})
	if err == nil && len(list) == 0 {
		return nil, &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow},
			Problem: fmt.Sprintf("the cluster at %s has no workers to plan for", c.Address),
			Remedy:  "start workers: coterie worker --join …; or plan for machines like this one with --workers"}
	}
	return list, err
}

func planFor(ctx context.Context, r *PlanRequest, s *site, workers []partition.Worker) (*PlanOutcome, error) {
	in, err := r.Data.input(s.source.Schema(), firstName(s.source))
	if err != nil {
		return nil, err
	}
	manifest, err := cut(s.source, in)
	if err != nil {
		return nil, err
	}
	if err := checkClusters(r.K, s.source); err != nil {
		return nil, err
	}
	reading, width, err := measureHere(ctx, r, s, in, manifest.Partitions[0].Rows)
	if err != nil {
		return nil, err
	}
	p := &PlanOutcome{Rows: s.source.Rows(), Columns: width, Bytes: s.source.Bytes(), K: r.K, Workers: len(workers),
		Partitions: len(manifest.Partitions), AssumedIterations: assumedIterations,
		ReadRowsPerSecond: reading, PassNanosecondsPerPoint: measurePass(width, r.K), MigrateMemory: monthsBytes(s.source.Rows()),
		ProfileMemory: profileBytes(s.source.Rows(), r.K, in, r.Engine.threads())}
	rowBytes := coordinator.RowBytes(width, in, kmeans.Auto.TrackBytes(r.K, width))
	if err := p.place(manifest, workers, rowBytes, coordinator.SpillableBytes(width, in)); err != nil {
		return nil, err
	}
	p.divideFullest(r, manifest, workers, in)
	return p, nil
}

// divideFullest says how the worker divides its memory that lacks the most, else the one that spills the most, if any does.
func (p *PlanOutcome) divideFullest(r *PlanRequest, m *partition.Manifest, workers []partition.Worker, in *wire.Input) {
	for _, h := range p.Placement.Workers {
		for _, w := range workers {
			if w.Name != h.Worker {
				continue
			}
			limit := w.Memory
			if !w.Spills {
				limit = 0
			}
			d := r.planDivision(limit, m, h.Rows, p.Columns, p.K, w.Weight, in)
			if of := memoryOf(d, h.Rows*int64(4*p.Columns)); p.Memory == nil || of.worse(p.Memory) {
				p.Memory = of
			}
		}
	}
	p.slow()
}

// place says which worker would hold what, and what that takes. Workers are shown with the limits that they have.
func (p *PlanOutcome) place(m *partition.Manifest, workers []partition.Worker, rowBytes, spillable int64) error {
	plan, fit, err := coordinator.Place(m, workers, rowBytes, spillable)
	if errors.Is(err, partition.ErrMemory) {
		return &fault.Error{Kind: fault.Unavailable, Place: fault.Place{Row: fault.NoRow}, Problem: "the data does not fit the workers", Err: err,
			Remedy: "start more workers, or give them more --memory"}
	}
	if err != nil {
		return err
	}
	threads := 0
	for _, w := range workers {
		p.Threads = max(p.Threads, w.Weight)
		threads += w.Weight
	}
	summary := plan.Summary(m, workers, rowBytes)
	for _, h := range summary.Workers {
		p.ResidentPointsPerWorker = max(p.ResidentPointsPerWorker, h.Rows*int64(p.Columns)*4)
		p.MemoryPerWorker = max(p.MemoryPerWorker, h.Bytes)
	}
	p.MemoryPerWorker += capacity.WorkerBytes(0, 0, p.Threads, p.K, p.Columns)
	p.NetworkPerIteration = networkPerIteration(p.Workers, p.K, p.Columns)
	p.Placement, p.TooFew = &summary, !fit
	p.expect(float64(min(threads, max(p.Partitions, p.Threads))))
	var table strings.Builder
	err = plan.Write(&table, m, workers, rowBytes)
	p.Table = table.String()
	return err
}

// measureHere measures reading where the data can be read in this process too: what lies here, and made data. Of what
// lies with the workers alone the speed stays 0, and one-hot columns count as one each, their levels not being known.
func measureHere(ctx context.Context, r *PlanRequest, s *site, in *wire.Input, most int64) (float64, int, error) {
	var source dataset.Source = s.source
	if !s.data.local {
		here, err := openData(ctx, &r.Data, &r.Engine)
		if err != nil {
			return 0, len(in.Spec.Numeric) + len(in.Spec.Categorical), ctx.Err()
		}
		defer here.Close()
		if here.Rows() != s.source.Rows() {
			return 0, len(in.Spec.Numeric) + len(in.Spec.Categorical), nil // another file of that name
		}
		source = here
	}
	return measureReading(ctx, source, in, most)
}
