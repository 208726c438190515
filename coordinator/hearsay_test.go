package coordinator

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"
)

func TestAWorkerThatGossipHasLostIsToldOfOnceAndNotGivenUp(t *testing.T) {
	heard := true
	s := register(t, func(string) bool { return heard })
	var said bytes.Buffer
	s.config.Log = slog.New(slog.NewTextHandler(&said, nil))
	m, _ := s.admit(hello("a", "1"))
	now := m.since
	// It beats all the time.
	pass := func(after time.Duration) {
		for range after / time.Second {
			m.since = now
			now = s.later(now, time.Second)
		}
	}
	const warning, relief = "gossip has lost a worker that answers", "gossip sees the worker again"
	for _, step := range []struct {
		heard            bool
		after            time.Duration
		warnings, relief int
	}{
		{true, 10 * time.Second, 0, 0},
		{false, unheardAfter, 0, 0}, // it may come back
		{false, 20 * time.Second, 1, 0},
		{true, time.Second, 1, 1},
		{true, 20 * time.Second, 1, 1},
		{false, unheardAfter + time.Second, 2, 1},
	} {
		heard = step.heard
		pass(step.after)
		if w, r := strings.Count(said.String(), warning), strings.Count(said.String(), relief); w != step.warnings || r != step.relief {
			t.Fatalf("%+v: got %d warnings and %d times relief", step, w, r)
		}
		if got := m.state(s.gossip); got != stateReady {
			t.Fatalf("%+v: got %s, want %s", step, got, stateReady)
		}
	}
}
