package hostile

import (
	"fmt"
	"testing"
)

// recorder is a test whose failure is looked at.
type recorder struct {
	testing.TB
	failed string
}

func (r *recorder) Helper()      {}
func (r *recorder) Failed() bool { return false }
func (r *recorder) Fatalf(format string, args ...any) {
	r.failed = fmt.Sprintf(format, args...)
}

var kept [][]byte

func TestACeilingHoldsFromItsEdgeOn(t *testing.T) {
	const edge, slack = 1 << 20, 64 << 10 // slack: what the test binary may allocate by itself
	for _, c := range []struct {
		name   string
		takes  []int // bytes, by the tries
		passes bool
	}{
		{"well below", []int{edge / 2}, true},
		{"up to the edge", []int{edge - slack}, true},
		{"above it each time", []int{edge + 1, edge + 1, edge + 1}, false},
		{"above it for once", []int{edge + 1, 0}, true},
	} {
		tries, r := 0, &recorder{TB: t}
		Ceiling(r, 100, edge-1000, 10, func() {
			kept = append(kept[:0], make([]byte, c.takes[tries]))
			tries++
		})
		if (r.failed == "") != c.passes || tries != len(c.takes) {
			t.Errorf("%s: got %q after %d tries, want passed = %v after %d", c.name, r.failed, tries, c.passes, len(c.takes))
		}
	}
}
