package pipeline

import (
	"fmt"
	"testing"
	"time"

	"github.com/coterie-project/coterie/internal/progress"
)

// BenchmarkPass is what a pass over next to no rows takes: in one process, and on a cluster over real connections whose
// members are all in this process. What lies between the two is the cluster's overhead in every iteration, whatever
// the data. "µs/pass" counts the passes of the iterations and the last one; the rest of a fit does not count.
func BenchmarkPass(b *testing.B) {
	for _, k := range []int{3, 40} {
		for _, workers := range []int{1, 3} {
			b.Run(fmt.Sprintf("embedded/workers=%d/k=%d", workers, k), func(b *testing.B) { benchmarkPass(b, k, workers, nil) })
			b.Run(fmt.Sprintf("cluster/workers=%d/k=%d", workers, k), func(b *testing.B) {
				c := newCampThatKeeps(b, 10*time.Second)
				for i := range workers {
					c.worker(fmt.Sprintf("w%d", i), 1)
				}
				benchmarkPass(b, k, workers, c.cluster(workers))
			})
		}
	}
}

func benchmarkPass(b *testing.B, k, workers int, cluster *Cluster) {
	passes, seconds := 0, 0.0
	for seed := uint64(0); b.Loop(); seed++ {
		r := FitRequest{Data: Data{Files: []string{"synth://uniform?rows=1000&d=4&seed=9"}, Scale: "none"}, K: k, Init: "random", Runs: 1,
			MaxIter: 300, Seed: seed}
		r.Engine = Engine{Workers: workers, Threads: 2, Reporter: progress.New(progress.None, nil), Cluster: cluster}
		outcome, err := Fit(b.Context(), &r)
		if err != nil {
			b.Fatal(err)
		}
		passes += outcome.Model.Iterations + 1
		seconds += outcome.Seconds.Iterate
	}
	b.ReportMetric(seconds/float64(passes)*1e6, "µs/pass")
}
