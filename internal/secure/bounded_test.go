package secure

import (
	"io"
	"net"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// caller is a connection that seems to come from an address.
type caller struct {
	net.Conn
	from   string
	closed bool
}

func (c *caller) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.ParseIP(c.from), Port: 1} }
func (c *caller) Close() error         { c.closed = true; return nil }

func TestAListenerHasRoomForSoManyAndNoMore(t *testing.T) {
	b := Bound(nil, Room{Open: 6, OfOne: 4, Strangers: 3, StrangersOfOne: 2})
	var held []*guest
	steps := []struct {
		do   string // from where a connection comes, or what becomes of the one that came first
		want bool   // it is let in
	}{
		{"10.0.0.1", true}, {"10.0.0.1", true},
		{"10.0.0.1", false}, // two strangers of one address are there
		{"10.0.0.2", true},
		{"::ffff:10.0.0.2", false}, // three strangers in all
		{"known", true},
		{"10.0.0.1", true}, // a stranger took the room of the one that is known now
		{"close", true},
		{"10.0.0.1", false},
		{"known", true}, {"known", true}, {"known", true}, // nobody is a stranger now
		{"10.0.0.1", true}, {"10.0.0.1", true},
		{"10.0.0.1", false}, // four of one address
		{"known", true}, {"known", true},
		{"10.0.0.3", true},
		{"10.0.0.4", false}, // six in all
		{"close", true},
		{"10.0.0.4", true},
	}
	refused := int64(0)
	for i, s := range steps {
		switch s.do {
		case "close":
			held[0].Close()
			held[0].Close()
			held = held[1:]
			continue
		case "known":
			for _, g := range held {
				if g.stranger {
					g.known()
					g.known()
					break
				}
			}
			continue
		}
		c := &caller{from: s.do}
		g := b.admit(c)
		if (g != nil) != s.want {
			t.Fatalf("step %d, %s: let in = %v, want %v; there are %+v", i, s.do, g != nil, s.want, b.all)
		}
		if g == nil {
			refused++
			continue
		}
		held = append(held, g)
	}
	if open, n := b.Connections(); open != len(held) || n != refused {
		t.Errorf("got %d open and %d refused, want %d and %d", open, n, len(held), refused)
	}
	for _, g := range held {
		g.Close()
		g.known() // too late to matter
		if !g.Conn.(*caller).closed {
			t.Error("a connection stays open")
		}
	}
	if b.all != (guests{}) || len(b.open) != 0 {
		t.Errorf("got %+v and %d addresses on the books at the end, want none", b.all, len(b.open))
	}
}

func TestTheRoomOfAPortLeavesSomeForOthers(t *testing.T) {
	for name, r := range map[string]Room{"calls": CallRoom(newForge(t).identity(t, Worker)), "plain calls": CallRoom(nil), "web": WebRoom()} {
		if r.Open < least || r.OfOne > r.Open || r.StrangersOfOne > r.Strangers/2 || r.Strangers > r.Open/2 {
			t.Errorf("%s: got %+v", name, r)
		}
	}
	if plain := CallRoom(nil); plain.OfOne > plain.Open/2 || plain.Strangers != 0 {
		t.Errorf("got %+v without TLS, want half of the room for one address", plain)
	}
}

// Strangers who say nothing fill the room for strangers. Who is known keeps its connection, and calls over it; once the
// handshakes of the others run out, there is room again.
func TestIdleStrangersDoNotHarmThoseWhoAreKnown(t *testing.T) {
	ca := newForge(t)
	id := ca.identity(t, Coordinator)
	server := grpc.NewServer(ServerOptions(id, Limits{Connect: 2 * time.Second})...)
	coteriev1.RegisterJobsServer(server, &clerk{show: func(*coteriev1.ShowRequest) *coteriev1.ShowReply { return &coteriev1.ShowReply{} }})
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener := Bound(inner, Room{Open: 100, OfOne: 100, Strangers: 20, StrangersOfOne: 20})
	served := make(chan struct{})
	go func() { defer close(served); server.Serve(listener) }()
	t.Cleanup(func() { server.Stop(); <-served })
	address := inner.Addr().String()
	known := dial(t, address, DialOptions(ca.identity(t, Client), Coordinator, Limits{})...)
	call := func(conn *grpc.ClientConn) error {
		_, err := coteriev1.NewJobsClient(conn).Cancel(brief(t), &coteriev1.CancelRequest{}, grpc.WaitForReady(true))
		return err
	}
	if err := call(known); err != nil {
		t.Fatal(err)
	}
	const strangers = 300
	ends := make(chan error, strangers)
	for range strangers {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		conn.SetDeadline(time.Now().Add(patience))
		go func() {
			defer conn.Close()
			_, err := io.Copy(io.Discard, conn)
			ends <- err
		}()
		if open, _ := listener.Connections(); open > 21 {
			t.Fatalf("%d connections are open, want at most the known one and 20", open)
		}
	}
	if err := call(known); status.Code(err) != codes.OK {
		t.Errorf("the known one: got %v, want to be served", err)
	}
	for range strangers {
		<-ends // each is hung up, at once or when its handshake runs out
	}
	if _, refused := listener.Connections(); refused < strangers/2 {
		t.Errorf("%d connections were refused, want most of %d", refused, strangers)
	}
	if err := call(dial(t, address, DialOptions(ca.identity(t, Client), Coordinator, Limits{})...)); err != nil {
		t.Errorf("a client after them: got %v, want to be let in", err)
	}
}
