// Package spill keeps on a disk what does not fit into memory, for as long as the process lives.
//
// A File has no name once it is open, so that nothing stays behind after a crash. It is written and read in extents of some
// MiB, past the system's page cache where it lets itself be passed: a cache would count against the memory limit that is to
// be held, and would hold what is read once a pass. Each extent has a checksum in memory. A Stream reads extents ahead of
// those who compute on them, into a bounded number of buffers.
package spill
