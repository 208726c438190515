package cluster

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/memberlist"
)

const (
	dialTimeout = 2 * time.Second // a machine of the same network that takes longer is not there; the library would wait for 10 s
	maxStreams  = 256             // streams that others hold open to us; each costs the library a goroutine for up to its timeout
	bindTries   = 10              // a free TCP port may be taken for UDP
)

var errClosed = errors.New("gossip: closed")

// transport is the library's own with fences: dials end when we close and never look up a name that a packet brought, and
// the number of streams that strangers can open is bounded.
type transport struct {
	*memberlist.NetTransport
	ctx     context.Context // of all dials
	cancel  context.CancelFunc
	streams chan net.Conn // what the library accepts from
	stop    chan struct{} // ends accept, after the listeners
	ended   chan struct{} // accept has ended
	once    sync.Once
	refused *atomic.Uint64

	mu      sync.Mutex
	open    map[*stream]struct{}
	inbound int
}

// newTransport listens at address for TCP and UDP; refused counts the streams that are too many.
func newTransport(address netip.AddrPort, bridge *logBridge, refused *atomic.Uint64) (*transport, error) {
	tries := 1
	if address.Port() == 0 {
		tries = bindTries
	}
	var inner *memberlist.NetTransport
	var err error
	for range tries {
		inner, err = memberlist.NewNetTransport(&memberlist.NetTransportConfig{
			BindAddrs: []string{address.Addr().String()}, BindPort: int(address.Port()), Logger: bridge.logger()})
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	t := &transport{NetTransport: inner, ctx: ctx, cancel: cancel, streams: make(chan net.Conn), stop: make(chan struct{}),
		ended: make(chan struct{}), refused: refused, open: make(map[*stream]struct{})}
	go t.accept()
	return t, nil
}

// reachable is the address to tell others. wanted may be zero, for the address bound or a private one of this machine, or
// have port 0, for the port bound.
func (t *transport) reachable(wanted netip.AddrPort) (netip.AddrPort, error) {
	bound := uint16(t.GetAutoBindPort())
	if wanted.IsValid() {
		if wanted.Port() != 0 {
			bound = wanted.Port()
		}
		return netip.AddrPortFrom(wanted.Addr(), bound), nil
	}
	ip, _, err := t.FinalAdvertiseAddr("", 0)
	if err != nil {
		return netip.AddrPort{}, err
	}
	a, ok := netip.AddrFromSlice(ip)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", ip)
	}
	return netip.AddrPortFrom(a.Unmap(), bound), nil
}

// accept hands streams to the library while there are not too many.
func (t *transport) accept() {
	defer close(t.ended)
	for {
		select {
		case c := <-t.NetTransport.StreamCh():
			s, err := t.keep(c, true)
			if err != nil {
				continue
			}
			select {
			case t.streams <- s:
			case <-t.ctx.Done():
				s.Close()
			}
		case <-t.stop:
			return
		}
	}
}

// keep books an open stream, or closes it.
func (t *transport) keep(c net.Conn, inbound bool) (*stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	full := inbound && t.inbound >= maxStreams
	if full {
		t.refused.Add(1)
	}
	if full || t.ctx.Err() != nil {
		c.Close()
		return nil, errClosed
	}
	s := &stream{Conn: c, home: t, inbound: inbound}
	t.open[s] = struct{}{}
	if inbound {
		t.inbound++
	}
	return s, nil
}

// hangUp ends all dials and streams, and refuses new ones. Packets still go.
func (t *transport) hangUp() {
	t.cancel()
	t.mu.Lock()
	open := make([]*stream, 0, len(t.open))
	for s := range t.open {
		open = append(open, s)
	}
	t.mu.Unlock()
	for _, s := range open {
		s.Close()
	}
}

// Shutdown closes everything and returns when the listeners have ended. They hand over what they have read before they
// see that they are closed, so somebody has to take it, also where the library has not started to.
func (t *transport) Shutdown() error {
	t.once.Do(func() {
		t.hangUp()
		closed, drained := make(chan struct{}), make(chan struct{})
		go func() {
			defer close(drained)
			for {
				select {
				case <-t.PacketCh():
				case <-closed:
					return
				}
			}
		}()
		t.NetTransport.Shutdown() // its error is always nil
		close(closed)
		<-drained
		close(t.stop)
		<-t.ended
	})
	return nil
}

// StreamCh is where the library accepts from.
func (t *transport) StreamCh() <-chan net.Conn { return t.streams }

// WriteToAddress sends a packet to an IP address and port.
func (t *transport) WriteToAddress(b []byte, a memberlist.Address) (time.Time, error) {
	if _, err := netip.ParseAddrPort(a.Addr); err != nil {
		return time.Time{}, err
	}
	return t.NetTransport.WriteToAddress(b, a)
}

// WriteTo is WriteToAddress for a caller without a node's name.
func (t *transport) WriteTo(b []byte, address string) (time.Time, error) {
	return t.WriteToAddress(b, memberlist.Address{Addr: address})
}

// DialAddressTimeout opens a stream to an IP address and port.
func (t *transport) DialAddressTimeout(a memberlist.Address, timeout time.Duration) (net.Conn, error) {
	if _, err := netip.ParseAddrPort(a.Addr); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(t.ctx, min(timeout, dialTimeout))
	defer cancel()
	c, err := new(net.Dialer).DialContext(ctx, "tcp", a.Addr)
	if err != nil {
		return nil, err
	}
	return t.keepOutbound(c)
}

// keepOutbound is keep for the dialer: a nil *stream must not become a net.Conn.
func (t *transport) keepOutbound(c net.Conn) (net.Conn, error) {
	s, err := t.keep(c, false)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// DialTimeout is DialAddressTimeout for a caller without a node's name.
func (t *transport) DialTimeout(address string, timeout time.Duration) (net.Conn, error) {
	return t.DialAddressTimeout(memberlist.Address{Addr: address}, timeout)
}

// stream is an open connection that its transport knows.
type stream struct {
	net.Conn
	home    *transport
	inbound bool
}

// Write closes the stream when it fails: the library forgets one whose label it could not write.
func (s *stream) Write(b []byte) (int, error) {
	n, err := s.Conn.Write(b)
	if err != nil {
		s.Close()
	}
	return n, err
}

// Close closes the connection and strikes it from the books; calling it again does no harm.
func (s *stream) Close() error {
	s.home.mu.Lock()
	if _, open := s.home.open[s]; open {
		delete(s.home.open, s)
		if s.inbound {
			s.home.inbound--
		}
	}
	s.home.mu.Unlock()
	return s.Conn.Close()
}
