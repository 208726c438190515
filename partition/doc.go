// Package partition says who holds what: it cuts the rows of a data set into Partitions, gives each an owner, and
// moves them when workers come and go.
//
// It is data and functions without state. Boundaries depend on the data alone, never on the number of workers, so
// that a partition means the same rows on a laptop and on forty nodes. Owners follow from the workers' weights and
// memory; no result depends on them. What a worker does with its partitions is package worker's business; when to
// rebalance is the coordinator's.
//
// Read manifest.go (the cut), plan.go (what is asked of placement and why), seats.go and move.go (how it is found),
// quota.go (shares), score.go (who gets what moves), summary.go (the plan on paper).
package partition
