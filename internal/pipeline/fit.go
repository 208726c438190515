package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/internal/embedded"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/model"
	"github.com/coterie-project/coterie/partition"
	"github.com/coterie-project/coterie/worker"
)

// FitRequest is a fit.
type FitRequest struct {
	Data      Data
	Engine    Engine
	K         int
	Init      string // a way to seed, or a file of starting centroids
	Runs      int
	MaxIter   int
	Tolerance float64
	Seed      uint64
	Cosine    bool
	Algorithm string
	Model     string // where the model goes; empty: nowhere
	Labels    string // where the labels go; empty: nowhere
	Version   string // of the program, for the model's origin
}

// Seconds is how long the parts of a fit took. They add up to Total.
type Seconds struct {
	Read    float64 `json:"read"`
	Seed    float64 `json:"seed"`
	Iterate float64 `json:"iterate"`
	Write   float64 `json:"write"`
	Total   float64 `json:"total"`
}

// FitOutcome is what a fit gave.
type FitOutcome struct {
	Model   *model.Model
	Digest  string
	Columns int
	Intake  wire.Intake
	Seconds Seconds
	Job     string // its id on a cluster; of a detached one nothing else is known yet
}

// stopwatch gives each moment to one phase, so that the parts add up to the whole.
type stopwatch struct {
	phase coordinator.Phase
	since time.Time
	spent map[coordinator.Phase]time.Duration
}

func startWatch() *stopwatch {
	return &stopwatch{phase: coordinator.PhaseRead, since: time.Now(), spent: make(map[coordinator.Phase]time.Duration)}
}

func (w *stopwatch) turn(to coordinator.Phase) {
	now := time.Now()
	w.spent[w.phase] += now.Sub(w.since)
	w.phase, w.since = to, now
}

func (w *stopwatch) seconds() Seconds {
	w.turn(w.phase)
	s := Seconds{Read: w.spent[coordinator.PhaseRead].Seconds(), Seed: w.spent[coordinator.PhaseSeed].Seconds(),
		Iterate: w.spent[coordinator.PhaseIterate].Seconds(), Write: w.spent[coordinator.PhaseWrite].Seconds()}
	s.Total = s.Read + s.Seed + s.Iterate + s.Write
	return s
}

// Fit reads the data, fits, and writes the model and the labels: all of it, or nothing.
func Fit(ctx context.Context, r *FitRequest) (*FitOutcome, error) {
	watch := startWatch()
	site, err := openSite(ctx, &r.Data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer site.close()
	f := &fit{request: r, site: site, source: site.source, watch: watch}
	outcome, err := f.run(ctx)
	return outcome, explain(err, site.source)
}

type fit struct {
	request  *FitRequest
	site     *site
	job      string // the id on a cluster
	source   dataset.Source
	watch    *stopwatch
	input    *wire.Input
	manifest *partition.Manifest
	labels   *labelFile
}

func (f *fit) run(ctx context.Context) (*FitOutcome, error) {
	r := f.request
	var err error
	if f.input, err = r.Data.input(f.source.Schema(), firstName(f.source)); err != nil {
		return nil, err
	}
	f.input.Spec.Normalize = r.Cosine
	f.manifest, err = cut(f.source, f.input)
	if err != nil {
		return nil, err
	}
	if err := checkClusters(r.K, f.source); err != nil {
		return nil, err
	}
	f.labels = newLabelFile(r.Labels, f.input.ID != "", false)
	defer f.labels.Abort()
	result, err := f.fit(ctx)
	if err != nil {
		return nil, err
	}
	if result == nil {
		return &FitOutcome{Job: f.job}, nil
	}
	return f.write(ctx, result)
}

// checkClusters refuses a k that no choice of transforms can make possible.
func checkClusters(k int, s dataset.Source) error {
	switch {
	case int64(k) > s.Rows():
		return fault.Inputf(fault.In(firstName(s)), "k is above the number of rows: k = %d, %d rows", k, s.Rows()).Do("choose a smaller -k")
	case k > kmeans.MaxClusters:
		return fault.Usagef("-k: %d is above %d, the most segments that there can be", k, kmeans.MaxClusters).Do("choose a smaller -k")
	}
	return nil
}

// cut makes the manifest for what is read of a source.
func cut(s dataset.Source, in *wire.Input) (*partition.Manifest, error) {
	if s.Rows() == 0 {
		return nil, fault.Inputf(fault.In(firstName(s)), "the data has no rows")
	}
	m, err := partition.Cut(s.Rows(), len(in.Spec.Numeric)+len(in.Spec.Categorical), s.Cuts())
	if errors.Is(err, partition.ErrTooManyRows) {
		err = fault.Inputf(fault.In(firstName(s)), "%v", err).Do("use a sample, or fewer files")
	}
	return m, err
}

// fit runs the job, here or on a cluster. A detached job gives nothing.
func (f *fit) fit(ctx context.Context) (*coordinator.FitResult, error) {
	r := f.request
	options := coordinator.FitOptions{Input: f.input, K: r.K, Init: kmeans.Init(r.Init), Runs: r.Runs,
		MaxIterations: r.MaxIter, Tolerance: r.Tolerance, Seed: r.Seed, Labels: r.Labels != "",
		Algorithm: kmeans.Algorithm(r.Algorithm)}
	var start *coordinator.Start
	if !isSeeding(r.Init) {
		var err error
		if start, err = readStart(ctx, r.Init, r.K, f.input.Spec); err != nil {
			return nil, err
		}
		options.Runs = 1 // every run would be the same
		options.Start = start.Centroids
	}
	if r.Engine.Cluster != nil {
		return f.onCluster(ctx, &options, start)
	}
	threads := r.Engine.threads()
	config := coordinator.Config{Manifest: f.manifest, Workers: r.Engine.Workers, Epoch: 1,
		Window: embedded.Window(r.Engine.Workers, threads)}
	job, program, err := coordinator.NewFit(config, options)
	if err != nil {
		return nil, err
	}
	err = runJob(ctx, job, &r.Engine, threads, f.watch, worker.Config{Source: f.source, Manifest: f.manifest,
		Labels: f.labels, Raw: math.MaxInt64}) // what waits lies where the Points will
	return &program.Result, err
}

// onCluster submits the job and follows it.
func (f *fit) onCluster(ctx context.Context, o *coordinator.FitOptions, start *coordinator.Start) (*coordinator.FitResult, error) {
	r := f.request
	spec, err := f.site.jobSpec(fmt.Sprintf("fit k=%d", r.K), f.input, f.manifest, labelOutput(r.Labels, f.input, false))
	if err != nil {
		return nil, err
	}
	spec.Fit = coordinator.FitSpec(o, start)
	if start != nil {
		spec.Fit.StartName = r.Init
	}
	id, result, err := f.site.run(ctx, spec, f.labels, f.watch)
	f.job = id
	if err != nil || result == nil {
		return nil, err
	}
	return coordinator.FitResultOf(result)
}

// isSeeding says whether an --init names a way to seed rather than a file.
func isSeeding(init string) bool {
	switch kmeans.Init(init) {
	case kmeans.InitParallel, kmeans.InitPlusPlus, kmeans.InitRandom:
		return true
	}
	return false
}

// runJob starts an embedded cluster, drives a job to its end and reports what it does.
func runJob(ctx context.Context, job *coordinator.Job, e *Engine, threads int, watch *stopwatch, c worker.Config) error {
	c.Read = e.Reporter.Add
	cluster, err := embedded.Start(ctx, e.Workers, threads, c)
	if err != nil {
		return err
	}
	defer cluster.Close()
	return coordinator.Run(ctx, job, cluster, func(a coordinator.Action) {
		switch a := a.(type) {
		case coordinator.PhaseBegun:
			if watch != nil {
				watch.turn(a.Phase)
			}
			e.Reporter.Phase(string(a.Phase), a.Rows)
		case *coordinator.Iterated:
			if e.Silent {
				return
			}
			e.Reporter.Iteration(a.Run, a.Iteration, a.Inertia(), a.Moved, a.Rows)
		}
	})
}

// write makes the model and writes everything.
func (f *fit) write(ctx context.Context, result *coordinator.FitResult) (*FitOutcome, error) {
	m := f.model(result)
	outcome := &FitOutcome{Model: m, Digest: m.Digest(), Columns: m.Width(), Intake: result.Intake, Job: f.job}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.commit(m, result.Bad); err != nil {
		return nil, err
	}
	outcome.Seconds = f.watch.seconds()
	return outcome, nil
}

// commit makes everything appear. What can still fail for lack of room is written under temporary names first: if
// anything does, nothing appears.
func (f *fit) commit(m *model.Model, bad []wire.BadRow) error {
	r := f.request
	data, err := m.Encode()
	if err != nil {
		return err
	}
	var pending *store.Pending
	if r.Model != "" {
		if pending, err = store.Create(r.Model); err != nil {
			return err
		}
		defer pending.Abort()
		if _, err := pending.Write(data); err != nil {
			return err
		}
	}
	if r.Data.BadRowsOut != "" {
		if err := writeBadRows(r.Data.BadRowsOut, bad); err != nil {
			return err
		}
	}
	if r.Labels != "" && !f.site.writesParts(r.Labels) {
		if err := f.labels.Commit(m.Rows); err != nil {
			return err
		}
	}
	if pending != nil {
		return pending.Commit()
	}
	return nil
}

func (f *fit) model(result *coordinator.FitResult) *model.Model {
	r := f.request
	return modelOf(result, r.Cosine, model.Origin{Coterie: r.Version, Seed: r.Seed, Init: r.Init, Runs: r.Runs, Tolerance: r.Tolerance,
		Algorithm: r.Algorithm, Sources: f.source.Names()})
}

// modelOf is the model of a result; the time and the arithmetic of its origin are filled in.
func modelOf(result *coordinator.FitResult, cosine bool, origin model.Origin) *model.Model {
	metric := model.Euclidean
	if cosine {
		metric = model.Cosine
	}
	rows := int64(0)
	for _, n := range result.Counts {
		rows += n
	}
	origin.Arithmetic, origin.Created = kmeans.Arithmetic, time.Now()
	k := result.Centroids.K
	m := &model.Model{K: k, Metric: metric, Transform: result.Transform, Centroids: result.Centroids.Values,
		Counts: result.Counts, Inertia: result.Inertia, Iterations: result.Iterations, Converged: result.Converged,
		Rows: rows, Segments: model.NewSegments(k), Origin: origin}
	nameSegments(m)
	return m
}
