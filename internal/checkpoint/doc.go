// Package checkpoint is what a coordinator knows after it was killed: the epoch, and for each job its specification,
// its state, its newest two checkpoints and its result, in one folder.
//
// Everything is written whole: under a temporary name, synced, renamed, the folder synced. Every file says what it
// is, how long it is and what its SHA-256 is; what does not hold is reported and never used. A checkpoint is an object
// under the name of its SHA-256, and counts from the moment at which the job's manifest names it. The manifest and the
// state are swapped only where the file is still the one that was last read or written (ErrConflict). The epoch is the
// name of an empty file, which has no content that could be damaged.
//
// A killed process, a power failure at any moment, a full disk and one damaged file leave a job with the old
// checkpoint or the new one. Where the manifest is damaged, the objects say themselves which checkpoint they are.
//
// The folder may be a prefix of an object store, s3://BUCKET/PREFIX. There is no lock then: the coordinator that began the newest
// epoch is the one that may write. A start begins an epoch and writes every record anew, so that the conditional writes of a
// coordinator before it fail (ErrConflict, Overtaken), at whatever moment they arrive. A job is there with its specification,
// which is written last, and gone when its state says so. An answer that is lost is made up for by reading.
//
// What it does not do: look into specifications, states, checkpoints and results, which are bytes to it; decide when to
// save; retry, beyond what package object does. docs/formats.md draws the folder; the walk goes on in package coordinator.
package checkpoint
