// Package embedded joins a coordinator and its workers in one process: what a laptop runs without being asked.
//
// The same Job and the same worker cores as on a cluster, joined by channels. What crosses them is never copied or
// encoded. It has no failures of its own to handle: a worker lives as long as the process.
package embedded
