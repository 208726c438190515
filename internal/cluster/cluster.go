package cluster

import (
	"context"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"

	"github.com/coterie-project/coterie/internal/fault"
)

const (
	packetBytes   = 1400            // of a UDP packet: fits the usual 1,500 of Ethernet with room for tunnels
	streamTimeout = 5 * time.Second // for a whole exchange of members: 2.5 MB at most, and nobody waits for it
	// News is sent retransmits × ⌈log10(n+1)⌉ times to anyone. With the library's 2 for loopback a machine in three misses
	// what one node learnt from another half of the cluster; who still misses some gets it from the next whole exchange.
	retransmits   = 4
	exchangeEvery = 10 * time.Second // whole exchanges with one other; the library makes it rarer beyond 32 members
	leaveTimeout  = 2 * time.Second  // for telling that we leave: some rounds of gossip of 200 ms
)

// Membership is a process's part in the gossip. Its methods may be called by many goroutines at once.
type Membership struct {
	address string
	table   *table
	list    *memberlist.Memberlist
	wire    *transport
	refused *atomic.Uint64

	cancel context.CancelFunc // of the joiner
	joined sync.WaitGroup     // the joiner has ended
	close  sync.Once
	left   error
}

// Start listens, and from then on looks for others until Close. ctx bounds the start alone. A seed that does not answer is
// no error: it is tried again. Errors are a *fault.Error: wrong values (exit code 2), or an address that cannot be bound (1).
func Start(ctx context.Context, c Config) (*Membership, error) {
	c, meta, err := c.complete()
	if err != nil {
		return nil, err
	}
	bind, err := c.bind(ctx)
	if err != nil {
		return nil, err
	}
	advertise, err := c.advertise(ctx)
	if err != nil {
		return nil, err
	}
	refused := new(atomic.Uint64)
	bridge := newLogBridge(c.Log, refused)
	wire, err := newTransport(bind, c.Key != nil, bridge, refused)
	if err != nil {
		return nil, fault.Failedf(err, "--gossip: cannot listen at %q", c.Bind).Do("choose an address of this machine and a free port, or port 0")
	}
	address, err := wire.reachable(advertise)
	if err != nil {
		wire.Shutdown()
		return nil, fault.Failedf(err, "--gossip: listening at %q, but by which address do others reach us?", c.Bind).Do("give one address of this machine")
	}
	m := &Membership{address: address.String(), table: newTable(c.Meta.node(), meta), wire: wire, refused: refused}
	m.list, err = memberlist.Create(c.library(m.table, wire, bridge, bind.Addr(), address))
	if err != nil {
		wire.Shutdown()
		return nil, fault.Failedf(err, "gossip: cannot start")
	}
	m.look(c)
	return m, nil
}

// look starts the joiner.
func (m *Membership) look(c Config) {
	ctx, cancel := context.WithCancel(context.Background())
	m.cancel = cancel
	if len(c.Seeds) == 0 {
		return
	}
	j := &joiner{seeds: c.Seeds, self: m.address, every: c.Rejoin, lookup: lookup, present: m.table.addresses,
		departed: m.table.departed, log: c.Log,
		join: func(address string) error {
			_, err := m.list.Join([]string{address})
			return err
		}}
	m.joined.Go(func() { j.run(ctx) })
}

// library is the configuration of memberlist. All that Create could refuse after it has the transport is checked before.
func (c *Config) library(t *table, wire *transport, bridge *logBridge, bind netip.Addr, address netip.AddrPort) *memberlist.Config {
	l := memberlist.DefaultLANConfig()
	l.TCPTimeout = streamTimeout
	if bind.IsLoopback() {
		l = memberlist.DefaultLocalConfig()
	}
	l.Name = c.Meta.node()
	l.Label = labelPrefix + c.Cluster
	l.BindAddr, l.BindPort = bind.String(), wire.GetAutoBindPort()
	l.AdvertiseAddr, l.AdvertisePort = address.Addr().String(), int(address.Port())
	l.Transport = wire
	l.UDPBufferSize = packetBytes
	l.RetransmitMult, l.PushPullInterval = retransmits, exchangeEvery
	l.EnableCompression = c.Key != nil // see fence.go
	if c.Key != nil {
		l.SecretKey = c.Key
		l.GossipVerifyIncoming, l.GossipVerifyOutgoing = true, true
	}
	l.Delegate, l.Events, l.Alive = t, t, t
	l.Logger = bridge.logger()
	if c.tune != nil {
		c.tune(l)
	}
	return l
}

// Address is HOST:PORT by which others reach our gossip: a seed for them.
func (m *Membership) Address() string { return m.address }

// Members are those that gossip believes to be alive, ourselves included, sorted by name and then by node. The caller owns
// the slice.
func (m *Membership) Members() []Member { return m.table.list() }

// Changes holds one signal when Members may have changed since the last one was taken. Signals are not queued: whoever
// takes one reads Members anew.
func (m *Membership) Changes() <-chan struct{} { return m.table.changed }

// Refused counts what was dropped since the start: packets and streams with another label or key or that could not be
// read, streams beyond the bound, and records of members that do not make sense. One stranger can cause many.
func (m *Membership) Refused() uint64 { return m.refused.Load() }

// Close tells the others that we leave, within the deadline of ctx and two seconds, and then ends everything. What it
// started has ended when it returns; a probe of the library under way ends by itself within seconds. The error says
// that nobody may have heard us leave: they will notice all the same. Further calls wait for the first and return the same.
func (m *Membership) Close(ctx context.Context) error {
	m.close.Do(func() {
		m.cancel()
		m.wire.hangUp() // so that the joiner does not wait for a stream
		m.joined.Wait()
		m.left = m.leave(ctx)
		m.list.Shutdown() // its error is always nil
	})
	return m.left
}

// leave says goodbye. The library takes a timeout of 0 for eternity.
func (m *Membership) leave(ctx context.Context) error {
	wait := leaveTimeout
	if deadline, ok := ctx.Deadline(); ok {
		wait = min(wait, time.Until(deadline))
	}
	if ctx.Err() != nil || wait <= 0 {
		return fault.Failedf(context.Cause(ctx), "gossip: no time to say that we leave")
	}
	if err := m.list.Leave(wait); err != nil {
		return fault.Failedf(err, "gossip: nobody heard us leave")
	}
	return nil
}
