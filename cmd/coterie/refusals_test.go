package main

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/coterie-project/coterie/internal/observe"
)

func TestEachPeerThatIsRefusedIsCountedAndNotEachIsLogged(t *testing.T) {
	var out bytes.Buffer
	r := &refusals{log: slog.New(slog.NewTextHandler(&out, nil))}
	const knocks = 1000
	for i := range knocks {
		r.notices().Rejected("", fmt.Sprintf("192.0.2.1:%d", i), "no certificate")
	}
	if got := metricOf(t, r.report, "coterie_peers_refused_total"); got != knocks {
		t.Errorf("got %v counted, want %d", got, knocks)
	}
	// A machine so slow that this takes seconds logs a line for each of them.
	if lines := strings.Count(out.String(), "\n"); lines < 1 || lines > knocks/10 {
		t.Errorf("got %d lines for %d refusals, want some and not one for each:\n%.500s", lines, knocks, out.String())
	}
	if !strings.Contains(out.String(), "at=handshake") || !strings.Contains(out.String(), "192.0.2.1:0") {
		t.Errorf("got %.200q, want who and where", out.String())
	}
	if got := metricOf(t, r.report, "coterie_gossip_refused_total"); got != 0 {
		t.Errorf("got %v gossip refused before there is any, want 0", got)
	}
}

// metricOf is a counter that a source gives.
func metricOf(t *testing.T, from observe.Source, name string) float64 {
	t.Helper()
	registry, err := observe.Gather(observe.Coordinator, from)
	if err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.Metric[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no %s", name)
	return 0
}
