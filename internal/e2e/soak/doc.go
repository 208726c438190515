// Package soak holds a whole cluster of real processes to its promise of endurance: a coordinator, workers and a server of
// models run for an hour under fits, labellings and sweeps of many kinds, look-ups, kills, pauses, departures, restarts,
// cancels, resumptions, renewed certificates, exchanged models, and connections that come and go. Every result is held
// against that of one process.
//
// Run does it, Judge says whether anything has grown that should not have, and Draw makes the graph. The judgement is on
// counts, never on times: now and then everything pauses until no job is left (a quiet moment), and what is then in use,
// live heap after a collection, goroutines, descriptors, must not grow with the number of jobs that have ended.
//
// What it does not do: place faults at chosen points of a phase. internal/e2e does that, and shows that each fell there.
//
// The walk goes on at run.go; make soak SOAK=1h starts it.
package soak
