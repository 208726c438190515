package capacity

import "testing"

func TestJobsShareABudget(t *testing.T) {
	big := Holding{Rows: 10 << 20, Largest: 1 << 18, Point: 32, State: 8, Threads: 2, K: 8, D: 8}
	small := Holding{Rows: 1 << 10, Largest: 1 << 10, Point: 32, State: 8, Threads: 2, K: 8, D: 8}
	least, whole, little := Divide(1, big).Least, Divide(0, big).Least, Divide(0, small).Least
	total := least + little + (whole-least)/2
	b := NewBudget(total)
	divide, leave := b.Join()
	if got, want := divide(total, big), Divide(total, big); got != want {
		t.Errorf("alone: got %+v, want %+v", got, want)
	}
	other, gone := b.Join()
	if got := other(total, small); got.Spilled != 0 || !got.Fits() || got.Limit != total {
		t.Errorf("a small job beside it: got %+v, want all of it in memory", got)
	}
	got := divide(total, big)
	if takes := got.Fixed + got.State + got.Working + got.Hot; takes > total-little || takes < total-little-(4<<20)-got.Working || got.Spilled == 0 {
		t.Errorf("beside a small job it takes %d of %d bytes", takes, total-little)
	}
	gone()
	other, gone = b.Join()
	for range 2 { // until each knows of the other
		got = other(total, big)
		divide(total, big)
	}
	if again := divide(total, big); again != got || got.Fixed+got.State+got.Working+got.Hot > total/2 {
		t.Errorf("two that are alike: got %+v and %+v, want the same, and half of %d at most", again, got, total)
	}
	leave()
	if got, want := other(total, big), Divide(total, big); got != want {
		t.Errorf("alone again: got %+v, want %+v", got, want)
	}
	gone()
}

func TestABudgetThatIsTooSmallForTwoSaysWhatWouldDo(t *testing.T) {
	h := Holding{Rows: 10 << 20, Largest: 1 << 18, Point: 32, State: 8, Threads: 2, K: 8, D: 8}
	least := Divide(1, h).Least
	for _, total := range []int64{2*least - 1, 2 * least} {
		b := NewBudget(total)
		first, _ := b.Join()
		second, _ := b.Join()
		first(total, h)
		d := second(total, h)
		if fits := total == 2*least; d.Fits() != fits || d.Limit != total || !fits && d.Least != 2*least {
			t.Errorf("%d bytes for two that need %d each: got %+v", total, least, d)
		}
	}
}
