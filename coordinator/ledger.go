package coordinator

import (
	"errors"
	"fmt"

	"github.com/coterie-project/coterie/internal/wire"
)

// The reasons for which an answer is refused.
var (
	ErrStale   = errors.New("answer to another epoch or round")
	ErrOverlap = errors.New("answer covers a partition that is booked already")
	ErrUnknown = errors.New("answer covers a partition that was not asked for")
)

// Ledger books the answers of one round. Its invariant: every partition asked for is merged once or not yet, never
// twice, because an answer is booked whole or refused whole.
type Ledger struct {
	epoch, round uint64
	open         map[int]bool // partitions asked for; false once booked
	missing      int
}

// NewLedger opens a round for the given partitions.
func NewLedger(epoch, round uint64, partitions []int) *Ledger {
	l := &Ledger{epoch: epoch, round: round, open: make(map[int]bool, len(partitions)), missing: len(partitions)}
	for _, id := range partitions {
		l.open[id] = true
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
		open, known := l.open[id]
		switch {
		case !known:
			return fmt.Errorf("%w: partition %d", ErrUnknown, id)
		case !open || seen[id]:
			return fmt.Errorf("%w: partition %d", ErrOverlap, id)
		}
		seen[id] = true
	}
	for id := range seen {
		l.open[id] = false
	}
	l.missing -= len(seen)
	return nil
}

// Full says whether every partition is booked.
func (l *Ledger) Full() bool { return l.missing == 0 }

// Missing lists those of the given partitions that are asked for and not booked.
func (l *Ledger) Missing(partitions []int) []int {
	var missing []int
	for _, id := range partitions {
		if l.open[id] {
			missing = append(missing, id)
		}
	}
	return missing
}
