package cluster

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/memberlist"
)

// maxMembers bounds the table: ten times the largest cluster that is planned for. Without a key a stranger could otherwise
// fill our memory with names.
const maxMembers = 4096

// Member is a process that gossip believes to be alive.
type Member struct {
	Meta
	Node    string // its name in the gossip, Name-Boot: unique
	Address string // HOST:PORT of its gossip
}

// table keeps our own copy of who is there. The library's nodes change under its lock while a reader looks at them, and
// its callbacks come with that lock held: so nothing in here waits, logs or calls back into the library.
type table struct {
	self     string // our node: never refused, since the library cannot leave a cluster that it is not in
	meta     []byte // our own, encoded
	changed  chan struct{}
	departed chan struct{} // another node went; capacity 1

	mu      sync.Mutex
	members map[string]Member
}

func newTable(self string, meta []byte) *table {
	return &table{self: self, meta: meta, changed: make(chan struct{}, 1), departed: make(chan struct{}, 1),
		members: make(map[string]Member)}
}

// list copies the members, sorted by name and then by node.
func (t *table) list() []Member {
	t.mu.Lock()
	members := make([]Member, 0, len(t.members))
	for _, m := range t.members {
		members = append(members, m)
	}
	t.mu.Unlock()
	slices.SortFunc(members, func(a, b Member) int {
		if order := strings.Compare(a.Name, b.Name); order != 0 {
			return order
		}
		return strings.Compare(a.Node, b.Node)
	})
	return members
}

// addresses are the gossip addresses of the others.
func (t *table) addresses() map[string]bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	found := make(map[string]bool, len(t.members))
	for _, m := range t.members {
		if m.Node != t.self {
			found[m.Address] = true
		}
	}
	return found
}

// NotifyAlive is asked before the library believes in a node (memberlist.AliveDelegate). The address is checked too: the
// library would look up bytes that are no address as if they were a name.
func (t *table) NotifyAlive(n *memberlist.Node) error {
	if n.Name == t.self {
		return nil
	}
	if _, err := describe(n); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, known := t.members[n.Name]; !known && len(t.members) >= maxMembers {
		return fmt.Errorf("%d members are the most", maxMembers)
	}
	return nil
}

// NotifyJoin takes a node in (memberlist.EventDelegate).
func (t *table) NotifyJoin(n *memberlist.Node) {
	member, err := describe(n)
	if err != nil {
		return // NotifyAlive has said so
	}
	t.mu.Lock()
	t.members[n.Name] = member
	t.mu.Unlock()
	wake(t.changed)
}

// NotifyUpdate takes what a node says now (memberlist.EventDelegate).
func (t *table) NotifyUpdate(n *memberlist.Node) { t.NotifyJoin(n) }

// NotifyLeave drops a node that left or failed (memberlist.EventDelegate).
func (t *table) NotifyLeave(n *memberlist.Node) {
	t.mu.Lock()
	delete(t.members, n.Name)
	t.mu.Unlock()
	wake(t.changed)
	if n.Name != t.self {
		wake(t.departed)
	}
}

// NodeMeta is what we say about ourselves (memberlist.Delegate).
func (t *table) NodeMeta(int) []byte { return t.meta }

// The rest of memberlist.Delegate: messages of the application do not travel by gossip.

func (t *table) NotifyMsg([]byte)                {}
func (t *table) GetBroadcasts(int, int) [][]byte { return nil }
func (t *table) LocalState(bool) []byte          { return nil }
func (t *table) MergeRemoteState([]byte, bool)   {}

// describe turns a node into a Member, all copied.
func describe(n *memberlist.Node) (Member, error) {
	meta, err := DecodeMeta(n.Meta)
	if err != nil {
		return Member{}, err
	}
	if n.Name != meta.node() {
		return Member{}, fmt.Errorf("%w: of %q, not of %.200q", ErrMeta, meta.node(), n.Name)
	}
	ip, ok := netip.AddrFromSlice(n.Addr)
	ip = ip.Unmap()
	if !ok || ip.IsUnspecified() || n.Port == 0 {
		return Member{}, fmt.Errorf("%w: no gossip address", ErrMeta)
	}
	return Member{Meta: meta, Node: meta.node(), Address: netip.AddrPortFrom(ip, n.Port).String()}, nil
}

// wake leaves a signal that waits for its reader; one that already waits is enough.
func wake(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
