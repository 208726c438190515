package main

import (
	"testing"

	"github.com/coterie-project/coterie/internal/sim"
)

func TestCellsThatWereNotVisitedAreAnErrorFromAThousandRunsOn(t *testing.T) {
	for _, c := range []struct {
		broken, missing bool
		runs            int
		kinds           []sim.Kind
		want            int
	}{
		{runs: 1000, want: 0},
		{broken: true, runs: 3, want: 1},
		{missing: true, runs: 999, want: 0},
		{missing: true, runs: 1000, want: 1},
		{missing: true, runs: 1000, kinds: []sim.Kind{sim.WorkerCrash}, want: 0},
		{broken: true, runs: 1000, kinds: []sim.Kind{sim.WorkerCrash}, want: 1},
	} {
		if got := exitCode(c.broken, c.missing, c.runs, c.kinds); got != c.want {
			t.Errorf("%+v: got %d", c, got)
		}
	}
}
