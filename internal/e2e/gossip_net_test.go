//go:build linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// Gossip finds; it does not judge. A worker that gossip has lost and that answers its coordinator keeps its work.
func TestAWorkerThatGossipHasLostKeepsItsWork(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	if n := b.center.metric("gossip_members"); n != 4 {
		t.Fatalf("gossip sees %v processes before the cut, want 4", n)
	}
	before := b.far.dropped()
	for _, other := range b.all[:3] {
		for _, what := range []string{"ipproto udp dport %d", "ipproto tcp dport %d", "ipproto tcp sport %d"} {
			match := strings.Fields(fmt.Sprintf(what, gossipPort))
			b.far.deaf(other, match...)
			other.deaf(b.far, match...)
		}
	}
	until(t, 40*time.Second, "gossip loses w3", func() bool {
		if state := b.look().worker("w3"); state != "ready" {
			t.Fatalf("w3 is %s though it answers, want ready", state)
		}
		return b.center.metric("gossip_members") == 3
	})
	if b.far.dropped() == before {
		t.Error("no packet was dropped: there was no fault")
	}
	until(t, 20*time.Second, "the coordinator warns", func() bool {
		return strings.Contains(b.coordinator.log.String(), "gossip has lost a worker that answers; it keeps its work")
	})
	b.iterates(3)
	if v := b.look(); v.job().Reassigned != 0 || v.worker("w3") != "ready" {
		t.Errorf("got %d partitions reassigned and w3 %s, want 0 and ready", v.job().Reassigned, v.worker("w3"))
	}
	b.ends()
}

// Two clusters share a network, and every worker is told the seeds of both.
func TestClustersOfOtherNamesDoNotSeeEachOther(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	heads := map[string]*machine{"north": l.machine(), "south": l.machine()}
	for name, m := range heads {
		m.coordinator("--cluster-name", name)
	}
	others := map[string]*machine{"north": heads["south"], "south": heads["north"]}
	for name, m := range heads {
		l.machine().worker(name+"-worker", m, nil, "--cluster-name", name, "--join", others[name].at(gossipPort))
	}
	for name, m := range heads {
		until(t, 20*time.Second, name+" has its worker", func() bool {
			return look(t, m.place(), m.at(rpcPort)).worker(name+"-worker") == "ready"
		})
		until(t, 20*time.Second, name+" has heard the others, and not listened", func() bool { return m.metric("gossip_refused_total") > 0 })
	}
	for name, m := range heads {
		v := look(t, m.place(), m.at(rpcPort))
		if members := m.metric("gossip_members"); len(v.Workers) != 1 || members != 2 {
			t.Errorf("%s has the workers %+v and %v members of its gossip, want its own worker and two members", name, v.Workers, members)
		}
	}
}

// A fit that serves its data, or takes labels, listens where the workers are. Beyond loopback it asks for a word, as the
// others do.
func TestAFitServesNothingBeyondLoopbackWithoutTLSOrAWord(t *testing.T) {
	t.Parallel()
	l := newLAN(t)
	center := l.machine()
	center.coordinator()
	l.machine().worker("w1", center, nil)
	job := []string{"synth://uniform?rows=600000&seed=2&d=2", "-k", "3"}
	here, there := filepath.Join(t.TempDir(), "here.csv"), filepath.Join(t.TempDir(), "there.csv")
	args := append([]string{"fit", "--quiet", "--json", "-o", filepath.Join(t.TempDir(), "m.json"), "--labels", there, "--cluster", center.at(rpcPort)}, job...)
	if o := coterie(t, center.place(), args...); o.code != 2 || !strings.Contains(o.err, "--insecure") {
		t.Errorf("got exit %d and %q, want exit 2 and a message that names --insecure", o.code, o.err)
	}
	got := digestOf(t, worked(t, center.place(), append(args, "--insecure")...))
	if want := digestHere(t, append(job, "--labels", here)...); got != want {
		t.Errorf("got digest %s, want that of one process, %s", got, want)
	}
	theirs, err := os.ReadFile(there)
	if err != nil {
		t.Fatal(err)
	}
	if ours, err := os.ReadFile(here); err != nil || !bytes.Equal(ours, theirs) {
		t.Errorf("the labels differ from those of one process (%v)", err)
	}
}
