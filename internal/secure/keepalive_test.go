package secure

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/grpc/test/bufconn"

	"github.com/coterie-project/coterie/internal/bubble"
	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// line is a connection between a client and a server in a bubble of virtual time.
type line struct {
	dialled    atomic.Int64
	mute, deaf atomic.Bool // nothing that the client says is heard, not even that it hangs up; nothing reaches the client
	server     *grpc.Server
	client     *grpc.ClientConn
	served     sync.WaitGroup
}

// cuttable is the client's end of a line.
type cuttable struct {
	net.Conn
	line *line
}

func (c cuttable) Write(b []byte) (int, error) {
	if c.line.mute.Load() {
		return len(b), nil
	}
	return c.Conn.Write(b)
}

func (c cuttable) Read(b []byte) (int, error) {
	for {
		n, err := c.Conn.Read(b)
		if err != nil || !c.line.deaf.Load() {
			return n, err
		}
	}
}

func (c cuttable) Close() error {
	if c.line.mute.Load() {
		return c.Conn.SetReadDeadline(time.Now()) // only this end learns of it
	}
	return c.Conn.Close()
}

func newLine(t *testing.T, c *clerk, limits Limits) *line {
	t.Helper()
	l := &line{server: grpc.NewServer(ServerOptions(nil, limits)...)}
	coteriev1.RegisterJobsServer(l.server, c)
	listener := bufconn.Listen(1 << 20)
	l.served.Go(func() { l.server.Serve(listener) })
	dialer := grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) {
		l.dialled.Add(1)
		conn, err := listener.DialContext(ctx)
		return cuttable{conn, l}, err
	})
	var err error
	if l.client, err = grpc.NewClient("passthrough:///line", append(DialOptions(nil, Coordinator, Limits{}), dialer)...); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *line) close() {
	l.client.Close()
	l.server.Stop()
	l.served.Wait()
}

func TestAQuietConnectionIsKeptAndNotPunished(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		l := newLine(t, &clerk{}, Limits{})
		defer l.close()
		jobs := coteriev1.NewJobsClient(l.client)
		for _, quiet := range []time.Duration{0, 20 * time.Minute, time.Second} { // less than the library's idle timeout
			time.Sleep(quiet)
			if _, err := jobs.Cancel(t.Context(), &coteriev1.CancelRequest{}); err != nil {
				t.Errorf("after %v: got %v, want the call served", quiet, err)
			}
		}
		if got := l.dialled.Load(); got != 1 {
			t.Errorf("dialled %d times, want once: a server that finds its client too eager hangs up", got)
		}
	})
}

// A connection without calls is closed, and opened again for the next one; a call under way keeps it.
func TestAnIdleConnectionIsClosedAndComesBack(t *testing.T) {
	bubble.Test(t, func(t *testing.T) {
		let := make(chan struct{})
		l := newLine(t, &clerk{follow: func(grpc.ServerStreamingServer[coteriev1.JobEvent]) { <-let }}, Limits{Idle: time.Minute})
		defer l.close()
		jobs := coteriev1.NewJobsClient(l.client)
		stream, err := jobs.Follow(t.Context(), &coteriev1.FollowRequest{})
		if err != nil {
			t.Fatal(err)
		}
		for i, step := range []struct {
			quiet time.Duration
			let   bool // the call under way may end first
			want  int64
		}{{0, false, 1}, {5 * time.Minute, false, 1}, {50 * time.Second, true, 1}, {2 * time.Minute, false, 2}} {
			if step.let {
				close(let)
				stream.Recv()
			}
			time.Sleep(step.quiet)
			if _, err := jobs.Cancel(t.Context(), &coteriev1.CancelRequest{}); err != nil {
				t.Errorf("step %d: got %v, want the call served", i, err)
			}
			if got := l.dialled.Load(); got != step.want {
				t.Errorf("step %d: dialled %d times, want %d", i, got, step.want)
			}
		}
	})
}

func TestACallOverADeadLineFails(t *testing.T) {
	const most = 10*time.Second + 3*time.Second
	for _, side := range []string{"server", "client"} {
		bubble.Test(t, func(t *testing.T) {
			left := make(chan struct{})
			l := newLine(t, &clerk{follow: func(stream grpc.ServerStreamingServer[coteriev1.JobEvent]) {
				stream.Send(&coteriev1.JobEvent{})
				<-stream.Context().Done()
				close(left)
			}}, Limits{})
			defer l.close()
			stream, err := coteriev1.NewJobsClient(l.client).Follow(t.Context(), &coteriev1.FollowRequest{})
			if err == nil {
				_, err = stream.Recv()
			}
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			switch side {
			case "server": // has to notice that it hears nothing
				l.mute.Store(true)
				<-left
			case "client":
				l.deaf.Store(true)
				if _, err := stream.Recv(); status.Code(err) != codes.Unavailable {
					t.Errorf("got %v, want Unavailable", err)
				}
				<-left
			}
			if took := time.Since(began); took > most {
				t.Errorf("the %s noticed after %v, want %v at most", side, took, most)
			}
		})
	}
}
