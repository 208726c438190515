package wire

import (
	"github.com/coterie-project/coterie/feature"
	"github.com/coterie-project/coterie/kmeans"
)

// Protocol is the version of the messages. Coordinators, workers and submitters of different ones refuse each other.
// Since 2 a transform has weights, orders and folded levels, which a worker of 1 would pass over without a word.
// Since 3 objects are pinned by their ETags, which one of 2 would not look at.
const Protocol = 3

// MaxDescription is how large the description of a table may be, which is one message. It names each file twice, and a
// folder may have a hundred thousand.
const MaxDescription = 128 << 20

// UnaskedBytes is how large an answer may be that is sent as soon as it is ready. Of a larger one only the head is sent;
// the rest waits at its worker until the coordinator has room and says so with the headers of the call. Hundreds of
// workers that finish at one moment would otherwise fill the coordinator's memory with what it has not come to yet.
const UnaskedBytes = 64 << 10

// Kind is what a round computes.
type Kind string

// The kinds of rounds.
const (
	Keys       Kind = "keys"       // read the ids and keep them for Duplicates
	Duplicates Kind = "duplicates" // look for equal ids among those kept; Partitions are numbers of ranges of their hashes
	Statistics Kind = "statistics" // exact statistics of the columns
	Quantiles  Kind = "quantiles"  // one counting round of the exact quantiles
	Directions Kind = "directions" // statistics of the rows brought to length one (cosine)
	Load       Kind = "load"       // rows become Points, which stay with the worker
	Seed       Kind = "seed"       // one round of seeding
	Iterate    Kind = "iterate"    // assignment to centroids; exact sums
	Farthest   Kind = "farthest"   // the farthest distinct Points of an assignment
	Score      Kind = "score"      // a full pass with inertia
	Together   Kind = "together"   // several of the last four, of as many runs, in one pass over the rows
	Prepare    Kind = "prepare"    // the folder that labels are written to is made ready
	Label      Kind = "label"      // labels and distances go to where they are written
	Commit     Kind = "commit"     // what was labelled appears
)

// BadRows says what becomes of a row that cannot be used.
type BadRows string

// The policies for bad rows.
const (
	BadRowsFail       BadRows = "fail"
	BadRowsQuarantine BadRows = "quarantine"
)

// DuplicateIDs says what becomes of rows with an id that another row has.
type DuplicateIDs string

// The policies for duplicate ids.
const (
	DuplicatesFail  DuplicateIDs = "fail"
	DuplicatesFirst DuplicateIDs = "first"
	DuplicatesLast  DuplicateIDs = "last"
)

// Input says how rows are read; it is the same for every task of a job.
type Input struct {
	Spec       *feature.Spec // the columns and what happens to them
	ID         string        // the id's column; empty: the row number
	Weight     string        // the weight's column; empty: every row weighs one
	BadRows    BadRows
	Duplicates DuplicateIDs
}

// MaxStrands is how many runs share a pass at most. Beyond some ten the rows' way through memory is next to nothing of
// the work, and each more takes memory of its own.
const MaxStrands = 32

// Task is one worker's part of a round.
type Task struct {
	Epoch      uint64 // the coordinator's; a worker drops tasks of an earlier one
	Round      uint64 // counts the rounds of a job
	Kind       Kind
	Partitions []int // ascending
	// Trace is the traceparent that the round has its spans under; empty where nobody traces, and of no meaning otherwise.
	Trace string
	Input *Input

	Search    *feature.QuantileSearch // Quantiles
	Transform *feature.Transform      // Directions, Load, and Label of rows that are not held
	Largest   float64                 // Load: the largest weight, the unit of the fixed point
	K         int                     // Load: how many distinct Points to look for; Farthest: how many rows
	KeepIDs   bool                    // Load: the ids are needed for labels; Label: they are to be compared afterwards
	Seed      *kmeans.SeedTask        // Seed
	Centroids *kmeans.Centroids       // Iterate, Farthest, Score, Label
	Algorithm kmeans.Algorithm        // Iterate, Score: how; all give the same bits
	Since     uint64                  // Iterate: the round of the assignment from which rows count as moved; 0: none
	Run       int                     // Seed, Iterate, Score: whose state of earlier rounds is gone on with
	Spread    bool                    // Score: the distances themselves are summed too, by cluster
	// Strands is what Together is made of: tasks of kind Seed, Iterate, Farthest or Score, each of another run, ascending, with
	// Kind, Run, K, Seed, Centroids, Since and Spread of their own. Clusters may differ in number. The rest is the Task's.
	Strands  []*Task
	Detail   bool // Label: the second nearest too
	Integers bool // Label: every id of the job is an integer
	// Owners is, by partition, where its ids are found: the worker that holds them (Duplicates), or the one that has
	// settled the range of ids of that number (every round that reads rows after it). Empty names are of workers that are
	// gone. Nil where no row is left out for its id.
	Owners []string
	// Reload is the Load task of the job, for rounds over rows that are held: who has just taken a partition over loads it
	// first. In Duplicates, whose Partitions are numbers of ranges of ids, it is the task that the ids were handed in for
	// (nil: Keys), for who has to read them itself.
	Reload *Task
}
