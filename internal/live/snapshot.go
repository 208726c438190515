package live

import "time"

// Bounds of a snapshot: it is made for people, and sent to all of them again and again.
const (
	MaxWorkers = 1000 // more are counted and not listed
	MaxJobs    = 50   // under way, then queued, then those that ended last
	MaxCurved  = 8    // of these jobs have curves
	MaxCurves  = 8    // of a job: the runs that got on last
	MaxPoints  = 60   // of a curve: as many as a small chart shows
)

// Snapshot is a cluster at one moment.
type Snapshot struct {
	Time    time.Time `json:"time"` // of the coordinator's clock
	Version string    `json:"version"`
	Epoch   uint64    `json:"epoch"`   // it grows with each start of the coordinator
	Started time.Time `json:"started"` // when this coordinator began

	Workers       []Worker `json:"workers"` // by name
	HiddenWorkers int      `json:"hidden_workers,omitempty"`
	Jobs          []Job    `json:"jobs"` // under way, then queued, each in the order of submission, then ended, newest first
	HiddenJobs    int      `json:"hidden_jobs,omitempty"`
	Events        []Event  `json:"events,omitempty"` // newest last; the stream sends them apart
}

// Worker is a process that computes.
type Worker struct {
	Name       string  `json:"name"`
	Address    string  `json:"address"`
	State      string  `json:"state"` // ready, suspect, rpc-unreachable, draining
	Silent     float64 `json:"silent_seconds,omitempty"`
	Version    string  `json:"version"`
	Kernel     string  `json:"kernel"` // instruction-set tier
	Cores      uint32  `json:"cores"`
	Threads    uint32  `json:"threads"`
	Partitions int     `json:"partitions"` // in memory
	Rows       int64   `json:"rows"`       // of these partitions
	Memory     uint64  `json:"memory"`     // bytes that partitions may take; 0: not limited
	MemoryUsed uint64  `json:"memory_used"`
	Speed      float64 `json:"rows_per_second,omitempty"` // in the last assignment that it answered
	// Straggling is set while the worker takes much longer over its part of a round than the others did.
	Straggling *Straggling `json:"straggling,omitempty"`
}

// Straggling is a part of a round that takes much longer than the others'.
type Straggling struct {
	Job        string  `json:"job"`
	Partitions int     `json:"partitions"`      // that are still owed
	Seconds    float64 `json:"seconds"`         // since they were asked for
	Typical    float64 `json:"typical_seconds"` // that the middle one of the others took
}

// Job is one job.
type Job struct {
	ID     string `json:"id"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`             // fit, sweep, assign
	State  string `json:"state"`            // queued, waiting, running, done, failed, cancelled
	Reason string `json:"reason,omitempty"` // why it waits; never what a failure says of the data

	Rows       int64  `json:"rows"`
	Partitions uint32 `json:"partitions"`
	K          []int  `json:"k,omitempty"` // clusters; several of a sweep
	Phase      string `json:"phase,omitempty"`
	Run        int    `json:"run"` // of the last iteration, from 0
	Runs       int    `json:"runs,omitempty"`
	RunsOver   int    `json:"runs_over,omitempty"`
	Iteration  int    `json:"iteration,omitempty"`
	Limit      int    `json:"max_iterations,omitempty"` // of each run

	Inertia *float64 `json:"inertia,omitempty"`      // of the last iteration
	Best    *float64 `json:"best_inertia,omitempty"` // of the runs that are over, where there are several of one k
	Moved   *int64   `json:"moved,omitempty"`        // rows that changed their cluster in it; absent: not known
	Speed   float64  `json:"rows_per_second,omitempty"`
	Open    int      `json:"open_partitions"` // that the round under way waits for

	Progress *float64 `json:"progress,omitempty"`        // 0 to 1: of a pass while rows are read or written, of all iterations otherwise
	Left     *float64 `json:"seconds_left,omitempty"`    // by the way that the last passes went
	AtMost   *float64 `json:"seconds_at_most,omitempty"` // where every run takes all its iterations

	Submitted  time.Time  `json:"submitted"`
	Ended      *time.Time `json:"ended,omitempty"`
	Reassigned uint32     `json:"reassigned"`           // partitions of lost workers that went to others
	Speculated uint32     `json:"speculated"`           // partitions of slow workers that also went to others
	Refused    uint32     `json:"refused"`              // answers that were not counted, being late or second ones
	Checkpoint *time.Time `json:"checkpoint,omitempty"` // when the last one was written
	Curves     []Curve    `json:"curves,omitempty"`
}

// Curve is how a run went, thinned out evenly. Its first and its last point are always there.
type Curve struct {
	Run    int     `json:"run"`
	K      int     `json:"k,omitempty"`
	Over   bool    `json:"over,omitempty"`
	Points []Point `json:"points"`
}

// Point is an iteration of a run.
type Point struct {
	Iteration int     `json:"i"`
	Inertia   float64 `json:"inertia"`
	Moved     int64   `json:"moved"` // −1: not known
}
