// Package partition says who holds what: it cuts the rows of a data set into Partitions, gives each an owner, and
// moves them when workers come and go.
//
// It is data and functions without state. Boundaries depend on the data alone, never on the number of workers, so
// that a partition means the same rows on a laptop and on forty nodes. What a worker does with its partitions is
// package worker's business; when to reassign is the coordinator's.
package partition
