// Package wire is what coordinator and workers say to each other: Tasks out, Answers with mergeable Partials back.
//
// A Task can be done by a worker that has just taken its partitions over. An Answer names the partitions that it
// covers; it is booked whole or refused whole, and a repeated one replaces, never adds. In one process these values
// are handed over as they are; a network transport encodes them.
package wire
