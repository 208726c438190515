// Package worker does what the coordinator asks for: it reads partitions, holds their Points in memory, computes
// Partials over them with its threads, and hands labels to where they are written.
//
// Core is the worker's mind, a pure step function: which task is current, what is repeated, what is stale. Engine is
// its body: partitions, threads, passes. Serve joins the two to a transport. Everything an Engine keeps of earlier
// rounds (labels, running sums, seeding distances) is soft: it is made again when it is missing, to the same bits.
//
// Equal ids are found among workers: each compares the ids of some ranges of hashes, which it gets from those that hold
// them (Peers), and keeps which rows are left out for those that read them. Where one is lost its part is read again.
package worker
