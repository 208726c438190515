// Package pipeline does whole jobs in this process: fit, assign, look up, check, plan. It opens the data, finds the
// columns, starts an embedded cluster, runs the job and writes the results, all of them or none.
//
// It decides nothing about numbers (packages feature and kmeans) and nothing about rounds (package coordinator); the
// command line above it only parses flags and prints.
package pipeline
