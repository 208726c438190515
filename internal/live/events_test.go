package live

import (
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/coterie-project/coterie/internal/hostile"
)

func TestTheOldestEventsMakeRoomForNewOnes(t *testing.T) {
	l := NewEvents(1)
	for i := range MaxEvents + 5 {
		l.Add(Event{Kind: WorkerJoined, Text: fmt.Sprint(i)})
	}
	all := l.After(0)
	if len(all) != MaxEvents || all[0].Number != 6 || all[MaxEvents-1].Number != MaxEvents+5 {
		t.Errorf("got %d events, %d to %d, want %d, 6 to %d", len(all), all[0].Number, all[len(all)-1].Number, MaxEvents, MaxEvents+5)
	}
	for _, c := range []struct {
		after uint64
		want  int
	}{{0, MaxEvents}, {5, MaxEvents}, {6, MaxEvents - 1}, {MaxEvents + 4, 1}, {MaxEvents + 5, 0}, {1 << 62, 0}} {
		if got := len(l.After(c.after)); got != c.want {
			t.Errorf("after %d: got %d events, want %d", c.after, got, c.want)
		}
	}
}

// A job of hours has thousands of checkpoints; the loss of a worker must not be pushed out by them.
func TestEventsThatComeAgainAndAgainStandForThoseBefore(t *testing.T) {
	l := NewEvents(1)
	l.Add(Event{Kind: WorkerLost, Worker: "w3", Text: "w3 lost"})
	for i := range 3 * MaxEvents {
		l.Add(Event{Kind: Checkpoint, Job: "a", Text: fmt.Sprintf("checkpoint %d", i)})
		l.Add(Event{Kind: Speculated, Job: "a", Worker: "w1", Text: "slow"})
	}
	l.Add(Event{Kind: Checkpoint, Job: "b", Text: "another job's"})
	all := l.After(0)
	if len(all) != 4 || all[0].Kind != WorkerLost || all[1].Count != 3*MaxEvents || all[2].Count != 3*MaxEvents || all[3].Count != 1 {
		t.Errorf("got %+v, want the loss, one checkpoint and one slow worker of %d, and the other job's", all, 3*MaxEvents)
	}
	if want := fmt.Sprintf("checkpoint %d", 3*MaxEvents-1); all[1].Text != want {
		t.Errorf("got %q, want the newest, %q", all[1].Text, want)
	}
}

func TestTheTextOfAnEventIsBounded(t *testing.T) {
	for _, n := range []int{MaxText - 1, MaxText, MaxText + 1, 1 << 20} {
		l := NewEvents(1)
		l.Add(Event{Text: strings.Repeat("x", n-2) + "ä"})
		got := l.After(0)[0].Text
		if len(got) > MaxText || !utf8.ValidString(got) || n <= MaxText && len(got) != n {
			t.Errorf("of %d bytes %d are kept, want at most %d, and whole letters", n, len(got), MaxText)
		}
	}
}

func FuzzMark(f *testing.F) {
	l := NewEvents(7)
	for range 3 {
		l.Add(Event{Kind: WorkerJoined})
	}
	for _, s := range []string{"", "7-2", "7-", "-", "7-18446744073709551615", "7-4", "8-1", "\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, mark string) {
		hostile.Ceiling(t, len(mark), 64<<10, 64, func() {
			if n := l.since(mark); n > 3 {
				t.Errorf("%q: got %d, want a number of an event that there was", mark, n)
			}
		})
	})
}
