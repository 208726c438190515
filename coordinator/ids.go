package coordinator

import (
	"slices"

	"github.com/coterie-project/coterie/internal/wire"
)

// settled is what the rounds over the ids have found.
type settled struct {
	owners   []string // by range of ids: the worker that knows which rows are left out; nil: none are
	integers bool     // every id is an integer
}

// openKeys settles which rows of equal id are left out, before anything else is read. Under the policy fail the ids
// are looked at while the rows are loaded, which costs no reading.
func openKeys(j *Job, in *wire.Input, always bool, then func(*Job, settled) []Action) []Action {
	if in.ID == "" || in.Duplicates == wire.DuplicatesFail && !always {
		return then(j, settled{})
	}
	task := wire.Task{Kind: wire.Keys, Input: in}
	return j.openReading(task, func(p *wire.Partial) []Action { return openDuplicates(j, &task, p.IDs, then) })
}

// openDuplicates has the ids compared that were handed in for a task, unless what was said of them shows that none
// stands twice. The round is over ranges of the ids' hashes, as many as there are partitions: number r is done by who
// would do partition r, and is given to others like it.
func openDuplicates(j *Job, handedIn *wire.Task, ids []wire.IDSummary, then func(*Job, settled) []Action) []Action {
	s := settled{integers: integers(ids)}
	if apart(ids, len(j.config.Manifest.Partitions)) {
		return then(j, s)
	}
	task := wire.Task{Kind: wire.Duplicates, Input: handedIn.Input, Owners: j.answerers()}
	if handedIn.Transform != nil { // which rows count depends on it: who cannot ask for ids reads them as they were read then
		how := *handedIn
		how.Centroids = nil
		task.Reload = &how
	}
	return j.open(task, j.everything(), func(p *wire.Partial) []Action {
		if p.Dropped > 0 {
			s.owners = j.answerers()
		}
		return then(j, s)
	})
}

// answerers is, by partition, who answered in the round that was merged last; nobody where that worker is gone since.
func (j *Job) answerers() []string {
	names := slices.Clone(j.answeredBy)
	for i, name := range names {
		if !j.has(name) {
			names[i] = ""
		}
	}
	return names
}

// integers says whether every id is an integer.
func integers(ids []wire.IDSummary) bool {
	return !slices.ContainsFunc(ids, func(s wire.IDSummary) bool { return !s.Integers })
}

// apart says whether the ids ascend over all partitions, so that none can stand twice. It must have been told of each
// partition once.
func apart(ids []wire.IDSummary, partitions int) bool {
	if len(ids) != partitions {
		return false
	}
	last, any := int64(0), false
	for i, s := range ids {
		switch {
		case s.Partition != i || !s.Integers || !s.Ascending:
			return false
		case s.Count == 0:
			continue
		case any && s.First <= last:
			return false
		}
		last, any = s.Last, true
	}
	return true
}
