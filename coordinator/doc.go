// Package coordinator decides: which round comes next, who computes which partitions, what the merged Partials mean
// and when a job is done.
//
// Job is a pure state machine, Step(Event) []Action, without clock, socket or goroutine; a Ledger books each
// partition of each round exactly once. Run is the shell around it: one goroutine that feeds events from a Transport
// and carries the actions out. Data never passes here: rows stay with the workers, and what grows with rows
// (labels, ids) goes where it is written.
package coordinator
