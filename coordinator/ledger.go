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
	entries      []entry // by partition, up to the last one that is asked for
	missing      int
}

// entry is what is known of a partition in a round.
type entry struct {
	asked     bool
	booked    bool
	hasDigest bool
	digest    uint64
	worker    string // whose answer was booked
}

// NewLedger opens a round for the given partitions, none of them negative.
func NewLedger(epoch, round uint64, partitions []int) *Ledger {
	l := &Ledger{epoch: epoch, round: round, missing: len(partitions)}
	if len(partitions) > 0 {
		l.entries = make([]entry, slices.Max(partitions)+1)
	}
	for _, id := range partitions {
		l.entries[id].asked = true
	}
	return l
}

// of is the entry of a partition; nil if it is not asked for.
func (l *Ledger) of(id int) *entry {
	if id < 0 || id >= len(l.entries) || !l.entries[id].asked {
		return nil
	}
	return &l.entries[id]
}

// Book accepts an answer, or refuses it whole with ErrStale, ErrUnknown or ErrOverlap.
func (l *Ledger) Book(a *wire.Answer) error {
	if a.Epoch != l.epoch || a.Round != l.round {
		return fmt.Errorf("%w: epoch %d round %d, now %d and %d", ErrStale, a.Epoch, a.Round, l.epoch, l.round)
	}
	for i, id := range a.Covered {
		if err := l.bookOne(a, i); err != nil {
			for _, id := range a.Covered[:i] { // as if nothing had been booked
				l.entries[id] = entry{asked: true}
			}
			return fmt.Errorf("%w: partition %d", err, id)
		}
	}
	l.missing -= len(a.Covered)
	return nil
}

// bookOne books the i-th partition of an answer.
func (l *Ledger) bookOne(a *wire.Answer, i int) error {
	e := l.of(a.Covered[i])
	switch {
	case e == nil:
		return ErrUnknown
	case e.booked:
		return ErrOverlap
	}
	*e = entry{asked: true, booked: true, worker: a.Worker}
	if len(a.Digests) == len(a.Covered) {
		e.hasDigest, e.digest = true, a.Digests[i]
	}
	return nil
}

// Disagrees compares an answer with what is booked for the same partitions: the first partition whose digests differ,
// and whose answer is booked.
func (l *Ledger) Disagrees(a *wire.Answer) (id int, booked string, differs bool) {
	if len(a.Digests) != len(a.Covered) {
		return 0, "", false
	}
	for i, id := range a.Covered {
		if e := l.of(id); e != nil && e.hasDigest && e.digest != a.Digests[i] {
			return id, e.worker, true
		}
	}
	return 0, "", false
}

// Full says whether every partition is booked.
func (l *Ledger) Full() bool { return l.missing == 0 }

// Open says whether a partition is asked for and not booked.
func (l *Ledger) Open(id int) bool {
	e := l.of(id)
	return e != nil && !e.booked
}

// AllMissing lists the partitions that are asked for and not booked, ascending.
func (l *Ledger) AllMissing() []int {
	missing := make([]int, 0, l.missing)
	for id := range l.entries {
		if l.Open(id) {
			missing = append(missing, id)
		}
	}
	return missing
}
