// Package capacity is the arithmetic of how long a fit takes on how many machines, and what it needs there. It measures
// nothing: rates go in, seconds and bytes come out.
//
// Workers share the rows; the coordinator is the middle of a star. So the computing of a pass shrinks with the number of
// workers, what the star takes grows with it, and both are equal at the crossover W* (Prediction.Crossover), beyond
// which more workers make a pass slower. The star takes the longer of carrying the answers and merging them. Where that is
// the carrying, with n rows, B bytes a second into the coordinator and R operations a second of a worker, W* is
// sqrt(n·B/8R), whatever k and d are: 2·n·k·d operations against 16·W·k·d bytes. Where it is the merging, W* is
// sqrt(n·t/merge) for workers of one core. Below a third of it at least nine tenths of the time are computing.
//
//	pass(W) = n·t(k,d)/cores + max(W·bytes(k,d)/B, W·merge(k,d)) + round
//
// t comes from one measured shape and is carried to others along the roofline; cores are those of all workers together, so
// workers that share a machine are told apart from such that have their own.
//
// Begin with model.go; network.go reads bandwidths as people write them. Nothing on the walk of a row passes through here.
package capacity
