package pipeline

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/coterie-project/coterie/dataset/synth"
	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/spill"
	"github.com/coterie-project/coterie/kmeans"
	"github.com/coterie-project/coterie/partition"
)

// LoadRequest is a load test: fits over made rows, of which every pass computes every distance.
type LoadRequest struct {
	Rows       int64
	D, K       int
	Iterations int // of each fit, at least 1
	Seed       uint64
	// Duration is for how long fits are repeated, under chaos the disturbed ones; 0: there is one.
	Duration time.Duration
	Engine   Engine
	Chaos    *Chaos  // nil: nobody is killed
	WhatIf   *WhatIf // nil: nothing is predicted
	Version  string
}

// LoadOutcome is what a load test measured. Its fields are those of loadtest --json.
type LoadOutcome struct {
	Where       string  `json:"where"` // embedded, cluster, or chaos
	Rows        int64   `json:"rows"`
	Columns     int     `json:"columns"`
	K           int     `json:"k"`
	WorkerCount int     `json:"workers"`
	Threads     int     `json:"threads"` // of all workers together
	Cores       int     `json:"cores"`   // that they have for that
	Kernel      string  `json:"kernel"`
	Iterations  int     `json:"iterations"` // of each fit
	Fits        int     `json:"fits"`       // that ended
	Digest      string  `json:"digest"`     // of all of them; empty where none ended
	Interrupted bool    `json:"interrupted"`
	Seconds     Seconds `json:"seconds"` // of all fits together, also of one that was interrupted

	Pass      LoadPass      `json:"pass"`
	Speed     LoadSpeed     `json:"speed"`
	Scaling   *LoadScaling  `json:"scaling"`    // null: nothing to scale against
	Busy      float64       `json:"busy_share"` // of the passes, in which workers of a cluster computed or waited for a core; 0: not known
	Network   LoadNetwork   `json:"network"`
	Memory    LoadMemory    `json:"memory"`
	Workers   []LoadWorker  `json:"by_worker"`
	Slowest   *LoadWorker   `json:"slowest"` // null: not known
	Chaos     *ChaosOutcome `json:"chaos,omitempty"`
	WhatIf    *WhatIfAnswer `json:"what_if,omitempty"`
	CheckedBy *LoadModel    `json:"model"` // null: nothing to hold the model against
}

// What a LoadOutcome was measured on.
const (
	WhereEmbedded = "embedded"
	WhereCluster  = "cluster"
	WhereChaos    = "chaos"
)

// loadTest is a load test under way.
type loadTest struct {
	request *LoadRequest
	engine  Engine // with the gauge and, embedded, the meter
	gauge   *gauge
	meter   *loadMeter // nil on a cluster
	crew    *loadCrew
	out     *LoadOutcome
}

// LoadTest runs a load test. An interrupted one gives what was measured so far beside its error; so does one under chaos
// whose digests differ.
func LoadTest(ctx context.Context, r *LoadRequest) (*LoadOutcome, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	t := &loadTest{request: r, engine: r.Engine, gauge: newGauge(r.Engine.Reporter)}
	t.out = &LoadOutcome{Where: WhereEmbedded, Rows: r.Rows, Columns: r.D, K: r.K, Iterations: r.Iterations, Kernel: kmeans.Tier(), Workers: []LoadWorker{}}
	t.engine.Reporter, t.engine.Silent = t.gauge, false // the gauge reads it
	if r.Chaos != nil {
		return t.chaos(ctx)
	}
	return t.run(ctx)
}

// check refuses what cannot come to a good end, before anything is measured.
func (r *LoadRequest) check() error {
	if r.Rows < int64(r.K) {
		return fault.Usagef("--rows: %d is below k = %d", r.Rows, r.K).Do("there must be a row for each segment")
	}
	if _, err := loadManifest(r.Rows, r.D); err != nil {
		return fault.Usagef("--rows: %v", err).Do("make fewer")
	}
	if r.WhatIf != nil {
		w := r.WhatIf.filled(r)
		if _, err := loadManifest(w.Rows, w.D); err != nil {
			return fault.Usagef("--what-if: %v", err).Do("ask for fewer rows")
		}
		if w.Rows < int64(w.K) {
			return fault.Usagef("--what-if: %d rows are below k = %d", w.Rows, w.K).Do("there must be a row for each segment")
		}
	}
	if r.Engine.Cluster == nil && r.Chaos == nil {
		return r.fitsHere()
	}
	return nil
}

// fitsHere refuses rows that this process can neither hold nor spill, before hours are spent on finding out.
func (r *LoadRequest) fitsHere() error {
	l, err := r.Engine.limits()
	if err != nil {
		return err
	}
	memory, disk := cmp.Or(l.memory, spill.Whole()), int64(0)
	if l.folder != "" {
		disk = spill.Free(l.folder)
	}
	need := workerBytes(r.Rows, 1, 1, r.K, r.D)
	if memory == 0 || disk < 0 || need <= memory+disk {
		return nil // or it is not known
	}
	gib := func(bytes int64) float64 { return math.Ceil(float64(bytes) / (1 << 30)) }
	return fault.Usagef("--rows: %d rows of %d columns take %.0f GiB, and there are %.0f GiB of memory here and %.0f on the disk to spill to", r.Rows, r.D,
		gib(need), gib(memory), gib(disk)).Do("make fewer, or measure a --cluster; --what-if predicts the rest")
}

// loadManifest cuts the rows of a load test as a fit does.
func loadManifest(rows int64, d int) (*partition.Manifest, error) {
	source, err := synth.Open(loadData(rows, d, 0))
	if err != nil {
		return nil, err
	}
	defer source.Close()
	return partition.Cut(rows, d, source.Cuts())
}

// run measures where the engine says.
func (t *loadTest) run(ctx context.Context) (*LoadOutcome, error) {
	if err := t.prepare(ctx); err != nil {
		return nil, err
	}
	err := t.fits(ctx)
	if err == nil || t.out.Interrupted {
		err = errors.Join(err, t.conclude(ctx))
	}
	if err != nil && !t.out.Interrupted {
		return nil, err
	}
	return t.out, err
}

// prepare finds out who will work.
func (t *loadTest) prepare(ctx context.Context) (err error) {
	if t.engine.Cluster == nil {
		t.engine.Threads = t.engine.threads()
		t.meter = newLoadMeter()
		t.engine.meter = t.meter
		t.crew = embeddedCrew(t.engine.Workers, t.engine.Threads)
	} else {
		if t.out.Where == WhereEmbedded {
			t.out.Where = WhereCluster
		}
		if t.crew, err = clusterCrew(ctx, t.engine.Cluster); err != nil {
			return err
		}
		cluster := *t.engine.Cluster
		cluster.MinWorkers = t.crew.workers // all that are there: the figures are those of the whole cluster
		t.engine.Cluster = &cluster
	}
	t.out.WorkerCount, t.out.Threads, t.out.Cores = t.crew.workers, t.crew.threads, t.crew.cores
	if t.crew.kernel != "" {
		t.out.Kernel = t.crew.kernel
	}
	return nil
}

// fits repeats the fit until its time is over; without a time there is one. An end that ctx has brought marks the outcome as
// interrupted.
func (t *loadTest) fits(ctx context.Context) error {
	limited, cancel, repeat := ctx, context.CancelFunc(func() {}), t.request.Duration > 0 && t.request.Chaos == nil
	if repeat {
		limited, cancel = context.WithTimeout(ctx, t.request.Duration)
	}
	defer cancel()
	for {
		err := t.fit(limited)
		switch {
		case ctx.Err() != nil:
			t.out.Interrupted = true
			return ctx.Err() // not what the fit says of resuming its job: nobody wants it
		case limited.Err() != nil:
			if passes, _ := t.gauge.count(); passes == 0 {
				s := t.gauge.seconds()
				return fault.Usagef("--duration: %v leaves no time for one iteration: after %.3g s of making rows and %.3g s of seeding it was over",
					t.request.Duration, s.Read, s.Seed).Do("give more time, or fewer --rows")
			}
			return nil
		case err != nil || !repeat:
			return err
		}
	}
}

// fit makes one fit, and holds its digest against those before.
func (t *loadTest) fit(ctx context.Context) error {
	stop := t.crew.watch(t.engine.Cluster)
	job := ""
	t.engine.submitted = func(id string) { job = id }
	outcome, err := Fit(ctx, t.fitRequest())
	t.gauge.turn("")
	stop()
	if job != "" {
		t.crew.note(t.engine.Cluster, job) // also of a fit that was interrupted
	}
	if err != nil {
		return err
	}
	t.out.Fits++
	if t.out.Digest == "" {
		t.out.Digest = outcome.Digest
	}
	if outcome.Digest != t.out.Digest {
		return fault.Failedf(nil, "fit %d gave the digest %s, and those before it %s", t.out.Fits, outcome.Digest, t.out.Digest).
			Do("look for a machine with bad memory: the same rows and seed must give the same bits")
	}
	return nil
}

func (t *loadTest) fitRequest() *FitRequest {
	r := t.request
	return &FitRequest{Data: Data{Files: []string{loadData(r.Rows, r.D, r.Seed)}}, Engine: t.engine, K: r.K, Init: string(kmeans.InitParallel), Runs: 1,
		MaxIter: r.Iterations, Tolerance: 0, Seed: r.Seed, Algorithm: string(kmeans.FullPasses), Version: r.Version}
}

// loadData is the address of the rows.
func loadData(rows int64, d int, seed uint64) string {
	return fmt.Sprintf("synth://load?rows=%d&seed=%d&d=%d", rows, seed, d)
}

// conclude makes figures of what was measured. What takes further work is left out where ctx has ended.
func (t *loadTest) conclude(ctx context.Context) error {
	t.out.Seconds = t.gauge.seconds()
	t.out.Pass = t.gauge.pass()
	t.byWorker()
	if t.out.Pass.Count == 0 {
		return nil
	}
	if t.meter != nil && ctx.Err() == nil {
		if err := t.slice(ctx); err != nil && ctx.Err() == nil {
			return err
		}
	}
	t.speed(ctx)
	return t.predict()
}
