package pipeline

import (
	"time"

	"github.com/coterie-project/coterie/internal/capacity"
	"github.com/coterie-project/coterie/internal/exact"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/kmeans"
)

// WhatIf is a cluster and a fit that a load test makes a prediction for. What is 0 is as it was measured.
type WhatIf struct {
	Workers    int     // at least 1
	Network    float64 // of the coordinator, in bytes a second and direction; 0: not counted
	Cores      float64 // of all workers together; 0: as many for each as workers had threads in the test
	Rows       int64
	D, K       int
	Iterations int
}

// WhatIfAnswer is the prediction.
type WhatIfAnswer struct {
	Workers    int     `json:"workers"`
	Cores      float64 `json:"cores"`
	Network    float64 `json:"network_bytes_per_second"` // 0: not counted
	Rows       int64   `json:"rows"`
	Columns    int     `json:"columns"`
	K          int     `json:"k"`
	Iterations int     `json:"iterations"`
	Partitions int     `json:"partitions"`
	Memory     int64   `json:"worker_bytes"` // of each worker, all in all
	capacity.Prediction
}

// LoadModel holds the model against the test: what it makes of one worker's speed for all of them.
type LoadModel struct {
	Predicted float64 `json:"predicted_pass_seconds"`
	Measured  float64 `json:"measured_pass_seconds"`
	Off       float64 `json:"off"` // predicted by measured, less 1
}

// rates are what the test says of a core, and of the coordinator.
func (t *loadTest) rates() *capacity.Rates {
	o, r := t.out, t.request
	rates := &capacity.Rates{At: capacity.Shape{Rows: r.Rows, D: r.D, K: r.K}, Merge: measureMerge(r.K, r.D), Seeding: t.gauge.mean("seed") / o.Pass.Median}
	if o.Network.Received > 0 {
		rates.Answer = float64(o.Network.Received) / float64(o.WorkerCount)
	}
	if roof := o.Speed.Roofline; roof != nil {
		rates.GFLOPS, rates.GBytes = roof.GFLOPS/float64(o.Cores), roof.GBytes/float64(o.Cores)
	}
	beside := rates.Merge*1e-9*float64(o.WorkerCount) + t.round()
	computing := max(o.Pass.Median-beside, o.Pass.Median/2) // of next to no rows a pass is nothing else, and says nothing
	core := float64(o.Cores) / float64(r.Rows) * 1e9
	rates.Pass, rates.Read = computing*core, t.gauge.mean("read")*core
	return rates
}

// round is what a round takes beside all work where the test ran.
func (t *loadTest) round() float64 {
	if t.meter != nil {
		return 0
	}
	return capacity.RoundSeconds
}

// predict holds the model against the test, and answers what was asked.
func (t *loadTest) predict() error {
	o, r := t.out, t.request
	rates := t.rates()
	if s := o.Scaling; s != nil {
		one := *rates
		one.Pass = s.OnePass * float64(s.OneThreads) / float64(s.OneRows) * 1e9
		p := capacity.Predict(one.At, capacity.Cluster{Workers: o.WorkerCount, Cores: float64(o.Cores)}, &one, r.Iterations)
		o.CheckedBy = &LoadModel{p.Pass, o.Pass.Median, p.Pass/o.Pass.Median - 1}
	}
	if r.WhatIf == nil {
		return nil
	}
	w := r.WhatIf.filled(r)
	fill(&w.Cores, float64(w.Workers)*float64(o.Threads)/float64(o.WorkerCount))
	answer, err := w.answer(rates)
	o.WhatIf = answer
	return err
}

// filled is w with the fit of the test where it says nothing else.
func (w *WhatIf) filled(r *LoadRequest) WhatIf {
	f := *w
	fill(&f.Rows, r.Rows)
	fill(&f.D, r.D)
	fill(&f.K, r.K)
	fill(&f.Iterations, r.Iterations)
	return f
}

func fill[T int | int64 | float64](to *T, value T) {
	if *to == 0 {
		*to = value
	}
}

// answer predicts for a WhatIf without gaps.
func (w *WhatIf) answer(rates *capacity.Rates) (*WhatIfAnswer, error) {
	manifest, err := loadManifest(w.Rows, w.D)
	if err != nil {
		return nil, err
	}
	each := max(w.Cores/float64(w.Workers), 1)
	a := &WhatIfAnswer{Workers: w.Workers, Cores: w.Cores, Network: w.Network, Rows: w.Rows, Columns: w.D, K: w.K, Iterations: w.Iterations,
		Partitions: len(manifest.Partitions), Memory: workerBytes(w.Rows, min(w.Workers, len(manifest.Partitions)), int(each), w.K, w.D)}
	// Who has no partition has nothing to do; the threads of one worker share theirs.
	cores := min(w.Cores, each*float64(len(manifest.Partitions)))
	on := capacity.Cluster{Workers: w.Workers, Cores: cores, Network: w.Network, Round: capacity.RoundSeconds}
	a.Prediction = capacity.Predict(capacity.Shape{Rows: w.Rows, D: w.D, K: w.K}, on, rates, w.Iterations)
	return a, nil
}

// mergeTime is for how long merging is measured.
const mergeTime = 20 * 1e6 // nanoseconds

// measureMerge is what a coordinator spends on a worker's answer, from its encoded message to merged sums, in nanoseconds;
// 0 where it cannot be measured.
func measureMerge(k, d int) float64 {
	sums := kmeans.NewSums(k, d, false)
	for j := range sums.Counts {
		sums.Counts[j] = 10_000
	}
	for i := range sums.Values {
		sums.Values[i] = exact.FromInt64(int64(i+1) << 40)
	}
	data, err := wire.EncodePartial(&wire.Partial{Sums: sums}, wire.PackNone)
	if err != nil {
		return 0
	}
	task := &wire.Task{Epoch: 1, Round: 1, Kind: wire.Iterate, Centroids: kmeans.NewCentroids(k, d)}
	context, merged := task.Context(1), new(wire.Partial)
	answers := 0
	begun := time.Now()
	for answers == 0 || time.Since(begun) < mergeTime {
		p, err := wire.DecodePartial(data, context)
		if err != nil {
			return 0
		}
		merged.Merge(p)
		answers++
	}
	merged.Unpack()
	return float64(time.Since(begun).Nanoseconds()) / float64(answers)
}
