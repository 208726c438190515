// Package wire is what coordinator and workers say to each other: Tasks out, Answers with mergeable Partials back.
//
// A Task can be done by a worker that has just taken its partitions over. An Answer names the partitions that it
// covers; it is booked whole or refused whole, and a repeated one replaces, never adds. In one process these values
// are handed over as they are. For a network EncodeTask, EncodePartial and EncodeFailure make messages of them
// (proto/coterie/v1/round.proto), and their decoders believe nothing: a Task comes with all that its kind needs, in
// shapes that fit, and a Partial in the shapes that its Task asked for (Context), so that whatever passes can be merged.
// Sums stay packed until they are added.
//
// It opens no connection and sends nothing: that is for packages coordinator and worker, where the walk goes on.
package wire
