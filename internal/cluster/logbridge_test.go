package cluster

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bridged is a bridge that writes text to a buffer, at a time that stands still.
func bridged() (*logBridge, *bytes.Buffer, *time.Time) {
	out, now := new(bytes.Buffer), time.Unix(1000, 0)
	b := newLogBridge(slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: slog.LevelDebug})), new(atomic.Uint64))
	b.now = func() time.Time { return now }
	return b, out, &now
}

func TestTheLibrarysLinesBecomeRecords(t *testing.T) {
	for _, c := range []struct {
		line, level, said string
		refused           uint64
	}{
		{"[DEBUG] memberlist: Stream connection from=1.2.3.4:5", "DEBUG", "Stream connection from=1.2.3.4:5", 0},
		{"[INFO] memberlist: Suspect w has failed", "DEBUG", "Suspect w has failed", 0},
		{"[WARN] memberlist: Refuting a suspect message", "WARN", "Refuting a suspect message", 0},
		{"[ERR] memberlist: Push/Pull with w failed", "WARN", "Push/Pull with w failed", 0},
		{"[ERR] memberlist: Decrypt packet failed: no", "WARN", "Decrypt packet failed: no", 1},
		{"[WARN] memberlist: ignoring alive message for 'w': no", "WARN", "ignoring alive message for 'w': no", 1},
		{"[ERR] memberlist: Push/Pull with Decrypt packet failed failed", "WARN", "Push/Pull with Decrypt packet failed failed", 0},
		{"Err: Could not set the deadline", "WARN", "Err: Could not set the deadline", 0},
		{"", "WARN", "", 0},
		{"[", "WARN", "[", 0},
	} {
		b, out, _ := bridged()
		b.logger().Print(c.line)
		got := out.String()
		if !strings.Contains(got, "level="+c.level) || !strings.Contains(got, c.said) || b.refused.Load() != c.refused {
			t.Errorf("%q: got %q and %d refused, want %s, %q and %d", c.line, got, b.refused.Load(), c.level, c.said, c.refused)
		}
	}
}

func TestWarningsAreBoundedAndTheCountIsNot(t *testing.T) {
	b, out, now := bridged()
	flood := func(n int) {
		for range n {
			fmt.Fprintln(b, "[ERR] memberlist: Decrypt packet failed: no")
		}
	}
	flood(maxWarnings)
	if got := strings.Count(out.String(), "level=WARN"); got != maxWarnings {
		t.Errorf("got %d warnings, want %d", got, maxWarnings)
	}
	flood(100)
	if got := strings.Count(out.String(), "level=WARN"); got != maxWarnings || b.refused.Load() != maxWarnings+100 {
		t.Errorf("got %d warnings and %d refused, want %d and %d", got, b.refused.Load(), maxWarnings, maxWarnings+100)
	}
	*now = now.Add(warningWindow)
	flood(1)
	if got := strings.Count(out.String(), "level=WARN"); got != maxWarnings+1 {
		t.Errorf("in the next window: got %d warnings, want %d", got, maxWarnings+1)
	}
}

func TestALongLineIsCut(t *testing.T) {
	b, out, _ := bridged()
	n, err := b.Write(bytes.Repeat([]byte("x"), maxLine+1))
	if got := strings.Count(out.String(), "x"); n != maxLine+1 || err != nil || got < maxLine || got > maxLine+2 {
		t.Errorf("got %d letters, %d taken, %v, want about %d letters and all taken", got, n, err, maxLine)
	}
}
