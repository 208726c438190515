//go:build unix

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// The coordinator is killed at each of its fail points, and another one starts with its folder and its addresses. Who
// waits for the fit notices nothing but a pause.
func TestACoordinatorKilledAnywhereGoesOn(t *testing.T) {
	cases := []struct {
		point   string
		phases  []string // of the job when the coordinator fell, as far as its client had heard
		resumed bool     // a checkpoint was there
	}{
		{"merge:5", []string{"iterate"}, true},
		{"assign:2", []string{"", "read"}, false}, // the first round, handed out in part
		{"assign:5", []string{"read"}, false},
		{"assign:15", []string{"seed"}, true},
		{"assign:70", []string{"iterate"}, true},
		{"checkpoint-write:1", []string{"read", "seed"}, false},   // what was loaded; it is written while the job goes on
		{"manifest-swap:1", []string{"read", "seed"}, false},      // it stands, and nothing names it
		{"checkpoint-write:2", []string{"seed", "iterate"}, true}, // the seeds
		{"manifest-swap:3", []string{"iterate", "write"}, true},   // the last iteration
		{"label-commit", []string{"write"}, true},                 // all is done, and the result not written
		{"assign:5 merge:4", []string{"iterate"}, true},           // twice
	}
	if testing.Short() {
		cases = cases[:1]
	}
	for _, k := range cases {
		t.Run(k.point, func(t *testing.T) {
			t.Parallel()
			points := strings.Fields(k.point)
			c := newCluster(t, points[0], 3)
			run := even.start(c)
			for i := range points {
				c.head.falls(t, run)
				next := ""
				if i+1 < len(points) {
					next = points[i+1]
				}
				if next == "" {
					until(t, soon, fmt.Sprintf("the client has heard of one of the phases %q", k.phases),
						func() bool { return slices.Contains(k.phases, run.phase()) })
				}
				c.restart(next)
			}
			same(t, k.point, run.bits(), even.here(t))
			if got := c.epoch(); got != len(points)+1 {
				t.Errorf("got epoch %d, want %d", got, len(points)+1)
			}
			if got := strings.Contains(c.head.log.String(), "resumed from checkpoint"); got != k.resumed {
				t.Errorf("the last coordinator resumed from a checkpoint: %v, want %v", got, k.resumed)
			}
			if k.phases[0] != "" && !strings.Contains(run.log.String(), "is away; waiting for it") {
				t.Errorf("the client does not say that it waits: %s", tail(run.log.String()))
			}
		})
	}
}
