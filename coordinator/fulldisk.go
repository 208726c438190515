package coordinator

import (
	"errors"
	"math"
	"slices"

	"github.com/coterie-project/coterie/internal/fault"
	"github.com/coterie-project/coterie/internal/wire"
	"github.com/coterie-project/coterie/partition"
)

// fullDisk is a worker whose disk takes no more rows, or fails. It keeps what it holds; more is for the others. That is no
// partition's fault, so none is blamed, however many workers are so.
type fullDisk struct {
	worker string
	rows   int64 // that it is known to hold
	cause  error
}

// unavailable says whether an error is of what a worker lacks, rather than of something that went wrong there.
func unavailable(err error) bool { return fault.Code(err) == int(fault.Unavailable) }

// fills notes that a worker's disk has taken none of what an answer covers.
func (j *Job) fills(a *wire.Answer) {
	f := fullDisk{worker: a.Worker, cause: a.Err}
	for id, owner := range j.plan.Owners {
		if owner == a.Worker && j.answeredBy[id] == a.Worker && !slices.Contains(a.Covered, id) {
			f.rows += j.config.Manifest.Partitions[id].Rows
		}
	}
	j.stale = true
	if at := j.fullAt(a.Worker); at >= 0 {
		j.noDisk[at].rows = f.rows
		return
	}
	j.noDisk = append(slices.Clip(j.noDisk), f)
}

// fullAt is the place of a worker among those whose disks are full, or −1.
func (j *Job) fullAt(name string) int {
	return slices.IndexFunc(j.noDisk, func(f fullDisk) bool { return f.worker == name })
}

// others is how many workers there are beside the one named that may be asked for more rows.
func (j *Job) others(name string) (n int) {
	for _, w := range j.workers {
		if w.Name != name && j.fullAt(w.Name) < 0 {
			n++
		}
	}
	return n
}

// capped has workers with a full disk hold no more than they do: as placement reckons, their memory is filled by that.
func (j *Job) capped(workers []partition.Worker, rowBytes int64) []partition.Worker {
	for i := range workers {
		if at := j.fullAt(workers[i].Name); at >= 0 {
			workers[i].Memory = max(1, min(j.noDisk[at].rows, math.MaxInt64/max(rowBytes, 1))*rowBytes)
		}
	}
	return workers
}

// triedEnough says whether so many workers lack what a partition takes that no other need be asked.
func (j *Job) triedEnough(g grief) bool {
	if len(g.workers) >= blameLimit || g.times >= griefLimit {
		return true
	}
	return !slices.ContainsFunc(j.workers, func(w partition.Worker) bool {
		return !slices.Contains(g.workers, w.Name) && j.fullAt(w.Name) < 0
	})
}

// lacking is the error of a job that the workers lack room for. A disk that failed is named first: the rest is what has come
// of that.
func (j *Job) lacking(cause error) error {
	var first *fault.Error
	if !unavailable(cause) && !errors.Is(cause, partition.ErrMemory) {
		return cause
	}
	if len(j.noDisk) == 0 || j.noDisk[0].cause == cause || !errors.As(j.noDisk[0].cause, &first) {
		return cause
	}
	e := *first
	if e.Err != nil {
		e.Problem += ": " + e.Err.Error()
	}
	e.Problem += ", and without it there is too little room"
	e.Err = cause
	return &e
}
