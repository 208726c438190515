// Package remote is a dataset.Source over a connection: the rows of a table that only the process that submitted a job
// can read, for the workers that compute with them.
//
// Server answers for a Source; Dial is that Source on the other side, with the same Blocks to the bit: numbers travel as
// their bits, texts as their bytes, and a bad row with its place. Both ends trust nothing that comes in: a request must
// hold the job's token and a range that exists, and an answer is held against what was asked for, length by length,
// before a row is used.
//
//	server.go    requests, checked
//	encode.go    Blocks as messages, over vector.go (one column)
//	client.go    Dial, and the dataset.Source
//	decode.go    messages as Blocks
//	describe.go  what a table is, for those who cannot open it
//	failure.go   errors on their way over the network
//
// What it does not do: listen, dial, or keep a connection alive (the caller's options decide how soon a peer that is
// gone is noticed), or read files (package dataset/open). The walk of a row goes on in package worker.
package remote
