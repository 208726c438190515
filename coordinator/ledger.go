package coordinator

import (
	"errors"
	"fmt"
	"slices"

	"github.com/coterie-project/coterie/internal/wire"
)

// The reasons for which an answer is refused.
var (
	ErrStale   = errors.New("answer to another epoch or round")
	ErrOverlap = errors.New("answer covers a partition that is booked already")
	ErrUnknown = errors.New("answer covers a partition that was not asked for")
)

// DisagreeError is two workers that found different sums for the same partition of the same round. The arithmetic is
// exact, so one of the machines computes or remembers wrongly.
type DisagreeError struct {
	Partition int
	Round     uint64
	Workers   [2]string
}

// Error names both machines.
func (e *DisagreeError) Error() string {
	return fmt.Sprintf("%s and %s found different sums for partition %d in round %d: one of these machines has bad memory or a bad processor (take both out of the cluster and test them)",
		e.Workers[0], e.Workers[1], e.Partition, e.Round)
}

// Ledger books the answers of one round. Its invariant: every partition asked for is merged once or not yet, never
// twice, because an answer is booked whole or refused whole.
type Ledger struct {
	epoch, round uint64
	entries      map[int]entry // of the partitions asked for
	missing      int
}

// entry is what is known of a partition in a round.
type entry struct {
	booked    bool
	hasDigest bool
	digest    uint64
	worker    string // whose answer was booked
}

// NewLedger opens a round for the given partitions.
func NewLedger(epoch, round uint64, partitions []int) *Ledger {
	l := &Ledger{epoch: epoch, round: round, entries: make(map[int]entry, len(partitions)), missing: len(partitions)}
	for _, id := range partitions {
		l.entries[id] = entry{}
	}
	return l
}

// Book accepts an answer, or refuses it whole with ErrStale, ErrUnknown or ErrOverlap.
func (l *Ledger) Book(a *wire.Answer) error {
	if a.Epoch != l.epoch || a.Round != l.round {
		return fmt.Errorf("%w: epoch %d round %d, now %d and %d", ErrStale, a.Epoch, a.Round, l.epoch, l.round)
	}
	seen := make(map[int]bool, len(a.Covered))
	for _, id := range a.Covered {
		e, known := l.entries[id]
		switch {
		case !known:
			return fmt.Errorf("%w: partition %d", ErrUnknown, id)
		case e.booked || seen[id]:
			return fmt.Errorf("%w: partition %d", ErrOverlap, id)
		}
		seen[id] = true
	}
	for i, id := range a.Covered {
		e := entry{booked: true, worker: a.Worker}
		if len(a.Digests) == len(a.Covered) {
			e.hasDigest, e.digest = true, a.Digests[i]
		}
		l.entries[id] = e
	}
	l.missing -= len(seen)
	return nil
}

// Disagrees compares an answer with what is booked for the same partitions: the first partition whose digests differ,
// and whose answer is booked.
func (l *Ledger) Disagrees(a *wire.Answer) (id int, booked string, differs bool) {
	if len(a.Digests) != len(a.Covered) {
		return 0, "", false
	}
	for i, id := range a.Covered {
		if e := l.entries[id]; e.hasDigest && e.digest != a.Digests[i] {
			return id, e.worker, true
		}
	}
	return 0, "", false
}

// Full says whether every partition is booked.
func (l *Ledger) Full() bool { return l.missing == 0 }

// Open says whether a partition is asked for and not booked.
func (l *Ledger) Open(id int) bool {
	e, known := l.entries[id]
	return known && !e.booked
}

// AllMissing lists the partitions that are asked for and not booked, ascending.
func (l *Ledger) AllMissing() []int {
	missing := make([]int, 0, l.missing)
	for id, e := range l.entries {
		if !e.booked {
			missing = append(missing, id)
		}
	}
	slices.Sort(missing)
	return missing
}
