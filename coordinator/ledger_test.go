package coordinator

import (
	"errors"
	"testing"

	"github.com/coterie-project/coterie/internal/wire"
)

func TestLedgerBooksEveryPartitionOnce(t *testing.T) {
	answer := func(epoch, round uint64, covered ...int) *wire.Answer {
		return &wire.Answer{Epoch: epoch, Round: round, Covered: covered}
	}
	l := NewLedger(2, 5, []int{1, 3, 4})
	for _, step := range []struct {
		name string
		a    *wire.Answer
		want error
		full bool
	}{
		{"an earlier epoch", answer(1, 5, 1), ErrStale, false},
		{"a later epoch", answer(3, 5, 1), ErrStale, false},
		{"another round", answer(2, 4, 1), ErrStale, false},
		{"a partition not asked for", answer(2, 5, 1, 2), ErrUnknown, false},
		{"the same partition twice", answer(2, 5, 1, 1), ErrOverlap, false},
		{"a good answer", answer(2, 5, 1, 3), nil, false},
		{"the same again", answer(2, 5, 1, 3), ErrOverlap, false},
		{"an overlap is refused whole", answer(2, 5, 3, 4), ErrOverlap, false},
		{"the rest", answer(2, 5, 4), nil, true},
		{"after the end", answer(2, 5, 4), ErrOverlap, true},
	} {
		if err := l.Book(step.a); !errors.Is(err, step.want) {
			t.Errorf("%s: got %v, want %v", step.name, err, step.want)
		}
		if l.Full() != step.full {
			t.Errorf("%s: full: got %v, want %v", step.name, l.Full(), step.full)
		}
	}
}
