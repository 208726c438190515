package coordinator

import (
	"errors"
	"slices"
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

func TestARefusedAnswerLeavesTheLedgerAsItWas(t *testing.T) {
	l := NewLedger(1, 1, []int{1, 3, 4, 6})
	book := func(worker string, covered ...int) error {
		digests := make([]uint64, len(covered))
		for i, id := range covered {
			digests[i] = uint64(100*id + len(worker))
		}
		return l.Book(&wire.Answer{Epoch: 1, Round: 1, Worker: worker, Covered: covered, Digests: digests})
	}
	if err := book("a", 3); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		covered []int
		want    error
	}{
		{[]int{1, 4, 3}, ErrOverlap}, {[]int{1, 1}, ErrOverlap}, {[]int{1, 4, 2}, ErrUnknown}, {[]int{4, 7}, ErrUnknown}, {[]int{4, -1}, ErrUnknown},
		{[]int{6, 1 << 40}, ErrUnknown},
	} {
		if err := book("bb", c.covered...); !errors.Is(err, c.want) {
			t.Errorf("%v: got %v, want %v", c.covered, err, c.want)
		}
		if got := l.AllMissing(); !slices.Equal(got, []int{1, 4, 6}) || l.Full() {
			t.Errorf("%v: then %v are missing, want [1 4 6]", c.covered, got)
		}
		if id, _, differs := l.Disagrees(&wire.Answer{Covered: []int{1, 4, 6, 9}, Digests: []uint64{1, 2, 3, 4}}); differs {
			t.Errorf("%v: partition %d has a digest, though it is not booked", c.covered, id)
		}
	}
	if id, worker, differs := l.Disagrees(&wire.Answer{Covered: []int{3}, Digests: []uint64{302}}); !differs || id != 3 || worker != "a" {
		t.Errorf("got partition %d of %q, differs %v; want 3 of a", id, worker, differs)
	}
	if err := book("c", 1, 4, 6); err != nil || !l.Full() {
		t.Errorf("the rest: got %v, full %v", err, l.Full())
	}
}
