//go:build unix

package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The coordinator is killed at each of its fail points, and another one starts with its folder and its addresses. Who
// waits for the fit notices nothing but a pause.
func TestACoordinatorKilledAnywhereGoesOn(t *testing.T) {
	const never, always, perhaps = "never", "always", "perhaps" // perhaps: checkpoints are written beside the rounds
	cases := []struct {
		point  string
		phases []string // of the job when the coordinator fell, as far as its client had heard
		kept   string   // whether a checkpoint stood then
	}{
		{"merge:5", []string{"iterate"}, perhaps},
		{"assign:2", []string{"", "read"}, never}, // the first round, handed out in part
		{"assign:5", []string{"read"}, never},
		{"assign:15", []string{"seed"}, perhaps},
		{"assign:70", []string{"iterate"}, perhaps},
		{"checkpoint-write:1", []string{"read", "seed", "iterate"}, never}, // what was loaded; it is written while the job goes on
		{"manifest-swap:1", []string{"read", "seed", "iterate"}, never},    // it stands, and nothing names it
		{"checkpoint-write:2", []string{"seed", "iterate"}, always},        // the seeds
		{"manifest-swap:3", []string{"iterate", "write"}, always},          // the last iteration
		{"label-commit", []string{"write"}, perhaps},                       // all is done, and the result not written
		{"assign:5 merge:4", []string{"iterate"}, perhaps},                 // twice
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
			kept := false
			for i := range points {
				c.head.falls(t, run)
				kept = c.checkpointed()
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
			if kept && k.kept == never || !kept && k.kept == always {
				t.Errorf("a checkpoint stood when the coordinator fell: %v, want it %s", kept, k.kept)
			}
			if got := strings.Contains(c.head.log.String(), "resumed from checkpoint"); got != kept {
				t.Errorf("the last coordinator resumed from a checkpoint: %v, want %v", got, kept)
			}
			if k.phases[0] != "" && !strings.Contains(run.log.String(), "is away; waiting for it") {
				t.Errorf("the client does not say that it waits: %s", tail(run.log.String()))
			}
		})
	}
}

// checkpointed says whether the manifest of a job names a checkpoint. An empty one is its header alone.
func (c *cluster) checkpointed() bool {
	c.Helper()
	const header = 64
	manifests, err := filepath.Glob(filepath.Join(c.state, "jobs", "*", "manifest"))
	if err != nil {
		c.Fatal(err)
	}
	for _, path := range manifests {
		if info, err := os.Stat(path); err == nil && info.Size() > header {
			return true
		}
	}
	return false
}
