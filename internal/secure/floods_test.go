package secure

import (
	"bytes"
	"errors"
	"io"
	"net"
	"os"
	"runtime"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	coteriev1 "github.com/coterie-project/coterie/proto/coterie/v1"
)

// rough is a peer that speaks HTTP/2 frame by frame.
type rough struct {
	*http2.Framer
	conn net.Conn
	pack *hpack.Encoder
	head bytes.Buffer
	id   uint32
}

func newRough(t *testing.T, address string) *rough {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	r := &rough{Framer: http2.NewFramer(conn, conn), conn: conn, id: 1}
	r.pack = hpack.NewEncoder(&r.head)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	r.WriteSettings()
	return r
}

// call begins a call and does not end it.
func (r *rough) call(method string) (uint32, error) {
	r.head.Reset()
	for _, f := range [][2]string{{":method", "POST"}, {":scheme", "http"}, {":path", method}, {":authority", "a"}, {"content-type", "application/grpc"}, {"te", "trailers"}} {
		r.pack.WriteField(hpack.HeaderField{Name: f[0], Value: f[1]})
	}
	id := r.id
	r.id += 2
	return id, r.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: r.head.Bytes(), EndHeaders: true})
}

// hears reads whatever comes, until the other side hangs up; it says so by closing gone.
func (r *rough) hears() (gone chan struct{}) {
	gone = make(chan struct{})
	go func() {
		defer close(gone)
		io.Copy(io.Discard, r.conn)
	}()
	return gone
}

// What a peer can do with frames alone: each is cut off, or goes on at the price of its own connection. Another client is served
// all the while, and neither memory nor goroutines grow with what was sent. Without TLS anybody can do it; with it, holders
// of a certificate.
func TestFloodsOfFramesAreBounded(t *testing.T) {
	frames := 20000
	if testing.Short() {
		frames = 4000
	}
	const method = "/coterie.v1.Jobs/Follow"
	repeat := func(write func(r *rough) error) func(*rough) error {
		return func(r *rough) error {
			for range frames {
				if err := write(r); err != nil {
					return err
				}
			}
			return nil
		}
	}
	cases := map[string]struct {
		flood func(r *rough) error
		cut   bool // the server hangs up
	}{
		"pings":    {repeat(func(r *rough) error { return r.WritePing(false, [8]byte{1}) }), true},
		"settings": {repeat(func(r *rough) error { return r.WriteSettings() }), false},
		"settings of tables": {repeat(func(r *rough) error {
			return r.WriteSettings(http2.Setting{ID: http2.SettingHeaderTableSize, Val: 1 << 30})
		}), false},
		"rapid reset": {repeat(func(r *rough) error {
			id, err := r.call(method)
			if err == nil {
				err = r.WriteRSTStream(id, http2.ErrCodeCancel)
			}
			return err
		}), false},
		"calls beyond the streams": {func(r *rough) error {
			for range frames / 10 {
				if _, err := r.call(method); err != nil {
					return err
				}
			}
			return nil
		}, false},
		"empty data": {func(r *rough) error {
			id, err := r.call(method)
			for range frames {
				if err == nil {
					err = r.WriteData(id, false, nil)
				}
			}
			return err
		}, false},
		"a header without an end": {func(r *rough) error {
			r.call(method)
			err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: r.id, BlockFragment: make([]byte, 1)})
			for range frames {
				if err == nil {
					err = r.WriteContinuation(r.id, false, bytes.Repeat([]byte{0x82}, 4000))
				}
			}
			return err
		}, true},
		"a header that unpacks to much": {func(r *rough) error {
			r.head.Reset()
			r.pack.WriteField(hpack.HeaderField{Name: "a", Value: string(make([]byte, 3000))})
			block := append(bytes.Clone(r.head.Bytes()), bytes.Repeat([]byte{0xbe}, 10000)...) // the field, ten thousand times more
			for range 50 {
				if err := r.WriteHeaders(http2.HeadersFrameParam{StreamID: r.id, BlockFragment: block, EndHeaders: true}); err != nil {
					return err
				}
				r.id += 2
			}
			return nil
		}, false},
		"a frame that is too long": {func(r *rough) error { return r.WriteRawFrame(http2.FrameData, 0, 1, make([]byte, 1<<24-1)) }, true},
		"a message of four GiB": {func(r *rough) error {
			id, err := r.call("/coterie.v1.Jobs/Show")
			if err == nil {
				err = r.WriteData(id, false, append([]byte{0, 0xff, 0xff, 0xff, 0xff}, make([]byte, 1000)...))
			}
			return err
		}, false},
		"windows that overflow":     {repeat(func(r *rough) error { return r.WriteWindowUpdate(0, 1<<31-1) }), false},
		"a goaway, again and again": {repeat(func(r *rough) error { return r.WriteGoAway(0, http2.ErrCodeNo, nil) }), false},
		"frames of unknown kinds":   {repeat(func(r *rough) error { return r.WriteRawFrame(0x77, 0, 0, make([]byte, 100)) }), false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			clerk := &clerk{follow: func(stream grpc.ServerStreamingServer[coteriev1.JobEvent]) { <-stream.Context().Done() }}
			server := grpc.NewServer(ServerOptions(nil, Limits{})...)
			coteriev1.RegisterJobsServer(server, clerk)
			address := serve(t, server)
			friend := dial(t, address, DialOptions(nil, Coordinator, Limits{})...)
			ask := func() {
				t.Helper()
				if _, err := coteriev1.NewJobsClient(friend).Cancel(brief(t), &coteriev1.CancelRequest{}); status.Code(err) != codes.OK {
					t.Errorf("another client: got %v, want to be served", err)
				}
			}
			ask()
			goroutines := runtime.NumGoroutine()
			var before, after runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&before)
			r := newRough(t, address)
			gone := r.hears()
			wrote := make(chan error, 1)
			go func() { wrote <- c.flood(r) }()
			ask()
			err := <-wrote
			if errors.Is(err, os.ErrDeadlineExceeded) {
				t.Errorf("the flood was never taken nor cut off: %v", err)
			}
			if c.cut {
				select {
				case <-gone:
				case <-time.After(patience):
					t.Error("the connection is still open")
				}
			}
			ask()
			// The handlers of calls that are under way stay; there are at most as many as a connection may have.
			if now, most := runtime.NumGoroutine(), goroutines+int(defaults.Streams)*2+20; now > most {
				t.Errorf("%d goroutines, want at most %d", now, most)
			}
			r.Framer = nil // its buffers are the flood's own
			runtime.GC()
			runtime.ReadMemStats(&after)
			if grown := int64(after.HeapAlloc) - int64(before.HeapAlloc); grown > 16<<20 {
				t.Errorf("%d KiB more are held, want at most 16 MiB", grown>>10)
			}
			r.conn.Close()
			<-gone
		})
	}
}
