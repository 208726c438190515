// Package sim is a cluster under one seed, driven by one goroutine (an Engine may start others, which it waits for):
// coordinator, workers, network, gossip, clocks, disk and object store, with faults of every kind in every phase of a job.
// The same seed gives the same run, event by event.
//
// What is real: coordinator.Job with its Ledger, plans and programs (fit, label); EncodeState and DecodeState;
// checkpoint.Store, on a disk that tears, fills up and loses what was not synced, or on an object store in memory that
// fails and loses answers; worker.Core and worker.Engine over rows in memory; and the messages, which are encoded and decoded by
// package wire. What is modelled, because it consists of goroutines, clocks and connections there: who is silent for how long,
// reminders, stragglers, patience, the moments at which checkpoints are due (coordinator's members.go, transport.go,
// jobrun.go, keeper.go) and a worker's session (worker's session.go), with the same rules and the same times; gossip, as
// knowing the newest coordinator, the one before, or none; a user who submits, cancels and resumes; the place where
// labels are written; and calls between workers, which succeed at once or fail at once. The network is worse than the real
// one: it loses, repeats and reorders single messages. What a job draws (rows, k, runs, seeding, scaling, ids, weights, bad
// rows, labels or parts, the second nearest) is one of SpecOf; sweeps and spilling are not simulated.
//
// After each event that reaches the job of the newest coordinator the invariants of docs/failures.md are checked that can be
// checked then: what is booked (I2), that every open partition is asked of somebody who is there, or the job waits, with too
// few workers and asking nobody (I7), windows and queues (I5), epochs, rounds, and that nothing written is lost, nor written by
// who is over (I4). The twin is a run of the same job by one worker: where its runs are is compared after each update of
// centroids, labels with their ids when they are written (a worker makes the next ones meanwhile), and all of the result at the
// end, with counts and intake (I1, I3, I6). What is wrong in the same way in the twin is not seen. A round that wrong sums were
// booked in must end the job (I3). When the last fault is over, the job must end within a bounded time.
//
// Script is a run as text, Draw makes one of a seed, Run drives it, Shrink cuts one that breaks something short, and
// Tally makes the table of faults and phases. Bugs that were found stand as scripts in testdata. The command is in
// simulate. The walk ends here; the faults are in docs/failures.md.
package sim
