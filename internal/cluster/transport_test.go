package cluster

import (
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/memberlist"
)

// patience bounds every wait of the tests on real sockets; mostly it is there within a second.
const patience = 40 * time.Second

// bare is a transport without a library on it.
func bare(t *testing.T) *transport {
	t.Helper()
	refused := new(atomic.Uint64)
	tr, err := newTransport(netip.MustParseAddrPort("127.0.0.1:0"), false, newLogBridge(slog.New(slog.DiscardHandler), refused), refused)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { tr.Shutdown() })
	return tr
}

// dial opens a stream to a transport.
func dial(t *testing.T, tr *transport) net.Conn {
	t.Helper()
	at, err := tr.reachable(netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", at.String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c
}

// next is the next stream that the library would get.
func next(t *testing.T, tr *transport) net.Conn {
	t.Helper()
	select {
	case c := <-tr.StreamCh():
		return c
	case <-time.After(patience):
		t.Fatal("no stream came")
		return nil
	}
}

func TestStrangersHoldABoundedNumberOfStreams(t *testing.T) {
	tr := bare(t)
	tr.mu.Lock()
	tr.ofOne = maxStreams
	tr.mu.Unlock()
	var held []net.Conn
	for range maxStreams {
		dial(t, tr)
		held = append(held, next(t, tr))
	}
	if _, err := dial(t, tr).Read(make([]byte, 1)); err != io.EOF || tr.refused.Load() != 1 {
		t.Errorf("stream %d: got %v and %d refused, want it closed and counted", maxStreams+1, err, tr.refused.Load())
	}
	for range 2 { // the second time must not make room twice
		held[0].Close()
	}
	dial(t, tr)
	next(t, tr)
	if _, err := dial(t, tr).Read(make([]byte, 1)); err != io.EOF || tr.refused.Load() != 2 {
		t.Errorf("after one was closed: got %v and %d refused, want room for one", err, tr.refused.Load())
	}
}

func TestATransportThatNobodyReadsShutsDown(t *testing.T) {
	tr := bare(t)
	c := dial(t, tr)
	at, err := tr.reachable(netip.AddrPort{})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		dial(t, tr)
		if _, err := tr.WriteTo([]byte("hello"), at.String()); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		tr.Shutdown()
		tr.Shutdown()
	}()
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatal("Shutdown hangs")
	}
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a stream outlived its transport")
	}
	if _, err := tr.DialTimeout(at.String(), time.Second); err == nil {
		t.Error("got a stream from a closed transport")
	}
}

func TestPacketsCannotMakeUsLookUpNames(t *testing.T) {
	tr := bare(t)
	for _, address := range []string{"localhost:7946", "?0102:7946", "<nil>:7946", ""} {
		_, err1 := tr.WriteToAddress([]byte("hello"), memberlist.Address{Addr: address})
		_, err2 := tr.DialAddressTimeout(memberlist.Address{Addr: address}, time.Second)
		if err1 == nil || err2 == nil {
			t.Errorf("%q: got %v and %v, want both refused", address, err1, err2)
		}
	}
}

func TestTheAddressToldIsTheOneAsked(t *testing.T) {
	tr := bare(t)
	bound := uint16(tr.GetAutoBindPort())
	for wanted, want := range map[netip.AddrPort]netip.AddrPort{
		{}:                                     netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), bound),
		netip.MustParseAddrPort("10.1.2.3:0"):  netip.AddrPortFrom(netip.MustParseAddr("10.1.2.3"), bound),
		netip.MustParseAddrPort("10.1.2.3:77"): netip.MustParseAddrPort("10.1.2.3:77"),
	} {
		if got, err := tr.reachable(wanted); err != nil || got != want {
			t.Errorf("%v: got %v, %v, want %v", wanted, got, err, want)
		}
	}
}
