// Package modelcheck goes through every state that a small system can come to, and holds each against its invariants.
//
// Explore is the checker: breadth first, so that the trace to what is wrong is as short as it can be, with states that
// are the same under a change of names folded into one. It also finds the states from which no end can be reached.
//
// Config and State are the model that it is made for: a coordinator's ledger and its epochs, workers that come and go, a
// network that loses, repeats and delays, checkpoints, coordinators that die and that are taken over and do not know it.
// The model stands for itself; a test of package coordinator walks through it hand in hand with the real Job and Ledger
// and compares what is booked, refused and asked for at every step.
package modelcheck
