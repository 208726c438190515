// Package e2e holds a cluster of real processes against what it promises: a coordinator and workers on loopback, or on
// network namespaces, with real signals, real files and the program as people get it, built with its fail points.
//
// A test of a fault first shows that the fault fell inside the phase that it names, with work outstanding, and fails if it
// did not: a fault that came too late proves nothing. Then it compares what came out with a run of the same program in one
// process: the digest of the model and the bytes of the labels. docs/failures.md lists faults, what people see of them
// and the test of each; a test here fails where that page names a test that does not exist.
//
// What it does not do: hold the parts to account. What can be said of a state machine, a decoder or a file is said beside
// it, thousands of times faster. Time decides nothing here; limits are for what never happens.
//
// There is nothing here for a program to import. The walk goes on where it begins: cmd/coterie.
package e2e
