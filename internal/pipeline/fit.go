package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/coterie-project/coterie/coordinator"
	"github.com/coterie-project/coterie/dataset"
	"github.com/coterie-project/coterie/dataset/moves"
	"github.com/coterie-project/coterie/internal/embedded"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/store"
	"github.com/coterie-project/coterie/internal/trace"
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
	Report    string // where a page about the segments goes; empty: nowhere. Not on a cluster
	Version   string // of the program, for the model's origin

	From           string // the model of last month, to go on from; empty: none. K is then as many as it has, if 0
	FromLabels     string // the labels of its customers; empty: unknown
	KeepTransforms bool   // those of From stay as they are
	MetricOfFrom   bool   // Cosine is not asked for: the metric is that of From
	Gates          []FitGate

	Checkpoint string // a folder, or a prefix of an object store, that keeps where the fit has come to; empty: none. Not on a cluster
	Resume     bool   // go on from what it keeps
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
	Job     string  // its id on a cluster; of a detached one nothing else is known yet
	Months  *Months // nil without a model to go on from
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

// total is how long all of it took so far.
func (w *stopwatch) total() float64 {
	w.turn(w.phase)
	all := time.Duration(0)
	for _, d := range w.spent {
		all += d
	}
	return all.Seconds()
}

// Fit reads the data, fits, and writes the model and the labels: all of it, or nothing.
func Fit(ctx context.Context, r *FitRequest) (*FitOutcome, error) {
	watch := startWatch()
	if err := r.checkGates(); err != nil {
		return nil, err
	}
	last, err := readLast(r)
	if err != nil {
		return nil, err
	}
	site, err := openSite(ctx, &r.Data, &r.Engine)
	if err != nil {
		return nil, err
	}
	defer site.close()
	f := &fit{request: r, site: site, source: site.source, watch: watch, last: last}
	defer f.close()
	outcome, err := f.run(ctx)
	err = f.kept.ended(ctx, explain(err, site.source))
	if closed := f.kept.close(); err == nil {
		err = closed
	}
	return outcome, err
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
	kept     *kept // nil: no checkpoints

	last  *lastMonth    // nil: it goes on from none
	old   *moves.Labels // of the customers then; nil: unknown
	stash *labelStash   // where labels wait until segments have their indices; nil: they go to the file
}

func (f *fit) close() {
	if f.old != nil {
		f.old.Source.Close()
	}
}

func (f *fit) run(ctx context.Context) (*FitOutcome, error) {
	r := f.request
	var err error
	if f.last != nil {
		if err := hasFeatures(f.last.Model, f.source.Schema(), firstName(f.source), f.last.file); err != nil {
			return nil, err
		}
	}
	if f.input, err = r.Data.input(f.source.Schema(), firstName(f.source)); err != nil {
		return nil, err
	}
	f.input.Spec.Normalize = r.Cosine
	if f.last != nil {
		if err := f.last.fits(f.input, r.KeepTransforms); err != nil {
			return nil, err
		}
	}
	if err := f.openOldLabels(ctx); err != nil {
		return nil, err
	}
	f.manifest, err = cut(f.source, f.input)
	if err != nil {
		return nil, err
	}
	if err := checkClusters(r.K, f.source); err != nil {
		return nil, err
	}
	f.labels = newLabelFile(r.Labels, f.input.ID != "", false)
	defer func() { f.labels.Abort() }() // of the last of them
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
	sink, path := f.sink()
	options := coordinator.FitOptions{Input: f.input, K: r.K, Init: kmeans.Init(r.Init), Runs: r.Runs,
		MaxIterations: r.MaxIter, Tolerance: r.Tolerance, Seed: r.Seed, Labels: path != "",
		Algorithm: kmeans.Algorithm(r.Algorithm)}
	var start *coordinator.Start
	if f.last != nil {
		var err error
		if start, err = f.last.start(r.K, r.KeepTransforms); err != nil {
			return nil, err
		}
		if options.Start = start.Centroids; r.K <= f.last.K {
			options.Runs = 1 // nothing is drawn
		}
		if r.KeepTransforms {
			options.Transform = f.last.Transform
		}
	} else if !isSeeding(r.Init) {
		var err error
		if start, err = readStart(ctx, r.Init, r.K, f.input.Spec); err != nil {
			return nil, err
		}
		options.Runs = 1 // every run would be the same
		options.Start = start.Centroids
	}
	if r.Engine.Cluster != nil {
		return f.onCluster(ctx, &options, start, sink, path)
	}
	threads := r.Engine.threads()
	config := coordinator.Config{Manifest: f.manifest, Workers: r.Engine.Workers, Epoch: 1,
		Window: embedded.Window(r.Engine.Workers, threads)}
	var err error
	if f.kept, err = f.keep(&options, start); err != nil {
		return nil, err
	}
	job, program, err := f.kept.program(config, options)
	if err != nil {
		return nil, err
	}
	run := worker.Config{Source: f.source, Manifest: f.manifest, Raw: math.MaxInt64} // what waits lies where the Points will
	if path != "" {
		run.Labels = sink
	}
	if f.kept == nil {
		err = runJob(ctx, job, &r.Engine, threads, f.watch, run)
		return &program.Result, err
	}
	keeper := f.kept.keeper(program)
	err = runJob(ctx, job, &r.Engine, threads, f.watch, run, keeper.Observe)
	if ctx.Err() != nil {
		keeper.Stopped()
	}
	keeper.Close()
	return &program.Result, err
}

// onCluster submits the job and follows it.
func (f *fit) onCluster(ctx context.Context, o *coordinator.FitOptions, start *coordinator.Start, sink worker.LabelSink, path string) (*coordinator.FitResult, error) {
	r := f.request
	spec, err := f.site.jobSpec(fmt.Sprintf("fit k=%d", r.K), f.input, f.manifest, labelOutput(path, f.input, false))
	if err != nil {
		return nil, err
	}
	spec.Fit = coordinator.FitSpec(o, start)
	if start != nil {
		spec.Fit.StartName = start.Name
	}
	id, result, err := f.site.run(ctx, spec, sink, f.watch)
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

// runJob starts an embedded cluster, drives a job to its end and reports what it does; also are told too.
func runJob(ctx context.Context, job *coordinator.Job, e *Engine, threads int, watch *stopwatch, c worker.Config, also ...func(coordinator.Action)) (err error) {
	c.Read = e.Reporter.Add
	l, err := e.limits()
	if err != nil {
		return err
	}
	defer KeepTo(l.memory)()
	c.Memory, c.Spill, c.NoSpill = l.memory, l.folder, l.why
	cluster, err := embedded.Start(ctx, e.Workers, threads, c)
	if err != nil {
		return err
	}
	defer cluster.Close()
	var transport coordinator.Transport = cluster
	if e.meter != nil {
		metered := e.meter.through(cluster)
		defer metered.close()
		transport = metered
	}
	ctx, span := trace.Start(ctx, "job", trace.Int("rows", c.Manifest.Rows), trace.Int("partitions", len(c.Manifest.Partitions)),
		trace.Int("workers", e.Workers))
	defer func() { span.End(err) }()
	return coordinator.Run(ctx, job, transport, func(a coordinator.Action) {
		for _, tell := range also {
			tell(a)
		}
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
	m, months, err := f.settle(ctx, result)
	if err != nil {
		return nil, err
	}
	outcome := &FitOutcome{Model: m, Digest: m.Digest(), Columns: m.Width(), Intake: result.Intake, Job: f.job, Months: months}
	report, err := f.report(ctx, m)
	if err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := f.commit(m, report, result.Bad); err != nil {
		return nil, err
	}
	if f.kept != nil {
		f.kept.done = true
	}
	outcome.Seconds = f.watch.seconds()
	return outcome, nil
}

// commit makes everything appear. What can still fail for lack of room is written under temporary names first: if
// anything does, nothing appears.
func (f *fit) commit(m *model.Model, report []byte, bad []wire.BadRow) error {
	r := f.request
	data, err := m.Encode()
	if err != nil {
		return err
	}
	var pending []*store.Pending
	for _, out := range []struct {
		path string
		data []byte
	}{{r.Report, report}, {r.Model, data}} {
		if out.path == "" {
			continue
		}
		file, err := store.Create(out.path)
		if err != nil {
			return err
		}
		defer file.Abort()
		if _, err := file.Write(out.data); err != nil {
			return err
		}
		pending = append(pending, file)
	}
	if r.Data.BadRowsOut != "" {
		if err := writeBadRows(r.Data.BadRowsOut, bad); err != nil {
			return err
		}
	}
	if r.Labels != "" && !f.site.writesParts(r.Labels) {
		if err := f.labels.Commit(m.Rows, m); err != nil {
			return err
		}
	}
	for _, file := range pending { // the model last: who waits for it finds the others
		if err := file.Commit(); err != nil {
			return err
		}
	}
	return nil
}

func (f *fit) model(result *coordinator.FitResult) *model.Model {
	r := f.request
	init := r.Init
	if f.last != nil {
		init = f.last.file
	}
	return modelOf(result, r.Cosine, model.Origin{Coterie: r.Version, Seed: r.Seed, Init: init, Runs: r.Runs, Tolerance: r.Tolerance,
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
		Rows: rows, Segments: model.NewSegments(k), Base: baseOf(result.Transform, result.Sample), Origin: origin}
	nameSegments(m)
	return m
}
