package main

import (
	"math"

	"github.com/spf13/pflag"

	"github.com/coterie-project/coterie/kmeans"
)

// methodFlags say how k-means is done, the same for a fit and for each k of a sweep.
type methodFlags struct {
	init      string // a way to seed, or a file of centroids where the command takes one
	runs      int64
	maxIter   int64
	tolerance float64
	seed      int64
	metric    string
	algorithm string
}

// bind adds the flags, but for --init: what that takes is for the command to say. runs explains --runs.
func (m *methodFlags) bind(flags *pflag.FlagSet, runs string) {
	flags.Var(newWhole(&m.runs, 1, 1, 10000), "runs", runs)
	flags.Var(newWhole(&m.maxIter, 300, 1, math.MaxInt32), "max-iter", "at most `N` centroid updates a run")
	flags.Var(newReal(&m.tolerance, 1e-4, 0), "tol",
		"stop when the squared movement of all centroids is at most `T` × the mean variance; 0: when nothing changes")
	flags.Var(newWhole(&m.seed, 0, 0, math.MaxInt64), "seed", "`S`, which all randomness is keyed by")
	flags.Var(newChoice(&m.metric, "euclidean", "euclidean", "cosine"), "metric", "how to measure distance")
	flags.Var(newChoice(&m.algorithm, string(kmeans.Auto), kmeans.Algorithms()...), "algorithm",
		"how to compute; all give the same bits, and auto takes what the last passes show to be the fastest")
}
