// Package mutants is a list of ways to break Coterie, each of which some test must notice.
//
// A promise that no test would miss is not held by anything. So each entry takes one precaution out of the source, as an
// exact replacement of text, and names the tests that must fail without it. The go command builds the broken source from an
// overlay: nothing in the tree changes. A mutant whose text is no longer there, that does not compile, or that survives
// its tests is an error.
//
// All of them run with `make mutants`, one with `make mutants ONLY=name`; each change that lands runs a few.
package mutants
