// Package trace shows where the time of a job goes, as OpenTelemetry spans: one trace for each job, across the process that
// submits it, the coordinator and the workers.
//
//	coterie fit
//	└ job
//	  └ phase (read, seed, iterate, …)
//	    └ round (kind, iteration)
//	      └ task (of one worker: partitions, rows)
//	        └ read, compute
//
// The environment says where spans go, by the names that OpenTelemetry has for it (Setup). Without an endpoint nothing is
// made: Start gives a nil Span, which costs a load of a pointer and on which everything may be called. A trace travels
// between processes as a traceparent of the W3C; one that is not well formed is taken for none. Spans wait in a bounded queue
// for their exporter; where that is slow or away they are dropped, its failures are counted, and nobody waits for it.
package trace
