package wire

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTheLowestRowsFaultIsReportedInAnyOrder(t *testing.T) {
	faults := []*Partial{{}, {Fault: &RowFault{Row: 7, Err: errors.New("seven")}}, {Fault: &RowFault{Row: 3, Err: errors.New("three")}},
		{Fault: &RowFault{Row: 5, Err: errors.New("five")}}}
	for turn := range faults {
		whole := &Partial{}
		for i := range faults {
			whole.Merge(faults[(i+turn)%len(faults)])
		}
		if whole.Fault == nil || whole.Fault.Row != 3 {
			t.Errorf("turned by %d: got %+v, want row 3", turn, whole.Fault)
		}
	}
}

func TestMergingAddsUpWhatWasTakenIn(t *testing.T) {
	part := func(unseen ...int64) *Partial {
		return &Partial{Intake: Intake{Read: 5, Kept: 1, Bad: 1, Missing: 2, Duplicates: 1, Imputed: 3, Unseen: unseen}, Largest: float64(len(unseen)),
			Bad: []BadRow{{Row: 9 - int64(len(unseen))}}}
	}
	whole := &Partial{}
	one := part(1, 2)
	for _, p := range []*Partial{part(), one, part(10, 20)} {
		whole.Merge(p)
	}
	whole.Unpack()
	n := whole.Intake
	if n.Read != 15 || n.Kept != 3 || n.Bad != 3 || n.Missing != 6 || n.Duplicates != 3 || n.Imputed != 9 {
		t.Errorf("got %+v, want three times each", n)
	}
	if len(n.Unseen) != 2 || n.Unseen[0] != 11 || n.Unseen[1] != 22 || one.Intake.Unseen[0] != 1 {
		t.Errorf("unseen: got %v, want [11 22] and the parts unchanged", n.Unseen)
	}
	if whole.Largest != 2 || len(whole.Bad) != 3 || whole.Bad[0].Row != 7 || whole.Bad[2].Row != 9 {
		t.Errorf("got largest %v and bad rows %v", whole.Largest, whole.Bad)
	}
}

// What was merged may be merged on, whatever part of it is packed, unpacked or not brought together yet.
func TestSumsMergeInAnyGrouping(t *testing.T) {
	packed := func() *Partial { return &Partial{Packed: benchmarkSums(5, 3).Pack()} }
	plain := func() *Partial { return &Partial{Sums: benchmarkSums(5, 3)} }
	both := func(a, b *Partial) *Partial {
		a.Merge(b)
		return a
	}
	want := plain()
	want.Merge(plain())
	want.Merge(plain())
	for name, got := range map[string]*Partial{
		"packed, one by one":         both(both(packed(), packed()), packed()),
		"into nothing":               both(new(Partial), both(packed(), both(packed(), packed()))),
		"a sum of packed to plain":   both(plain(), both(packed(), packed())),
		"plain to a sum of packed":   both(both(packed(), packed()), plain()),
		"packed to plain and packed": both(both(plain(), packed()), packed()),
		"an empty one between":       both(both(both(packed(), packed()), new(Partial)), packed()),
	} {
		got.Unpack()
		if diff := cmp.Diff(want.Sums, got.Sums); diff != "" || got.Packed != nil {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}
