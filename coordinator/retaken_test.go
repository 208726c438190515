package coordinator

import (
	"testing"
	"time"

	pb "github.com/coterie-project/coterie/proto/coterie/v1"
)

func TestRowsThatAreReadAgainAreNoProgressBeyondTheWhole(t *testing.T) {
	var w watch
	now := time.Now()
	for range 2 { // each pass of a phase counts from its own begin
		w.turn(PhaseBegun{Phase: PhaseRead, Rows: 10}, now)
		for _, c := range [][2]int64{{8, 8}, {5, 2}, {1, 0}} {
			if got := w.read(c[0], now); got != c[1] {
				t.Errorf("%d rows of 10: got %d as progress, want %d", c[0], got, c[1])
			}
		}
	}
	w.turn(PhaseBegun{Phase: PhaseIterate}, now)
	if got := w.read(7, now); got != 7 {
		t.Errorf("where the whole is not known: got %d, want 7", got)
	}
}

func TestALostWorkerHoldsNothingForOthers(t *testing.T) {
	m := &member{progress: map[string]*pb.Progress{"a": {Held: []uint32{1, 2}}, "b": {Held: []uint32{3}}}}
	if got := m.partitions(); got != 3 {
		t.Errorf("got %d partitions, want 3", got)
	}
	if m.lost = true; m.partitions() != 0 {
		t.Errorf("lost: got %d partitions, want none", m.partitions())
	}
}

func TestAJobThatIsTakenUpSaysFromWhere(t *testing.T) {
	r := &jobRun{server: &Server{}, info: &pb.JobInfo{}}
	if r.restored(nil); r.info.Phase != "" {
		t.Errorf("begun anew: got %v", r.info)
	}
	if r.restored(&FitState{Run: 1}); r.info.Phase != string(PhaseSeed) || r.info.Run != 1 {
		t.Errorf("between two runs: got %v", r.info)
	}
	r.restored(&FitState{States: []RunState{{Run: 2, Done: 7}}})
	if r.info.Phase != string(PhaseIterate) || r.info.Run != 2 || r.info.Iteration != 7 {
		t.Errorf("got %v, want iteration 7 of run 2", r.info)
	}
}
