package cluster

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
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
	maxOfOne    = 64              // of them from one address, so that one stranger alone cannot keep all others out
	bindTries   = 10              // a free TCP port may be taken for UDP
)

var errClosed = errors.New("gossip: closed")

// transport is the library's own with fences: dials end when we close and never look up a name that a packet brought, the
// number of streams that strangers can open is bounded, and what none of ours sends does not come through.
type transport struct {
	*memberlist.NetTransport
	ctx     context.Context // of all dials
	cancel  context.CancelFunc
	streams chan net.Conn           // what the library accepts from
	packets chan *memberlist.Packet // what it reads from
	closing chan struct{}           // packets have no reader any more
	stop    chan struct{}           // ends accept and sift, after the listeners
	ended   sync.WaitGroup          // accept and sift
	once    sync.Once
	log     *logBridge
	refused *atomic.Uint64
	keyed   bool // what comes is encrypted

	mu      sync.Mutex
	open    map[*stream]struct{}
	inbound int
	from    map[netip.Addr]int // inbound, by the other side
	ofOne   int                // maxOfOne
}

// newTransport listens at address for TCP and UDP; refused counts what does not come through the fences. keyed: the library
// has a key.
func newTransport(address netip.AddrPort, keyed bool, bridge *logBridge, refused *atomic.Uint64) (*transport, error) {
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
	t := &transport{NetTransport: inner, ctx: ctx, cancel: cancel, streams: make(chan net.Conn), packets: make(chan *memberlist.Packet),
		closing: make(chan struct{}), stop: make(chan struct{}), log: bridge, refused: refused, keyed: keyed,
		open: make(map[*stream]struct{}), from: make(map[netip.Addr]int), ofOne: maxOfOne}
	t.ended.Go(t.accept)
	t.ended.Go(t.sift)
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

// sift hands packets to the library that may be ours. The listener has no buffer: somebody takes them until it has ended.
func (t *transport) sift() {
	for {
		select {
		case p := <-t.NetTransport.PacketCh():
			if err := checkPacket(p.Buf, t.keyed); err != nil {
				t.refuse(p.From, err)
				continue
			}
			select {
			case t.packets <- p:
			case <-t.closing:
			}
		case <-t.stop:
			return
		}
	}
}

// refuse counts what did not come through, and says so as the library would.
func (t *transport) refuse(from net.Addr, err error) {
	fmt.Fprintf(t.log, "[WARN] %s%s: %v from=%v", libraryPrefix, fenced, err, from)
}

// keep books an open stream, or closes it.
func (t *transport) keep(c net.Conn, inbound bool) (*stream, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := hostOf(c)
	full := inbound && (t.inbound >= maxStreams || t.from[from] >= t.ofOne)
	if full {
		t.refused.Add(1)
	}
	if full || t.ctx.Err() != nil {
		c.Close()
		return nil, errClosed
	}
	s := &stream{Conn: c, home: t, inbound: inbound, from: from, left: streamBytes}
	t.open[s] = struct{}{}
	if inbound {
		t.inbound++
		t.from[from]++
	}
	return s, nil
}

// hostOf is the address of the other side, without its port; the zero one if it has none.
func hostOf(c net.Conn) netip.Addr {
	if tcp, ok := c.RemoteAddr().(*net.TCPAddr); ok {
		return tcp.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
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
// see that they are closed, so accept and sift end after them.
func (t *transport) Shutdown() error {
	t.once.Do(func() {
		t.hangUp()
		close(t.closing)
		t.NetTransport.Shutdown() // its error is always nil
		close(t.stop)
		t.ended.Wait()
	})
	return nil
}

// PacketCh is where the library reads packets from.
func (t *transport) PacketCh() <-chan *memberlist.Packet { return t.packets }

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
	from    netip.Addr

	reader *bufio.Reader // nil before the first Read
	left   int           // bytes that may be read still
	bad    error         // what the stream was refused for
}

// Read looks at how the stream begins before it hands anything on, and ends it after streamBytes. One goroutine reads.
func (s *stream) Read(b []byte) (int, error) {
	if s.reader == nil {
		s.reader = bufio.NewReaderSize(s.Conn, headBytes)
		if err := checkStream(s.reader, s.home.keyed); err != nil {
			s.bad = fmt.Errorf("gossip refused: %w", err)
		}
	}
	switch {
	case s.bad != nil:
		return 0, s.bad
	case s.left == 0:
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.reader.Read(b[:min(len(b), s.left)])
	s.left -= n
	return n, err
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
			if s.home.from[s.from]--; s.home.from[s.from] == 0 {
				delete(s.home.from, s.from)
			}
		}
	}
	s.home.mu.Unlock()
	return s.Conn.Close()
}
