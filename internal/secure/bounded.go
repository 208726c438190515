package secure

import (
	"crypto/tls"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// Room is how many connections a listener has room for. Those beyond are closed before a byte of them is read, and counted.
type Room struct {
	Open  int // connections in all
	OfOne int // of them from one address
	// Strangers and StrangersOfOne are the same for connections whose other side has not shown a right certificate yet, or has
	// asked for nothing over HTTP, so that those who knock never take the room of those who work. 0 is no such bound: where
	// there is no TLS, all who call are strangers.
	Strangers, StrangersOfOne int
}

// The room of the listeners of a process. A worker has two connections to its coordinator, and one to each process that
// has rows for it or asks it for ids.
const (
	callRoom     = 8192 // of a gRPC port: four times what 1,000 workers and their submitters take
	strangerRoom = 512  // workers that come back at once, each for the milliseconds of a handshake; who is refused tries again
	webRoom      = 1024 // of an HTTP port: probes, scrapers, pages of viewers, and look-ups of customers
	least        = 64   // of either, however few files a process may open
)

// CallRoom is the room of a gRPC port. No address takes more than half of it, so that whoever lies in wait at one address
// does not keep out the others. It is half of the files that the process may open, if that is less.
func CallRoom(id *Identity) Room {
	open := max(least, min(callRoom, fileLimitOfProcess()/2))
	r := Room{Open: open, OfOne: open}
	if id == nil {
		r.OfOne = open / 2
		return r
	}
	r.Strangers = min(strangerRoom, open/2)
	r.StrangersOfOne = r.Strangers / 2
	return r
}

// WebRoom is the room of an HTTP port whose server tells Heard what it hears. A proxy may ask for many people from one
// address: it has three quarters.
func WebRoom() Room {
	open := max(least, min(webRoom, fileLimitOfProcess()/4))
	return Room{Open: open, OfOne: open / 4 * 3, Strangers: open / 2, StrangersOfOne: open / 4}
}

// Heard is for ConnState of an http.Server behind a Bounded: who has sent the head of a request is no stranger any more.
func Heard(conn net.Conn, state http.ConnState) {
	if state != http.StateActive {
		return
	}
	if outer, ok := conn.(*tls.Conn); ok {
		conn = outer.NetConn()
	}
	if g, ok := conn.(*guest); ok {
		g.known()
	}
}

// Bounded is a listener with a limit of open connections. It is safe for concurrent use.
type Bounded struct {
	net.Listener
	room Room

	mu      sync.Mutex
	open    map[netip.Addr]*guests // by the other side
	all     guests
	refused int64
}

// guests are connections: all of them, and those that are strangers still.
type guests struct{ open, strangers int }

// Bound puts a limit on l.
func Bound(l net.Listener, room Room) *Bounded {
	return &Bounded{Listener: l, room: room, open: make(map[netip.Addr]*guests)}
}

// Connections are those that are open now, and those that were closed because there was no room.
func (b *Bounded) Connections() (open int, refused int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.all.open, b.refused
}

// Accept gives the next connection that there is room for.
func (b *Bounded) Accept() (net.Conn, error) {
	for {
		conn, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if g := b.admit(conn); g != nil {
			return g, nil
		}
		conn.Close()
	}
}

// admit books a connection; nil: there is no room for it.
func (b *Bounded) admit(conn net.Conn) *guest {
	from := netip.Addr{}
	if tcp, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		from = tcp.AddrPort().Addr().Unmap()
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.open[from]
	if own == nil {
		own = &guests{}
	}
	watched := b.room.Strangers > 0
	if b.all.open >= b.room.Open || own.open >= b.room.OfOne ||
		watched && (b.all.strangers >= b.room.Strangers || own.strangers >= b.room.StrangersOfOne) {
		b.refused++
		return nil
	}
	b.open[from] = own
	own.open++
	b.all.open++
	if watched {
		own.strangers++
		b.all.strangers++
	}
	return &guest{Conn: conn, of: b, from: from, stranger: watched}
}

// guest is a connection that leaves the books when it is closed.
type guest struct {
	net.Conn
	of       *Bounded
	from     netip.Addr
	stranger bool
	gone     bool
}

// known says that the other side has shown who it is.
func (g *guest) known() {
	g.of.mu.Lock()
	defer g.of.mu.Unlock()
	if !g.gone {
		g.settle()
	}
}

// settle takes g off the strangers.
func (g *guest) settle() {
	if g.stranger {
		g.stranger = false
		g.of.all.strangers--
		g.of.open[g.from].strangers--
	}
}

// Close closes the connection; calling it again does no harm.
func (g *guest) Close() error {
	g.of.mu.Lock()
	if !g.gone {
		g.settle()
		g.gone = true
		g.of.all.open--
		own := g.of.open[g.from]
		if own.open--; own.open == 0 {
			delete(g.of.open, g.from)
		}
	}
	g.of.mu.Unlock()
	return g.Conn.Close()
}
