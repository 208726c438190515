package cluster

import (
	"errors"
	"fmt"
	"net"
	"testing"

	"github.com/hashicorp/memberlist"
)

// gossiped is the i-th node as the library would show it.
func gossiped(t *testing.T, i int) *memberlist.Node {
	t.Helper()
	m := someone()
	m.Name = fmt.Sprintf("worker-%d", i)
	meta, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	return &memberlist.Node{Name: m.node(), Addr: net.IPv4(10, 0, byte(i>>8), byte(i)), Port: 7946, Meta: meta}
}

func TestTheTableIsBoundedAndNeverWaits(t *testing.T) {
	table := newTable("self-1", nil)
	for i := range maxMembers {
		n := gossiped(t, i)
		if err := table.NotifyAlive(n); err != nil {
			t.Fatalf("member %d: got %v", i, err)
		}
		table.NotifyJoin(n) // nobody takes Changes meanwhile
	}
	late := gossiped(t, maxMembers)
	if err := table.NotifyAlive(late); err == nil {
		t.Errorf("member %d: got it taken, want it refused", maxMembers+1)
	}
	if err := table.NotifyAlive(gossiped(t, 5)); err != nil {
		t.Errorf("news of a known member: got %v", err)
	}
	if err := table.NotifyAlive(&memberlist.Node{Name: "self-1"}); err != nil {
		t.Errorf("ourselves: got %v", err)
	}
	table.NotifyLeave(gossiped(t, 5))
	if err := table.NotifyAlive(late); err != nil {
		t.Errorf("after one has left: got %v", err)
	}
	if got := len(table.list()); got != maxMembers-1 || len(table.changed) != 1 || len(table.departed) != 1 {
		t.Errorf("got %d members, %d and %d signals, want %d, 1 and 1", got, len(table.changed), len(table.departed), maxMembers-1)
	}
}

func TestRecordsThatMakeNoSenseAreRefused(t *testing.T) {
	table := newTable("self-1", nil)
	for name, change := range map[string]func(*memberlist.Node){
		"no metadata":      func(n *memberlist.Node) { n.Meta = nil },
		"garbage":          func(n *memberlist.Node) { n.Meta = []byte("garbage of some length") },
		"another's name":   func(n *memberlist.Node) { n.Name = "worker-8-0123456789abcdef" },
		"no address":       func(n *memberlist.Node) { n.Addr = nil },
		"a short address":  func(n *memberlist.Node) { n.Addr = n.Addr[:3] },
		"everyone's":       func(n *memberlist.Node) { n.Addr = net.IPv4zero },
		"port 0":           func(n *memberlist.Node) { n.Port = 0 },
		"a nameless node":  func(n *memberlist.Node) { n.Name = "" },
		"an enormous name": func(n *memberlist.Node) { n.Name = string(make([]byte, 60000)) },
	} {
		n := gossiped(t, 7)
		change(n)
		err := table.NotifyAlive(n)
		table.NotifyJoin(n)
		if !errors.Is(err, ErrMeta) || len(err.Error()) > 2000 || len(table.list()) != 0 {
			t.Errorf("%s: got %v and %d members, want an ErrMeta and none", name, err, len(table.list()))
		}
	}
}

func TestMembersAreCopiesInOrder(t *testing.T) {
	table := newTable("self-1", nil)
	for _, i := range []int{3, 1, 2} {
		n := gossiped(t, i)
		table.NotifyJoin(n)
		clear(n.Meta) // the library may reuse what it showed
		clear(n.Addr)
	}
	got := table.list()
	for i, m := range got {
		if want := fmt.Sprintf("worker-%d", i+1); m.Name != want || m.Address != fmt.Sprintf("10.0.0.%d:7946", i+1) || m.RPC != someone().RPC {
			t.Errorf("member %d: got %+v, want %s", i, m, want)
		}
	}
	got[0].Name = "changed"
	if again := table.list(); again[0].Name != "worker-1" {
		t.Errorf("got %q, want the caller's slice to be its own", again[0].Name)
	}
}
